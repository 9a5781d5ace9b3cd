//! Whether it all works.

use std::collections::BTreeMap;

use engine::views::{Health, Status};
use serde::Serialize;
use utoipa::ToSchema;

use super::stats::{CacheAnswer, PoolAnswer};
use crate::time::Time;

/// The state of the service, from what is already known: nobody is asked.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HealthAnswer {
    /// `healthy`, `degraded` or `unhealthy` (with 503).
    pub status: &'static str,
    /// When this was put together.
    pub timestamp: Time,
    /// The running version.
    pub version: &'static str,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// When the engine started.
    pub started_at: Time,
    /// What to do first, while nothing was imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_run: Option<String>,
    /// Each part.
    pub services: ServicesAnswer,
    /// The database's connections.
    pub db_pool_stats: PoolAnswer,
    /// Ready answers.
    pub cache: CacheAnswer,
    /// What is wrong, in words.
    pub details: Vec<String>,
}

/// The state of each part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServicesAnswer {
    /// `healthy` or `unhealthy`.
    pub database: &'static str,
    /// `not_configured`: the embedded default needs none.
    pub redis: &'static str,
    /// `healthy` where a trained model answers, `baseline` where the naive baseline does, `degraded` without bars.
    pub ml_model: &'static str,
    /// `healthy`, `degraded` or `unhealthy` for each source of data.
    pub external_apis: BTreeMap<String, &'static str>,
}

impl HealthAnswer {
    /// The worst of what is known: no database is unhealthy; a silent source, or nothing imported, is degraded.
    #[must_use]
    pub fn overall(status: &Status) -> Health {
        let silent = !status.sources.is_empty() && status.sources.iter().any(|source| source.health != Health::Healthy);
        match status.database {
            Health::Healthy if silent || status.first_run.is_some() => Health::Degraded,
            database => database,
        }
    }

    /// The answer.
    #[must_use]
    pub fn of(status: Status, origin: market::Origin, now: jiff::Timestamp, cache: CacheAnswer) -> Self {
        let overall = Self::overall(&status);
        let silent = status.sources.iter().filter(|source| source.health != Health::Healthy);
        let mut details: Vec<String> = silent.map(|source| format!("{}: {}", source.source, source.detail)).collect();
        // What the database said is for the log: paths and addresses may stand in it.
        if status.database != Health::Healthy {
            details.insert(0, "the database does not answer; the log says why".to_owned());
        }
        let trained = status.models.iter().any(|model| model.model_id.is_some());
        Self {
            status: overall.as_str(),
            timestamp: now.into(),
            version: env!("CARGO_PKG_VERSION"),
            origin: origin.as_str(),
            started_at: status.started_at.into(),
            services: ServicesAnswer {
                database: status.database.as_str(),
                redis: "not_configured",
                ml_model: match (status.models.is_empty(), trained) {
                    (true, _) => "degraded",
                    (false, true) => "healthy",
                    (false, false) => "baseline",
                },
                external_apis: status.sources.iter().map(|s| (s.source.clone(), s.health.as_str())).collect(),
            },
            db_pool_stats: PoolAnswer::of(status.database),
            first_run: status.first_run,
            cache,
            details,
        }
    }
}

/// A probe's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProbeAnswer {
    /// `alive` or `ready`.
    pub status: &'static str,
}
