use std::collections::{BTreeMap, BTreeSet};

use hardware::Kernel;
use pci::Address;

/// What the kernel was told on its command line, and what it said in its log.
#[derive(Clone, Copy)]
pub(crate) struct KernelView<'a>(pub &'a Kernel);

impl<'a> KernelView<'a> {
    /// How evidence names the kernel that judged.
    pub fn name(self) -> String {
        match self.0.release.known() {
            Some(release) => format!("kernel {release}"),
            None => "a kernel whose release was not read".to_owned(),
        }
    }

    /// Major and minor number of the release.
    pub fn version(self) -> Option<(u32, u32)> {
        let mut numbers = self.0.release.known()?.split(['.', '-', '+']);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// The words of the command line with this name, whole. The kernel takes `-` for `_` in names.
    pub fn options(self, name: &str) -> impl Iterator<Item = &'a str> {
        let line = self.0.command_line.known().map_or("", String::as_str);
        line.split_whitespace()
            .filter(move |word| option_name(word).replace('-', "_") == name)
    }

    /// The word of the command line that gives the option this value, alone or in a list of values.
    pub fn option_with(self, name: &str, value: &str) -> Option<&'a str> {
        self.options(name)
            .find(|word| option_values(word).any(|given| given == value))
    }

    /// Log lines that hold one of these texts, whatever the case of their letters.
    pub fn lines_with(self, texts: &[&str]) -> Vec<&'a str> {
        let log = self.0.log.known().map_or(&[][..], Vec::as_slice);
        log.iter()
            .map(String::as_str)
            .filter(|line| texts.iter().any(|text| contains(line, text)))
            .collect()
    }

    /// Log lines that hold one of these texts, by the functions that they name.
    pub fn lines_about(self, texts: &[&str]) -> BTreeMap<Address, Vec<&'a str>> {
        let mut about: BTreeMap<Address, Vec<&str>> = BTreeMap::new();
        for line in self.lines_with(texts) {
            let words = line.split_whitespace();
            let named: BTreeSet<Address> = words
                .filter(|word| word.matches(':').count() >= 2)
                .filter_map(|word| word.trim_end_matches([':', ',', '.']).parse().ok())
                .collect();
            for address in named {
                about.entry(address).or_default().push(line);
            }
        }
        about
    }
}

/// Whether the line holds the text, whatever the case of their letters.
pub(crate) fn contains(line: &str, text: &str) -> bool {
    line.to_ascii_lowercase()
        .contains(&text.to_ascii_lowercase())
}

fn option_name(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

fn option_values(word: &str) -> impl Iterator<Item = &str> {
    word.split_once('=')
        .map_or("", |(_, values)| values)
        .split(',')
}

#[cfg(test)]
mod tests {
    use hardware::Reading;

    use super::*;

    fn kernel(release: &str, command_line: &str) -> Kernel {
        Kernel {
            release: Reading::Known(release.to_owned()),
            command_line: Reading::Known(command_line.to_owned()),
            log: Reading::Known(vec!["DMAR-IR: Enabled IRQ remapping in xapic mode".into()]),
        }
    }

    #[test]
    fn a_release_gives_its_first_two_numbers() {
        for (release, version) in [
            ("6.1.0-13-amd64", Some((6, 1))),
            ("6.8.12-4-pve", Some((6, 8))),
            ("7.0-rc1", Some((7, 0))),
            ("unknown", None),
        ] {
            assert_eq!(
                KernelView(&kernel(release, "")).version(),
                version,
                "{release}"
            );
        }
    }

    #[test]
    fn an_option_is_found_in_a_list_and_with_either_dash() {
        let kernel = kernel("6.1.0", "quiet intremap=nosid,off vfio-iommu-type1.x=1 off");
        let view = KernelView(&kernel);
        assert_eq!(
            view.option_with("intremap", "off"),
            Some("intremap=nosid,off")
        );
        assert_eq!(view.option_with("intremap", "on"), None);
        assert!(view.option_with("vfio_iommu_type1.x", "1").is_some());
        assert!(view.options("off").next().is_some());
    }

    #[test]
    fn a_log_line_is_found_by_the_functions_that_it_names() {
        let mut kernel = kernel("6.1.0", "");
        let line = "vfio-pci 0000:01:00.0: resetting 10000:e1:00.1, Stuck";
        kernel.log = Reading::Known(vec![line.into(), "stuck at 12:34:56".into()]);
        let about = KernelView(&kernel).lines_about(&["stuck"]);
        let places: Vec<String> = about.keys().map(ToString::to_string).collect();
        assert_eq!(places, ["0000:01:00.0", "10000:e1:00.1"]);
    }

    #[test]
    fn a_log_line_is_found_whatever_its_case() {
        let kernel = kernel("6.1.0", "");
        assert_eq!(
            KernelView(&kernel)
                .lines_with(&["enabled irq REMAPPING"])
                .len(),
            1
        );
        assert!(KernelView(&kernel).lines_with(&["disabled"]).is_empty());
    }
}
