//! The market at a glance.

use axum::extract::State;
use axum::response::Response;
use market::AssetClass;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::summary::SummaryAnswer;
use crate::extract::{self, Asked, Params};
use crate::problem::Problem;
use crate::state::ApiState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SummaryParams {
    /// `crypto` (when absent), `stocks`, `macro` or `all`.
    class: Option<String>,
    /// At most so many assets: 1 to 500, 10 when absent.
    limit: Option<String>,
}

/// The assets of a class with their prices and forecasts.
#[utoipa::path(
    get, path = "/api/market/summary", tag = "market", params(SummaryParams),
    responses(
        (status = 200, description = "The assets in order of listing; what is not known is null, with a reason", body = SummaryAnswer),
        (status = 400, description = "`/problems/invalid-parameter`"),
    )
)]
pub(super) async fn summary(
    State(state): State<ApiState>,
    Params(params): Params<SummaryParams>,
    asked: Asked,
) -> Result<Response, Problem> {
    let class = match params.class.as_deref() {
        None | Some("") => Some(AssetClass::Crypto),
        Some(text) => extract::class("class", text)?,
    };
    let limit = extract::bounded("limit", params.limit.as_deref(), 10, 500)?;
    if let Some(answer) = state.ready().summaries.fresh(&(class, limit), state.settings().ready_max_age()) {
        state.ready().hit();
        return Ok(answer.respond(asked));
    }
    Ok(state.summary(class, limit).await?.respond(asked))
}
