use jiff::SignedDuration;
use market::Clock as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

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
async fn sources_tell_whether_they_still_give() {
    let app = TestApp::seeded().await;
    let expected = |status: &str, detail: &str| {
        json!({ "origin": "simulated", "sources": [
            { "source": "test", "status": status, "last_event": "2024-03-01T00:00:00Z", "detail": detail },
        ] })
    };
    assert_eq!(app.json("/api/sources").await, expected("healthy", "delivering"));
    app.clock.set(crate::app::at("2024-03-09T00:00:00Z"));
    assert_eq!(app.json("/api/sources").await, expected("degraded", "no closed bar came when one was due"));
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
async fn before_there_is_an_engine_every_request_is_told_to_come_back() {
    let settings = api::ApiSettings::default();
    let listener = api::bind("127.0.0.1:0".parse().unwrap(), &settings).unwrap();
    let address = listener.local_addr().unwrap();
    let (opened, opening) = tokio::sync::oneshot::channel::<&str>();
    let waiting = tokio::spawn(async move { api::serve_while(&listener, &settings, opening).await });
    let client = crate::app::http().build().unwrap();
    let get = |path: &str| client.get(format!("http://{address}{path}")).send();
    assert_eq!(get("/livez").await.unwrap().status(), 200);
    for path in ["/readyz", "/api/health", "/api/asset/BTC/forecast", "/nowhere"] {
        let answer = get(path).await.unwrap();
        assert_eq!(answer.status(), 503, "{path}");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["type"], "/problems/not-ready", "{path}");
    }
    opened.send("the engine").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), "the engine");
}

#[tokio::test]
async fn those_who_do_not_ask_or_do_not_listen_are_cut_off() {
    let settings = api::ApiSettings { idle_timeout_ms: 100, ..api::ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    for said in ["", "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    {
        let mut connection = TcpStream::connect(app.address).await.unwrap();
        connection.write_all(said.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.starts_with("HTTP/1.1 200"), said.ends_with("\r\n\r\n"), "{said:?}: {answer}");
    }
    // More answers are asked for than the system keeps for one who does not read.
    let mut deaf = TcpStream::connect(app.address).await.unwrap();
    let request = "GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    deaf.write_all(request.repeat(500).as_bytes()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let mut taken = Vec::new();
    let _cut_off = deaf.read_to_end(&mut taken).await;
    let one = app.get("/api/openapi.json").await.body.len();
    assert!(taken.len() < 400 * one, "{} of {}", taken.len(), 500 * one);
    // A socket is not idle while it listens.
    let mut socket = app.socket("/ws/chart/BTC").await;
    socket.expect("chart_update").await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    app.engine.receive_tick(&crate::app::symbol("BTC"), 12_345.5, app.clock.now() + SignedDuration::from_secs(1));
    assert_eq!(socket.expect("chart_update").await["current_price"], 12_345.5);
}

#[tokio::test]
async fn there_is_room_for_so_many_connections() {
    let settings = api::ApiSettings { max_connections: 1, idle_timeout_ms: 100, ..api::ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    let first = TcpStream::connect(app.address).await.unwrap();
    // The second waits until the first has said nothing for too long.
    assert_eq!(app.get("/livez").await.status, 200);
    drop(first);
}

#[tokio::test]
async fn large_headers_are_refused() {
    let app = TestApp::empty().await;
    for (size, status) in [(1000, 200), (40_000, 431)] {
        let large = "a".repeat(size);
        assert_eq!(app.get_as("/livez", &[("x-large", large.as_str())]).await.status, status);
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
