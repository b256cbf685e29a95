use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// What the tools of an installed system printed about it, by the name of the section.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Reads sections that begin with `== NAME`; zeros at the end are room that was not needed.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut sections: BTreeMap<String, String> = BTreeMap::new();
        let mut current = None;
        for line in text.trim_end_matches('\0').lines() {
            if let Some(name) = line.strip_prefix("== ") {
                current = Some(sections.entry(name.to_owned()).or_default());
            } else {
                let section = current.as_mut().context("facts begin without a section")?;
                section.push_str(line);
                section.push('\n');
            }
        }
        ensure!(
            sections.contains_key("end"),
            "the guest's facts end too early"
        );
        Ok(Self(sections))
    }

    /// The names of all sections.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What stands in this section, without blanks at its ends.
    pub(super) fn section(&self, name: &str) -> Result<&str> {
        let text = self.0.get(name);
        Ok(text
            .with_context(|| format!("the guest's facts have no section {name}"))?
            .trim())
    }

    /// The lines of a section.
    pub(super) fn lines(&self, name: &str) -> Result<impl Iterator<Item = &str>> {
        let text = self.section(name)?;
        Ok(text.lines().filter(|line| !line.is_empty()))
    }

    /// Pairs of a section that has two words on each line.
    pub(super) fn pairs(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let pair = |line: &str| {
            let (first, second) = line.split_once(char::is_whitespace)?;
            Some((first.to_owned(), second.trim().to_owned()))
        };
        Ok(self.lines(name)?.filter_map(pair).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_by_name_and_the_zeros_behind_them_left_out() {
        let facts = Facts::parse("== root\n/dev/sda1 ext4\n== pool\n== end\n\0\0").unwrap();
        assert_eq!(facts.section("root").unwrap(), "/dev/sda1 ext4");
        assert_eq!(facts.section("pool").unwrap(), "");
        assert_eq!(facts.pairs("root").unwrap()["/dev/sda1"], "ext4");
        assert!(facts.section("volumes").is_err());
    }

    #[test]
    fn facts_that_break_off_are_refused() {
        assert!(Facts::parse("== root\n/dev/sda1").is_err());
        assert!(Facts::parse("stray\n== end\n").is_err());
    }
}
