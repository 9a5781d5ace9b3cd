//! One forecast, and many at once.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use market::{Symbol, Timeframe};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answers::forecast::ForecastAnswer;
use crate::extract::{Asked, Params, Segment, optional_instant};
use crate::problem::{Kind, Problem};
use crate::ready::Answer;
use crate::state::ApiState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ForecastParams {
    /// The timeframe, canonical or an alias; the asset's default when absent.
    timeframe: Option<String>,
    /// Replays: the entry of the ledger that was current at this instant.
    as_of: Option<String>,
}

/// The newest forecast of an asset on a timeframe.
#[utoipa::path(
    get, path = "/api/asset/{symbol}/forecast", tag = "forecasts",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), ForecastParams),
    responses(
        (status = 200, description = "The forecast", body = ForecastAnswer),
        (status = 400, description = "`/problems/unknown-timeframe`, `/problems/invalid-parameter`"),
        (status = 404, description = "`/problems/unknown-symbol`, `/problems/no-such-forecast`"),
        (status = 503, description = "`/problems/no-forecast`, with `reason` and `Retry-After`"),
    )
)]
pub(super) async fn forecast(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<ForecastParams>,
    asked: Asked,
) -> Result<Response, Problem> {
    let recompute = state.settings().recompute && asked.no_cache;
    if params.as_of.is_none()
        && !recompute
        && let Some(answer) = known(&state, &symbol, params.timeframe.as_deref())
    {
        state.ready().hit();
        return Ok(answer.respond(asked));
    }
    let asset = state.asset(&symbol)?;
    let timeframe = state.forecast_timeframe(&asset.symbol, params.timeframe.as_deref())?;
    if let Some(as_of) = optional_instant("as_of", params.as_of.as_deref())? {
        let answer = state.forecast_replayed(&asset, timeframe, as_of).await?;
        return Ok(Answer::json(&answer)?.respond(asked));
    }
    if recompute {
        let discarded = state.engine().recompute(&asset.symbol, timeframe).await?;
        drop(discarded);
        let answer = state.forecast_answer(&asset, timeframe).await?;
        return Ok(Answer::json(&answer)?.respond(asked));
    }
    Ok(state.forecast(&asset, timeframe).await?.respond(asked))
}

/// The ready answer, if there is one: a lookup and a count of references.
fn known(state: &ApiState, symbol: &str, timeframe: Option<&str>) -> Option<Answer> {
    let symbol: Symbol = symbol.parse().ok()?;
    let timeframe: Timeframe = match timeframe {
        Some(text) => text.parse().ok()?,
        None => state.engine().default_timeframe(&symbol),
    };
    state.ready().forecasts.fresh(&(symbol, timeframe), state.settings().ready_max_age())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ForecastsParams {
    /// Symbols, separated by commas; the whole universe when absent.
    symbols: Option<String>,
    /// Timeframes, separated by commas; each asset's default when absent.
    timeframes: Option<String>,
}

/// Many forecasts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForecastsAnswer {
    /// One for each asset and timeframe, in the order they were asked for.
    forecasts: Vec<ForecastOrReason>,
}

/// A forecast, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of a body that is joined from ready bytes")]
enum ForecastOrReason {
    Forecast(Box<ForecastAnswer>),
    Missing(MissingForecast),
}

/// Why there is no forecast of an asset and timeframe.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MissingForecast {
    /// The asset.
    symbol: String,
    /// The timeframe.
    timeframe: &'static str,
    /// `null`.
    forecast_direction: Option<&'static str>,
    /// `null`.
    confidence: Option<f64>,
    /// `null`.
    predicted_price: Option<f64>,
    /// Why.
    reason: String,
}

/// At most so many forecasts in one answer.
const MAX_FORECASTS: usize = 500;

/// The newest forecasts of several assets and timeframes.
///
/// An asset that is not forecast on a timeframe, or has no forecast now, stays in the list with a reason.
#[utoipa::path(
    get, path = "/api/forecasts", tag = "forecasts", params(ForecastsParams),
    responses(
        (status = 200, description = "The forecasts, in the order they were asked for", body = ForecastsAnswer),
        (status = 400, description = "`/problems/unknown-timeframe`, `/problems/invalid-parameter` (more than 500)"),
        (status = 404, description = "`/problems/unknown-symbol`"),
    )
)]
pub(super) async fn forecasts(
    State(state): State<ApiState>,
    Params(params): Params<ForecastsParams>,
) -> Result<Response, Problem> {
    let named = |listed: Option<String>| listed.filter(|listed| !listed.is_empty());
    let assets = match named(params.symbols).as_deref() {
        None => state.engine().assets().to_vec(),
        Some(listed) => words(listed).map(|symbol| state.asset(symbol)).collect::<Result<_, _>>()?,
    };
    let parse = |text: &str| text.parse().map_err(|cause| Problem::unknown_timeframe(text, &cause));
    let timeframes: Option<Vec<Timeframe>> =
        named(params.timeframes).map(|listed| words(&listed).map(parse).collect()).transpose()?;
    let n_forecasts = assets.len() * timeframes.as_ref().map_or(1, Vec::len);
    if n_forecasts > MAX_FORECASTS {
        let detail = format!("{n_forecasts} forecasts are asked for: at most {MAX_FORECASTS} are given at once");
        return Err(Problem::parameter("symbols", detail));
    }
    let mut body = Vec::from(br#"{"forecasts":["#);
    for asset in &assets {
        let default = [state.engine().default_timeframe(&asset.symbol)];
        for &timeframe in timeframes.as_deref().unwrap_or(&default) {
            if body.last() != Some(&b'[') {
                body.push(b',');
            }
            let answer = match state.forecast_timeframe(&asset.symbol, Some(timeframe.as_str())) {
                Ok(timeframe) => state.forecast(asset, timeframe).await,
                Err(problem) => Err(problem),
            };
            match answer {
                Ok(answer) => body.extend_from_slice(answer.bytes()),
                Err(problem) if problem.is(Kind::NoForecast) || problem.is(Kind::NoSuchForecast) => {
                    let missing = MissingForecast {
                        symbol: asset.symbol.to_string(),
                        timeframe: timeframe.as_str(),
                        forecast_direction: None,
                        confidence: None,
                        predicted_price: None,
                        reason: problem.message(),
                    };
                    body.extend_from_slice(Answer::json(&missing)?.bytes());
                }
                Err(problem) => return Err(problem),
            }
        }
    }
    body.extend_from_slice(b"]}");
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], Bytes::from(body)).into_response())
}

fn words(listed: &str) -> impl Iterator<Item = &str> {
    listed.split(',').map(str::trim).filter(|word| !word.is_empty())
}
