//! What is streamed as Yahoo.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt, StreamExt};
use market::{AcceleratedClock, Clock};
use prost::Message as _;
use simulator::server::{FaultPlan, Faults};
use tokio_tungstenite::tungstenite::Message;

use super::at;
use super::yahoo_server::{in_session, small, small_at, start};

/// What these tests read of a trade.
#[derive(Clone, PartialEq, prost::Message)]
struct Trade {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(float, tag = "2")]
    price: f32,
    #[prost(sint64, tag = "3")]
    time: i64,
    #[prost(int32, tag = "6")]
    quote_type: i32,
    #[prost(int32, tag = "7")]
    market_hours: i32,
    #[prost(sint64, tag = "9")]
    day_volume: i64,
}

struct Client {
    socket: tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
}

impl Client {
    async fn connect(base: &str, path: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("{base}{path}")).await.unwrap();
        Self { socket }
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next text, or nothing for a while.
    async fn hear(&mut self, wait: Duration) -> Option<String> {
        let next = tokio::time::timeout(wait, self.socket.next()).await.ok()??;
        Some(next.unwrap().into_text().unwrap().to_string())
    }

    async fn trade(&mut self) -> Trade {
        let text = self.hear(Duration::from_secs(10)).await.expect("a trade");
        let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(frame["type"], "pricing");
        decode(frame["message"].as_str().unwrap())
    }
}

fn decode(message: &str) -> Trade {
    Trade::decode(STANDARD.decode(message).unwrap().as_slice()).unwrap()
}

#[tokio::test]
async fn trades_of_subscribed_symbols_come_while_they_trade() {
    let served = small_at(in_session()).await;
    let mut client = Client::connect(&served.ws(), "/?version=2").await;
    client.say(r#"{"subscribe":["COIN-USD","acme","NOPE","CPIAUCSL"]}"#).await;
    let (first, second) = (client.trade().await, client.trade().await);
    assert_eq!((first.id.as_str(), second.id.as_str()), ("ACME", "COIN-USD"));
    assert_eq!((first.quote_type, second.quote_type), (8, 41));
    assert_eq!((first.market_hours, first.time), (1, in_session().as_millisecond()));
    assert!(first.price > 0.0 && first.day_volume > 0);
    assert_eq!(client.hear(Duration::from_millis(400)).await, None, "time stands still, and nothing is told twice");

    served.clock.set(at("2026-03-18T15:47:24Z"));
    let later = client.trade().await;
    assert_eq!((later.id.as_str(), later.time), ("ACME", at("2026-03-18T15:47:24Z").as_millisecond()));
    assert!(later.day_volume >= first.day_volume);
    client.trade().await;

    // After the close coins trade on.
    client.say("what is this").await;
    served.clock.set(at("2026-03-18T20:00:10Z"));
    client.say(r#"{"subscribe":["COIN-USD"]}"#).await;
    assert_eq!(client.trade().await.id, "COIN-USD");
    client.say(r#"{"unsubscribe":["COIN-USD"]}"#).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    served.clock.set(at("2026-03-18T20:00:20Z"));
    assert_eq!(client.hear(Duration::from_millis(400)).await, None);
}

#[tokio::test]
async fn the_first_version_sends_the_bare_message() {
    let served = small_at(in_session()).await;
    let mut client = Client::connect(&served.ws(), "/").await;
    client.say(r#"{"subscribe":["ACME"]}"#).await;
    let text = client.hear(Duration::from_secs(10)).await.unwrap();
    assert_eq!(decode(&text).id, "ACME");
}

#[tokio::test]
async fn who_does_not_repeat_is_forgotten() {
    // A minute there is half a second here: five real seconds are what counts.
    let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(in_session(), 120.0));
    let running = start(small(), clock, 120.0, Faults::default()).await;
    let mut client = Client::connect(&running.ws(), "/?version=2").await;
    client.say(r#"{"subscribe":["COIN-USD"]}"#).await;
    let told = tokio::time::Instant::now();
    let mut trades = 0;
    while client.hear(Duration::from_millis(1500)).await.is_some() {
        trades += 1;
        assert!(told.elapsed() < Duration::from_secs(9), "still talking");
    }
    assert!(told.elapsed() > Duration::from_secs(5), "forgotten too soon");
    assert!((5..=110).contains(&trades), "{trades} in five seconds: not more often than every 50 ms");
    client.say(r#"{"subscribe":["COIN-USD"]}"#).await;
    client.trade().await;
}

#[tokio::test]
async fn frames_go_wrong_as_planned() {
    let check = async |kind: &str, goes_wrong: &dyn Fn(Option<String>) -> bool| {
        let plan = FaultPlan::parse(&format!("[[fault]]\nkind = \"{kind}\"\nservice = \"yahoo\"\n")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(in_session(), 1.0));
        let running = start(small(), clock, 1.0, Faults::new(plan, in_session())).await;
        let mut client = Client::connect(&running.ws(), "/?version=2").await;
        client.say(r#"{"subscribe":["COIN-USD"]}"#).await;
        let next = tokio::time::timeout(Duration::from_millis(1500), client.socket.next()).await;
        let text = match next {
            Ok(Some(Ok(Message::Text(text)))) => Some(text.to_string()),
            Ok(_) => None,
            Err(_) => Some(String::new()),
        };
        assert!(goes_wrong(text.clone()), "{kind}: {text:?}");
    };
    let broken = |text: Option<String>| {
        text.is_some_and(|text| !text.is_empty() && serde_json::from_str::<serde_json::Value>(&text).is_err())
    };
    check("truncated", &broken).await;
    check("garbage", &broken).await;
    check("cut", &|text| text.is_none()).await;
    check("half_frame", &|text| text.is_none()).await;
    check("rotation", &|text| text.is_none()).await;
    check("silent", &|text| text.is_some_and(|text| text.is_empty())).await;
}

#[tokio::test]
async fn sockets_end_with_the_server() {
    let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(in_session(), 1.0));
    let running = start(small(), clock, 1.0, Faults::default()).await;
    let mut client = Client::connect(&running.ws(), "/?version=2").await;
    client.say(r#"{"subscribe":["COIN-USD"]}"#).await;
    client.trade().await;
    running.stop().await.unwrap();
    let ended = async { while let Some(Ok(_)) = client.socket.next().await {} };
    tokio::time::timeout(Duration::from_secs(5), ended).await.expect("the socket ends");
}
