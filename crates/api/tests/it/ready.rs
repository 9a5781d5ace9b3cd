//! Cached answers are ready bytes: no question to the store, the same bytes until something happens.

use std::io::Read as _;

use api::ApiSettings;
use jiff::SignedDuration;
use market::Clock as _;

use crate::app::{TestApp, symbol};

const CACHED: [&str; 10] = [
    "/api/health",
    "/api/market/summary?class=crypto&limit=5",
    "/api/asset/BTC/forecast?timeframe=1D",
    "/api/asset/BTC/trends",
    "/api/asset/BTC/trends?window=1M&view=table",
    "/api/scoreboard",
    "/api/scoreboard?class=crypto&timeframe=1D",
    "/api/scoreboard?window=1M",
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

#[tokio::test]
async fn a_scoreboard_is_made_anew_when_an_outcome_is_written() {
    let app = TestApp::seeded().await;
    let path = "/api/scoreboard?class=crypto&timeframe=1D";
    let n = app.json(path).await["lines"][0]["n"].as_u64().unwrap();
    app.next_day().await;
    app.until(path, |body| body["lines"][0]["n"] == n + 2).await;
}

#[tokio::test]
async fn many_who_ask_for_a_record_at_once_share_one_reading() {
    let app = TestApp::seeded().await;
    for path in ["/api/scoreboard", "/api/asset/BTC/trends", "/api/asset/BTC/trends?window=1Y"] {
        let before = app.store.calls();
        let one = app.json(path).await;
        let alone = app.store.calls() - before;
        assert!(alone > 0, "{path}");
        app.next_day().await;
        app.until(path, |body| *body != one).await;
        app.next_day().await;
        let before = app.store.calls();
        let answers = futures::future::join_all((0..20).map(|_| app.get(path))).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        assert!(app.store.calls() - before <= 2 * alone, "{path}: {} calls", app.store.calls() - before);
    }
}

#[tokio::test]
async fn those_who_leave_do_not_pile_up_work() {
    let app = TestApp::seeded().await;
    app.store.stall(true);
    let before = app.store.calls();
    let windows = ["", "&window=1W", "&window=1M", "&window=1Y", "&window=5Y"];
    let paths = windows.iter().flat_map(|window| {
        ["/api/scoreboard?x", "/api/asset/BTC/trends?x", "/api/asset/DOGE/trends?view=table", "/api/asset/CPI/trends?x"]
            .map(|path| format!("{path}{window}"))
    });
    for path in paths {
        for _ in 0..3 {
            // Nobody waits for the answer.
            let _left = tokio::time::timeout(std::time::Duration::from_millis(5), app.get(&path)).await;
        }
    }
    let begun = app.store.calls() - before;
    assert_eq!(begun, 3, "one of a whole chain, and two of an asset each, are read at once");
    app.store.stall(false);
    // What was begun is ended, and of use to those who ask next.
    app.json("/api/scoreboard").await;
    app.json("/api/asset/BTC/trends").await;
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
