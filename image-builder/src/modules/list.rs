use super::{Kernel, ModuleName, path_matches};

/// Which modules an image asks for, read from a text file.
///
/// `[group]` begins a group; each other line is one entry, `#` begins a comment. An entry is a
/// module's name, or a path below `kernel/` with `*` (`drivers/ata/*`: one folder; `drivers/hid/**`:
/// all below). A `?` at its end marks an entry that an image may go without: the kernel
/// lacks it, or it leads to graphics drivers. A `!` before a name keeps that module out unless another
/// one depends on it, or a path of the group `added` matches it: there a person asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleList {
    /// What to take, in the order of the file.
    pub entries: Vec<Entry>,
    /// What paths and soft dependencies do not bring in, but for paths of the group [`ADDED`].
    pub except: Vec<ModuleName>,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Heading that the sizes are summed under.
    pub group: String,
    /// What to take.
    pub selector: Selector,
    /// Whether an image may go without it.
    pub optional: bool,
}

/// How modules are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By name.
    Name(ModuleName),
    /// By the path of the file in the release's module folder, with shell patterns.
    Path(String),
}

/// A line that is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the module list, '{text}': {problem}")]
pub struct ListError {
    line: usize,
    text: String,
    problem: &'static str,
}

/// The group of what a person asks for besides the list.
pub const ADDED: &str = "added";

/// What a kernel has for an entry.
pub(super) enum Selected {
    /// Nothing at all, not even compiled in.
    Nothing,
    /// Only modules that the list keeps out.
    KeptOut,
    /// These files; none where all is compiled in.
    Files(Vec<ModuleName>),
}

impl ModuleList {
    /// Reads a whole list.
    pub fn parse(text: &str) -> Result<Self, ListError> {
        let mut list = Self::default();
        let mut group = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let error = |problem| ListError {
                line: number + 1,
                text: line.to_owned(),
                problem,
            };
            if line.is_empty() {
                continue;
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                group = Some(name.to_owned());
            } else if line.contains(char::is_whitespace) {
                return Err(error("one entry a line, comments after a #"));
            } else if let Some(name) = line.strip_prefix('!') {
                list.except.push(ModuleName::new(name));
            } else {
                let group = group
                    .as_ref()
                    .ok_or_else(|| error("a [group] must come first"))?;
                list.entries.push(Entry::parse(group, line));
            }
        }
        Ok(list)
    }
}

impl Entry {
    /// One entry as it stands on a line.
    pub fn parse(group: &str, text: &str) -> Self {
        let (text, optional) = match text.strip_suffix('?') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let selector = if !text.contains('/') {
            Selector::Name(ModuleName::new(text))
        } else if ["kernel/", "updates/", "extra/"]
            .iter()
            .any(|top| text.starts_with(top))
        {
            Selector::Path(text.to_owned())
        } else {
            Selector::Path(format!("kernel/{text}"))
        };
        Self {
            group: group.to_owned(),
            selector,
            optional,
        }
    }

    /// What the kernel has for this entry; `except` are the names that paths do not bring in.
    pub(super) fn select(&self, kernel: &Kernel, except: &[ModuleName]) -> Selected {
        let (files, is_builtin): (Vec<ModuleName>, bool) = match &self.selector {
            Selector::Name(name) => {
                let file = kernel.path(name).map(|_| name.clone());
                (file.into_iter().collect(), kernel.builtin().has(name))
            }
            Selector::Path(pattern) => {
                let matched = kernel
                    .modules()
                    .filter(|(_, path)| path_matches(pattern, path));
                let names = matched.map(|(name, _)| name.clone());
                (names.collect(), kernel.builtin().has_path(pattern))
            }
        };
        if files.is_empty() && !is_builtin {
            return Selected::Nothing;
        }
        let by_name = matches!(self.selector, Selector::Name(_));
        if by_name || files.is_empty() || self.group == ADDED {
            return Selected::Files(files);
        }
        let kept = files.into_iter().filter(|name| !except.contains(name));
        let kept: Vec<_> = kept.collect();
        match kept.is_empty() && !is_builtin {
            true => Selected::KeptOut,
            false => Selected::Files(kept),
        }
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Path(pattern) => f.write_str(pattern),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_marks_and_comments_are_read() {
        let list = ModuleList::parse(
            "# storage of all kinds\n[storage]\nsd-mod # disks\ndrivers/ata/*\nvmd?\n\n!hid-picolcd\n",
        )
        .unwrap();
        let shown: Vec<_> = list
            .entries
            .iter()
            .map(|entry| (entry.selector.to_string(), entry.optional))
            .collect();
        assert_eq!(
            shown,
            [
                ("sd_mod".to_owned(), false),
                ("kernel/drivers/ata/*".to_owned(), false),
                ("vmd".to_owned(), true)
            ]
        );
        assert!(list.entries.iter().all(|entry| entry.group == "storage"));
        assert_eq!(list.except, [ModuleName::new("hid_picolcd")]);
    }

    #[test]
    fn an_error_names_the_line() {
        let error = ModuleList::parse("[a]\nahci nvme\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
        assert!(ModuleList::parse("ahci\n").is_err());
    }
}
