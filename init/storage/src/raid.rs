use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::Program;

/// The first number of an MD device that a look takes: below are those that people give theirs.
const FIRST: u32 = 200;

/// How an array is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// For reading alone, also when members are missing, as far as the array can: the kernel then repairs nothing.
    ToRead,
    /// For writing, when every member is there that was there last.
    WholeToWrite,
}

/// The program `mdadm`.
#[derive(Clone, Debug)]
pub(crate) struct Mdadm(Program);

impl Mdadm {
    /// The program, when the image carries it.
    pub fn find() -> Option<Self> {
        Program::find("mdadm").map(Self)
    }

    /// Assembles the array with this UUID of these devices. Its node.
    pub fn assemble(
        &self,
        sys: &Path,
        uuid: &str,
        devices: &[&Path],
        start: Start,
    ) -> Result<PathBuf, String> {
        let node = (FIRST..FIRST + 256)
            .find(|number| !sys.join(format!("block/md{number}")).exists())
            .map(|number| PathBuf::from(format!("/dev/md{number}")))
            .ok_or("every number of an MD device is taken")?;
        let name = node.display().to_string();
        let uuid = format!("--uuid={}", mdadm_uuid(uuid));
        let mut words = vec!["--assemble", "--config=none"];
        // Without --run, mdadm starts no array of named devices that lacks one (mdadm(8), ASSEMBLE MODE).
        if start == Start::ToRead {
            words.extend(["--run", "--readonly"]);
        }
        words.extend([uuid.as_str(), &name]);
        let devices: Vec<String> = devices
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        words.extend(devices.iter().map(String::as_str));
        self.0.text(&words, &[("MDADM_NO_UDEV", "1")])?;
        Ok(node)
    }

    /// Stops an array.
    pub fn stop(&self, node: &Path) -> Result<(), String> {
        let name = node.display().to_string();
        self.0
            .text(&["--stop", &name], &[("MDADM_NO_UDEV", "1")])
            .map(drop)
    }
}

/// libblkid writes five groups of hex digits, mdadm four with colons.
fn mdadm_uuid(uuid: &str) -> String {
    let digits: Vec<char> = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    let groups: Vec<String> = digits
        .chunks(8)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(":")
}

/// Members that an assembled array lacks; none where its level has no spare copy of anything (drivers/md/md.c,
/// `degraded`, is there for the others alone). A member that is being rebuilt is there, but `degraded` counts it: so
/// the places are counted that have no member, or a faulty one alone (Linux, Documentation/admin-guide/md.rst).
pub(crate) fn missing(sys: &Path, node: &Path) -> u64 {
    let name = node.file_name().unwrap_or_default();
    let folder = sys.join("block").join(name).join("md");
    let degraded = number(&folder.join("degraded")).unwrap_or(0);
    if degraded == 0 {
        return 0;
    }
    // One that is being replaced and its replacement have one place.
    let filled: BTreeSet<u64> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"dev-"))
        .filter_map(|entry| place_of(&entry.path()))
        .collect();
    match number(&folder.join("raid_disks")) {
        Some(places) => places.saturating_sub(filled.len() as u64),
        None => degraded,
    }
}

/// The place in its array that a member fills; none of a spare or faulty one, or when it cannot be read.
fn place_of(member: &Path) -> Option<u64> {
    let state = fs::read_to_string(member.join("state")).ok()?;
    let mut words = state.split([',', ' ', '\n']);
    if words.any(|word| word == "faulty") {
        return None;
    }
    number(&member.join("slot"))
}

/// The first word of a file; `raid_disks` of an array that is being reshaped says the old number behind it.
fn number(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Partitions that the kernel sees on a block device: number and node.
pub(crate) fn partitions(sys: &Path, node: &Path) -> Vec<(u32, PathBuf)> {
    let Some(name) = node.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let folder = sys.join("block").join(name);
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = fs::read_to_string(entry.path().join("partition")).ok()?;
            Some((
                number.trim().parse().ok()?,
                Path::new("/dev").join(entry.file_name()),
            ))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An array as the kernel shows it: `degraded`, `raid_disks`, and each member's slot and state.
    fn array(degraded: &str, places: &str, members: &[(&str, &str)]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let md = sys.path().join("block/md200/md");
        fs::create_dir_all(&md).unwrap();
        fs::write(md.join("degraded"), degraded).unwrap();
        fs::write(md.join("raid_disks"), places).unwrap();
        for (index, (slot, state)) in members.iter().enumerate() {
            let member = md.join(format!("dev-sd{index}"));
            fs::create_dir(&member).unwrap();
            fs::write(member.join("slot"), format!("{slot}\n")).unwrap();
            fs::write(member.join("state"), format!("{state}\n")).unwrap();
        }
        sys
    }

    fn missing_of(degraded: &str, places: &str, members: &[(&str, &str)]) -> u64 {
        missing(
            array(degraded, places, members).path(),
            Path::new("/dev/md200"),
        )
    }

    #[test]
    fn an_array_lacks_the_members_that_are_absent_or_faulty() {
        let whole = [("0", "in_sync"), ("1", "in_sync,write_mostly")];
        assert_eq!(missing_of("0\n", "2\n", &whole), 0);
        assert_eq!(missing_of("1\n", "2\n", &whole[..1]), 1);
        let faulty = [("0", "in_sync"), ("1", "faulty,write_error")];
        assert_eq!(missing_of("1\n", "2\n", &faulty), 1);
        // A spare that nobody uses yet, and a journal, fill no place.
        let spare = [("0", "in_sync"), ("none", "spare"), ("journal", "journal")];
        assert_eq!(missing_of("1\n", "2\n", &spare), 1);
    }

    #[test]
    fn a_member_that_is_being_rebuilt_is_not_missing() {
        let rebuilt = [("0", "in_sync"), ("1", "spare")];
        assert_eq!(missing_of("1\n", "2\n", &rebuilt), 0);
        // RAID 6 with one that is rebuilt, one that is absent, and one that is replaced while it still works.
        let raid6 = [
            ("0", "in_sync,want_replacement"),
            ("0", "spare,replacement"),
            ("1", "spare"),
            ("2", "in_sync"),
        ];
        assert_eq!(missing_of("2\n", "4 (3)\n", &raid6), 1);
    }

    #[test]
    fn what_says_nothing_of_its_members_counts_as_the_kernel_counts() {
        let sys = array("1\n", "", &[]);
        assert_eq!(missing(sys.path(), Path::new("/dev/md200")), 1);
        assert_eq!(missing(sys.path(), Path::new("/dev/md201")), 0);
    }

    #[test]
    fn a_uuid_is_written_as_mdadm_reads_it() {
        assert_eq!(
            mdadm_uuid("6a2f0c1b-9d4e-8f70-1234-56789abcdef0"),
            "6a2f0c1b:9d4e8f70:12345678:9abcdef0"
        );
    }
}
