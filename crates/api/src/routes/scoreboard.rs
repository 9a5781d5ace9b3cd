//! The scoreboard.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::scoreboard::ScoreboardAnswer;
use crate::extract::{self, Asked, Params, Window};
use crate::problem::Problem;
use crate::state::{ApiState, max_age};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ScoreboardParams {
    /// `crypto`, `stocks`, `macro` or `all` (when absent).
    class: Option<String>,
    /// Only this timeframe.
    timeframe: Option<String>,
    /// `1W`, `1M`, `1Y` or `5Y`: only forecasts made since then; all when absent.
    window: Option<String>,
}

/// How all forecasts fared, pooled by class, timeframe and horizon.
///
/// Verdicts are adjusted for the number of lines; stablecoins stand outside.
#[utoipa::path(
    get, path = "/api/scoreboard", tag = "track record", params(ScoreboardParams),
    responses(
        (status = 200, description = "The lines that have scores", body = ScoreboardAnswer),
        (status = 400, description = "`/problems/unknown-timeframe`, `/problems/invalid-parameter`"),
    )
)]
pub(super) async fn scoreboard(
    State(state): State<ApiState>,
    Params(params): Params<ScoreboardParams>,
    asked: Asked,
) -> Result<Response, Problem> {
    let class = params.class.as_deref().filter(|class| !class.is_empty());
    let class = class.map_or(Ok(None), |class| extract::class("class", class))?;
    let timeframe = params.timeframe.as_deref().filter(|text| !text.is_empty());
    let timeframe =
        timeframe.map(|text| text.parse().map_err(|cause| Problem::unknown_timeframe(text, &cause))).transpose()?;
    let window = Window::optional(params.window.as_deref())?;
    if let Some(answer) = state.ready().scoreboards.fresh(&(class, timeframe, window), max_age(window)) {
        state.ready().hit();
        return Ok(answer.respond(asked));
    }
    Ok(state.scoreboard(class, timeframe, window).await?.respond(asked))
}
