//! Heads published elsewhere, signed if one likes.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use jiff::Timestamp;
use market::{Checkpoint, Hash};
use serde::{Deserialize, Serialize};

use super::{LedgerError, Output};

/// A checkpoint as it is kept in a file: one JSON object `{chain, seq, hash, time}`, with `public_key` and `signature`
/// when it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFile {
    checkpoint: Checkpoint,
    seal: Option<(PublicKey, Signature)>,
}

/// A key that signs checkpoints; never printed.
pub struct SecretKey(SigningKey);

/// A key that proves who signed. Written as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    chain: String,
    seq: u64,
    hash: String,
    time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl CheckpointFile {
    /// A checkpoint without a signature.
    #[must_use]
    pub const fn unsigned(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, seal: None }
    }

    /// A checkpoint signed with a key.
    #[must_use]
    pub fn signed(checkpoint: Checkpoint, key: &SecretKey) -> Self {
        let signature = key.0.sign(message(&checkpoint).as_bytes());
        Self { checkpoint, seal: Some((key.public_key(), signature)) }
    }

    /// Who signed it, if anyone; not yet verified.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        self.seal.map(|(key, _)| key)
    }

    /// The checkpoint, after its signature if it has one, which must be by `trusted` when that is given.
    ///
    /// Without `trusted` a signature shows only that the file is whole: anyone can sign with a key of their own.
    ///
    /// # Errors
    /// When the signature does not stand, is another's, or is missing and asked for.
    pub fn verified(&self, trusted: Option<&PublicKey>) -> Result<&Checkpoint, LedgerError> {
        let refuse = |reason| Err(LedgerError::Signature { reason });
        match (&self.seal, trusted) {
            (None, Some(_)) => return refuse("there is none"),
            (Some((key, _)), Some(trusted)) if key != trusted => return refuse("it is by another key"),
            (Some((key, signature)), _) => {
                if key.0.verify_strict(message(&self.checkpoint).as_bytes(), signature).is_err() {
                    return refuse("it is not over this checkpoint");
                }
            }
            (None, None) => {}
        }
        Ok(&self.checkpoint)
    }

    /// The JSON text, with a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Checkpoint { chain, seq, hash, time } = &self.checkpoint;
        let text = Text {
            chain: chain.to_string(),
            seq: *seq,
            hash: hash.to_string(),
            time: time.to_string(),
            public_key: self.seal.map(|(key, _)| key.to_string()),
            signature: self.seal.map(|(_, signature)| hex(&signature.to_bytes())),
        };
        serde_json::to_string(&text).expect("texts and numbers are always JSON") + "\n"
    }

    /// Reads the JSON text.
    ///
    /// # Errors
    /// When it is no checkpoint. Its signature is not yet looked at.
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let bad = |reason: String| LedgerError::NotACheckpoint { reason };
        let text: Text = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let time: Timestamp = text.time.parse().map_err(|e: jiff::Error| bad(e.to_string()))?;
        if time.to_string() != text.time {
            return Err(bad(format!("the time is written {time}")));
        }
        let checkpoint = Checkpoint {
            chain: text.chain.parse().map_err(|e: market::ledger::ChainIdError| bad(e.to_string()))?,
            seq: text.seq,
            hash: text.hash.parse::<Hash>().map_err(|e| bad(e.to_string()))?,
            time,
        };
        let seal = match (text.public_key, text.signature) {
            (None, None) => None,
            (Some(key), Some(signature)) => {
                let signature =
                    unhex(&signature).ok_or_else(|| bad("the signature is not 128 hex digits".to_owned()))?;
                Some((key.parse()?, Signature::from_bytes(&signature)))
            }
            _ => return Err(bad("public_key and signature go together".to_owned())),
        };
        Ok(Self { checkpoint, seal })
    }

    /// Writes the file, as [`Output`] does.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LedgerError> {
        let write = || {
            let mut output = Output::create(path)?;
            output.write_all(self.to_json().as_bytes())?;
            output.finish()
        };
        write().map_err(|cause| LedgerError::File { operation: "write checkpoint", path: path.to_owned(), cause })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read or is no checkpoint.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        Self::parse(&read_text("read checkpoint", path)?)
    }
}

impl SecretKey {
    /// Reads a key: a file of 64 hex digits. Keys are made elsewhere, for example with
    /// `openssl rand -hex 32`; none is ever made silently.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        read_text("read key", path)?.parse()
    }

    /// The key others verify with.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

impl FromStr for SecretKey {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = unhex(text.trim()).ok_or(LedgerError::NotAKey)?;
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

impl FromStr for PublicKey {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = unhex(text.trim()).ok_or(LedgerError::NotAKey)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| LedgerError::NotAKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(self.0.as_bytes()))
    }
}

/// What is signed.
fn message(Checkpoint { chain, seq, hash, time }: &Checkpoint) -> String {
    format!("auspex-checkpoint-v1\n{chain}\n{seq}\n{hash}\n{time}\n")
}

fn read_text(operation: &'static str, path: &Path) -> Result<String, LedgerError> {
    fs::read_to_string(path).map_err(|cause| LedgerError::File { operation, path: path.to_owned(), cause })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
