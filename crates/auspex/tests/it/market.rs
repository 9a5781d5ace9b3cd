//! Small files of bars, the same each time.

use std::fmt::Write as _;

use jiff::Timestamp;
use market::{Calendar, Timeframe};

pub(crate) const HEADER: &str = "symbol,timestamp,open,high,low,close,adj_close,volume\n";

/// A walk whose steps come from a counter that is mixed (`SplitMix64`), with calm and wild weeks.
pub(crate) struct Walk {
    seed: u64,
    price: f64,
    index: u64,
}

impl Walk {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, price: 100.0, index: 0 }
    }

    fn uniform(&mut self) -> f64 {
        self.index += 1;
        let mut z = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.index << 17 | self.index);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One line of a bar that opens at `stamp`.
    pub(crate) fn line(&mut self, symbol: &str, stamp: &str, into: &mut String) {
        let calm = 1.0 + 0.8 * ((self.index / 80) as f64 * 0.7).sin();
        let open = self.price;
        let step = (self.uniform() + self.uniform() + self.uniform() - 1.5) * 0.02 * calm;
        let close = open * step.exp();
        let high = open.max(close) * (1.0 + 0.004 * calm * self.uniform());
        let low = open.min(close) * (1.0 - 0.004 * calm * self.uniform());
        let volume = 1000.0 + 9000.0 * self.uniform();
        self.price = close;
        writeln!(into, "{symbol},{stamp},{open:.6},{high:.6},{low:.6},{close:.6},{close:.6},{volume:.3}").unwrap();
    }
}

/// Hourly bars of a coin from `from` on.
pub(crate) fn hours(symbol: &str, seed: u64, from: &str, n: usize) -> String {
    let mut walk = Walk::new(seed);
    let mut text = HEADER.to_owned();
    let from: Timestamp = from.parse().unwrap();
    for index in 0..n {
        let open = from + jiff::SignedDuration::from_hours(i64::try_from(index).expect("few hours"));
        walk.line(symbol, &open.to_string(), &mut text);
    }
    text
}

/// Daily bars of a stock, stamped with their dates, from the first session at or after `from`.
pub(crate) fn sessions(symbol: &str, seed: u64, from: &str, n: usize) -> String {
    let mut walk = Walk::new(seed);
    let mut text = HEADER.to_owned();
    let mut instant: Timestamp = from.parse().unwrap();
    for _ in 0..n {
        let span = Calendar::Nyse.bar_closing_after(Timeframe::D1, instant).unwrap();
        let date = Calendar::Nyse.trading_date(span.open_time);
        walk.line(symbol, &format!("{date}T00:00:00Z"), &mut text);
        instant = span.close_time;
    }
    text
}
