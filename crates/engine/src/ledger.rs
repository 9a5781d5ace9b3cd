//! The ledger as others see it: exports, their audit, and published checkpoints.
//!
//! [`export`] writes a chain as JSON lines and [`line`](Lines) reads them back, strictly: there is one way to write an
//! entry, so that no byte can change unseen. [`verify`] audits an export or a stored chain against the rules of
//! [`Rule`]; [`checkpoint`](CheckpointFile) keeps a head elsewhere, signed if one likes, so that a cut or wholly
//! recomputed chain shows too. `docs/ledger.md` says the same to auditors and carries a verifier in Python; the tests
//! demand that both agree.

mod export;
mod line;
mod output;

mod rule;
mod verify;

mod facts;
mod pending;
mod slots;

mod checkpoint;

use std::io;
use std::path::PathBuf;

use market::ChainId;
use storage::StoreError;
use thiserror::Error;

pub use checkpoint::{CheckpointFile, PublicKey, SecretKey};
pub use export::{Pages, export, write_line};
pub use line::{Line, Lines, NotALine};
pub use output::Output;
pub(crate) use pending::MAX_OPEN;
pub use rule::Rule;
pub use verify::{Broken, Expected, Report, Verdict, Verifier, verify, verify_stored};

/// What keeps an export from being written or read. That an export is broken is no error: see [`Verdict`].
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The input failed.
    #[error("failed to read the export")]
    Read(#[source] io::Error),
    /// The output failed.
    #[error("failed to write the export")]
    Write(#[source] io::Error),
    /// The input holds no ledger entries.
    #[error("not a ledger export: {reason}")]
    NotAnExport {
        /// What is there instead.
        reason: &'static str,
    },
    /// The chain has no entry.
    #[error("chain {chain} has no entries")]
    EmptyChain {
        /// The chain.
        chain: ChainId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A checkpoint or key file cannot be read or written.
    #[error("failed to {operation} {}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A text that is no checkpoint.
    #[error("not a checkpoint: {reason}")]
    NotACheckpoint {
        /// What is wrong with it.
        reason: String,
    },
    /// A text that is no key.
    #[error("not an ed25519 key: 64 hex digits of a valid key are expected")]
    NotAKey,
    /// The checkpoint's signature does not stand.
    #[error("the checkpoint's signature does not stand: {reason}")]
    Signature {
        /// Why not.
        reason: &'static str,
    },
}

#[cfg(test)]
mod tests;
