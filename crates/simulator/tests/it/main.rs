//! The simulated market, through its public face.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod binance;
mod binance_streams;
mod daily_csv;
mod economy;
mod faults;
mod feed;
mod fred;
mod fred_shapes;
mod pages;
mod prices;
mod tape;
mod yahoo;
mod yahoo_quotes;
mod yahoo_server;
mod yahoo_shapes;
mod yahoo_stream;

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use market::universe::default_universe;
use market::{AssetKind, Bar, Timeframe};
use simulator::{Market, Setup, Step};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

/// More than two years of days, seven months of hours, then a month live; the default universe.
fn setup(seed: u64) -> Setup {
    let live_start = at("2024-06-03T12:00:00Z");
    let (daily_from, hourly_from) = (live_start - days(840), live_start - days(220));
    Setup { daily_from, hourly_from, ..Setup::new(seed, default_universe(), live_start) }
}

/// One market for all tests that only look, and its steps through the first live month.
fn sample() -> &'static (Market, Vec<Step>) {
    static SAMPLE: OnceLock<(Market, Vec<Step>)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let market = Market::new(setup(11)).unwrap();
        let steps = market.history(market.live_start() + days(31)).collect();
        (market, steps)
    })
}

fn place(market: &Market, symbol: &str) -> usize {
    market.assets().iter().position(|asset| asset.symbol.as_str() == symbol).unwrap()
}

/// The bars of an asset, ascending.
fn bars(steps: &[Step], asset: usize, timeframe: Timeframe) -> Vec<Bar> {
    let of = |step: &Step| {
        step.bars
            .iter()
            .filter(move |b| b.asset == asset && b.timeframe == timeframe)
            .map(|b| b.bar)
            .collect::<Vec<_>>()
    };
    let mut bars: Vec<Bar> = steps.iter().flat_map(of).collect();
    bars.sort_by_key(|bar| bar.open_time);
    bars
}

fn of_kind(market: &Market, kinds: &[AssetKind]) -> Vec<usize> {
    (0..market.assets().len()).filter(|&index| kinds.contains(&market.assets()[index].kind)).collect()
}
