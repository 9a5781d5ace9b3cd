//! Where prices come from.

use engine::views::SourceStatus;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Time;

/// All sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourcesAnswer {
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// Those that bars came from, by name.
    pub sources: Vec<SourceAnswer>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceAnswer {
    /// Its name.
    pub source: String,
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: &'static str,
    /// When its newest bar closed.
    pub last_event: Option<Time>,
    /// In words.
    pub detail: String,
}

impl SourceAnswer {
    /// A source.
    #[must_use]
    pub fn of(status: &SourceStatus) -> Self {
        Self {
            source: status.source.clone(),
            status: status.health.as_str(),
            last_event: status.last_event.map(Time),
            detail: status.detail.clone(),
        }
    }
}
