use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::place::{Place, Setting};
use crate::reader::Reader;

/// Where modprobe looks, the first one that has a file's name holds (modprobe.d(5)).
const FOLDERS: [&str; 4] = [
    "/etc/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// One file of modprobe.d.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModprobeFile {
    /// Its whole path.
    pub path: String,
    /// What it says, in order.
    pub directives: Vec<Setting<ModprobeDirective>>,
}

/// One line of modprobe.d (modprobe.d(5)). Names of modules are written with underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "directive")]
pub enum ModprobeDirective {
    /// Another name for a module; may be a pattern of device names.
    Alias {
        /// The name.
        pattern: String,
        /// The module.
        module: String,
    },
    /// The module is not loaded for the devices that it names itself.
    Blacklist {
        /// The module.
        module: String,
    },
    /// Options for a module that is loaded.
    Options {
        /// The module.
        module: String,
        /// As they are given to it.
        options: Vec<String>,
    },
    /// A command that runs instead of loading.
    Install {
        /// The module.
        module: String,
        /// The command.
        command: String,
    },
    /// A command that runs instead of unloading.
    Remove {
        /// The module.
        module: String,
        /// The command.
        command: String,
    },
    /// Modules that are loaded before or after.
    Softdep {
        /// The module.
        module: String,
        /// Before it.
        pre: Vec<String>,
        /// After it.
        post: Vec<String>,
    },
    /// A line that is none of these.
    Other {
        /// The line.
        text: String,
    },
}

impl ModprobeDirective {
    /// The module it speaks about.
    pub fn module(&self) -> Option<&str> {
        match self {
            Self::Alias { module, .. }
            | Self::Blacklist { module }
            | Self::Options { module, .. }
            | Self::Install { module, .. }
            | Self::Remove { module, .. }
            | Self::Softdep { module, .. } => Some(module),
            Self::Other { .. } => None,
        }
    }
}

impl fmt::Display for ModprobeDirective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias { pattern, module } => write!(f, "alias {pattern} {module}"),
            Self::Blacklist { module } => write!(f, "blacklist {module}"),
            Self::Options { module, options } => {
                write!(f, "options {module} {}", options.join(" "))
            }
            Self::Install { module, command } => write!(f, "install {module} {command}"),
            Self::Remove { module, command } => write!(f, "remove {module} {command}"),
            Self::Softdep { module, pre, post } => {
                write!(f, "softdep {module}")?;
                for (word, modules) in [("pre:", pre), ("post:", post)] {
                    if !modules.is_empty() {
                        write!(f, " {word} {}", modules.join(" "))?;
                    }
                }
                Ok(())
            }
            Self::Other { text } => f.write_str(text),
        }
    }
}

/// Reads one file: each directive with the line that it begins on.
pub fn parse_modprobe(text: &str) -> Vec<(usize, ModprobeDirective)> {
    let mut directives = Vec::new();
    let mut whole = String::new();
    let mut start = None;
    for (index, line) in text.lines().enumerate() {
        let first = *start.get_or_insert(index + 1);
        if let Some(continued) = line.strip_suffix('\\') {
            whole.push_str(continued);
            whole.push(' ');
            continue;
        }
        whole.push_str(line);
        directives.extend(directive(&whole).map(|directive| (first, directive)));
        whole.clear();
        start = None;
    }
    if let Some(first) = start {
        directives.extend(directive(&whole).map(|directive| (first, directive)));
    }
    directives
}

fn directive(line: &str) -> Option<ModprobeDirective> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let (keyword, subject) = (words.next()?, words.next());
    let rest: Vec<&str> = words.collect();
    let other = || ModprobeDirective::Other {
        text: line.to_owned(),
    };
    let Some(subject) = subject else {
        return Some(other());
    };
    let module = underscored(subject);
    Some(match (keyword, rest.as_slice()) {
        ("alias", [target, ..]) => ModprobeDirective::Alias {
            pattern: subject.to_owned(),
            module: underscored(target),
        },
        ("blacklist", _) => ModprobeDirective::Blacklist { module },
        ("options", options) => ModprobeDirective::Options {
            module,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        },
        ("install", command) => ModprobeDirective::Install {
            module,
            command: command.join(" "),
        },
        ("remove", command) => ModprobeDirective::Remove {
            module,
            command: command.join(" "),
        },
        ("softdep", others) => softdep(module, others),
        _ => other(),
    })
}

fn softdep(module: String, words: &[&str]) -> ModprobeDirective {
    let (mut pre, mut post) = (Vec::new(), Vec::new());
    let mut before = true;
    for word in words {
        match *word {
            "pre:" => before = true,
            "post:" => before = false,
            name if before => pre.push(underscored(name)),
            name => post.push(underscored(name)),
        }
    }
    ModprobeDirective::Softdep { module, pre, post }
}

pub(crate) fn underscored(module: &str) -> String {
    module.replace('-', "_")
}

pub(super) fn read(reader: &Reader) -> Vec<ModprobeFile> {
    let mut files: BTreeMap<String, ModprobeFile> = BTreeMap::new();
    for folder in FOLDERS {
        for (name, text) in reader.texts(folder, ".conf") {
            let path = format!("{folder}/{name}");
            files.entry(name).or_insert_with(|| ModprobeFile {
                directives: parse_modprobe(&text)
                    .into_iter()
                    .map(|(line, value)| Setting {
                        value,
                        place: Place::new(&path, line),
                    })
                    .collect(),
                path,
            });
        }
    }
    files.into_values().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::MemoryFiles;

    #[test]
    fn every_kind_of_line_is_read_with_its_number() {
        let text = "# a comment\noptions vfio-pci ids=10de:1b80,10de:10f0 \\\n  disable_vga=1\nblacklist nouveau\n\
                    softdep nvidia-drm pre: vfio-pci post: other\nalias pci:v000010DEd00001B80sv*sd*bc*sc*i* vfio-pci\n\
                    install i915 /bin/true\nnonsense\n";
        let parsed = parse_modprobe(text);
        let lines: Vec<_> = parsed.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4, 5, 6, 7, 8]);
        assert_eq!(
            parsed[0].1,
            ModprobeDirective::Options {
                module: "vfio_pci".to_owned(),
                options: vec![
                    "ids=10de:1b80,10de:10f0".to_owned(),
                    "disable_vga=1".to_owned()
                ],
            }
        );
        assert_eq!(
            parsed[2].1,
            ModprobeDirective::Softdep {
                module: "nvidia_drm".to_owned(),
                pre: vec!["vfio_pci".to_owned()],
                post: vec!["other".to_owned()],
            }
        );
        assert!(matches!(parsed[5].1, ModprobeDirective::Other { .. }));
    }

    #[test]
    fn a_file_in_etc_hides_one_of_its_name_elsewhere() {
        let files = MemoryFiles::new()
            .file("etc/modprobe.d/a.conf", "blacklist one\n")
            .file("usr/lib/modprobe.d/a.conf", "blacklist two\n")
            .file("usr/lib/modprobe.d/b.conf", "blacklist three\n")
            .file("etc/modprobe.d/c.conf.bak", "blacklist four\n");
        let found = read(&Reader::new(&files, String::new()));
        let paths: Vec<_> = found.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            paths,
            ["/etc/modprobe.d/a.conf", "/usr/lib/modprobe.d/b.conf"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,200}") {
            parse_modprobe(&text);
        }
    }
}
