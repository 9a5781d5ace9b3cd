//! `/v8/finance/chart/{symbol}`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Yahoo;
use super::answer::{Envelope, Refusal, json};
use super::book::Book;
use super::interval::{Interval, MINUTE_DAYS, Range, Window};
use super::listing::Listing;
use super::meta::{Asked, Meta, round};
use super::rows::{Row, rows};
use crate::server::Exchange;
use crate::server::params::Params;

const DAY: i64 = 86_400;

/// Answers with the bars of a symbol.
pub(super) async fn chart(State(yahoo): State<Arc<Yahoo>>, Path(symbol): Path<String>, params: Params) -> Response {
    match answer(&yahoo.exchange, &symbol, &params) {
        Ok(body) => json(StatusCode::OK, "public, max-age=10, stale-while-revalidate=20", body),
        Err(refusal) => refusal.in_envelope(Envelope::Chart),
    }
}

fn answer(exchange: &Exchange, symbol: &str, params: &Params) -> Result<Vec<u8>, Refusal> {
    let now = exchange.now();
    let interval = Interval::parse(params.get("interval").unwrap_or("1d")).map_err(Refusal::bad_request)?;
    let listing = Listing::find(&exchange.tape, symbol).ok_or_else(Refusal::no_such_symbol)?;
    let book = Book::open(exchange, listing, Timestamp::MIN, now).ok_or_else(Refusal::no_such_symbol)?;
    let window = window(&book, params)?;
    within_reach(interval, &window, now)?;
    let Window { start, end, .. } = window;
    let listed = book.first_trade().as_second();
    if end < listed || start > now.as_second() {
        let text = format!("Data doesn't exist for startDate = {start}, endDate = {end}");
        return Err(Refusal::bad_request(text));
    }
    let rows = rows(exchange, &book, interval, &window);
    let around_sessions = params.get("includePrePost").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let meta = Meta::new(&book, Asked { interval, window: &window, around_sessions }, &rows);
    let events = Events::of(&book, interval, &window, params.get("events").unwrap_or_default());
    Ok(body(meta, interval, &rows, events))
}

fn window(book: &Book, params: &Params) -> Result<Window, Refusal> {
    let second = |name: &str| match params.get(name) {
        None => Ok(None),
        Some(text) => text.parse::<i64>().map(Some).map_err(|_| {
            Refusal::bad_request(format!("Invalid input - {name}={text} is not supported. Unix seconds are expected"))
        }),
    };
    let (start, end) = (second("period1")?, second("period2")?);
    if start.is_none() && end.is_none() {
        let text = params.get("range").unwrap_or("1d");
        let range = Range::parse(text).map_err(Refusal::bad_request)?;
        return Ok(range.window(&book.listing, text, book.first_trade(), book.now));
    }
    let start = start.unwrap_or_else(|| book.first_trade().as_second());
    let end = end.unwrap_or_else(|| book.now.as_second());
    if start > end {
        let text = format!("Invalid input - start date cannot be after end date. startDate = {start}, endDate = {end}");
        return Err(Refusal::bad_request(text));
    }
    Ok(Window { start, end, range: String::new(), nominal_days: None })
}

/// Refuses windows of short bars that reach back too far, or are too long.
fn within_reach(interval: Interval, window: &Window, now: Timestamp) -> Result<(), Refusal> {
    let Some(reach) = interval.reach_days else { return Ok(()) };
    let (name, Window { start, end, .. }) = (interval.name, window);
    let too_old = match window.nominal_days {
        Some(days) => days > reach || (name == "1m" && days >= reach),
        None => *start <= now.as_second().saturating_sub(reach * DAY),
    };
    if too_old {
        return Err(Refusal::unprocessable(format!(
            "{name} data not available for startTime={start} and endTime={end}. The requested range must be within the \
             last {reach} days."
        )));
    }
    let span = window.nominal_days.map_or(end.saturating_sub(*start), |days| days * DAY);
    if name == "1m" && span > MINUTE_DAYS * DAY {
        return Err(Refusal::unprocessable(format!(
            "1m data not available for startTime={start} and endTime={end}. Only {MINUTE_DAYS} days worth of 1m \
             granularity data are allowed to be fetched per request."
        )));
    }
    Ok(())
}

#[derive(Serialize)]
struct Body {
    chart: Chart,
}

#[derive(Serialize)]
struct Chart {
    result: [Answer; 1],
    error: Option<()>,
}

#[derive(Serialize)]
struct Answer {
    meta: Meta,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timestamp: Vec<i64>,
    #[serde(skip_serializing_if = "Events::is_empty")]
    events: Events,
    indicators: Indicators,
}

#[derive(Serialize)]
struct Indicators {
    quote: [Columns; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    adjclose: Option<[Adjusted; 1]>,
}

/// The five columns. Without rows it is an empty object.
#[derive(Default, Serialize)]
struct Columns {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    low: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    close: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    open: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    high: Vec<f64>,
}

#[derive(Serialize)]
struct Adjusted {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adjclose: Vec<f64>,
}

fn body(meta: Meta, interval: Interval, rows: &[Row], events: Events) -> Vec<u8> {
    let column = |of: fn(&Row) -> f64| rows.iter().map(|row| widened(of(row))).collect::<Vec<f64>>();
    let quote = Columns {
        low: column(|row| row.low),
        volume: rows.iter().map(|row| row.volume.round() as u64).collect(),
        close: column(|row| row.close),
        open: column(|row| row.open),
        high: column(|row| row.high),
    };
    let adjclose = rows.iter().filter_map(|row| row.adjusted_close).map(widened).collect();
    let adjclose = (!interval.is_intraday()).then_some([Adjusted { adjclose }]);
    let timestamp = rows.iter().map(|row| row.stamp).collect();
    let answer = Answer { meta, timestamp, events, indicators: Indicators { quote: [quote], adjclose } };
    super::answer::bytes(&Body { chart: Chart { result: [answer], error: None } })
}

/// A price as this vendor keeps it: in 32 bits.
fn widened(price: f64) -> f64 {
    f64::from(price as f32)
}

/// Dividends and splits of the window, by the stamps of their rows.
#[derive(Default, Serialize)]
struct Events {
    #[serde(skip_serializing_if = "ByStamp::is_empty")]
    dividends: ByStamp<Dividend>,
    #[serde(skip_serializing_if = "ByStamp::is_empty")]
    splits: ByStamp<Split>,
}

#[derive(Serialize)]
struct Dividend {
    amount: f64,
    date: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Split {
    date: i64,
    numerator: f64,
    denominator: f64,
    split_ratio: String,
}

/// An object whose keys are stamps, in order.
struct ByStamp<T>(Vec<(i64, T)>);

impl<T> Default for ByStamp<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByStamp<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for ByStamp<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (stamp, event) in &self.0 {
            map.serialize_entry(&stamp.to_string(), event)?;
        }
        map.end()
    }
}

impl Events {
    /// The events that are wanted and whose ex-dates lie in the window. `capitalGains` and `earn` have none here.
    fn of(book: &Book, interval: Interval, window: &Window, wanted: &str) -> Self {
        let wants = |names: [&str; 2]| wanted.split([',', '|']).any(|name| names.contains(&name.trim()));
        let inside = |at: Timestamp| (window.start..=window.end).contains(&at.as_second());
        let key = |at: Timestamp| interval.stamp(&book.listing, at);
        let mut events = Self::default();
        if wants(["div", "divs"]) || wants(["dividend", "dividends"]) {
            let dividends = book.dividends().filter(|(at, _)| inside(*at));
            let event =
                |(at, amount): (Timestamp, f64)| (key(at), Dividend { amount: round(amount, 6), date: at.as_second() });
            events.dividends = ByStamp(dividends.map(event).collect());
        }
        if wants(["split", "splits"]) {
            let event = |(at, numerator, denominator): (Timestamp, f64, f64)| {
                let split_ratio = format!("{numerator}:{denominator}");
                (key(at), Split { date: at.as_second(), numerator, denominator, split_ratio })
            };
            events.splits = ByStamp(book.splits().filter(|(at, ..)| inside(*at)).map(event).collect());
        }
        events
    }

    fn is_empty(&self) -> bool {
        self.dividends.is_empty() && self.splits.is_empty()
    }
}
