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
/// `degraded`, is there for the others alone).
pub(crate) fn missing(sys: &Path, node: &Path) -> u64 {
    let name = node.file_name().unwrap_or_default();
    let path = sys.join("block").join(name).join("md/degraded");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
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

    #[test]
    fn an_array_says_what_it_lacks_where_its_level_can_lack_anything() {
        let sys = tempfile::tempdir().unwrap();
        let md = sys.path().join("block/md200/md");
        fs::create_dir_all(&md).unwrap();
        let node = Path::new("/dev/md200");
        assert_eq!(missing(sys.path(), node), 0);
        fs::write(md.join("degraded"), "1\n").unwrap();
        assert_eq!(missing(sys.path(), node), 1);
    }

    #[test]
    fn a_uuid_is_written_as_mdadm_reads_it() {
        assert_eq!(
            mdadm_uuid("6a2f0c1b-9d4e-8f70-1234-56789abcdef0"),
            "6a2f0c1b:9d4e8f70:12345678:9abcdef0"
        );
    }
}
