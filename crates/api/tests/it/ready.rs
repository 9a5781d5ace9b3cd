//! Cached answers are ready bytes: no question to the store, the same bytes until something happens.

use std::io::Read as _;

use api::ApiSettings;
use jiff::SignedDuration;
use market::Clock as _;

use crate::app::{TestApp, symbol};

const CACHED: [&str; 6] = [
    "/api/health",
    "/api/market/summary?class=crypto&limit=5",
    "/api/asset/BTC/forecast?timeframe=1D",
    "/api/asset/BTC/trends",
    "/api/assets/search?q=bit",
    "/api/asset/CPI/forecast",
];

#[tokio::test]
async fn cached_requests_ask_the_store_nothing() {
    let app = TestApp::seeded().await;
    for path in CACHED {
        let _made = app.json(path).await;
    }
    let before = app.store.calls();
    for path in CACHED {
        for _ in 0..20 {
            let _known = app.json(path).await;
        }
    }
    assert_eq!(app.store.calls(), before);
}

#[tokio::test]
async fn an_answer_that_grew_old_is_made_anew_without_the_store() {
    let settings = ApiSettings { ready_max_age_ms: 0, ..ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    for path in CACHED {
        let _made = app.json(path).await;
    }
    let before = app.store.calls();
    for path in CACHED {
        let _made_again = app.json(path).await;
    }
    assert_eq!(app.store.calls(), before);
}

#[tokio::test]
async fn the_same_bytes_until_something_happens() {
    let settings = ApiSettings { ready_max_age_ms: 600_000, ..ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    let path = "/api/asset/BTC/forecast";
    let first = app.get(path).await.body;
    assert_eq!(app.get(path).await.body, first);
    // A price moves.
    let now = app.clock.now() + SignedDuration::from_secs(60);
    app.clock.set(now);
    app.engine.receive_tick(&symbol("BTC"), 12_345.5, now);
    let moved = app.until(path, |body| body["current_price"] == 12_345.5).await;
    assert_eq!(moved["ledger"], serde_json::from_slice::<serde_json::Value>(&first).unwrap()["ledger"]);
    // A day passes: a new forecast, and a score.
    let n = moved["skill"]["n"].as_u64().unwrap();
    app.next_day().await;
    let next = app.until(path, |body| body["as_of"] == "2024-03-02T00:00:00Z" && body["skill"]["n"] == n + 1).await;
    assert_ne!(next["ledger"], moved["ledger"]);
}

impl TestApp {
    /// Asks until the answer is as wanted: events take a moment.
    async fn until(&self, path: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        for _ in 0..1000 {
            let body = self.json(path).await;
            if wanted(&body) {
                return body;
            }
            tokio::task::yield_now().await;
        }
        panic!("{path} never became as wanted: {}", self.get(path).await.text());
    }
}

#[tokio::test]
async fn a_ready_answer_is_compressed_when_the_client_asks() {
    let app = TestApp::seeded().await;
    let path = "/api/asset/BTC/forecast";
    let plain = app.get(path).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    assert_eq!(plain.headers["content-type"], "application/json");
    let packed = app.get_as(path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    assert!(packed.body.len() * 2 < plain.body.len());
}
