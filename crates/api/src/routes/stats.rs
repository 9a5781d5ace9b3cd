//! Counts.

use axum::Json;
use axum::extract::State;

use crate::answers::sources::{SourceAnswer, SourcesAnswer};
use crate::answers::stats::{PoolAnswer, SocketStats, SystemStats};
use crate::state::ApiState;

/// Open sockets, by symbol and timeframe.
#[utoipa::path(
    get, path = "/api/websocket/stats", tag = "operations",
    responses((status = 200, description = "The counts", body = SocketStats))
)]
pub(super) async fn sockets(State(state): State<ApiState>) -> Json<SocketStats> {
    Json(state.hub().stats(state.now()))
}

/// Work, connections and ready answers since the start.
#[utoipa::path(
    get, path = "/api/system/stats", tag = "operations",
    responses((status = 200, description = "The counts", body = SystemStats))
)]
pub(super) async fn system(State(state): State<ApiState>) -> Json<SystemStats> {
    let status = state.engine().status();
    Json(SystemStats {
        jobs: status.jobs.into(),
        websocket_connections: state.hub().n_connections(),
        pool: PoolAnswer::of(status.database),
        cache: state.ready().counts(),
        timestamp: state.now().into(),
    })
}

/// Where prices come from, and whether it still gives.
#[utoipa::path(
    get, path = "/api/sources", tag = "operations",
    responses((status = 200, description = "Those that bars came from", body = SourcesAnswer))
)]
pub(super) async fn sources(State(state): State<ApiState>) -> Json<SourcesAnswer> {
    let status = state.engine().status();
    Json(SourcesAnswer {
        origin: state.engine().chain().origin().as_str(),
        sources: status.sources.iter().map(SourceAnswer::of).collect(),
    })
}
