//! The client of Binance, against an exchange on loopback that does what a test tells it.

mod frames;
mod rest;
mod server;
mod streams;

use std::sync::Arc;

use jiff::Timestamp;
use market::universe::default_universe;
use market::{AcceleratedClock, Asset, Clock};
use sources::binance::BinanceSettings;
use url::Url;

fn asset(symbol: &str) -> Asset {
    default_universe().into_iter().find(|asset| asset.symbol.as_str() == symbol).unwrap()
}

/// A clock that began at 2024-03-01 and runs so fast.
fn clock(speed: f64) -> Arc<dyn Clock> {
    Arc::new(AcceleratedClock::new(start(), speed))
}

fn start() -> Timestamp {
    super::at("2024-03-01T00:00:00Z")
}

fn settings(rest: Vec<Url>, streams: Vec<Url>) -> BinanceSettings {
    BinanceSettings { rest, streams, ..BinanceSettings::global() }
}
