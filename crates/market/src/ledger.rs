//! The ledger's chain: entries whose hashes make every later change visible.
//!
//! `hash = hex(SHA-256("auspex-ledger-v1\n" + chain + "\n" + seq + "\n" + prev + "\n" + body))`, all in UTF-8. The body's
//! bytes are kept verbatim. What stands in a body is not known here.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::symbol::{UnknownName, text_enum};

/// A SHA-256 hash. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// `prev` of the first entry.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn hex(&self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }

    /// The first 16 hex digits: how people and routes name an entry or a model.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..16].to_owned()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.hex();
        f.pad(std::str::from_utf8(&hex).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a hash: 64 lower-case hex digits are expected")]
pub struct HashError;

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(HashError),
        };
        if text.len() != 64 {
            return Err(HashError);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(hash))
    }
}

/// Where a ledger's forecasts came from; never mixed (promise 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// Made as the market went on.
    Live,
    /// Made on recorded history, point in time.
    Replay,
    /// Made on a generated market.
    Simulated,
}

text_enum!(Origin, "origin", { Live = "live", Replay = "replay", Simulated = "simulated" });

/// The name of one chain: `live`, or `replay/RUN` and `simulated/RUN`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId {
    origin: Origin,
    run_id: Option<Box<str>>,
}

/// A text that names no chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainIdError {
    /// The origin is none of the three.
    #[error(transparent)]
    Origin(#[from] UnknownName),
    /// The live chain has no runs; the others have one each.
    #[error("{0} needs a run id: replay/RUN or simulated/RUN, and live alone")]
    Run(Origin),
    /// A run id of other letters.
    #[error("{0:?} is not a run id: 1 to 64 letters, digits, - or _ are expected")]
    RunId(String),
}

impl ChainId {
    /// The live chain.
    #[must_use]
    pub const fn live() -> Self {
        Self { origin: Origin::Live, run_id: None }
    }

    /// The chain of one run of `origin`; the live origin takes none.
    ///
    /// # Errors
    /// When origin and run do not go together, or the run id is not made of letters, digits, `-` and `_`.
    pub fn new(origin: Origin, run_id: Option<&str>) -> Result<Self, ChainIdError> {
        if (origin == Origin::Live) != run_id.is_none() {
            return Err(ChainIdError::Run(origin));
        }
        if let Some(run) = run_id {
            let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if run.is_empty() || run.len() > 64 || !run.bytes().all(known) {
                return Err(ChainIdError::RunId(run.chars().take(80).collect()));
            }
        }
        Ok(Self { origin, run_id: run_id.map(Into::into) })
    }

    /// The chain's origin.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The run, for replays and simulations.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run_id {
            Some(run_id) => write!(f, "{}/{run_id}", self.origin),
            None => self.origin.fmt(f),
        }
    }
}

impl FromStr for ChainId {
    type Err = ChainIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((origin, run_id)) => Self::new(origin.parse()?, Some(run_id)),
            None => Self::new(text.parse()?, None),
        }
    }
}

/// One entry of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Position, from 0.
    pub seq: u64,
    /// Hash of the entry before; [`Hash::ZERO`] for the first.
    pub prev: Hash,
    /// Hash of this entry.
    pub hash: Hash,
    /// One JSON object, kept byte for byte.
    pub body: Box<str>,
}

impl Entry {
    /// The entry that continues a chain.
    #[must_use]
    pub fn new(chain: &ChainId, seq: u64, prev: Hash, body: Box<str>) -> Self {
        let hash = entry_hash(chain, seq, &prev, &body);
        Self { seq, prev, hash, body }
    }
}

/// The hash of an entry; see the module's head for the bytes.
#[must_use]
pub fn entry_hash(chain: &ChainId, seq: u64, prev: &Hash, body: &str) -> Hash {
    let mut sha = Sha256::new();
    sha.update(format!("auspex-ledger-v1\n{chain}\n{seq}\n{prev}\n"));
    sha.update(body);
    Hash(sha.finalize().into())
}

/// A head of a chain, published elsewhere so that a cut or wholly recomputed chain shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub chain: ChainId,
    /// The last entry's position.
    pub seq: u64,
    /// The last entry's hash.
    pub hash: Hash,
    /// When the checkpoint was taken.
    pub time: Timestamp,
}

#[cfg(test)]
mod tests;
