//! Scored cases as files.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use market::Unit;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::export::{Columns, ExportParts};
use crate::extract::{Params, Segment, Window};
use crate::problem::Problem;
use crate::state::ApiState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportParams {
    /// The timeframe; the asset's default when absent. Without `window`, `1W`, `1M`, `1Y` and `5Y` mean the window.
    timeframe: Option<String>,
    /// `1W`, `1M` (when absent), `1Y` or `5Y`.
    window: Option<String>,
    /// `csv` (when absent) or `parquet`.
    format: Option<String>,
}

/// The scored forecasts of an asset on a timeframe, one bar ahead, as a file.
#[utoipa::path(
    get, path = "/api/asset/{symbol}/export", tag = "track record",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), ExportParams),
    responses(
        (status = 200, description = "Columns Date, Forecast, Actual, Result, then ours", content(
            (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400, description = "`/problems/unknown-timeframe`, `/problems/invalid-parameter`"),
        (status = 404, description = "`/problems/unknown-symbol`, `/problems/no-such-forecast`"),
    )
)]
pub(super) async fn export(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<ExportParams>,
) -> Result<Response, Problem> {
    file(&state, &symbol, &params, Columns::Forecasts).await
}

/// The same with the running accuracy.
#[utoipa::path(
    get, path = "/api/asset/{symbol}/trends/export", tag = "track record",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), ExportParams),
    responses(
        (status = 200, description = "Columns Date, Forecast, Actual, Result, Accuracy, then ours", content(
            (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400, description = "`/problems/unknown-timeframe`, `/problems/invalid-parameter`"),
        (status = 404, description = "`/problems/unknown-symbol`, `/problems/no-such-forecast`"),
    )
)]
pub(super) async fn trends_export(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<ExportParams>,
) -> Result<Response, Problem> {
    file(&state, &symbol, &params, Columns::Trends).await
}

async fn file(state: &ApiState, symbol: &str, params: &ExportParams, columns: Columns) -> Result<Response, Problem> {
    let asset = state.asset(symbol)?;
    let named = params.timeframe.as_deref().filter(|text| !text.is_empty());
    let (timeframe, window) = match (named, Window::optional(params.window.as_deref())?) {
        (timeframe, Some(window)) => (timeframe, window),
        // The earlier clients say the window there.
        (Some(text), None) => match Window::parse(text) {
            Ok(window) => (None, window),
            Err(_) => (Some(text), Window::Month),
        },
        (None, None) => (None, Window::Month),
    };
    let timeframe = state.forecast_timeframe(&asset.symbol, timeframe)?;
    let parquet = match params.format.as_deref() {
        None | Some("" | "csv") => false,
        Some("parquet") => true,
        Some(_) => return Err(Problem::parameter("format", "csv or parquet is expected")),
    };
    let since = window.since(state.now());
    // Kept until the file is made, and given back at once by those who leave while it is read.
    let turn = Arc::clone(&state.turns().records).acquire_owned().await;
    let rows = state.engine().scored_cases(&asset.symbol, timeframe, Some(since)).await?;
    let rows = state.in_todays_terms(&asset, timeframe, rows).await?;
    let unit = state.engine().issued(&asset.symbol, timeframe).map_or(Unit::LogReturn, |issued| issued.forecast.unit);
    let origin = state.engine().chain().origin();
    let made = tokio::task::spawn_blocking(move || {
        let _held_until_made = turn;
        let parts = ExportParts { rows: &rows, unit, origin, columns };
        match parquet {
            true => parts.parquet().map_err(|error| Problem::internal("write a Parquet file", &error)),
            false => parts.csv().map_err(|error| Problem::internal("write a CSV file", &error)),
        }
    });
    let bytes = made.await.map_err(|error| Problem::internal("make a file", &error))??;
    let (media, ending) = match parquet {
        true => ("application/vnd.apache.parquet", "parquet"),
        false => ("text/csv; charset=utf-8", "csv"),
    };
    let what = if columns == Columns::Trends { "trends" } else { "forecasts" };
    // Symbols hold no quotes, and nothing outside ASCII.
    let name = format!("{}_{timeframe}_{}_{what}_{origin}.{ending}", asset.symbol, window.as_str());
    Ok(attachment(bytes, media, &name))
}

/// A file to be saved.
pub(super) fn attachment(bytes: impl Into<axum::body::Body>, media: &'static str, name: &str) -> Response {
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response.into_response()
}
