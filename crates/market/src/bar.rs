//! Bars: what was traded between two instants.

use jiff::Timestamp;
use thiserror::Error;

/// One closed bar of prices. Named by `open_time`; the interval is half-open, `close_time` is its exclusive end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The first instant of the bar.
    pub open_time: Timestamp,
    /// The first instant after the bar: when it closed.
    pub close_time: Timestamp,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Shares, or base-asset units for crypto.
    pub volume: f64,
    /// The vendor's adjusted close, where it gave one.
    pub adj_close: Option<f64>,
    /// When this row could first have been known: its close, or later for a bar that arrived or changed later.
    pub known_at: Timestamp,
}

/// What is wrong with a bar.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum BarError {
    /// A price is NaN, infinite, zero or negative.
    #[error("{field} is {value}: a positive finite price is expected")]
    Price {
        /// Which price.
        field: &'static str,
        /// What stood there.
        value: f64,
    },
    /// The volume is NaN, infinite or negative.
    #[error("volume is {0}: a finite number of at least zero is expected")]
    Volume(f64),
    /// The high is under another price.
    #[error("high {high} is below {field} {value}")]
    High {
        /// The high.
        high: f64,
        /// The price above it.
        field: &'static str,
        /// That price.
        value: f64,
    },
    /// The low is over another price.
    #[error("low {low} is above {field} {value}")]
    Low {
        /// The low.
        low: f64,
        /// The price below it.
        field: &'static str,
        /// That price.
        value: f64,
    },
    /// The bar ends before it begins, or is known before it closed.
    #[error("times are out of order: open {open_time}, close {close_time}, known {known_at}")]
    Times {
        /// When it opens.
        open_time: Timestamp,
        /// When it closes.
        close_time: Timestamp,
        /// When it is known.
        known_at: Timestamp,
    },
}

impl Bar {
    /// This bar, when it is one that can be: positive finite prices, `low <= open, close <= high`, a volume of at
    /// least zero, `open_time < close_time <= known_at`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn checked(self) -> Result<Self, BarError> {
        let prices = [("open", self.open), ("high", self.high), ("low", self.low), ("close", self.close)];
        let adjusted = self.adj_close.map(|value| ("adj_close", value));
        for (field, value) in prices.into_iter().chain(adjusted) {
            if !(value.is_finite() && value > 0.0) {
                return Err(BarError::Price { field, value });
            }
        }
        if !(self.volume.is_finite() && self.volume >= 0.0) {
            return Err(BarError::Volume(self.volume));
        }
        for (field, value) in prices {
            if value > self.high {
                return Err(BarError::High { high: self.high, field, value });
            }
            if value < self.low {
                return Err(BarError::Low { low: self.low, field, value });
            }
        }
        if self.open_time >= self.close_time || self.known_at < self.close_time {
            let Self { open_time, close_time, known_at, .. } = self;
            return Err(BarError::Times { open_time, close_time, known_at });
        }
        Ok(self)
    }

    /// The same bar with every price multiplied and the volume divided by `factor`.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            open: self.open * factor,
            high: self.high * factor,
            low: self.low * factor,
            close: self.close * factor,
            volume: self.volume / factor,
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
