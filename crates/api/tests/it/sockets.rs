use api::{ApiSettings, SocketSettings};
use jiff::SignedDuration;
use market::Clock as _;
use serde_json::{Value, json};

use crate::app::{CASES, TestApp, symbol};
use crate::socket::Socket;

impl TestApp {
    /// The price of an asset moves.
    fn tick(&self, name: &str, price: f64) {
        let now = self.clock.now() + SignedDuration::from_secs(1);
        self.clock.set(now);
        self.engine.receive_tick(&symbol(name), price, now);
    }
}

fn seq(message: &Value) -> u64 {
    message["seq"].as_u64().unwrap_or_else(|| panic!("{message}"))
}

fn settings(sockets: SocketSettings) -> ApiSettings {
    ApiSettings { sockets, ..ApiSettings::default() }
}

/// What every message carries.
fn check_common(message: &Value, symbol: &Value) {
    assert_eq!(&message["symbol"], symbol, "{message}");
    assert!(message["timestamp"].as_str().unwrap().ends_with('Z'), "{message}");
    assert!(message["sent_time"].as_i64().unwrap() > 1_000_000_000_000_000, "{message}");
    assert!(message["seq"].is_u64() && message["origin"] == "simulated", "{message}");
}

#[tokio::test]
async fn a_forecast_socket_tells_the_past_then_prices_then_forecasts() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/asset/BTC/forecast?timeframe=1D").await;
    let past = socket.expect("historical_data").await;
    check_common(&past, &json!("BTC"));
    assert_eq!((&past["timeframe"], &past["timeframe_canonical"]), (&json!("1D"), &json!("1D")));
    let chart = &past["chart"];
    let len = |name: &str| chart[name].as_array().unwrap().len();
    assert_eq!([len("actual"), len("predicted"), len("timestamps")], [30, 30, 30]);
    // The last closes had been forecast.
    assert!(chart["predicted"][29].is_number());
    let first = socket.expect("realtime_update").await;
    check_common(&first, &json!("BTC"));
    let fields =
        ["current_price", "change_24h", "predicted_price", "forecast_direction", "confidence", "predicted_range"];
    assert!(fields.iter().all(|field| !first[field].is_null()), "{first}");
    app.tick("BTC", 43_210.5);
    let moved = socket.expect("realtime_update").await;
    assert_eq!(moved["current_price"], 43_210.5);
    assert_eq!(moved["event_time"].as_i64().unwrap(), app.clock.now().as_microsecond());
    assert_eq!((seq(&first), seq(&moved)), (seq(&past), seq(&past) + 1));
    app.next_day().await;
    let issued = socket.await_type("forecast_update").await;
    check_common(&issued, &json!("BTC"));
    let mut rest = app.json("/api/asset/BTC/forecast").await;
    for (name, value) in rest.as_object_mut().unwrap() {
        if name != "type" {
            assert_eq!(&issued[name], value, "{name}");
        }
    }
}

#[tokio::test]
async fn a_trends_socket_tells_the_record_and_each_score() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/asset/BTC/trends").await;
    let first = socket.expect("trends_update").await;
    check_common(&first, &json!("BTC"));
    let cases = |message: &Value| message["chart"]["actual"].as_array().unwrap().len();
    assert_eq!((cases(&first), first["history"].as_array().unwrap().len()), (CASES, CASES));
    let rest = app.json("/api/asset/BTC/trends").await;
    assert_eq!((&first["accuracy"], &first["n"]), (&rest["overall_accuracy"], &rest["n"]));
    app.next_day().await;
    let scored = socket.expect("trends_update").await;
    assert_eq!((cases(&scored), seq(&scored)), (CASES + 1, seq(&first) + 1));
}

#[tokio::test]
async fn a_chart_socket_tells_bars_and_the_path_ahead() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/chart/BTC").await;
    let first = socket.expect("chart_update").await;
    check_common(&first, &json!("BTC"));
    assert_eq!((&first["timeframe"], &first["prediction_updated"]), (&json!("1D"), &json!(true)));
    assert_eq!(first["next_prediction_update"], "2024-03-02T00:00:00Z");
    assert_eq!(first["chart"]["timestamps"].as_array().unwrap().len(), 37);
    app.tick("BTC", 43_210.5);
    let moved = socket.expect("chart_update").await;
    assert_eq!((&moved["current_price"], &moved["forecast_stable"]), (&json!(43_210.5), &json!(true)));
    socket.say(json!({ "type": "change_timeframe", "timeframe": "7D" })).await;
    let changed = socket.expect("timeframe_changed").await;
    assert_eq!((&changed["timeframe"], &changed["timeframe_canonical"]), (&json!("7D"), &json!("1W")));
    let next = socket.expect("chart_update").await;
    assert_eq!((&next["timeframe"], next["chart"]["future"].as_array().unwrap().len()), (&json!("7D"), 4));
}

#[tokio::test]
async fn a_summary_socket_tells_a_class_and_switches() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/market/summary").await;
    let all = socket.expect("market_summary_update").await;
    check_common(&all, &Value::Null);
    // The newest of all prices: that of the last day's close.
    assert_eq!(all["event_time"].as_i64(), Some(crate::app::at(crate::app::START).as_microsecond()));
    assert_eq!(all["assets"].as_array().unwrap().len(), 25);
    assert_eq!([&all["crypto_count"], &all["stock_count"], &all["macro_count"]], [10, 10, 5]);
    app.tick("BTC", 43_210.5);
    let moved = socket.expect("market_summary_update").await;
    assert_eq!(moved["assets"][0]["current_price"], 43_210.5);
    let count = |message: &Value| message["update_count"].as_u64().unwrap();
    assert_eq!((count(&moved), seq(&moved)), (count(&all) + 1, seq(&all) + 1));
    socket.say(json!({ "type": "set_filter", "class_filter": "macro" })).await;
    let filtered = socket.expect("market_summary_update").await;
    assert_eq!((&filtered["class_filter"], filtered["assets"].as_array().unwrap().len()), (&json!("macro"), 5));
    socket.say(json!({ "type": "set_filter", "class_filter": "bonds" })).await;
    assert_eq!(socket.expect("error").await["problem"], "/problems/invalid-parameter");
    let mut stocks = app.socket("/ws/market/summary/stocks").await;
    assert_eq!(stocks.expect("market_summary_update").await["class_filter"], "stocks");
}

#[tokio::test]
async fn timeframes_that_exist_are_confirmed_as_they_were_asked() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/asset/BTC/forecast").await;
    socket.expect("historical_data").await;
    socket.expect("realtime_update").await;
    let cases = [("4H", "4h"), ("1h", "1h"), ("1D", "1D"), ("7D", "1W"), ("1W", "1W"), ("1M", "1M")];
    for (asked, canonical) in cases {
        socket.say(json!({ "type": "set_timeframe", "timeframe": asked })).await;
        let changed = socket.expect("timeframe_changed").await;
        assert_eq!((&changed["timeframe"], &changed["timeframe_canonical"]), (&json!(asked), &json!(canonical)));
        assert_eq!(socket.expect("historical_data").await["timeframe"], asked);
        // An update follows, although there is no forecast for the hour here.
        let update = socket.expect("realtime_update").await;
        assert_eq!(update["timeframe"], asked);
        assert_eq!(update["predicted_price"].is_null(), canonical.ends_with('h'), "{update}");
    }
}

#[tokio::test]
async fn timeframes_that_do_not_exist_are_never_confirmed() {
    let app = TestApp::seeded().await;
    for route in ["/ws/asset/BTC/forecast", "/ws/asset/BTC/trends", "/ws/chart/BTC"] {
        for asked in ["2H", "30m", "invalid", ""] {
            let mut socket = app.socket(&format!("{route}?timeframe={asked}")).await;
            let error = socket.expect("error").await;
            check_common(&error, &json!("BTC"));
            let known = ["/problems/unknown-timeframe", "/problems/no-such-forecast"];
            assert!(known.contains(&error["problem"].as_str().unwrap()), "{error}");
            // The connection is still good for one that exists.
            socket.say(json!({ "type": "set_timeframe", "timeframe": asked })).await;
            socket.expect("error").await;
            socket.say(json!({ "type": "set_timeframe", "timeframe": "1D" })).await;
            assert_eq!(socket.expect("timeframe_changed").await["timeframe"], "1D");
        }
    }
}

#[tokio::test]
async fn an_unknown_symbol_is_an_error_and_the_end() {
    let app = TestApp::seeded().await;
    for route in ["/ws/asset/NOPE/forecast", "/ws/asset/NOPE/trends", "/ws/chart/NOPE"] {
        let mut socket = app.socket(route).await;
        let error = socket.expect("error").await;
        assert_eq!((&error["problem"], &error["symbol"]), (&json!("/problems/unknown-symbol"), &json!("NOPE")));
        assert_eq!(socket.expect_close().await, (1008, "unknown symbol".to_owned()));
    }
}

#[tokio::test]
async fn another_symbol_is_confirmed_and_followed() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/asset/BTC/forecast?timeframe=7D").await;
    socket.expect("historical_data").await;
    socket.expect("realtime_update").await;
    for (asked, timeframe) in [("DOGE", "7D"), ("cpi", "1M")] {
        socket.say(json!({ "type": "set_symbol", "symbol": asked })).await;
        let changed = socket.expect("symbol_changed").await;
        assert_eq!((&changed["symbol"], &changed["timeframe"]), (&json!(asked.to_uppercase()), &json!(timeframe)));
        socket.expect("historical_data").await;
        assert_eq!(socket.expect("realtime_update").await["symbol"], asked.to_uppercase());
    }
    // Prices of the old one are no longer told.
    app.tick("BTC", 1.0);
    socket.say(json!({ "type": "set_timeframe", "timeframe": "1M" })).await;
    socket.expect("timeframe_changed").await;
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_or_a_resync() {
    let app = TestApp::seeded_with(settings(SocketSettings { coalesce_ms: 0, ..SocketSettings::default() })).await;
    let path = "/ws/asset/BTC/forecast";
    let mut witness = app.socket(path).await;
    witness.expect("historical_data").await;
    let start = seq(&witness.expect("realtime_update").await);
    for n in 1..=3 {
        app.tick("BTC", 40_000.0 + f64::from(n));
        assert_eq!(seq(&witness.expect("realtime_update").await), start + n as u64);
    }
    let mut back = app.socket(&format!("{path}?since={}", start + 1)).await;
    for n in 2..=3 {
        let missed = back.expect("realtime_update").await;
        assert_eq!((seq(&missed), missed["current_price"].as_f64()), (start + n, Some(40_000.0 + n as f64)));
    }
    // One that claims to know more than was ever said, or whose messages are no longer kept, starts anew.
    for since in [start + 1000, 0] {
        let mut lost = app.socket(&format!("{path}?since={since}")).await;
        assert_eq!(lost.expect("resync").await["since"], since);
        lost.expect("historical_data").await;
    }
}

#[tokio::test]
async fn one_who_comes_is_told_how_things_are_and_nobody_else_is() {
    let app = TestApp::seeded_with(settings(SocketSettings { coalesce_ms: 0, ..SocketSettings::default() })).await;
    for (path, opening, update) in [
        ("/ws/asset/BTC/forecast", &["historical_data", "realtime_update"][..], "realtime_update"),
        ("/ws/chart/BTC", &["chart_update"], "chart_update"),
        ("/ws/market/summary", &["market_summary_update"], "market_summary_update"),
    ] {
        let (mut first, mut second) = (app.socket(path).await, None);
        for r#type in opening {
            first.expect(r#type).await;
        }
        let mut last = None;
        for n in 1..=3 {
            app.tick("BTC", 41_000.0 + f64::from(n));
            let moved = first.expect(update).await;
            assert!(last.is_none_or(|last| seq(&moved) == last + 1), "{path}: {moved}");
            last = Some(seq(&moved));
            // One who comes between two changes knows all up to the last, and both hear the next.
            if let Some(mut socket) = second.take() {
                let socket: &mut Socket = &mut socket;
                assert_eq!(seq(&socket.expect(update).await), seq(&moved));
            }
            let mut socket = app.socket(path).await;
            for r#type in opening {
                assert_eq!(seq(&socket.expect(r#type).await), seq(&moved), "{path}");
            }
            second = Some(socket);
        }
    }
}

#[tokio::test]
async fn the_chart_of_one_who_comes_changes_nothing_for_the_others() {
    let app = TestApp::seeded_with(settings(SocketSettings { coalesce_ms: 0, ..SocketSettings::default() })).await;
    let mut first = app.socket("/ws/chart/BTC").await;
    assert_eq!(first.expect("chart_update").await["prediction_updated"], true);
    app.next_day().await;
    // Whoever comes sees a forecast it has not seen; the first one is told of it once.
    let mut second = app.socket("/ws/chart/BTC").await;
    assert_eq!(second.expect("chart_update").await["prediction_updated"], true);
    let mut told = 0;
    app.tick("BTC", 43_210.5);
    loop {
        let update = first.expect("chart_update").await;
        told += u32::from(update["prediction_updated"] == true);
        if update["current_price"] == 43_210.5 {
            break;
        }
    }
    assert_eq!(told, 1);
}

#[tokio::test]
async fn numbers_of_before_a_restart_are_not_taken_for_those_after_it() {
    let app = TestApp::seeded_with(settings(SocketSettings { coalesce_ms: 0, ..SocketSettings::default() })).await;
    let path = "/ws/chart/BTC";
    let mut socket = app.socket(path).await;
    socket.expect("chart_update").await;
    app.tick("BTC", 41_000.0);
    let last = seq(&socket.expect("chart_update").await);
    let again = app.restarted();
    let mut witness = again.socket(path).await;
    witness.expect("chart_update").await;
    for n in 1..=6 {
        again.tick("BTC", 41_000.0 + f64::from(n));
        witness.expect("chart_update").await;
    }
    let mut back = again.socket(&format!("{path}?since={last}")).await;
    assert_eq!(back.expect("resync").await["since"], last);
}

#[tokio::test]
async fn what_nobody_heard_is_not_replayed() {
    let app = TestApp::seeded().await;
    let path = "/ws/asset/BTC/forecast";
    let mut socket = app.socket(path).await;
    socket.expect("historical_data").await;
    let last = seq(&socket.expect("realtime_update").await);
    drop(socket);
    app.until_no_connections().await;
    app.tick("BTC", 40_001.0);
    let mut back = app.socket(&format!("{path}?since={last}")).await;
    let mut first = back.hear().await;
    if first["type"] == "realtime_update" {
        // The tick was heard together with the return.
        first = json!({ "type": "resync" });
    }
    assert_eq!(first["type"], "resync");
}

impl TestApp {
    async fn until_no_connections(&self) {
        while self.json("/api/websocket/stats").await["total_connections"] != 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn ticks_are_coalesced_and_the_newest_wins() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/asset/BTC/forecast").await;
    socket.expect("historical_data").await;
    let first = seq(&socket.expect("realtime_update").await);
    for n in 1..=200 {
        app.tick("BTC", 40_000.0 + f64::from(n));
    }
    let mut heard = 0;
    let last = loop {
        let update = socket.expect("realtime_update").await;
        heard += 1;
        if update["current_price"] == 40_200.0 {
            break update;
        }
    };
    assert!(heard <= 3, "{heard} messages for one burst");
    assert_eq!(seq(&last), first + heard);
}

#[tokio::test]
async fn malformed_and_unknown_messages_are_errors_and_not_the_end() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/chart/BTC").await;
    socket.expect("chart_update").await;
    for text in ["{", "[]", "{}", r#"{"type":"buy"}"#, r#"{"type":"set_filter","class_filter":"all"}"#] {
        socket.say_text(text).await;
        socket.expect("error").await;
    }
    socket.say(json!({ "type": "pong" })).await;
    socket.say(json!({ "type": "change_timeframe", "timeframe": "1W" })).await;
    socket.expect("timeframe_changed").await;
}

#[tokio::test]
async fn large_messages_and_floods_are_the_end() {
    let app = TestApp::seeded().await;
    let mut large = app.socket("/ws/chart/BTC").await;
    large.say_text(&"x".repeat(10_000)).await;
    assert_eq!(large.await_close().await, 1009);
    let mut flood = app.socket("/ws/chart/BTC").await;
    for _ in 0..40 {
        flood.say(json!({ "type": "pong" })).await;
    }
    assert_eq!(flood.await_close().await, 1008);
    let mut pings = app.socket("/ws/chart/BTC").await;
    for _ in 0..40 {
        pings.ping().await;
    }
    assert_eq!(pings.await_close().await, 1008);
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_the_end_and_told_why() {
    let app = TestApp::seeded().await;
    // Text that is no UTF-8; a frame that is not masked.
    let frames: [(&[u8], u16); 2] = [(b"\x81\x82\0\0\0\0\xff\xfe", 1007), (b"\x81\x02{}", 1002)];
    for (frame, code) in frames {
        let mut socket = app.socket("/ws/chart/BTC").await;
        socket.expect("chart_update").await;
        socket.say_bytes(frame).await;
        assert_eq!(socket.await_close().await, code);
    }
}

#[tokio::test]
async fn pings_are_sent() {
    let sockets = SocketSettings { heartbeat_ms: 20, ..SocketSettings::default() };
    let app = TestApp::seeded_with(settings(sockets)).await;
    let mut socket = app.socket("/ws/chart/BTC").await;
    socket.expect("chart_update").await;
    for _ in 0..5 {
        let ping = socket.expect("ping").await;
        check_common(&ping, &json!("BTC"));
    }
}

#[tokio::test]
async fn there_is_room_for_so_many_sockets() {
    let sockets = SocketSettings { max_connections: 2, ..SocketSettings::default() };
    let app = TestApp::seeded_with(settings(sockets)).await;
    let mut open: Vec<Socket> = Vec::new();
    for path in ["/ws/chart/BTC?timeframe=1D", "/ws/asset/DOGE/forecast?timeframe=7D"] {
        let mut socket = app.socket(path).await;
        socket.hear().await;
        open.push(socket);
    }
    let stats = app.json("/api/websocket/stats").await;
    assert_eq!(stats["total_connections"], 2);
    assert_eq!(stats["connections_by_symbol"], json!({ "BTC": 1, "DOGE": 1 }));
    assert_eq!(stats["connections_by_timeframe"], json!({ "1D": 1, "1W": 1 }));
    let handshake = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let refused = app.get_as("/ws/chart/BTC", &handshake).await;
    assert_eq!((refused.status.as_u16(), refused.json()["type"].as_str()), (503, Some("/problems/too-many-sockets")));
}

#[tokio::test]
async fn sockets_are_closed_when_the_server_stops() {
    let app = TestApp::seeded().await;
    let mut socket = app.socket("/ws/asset/BTC/forecast").await;
    socket.expect("historical_data").await;
    app.stop_soon();
    assert_eq!(socket.await_close().await, 1012);
    app.stop().await;
}

#[tokio::test]
async fn a_slow_client_can_tell_what_it_was_spared() {
    let sockets = SocketSettings { coalesce_ms: 0, send_buffer_bytes: 4096, ..SocketSettings::default() };
    let app = TestApp::seeded_with(settings(sockets)).await;
    let mut quick = app.socket("/ws/market/summary").await;
    let mut slow = app.socket("/ws/market/summary").await;
    quick.expect("market_summary_update").await;
    let mut last = seq(&slow.expect("market_summary_update").await);
    // Nobody reads the slow one meanwhile.
    let mut newest = 0;
    for n in 1..=100 {
        app.tick("BTC", 40_000.0 + f64::from(n));
        newest = seq(&quick.await_type("market_summary_update").await);
    }
    let mut spared = 0;
    while last < newest {
        let message = slow.hear().await;
        if message["type"] == "conflated" {
            // It says what it follows, and how many numbers are left out after it.
            assert_eq!(seq(&message), last, "{message}");
            spared = message["skipped"].as_u64().unwrap();
            assert!(spared > 0);
        } else {
            assert_eq!(seq(&message), last + spared + 1);
            (last, spared) = (seq(&message), 0);
        }
    }
}

#[tokio::test]
async fn a_slow_client_is_conflated_and_told_then_closed() {
    let sockets =
        SocketSettings { coalesce_ms: 0, lag_limit_ms: 300, send_buffer_bytes: 4096, ..SocketSettings::default() };
    let app = TestApp::seeded_with(settings(sockets)).await;
    let mut quick = app.socket("/ws/market/summary").await;
    let mut slow = app.socket("/ws/market/summary").await;
    quick.expect("market_summary_update").await;
    // Nobody reads the slow one while prices move, until the server has had enough of it.
    let mut price = 40_000.0;
    while app.json("/api/websocket/stats").await["total_connections"] == 2 {
        price += 1.0;
        app.tick("BTC", price);
        quick.await_type("market_summary_update").await;
    }
    let mut told = 0;
    let code = loop {
        match slow.message_or_end().await {
            Ok(message) if message["type"] == "conflated" => told += message["skipped"].as_u64().unwrap(),
            Ok(_) => {}
            Err(code) => break code,
        }
    };
    // It went after the grace for reading again was over, or was told why.
    assert!(matches!(code, None | Some(1013)), "{code:?}");
    assert!(told > 0 || code.is_none());
}
