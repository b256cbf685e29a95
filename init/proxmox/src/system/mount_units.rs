//! Mount units of systemd (systemd.mount(5)): Proxmox VE writes one for each storage on a folder of its own.

use std::collections::BTreeSet;

use super::storage::FstabLine;
use crate::place::Place;
use crate::reader::Reader;

const FOLDER: &str = "/etc/systemd/system";
/// Folders of links that are looked into; a system has some twenty.
const TARGETS: usize = 64;

/// What the administrator's own mount units mount when the system starts: those that some target wants.
pub(super) fn read(reader: &Reader) -> Vec<FstabLine> {
    let names = reader.names(FOLDER).known().cloned().unwrap_or_default();
    let targets = names
        .iter()
        .filter(|name| name.ends_with(".wants") || name.ends_with(".requires"));
    let wanted: BTreeSet<String> = targets
        .take(TARGETS)
        .flat_map(|target| {
            let links = reader.names(&format!("{FOLDER}/{target}"));
            links.known().cloned().unwrap_or_default()
        })
        .filter(|name| name.ends_with(".mount"))
        .collect();
    let units = names.iter().filter(|name| wanted.contains(*name));
    units
        .filter_map(|name| {
            let path = format!("{FOLDER}/{name}");
            parse(&path, reader.text(&path).known()?)
        })
        .collect()
}

/// A unit as a line of /etc/fstab that says the same; none without a device and a place.
fn parse(path: &str, text: &str) -> Option<FstabLine> {
    let mut line = FstabLine {
        device: String::new(),
        mount_point: String::new(),
        kind: String::new(),
        options: String::new(),
        place: Place::new(path, 1),
    };
    let mut section = "";
    for (index, text) in text.lines().enumerate() {
        let text = text.trim();
        if text.starts_with('[') {
            section = text;
        }
        let Some((key, value)) = text.split_once('=').filter(|_| section == "[Mount]") else {
            continue;
        };
        let value = value.trim().to_owned();
        match key.trim_end() {
            "What" => {
                line.device = value;
                line.place = Place::new(path, index + 1);
            }
            "Where" => line.mount_point = value,
            "Type" => line.kind = value,
            "Options" => line.options = value,
            _ => {}
        }
    }
    (!line.device.is_empty() && !line.mount_point.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::storage::mounts;
    use super::*;
    use crate::files::MemoryFiles;

    const UNIT: &str = "[Unit]\nDescription=What=nothing\n\n[Mount]\nOptions=defaults\nType=ext4\n\
        What=/dev/disk/by-uuid/0f0f\nWhere=/mnt/pve/big\n\n[Install]\nWantedBy=multi-user.target\n";

    #[test]
    fn a_unit_that_a_target_wants_stands_behind_the_lines_of_fstab() {
        let files = MemoryFiles::new()
            .file("etc/fstab", "/dev/pve/root / ext4 defaults 0 1\n")
            .file("etc/systemd/system/mnt-pve-big.mount", UNIT)
            .file("etc/systemd/system/mnt-pve-off.mount", UNIT)
            .file(
                "etc/systemd/system/multi-user.target.wants/mnt-pve-big.mount",
                UNIT,
            );
        let lines = mounts(&files);
        let devices: Vec<(&str, &str)> = lines
            .iter()
            .map(|line| (line.device.as_str(), line.mount_point.as_str()))
            .collect();
        assert_eq!(
            devices,
            [
                ("/dev/pve/root", "/"),
                ("/dev/disk/by-uuid/0f0f", "/mnt/pve/big")
            ]
        );
        assert_eq!(
            lines[1].place.to_string(),
            "/etc/systemd/system/mnt-pve-big.mount:7"
        );
        assert_eq!(
            (lines[1].kind.as_str(), lines[1].options.as_str()),
            ("ext4", "defaults")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s)(\\[Mount\\]\n)?(What|Where|=|\n|.){0,40}") {
            let _ = parse("/unit", &text);
        }
    }
}
