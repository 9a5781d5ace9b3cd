//! Counts: connections, work, ready answers.

use std::collections::BTreeMap;

use engine::views::{Health, JobCounts};
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Time;

/// Open sockets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SocketStats {
    /// All of them.
    pub total_connections: usize,
    /// Those that listen to one asset, by symbol.
    pub connections_by_symbol: BTreeMap<String, usize>,
    /// Those that listen to one asset, by canonical timeframe.
    pub connections_by_timeframe: BTreeMap<String, usize>,
    /// When this was counted.
    pub timestamp: Time,
}

/// Counts since the start.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SystemStats {
    /// Work.
    pub jobs: JobsAnswer,
    /// Open sockets.
    pub websocket_connections: usize,
    /// The database's connections.
    pub pool: PoolAnswer,
    /// Ready answers.
    pub cache: CacheAnswer,
    /// When this was counted.
    pub timestamp: Time,
}

/// Work since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobsAnswer {
    /// Begun.
    pub total: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended badly.
    pub failed: u64,
    /// Under way.
    pub active: u64,
}

impl From<JobCounts> for JobsAnswer {
    fn from(counts: JobCounts) -> Self {
        Self { total: counts.total, completed: counts.completed, failed: counts.failed, active: counts.active }
    }
}

/// The database's connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PoolAnswer {
    /// Open now.
    pub size: Option<u32>,
    /// At least so many are kept open.
    pub min_size: Option<u32>,
    /// At most so many.
    pub max_size: Option<u32>,
    /// Open and unused.
    pub idle_size: Option<u32>,
    /// `healthy` or `unhealthy`.
    pub status: &'static str,
    /// Why the sizes are `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

impl PoolAnswer {
    /// Of a store that tells whether it answers and nothing about its connections.
    #[must_use]
    pub const fn of(database: Health) -> Self {
        Self {
            size: None,
            min_size: None,
            max_size: None,
            idle_size: None,
            status: database.as_str(),
            reason: Some("the embedded database does not count its connections"),
        }
    }
}

/// Ready answers handed out and made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct CacheAnswer {
    /// Answers handed out as they were.
    pub hits: u64,
    /// Answers made anew.
    pub misses: u64,
    /// Share of hits; `null` before the first request.
    pub hit_ratio: Option<f64>,
    /// Where they are kept: `memory`.
    pub kind: &'static str,
}

impl CacheAnswer {
    /// From counts.
    #[must_use]
    pub fn of(hits: u64, misses: u64) -> Self {
        let asked = hits + misses;
        let hit_ratio = (asked > 0).then(|| hits as f64 / asked as f64);
        Self { hits, misses, hit_ratio, kind: "memory" }
    }
}
