//! Bars.

use std::fmt::Write as _;

use ::engine::views::BarsRequest;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, LINK, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use jiff::Timestamp;
use market::Timeframe;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::bars::{self, BarAnswer, BarsPage};
use crate::extract::{self, Asked, Params, Segment, optional_instant};
use crate::problem::{Kind, Problem};
use crate::ready::Answer;
use crate::state::ApiState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BarsParams {
    /// Bar length, canonical or an alias; the asset's default when absent.
    timeframe: Option<String>,
    /// Only bars that open at or after this instant or date.
    from: Option<String>,
    /// Only bars that open before this instant or date.
    to: Option<String>,
    /// As they were known at this instant; now when absent.
    as_of: Option<String>,
    /// `raw`, `split` or `total_return`; the natural view of the series when absent.
    adjustment: Option<String>,
    /// At most so many: 1 to 10000, 500 when absent; the newest of the range.
    limit: Option<String>,
    /// The `next` of the page before: goes on to older bars.
    cursor: Option<String>,
}

/// What bars can be given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Parquet,
}

const PARQUET: &str = "application/vnd.apache.parquet";

/// Closed bars of an asset, ascending, the newest of the range; `next` leads to older ones.
///
/// JSON, `text/csv` or `application/vnd.apache.parquet`, by `Accept`. In CSV and Parquet the next page stands in the
/// `Link` header.
#[utoipa::path(
    get, path = "/api/assets/{symbol}/bars", tag = "assets",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), BarsParams),
    responses(
        (status = 200, description = "The bars", content(
            (BarsPage = "application/json"), (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400, description = "`/problems/unknown-timeframe`, `/problems/invalid-parameter`"),
        (status = 404, description = "`/problems/unknown-symbol`, `/problems/no-bars`"),
        (status = 406, description = "`/problems/not-acceptable`"),
        (status = 422, description = "`/problems/unprocessable`: the view cannot be derived from what is stored"),
    )
)]
pub(super) async fn bars(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<BarsParams>,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let form = form(&headers)?;
    let asset = state.asset(&symbol)?;
    let timeframe: Timeframe = match params.timeframe.as_deref() {
        None => state.engine().default_timeframe(&asset.symbol),
        Some(text) => text.parse().map_err(|cause| Problem::unknown_timeframe(text, &cause))?,
    };
    let adjustment = params.adjustment.as_deref().filter(|text| !text.is_empty());
    let adjustment = adjustment.map(str::parse).transpose();
    let adjustment =
        adjustment.map_err(|e: market::symbol::UnknownName| Problem::parameter("adjustment", e.to_string()))?;
    let limit = extract::bounded("limit", params.limit.as_deref(), 500, 10_000)?;
    let cursor = params.cursor.as_deref().map(Cursor::parse).transpose()?;
    let as_of = optional_instant("as_of", params.as_of.as_deref())?;
    let now = state.now();
    let as_of = as_of.or(cursor.as_ref().map(|cursor| cursor.as_of)).unwrap_or(now).min(now);
    let to = optional_instant("to", params.to.as_deref())?;
    let request = BarsRequest {
        symbol: asset.symbol.clone(),
        timeframe,
        from: optional_instant("from", params.from.as_deref())?,
        to: cursor.map(|cursor| cursor.before).or(to),
        as_of: Some(as_of),
        adjustment,
        // One more, to see whether there are older ones.
        limit: limit + 1,
    };
    let found = state.engine().bars(&request).await?;
    let older = found.bars.len().saturating_sub(limit as usize);
    let page = &found.bars[older..];
    let rows: Vec<BarAnswer> = page.iter().map(|bar| BarAnswer::of(bar, asset.class())).collect();
    let next = match page.first() {
        Some(first) if older > 0 => Some(Cursor { before: first.open_time, as_of }.to_string()),
        _ => None,
    };
    let link = next.as_deref().map(|next| link(&request, limit, next));
    let mut response = match form {
        Form::Json => Answer::json(&BarsPage {
            symbol: asset.symbol.to_string(),
            timeframe: timeframe.as_str(),
            adjustment: found.adjustment.as_str(),
            quote: asset.quote.clone(),
            origin: state.engine().chain().origin().as_str(),
            data_source: found.data_source,
            as_of: as_of.into(),
            bars: rows,
            next,
        })?
        .respond(asked),
        Form::Csv => {
            let bytes = bars::csv(&rows).map_err(|error| Problem::internal("write a CSV file", &error))?;
            file(bytes, "text/csv; charset=utf-8", link.as_deref())
        }
        Form::Parquet => {
            let bytes = bars::parquet(&rows).map_err(|error| Problem::internal("write a Parquet file", &error))?;
            file(bytes, PARQUET, link.as_deref())
        }
    };
    // Appended: a body that may come compressed varies by that too.
    response.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

fn file(bytes: Vec<u8>, media: &'static str, link: Option<&str>) -> Response {
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(link).ok()) {
        headers.insert(LINK, link);
    }
    response
}

/// Leads to the next page of a request. The cursor holds where it ends and as of when.
fn link(request: &BarsRequest, limit: u32, next: &str) -> String {
    let mut link = format!("</api/assets/{}/bars?timeframe={}", request.symbol, request.timeframe);
    if let Some(from) = request.from {
        let _ = write!(link, "&from={from}");
    }
    if let Some(adjustment) = request.adjustment {
        let _ = write!(link, "&adjustment={adjustment}");
    }
    let _ = write!(link, "&limit={limit}&cursor={next}>; rel=\"next\"");
    link
}

/// What the client likes best of what there is.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let Some(accepted) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else { return Ok(Form::Json) };
    let mut best: Option<(f64, Form)> = None;
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let form = match parts.next().unwrap_or_default() {
            "application/json" | "application/*" | "*/*" => Form::Json,
            "text/csv" | "text/*" => Form::Csv,
            PARQUET => Form::Parquet,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok()).unwrap_or(1.0);
        if weight > best.map_or(0.0, |(weight, _)| weight) {
            best = Some((weight, form));
        }
    }
    best.map(|(_, form)| form).ok_or_else(|| {
        Problem::new(Kind::NotAcceptable).detail(format!("bars are given as application/json, text/csv or {PARQUET}"))
    })
}

/// Where the next page begins: older than the first bar of this one, as all were known when the first page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    before: Timestamp,
    as_of: Timestamp,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Problem> {
        let instant = |text: &str| Timestamp::from_microsecond(text.parse().ok()?).ok();
        let parsed = text
            .split_once('.')
            .and_then(|(before, as_of)| Some(Self { before: instant(before)?, as_of: instant(as_of)? }));
        parsed.ok_or_else(|| Problem::parameter("cursor", "the next of a page is expected"))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.before.as_microsecond(), self.as_of.as_microsecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_accept() {
        let cases = [
            (None, Some(Form::Json)),
            (Some("*/*"), Some(Form::Json)),
            (Some("text/csv"), Some(Form::Csv)),
            (Some("application/json;q=0.5, text/csv"), Some(Form::Csv)),
            (Some(PARQUET), Some(Form::Parquet)),
            (Some("image/png"), None),
            (Some("image/png, */*;q=0.1"), Some(Form::Json)),
        ];
        for (accept, expected) in cases {
            let mut headers = HeaderMap::new();
            accept.map(|accept| headers.insert(ACCEPT, HeaderValue::from_static(accept)));
            assert_eq!(form(&headers).ok(), expected, "{accept:?}");
        }
    }

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let instant = |text: &str| text.parse().unwrap();
        let cursor = Cursor { before: instant("2024-01-02T03:04:05Z"), as_of: instant("2026-01-01T00:00:00.5Z") };
        assert_eq!(Cursor::parse(&cursor.to_string()).ok(), Some(cursor));
        for text in ["", ".", "1", "1.x", "9999999999999999999.1"] {
            assert!(Cursor::parse(text).is_err(), "{text}");
        }
    }
}
