use serde::{Deserialize, Serialize};

/// What a volume holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// One thing that libblkid knows.
    Known(Signature),
    /// Nothing that libblkid knows.
    Nothing,
    /// Signatures of several things: which of them counts cannot be told.
    Ambiguous,
    /// It could not be read; why.
    Unknown(String),
}

/// What libblkid says of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `TYPE`: `ext4`, `LVM2_member`, `crypto_LUKS`, `zfs_member`, ...
    pub kind: String,
    /// `UUID`: of the file system, pool or array.
    pub uuid: Option<String>,
    /// `UUID_SUB`: of this member of it.
    pub member: Option<String>,
    /// `LABEL`
    pub label: Option<String>,
}

impl Content {
    /// The signature, when there is exactly one.
    pub fn signature(&self) -> Option<&Signature> {
        match self {
            Self::Known(signature) => Some(signature),
            _ => None,
        }
    }

    /// Whether it is of this libblkid type.
    pub fn is(&self, kind: &str) -> bool {
        self.signature().is_some_and(|known| known.kind == kind)
    }
}
