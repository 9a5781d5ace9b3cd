//! How the exchange writes numbers and times.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A price or quantity: text with eight decimals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fixed(pub(crate) f64);

impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.8}", self.0))
    }
}

/// A percentage: text with three decimals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Percent(pub(crate) f64);

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

/// The unit of times in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) enum TimeUnit {
    #[default]
    Milliseconds,
    Microseconds,
}

impl TimeUnit {
    /// The unit a header or parameter asks for.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "MICROSECOND" | "microsecond" => Some(Self::Microseconds),
            "MILLISECOND" | "millisecond" => Some(Self::Milliseconds),
            _ => None,
        }
    }

    /// An instant in this unit.
    pub(crate) fn of(self, instant: Timestamp) -> i64 {
        match self {
            Self::Milliseconds => instant.as_millisecond(),
            Self::Microseconds => instant.as_microsecond(),
        }
    }

    /// The last instant before one.
    pub(crate) fn before(self, instant: Timestamp) -> i64 {
        self.of(instant) - 1
    }
}

/// An instant in either unit, recognised by its size: milliseconds have fewer than 15 digits in this age.
pub(crate) fn instant(number: i64) -> Timestamp {
    let instant = if number.unsigned_abs() < 100_000_000_000_000 {
        Timestamp::from_millisecond(number)
    } else {
        Timestamp::from_microsecond(number)
    };
    instant.unwrap_or(if number < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
