use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// How often the session was started since boot, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The one after boot.
    pub fn first() -> Self {
        Self(NonZeroU32::MIN)
    }

    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether nothing went wrong yet: only then do test faults fire.
    pub fn is_first(self) -> bool {
        self == Self::first()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Attempt {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
