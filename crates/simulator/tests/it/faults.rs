//! What goes wrong, and that it goes wrong as planned.

use std::time::Duration;

use futures::StreamExt;
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::server::{FaultPlan, Faults, Running, Service};
use tokio_tungstenite::tungstenite::Message;

use super::at;
use super::binance::{NOON, client, standing};
use super::binance_streams::{close_frame, connect, fast, next, text};

const KLINES: &str = "/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=100";

/// What a request comes to: status, body and whether it was whole.
async fn outcome(running: &Running, path: &str) -> Result<(u16, String), String> {
    let response = client().get(running.http() + path).send().await.map_err(|_| "no answer".to_owned())?;
    let status = response.status().as_u16();
    Ok((status, response.text().await.map_err(|_| "half an answer".to_owned())?))
}

fn fault(lines: &str) -> String {
    format!("[[fault]]\n{lines}")
}

#[tokio::test]
async fn connections_break_before_and_within_answers() {
    let (running, _) = standing(&fault("kind = \"cut\"")).await;
    assert_eq!(outcome(&running, KLINES).await.unwrap_err(), "no answer");
    let (running, _) = standing(&fault("kind = \"half_frame\"")).await;
    assert_eq!(outcome(&running, KLINES).await.unwrap_err(), "half an answer");
    assert_eq!(running.exchange.faults.counts()["half_frame"], 1);
}

#[tokio::test]
async fn answers_are_malformed_and_late() {
    let (running, _) = standing(&fault("kind = \"truncated\"")).await;
    let (status, body) = outcome(&running, KLINES).await.unwrap();
    assert!(status == 200 && body.starts_with("[[1") && serde_json::from_str::<Value>(&body).is_err());
    let (running, _) = standing(&fault("kind = \"garbage\"")).await;
    let (status, body) = outcome(&running, KLINES).await.unwrap();
    assert!(status == 200 && serde_json::from_str::<Value>(&body).is_err());
    let (running, _) = standing(&fault("kind = \"latency\"\nms = 300")).await;
    let began = std::time::Instant::now();
    assert_eq!(outcome(&running, KLINES).await.unwrap().0, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[track_caller]
fn check_said(outcome: Result<(u16, String), String>, status: u16, words: &str) {
    let (told, body) = outcome.unwrap();
    assert!(told == status && body.contains(words), "{told}: {body}");
}

#[tokio::test]
async fn statuses_come_in_the_words_of_their_service() {
    for (status, path, words) in [
        (429, KLINES, r#"{"code":-1003,"msg":"Too much request weight used;"#),
        (418, KLINES, "IP banned until"),
        (451, KLINES, r#"{"code":0,"msg":"Service unavailable from a restricted location"#),
        (403, KLINES, "<title>403 Forbidden</title>"),
        (503, KLINES, r#"{"code":-1008,"#),
        (500, KLINES, r#"{"code":-1000,"#),
        (429, "/v8/finance/chart/AAPL", "Too Many Requests"),
        (429, "/fred/series", r#"{"error_code":429,"error_message":"Too Many Requests.  Exceeded Rate Limit"}"#),
    ] {
        let (running, _) = standing(&fault(&format!("kind = \"status\"\nstatus = {status}\nretry_after = 7"))).await;
        check_said(outcome(&running, path).await, status, words);
        let response = client().get(running.http() + path).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "7");
    }
    let (running, _) = standing(&fault("kind = \"outage_page\"\nservice = \"yahoo\"")).await;
    check_said(outcome(&running, "/v8/finance/chart/AAPL").await, 503, "Will be right back");
    check_said(outcome(&running, KLINES).await, 200, "[[1");
    let (running, _) = standing(&fault("kind = \"crumb\"")).await;
    check_said(outcome(&running, "/v7/finance/quote?symbols=AAPL&crumb=x").await, 401, "Invalid Crumb");
}

#[tokio::test]
async fn a_blocked_place_cannot_open_a_socket() {
    let (running, _) = standing(&fault("kind = \"status\"\nstatus = 451")).await;
    let refused = tokio_tungstenite::connect_async(running.ws() + "/ws").await.unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(response) = refused else { panic!("{refused}") };
    assert_eq!(response.status().as_u16(), 451);
}

#[tokio::test]
async fn rows_come_twice_and_out_of_order() {
    let (running, _) = standing(&fault("kind = \"duplicate\"")).await;
    let rows: Vec<Value> = serde_json::from_str(&outcome(&running, KLINES).await.unwrap().1).unwrap();
    assert_eq!(rows.windows(2).filter(|pair| pair[0] == pair[1]).count(), 1);
    let (running, _) = standing(&fault("kind = \"out_of_order\"")).await;
    let rows: Vec<Value> = serde_json::from_str(&outcome(&running, KLINES).await.unwrap().1).unwrap();
    assert_eq!(rows.windows(2).filter(|pair| pair[0][0].as_i64() > pair[1][0].as_i64()).count(), 1);
}

#[tokio::test]
async fn a_clock_is_wrong_for_one_service() {
    let (running, _) = standing(&fault("kind = \"skew\"\nms = 2500\nservice = \"binance\"")).await;
    let time = |body: String| serde_json::from_str::<Value>(&body).unwrap()["serverTime"].as_i64().unwrap();
    let now = at(NOON).as_millisecond();
    assert_eq!(time(outcome(&running, "/api/v3/time").await.unwrap().1), now + 2500);
    assert_eq!(time(outcome(&running, "/binanceus/api/v3/time").await.unwrap().1), now);
    assert_eq!(running.exchange.shown_now(Service::Yahoo), at(NOON));
}

/// Every event on a stream of minutes of a fast clock until so many had closed.
async fn minutes(plan: &str, n: usize) -> (Running, Vec<Value>) {
    let running = fast(600.0, plan).await;
    let mut socket = connect(&running, "/ws/btcusdt@kline_1m").await;
    let (mut events, mut closed) = (Vec::new(), 0);
    while closed < n {
        let event = text(&mut socket).await;
        closed += usize::from(event["k"]["x"] == true);
        events.push(event);
    }
    (running, events)
}

fn opens(events: &[Value]) -> Vec<i64> {
    events.iter().filter(|event| event["k"]["x"] == true).map(|event| event["k"]["t"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn closing_messages_are_late_lost_double_and_out_of_order() {
    let (_, events) = minutes(&fault("kind = \"late_close\"\nms = 5000"), 5).await;
    let late = events.iter().filter(|event| event["k"]["x"] == true);
    assert!(late.into_iter().all(|event| event["E"].as_i64().unwrap() - event["k"]["T"].as_i64().unwrap() >= 5000));
    let (running, events) = minutes(&fault("kind = \"lost_close\"\nshare = 0.5"), 8).await;
    let opens_told = opens(&events);
    let lost = running.exchange.faults.counts()["lost_close"];
    assert!(opens_told.windows(2).any(|pair| pair[1] - pair[0] > 60_000) && lost > 0, "{opens_told:?}");
    let (_, events) = minutes(&fault("kind = \"duplicate\""), 6).await;
    assert!(opens(&events).windows(2).any(|pair| pair[0] == pair[1]));
    let (_, events) = minutes(&fault("kind = \"out_of_order\""), 6).await;
    let times: Vec<i64> = events.iter().map(|event| event["E"].as_i64().unwrap()).collect();
    assert!(!times.is_sorted());
}

#[tokio::test]
async fn frames_break_and_are_malformed() {
    let stream = "/ws/btcusdt@trade";
    for kind in ["cut", "half_frame"] {
        let running = fast(10.0, &fault(&format!("kind = \"{kind}\"\npath = \"/ws\"\nshare = 0.2"))).await;
        let mut socket = connect(&running, stream).await;
        let end = loop {
            match tokio::time::timeout(Duration::from_secs(10), socket.next()).await.unwrap() {
                Some(Ok(Message::Close(frame))) => panic!("a close frame: {frame:?}"),
                Some(Ok(_)) => {}
                end => break end,
            }
        };
        assert!(matches!(end, None | Some(Err(_))), "{kind}");
        assert_eq!(running.exchange.faults.counts()[kind], 1);
    }
    for kind in ["truncated", "garbage"] {
        let running = fast(10.0, &fault(&format!("kind = \"{kind}\"\npath = \"/ws\""))).await;
        let mut socket = connect(&running, stream).await;
        let Some(Message::Text(text)) = next(&mut socket).await else { panic!("a text") };
        assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
    }
}

#[tokio::test]
async fn streams_fall_silent_with_and_without_pings() {
    for pings in [true, false] {
        let plan = fault(&format!("kind = \"silent\"\npings = {pings}\nfrom = \"10s\"\nto = \"5m\""));
        let (running, clock) = standing(&plan).await;
        let mut socket = connect(&running, "/ws/btcusdt@miniTicker").await;
        let _ = text(&mut socket).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        clock.set(at(NOON) + SignedDuration::from_secs(9));
        let _ = text(&mut socket).await;
        // The spell begins, and is noticed at the next look.
        clock.set(at(NOON) + SignedDuration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(200)).await;
        while tokio::time::timeout(Duration::from_millis(100), socket.next()).await.is_ok() {}
        clock.set(at(NOON) + SignedDuration::from_secs(40));
        match tokio::time::timeout(Duration::from_millis(500), socket.next()).await {
            Ok(Some(Ok(message))) => assert!(pings && message.is_ping(), "{message}"),
            silent => assert!(!pings, "{silent:?}"),
        }
        clock.set(at(NOON) + SignedDuration::from_mins(6));
        let _ = text(&mut socket).await;
    }
}

#[tokio::test]
async fn maintenance_is_announced_before_connections_are_closed() {
    let plan = fault("kind = \"server_shutdown\"\nms = 8000\nfrom = \"1m\"\nto = \"2m\"");
    let (running, clock) = standing(&plan).await;
    let mut raw = connect(&running, "/ws").await;
    let mut combined = connect(&running, "/stream").await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    clock.set(at(NOON) + SignedDuration::from_mins(1));
    let event = json!({ "e": "serverShutdown", "E": at(NOON).as_millisecond() + 60_000 });
    assert_eq!(text(&mut raw).await, event);
    assert_eq!(text(&mut combined).await, json!({ "stream": "!serverShutdown", "data": event }));
    clock.set(at(NOON) + SignedDuration::from_secs(68));
    assert_eq!(u16::from(close_frame(&mut raw).await.unwrap().code), 1001);
    let (running, _) = standing(&fault("kind = \"rotation\"")).await;
    let mut socket = connect(&running, "/ws").await;
    assert_eq!(u16::from(close_frame(&mut socket).await.unwrap().code), 1001);
}

#[tokio::test]
async fn errors_are_flat_on_request() {
    use futures::SinkExt;
    let (running, _) = standing(&fault("kind = \"flat_errors\"")).await;
    let mut socket = connect(&running, "/ws").await;
    socket.send(Message::text(r#"{"method":"SUBSCRIBE","params":["x"],"id":1}"#)).await.unwrap();
    assert_eq!(text(&mut socket).await, json!({ "code": 2, "msg": "Invalid request: invalid stream" }));
}

#[tokio::test]
async fn the_same_requests_meet_the_same_faults() {
    let run = async || {
        let plan = "seed = 9\n[[fault]]\nkind = \"status\"\nstatus = 503\nshare = 0.3\n[[fault]]\nkind = \"garbage\"\nshare = 0.3";
        let (running, _) = standing(plan).await;
        let mut outcomes = Vec::new();
        for _ in 0..40 {
            outcomes.push(outcome(&running, "/api/v3/ping").await.unwrap());
        }
        (outcomes, running.exchange.faults.counts())
    };
    let (first, second) = (run().await, run().await);
    assert_eq!(first, second);
    assert!(first.1["status"] > 3 && first.1["garbage"] > 3);
}

#[tokio::test]
async fn a_storm_can_be_sat_through() {
    let plan = FaultPlan::storm(4);
    assert!(Faults::new(plan, at(NOON)).counts().len() > 15);
    let running = fast(600.0, include_str!("../../src/server/faults/storm.toml")).await;
    let mut whole = 0;
    for _ in 0..60 {
        let answer = outcome(&running, KLINES).await;
        whole += usize::from(answer.is_ok_and(|(_, body)| serde_json::from_str::<Value>(&body).is_ok()));
    }
    assert!(whole > 30, "{whole} of 60");
}

#[tokio::test]
async fn on_request_a_pong_must_repeat_its_ping() {
    use futures::SinkExt;
    for (plan, survives) in [("", true), ("[[fault]]\nkind = \"strict_pong\"", false)] {
        let (running, clock) = standing(plan).await;
        // Reads nothing, so that only these pongs are sent.
        let mut socket = connect(&running, "/ws").await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        clock.set(at(NOON) + SignedDuration::from_secs(21));
        tokio::time::sleep(Duration::from_millis(200)).await;
        socket.send(Message::Pong(Vec::new().into())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3200)).await;
        clock.set(at(NOON) + SignedDuration::from_secs(82));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut closed = false;
        while let Ok(Some(Ok(message))) = tokio::time::timeout(Duration::from_millis(300), socket.next()).await {
            closed |= message.is_close();
        }
        assert_eq!(closed, !survives, "{plan}");
    }
}
