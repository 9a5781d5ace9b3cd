//! What a tape tells, and what it keeps to itself.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use market::universe::default_universe;
use market::{Bar, Calendar, Timeframe};
use proptest::prelude::*;
use simulator::{Market, Reel, Setup, Tape};

use super::{at, days, setup};

/// A market with four weeks of days and two of hours, and where its live feed begins.
fn generated(seed: u64) -> (Tape, Timestamp) {
    let full = setup(seed);
    let live_start = full.live_start;
    let (daily_from, hourly_from) = (live_start - days(28), live_start - days(14));
    let market = Market::new(Setup { daily_from, hourly_from, macro_from: live_start - days(800), ..full }).unwrap();
    (Tape::generated(&market), live_start)
}

fn place(tape: &Tape, symbol: &str) -> usize {
    tape.assets().iter().position(|asset| asset.symbol.as_str() == symbol).unwrap()
}

/// Bars put together.
fn sum(bars: &[Bar]) -> (f64, f64, f64, f64) {
    let high = bars.iter().map(|bar| bar.high).fold(f64::MIN, f64::max);
    let low = bars.iter().map(|bar| bar.low).fold(f64::MAX, f64::min);
    (bars[0].open, high, low, bars[bars.len() - 1].close)
}

fn prices(bar: &Bar) -> (f64, f64, f64, f64) {
    (bar.open, bar.high, bar.low, bar.close)
}

/// Every bar of `whole` is its bars of `parts`, all on the calendar.
fn check_parts(tape: &Tape, symbol: &str, parts: Timeframe, whole: Timeframe, now: Timestamp) {
    let asset = place(tape, symbol);
    let calendar = Calendar::of(tape.assets()[asset].class());
    let bars = tape.newest(asset, whole, 30, now);
    assert!(bars.len() > 1, "{symbol} {whole}");
    for bar in &bars {
        let last = bar.close_time - SignedDuration::from_micros(1);
        let within = tape.bars(asset, parts, bar.open_time, last, now);
        let spans = within.iter().map(|part| calendar.bar_opening_at(parts, part.open_time).unwrap());
        assert!(spans.zip(&within).all(|(span, part)| span.close_time == part.close_time && part.checked().is_ok()));
        assert_eq!(within.len(), calendar.count_bars(parts, bar.open_time, bar.close_time), "{symbol} {parts}");
        assert_eq!(sum(&within), prices(bar), "{symbol}: {whole} of {parts} at {}", bar.open_time);
        let volume: f64 = within.iter().map(|part| part.volume).sum();
        assert!((volume - bar.volume).abs() <= 1e-9 * bar.volume.max(1.0), "{volume} of {}", bar.volume);
    }
}

#[test]
fn bars_of_any_length_are_parts_and_sums_of_each_other() {
    let (tape, live_start) = generated(11);
    let now = live_start + days(3);
    for symbol in ["BTC", "USDC", "NVDA"] {
        let lengths = [Timeframe::M1, Timeframe::M5, Timeframe::M15, Timeframe::M30, Timeframe::H1, Timeframe::H4];
        for pair in lengths.windows(2) {
            check_parts(&tape, symbol, pair[0], pair[1], now);
        }
        check_parts(&tape, symbol, Timeframe::M1, Timeframe::H1, now);
    }
    check_parts(&tape, "BTC", Timeframe::D1, Timeframe::W1, now);
}

#[test]
fn a_volatility_index_that_has_days_alone_is_cut_within_its_sessions() {
    let (tape, live_start) = generated(11);
    check_parts(&tape, "VIX", Timeframe::M5, Timeframe::D1, live_start);
    check_parts(&tape, "VIX", Timeframe::H1, Timeframe::D1, live_start);
}

#[test]
fn a_running_bar_becomes_the_bar() {
    let (tape, live_start) = generated(12);
    for (symbol, timeframe) in [
        ("BTC", Timeframe::M5),
        ("BTC", Timeframe::H1),
        ("ETH", Timeframe::H4),
        ("BTC", Timeframe::D1),
        ("JPM", Timeframe::D1),
    ] {
        let asset = place(&tape, symbol);
        let closed = *tape.newest(asset, timeframe, 1, live_start + days(2)).last().unwrap();
        let length = closed.close_time.duration_since(closed.open_time).as_secs();
        let mut before: Option<Bar> = None;
        for step in 0..200 {
            let now = closed.open_time + SignedDuration::from_secs(length * step / 200);
            let running = tape.running(asset, timeframe, now).unwrap().checked().unwrap();
            assert_eq!((running.open_time, running.close_time), (closed.open_time, closed.close_time));
            assert_eq!((running.open, running.close), (closed.open, tape.price_at(asset, now).unwrap().price));
            assert!(running.high <= closed.high && running.low >= closed.low && running.volume <= closed.volume);
            if let Some(before) = before {
                assert!(running.high >= before.high && running.low <= before.low && running.volume >= before.volume);
            }
            assert!(tape.bars(asset, timeframe, closed.open_time, closed.open_time, now).is_empty());
            before = Some(running);
        }
        let last = tape.running(asset, timeframe, closed.close_time - SignedDuration::from_micros(1)).unwrap();
        assert_eq!((last.open, last.high, last.low), (closed.open, closed.high, closed.low), "{symbol} {timeframe}");
        assert!((last.close / closed.close - 1.0).abs() < 1e-3 && last.volume <= closed.volume);
    }
}

#[test]
fn promise_7_the_same_seed_gives_the_same_prices_however_they_are_asked_for() {
    let ((one, live_start), (other, _)) = (generated(5), generated(5));
    let asset = place(&one, "SOL");
    let instants: Vec<Timestamp> = (0..500).map(|n| live_start + SignedDuration::from_secs(n * 37)).collect();
    let forwards: Vec<f64> = instants.iter().map(|now| one.price_at(asset, *now).unwrap().price).collect();
    let mut backwards: Vec<f64> = instants.iter().rev().map(|now| other.price_at(asset, *now).unwrap().price).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert!(forwards.windows(2).filter(|pair| pair[0] != pair[1]).count() > 400, "prices move");
}

#[test]
fn promise_2_a_late_bar_and_its_minutes_are_silent_until_it_is_known() {
    let (tape, live_start) = generated(11);
    let end = live_start + days(20);
    let assets = 0..tape.assets().len();
    let mut late = assets.flat_map(|asset| {
        let bars = tape.bars(asset, Timeframe::H1, live_start, end, end);
        bars.into_iter().filter(|bar| bar.known_at > bar.close_time).map(move |bar| (asset, bar)).collect::<Vec<_>>()
    });
    let (asset, bar) = late.next().unwrap();
    let minutes =
        |now| tape.bars(asset, Timeframe::M1, bar.open_time, bar.close_time - SignedDuration::from_mins(1), now);
    assert_eq!(minutes(bar.known_at - SignedDuration::from_micros(1)).len(), 0);
    assert_eq!(minutes(bar.known_at).len(), 60);
    assert_eq!(late.next(), None);
}

fn hour(open: &str, prices: [f64; 4], volume: f64) -> Bar {
    let open_time = at(open);
    let close_time = open_time + SignedDuration::from_hours(1);
    let [open, high, low, close] = prices;
    Bar { open_time, close_time, open, high, low, close, volume, adj_close: None, known_at: close_time }
}

fn recorded(hours: Vec<Bar>) -> Tape {
    let asset = default_universe().remove(0);
    let bars = BTreeMap::from([(Timeframe::H1, hours)]);
    Tape::recorded(vec![Reel { asset, bars, actions: Vec::new(), observations: Vec::new() }])
}

#[test]
fn after_the_last_recorded_bar_there_is_silence() {
    let tape = recorded(vec![
        hour("2024-05-01T00:00:00Z", [100.0, 104.5, 99.0, 101.0], 12.5),
        hour("2024-05-01T01:00:00Z", [101.0, 102.0, 100.5, 100.75], 3.25),
        hour("2024-05-01T05:00:00Z", [100.0, 101.0, 99.5, 100.5], 1.0),
    ]);
    let later = at("2024-05-03T00:00:00Z");
    let quote = tape.price_at(0, later).unwrap();
    assert_eq!((quote.price, quote.time, quote.volume), (100.5, at("2024-05-01T06:00:00Z"), 0.0));
    for timeframe in [Timeframe::M1, Timeframe::H1, Timeframe::H4, Timeframe::D1] {
        assert_eq!(tape.running(0, timeframe, later), None, "{timeframe}");
    }
    // A gap is a gap: no rows, no prices.
    let gap = at("2024-05-01T03:30:00Z");
    assert_eq!((tape.running(0, Timeframe::H1, gap), tape.price_at(0, gap).unwrap().price), (None, 100.75));
    assert_eq!(tape.newest(0, Timeframe::M1, 500, later).len(), 180);
    assert_eq!(tape.newest(0, Timeframe::M1, 61, later)[0].open_time, at("2024-05-01T01:59:00Z"));
    let day = tape.newest(0, Timeframe::D1, 5, later);
    assert_eq!(day.len(), 1);
    assert_eq!((prices(&day[0]), day[0].volume), ((100.0, 104.5, 99.0, 100.5), 16.75));
    assert_eq!(tape.price_at(0, at("2024-04-30T00:00:00Z")), None);
    assert!(tape.price_at(1, later).is_none() && tape.bars(1, Timeframe::H1, later, later, later).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_window_is_a_window_of_the_whole(from in 0_i64..600, length in 0_i64..400, ahead in 0_i64..700) {
        let tape = recorded(vec![
            hour("2024-05-01T00:00:00Z", [100.0, 104.5, 99.0, 101.0], 12.5),
            hour("2024-05-01T01:00:00Z", [101.0, 102.0, 100.5, 100.75], 3.25),
            hour("2024-05-01T05:00:00Z", [100.0, 101.0, 99.5, 100.5], 1.0),
        ]);
        let minute = |n| at("2024-05-01T00:00:00Z") + SignedDuration::from_secs(n * 60 - 7200);
        let (from, to, now) = (minute(from), minute(from + length), minute(ahead));
        for timeframe in [Timeframe::M1, Timeframe::M15, Timeframe::H1, Timeframe::H4] {
            let all = tape.newest(0, timeframe, usize::MAX, at("2024-06-01T00:00:00Z"));
            let expected: Vec<Bar> = all
                .into_iter()
                .filter(|bar| from <= bar.open_time && bar.open_time <= to && bar.close_time <= now)
                .collect();
            prop_assert_eq!(tape.bars(0, timeframe, from, to, now), expected);
        }
    }
}
