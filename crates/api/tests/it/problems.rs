use reqwest::Method;
use serde_json::Value;

use crate::app::{Answer, TestApp};

/// A refusal: its status, its type, and the one shape of all of them.
fn check(answer: &Answer, status: u16, r#type: &str, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{what}");
    let body = answer.json();
    assert_eq!(body["type"], r#type, "{what}: {body}");
    assert_eq!(body["status"], status, "{what}");
    assert!(body["title"].is_string(), "{what}");
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let app = TestApp::seeded().await;
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let cases = [
        (&get, "/nowhere", 404, "/problems/not-found"),
        (&get, "/api/asset/BTC", 404, "/problems/not-found"),
        (&post, "/api/health", 405, "/problems/method-not-allowed"),
        (&get, "/api/asset/BTC/validate", 405, "/problems/method-not-allowed"),
        (&get, "/api/asset/NOPE/forecast", 404, "/problems/unknown-symbol"),
        (&get, "/api/asset/no%20pe/forecast", 404, "/problems/unknown-symbol"),
        (&get, "/api/asset/%ff/forecast", 400, "/problems/bad-request"),
        (&get, "/api/asset/BTC/forecast?timeframe=2H", 400, "/problems/unknown-timeframe"),
        (&get, "/api/asset/BTC/forecast?timeframe=", 400, "/problems/unknown-timeframe"),
        (&get, "/api/asset/BTC/forecast?timeframe=30m", 404, "/problems/no-such-forecast"),
        (&get, "/api/asset/BTC/forecast?timeframe=1Q", 404, "/problems/no-such-forecast"),
        (&get, "/api/asset/AAPL/forecast?timeframe=4H", 404, "/problems/no-such-forecast"),
        (&get, "/api/asset/CPI/forecast?timeframe=1D", 404, "/problems/no-such-forecast"),
        (&get, "/api/asset/AAPL/forecast", 503, "/problems/no-forecast"),
        (&get, "/api/asset/BTC/forecast?as_of=yesterday", 400, "/problems/invalid-parameter"),
        (&get, "/api/asset/BTC/forecast?timeframe=1D&timeframe=1W", 400, "/problems/invalid-parameter"),
        (&get, "/api/asset/BTC/trends?view=pie", 400, "/problems/invalid-parameter"),
        (&get, "/api/asset/BTC/trends?window=2W", 400, "/problems/invalid-parameter"),
        (&get, "/api/market/summary?class=bonds", 400, "/problems/invalid-parameter"),
        (&get, "/api/market/summary?limit=0", 400, "/problems/invalid-parameter"),
        (&get, "/api/market/summary?limit=501", 400, "/problems/invalid-parameter"),
        (&get, "/api/forecasts?symbols=BTC,NOPE", 404, "/problems/unknown-symbol"),
        (&get, "/api/assets/NOPE", 404, "/problems/unknown-symbol"),
        (&get, "/api/assets/ETH/bars", 404, "/problems/no-bars"),
        (&get, "/api/assets/BTC/bars?cursor=x", 400, "/problems/invalid-parameter"),
        (&get, "/api/ledger/zzzzzzzz", 400, "/problems/invalid-parameter"),
        (&get, "/api/ledger/00000000", 404, "/problems/unknown-entry"),
        (&get, "/api/ledger?chain=replay", 400, "/problems/invalid-parameter"),
        (&get, "/api/ledger?chain=replay/none", 404, "/problems/unknown-chain"),
        (&get, "/api/ledger?kind=rumour", 400, "/problems/invalid-parameter"),
        (&get, "/api/models/none", 404, "/problems/unknown-model"),
        (&post, "/api/favorites/NOPE", 404, "/problems/unknown-symbol"),
        (&delete, "/api/favorites/NOPE", 404, "/problems/unknown-symbol"),
        (&post, "/api/asset/NOPE/validate", 404, "/problems/unknown-symbol"),
        (&get, "/ws/chart/BTC", 400, "/problems/bad-request"),
    ];
    for (method, path, status, r#type) in cases {
        let answer = app.request(method.clone(), path, &[]).await;
        check(&answer, status, r#type, &format!("{method} {path}"));
    }
}

#[tokio::test]
async fn a_refusal_names_what_it_is_about() {
    let app = TestApp::seeded().await;
    let body = app.get("/api/asset/BTC/forecast?timeframe=30m").await.json();
    assert_eq!((body["symbol"].as_str(), body["timeframe"].as_str()), (Some("BTC"), Some("30m")));
    assert!(body["detail"].as_str().unwrap().contains("1h, 4h, 1D, 1W, 1M are"), "{body}");
    let wrong = app.request(Method::DELETE, "/api/health", &[]).await;
    assert_eq!(wrong.headers["allow"], "GET,HEAD");
    let parameter = app.get("/api/market/summary?limit=x").await.json();
    assert_eq!(parameter["parameter"], "limit");
}

#[tokio::test]
async fn other_hosts_and_large_bodies_are_refused() {
    let app = TestApp::empty().await;
    let elsewhere = app.get_as("/api/health", &[("host", "evil.example")]).await;
    check(&elsewhere, 400, "/problems/host", "another host");
    assert_eq!(app.get_as("/livez", &[("host", "evil.example")]).await.status, 200);
    assert_eq!(app.get_as("/api/health", &[("host", "localhost:8000")]).await.status, 200);
    let large = crate::app::http()
        .build()
        .unwrap()
        .post(format!("http://{}/api/favorites/BTC", app.address))
        .body(vec![b' '; 100_000])
        .send()
        .await
        .unwrap();
    assert_eq!(large.status(), 413);
    assert_eq!(large.json::<Value>().await.unwrap()["type"], "/problems/body-too-large");
}

#[tokio::test]
async fn a_server_error_shows_a_request_id_and_not_the_inside() {
    let app = TestApp::empty().await;
    app.store.go_away();
    let answer = app.get("/api/models").await;
    check(&answer, 503, "/problems/unavailable", "a store that is away");
    assert!(answer.json()["request_id"].is_string());
    assert!(answer.headers.contains_key("retry-after"));
    assert!(!answer.text().contains("secret") && !answer.text().contains("disk"), "{}", answer.text());
}

#[tokio::test]
async fn one_who_asks_too_often_is_told_when_to_come_back() {
    let rates = api::RateSettings { requests: 3, sockets: 1, limit_loopback: true, ..api::RateSettings::default() };
    let app = TestApp::seeded_with(api::ApiSettings { rates, ..api::ApiSettings::default() }).await;
    for left in [2, 1, 0] {
        let answer = app.get("/api/asset/BTC/forecast").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["ratelimit-policy"], "\"requests\";q=3;w=60");
        assert!(answer.headers["ratelimit"].to_str().unwrap().starts_with(&format!("\"requests\";r={left};t=")));
    }
    let refused = app.get("/api/asset/BTC/forecast").await;
    check(&refused, 429, "/problems/too-many-requests", "a fourth request");
    let retry: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry));
    // Exports and sockets have quotas of their own, and probes have none.
    assert_eq!(app.get("/api/asset/BTC/export").await.headers["ratelimit-policy"], "\"exports\";q=10;w=60");
    assert_eq!(app.get("/readyz").await.status, 200);
    let mut socket = app.socket("/ws/chart/BTC").await;
    socket.expect("chart_update").await;
    let handshake = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    check(&app.get_as("/ws/chart/BTC", &handshake).await, 429, "/problems/too-many-requests", "a second socket");
}
