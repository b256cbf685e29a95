use std::collections::BTreeMap;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::command_line::CommandLine;
use crate::place::Place;
use crate::reader::{Reader, Trouble};
use crate::shell::{Assignments, Value};

const FILE: &str = "/etc/default/grub";
const FOLDER: &str = "/etc/default/grub.d";

/// The GRUB_ variables that update-grub would see: /etc/default/grub, then /etc/default/grub.d/*.cfg, each
/// sourced over the one before (grub-mkconfig).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrubDefaults {
    /// By name.
    pub variables: BTreeMap<String, GrubVariable>,
}

/// A variable and every line that set it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrubVariable {
    /// What it is in the end.
    pub value: String,
    /// Whether that could be said without a shell.
    pub certain: bool,
    /// In order; the last one decides.
    pub places: Vec<Place>,
}

impl GrubDefaults {
    pub(super) fn read(reader: &Reader) -> Reading<Self> {
        reader.text(FILE).map(|text| {
            let mut files = vec![(FILE.to_owned(), text)];
            let sourced = reader.texts(FOLDER, ".cfg");
            files.extend(
                sourced
                    .into_iter()
                    .map(|(name, text)| (format!("{FOLDER}/{name}"), text)),
            );
            let (defaults, broken) = Self::from_files(&files);
            for place in broken {
                reader.note(Trouble::HalfWritten(format!(
                    "{place} opens a quote that is never closed, so update-grub fails"
                )));
            }
            defaults
        })
    }

    /// Runs files, in order: path and text. Gives back also the places of quotes that are never closed.
    pub fn from_files(files: &[(String, String)]) -> (Self, Vec<Place>) {
        let mut variables: BTreeMap<String, Value> = BTreeMap::new();
        let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        let mut broken = Vec::new();
        for (file, text) in files {
            let parsed = Assignments::parse(text);
            parsed.evaluate(&mut variables);
            for assignment in &parsed.assignments {
                let place = Place::new(file, assignment.line);
                places
                    .entry(assignment.name.clone())
                    .or_default()
                    .push(place);
            }
            broken.extend(parsed.open_quote.map(|line| Place::new(file, line)));
        }
        let variables = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with("GRUB_"))
            .map(|(name, value)| {
                let variable = GrubVariable {
                    value: value.text,
                    certain: value.certain,
                    places: places.remove(&name).unwrap_or_default(),
                };
                (name, variable)
            })
            .collect();
        (Self { variables }, broken)
    }

    /// What update-grub would give an ordinary entry behind `root=... ro` (util/grub.d/10_linux.in):
    /// GRUB_CMDLINE_LINUX, then GRUB_CMDLINE_LINUX_DEFAULT. None where it could not be said without a shell.
    pub fn command_line(&self) -> Option<CommandLine> {
        let mut text = String::new();
        for name in COMMAND_LINE {
            let Some(variable) = self.variables.get(name) else {
                continue;
            };
            if !variable.certain {
                return None;
            }
            text.push_str(&variable.value);
            text.push(' ');
        }
        Some(CommandLine::from(text.as_str()))
    }
}

/// The variables that the command line of an ordinary entry is made of, in order.
pub(crate) const COMMAND_LINE: [&str; 2] = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"];

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> GrubDefaults {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        GrubDefaults::from_files(&files).0
    }

    #[test]
    fn a_sourced_file_appends_to_what_the_first_one_set() {
        let defaults = files(&[
            (
                FILE,
                "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on\"\nGRUB_CMDLINE_LINUX=\"\"\n",
            ),
            (
                "/etc/default/grub.d/zfs.cfg",
                "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX root=ZFS=rpool/ROOT/pve-1 boot=zfs\"\n",
            ),
        ]);
        let line = defaults.command_line().unwrap();
        assert_eq!(
            line.as_str(),
            "root=ZFS=rpool/ROOT/pve-1 boot=zfs quiet intel_iommu=on"
        );
        let places = &defaults.variables["GRUB_CMDLINE_LINUX"].places;
        let places: Vec<_> = places.iter().map(ToString::to_string).collect();
        assert_eq!(
            places,
            ["/etc/default/grub:2", "/etc/default/grub.d/zfs.cfg:1"]
        );
    }

    #[test]
    fn a_command_line_that_only_a_shell_can_say_is_not_said() {
        let defaults = files(&[(FILE, "GRUB_CMDLINE_LINUX=\"$(cat /proc/cmdline)\"\n")]);
        assert_eq!(defaults.command_line(), None);
    }
}
