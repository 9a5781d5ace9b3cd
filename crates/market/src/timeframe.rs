//! Bar lengths.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use crate::symbol::{AssetClass, UnknownName};

/// The length of a bar, or for macro series the release period. Ordered by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timeframe {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// Four hours.
    H4,
    /// One day: a session for stocks, 00:00Z to 00:00Z for coins.
    D1,
    /// One week, from Monday.
    W1,
    /// One month, from the 1st.
    Mo1,
    /// One quarter; macro series only.
    Q1,
}

impl Timeframe {
    /// All timeframes, shortest first.
    pub const ALL: [Self; 10] =
        [Self::M1, Self::M5, Self::M15, Self::M30, Self::H1, Self::H4, Self::D1, Self::W1, Self::Mo1, Self::Q1];

    /// The canonical spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::D1 => "1D",
            Self::W1 => "1W",
            Self::Mo1 => "1M",
            Self::Q1 => "1Q",
        }
    }

    /// The fixed length of an intraday bar; `None` from one day up, where the calendar decides.
    #[must_use]
    pub const fn duration(self) -> Option<SignedDuration> {
        let minutes = match self {
            Self::M1 => 1,
            Self::M5 => 5,
            Self::M15 => 15,
            Self::M30 => 30,
            Self::H1 => 60,
            Self::H4 => 240,
            Self::D1 | Self::W1 | Self::Mo1 | Self::Q1 => return None,
        };
        Some(SignedDuration::from_mins(minutes))
    }

    /// The usual length: the fixed one, or 1, 7, 30 and 91 days. For budgets and ages, never for target times.
    #[must_use]
    pub const fn nominal(self) -> SignedDuration {
        match self {
            Self::D1 => SignedDuration::from_hours(24),
            Self::W1 => SignedDuration::from_hours(7 * 24),
            Self::Mo1 => SignedDuration::from_hours(30 * 24),
            Self::Q1 => SignedDuration::from_hours(91 * 24),
            _ => match self.duration() {
                Some(duration) => duration,
                None => unreachable!(),
            },
        }
    }

    /// The timeframe whose bars a forecast for this one is computed from: hours for `1h` and `4h`, days from `1D` up.
    #[must_use]
    pub const fn base(self) -> Self {
        match self {
            Self::H4 => Self::H1,
            Self::W1 | Self::Mo1 => Self::D1,
            other => other,
        }
    }

    /// The timeframes a class is forecast on, shortest first. A macro series is forecast on its release period alone.
    #[must_use]
    pub const fn forecast_for(class: AssetClass) -> &'static [Self] {
        match class {
            AssetClass::Crypto => &[Self::H1, Self::H4, Self::D1, Self::W1, Self::Mo1],
            AssetClass::Stocks => &[Self::H1, Self::D1, Self::W1, Self::Mo1],
            AssetClass::Macro => &[Self::Mo1, Self::Q1],
        }
    }

    /// The horizons of one forecast entry, in bars of this timeframe, ascending: the chart's path and the long horizon.
    #[must_use]
    pub const fn horizons(self) -> &'static [u32] {
        match self {
            Self::H1 => &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24],
            Self::H4 => &[1, 2, 3, 4, 5, 6],
            Self::D1 => &[1, 2, 3, 4, 5, 6, 7, 21],
            Self::W1 | Self::Q1 => &[1, 2, 3, 4],
            Self::Mo1 => &[1, 2, 3, 4, 5, 6, 7],
            Self::M1 | Self::M5 | Self::M15 | Self::M30 => &[],
        }
    }

    /// How many past bars and future steps a chart of this timeframe shows.
    #[must_use]
    pub const fn chart_size(self) -> (usize, usize) {
        match self {
            Self::H1 => (24, 12),
            Self::H4 => (24, 6),
            Self::W1 => (12, 4),
            Self::Q1 => (12, 4),
            Self::M1 | Self::M5 | Self::M15 | Self::M30 => (24, 0),
            Self::D1 | Self::Mo1 => (30, 7),
        }
    }

    /// How late after its close a forecast may still be issued: the smaller of a tenth of the bar and five minutes; one
    /// hour for a day, week or month of stocks.
    #[must_use]
    pub fn grace(self, class: AssetClass) -> SignedDuration {
        if class == AssetClass::Stocks && self >= Self::D1 {
            return SignedDuration::from_hours(1);
        }
        (self.nominal() / 10).min(SignedDuration::from_mins(5))
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Timeframe {
    type Err = UnknownName;

    /// Understands the canonical spellings, any case where it is not ambiguous, and the aliases of the earlier clients.
    /// `1m` is always the minute, `1M` always the month.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "1M" {
            return Ok(Self::Mo1);
        }
        let lower = text.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "1m" => Self::M1,
            "5m" => Self::M5,
            "15m" => Self::M15,
            "30m" => Self::M30,
            "1h" => Self::H1,
            "4h" => Self::H4,
            "1d" => Self::D1,
            "1w" | "7d" => Self::W1,
            "1q" => Self::Q1,
            _ => {
                let known = Self::ALL.map(Self::as_str);
                return Err(UnknownName::new("timeframe", text, &known));
            }
        })
    }
}

#[cfg(test)]
mod tests;
