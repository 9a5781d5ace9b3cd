//! The simulated exchange, with coins that the default universe does not have.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetKind, Clock};
use simulator::server::{Exchange, Faults, Running};
use simulator::{Market, Setup, Tape};

use crate::Outcome;

/// When the clocks begin.
pub(crate) const START: &str = "2025-03-03T10:59:45Z";

/// So many coins, each with a pair in USDT.
pub(crate) fn universe(n: usize) -> Outcome<Vec<Asset>> {
    let known = market::universe::default_universe();
    let mut coins: Vec<Asset> = known.into_iter().filter(|asset| asset.kind == AssetKind::Coin).take(n).collect();
    for more in coins.len()..n {
        let symbol = format!("C{more:03}");
        coins.push(Asset {
            name: format!("Coin {more}"),
            kind: AssetKind::Coin,
            source_symbol: format!("{symbol}USDT"),
            quote: "USDT".to_owned(),
            symbol: symbol.parse()?,
        });
    }
    Ok(coins)
}

/// Opens the exchange.
pub(crate) async fn open(universe: Vec<Asset>, clock: Arc<dyn Clock>, ticks_a_second: f64) -> Outcome<Running> {
    let start: Timestamp = START.parse()?;
    let days = |n: i64| start - SignedDuration::from_hours(24 * n);
    let setup = Setup { daily_from: days(400), hourly_from: days(90), ..Setup::new(1, universe, start) };
    let tape = Tape::generated(&Market::new(setup)?);
    let exchange =
        Exchange { tape, clock, speed: 1.0, run: "bench".to_owned(), faults: Faults::default(), ticks_a_second };
    Ok(simulator::server::start(exchange).await?)
}
