use std::io;

use super::{FailureKind, RomFailure};

/// A ROM BAR holds at most 16 MiB (PCI Local Bus specification 3.0, 6.2.5.2).
pub(super) const LIMIT: usize = 16 << 20;

/// Reads a file twice, so that one that answers differently each time is not taken for a copy.
pub(super) fn read(mut read: impl FnMut() -> io::Result<Vec<u8>>) -> Result<Vec<u8>, RomFailure> {
    let mut once = || read().map_err(|error| RomFailure::at("not read", &error));
    let first = once()?;
    judge(first, &once()?)
}

/// What two reads make together.
pub(super) fn judge(first: Vec<u8>, second: &[u8]) -> Result<Vec<u8>, RomFailure> {
    if first.len() > LIMIT {
        return Err(RomFailure::other(format!(
            "it does not end after {LIMIT} bytes, the most that a ROM BAR can hold"
        )));
    }
    if first != second {
        let differing = first
            .iter()
            .zip(second)
            .position(|(one, other)| one != other);
        let at = differing.unwrap_or(first.len().min(second.len()));
        return Err(RomFailure::new(
            FailureKind::Unstable,
            format!("two reads differ, first at offset {at:#x}: this is no copy"),
        ));
    }
    if first.is_empty() {
        return Err(RomFailure::new(FailureKind::Empty, "it is empty"));
    }
    if first.iter().all(|byte| *byte == 0xff) {
        return Err(RomFailure::new(
            FailureKind::AllOnes,
            "every byte is 0xff: nothing answers there, or a bridge above does not forward memory",
        ));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(first: &[u8], second: &[u8]) -> FailureKind {
        judge(first.to_vec(), second).unwrap_err().kind
    }

    #[test]
    fn two_equal_reads_are_a_copy() {
        assert_eq!(
            judge(vec![0x55, 0xaa], &[0x55, 0xaa]).unwrap(),
            [0x55, 0xaa]
        );
    }

    #[test]
    fn reads_that_differ_in_a_byte_or_in_length_are_unstable() {
        assert_eq!(kind(&[1, 2], &[1, 3]), FailureKind::Unstable);
        assert_eq!(kind(&[1, 2], &[1]), FailureKind::Unstable);
        let why = judge(vec![1, 2], &[1]).unwrap_err().why;
        assert!(why.contains("offset 0x1"), "{why}");
    }

    #[test]
    fn nothing_and_ones_are_no_copy() {
        assert_eq!(kind(&[], &[]), FailureKind::Empty);
        assert_eq!(kind(&[0xff; 64], &[0xff; 64]), FailureKind::AllOnes);
        let endless = vec![1; LIMIT + 1];
        assert_eq!(kind(&endless, &endless), FailureKind::Other);
    }

    #[test]
    fn a_read_that_fails_says_so() {
        let failure = read(|| Err(io::Error::from_raw_os_error(5))).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InputOutput);
    }
}
