//! The ledger, as it is kept.

use market::ChainId;
use serde::Serialize;
use serde_json::value::RawValue;
use storage::{ChainInfo, EntryRow};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::time::Time;

/// A page of entries of one chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerPage {
    /// The chain.
    pub chain: String,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// The newest entry of the chain; `null` while it is empty.
    pub head: Option<HeadAnswer>,
    /// The entries.
    pub entries: Vec<EntryAnswer>,
    /// The `cursor` of the next page; `null` after the last.
    pub next: Option<String>,
}

/// A chain's newest entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeadAnswer {
    /// The chain.
    pub chain: String,
    /// Its position.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// When it was recorded.
    pub recorded_at: Time,
}

impl HeadAnswer {
    /// A head.
    #[must_use]
    pub fn of(info: &ChainInfo) -> Self {
        Self {
            chain: info.chain.to_string(),
            seq: info.seq,
            hash: info.hash.to_string(),
            recorded_at: info.recorded_at.into(),
        }
    }
}

/// One entry. `docs/ledger.md` describes the bodies and how hashes are checked.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryAnswer {
    /// The first 16 digits of its hash.
    pub id: String,
    /// The chain.
    pub chain: String,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// Its position.
    pub seq: u64,
    /// The hash of the entry before.
    pub prev: String,
    /// Its hash.
    pub hash: String,
    /// The kind of its body.
    pub kind: String,
    /// When it was recorded.
    pub recorded_at: Time,
    /// Its body, byte for byte as it was hashed.
    #[schema(value_type = Object)]
    pub body: Box<RawValue>,
}

impl EntryAnswer {
    /// An entry of a chain.
    ///
    /// # Errors
    /// When its body is not JSON.
    pub fn of(chain: &ChainId, row: EntryRow) -> Result<Self, Problem> {
        let body = RawValue::from_string(row.entry.body.into_string());
        Ok(Self {
            id: row.entry.hash.short(),
            chain: chain.to_string(),
            origin: chain.origin().as_str(),
            seq: row.entry.seq,
            prev: row.entry.prev.to_string(),
            hash: row.entry.hash.to_string(),
            kind: row.kind,
            recorded_at: row.recorded_at.into(),
            body: body.map_err(|error| Problem::internal("read a ledger entry", &error))?,
        })
    }
}

/// The heads of all chains, to be kept elsewhere, and those that were published.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckpointsAnswer {
    /// The newest entry of every chain now: what a checkpoint taken now would say.
    pub heads: Vec<HeadAnswer>,
    /// Checkpoints recorded in the chain that is written to, newest first, at most 100.
    pub recorded: Vec<EntryAnswer>,
}
