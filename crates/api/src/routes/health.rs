//! Whether it works.

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use ::engine::views::Health;

use crate::answers::health::{HealthAnswer, ProbeAnswer};
use crate::extract::Asked;
use crate::problem::{Kind, Problem};
use crate::state::ApiState;

/// The state of the service and its parts, from what is already known.
#[utoipa::path(
    get, path = "/api/health", tag = "operations",
    responses(
        (status = 200, description = "Healthy, or degraded and said so", body = HealthAnswer),
        (status = 503, description = "Unhealthy", body = HealthAnswer, content_type = "application/json"),
    )
)]
pub(super) async fn health(State(state): State<ApiState>, asked: Asked) -> Result<Response, Problem> {
    let (code, answer) = match state.ready().health.fresh(state.settings().ready_max_age()) {
        Some(known) => {
            state.ready().hit();
            known
        }
        None => state.health().await?,
    };
    Ok(answer.respond_with(code, asked))
}

/// Whether the process answers at all.
#[utoipa::path(
    get, path = "/livez", tag = "operations",
    responses((status = 200, description = "It does", body = ProbeAnswer))
)]
pub(crate) async fn alive() -> Json<ProbeAnswer> {
    Json(ProbeAnswer { status: "alive" })
}

/// Whether requests can be answered.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "They can", body = ProbeAnswer),
        (status = 503, description = "`/problems/not-ready`: the database does not answer"),
    )
)]
pub(super) async fn ready(State(state): State<ApiState>) -> Result<Json<ProbeAnswer>, Problem> {
    match state.engine().status().database {
        Health::Unhealthy => Err(Problem::new(Kind::NotReady).detail("the database does not answer").retry_after(5)),
        Health::Healthy | Health::Degraded => Ok(Json(ProbeAnswer { status: "ready" })),
    }
}
