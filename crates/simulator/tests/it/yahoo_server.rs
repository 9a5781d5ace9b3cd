//! A small recorded market on loopback, for the tests of what is served: one company, one coin, one index, one series.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use market::calendar::midnight;
use market::{Action, ActionKind, Asset, AssetKind, Bar, Calendar, Clock, ManualClock, Observation, Timeframe};
use reqwest::header::HeaderMap;
use serde_json::Value;
use simulator::server::{self, Exchange, Faults, Running};
use simulator::{Reel, Tape};

use super::at;

/// A server that ends with the test.
pub(crate) struct Served {
    pub(crate) clock: Arc<ManualClock>,
    client: reqwest::Client,
    running: Running,
}

/// What came back.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn content_type(&self) -> &str {
        self.headers["content-type"].to_str().unwrap()
    }
}

impl Served {
    pub(crate) async fn start(tape: Tape, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::new(now));
        // Whoever came first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = start(tape, Arc::clone(&clock) as Arc<dyn Clock>, 1.0, Faults::default()).await;
        Self { clock, client: reqwest::Client::new(), running }
    }

    /// The base address of sockets.
    pub(crate) fn ws(&self) -> String {
        self.running.ws()
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.get_as(path, "").await
    }

    /// With a cookie.
    pub(crate) async fn get_as(&self, path: &str, cookie: &str) -> Got {
        let request = self.client.get(format!("{}{path}", self.running.http()));
        let request = if cookie.is_empty() { request } else { request.header("cookie", cookie) };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Got { status, headers, text: response.text().await.unwrap() }
    }
}

/// Serves a tape on any clock; ends when it is dropped.
pub(crate) async fn start(tape: Tape, clock: Arc<dyn Clock>, speed: f64, faults: Faults) -> Running {
    let exchange = Exchange { tape, clock, speed, run: "test".to_owned(), faults, ticks_a_second: 1.0 };
    server::start(exchange).await.unwrap()
}

fn asset(symbol: &str, source_symbol: &str, kind: AssetKind) -> Asset {
    Asset {
        symbol: symbol.parse().unwrap(),
        name: format!("{symbol} of the tests"),
        kind,
        source_symbol: source_symbol.to_owned(),
        quote: "USD".to_owned(),
    }
}

/// The first day of the small market.
pub(crate) const LISTED: Date = date(2025, 1, 2);

/// The company's split, four for one.
pub(crate) const SPLIT: Date = date(2025, 8, 29);

/// The company's dividends, in the terms of their days; the first was before the split.
pub(crate) const DIVIDENDS: [(Date, f64); 2] = [(date(2025, 5, 9), 2.0), (date(2025, 11, 7), 0.5)];

/// The close of a day in the terms after the split.
pub(crate) fn level(day: Date) -> f64 {
    let days = f64::from((day - LISTED).get_days());
    50.0 + 0.125 * days + 2.0 * (days / 9.0).sin()
}

fn day_bar(day: Date, span: market::Span, factor: f64) -> Bar {
    let (open, close) = (level(day.yesterday().unwrap()) * factor, level(day) * factor);
    Bar {
        open_time: span.open_time,
        close_time: span.close_time,
        open,
        high: open.max(close) * 1.01,
        low: open.min(close) * 0.99,
        close,
        volume: 4_000_000.0 / factor,
        adj_close: None,
        known_at: span.close_time,
    }
}

fn days(calendar: Calendar, factor: impl Fn(Date) -> f64) -> BTreeMap<Timeframe, Vec<Bar>> {
    let all = LISTED.series(jiff::ToSpan::day(1)).take(560);
    let bars = all.filter_map(|day| Some(day_bar(day, calendar.day(day)?, factor(day))));
    BTreeMap::from([(Timeframe::D1, bars.collect())])
}

fn action(ex_date: Date, kind: ActionKind) -> Action {
    Action { ex_date, kind, known_at: Calendar::Nyse.day(ex_date).unwrap().open_time }
}

/// The small market, through July 2026.
pub(crate) fn small() -> Tape {
    let mut actions: Vec<Action> =
        DIVIDENDS.iter().map(|&(day, amount)| action(day, ActionKind::Dividend { amount })).collect();
    actions.push(action(SPLIT, ActionKind::Split { numerator: 4.0, denominator: 1.0 }));
    actions.sort_by_key(|action| action.known_at);
    let reel = |asset, bars, actions| Reel { asset, bars, actions, observations: Vec::new() };
    let mut series = reel(asset("CPI", "CPIAUCSL", AssetKind::Series), BTreeMap::new(), Vec::new());
    series.observations = vintages();
    Tape::recorded(vec![
        reel(
            asset("ACME", "ACME", AssetKind::Equity),
            days(Calendar::Nyse, |day| if day < SPLIT { 4.0 } else { 1.0 }),
            actions,
        ),
        reel(asset("BRK-B", "BRK-B", AssetKind::Equity), days(Calendar::Nyse, |_| 1.0), Vec::new()),
        reel(asset("COIN", "COINUSDT", AssetKind::Coin), days(Calendar::Continuous, |_| 1.0), Vec::new()),
        reel(asset("VIX", "VIX", AssetKind::Index), days(Calendar::Nyse, |_| 0.25), Vec::new()),
        series,
    ])
}

/// A series of five months, each published in the middle of the next one; the second is revised twice.
fn vintages() -> Vec<Observation> {
    let row = |month, value, from: Date, to: Option<Date>| Observation {
        ref_period: date(2025, month, 1),
        value,
        realtime_start: from,
        realtime_end: to,
        known_at: midnight(from) + SignedDuration::from_mins(12 * 60 + 30),
    };
    vec![
        row(1, 300.5, date(2025, 2, 12), None),
        row(2, 301.25, date(2025, 3, 12), Some(date(2025, 4, 10))),
        row(2, 301.5, date(2025, 4, 10), Some(date(2026, 2, 13))),
        row(3, 302.0, date(2025, 4, 10), None),
        row(4, 303.0, date(2025, 5, 13), None),
        row(5, 303.75, date(2025, 6, 11), None),
        row(2, 301.375, date(2026, 2, 13), None),
    ]
}

/// A Wednesday, in the middle of the session.
pub(crate) fn in_session() -> Timestamp {
    at("2026-03-18T15:47:23Z")
}

/// The small market at a moment.
pub(crate) async fn small_at(now: Timestamp) -> Served {
    Served::start(small(), now).await
}
