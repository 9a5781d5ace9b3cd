//! Asking and following, against vendors on loopback.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use jiff::SignedDuration;
use market::{AcceleratedClock, Asset, AssetKind, Clock, ManualClock, Timeframe};
use serde_json::{Value, json};
use sources::http::HttpSettings;
use sources::pace::{Budget, Patience};
use sources::yahoo::{Yahoo, YahooSettings};
use sources::{DataSource, Failure, Fetched, LiveEvent, LiveSource, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::at;
use super::yahoo_chart::{asset, body, cells};

/// Status, headers but length, body.
type Reply = (u16, String, Vec<u8>);

fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    (status, String::new(), body.into())
}

/// A vendor on loopback that answers each request by its head, and remembers what it was asked.
struct Vendor {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Vendor {
    async fn new(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                tokio::spawn(async move {
                    let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
                    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                        match socket.read(&mut chunk).await {
                            Ok(n) if n > 0 => head.extend_from_slice(&chunk[..n]),
                            _ => return,
                        }
                    }
                    let head = String::from_utf8(head).unwrap();
                    let n = {
                        let mut log = log.lock().unwrap();
                        log.push(head.clone());
                        log.len()
                    };
                    let (status, headers, body) = answer(&head, n);
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
                    );
                    let _ = socket.write_all(head.as_bytes()).await;
                    let _ = socket.write_all(&body).await;
                });
            }
        });
        Self { base, asked }
    }

    /// The first lines of what was asked, without method and version.
    fn asked(&self) -> Vec<String> {
        let target = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
        self.asked.lock().unwrap().iter().map(target).collect()
    }
}

fn url(text: String) -> Url {
    Url::parse(&text).unwrap()
}

/// Settings that lead nowhere but to this vendor.
fn settings(vendor: &Vendor) -> YahooSettings {
    let base = &vendor.base;
    YahooSettings {
        query: vec![url(format!("{base}/q2")), url(format!("{base}/q1"))],
        cookie: url(format!("{base}/fc")),
        site: url(format!("{base}/site")),
        streamer: url(base.replace("http", "ws")),
        http: HttpSettings { timeout: Duration::from_secs(5), ..YahooSettings::default().http },
        patience: Patience { first: Duration::from_secs(1), longest: Duration::from_secs(5), times: 2 },
        ..YahooSettings::default()
    }
}

const NOW: &str = "2025-12-05T12:00:00Z";

fn fast() -> Arc<dyn Clock> {
    Arc::new(AcceleratedClock::new(at(NOW), 1000.0))
}

fn yahoo(settings: YahooSettings, clock: &Arc<dyn Clock>) -> Yahoo {
    let budget = Budget::new(Arc::clone(clock), Duration::from_millis(500), NonZeroU32::new(100).unwrap());
    Yahoo::new(settings, budget, Arc::clone(clock))
}

fn apple() -> Asset {
    asset("AAPL", AssetKind::Equity, "USD")
}

async fn fetch(yahoo: &Yahoo, asset: &Asset, timeframe: Timeframe, from: &str, to: &str) -> Result<Fetched, Failure> {
    yahoo.fetch(&Request { asset, timeframe, from: at(from), to: at(to) }).await
}

async fn fetch_days(yahoo: &Yahoo) -> Result<Fetched, Failure> {
    fetch(yahoo, &apple(), Timeframe::D1, "2025-12-01T00:00:00Z", "2025-12-05T00:00:00Z").await
}

fn two_days() -> Vec<u8> {
    let rows = [cells("2025-12-01T14:30:00Z", 10.0, 5.0), cells("2025-12-02T14:30:00Z", 10.5, 5.0)];
    body(json!({}), &rows, Value::Null)
}

fn error(code: &str, description: &str) -> String {
    json!({"chart": {"result": null, "error": {"code": code, "description": description}}}).to_string()
}

#[tokio::test]
async fn a_chart_is_asked_for_past_the_present_with_room_before() {
    let vendor = Vendor::new(|_, _| reply(200, two_days())).await;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(at(NOW)));
    let yahoo = yahoo(settings(&vendor), &clock);
    let index = asset("VIX", AssetKind::Index, "points");
    let fetched = fetch(&yahoo, &index, Timeframe::D1, "2025-12-01T00:00:00Z", "2025-12-02T00:00:00Z").await.unwrap();
    assert_eq!(fetched.bars.len(), 1);
    let (from, to) = (at("2025-10-17T00:00:00Z").as_second(), at(NOW).as_second() + 86_400);
    let expected = format!(
        "/q2/v8/finance/chart/%5EVIX?period1={from}&period2={to}&interval=1d&includePrePost=false&events=div%2Csplits"
    );
    assert_eq!(vendor.asked(), [expected]);
    assert!(vendor.asked.lock().unwrap()[0].to_lowercase().contains("user-agent: mozilla/5.0"));
}

#[tokio::test]
async fn minutes_are_asked_for_in_parts_and_never_beyond_reach() {
    let vendor = Vendor::new(|_, _| reply(400, error("Bad Request", "Data doesn't exist for startDate = 1"))).await;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(at(NOW)));
    let yahoo = yahoo(settings(&vendor), &clock);
    let fetched = fetch(&yahoo, &apple(), Timeframe::M1, "2025-01-01T00:00:00Z", NOW).await.unwrap();
    assert_eq!(fetched, Fetched::default());
    let asked = vendor.asked();
    assert_eq!(asked.len(), 5);
    for (part, target) in (0_i32..).zip(&asked) {
        let from = at(NOW) - SignedDuration::from_hours(29 * 24) + SignedDuration::from_hours(6 * 24) * part;
        assert!(target.contains(&format!("period1={}&", from.as_second())), "{target}");
    }
    for timeframe in [Timeframe::M1, Timeframe::H1] {
        let nothing = fetch(&yahoo, &apple(), timeframe, "2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z").await.unwrap();
        assert_eq!(nothing, Fetched::default());
    }
    assert_eq!(vendor.asked().len(), 5);
    for timeframe in [Timeframe::H4, Timeframe::W1] {
        assert_eq!(yahoo.reach(&apple(), timeframe), None);
        let failure = fetch(&yahoo, &apple(), timeframe, "2025-01-01T00:00:00Z", NOW).await.unwrap_err();
        assert!(matches!(failure, Failure::NotOffered { .. }));
    }
}

/// What one answer, given again and again, ends in, and how often it is asked for.
async fn check(status: u16, body: impl Into<Vec<u8>>, expected: &str, n_asked: usize) {
    let body = body.into();
    let vendor = Vendor::new(move |_, _| reply(status, body.clone())).await;
    let yahoo = yahoo(settings(&vendor), &fast());
    let outcome = match fetch_days(&yahoo).await {
        Ok(fetched) => format!("{} bars", fetched.bars.len()),
        Err(failure) => format!("{failure:?}").split([' ', '{']).next().unwrap().to_owned(),
    };
    assert_eq!((outcome.as_str(), vendor.asked().len()), (expected, n_asked), "{status}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let range =
        "1h data not available for startTime=1 and endTime=2. The requested range must be within the last 730 days.";
    check(200, two_days(), "2 bars", 1).await;
    check(404, error("Not Found", "No data found, symbol may be delisted"), "Unknown", 1).await;
    check(200, error("Not Found", "No data found, symbol may be delisted"), "Unknown", 1).await;
    check(400, error("Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"), "0 bars", 1).await;
    check(400, error("Bad Request", "Invalid input - interval=7m is not supported."), "Refused", 1).await;
    check(422, error("Unprocessable Entity", range), "Refused", 1).await;
    check(429, "Too Many Requests\r\n", "Limited", 1).await;
    check(429, "Edge: Too Many Requests", "Limited", 1).await;
    check(403, "no", "Refused", 1).await;
    check(302, "", "Refused", 1).await;
    check(503, "<html>Will be right back</html>", "Server", 3).await;
    check(404, "<!doctype html><p>Will be right back", "Server", 3).await;
    check(200, "", "Malformed", 3).await;
}

#[tokio::test]
async fn another_host_is_asked_when_one_is_out_of_order() {
    let vendor =
        Vendor::new(|head, _| if head.contains("/q2/") { reply(503, "<html>") } else { reply(200, two_days()) }).await;
    let yahoo = yahoo(settings(&vendor), &fast());
    for _ in 0..2 {
        assert_eq!(fetch_days(&yahoo).await.unwrap().bars.len(), 2);
    }
    let hosts: Vec<String> = vendor.asked().iter().map(|target| target[..3].to_owned()).collect();
    assert_eq!(hosts, ["/q2", "/q1", "/q1"]);
}

#[tokio::test]
async fn yahoo_is_left_alone_when_it_asks_for_it() {
    let vendor =
        Vendor::new(|_, n| if n <= 2 { reply(429, "Too Many Requests\r\n") } else { reply(200, two_days()) }).await;
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let yahoo = yahoo(settings(&vendor), &shared);
    let rest = |outcome: Result<Fetched, Failure>| outcome.unwrap_err().retry_after().unwrap().as_secs();
    assert_eq!(rest(fetch_days(&yahoo).await), 60);
    clock.set(at(NOW) + SignedDuration::from_secs(20));
    assert_eq!(rest(fetch_days(&yahoo).await), 40);
    assert_eq!(vendor.asked().len(), 1, "nothing is asked meanwhile");
    clock.set(at(NOW) + SignedDuration::from_secs(60));
    assert_eq!(rest(fetch_days(&yahoo).await), 120);
    clock.set(at(NOW) + SignedDuration::from_secs(180));
    assert_eq!(fetch_days(&yahoo).await.unwrap().bars.len(), 2);
    assert_eq!(vendor.asked().len(), 3);
}

#[tokio::test]
async fn a_simulated_market_is_not_taken_for_the_real_one() {
    let simulated = |_: &str, _| (200, "x-auspex-simulated: run;0;1\r\n".to_owned(), two_days());
    let vendor = Vendor::new(simulated).await;
    let failure = fetch_days(&yahoo(settings(&vendor), &fast())).await.unwrap_err();
    assert!(matches!(failure, Failure::Simulated { .. }));
    let mut settings = settings(&vendor);
    settings.http.simulated = true;
    assert_eq!(fetch_days(&yahoo(settings, &fast())).await.unwrap().bars.len(), 2);
}

/// Events of a source that follows Apple and a stable coin, until `n` have come.
async fn events(settings: YahooSettings, n: usize) -> Vec<LiveEvent> {
    let yahoo = yahoo(settings, &fast());
    let assets = [apple(), asset("USDT", AssetKind::Stable, "USD"), asset("BTC", AssetKind::Coin, "USDT")];
    let (sender, mut receiver) = mpsc::channel(100);
    let token = CancellationToken::new();
    let mut events = Vec::new();
    let follow = yahoo.follow(&assets, sender, token.clone());
    let collect = async {
        while events.len() < n {
            events.push(receiver.recv().await.unwrap());
        }
        token.cancel();
    };
    let both = async { tokio::join!(follow, collect) };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("that many events come, and following ends");
    events
}

fn shown(events: &[LiveEvent]) -> Vec<String> {
    let show = |event: &LiveEvent| match event {
        LiveEvent::Up => "up".to_owned(),
        LiveEvent::Down { .. } => "down".to_owned(),
        LiveEvent::Price(price) => format!("{} {} {}", price.symbol, price.price, price.event_time),
        LiveEvent::Refused { reason } => format!("refused {reason}"),
        LiveEvent::Remark(remark) => format!("{} {}", remark.kind, remark.text),
        LiveEvent::Bar { .. } => "bar".to_owned(),
    };
    events.iter().map(show).collect()
}

/// A message of version 1 or 2.
fn pricing(id: &str, price: f32, market_hours: u8, version: u8) -> String {
    use base64::Engine as _;
    let mut bytes = vec![0x0a, id.len() as u8];
    bytes.extend_from_slice(id.as_bytes());
    bytes.push(0x15);
    bytes.extend_from_slice(&price.to_le_bytes());
    // A second after the epoch: 1000 ms is 2000 in zig-zag, 0x7d0.
    bytes.extend_from_slice(&[0x18, 0xd0, 0x0f]);
    if market_hours != 0 {
        bytes.extend_from_slice(&[0x38, market_hours]);
    }
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if version == 1 { text } else { json!({"type": "pricing", "message": text}).to_string() }
}

#[tokio::test]
async fn prices_are_followed_and_the_stream_connected_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let subscriptions = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&subscriptions);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(socket).await.unwrap();
            let subscription = socket.next().await.unwrap().unwrap();
            heard.lock().unwrap().push(subscription.into_text().unwrap().to_string());
            let messages = [
                pricing("AAPL", 24.535, 1, 2),
                pricing("AAPL", 25.0, 0, 2),
                pricing("USDT-USD", 0.9998, 3, 1),
                pricing("MSFT", 1.0, 1, 2),
                pricing("AAPL", -1.0, 1, 2),
                "nonsense".to_owned(),
            ];
            for message in messages {
                socket.send(Message::text(message)).await.unwrap();
            }
            // The subscription is said again.
            let again = socket.next().await.unwrap().unwrap();
            heard.lock().unwrap().push(again.into_text().unwrap().to_string());
            let _ = socket.close(None).await;
        }
    });
    let nobody = Vendor::new(|_, _| reply(404, "")).await;
    let streamer = url(format!("ws://{address}/?version=2"));
    let events = events(YahooSettings { streamer, ..settings(&nobody) }, 9).await;
    let second = "1970-01-01T00:00:01Z";
    let shown = shown(&events);
    assert_eq!(shown[..2], ["up".to_owned(), format!("AAPL 24.535 {second}")]);
    assert_eq!(shown[2], format!("USDT 0.9998 {second}"));
    assert_eq!(shown[3], "refused \"MSFT\" is not followed");
    assert_eq!(shown[4], "refused AAPL: -1 is no price");
    assert!(shown[5].starts_with("refused "), "{}", shown[5]);
    assert_eq!(shown[6..], ["down".to_owned(), "up".to_owned(), format!("AAPL 24.535 {second}")]);
    let said = subscriptions.lock().unwrap().clone();
    assert!(said.len() >= 2 && said.iter().all(|text| text == r#"{"subscribe":["AAPL","USDT-USD"]}"#), "{said:?}");
}

#[tokio::test]
async fn last_prices_are_asked_for_while_there_is_no_stream() {
    let vendor = Vendor::new(|head, _| {
        let cookie = |value: &str| format!("set-cookie: A3={value}; Max-Age=31536000; Domain=.yahoo.com; Secure\r\n");
        let target = head.split(' ').nth(1).unwrap();
        let lower = head.to_lowercase();
        match target.split('?').next().unwrap() {
            "/fc" => (404, cookie("abc"), Vec::new()),
            path if path.ends_with("/v1/test/getcrumb") && lower.contains("cookie: a3=abc") => reply(200, "a.b/c"),
            path if path.ends_with("/v7/finance/quote") && target.contains("crumb=a.b%2Fc") => {
                let quote = json!([
                    {"symbol": "AAPL", "regularMarketPrice": 244.6, "regularMarketTime": 1_739_566_800},
                    {"symbol": "USDT-USD", "quoteType": "NONE"},
                ]);
                reply(200, json!({"quoteResponse": {"result": quote, "error": null}}).to_string())
            }
            _ => reply(500, ""),
        }
    })
    .await;
    let events = events(settings(&vendor), 6).await;
    let shown = shown(&events);
    assert_eq!(
        shown[..4],
        ["down", "down", "down", "down the stream cannot be had: last prices are asked for instead"]
    );
    assert_eq!(shown[4], "AAPL 244.6 2025-02-14T21:00:00Z");
    let targets = vendor.asked();
    let n = |part: &str| targets.iter().filter(|target| target.contains(part)).count();
    assert_eq!((n("/fc"), n("getcrumb")), (1, 1));
    assert!(targets.iter().any(|target| target.contains("symbols=AAPL%2CUSDT-USD")));
}

#[tokio::test]
async fn consent_is_given_where_the_cookie_is_not() {
    let vendor = Vendor::new(|head, _| {
        let target = head.split(' ').nth(1).unwrap();
        let lower = head.to_lowercase();
        let leads = |to: &str, cookie: &str| (302, format!("location: {to}\r\nset-cookie: {cookie}\r\n"), Vec::new());
        match target.split('?').next().unwrap() {
            "/fc" => reply(200, ""),
            "/site" if lower.contains("a1=y") => reply(200, "<html>welcome</html>"),
            "/site" => leads("/consent?sessionId=s", "GUCS=x; Path=/"),
            "/consent" if head.starts_with("POST") => leads("/site?again", "A1=y; Secure"),
            "/consent" => {
                let form = r#"<form method="post"><input type="hidden" name="csrfToken" value="t"></form>"#;
                reply(200, form)
            }
            path if path.ends_with("getcrumb") && lower.contains("gucs=x; a1=y") => reply(200, "crumb"),
            path if path.ends_with("quote") => {
                let quote = json!([{"symbol": "AAPL", "regularMarketPrice": 1.5, "regularMarketTime": 1}]);
                reply(200, json!({"quoteResponse": {"result": quote, "error": null}}).to_string())
            }
            _ => reply(500, ""),
        }
    })
    .await;
    let events = events(settings(&vendor), 5).await;
    assert_eq!(shown(&events)[4], "AAPL 1.5 1970-01-01T00:00:01Z", "{:?}", vendor.asked());
}

/// What a follower without a stream is told when crumbs are good for `uses` quotes each.
async fn polled(uses: usize, n_events: usize) -> (Vec<String>, usize, usize) {
    let (crumbs, quotes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let vendor = Vendor::new(move |head, _| {
        let target = head.split(' ').nth(1).unwrap();
        let n_crumbs = crumbs.load(Ordering::Relaxed);
        match target.split('?').next().unwrap() {
            "/fc" => (404, "set-cookie: A3=abc\r\n".to_owned(), Vec::new()),
            path if path.ends_with("getcrumb") => {
                crumbs.fetch_add(1, Ordering::Relaxed);
                reply(200, format!("crumb{}", n_crumbs + 1))
            }
            path if path.ends_with("quote") => {
                let is_newest = target.ends_with(&format!("crumb=crumb{n_crumbs}"));
                if is_newest && quotes.load(Ordering::Relaxed) < n_crumbs * uses {
                    let time = quotes.fetch_add(1, Ordering::Relaxed);
                    let quote = json!([{"symbol": "AAPL", "regularMarketPrice": 1.5, "regularMarketTime": time}]);
                    return reply(200, json!({"quoteResponse": {"result": quote, "error": null}}).to_string());
                }
                let said = json!({"code": "Unauthorized", "description": "Invalid Crumb"});
                reply(401, json!({"finance": {"result": null, "error": said}}).to_string())
            }
            _ => reply(500, ""),
        }
    })
    .await;
    let mut told = shown(&events(settings(&vendor), n_events).await);
    told.retain(|event| event != "down");
    let n = |part: &str| vendor.asked().iter().filter(|target| target.contains(part)).count();
    (told, n("getcrumb"), n("/v7/finance/quote"))
}

#[tokio::test]
async fn a_crumb_that_is_not_valid_any_more_is_replaced_once() {
    // The second quote is refused, and had with a new crumb.
    let (told, n_crumbs, n_quotes) = polled(1, 7).await;
    let prices = |told: &[String]| told.iter().filter(|event| event.starts_with("AAPL")).count();
    assert!(prices(&told) >= 2, "{told:?}");
    assert!((n_crumbs, n_quotes) >= (2, 3));
    // A new crumb that is refused is not tried again at once.
    let (told, n_crumbs, n_quotes) = polled(0, 5).await;
    assert!(told[1].starts_with("refused no prices: "), "{told:?}");
    assert_eq!((n_crumbs, n_quotes), (1, 1));
}
