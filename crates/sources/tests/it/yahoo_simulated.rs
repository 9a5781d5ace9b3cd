//! A whole market that speaks like Yahoo, read back: what went in comes out.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::{AcceleratedClock, Action, ActionKind, Asset, AssetKind, Bar, Calendar, Clock, Timeframe};
use simulator::server::{Exchange, FaultPlan, Faults, serve};
use simulator::{Reel, Tape};
use sources::http::HttpSettings;
use sources::pace::Budget;
use sources::yahoo::{Yahoo, YahooSettings};
use sources::{DataSource, LiveEvent, LiveSource, Request};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::at;
use super::yahoo_chart::asset;

/// A Wednesday, while the exchange is open.
const NOW: &str = "2025-11-19T16:00:00Z";

const SPLIT: &str = "2025-09-15";

/// Raw bars of a price that wanders around 400 before the split of 4:1 and around 100 after it.
fn bars(timeframe: Timeframe, from: &str) -> Vec<Bar> {
    let split = at("2025-09-15T13:30:00Z");
    let through = at(NOW) + SignedDuration::from_hours(24);
    let spans = Calendar::Nyse.bars_closing_in(timeframe, at(from), through);
    let bar = |(index, span): (usize, market::Span)| {
        let level = if span.open_time < split { 400.0 } else { 100.0 };
        let wave = |index: usize| 1.0 + 0.1 * (index as f64 / 17.0).sin();
        let cents = |price: f64| (price * 100.0).round() / 100.0;
        let (open, close) = (cents(level * wave(index)), cents(level * wave(index + 1)));
        let (high, low) = (cents(open.max(close) * 1.01), cents(open.min(close) * 0.99));
        let (open_time, close_time, volume) = (span.open_time, span.close_time, 1_000_000.0);
        Bar { open_time, close_time, open, high, low, close, volume, adj_close: None, known_at: close_time }
    };
    spans.enumerate().map(bar).collect()
}

fn actions() -> Vec<Action> {
    let action = |date: &str, kind| {
        let ex_date = date.parse().unwrap();
        Action { ex_date, kind, known_at: Calendar::Nyse.day(ex_date).unwrap().open_time }
    };
    vec![
        action("2025-08-11", ActionKind::Dividend { amount: 1.04 }),
        action(SPLIT, ActionKind::Split { numerator: 4.0, denominator: 1.0 }),
        action("2025-11-10", ActionKind::Dividend { amount: 0.26 }),
    ]
}

struct Market {
    yahoo: Yahoo,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
}

impl Drop for Market {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

async fn market(asset: &Asset, now: &str, speed: f64) -> Market {
    troubled_market(asset, now, speed, "").await
}

async fn troubled_market(asset: &Asset, now: &str, speed: f64, faults: &str) -> Market {
    let bars = BTreeMap::from([
        (Timeframe::D1, bars(Timeframe::D1, "2024-01-01T00:00:00Z")),
        (Timeframe::H1, bars(Timeframe::H1, "2025-09-01T00:00:00Z")),
    ]);
    let reel = Reel { asset: asset.clone(), bars, actions: actions(), observations: Vec::new() };
    let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(at(now), speed));
    let exchange = Exchange {
        tape: Tape::recorded(vec![reel]),
        clock: Arc::clone(&clock),
        speed,
        run: "test".to_owned(),
        faults: Faults::new(FaultPlan::parse(faults).unwrap(), at(now)),
        ticks_a_second: 1.0,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let token = CancellationToken::new();
    tokio::spawn(serve(listener, Arc::new(exchange), token.clone()));
    let http: Url = format!("http://{address}/").parse().unwrap();
    let settings = YahooSettings {
        query: vec![http.clone()],
        cookie: http.clone(),
        site: http,
        streamer: format!("ws://{address}/?version=2").parse().unwrap(),
        http: HttpSettings { simulated: true, ..YahooSettings::default().http },
        ..YahooSettings::default()
    };
    let budget = Budget::new(Arc::clone(&clock), Duration::from_millis(500), NonZeroU32::new(10).unwrap());
    Market { yahoo: Yahoo::new(settings, budget, Arc::clone(&clock)), clock, token }
}

async fn check(timeframe: Timeframe, from: &str, to: &str, expected_actions: &[Action]) {
    let apple = asset("AAPL", AssetKind::Equity, "USD");
    let market = market(&apple, NOW, 1.0).await;
    let (from, to) = (at(from), at(to));
    let fetched = market.yahoo.fetch(&Request { asset: &apple, timeframe, from, to }).await.unwrap();
    let margin = market.yahoo.delay(&apple, timeframe);
    let last: Timestamp = market.clock.now() - margin;
    let mut expected = bars(timeframe, "2024-01-01T00:00:00Z");
    if timeframe == Timeframe::H1 {
        expected = bars(timeframe, "2025-09-01T00:00:00Z");
    }
    expected.retain(|bar| from <= bar.open_time && bar.open_time < to && bar.close_time <= last);
    assert!(!expected.is_empty());
    assert_eq!(fetched.remarks, []);
    assert_eq!(fetched.bars.len(), expected.len());
    let same = |a: f64, b: f64| (a / b - 1.0).abs() <= market.yahoo.tolerance();
    for (bar, expected) in fetched.bars.iter().zip(&expected) {
        let prices = [(bar.open, expected.open), (bar.high, expected.high), (bar.low, expected.low)];
        let prices_agree = prices.into_iter().chain([(bar.close, expected.close)]).all(|(a, b)| same(a, b));
        assert!(prices_agree && bar.volume == expected.volume, "{bar:?} is not {expected:?}");
        assert_eq!((bar.open_time, bar.close_time), (expected.open_time, expected.close_time));
    }
    assert_eq!(fetched.actions, expected_actions);
}

#[tokio::test]
async fn raw_days_and_all_actions_come_back() {
    check(Timeframe::D1, "2024-01-01T00:00:00Z", NOW, &actions()).await;
}

#[tokio::test]
async fn a_window_before_a_split_comes_back_raw() {
    check(Timeframe::D1, "2025-07-01T00:00:00Z", "2025-09-01T00:00:00Z", &actions()[..1]).await;
}

#[tokio::test]
async fn raw_hours_and_the_split_among_them_come_back() {
    check(Timeframe::H1, "2025-09-02T00:00:00Z", NOW, &actions()[1..2]).await;
    check(Timeframe::H1, "2025-11-18T20:30:00Z", NOW, &[]).await;
}

#[tokio::test]
async fn an_answer_that_takes_past_a_split_comes_back_raw() {
    let apple = asset("AAPL", AssetKind::Equity, "USD");
    let slow = "[[fault]]\nkind = \"latency\"\nms = 500";
    let market = troubled_market(&apple, "2025-09-15T13:29:50Z", 60.0, slow).await;
    for timeframe in [Timeframe::H1, Timeframe::D1] {
        let (from, to) = (at("2025-09-02T00:00:00Z"), market.clock.now());
        let fetched = market.yahoo.fetch(&Request { asset: &apple, timeframe, from, to }).await.unwrap();
        assert!(fetched.bars.len() >= 9 && fetched.bars.iter().all(|bar| bar.close > 300.0), "{:?}", fetched.bars);
    }
    assert!(market.clock.now() > at("2025-09-15T13:30:10Z"));
}

#[tokio::test]
async fn a_bar_is_given_as_soon_as_its_margin_has_passed() {
    let apple = asset("AAPL", AssetKind::Equity, "USD");
    for (timeframe, now, close) in [
        (Timeframe::D1, "2025-11-18T21:14:00Z", "2025-11-17T21:00:00Z"),
        (Timeframe::D1, "2025-11-18T21:15:05Z", "2025-11-18T21:00:00Z"),
        (Timeframe::H1, "2025-11-18T16:30:30Z", "2025-11-18T15:30:00Z"),
        (Timeframe::H1, "2025-11-18T16:31:05Z", "2025-11-18T16:30:00Z"),
        (Timeframe::H1, "2025-11-18T21:01:05Z", "2025-11-18T21:00:00Z"),
    ] {
        let market = market(&apple, now, 1.0).await;
        let request = Request { asset: &apple, timeframe, from: at("2025-11-10T00:00:00Z"), to: at(now) };
        let fetched = market.yahoo.fetch(&request).await.unwrap();
        assert_eq!(fetched.bars.last().unwrap().close_time, at(close), "{timeframe} at {now}");
    }
}

#[tokio::test]
async fn prices_are_followed_in_an_accelerated_market() {
    let apple = asset("AAPL", AssetKind::Equity, "USD");
    let market = market(&apple, NOW, 60.0).await;
    let (sender, mut receiver) = mpsc::channel(100);
    let token = CancellationToken::new();
    let followed = [apple];
    let follow = market.yahoo.follow(&followed, sender, token.clone());
    let listen = async {
        assert_eq!(receiver.recv().await, Some(LiveEvent::Up));
        let mut last = at(NOW) - SignedDuration::from_secs(5);
        for _ in 0..5 {
            let Some(LiveEvent::Price(price)) = receiver.recv().await else { panic!("a price is expected") };
            assert!(price.event_time > last && price.event_time <= market.clock.now());
            assert!((80.0..120.0).contains(&price.price));
            last = price.event_time;
        }
        token.cancel();
    };
    let both = async { tokio::join!(follow, listen) };
    tokio::time::timeout(Duration::from_secs(30), both).await.expect("prices come, and following ends");
}
