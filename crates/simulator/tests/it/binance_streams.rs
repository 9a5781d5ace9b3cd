//! The exchange's sockets, listened to by a client.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use jiff::SignedDuration;
use market::{AcceleratedClock, Clock};
use serde_json::{Value, json};
use simulator::server::{Running, start};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::at;
use super::binance::{NOON, exchange, json as rest, standing};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) async fn connect(running: &Running, path: &str) -> Socket {
    tokio_tungstenite::connect_async(running.ws() + path).await.unwrap().0
}

/// An exchange whose clock runs so fast, from noon on.
pub(super) async fn fast(speed: f64, plan: &str) -> Running {
    let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(at(NOON), speed));
    start(exchange(clock, speed, plan)).await.unwrap()
}

const PATIENCE: Duration = Duration::from_secs(20);

/// The next message, whatever it is; `None` at the end of the connection.
pub(super) async fn next(socket: &mut Socket) -> Option<Message> {
    tokio::time::timeout(PATIENCE, socket.next()).await.expect("a message in time")?.ok()
}

/// The next text.
pub(super) async fn text(socket: &mut Socket) -> Value {
    loop {
        match next(socket).await.expect("a text") {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

/// The answer to a request, past all data.
async fn ask(socket: &mut Socket, request: &str) -> Value {
    say(socket, request).await;
    loop {
        let answer = text(socket).await;
        if answer.get("id").is_some() || answer.get("error").is_some() {
            return answer;
        }
    }
}

pub(super) async fn close_frame(socket: &mut Socket) -> Option<CloseFrame> {
    loop {
        match next(socket).await? {
            Message::Close(frame) => return frame,
            _ => continue,
        }
    }
}

#[tokio::test]
async fn sockets_open_in_every_form() {
    let running = fast(10.0, "").await;
    let mut raw = connect(&running, "/ws/btcusdt@miniTicker/ethusdt@bookTicker").await;
    let (mut tickers, mut books) = (0, 0);
    while tickers < 2 || books < 2 {
        let event = text(&mut raw).await;
        match event.get("e") {
            Some(kind) => {
                assert_eq!((kind, &event["s"]), (&json!("24hrMiniTicker"), &json!("BTCUSDT")));
                assert_eq!(event.as_object().unwrap().len(), 9);
                tickers += 1;
            }
            None => {
                assert_eq!((&event["s"], event.as_object().unwrap().len()), (&json!("ETHUSDT"), 6));
                books += 1;
            }
        }
    }
    let mut combined = connect(&running, "/stream?streams=btcusdt@aggTrade/btcusdt@trade").await;
    for _ in 0..4 {
        let event = text(&mut combined).await;
        let kind = event["data"]["e"].as_str().unwrap();
        assert_eq!(event["stream"], format!("btcusdt@{kind}"));
        assert_eq!(event["data"]["M"], true);
    }
    let mut micros = connect(&running, "/ws/btcusdt@ticker?timeUnit=MICROSECOND").await;
    let event = text(&mut micros).await;
    assert_eq!(event["e"], "24hrTicker");
    assert_eq!(event.as_object().unwrap().len(), 23);
    assert!(event["E"].as_i64().unwrap() >= at(NOON).as_microsecond());
    let mut all = connect(&running, "/ws/!miniTicker@arr").await;
    assert_eq!(text(&mut all).await.as_array().unwrap().len(), 9);
    // What a client puts into the path that is no stream, and names that never say anything.
    let mut bare = connect(&running, "/ws/0").await;
    let request = r#"{"method":"SUBSCRIBE","params":["BTCUSDT@trade","nonsense@trade","btcusdt@depth"],"id":1}"#;
    assert_eq!(ask(&mut bare, request).await, json!({ "result": null, "id": 1 }));
    assert!(tokio::time::timeout(Duration::from_millis(300), bare.next()).await.is_err());
    let mut second = connect(&running, "/binanceus/ws/btcusdt@miniTicker").await;
    assert_eq!(text(&mut second).await["s"], "BTCUSDT");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn sockets_do_what_they_are_told_and_say_what_they_cannot() {
    let (running, _) = standing("").await;
    let mut socket = connect(&running, "/stream").await;
    let mut check = async |request: &str, answer: Value| {
        // A client may send five messages a second.
        tokio::time::sleep(Duration::from_millis(210)).await;
        assert_eq!(ask(&mut socket, request).await, answer, "{request}");
    };
    let id = "b1946ac9-2aae-4b2c-9f3d-0c7e6a1d2f3e";
    let subscribe = format!(r#"{{"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@trade"],"id":"{id}"}}"#);
    check(&subscribe, json!({ "result": null, "id": id })).await;
    check(
        r#"{"method":"UNSUBSCRIBE","params":["ethusdt@trade","x@trade"],"id":2}"#,
        json!({ "result": null, "id": 2 }),
    )
    .await;
    check(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, json!({ "result": ["btcusdt@kline_1m"], "id": 3 })).await;
    check(r#"{"method":"GET_PROPERTY","params":["combined"],"id":4}"#, json!({ "result": true, "id": 4 })).await;
    check(r#"{"method":"SET_PROPERTY","params":["combined",false],"id":5}"#, json!({ "result": null, "id": 5 })).await;
    check(r#"{"method":"GET_PROPERTY","params":["combined"],"id":6}"#, json!({ "result": false, "id": 6 })).await;
    let error = |code: i32, words: &str, id: Value| json!({ "error": { "code": code, "msg": words }, "id": id });
    check(
        r#"{"method":"SUBSCRIBE","params":["not a stream"],"id":9}"#,
        error(2, "Invalid request: invalid stream", json!(9)),
    )
    .await;
    check(r#"{"method":"SET_PROPERTY","params":["speed",1],"id":6}"#, error(0, "Unknown property", json!(6))).await;
    check("{oops", error(3, "Invalid JSON: key must be a string at line 1 column 2", json!(null))).await;
}

/// Collects the closing messages of a stream of minutes.
async fn closed(socket: &mut Socket, n: usize) -> Vec<Value> {
    let mut closed: Vec<Value> = Vec::new();
    while closed.len() < n {
        let event = text(socket).await;
        assert_eq!(event["e"], "kline");
        let (k, last) = (&event["k"], closed.last());
        assert!(last.is_none_or(|last| last["k"]["t"].as_i64() < k["t"].as_i64()), "no word of a bar after its end");
        if k["x"] == true {
            let late = event["E"].as_i64().unwrap() - k["T"].as_i64().unwrap();
            assert!(late > 0, "{late}");
            closed.push(event);
        }
    }
    closed
}

async fn check_closed(running: &Running, closed: &[Value]) {
    let opens: Vec<i64> = closed.iter().map(|event| event["k"]["t"].as_i64().unwrap()).collect();
    assert!(opens.windows(2).all(|pair| pair[1] - pair[0] == 60_000), "{opens:?}");
    let path = format!("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={}&limit={}", opens[0], opens.len());
    let rows = rest(running, &path).await;
    for (event, row) in closed.iter().zip(rows.as_array().unwrap()) {
        let k = &event["k"];
        let told = [&k["t"], &k["o"], &k["h"], &k["l"], &k["c"], &k["v"], &k["T"], &k["q"], &k["n"], &k["V"], &k["Q"]];
        assert_eq!(told.map(Clone::clone)[..], row.as_array().unwrap()[..11]);
        assert_eq!(k["L"].as_i64().unwrap() - k["f"].as_i64().unwrap() + 1, k["n"].as_i64().unwrap());
    }
}

#[tokio::test]
async fn every_bar_that_closes_is_told_once_and_in_order() {
    let running = fast(60.0, "").await;
    let mut socket = connect(&running, "/ws/btcusdt@kline_1m").await;
    let closed = closed(&mut socket, 3).await;
    for event in &closed {
        let late = event["E"].as_i64().unwrap() - event["k"]["T"].as_i64().unwrap();
        // A look every 12 ms is one every 0.8 seconds of this clock; the machine may be busy.
        assert!(late < 15_000, "{late}");
        assert_eq!(event["k"].as_object().unwrap().len(), 17);
    }
    check_closed(&running, &closed).await;
}

#[tokio::test]
async fn on_a_fast_clock_no_closing_message_is_dropped() {
    let running = fast(20_000.0, "").await;
    let mut socket = connect(&running, "/ws/btcusdt@kline_1m").await;
    let closed = closed(&mut socket, 400).await;
    // The bar that is late, with its minutes, is the last coin's alone.
    check_closed(&running, &closed).await;
}

#[tokio::test]
async fn a_standing_clock_tells_nothing_new_and_a_moved_one_all_that_was_missed() {
    let (running, clock) = standing("").await;
    let mut socket = connect(&running, "/ws/btcusdt@kline_1m").await;
    assert_eq!(text(&mut socket).await["k"]["x"], false);
    assert!(tokio::time::timeout(Duration::from_millis(300), socket.next()).await.is_err());
    clock.set(at(NOON) + SignedDuration::from_mins(10));
    check_closed(&running, &closed(&mut socket, 10).await).await;
    assert_eq!(text(&mut socket).await["k"]["x"], false);
}

#[tokio::test]
async fn pings_come_and_pongs_are_awaited() {
    let (running, clock) = standing("").await;
    // A client that answers by itself, and one that never looks.
    let mut lively = connect(&running, "/ws").await;
    let mut dead = connect(&running, "/ws").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    clock.set(at(NOON) + SignedDuration::from_secs(21));
    let Some(Message::Ping(payload)) = next(&mut lively).await else { panic!("a ping") };
    assert_eq!(payload, (at(NOON).as_millisecond() + 21_000).to_string().as_bytes());
    lively.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(3100)).await;
    clock.set(at(NOON) + SignedDuration::from_secs(82));
    assert!(matches!(next(&mut lively).await, Some(Message::Ping(_))));
    // Read past the client's own reader, which would answer the ping.
    let MaybeTlsStream::Plain(dead) = dead.get_mut() else { panic!("a plain connection") };
    let (mut told, closed) = (Vec::new(), [&1008_u16.to_be_bytes()[..], b"Pong timeout"].concat());
    let reading = async {
        while !told.windows(closed.len()).any(|bytes| bytes == closed) {
            assert_ne!(dead.read_buf(&mut told).await.unwrap(), 0, "closed without a word: {told:?}");
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("it is closed in time");
}

#[tokio::test]
async fn a_client_that_talks_too_much_is_cut() {
    let (running, _) = standing("").await;
    let mut socket = connect(&running, "/ws").await;
    for id in 0..6 {
        say(&mut socket, &format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#)).await;
    }
    let frame = close_frame(&mut socket).await.unwrap();
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1008, "Too many requests"));
}

#[tokio::test]
async fn a_connection_lives_for_a_day_and_ends_with_the_server() {
    let (running, clock) = standing("").await;
    let mut socket = connect(&running, "/ws").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    clock.set(at(NOON) + SignedDuration::from_hours(24));
    assert_eq!(u16::from(close_frame(&mut socket).await.unwrap().code), 1001);
    let mut socket = connect(&running, "/ws/btcusdt@trade").await;
    let _ = text(&mut socket).await;
    running.stop().await.unwrap();
    assert_eq!(u16::from(close_frame(&mut socket).await.unwrap().code), 1001);
}

#[tokio::test]
async fn prices_come_as_often_as_was_asked_for() {
    let running = fast(1.0, "").await;
    let streams: Vec<String> =
        ["btc", "eth", "sol", "xrp", "bnb"].iter().map(|base| format!("{base}usdt@miniTicker")).collect();
    let mut socket = connect(&running, &format!("/ws/{}", streams.join("/"))).await;
    let mut n = 0;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    while let Ok(Some(Ok(message))) = tokio::time::timeout_at(deadline, socket.next()).await {
        n += usize::from(message.is_text());
    }
    // Five symbols, ten a second, two seconds.
    assert!((60..=110).contains(&n), "{n}");
}
