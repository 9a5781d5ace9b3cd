//! How forecasts fared.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::trends::TrendsAnswer;
use crate::extract::{Asked, Params, Segment, Window};
use crate::problem::Problem;
use crate::state::{ApiState, RecordKey, TrendsKey};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TrendsParams {
    /// The timeframe, canonical or an alias; the asset's default when absent.
    timeframe: Option<String>,
    /// `chart` (when absent) or `table`, which leaves the chart out.
    view: Option<String>,
    /// `1W`, `1M`, `1Y` or `5Y`: only forecasts made since then; all when absent.
    window: Option<String>,
}

/// The track record of an asset on a timeframe, one bar ahead.
#[utoipa::path(
    get, path = "/api/asset/{symbol}/trends", tag = "track record",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), TrendsParams),
    responses(
        (status = 200, description = "The record, beside the naive baseline's on the same cases", body = TrendsAnswer),
        (status = 400, description = "`/problems/unknown-timeframe`, `/problems/invalid-parameter`"),
        (status = 404, description = "`/problems/unknown-symbol`, `/problems/no-such-forecast`"),
    )
)]
pub(super) async fn trends(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<TrendsParams>,
    asked: Asked,
) -> Result<Response, Problem> {
    let asset = state.asset(&symbol)?;
    let timeframe = state.forecast_timeframe(&asset.symbol, params.timeframe.as_deref())?;
    let window = Window::optional(params.window.as_deref())?;
    let chart = match params.view.as_deref() {
        None | Some("" | "chart") => true,
        Some("table") => false,
        Some(_) => return Err(Problem::parameter("view", "chart or table is expected")),
    };
    let key = TrendsKey { record: RecordKey { symbol: asset.symbol.clone(), timeframe, window }, chart };
    if let Some(answer) = state.ready().trends.fresh(&key, key.record.max_age()) {
        state.ready().hit();
        return Ok(answer.respond(asked));
    }
    Ok(state.trends(&asset, &key).await?.respond(asked))
}
