use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Root, RootError};

/// Where an installed system has it (zgenhostid(8)).
const FILE: &str = "etc/hostid";
/// Bytes; no honest file is near.
const LONGEST: u64 = 4096;
/// Below /sys: what the module takes for the number of this machine; zero leaves it to `/etc/hostid`.
const PARAMETER: &str = "module/spl/parameters/spl_hostid";
/// In the folder of the look: what the parameter was.
const BEFORE: &str = "host-id";

/// The number by which ZFS tells hosts apart: a pool carries that of the host that has it, and no other host
/// imports it without force until it is exported. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(u32);

impl HostId {
    /// From the bytes of `/etc/hostid`, of which the kernel takes the first four (`hostid_read` in OpenZFS'
    /// `module/os/linux/spl/spl-generic.c`). None where it takes no number from them.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let number = u32::from_le_bytes(*bytes.first_chunk()?);
        (number != 0).then_some(Self(number))
    }

    /// That of an installed system; none when it has none. An error when its file cannot be read.
    pub fn of(root: &Root) -> Result<Option<Self>, RootError> {
        match root.read(FILE, LONGEST) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The number itself.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Has ZFS take this for the number of this machine, until [`give_back`]: the next pool that is imported carries
/// it. `folder` is that of the look.
pub(crate) fn take_over(sys: &Path, folder: &Path, host: Option<HostId>) -> Result<(), Error> {
    let (parameter, before) = places(sys, folder);
    if !before.exists() {
        let number = fs::read(&parameter).map_err(Error::io("read", &parameter))?;
        // Noted first: a process that dies in between leaves nothing behind that nobody knows of.
        fs::write(&before, number).map_err(Error::io("write", &before))?;
    }
    let number = host.map_or(0, HostId::number).to_string();
    fs::write(&parameter, number).map_err(Error::io("write", &parameter))
}

/// Sets the number back to what it was before looks in this folder changed it.
pub(crate) fn give_back(sys: &Path, folder: &Path) -> Result<(), Error> {
    let (parameter, before) = places(sys, folder);
    let number = match fs::read(&before) {
        Ok(number) => number,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", &before)(error)),
    };
    // An empty one was cut off before the parameter was changed.
    if !number.is_empty() {
        fs::write(&parameter, number).map_err(Error::io("write", &parameter))?;
    }
    fs::remove_file(&before).map_err(Error::io("remove", &before))
}

fn places(sys: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    (sys.join(PARAMETER), folder.join(BEFORE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_four_bytes_are_the_number_and_zero_is_none() {
        let number = |bytes: &[u8]| HostId::parse(bytes).map(HostId::number);
        assert_eq!(number(&[0xb2, 0x01, 0x5c, 0x0e]), Some(0x0e5c_01b2));
        assert_eq!(number(&[1, 0, 0, 0, b'\n']), Some(1));
        assert_eq!(number(&[0; 4]), None);
        assert_eq!(number(&[1, 2, 3]), None);
    }

    #[test]
    fn a_system_without_the_file_has_none_and_a_file_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        assert_eq!(HostId::of(&root), Ok(None));
        fs::create_dir_all(folder.path().join("etc/hostid")).unwrap();
        assert!(HostId::of(&root).is_err());
    }

    #[test]
    fn the_number_of_this_machine_is_given_back_after_several_looks_and_a_crash() {
        let (sys, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let parameter = sys.path().join(PARAMETER);
        fs::create_dir_all(parameter.parent().unwrap()).unwrap();
        fs::write(&parameter, "77\n").unwrap();
        let now = || fs::read_to_string(&parameter).unwrap();
        take_over(sys.path(), folder.path(), HostId::parse(&[1, 0, 0, 0])).unwrap();
        assert_eq!(now(), "1");
        take_over(sys.path(), folder.path(), None).unwrap();
        assert_eq!(now(), "0");
        for _ in 0..2 {
            give_back(sys.path(), folder.path()).unwrap();
            assert_eq!(now(), "77\n");
        }
    }

    proptest! {
        #[test]
        fn any_file_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            let _ = HostId::parse(&bytes);
        }
    }
}
