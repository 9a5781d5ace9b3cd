//! Streams: following, connecting again, renewing without losing or doubling a bar.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use market::{Asset, Clock};
use sources::binance::{Binance, BinanceSettings};
use sources::{LiveEvent, LiveSource};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::server::{Server, Socket, refuse};
use super::{asset, clock, settings, start};

/// Somebody who follows until the test ends.
struct Following {
    events: mpsc::Receiver<LiveEvent>,
    token: CancellationToken,
    task: JoinHandle<()>,
}

fn follow(settings: BinanceSettings, clock: &Arc<dyn Clock>, assets: Vec<Asset>) -> Following {
    let binance = Binance::new(settings, Arc::clone(clock));
    let (sender, events) = mpsc::channel(1000);
    let token = CancellationToken::new();
    let own = token.clone();
    let task = tokio::spawn(async move { binance.follow(&assets, sender, own).await });
    Following { events, token, task }
}

impl Following {
    /// The next event in few words.
    async fn next(&mut self) -> String {
        let event = tokio::time::timeout(Duration::from_secs(20), self.events.recv()).await;
        match event.expect("something happens soon").expect("it is followed") {
            LiveEvent::Up => "up".to_owned(),
            LiveEvent::Down { reason, .. } => format!("down: {reason}"),
            LiveEvent::Bar { symbol, timeframe, bar } => format!("{symbol} {timeframe} {}", bar.open_time),
            LiveEvent::Price(price) => format!("{} {} at {}", price.symbol, price.price, price.event_time),
            LiveEvent::Refused { reason } => format!("refused: {reason}"),
            LiveEvent::Remark(remark) => format!("remark: {}", remark.text),
        }
    }

    async fn end(self) {
        self.token.cancel();
        tokio::time::timeout(Duration::from_secs(2), self.task).await.expect("it ends with its token").unwrap();
    }
}

/// The message of a minute bar that closed, the `n`-th of 2024.
fn bar(n: i64) -> String {
    let open = minute(n).as_millisecond();
    let close = open + 59_999;
    format!(
        r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{close},"s":"BTCUSDT","k":{{"t":{open},"T":{close},
        "s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"3","c":"3.5","h":"4","l":"2","v":"5","n":1,"x":true,"q":"0","V":"0",
        "Q":"0","B":"0"}}}}}}"#
    )
}

fn minute(n: i64) -> Timestamp {
    super::super::at("2024-01-01T00:00:00Z") + SignedDuration::from_mins(n)
}

fn bitcoin(n: i64) -> String {
    format!("BTC 1m {}", minute(n))
}

const PRICE: &str =
    r#"{"stream":"btcusdt@miniTicker","data":{"e":"24hrMiniTicker","E":1704067200000,"s":"BTCUSDT","c":"42000.5"}}"#;

#[tokio::test]
async fn it_follows_and_connects_again() {
    let server = Server::start(async |n, stream| {
        let mut socket = Socket::accept(stream, false).await;
        if n == 0 {
            let streams = socket.subscribed(4).await.concat();
            let expected = ["btcusdt@kline_1m", "btcusdt@kline_1h", "btcusdt@kline_1d", "btcusdt@miniTicker"];
            assert_eq!(streams, expected);
            socket.say(&bar(0)).await;
            socket.say(PRICE).await;
            socket.say(&bar(1).replace("true", "false")).await;
            socket.say("{}").await;
            socket.say(&PRICE.replace("BTC", "ETH")).await;
            // No goodbye: the connection just breaks.
            return;
        }
        let (id, _) = socket.request().await;
        // What comes before the answer is not lost, and what was told is not told again.
        socket.say(&bar(0)).await;
        socket.say(&bar(2)).await;
        socket.say(&format!(r#"{{"result":null,"id":{id}}}"#)).await;
        socket.idle().await;
    })
    .await;
    let clock = clock(20.0);
    let mut following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock, vec![asset("BTC")]);
    assert_eq!(following.next().await, "up");
    assert_eq!(following.next().await, bitcoin(0));
    assert_eq!(following.next().await, "BTC 42000.5 at 2024-01-01T00:00:00Z");
    assert_eq!(following.next().await, "refused: neither an event nor an answer");
    assert_eq!(following.next().await, "refused: \"ETHUSDT\" is no pair that is followed");
    assert!(following.next().await.starts_with("down: the connection"));
    assert_eq!(following.next().await, "up");
    assert_eq!(following.next().await, bitcoin(2));
    following.end().await;
}

/// Every bar goes to all connections, to the older ones later; the client must tell each once, whatever happens.
async fn every_bar_is_told_once(speed: f64, shuts_down: bool) {
    let (told, _) = broadcast::channel::<String>(10_000);
    let n_connections = Arc::new(AtomicUsize::new(0));
    let (teller, counter) = (told.clone(), Arc::clone(&n_connections));
    let server = Server::start(move |n, stream| {
        let (mut heard, counter) = (teller.subscribe(), Arc::clone(&counter));
        async move {
            let mut socket = Socket::accept(stream, false).await;
            socket.subscribed(4).await;
            counter.store(n + 1, Ordering::SeqCst);
            for nth in 0.. {
                let Ok(text) = heard.recv().await else { return };
                if n.is_multiple_of(2) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                socket.say(&text).await;
                if shuts_down && nth == 20 && n < 2 {
                    socket.say(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#).await;
                }
            }
        }
    })
    .await;
    let clock = clock(speed);
    let mut following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock, vec![asset("BTC")]);
    assert_eq!(following.next().await, "up");
    let feed = tokio::spawn(async move {
        for n in 0.. {
            let _ = told.send(bar(n));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let first = following.next().await;
    let first = (0..100).find(|n| bitcoin(*n) == first).expect("a bar");
    let mut after_third = 0;
    for n in first + 1..first + 2000 {
        assert_eq!(following.next().await, bitcoin(n), "in order, none lost, none twice");
        after_third += usize::from(n_connections.load(Ordering::SeqCst) >= 3);
        // Through the second overlap and beyond it.
        if after_third > 200 {
            break;
        }
    }
    assert!(after_third > 200, "there were three connections");
    feed.abort();
    following.end().await;
}

#[tokio::test]
async fn connections_are_renewed_without_losing_a_bar() {
    // 23 hours pass in a second and a half.
    every_bar_is_told_once(55_200.0, false).await;
}

#[tokio::test]
async fn a_server_that_shuts_down_is_left_without_losing_a_bar() {
    every_bar_is_told_once(20.0, true).await;
}

#[tokio::test]
async fn pings_are_answered_with_what_they_carry() {
    let (sender, pong) = oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let server = Server::start(move |_, stream| {
        let sender = sender.lock().unwrap().take().unwrap();
        async move {
            let mut socket = Socket::accept(stream, false).await;
            socket.subscribed(4).await;
            socket.0.send(Message::Ping("1704067200000".into())).await.unwrap();
            let answer = socket.0.next().await.unwrap().unwrap();
            sender.send(answer).unwrap();
            socket.idle().await;
        }
    })
    .await;
    let clock = clock(1.0);
    let following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock, vec![asset("BTC")]);
    let answer = tokio::time::timeout(Duration::from_secs(10), pong).await.unwrap().unwrap();
    assert_eq!(answer, Message::Pong("1704067200000".into()));
    following.end().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_left() {
    let server = Server::start(async |n, stream| {
        let mut socket = Socket::accept(stream, false).await;
        socket.subscribed(4).await;
        if n == 1 {
            socket.say(&bar(7)).await;
        }
        socket.idle().await;
    })
    .await;
    let clock = clock(30.0);
    let mut following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock, vec![asset("BTC")]);
    assert_eq!(following.next().await, "up");
    let down = following.next().await;
    assert!(down.starts_with("down: 127.0.0.1:") && down.ends_with("said nothing for 1m"), "{down}");
    assert!(clock.now().duration_since(start()) >= SignedDuration::from_secs(60));
    assert_eq!(following.next().await, "up");
    assert_eq!(following.next().await, bitcoin(7));
    following.end().await;
}

#[tokio::test]
async fn a_host_that_does_not_serve_this_place_is_passed_over() {
    let restricted = Server::start(async |_, stream| refuse(stream, 451, "").await).await;
    let good = Server::start(async |_, stream| {
        let mut socket = Socket::accept(stream, false).await;
        socket.subscribed(4).await;
        socket.idle().await;
    })
    .await;
    let clock = clock(100.0);
    let both = settings(Vec::new(), vec![restricted.stream_url(), good.stream_url()]);
    let mut following = follow(both, &clock, vec![asset("BTC")]);
    assert_eq!(following.next().await, "up");
    following.end().await;

    let mut following = follow(settings(Vec::new(), vec![restricted.stream_url()]), &clock, vec![asset("BTC")]);
    let LiveEvent::Down { reason, until } = following.events.recv().await.unwrap() else { panic!("it is down") };
    assert!(reason.contains("binanceus") && reason.contains("data-stream.binance.vision"), "{reason}");
    assert!(until.duration_since(clock.now()) > SignedDuration::from_mins(50), "{until}");
    following.end().await;
}

#[tokio::test]
async fn what_refuses_or_misunderstands_is_tried_again() {
    let check = async |nth: usize, expected: &str| {
        let server = Server::start(move |n, stream| async move {
            if n > 0 {
                let mut socket = Socket::accept(stream, false).await;
                socket.subscribed(4).await;
                return socket.idle().await;
            }
            match nth {
                0 => refuse(stream, 503, "").await,
                1 => refuse(stream, 429, "retry-after: 30\r\n").await,
                2 => drop(stream),
                3 | 4 => {
                    let mut socket = Socket::accept(stream, false).await;
                    let (id, _) = socket.request().await;
                    let fault = r#""code":2,"msg":"Invalid request: invalid stream""#;
                    let nested = format!(r#"{{"error":{{{fault}}},"id":{id}}}"#);
                    let flat = format!("{{{fault}}}");
                    socket.say(if nth == 3 { &nested } else { &flat }).await;
                    socket.idle().await;
                }
                5 => {
                    let mut socket = Socket::accept(stream, false).await;
                    socket.request().await;
                    socket.idle().await;
                }
                _ => {
                    let mut socket = Socket::accept(stream, false).await;
                    socket.request().await;
                    socket.say(&" ".repeat(2 << 20)).await;
                    socket.idle().await;
                }
            }
        })
        .await;
        let clock = clock(50.0);
        let mut following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock, vec![asset("BTC")]);
        let down = following.next().await;
        assert!(down.starts_with("down: 127.0.0.1:") && down.contains(expected), "{down}");
        let before = clock.now();
        assert_eq!(following.next().await, "up");
        let waited = clock.now().duration_since(before);
        assert!(nth != 1 || waited >= SignedDuration::from_secs(28), "{waited}");
        following.end().await;
    };
    check(0, "answered 503: said").await;
    check(1, "asked too often (status 429)").await;
    check(2, "cannot be reached").await;
    check(3, "Invalid request: invalid stream (code 2)").await;
    check(4, "Invalid request: invalid stream (code 2)").await;
    check(5, "was not answered in time").await;
    check(6, "Space limit exceeded").await;
}

#[tokio::test]
async fn a_simulated_market_is_taken_only_where_it_is_meant() {
    let server = Server::start(async |_, stream| {
        let mut socket = Socket::accept(stream, true).await;
        socket.subscribed(4).await;
        socket.idle().await;
    })
    .await;
    let clock = clock(1.0);
    let mut real = settings(Vec::new(), vec![server.stream_url()]);
    let mut following = follow(real.clone(), &clock, vec![asset("BTC")]);
    assert!(following.next().await.contains("is a simulated market"));
    following.end().await;
    real.http.simulated = true;
    let mut following = follow(real, &clock, vec![asset("BTC")]);
    assert_eq!(following.next().await, "up");
    following.end().await;
}

#[tokio::test]
async fn a_full_connection_is_subscribed_in_parts() {
    let server = Server::start(async |_, stream| {
        let mut socket = Socket::accept(stream, false).await;
        let requests = socket.subscribed(1024).await;
        assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 200, 200, 200, 24]);
        socket.say(PRICE).await;
        socket.idle().await;
    })
    .await;
    let clock = clock(20.0);
    let mut assets = vec![asset("BTC"), asset("NVDA")];
    for n in 0..257 {
        let symbol: market::Symbol = format!("COIN{n}").parse().unwrap();
        assets.push(Asset { source_symbol: format!("{symbol}USDT"), symbol, ..asset("BTC") });
    }
    let mut following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock, assets);
    let expected = [
        "remark: binance does not follow NVDA: it has no pair for NVDA in USD",
        "remark: binance does not follow COIN255: one connection follows 256 assets at most",
        "remark: binance does not follow COIN256: one connection follows 256 assets at most",
        "up",
        "BTC 42000.5 at 2024-01-01T00:00:00Z",
    ];
    for expected in expected {
        assert_eq!(following.next().await, expected);
    }
    following.end().await;
}

#[tokio::test]
async fn a_bar_that_has_not_closed_by_our_clock_waits_or_is_refused() {
    let now = start();
    let n = now.duration_since(minute(0)).as_mins();
    let server = Server::start(move |_, stream| async move {
        let mut socket = Socket::accept(stream, false).await;
        socket.subscribed(4).await;
        socket.say(&bar(n + 10)).await;
        socket.say(&bar(n)).await;
        socket.idle().await;
    })
    .await;
    // The minute is over in three seconds.
    let clock: Arc<dyn Clock> = Arc::new(market::AcceleratedClock::new(now, 20.0));
    let mut following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock, vec![asset("BTC")]);
    assert_eq!(following.next().await, "up");
    let refused = following.next().await;
    assert!(refused.starts_with("refused: the 1m bar of BTC said to have closed closes at"), "{refused}");
    assert_eq!(following.next().await, bitcoin(n));
    assert!(clock.now() >= now + SignedDuration::from_mins(1));
    following.end().await;
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    let server = Server::start(async |_, stream| {
        let mut socket = Socket::accept(stream, false).await;
        socket.subscribed(4).await;
        socket.say(&bar(0)).await;
        socket.idle().await;
    })
    .await;
    for assets in [vec![asset("BTC")], vec![asset("NVDA")], Vec::new()] {
        let following = follow(settings(Vec::new(), vec![server.stream_url()]), &clock(10.0), assets);
        drop(following.events);
        tokio::time::timeout(Duration::from_secs(10), following.task).await.expect("it ends").unwrap();
    }
}

/// Prices give way when nobody takes them; bars do not.
#[tokio::test]
async fn a_slow_listener_loses_prices_only() {
    let server = Server::start(async |_, stream| {
        let mut socket = Socket::accept(stream, false).await;
        socket.subscribed(4).await;
        for n in 0..20 {
            for _ in 0..20 {
                socket.say(PRICE).await;
            }
            socket.say(&bar(n)).await;
        }
        socket.idle().await;
    })
    .await;
    let binance = Binance::new(settings(Vec::new(), vec![server.stream_url()]), clock(10.0));
    let (sender, mut events) = mpsc::channel(2);
    let token = CancellationToken::new();
    let listen = async {
        let (mut bars, mut prices) = (Vec::new(), 0);
        tokio::time::sleep(Duration::from_millis(500)).await;
        while bars.len() < 20 {
            match events.recv().await.unwrap() {
                LiveEvent::Bar { bar, .. } => bars.push(bar.open_time),
                LiveEvent::Price(_) => prices += 1,
                LiveEvent::Up => {}
                other => panic!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        token.cancel();
        (bars, prices)
    };
    let assets = [asset("BTC")];
    let ((bars, prices), ()) = tokio::join!(listen, binance.follow(&assets, sender, token.clone()));
    assert_eq!(bars, (0..20).map(minute).collect::<Vec<_>>());
    assert!(prices < 400, "{prices}");
}
