use serde::{Deserialize, Serialize};

/// An entry of a database before and after: a file of /etc/pve. None: it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryChange {
    /// Its name in the database.
    pub path: String,
    /// As it was found.
    pub before: Option<Held>,
    /// As it is to be.
    pub after: Option<Held>,
}

/// What an entry holds. In JSON it is a text, or where it is none, its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Held(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes(Vec<u8>),
}

impl EntryChange {
    /// The way back.
    pub(crate) fn inverse(&self) -> Self {
        Self {
            path: self.path.clone(),
            before: self.after.clone(),
            after: self.before.clone(),
        }
    }
}

impl From<Written> for Held {
    fn from(written: Written) -> Self {
        match written {
            Written::Text(text) => Self(text.into_bytes()),
            Written::Bytes(bytes) => Self(bytes),
        }
    }
}

impl From<Held> for Written {
    fn from(held: Held) -> Self {
        String::from_utf8(held.0).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_from_json_as_its_bytes_were() {
        for bytes in [&b"name: windows\n"[..], b"", b"\xff\x00"] {
            let held = Held(bytes.to_vec());
            let json = serde_json::to_string(&held).unwrap();
            assert_eq!(serde_json::from_str::<Held>(&json).unwrap(), held, "{json}");
        }
        assert_eq!(
            serde_json::to_string(&Held(b"a\n".to_vec())).unwrap(),
            r#""a\n""#
        );
    }
}
