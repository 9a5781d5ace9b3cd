//! From a return to a bar.

use jiff::Timestamp;
use market::Bar;

use crate::noise::Stream;
use crate::panel::Draw;
use crate::path::Path;

/// Where an asset's price stands, and how finely it is quoted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price {
    /// Log of the unrounded price.
    pub(crate) log: f64,
    /// The last quoted price.
    pub(crate) last: f64,
}

/// How prices are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To so many decimals.
    Decimals(i32),
    /// To so many significant digits.
    Significant(i32),
}

impl Rounding {
    fn decimals(self, price: f64) -> i32 {
        match self {
            Self::Decimals(decimals) => decimals,
            Self::Significant(digits) => digits - 1 - price.log10().floor() as i32,
        }
    }

    pub(crate) fn round(self, price: f64) -> f64 {
        round(price, self.decimals(price))
    }
}

/// Rounds to decimals (negative: to tens, hundreds), never to zero.
pub(crate) fn round(value: f64, decimals: i32) -> f64 {
    // Division by a power of ten gives the double nearest to the decimal, which multiplication by its inverse does not.
    let scale = 10_f64.powi(decimals.abs());
    if decimals >= 0 { (value * scale).round().max(1.0) / scale } else { (value / scale).round().max(1.0) * scale }
}

/// A bar and what is needed to walk through it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shaped {
    pub(crate) bar: Bar,
    decimals: i32,
    stream: Stream,
}

/// The times, volume and randomness of a bar to be shaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) open_time: Timestamp,
    pub(crate) close_time: Timestamp,
    pub(crate) volume: f64,
    pub(crate) rounding: Rounding,
    pub(crate) stream: Stream,
}

impl Price {
    /// Moves on by a draw, and gives the bar in which it happened. High and low are drawn from the distributions of the
    /// extremes of a Brownian bridge from open to close with the draw's standard deviation.
    pub(crate) fn trade(&mut self, draw: &Draw, frame: &Frame) -> Shaped {
        let (open, log_open) = (self.last, self.log);
        self.log += draw.log_return;
        let index = frame.open_time.as_second() as u64;
        let reach = |lane| {
            let spread = -2.0 * draw.sd * draw.sd * frame.stream.uniform(index, lane).ln();
            (draw.log_return * draw.log_return + spread).sqrt()
        };
        let high = (log_open + (draw.log_return + reach(20)) / 2.0).exp();
        let low = (log_open + (draw.log_return - reach(21)) / 2.0).exp();
        let decimals = frame.rounding.decimals(open);
        let close = round(self.log.exp(), decimals);
        let high = round(high, decimals).max(open).max(close);
        let low = round(low, decimals).min(open).min(close);
        self.last = close;
        let bar = Bar {
            open_time: frame.open_time,
            close_time: frame.close_time,
            open,
            high,
            low,
            close,
            volume: frame.volume,
            adj_close: None,
            known_at: frame.close_time,
        };
        Shaped { bar, decimals, stream: frame.stream }
    }
}

impl Shaped {
    /// The price at an instant within the bar.
    pub(crate) fn price_at(&self, instant: Timestamp) -> f64 {
        Path::with_decimals(self.bar, self.decimals, self.stream).price_at(instant)
    }

    /// The share of the bar that has passed at an instant, in [0, 1].
    pub(crate) fn elapsed(&self, instant: Timestamp) -> f64 {
        let length = self.bar.close_time.duration_since(self.bar.open_time).as_secs_f64();
        (instant.duration_since(self.bar.open_time).as_secs_f64() / length).clamp(0.0, 1.0)
    }
}
