use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What became of an attempt to read one thing. No verdict without evidence: what could not be read is
/// told apart from what is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading<T> {
    /// It was read.
    Known(T),
    /// The place where it would be was read, and it is not there.
    Absent,
    /// It could not be read, and why: mostly a fixed sentence, and a machine has thousands of them.
    Unknown(Cow<'static, str>),
}

impl<T> Reading<T> {
    /// It could not be read, and why.
    pub fn unknown(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Unknown(why.into())
    }

    /// The value, when it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// Whether it could not be read.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// The same reading of a value made from this one.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Known(value) => Reading::Known(make(value)),
            Self::Absent => Reading::Absent,
            Self::Unknown(why) => Reading::Unknown(why),
        }
    }

    /// Like [`Reading::map`], where making the value can fail: then it is unknown, with that reason.
    pub fn and_then<U>(self, make: impl FnOnce(T) -> Result<U, String>) -> Reading<U> {
        match self {
            Self::Known(value) => make(value).map_or_else(Reading::unknown, Reading::Known),
            Self::Absent => Reading::Absent,
            Self::Unknown(why) => Reading::Unknown(why),
        }
    }

    /// A reading of a reference.
    pub fn as_ref(&self) -> Reading<&T> {
        match self {
            Self::Known(value) => Reading::Known(value),
            Self::Absent => Reading::Absent,
            Self::Unknown(why) => Reading::Unknown(why.clone()),
        }
    }
}

impl<T> Default for Reading<T> {
    fn default() -> Self {
        Self::Unknown("not looked for".into())
    }
}
