//! The key to FRED, which is shown to nobody.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A key: 32 lower-case letters and digits. Never printed, not even by `Debug`.
#[derive(Clone)]
pub struct Key(Box<str>);

/// A text that is not a key. Does not say what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not a FRED key: 32 lower-case letters and digits are expected")]
pub struct KeyError;

impl Key {
    /// The key itself, for the query of a request and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Blanks around it are ignored.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let known = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
        if text.len() == 32 && text.bytes().all(known) { Ok(Self(text.into())) } else { Err(KeyError) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
