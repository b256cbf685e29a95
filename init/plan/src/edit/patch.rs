use serde::{Deserialize, Serialize};

/// The difference of two files as one stretch of bytes, and the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Bytes before the stretch, the same in both.
    pub at: usize,
    /// The stretch in the first file.
    pub before: Vec<u8>,
    /// The stretch in the second file.
    pub after: Vec<u8>,
    /// Bytes behind the stretch, the same in both.
    pub rest: usize,
}

/// The file is not the one that the patch was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file has changed since: its bytes from {at} on are not those that were there")]
pub struct Mismatch {
    /// Where the stretch begins.
    pub at: usize,
}

impl Patch {
    /// What leads from one file to the other.
    pub fn between(before: &[u8], after: &[u8]) -> Self {
        let same = |(one, other): &(&u8, &u8)| one == other;
        let at = before.iter().zip(after).take_while(same).count();
        let (old, new) = (
            before.get(at..).unwrap_or_default(),
            after.get(at..).unwrap_or_default(),
        );
        let rest = old
            .iter()
            .rev()
            .zip(new.iter().rev())
            .take_while(same)
            .count();
        let middle = |bytes: &[u8]| {
            let length = bytes.len().saturating_sub(rest);
            bytes.get(..length).unwrap_or_default().to_vec()
        };
        Self {
            at,
            before: middle(old),
            after: middle(new),
            rest,
        }
    }

    /// The way back.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self {
            before: self.after,
            after: self.before,
            ..self
        }
    }

    /// The other file.
    ///
    /// # Errors
    /// A file that does not have the stretch in that place, or another length.
    pub fn apply(&self, file: &[u8]) -> Result<Vec<u8>, Mismatch> {
        let mismatch = Mismatch { at: self.at };
        let (head, tail) = file.split_at_checked(self.at).ok_or(mismatch)?;
        let rest = tail.strip_prefix(self.before.as_slice()).ok_or(mismatch)?;
        if rest.len() != self.rest {
            return Err(mismatch);
        }
        Ok([head, &self.after, rest].concat())
    }
}
