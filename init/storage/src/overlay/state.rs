/// How an overlay is (`snapshot_status` in `drivers/md/dm-snap.c`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverlayState {
    /// It shows the disk with what was written over it.
    Whole {
        /// Bytes written over the disk.
        written: u64,
    },
    /// What was written did not fit into memory: nothing that is read through it counts.
    Overflown,
    /// The kernel says something else; nothing that is read through it counts.
    Odd(String),
}

impl OverlayState {
    /// From the status line of a snapshot target.
    pub(crate) fn parse(status: &str) -> Self {
        match status.trim() {
            "Invalid" | "Overflow" => Self::Overflown,
            other => used(other)
                .and_then(|sectors| sectors.checked_mul(512))
                .map_or_else(
                    || Self::Odd(other.to_owned()),
                    |written| Self::Whole { written },
                ),
        }
    }

    /// Whether what is read through the overlay is what the disk holds.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole { .. })
    }
}

/// `USED/ALL METADATA`, in sectors.
fn used(status: &str) -> Option<u64> {
    let (used, rest) = status.split_once('/')?;
    let (all, metadata) = rest.split_once(' ')?;
    let _: (u64, u64) = (all.parse().ok()?, metadata.parse().ok()?);
    used.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernels_words_for_a_full_store_mean_that_nothing_read_counts() {
        assert_eq!(OverlayState::parse("Invalid"), OverlayState::Overflown);
        assert_eq!(OverlayState::parse("Overflow"), OverlayState::Overflown);
        let whole = OverlayState::parse("16/2048 0");
        assert_eq!(whole, OverlayState::Whole { written: 8192 });
    }

    #[test]
    fn words_that_are_not_understood_never_mean_whole() {
        for words in ["", "Merge failed", "Unknown", "16", "16/", "a/b c", "1/2"] {
            assert!(!OverlayState::parse(words).is_whole(), "{words}");
        }
    }

    proptest! {
        #[test]
        fn any_status_is_read(status in ".*") {
            let _ = OverlayState::parse(&status);
        }
    }
}
