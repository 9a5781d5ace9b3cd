use serde_json::{Value, json};

use crate::app::{TestApp, keys};

#[tokio::test]
async fn an_empty_home_says_what_to_do_first() {
    let app = TestApp::empty().await;
    let body = app.json("/api/health").await;
    assert_eq!(body["status"], "degraded");
    assert!(body["first_run"].as_str().unwrap().contains("auspex"));
    assert_eq!(app.json("/livez").await, json!({ "status": "alive" }));
    assert_eq!(app.json("/readyz").await, json!({ "status": "ready" }));
}

#[tokio::test]
async fn health_tells_of_each_part() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/health").await;
    let parts = [
        ("services", &["database", "external_apis", "ml_model", "redis"][..]),
        ("db_pool_stats", &["idle_size", "max_size", "min_size", "reason", "size", "status"]),
        ("cache", &["hit_ratio", "hits", "kind", "misses"]),
    ];
    for (part, members) in parts {
        assert_eq!(keys(&body[part]), members, "{part}");
    }
    assert_eq!(body["services"]["database"], "healthy");
    assert_eq!(body["services"]["redis"], "not_configured");
    assert_eq!(body["services"]["ml_model"], "baseline");
    assert_eq!(body["services"]["external_apis"]["test"], "healthy");
    assert_eq!(body["timestamp"], "2024-03-01T00:00:00Z");
}

#[tokio::test]
async fn promise_8_without_the_database_what_is_in_memory_is_still_served() {
    let settings = api::ApiSettings { ready_max_age_ms: 0, ..api::ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    let before = app.json("/api/asset/BTC/forecast").await;
    app.store.go_away();
    // A step tries to write and finds that the database is gone.
    app.clock.set(crate::app::at("2024-03-02T00:00:00Z"));
    assert!(app.engine.run_once().await.is_err());
    let after = app.json("/api/asset/BTC/forecast").await;
    assert_eq!(after["ledger"], before["ledger"]);
    let health = app.get("/api/health").await;
    assert_eq!((health.status.as_u16(), health.json()["status"].as_str()), (503, Some("unhealthy")));
    assert!(!health.text().contains("/secret/place"), "{}", health.text());
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.json()["type"].as_str()), (503, Some("/problems/not-ready")));
    assert_eq!(app.get("/livez").await.status, 200);
}

#[tokio::test]
async fn counts_are_shown() {
    let app = TestApp::seeded().await;
    let _first = app.json("/api/asset/BTC/forecast").await;
    let _second = app.json("/api/asset/BTC/forecast").await;
    let body = app.json("/api/system/stats").await;
    assert_eq!(keys(&body), ["cache", "jobs", "pool", "timestamp", "websocket_connections"]);
    assert_eq!(body["cache"], json!({ "hits": 1, "misses": 1, "hit_ratio": 0.5, "kind": "memory" }));
    let sockets = app.json("/api/websocket/stats").await;
    assert_eq!(sockets["total_connections"], 0);
    assert_eq!(sockets["connections_by_symbol"], json!({}));
}

#[tokio::test]
async fn pages_from_allowed_origins_may_call() {
    let settings = api::ApiSettings { cors_origins: vec!["https://a.example".to_owned()], ..Default::default() };
    let app = TestApp::seeded_with(settings).await;
    for (origin, allowed) in [("https://a.example", Some("https://a.example")), ("https://b.example", None)] {
        let answer = app.get_as("/api/health", &[("origin", origin)]).await;
        let header = answer.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(header, allowed);
    }
}

#[tokio::test]
async fn the_server_ends_when_it_is_told_to() {
    let app = TestApp::empty().await;
    assert_eq!(app.get("/livez").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn the_reading_room_needs_no_other_host() {
    let app = TestApp::empty().await;
    for path in ["/docs/", "/docs/swagger-initializer.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let page = app.get("/docs/").await;
    assert!(!page.text().contains("http://") && !page.text().contains("https://"), "{}", page.text());
    let start = app.get("/docs/swagger-initializer.js").await;
    assert!(
        start.text().contains("/api/openapi.json") && start.text().contains("\"validatorUrl\": \"none\""),
        "{}",
        start.text()
    );
    let (one, other): (Value, Value) = (app.json("/api/openapi.json").await, app.json("/openapi.json").await);
    assert_eq!(one, other);
}
