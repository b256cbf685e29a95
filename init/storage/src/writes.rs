use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What the kernel has sent to a disk since it appeared (`Documentation/block/stat.rst`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writes {
    /// Write requests.
    pub requests: u64,
    /// Sectors of 512 bytes written.
    pub sectors: u64,
    /// Sectors of 512 bytes discarded.
    pub discarded: u64,
}

impl Writes {
    /// From the text of a `stat` file. Kernels before 4.18 do not count discards.
    pub(crate) fn parse(stat: &str) -> Option<Self> {
        let numbers: Vec<&str> = stat.split_whitespace().collect();
        let number = |index: usize| numbers.get(index)?.parse::<u64>().ok();
        Some(Self {
            requests: number(4)?,
            sectors: number(6)?,
            discarded: match numbers.get(13) {
                Some(text) => text.parse().ok()?,
                None => 0,
            },
        })
    }

    /// What came on top since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            sectors: self.sectors.saturating_sub(before.sectors),
            discarded: self.discarded.saturating_sub(before.discarded),
        }
    }

    /// Whether nothing was sent.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// The counters of the disk of this kernel name, from `sys` (normally /sys).
pub(crate) fn writes(sys: &Path, name: &str) -> Result<Writes, Error> {
    let path = sys.join("block").join(name).join("stat");
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    Writes::parse(&text).ok_or_else(|| {
        Error::io("read", &path)(std::io::Error::other("these are no write counters"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_sectors_and_discards_are_told_apart() {
        let now = Writes::parse(" 10 0 80 4 7 1 56 3 0 8 9 2 0 16 1 5 3\n").unwrap();
        assert_eq!((now.requests, now.sectors, now.discarded), (7, 56, 16));
        let before = Writes::parse("10 0 80 4 7 1 56 3 0 8 9 2 0 8 1\n").unwrap();
        assert_eq!(now.since(before).discarded, 8);
        assert!(!now.since(before).is_none());
        assert!(now.since(now).is_none());
    }

    #[test]
    fn counters_that_cannot_be_read_are_no_zeros() {
        assert_eq!(Writes::parse(""), None);
        assert_eq!(Writes::parse("1 2 3 4 x 6 7"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".*") {
            let _ = Writes::parse(&text);
        }
    }
}
