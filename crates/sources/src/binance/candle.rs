//! A row of prices as the exchange writes it, in answers and in messages alike.

use jiff::Timestamp;
use market::{Bar, Calendar, Timeframe};

/// A row of prices as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle<'a> {
    /// First instant, in milliseconds or microseconds since the epoch.
    pub open_time: i64,
    /// Last instant, in the same unit: one unit before the next row's first.
    pub close_time: i64,
    /// First price.
    pub open: &'a str,
    /// Highest price.
    pub high: &'a str,
    /// Lowest price.
    pub low: &'a str,
    /// Last price.
    pub close: &'a str,
    /// Base asset traded.
    pub volume: &'a str,
}

impl Candle<'_> {
    /// The bar this row tells of, and, when the row claims to end before its bar does, in words what was put right: rows
    /// cut short by a halt are the only ones there are of their bars. Known at its close.
    ///
    /// # Errors
    /// What is wrong, and in which field.
    pub fn read(&self, timeframe: Timeframe) -> Result<(Bar, Option<String>), String> {
        let open_time = instant(self.open_time).ok_or_else(|| format!("open time is {}", self.open_time))?;
        let span = Calendar::Continuous
            .bar_opening_at(timeframe, open_time)
            .ok_or_else(|| format!("no {timeframe} bar opens at {open_time}"))?;
        let told = instant_after(self.close_time).ok_or_else(|| format!("close time is {}", self.close_time))?;
        if told <= open_time || told > span.close_time {
            return Err(format!("the row ends at {told}, its bar at {}", span.close_time));
        }
        let repaired = (told < span.close_time)
            .then(|| format!("the row says that it ends at {told}; its bar ends at {}", span.close_time));
        let bar = Bar {
            open_time,
            close_time: span.close_time,
            open: field("open", self.open)?,
            high: field("high", self.high)?,
            low: field("low", self.low)?,
            close: field("close", self.close)?,
            volume: field("volume", self.volume)?,
            adj_close: None,
            known_at: span.close_time,
        };
        let bar = bar.checked().map_err(|error| error.to_string())?;
        Ok((bar, repaired))
    }
}

fn field(name: &str, text: &str) -> Result<f64, String> {
    decimal(text).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        format!("{name} is {text:?}: digits with at most one point are expected")
    })
}

/// A decimal as the exchange writes it: digits, and a point between digits. No sign, no exponent, no words.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let (first, last) = (bytes.first()?, bytes.last()?);
    let digits_and_points = bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    if bytes.len() > 40 || !digits_and_points || *first == b'.' || *last == b'.' {
        return None;
    }
    // Two points are refused here.
    text.parse().ok()
}

/// Numbers from here on are microseconds: as milliseconds they would lie in the year 5138.
const MICROSECONDS: i64 = 100_000_000_000_000;

/// 2199-01-01T00:00:00Z in microseconds.
const LATEST: i64 = 7_226_582_400_000_000;

/// A time as the exchange writes it: milliseconds since the epoch, or microseconds where it was asked for them.
///
/// Calendars end; what lies so far ahead is no time of a bar.
pub(super) fn instant(number: i64) -> Option<Timestamp> {
    match number {
        ..0 => None,
        0..MICROSECONDS => Timestamp::from_millisecond(number).ok(),
        LATEST.. => None,
        _ => Timestamp::from_microsecond(number).ok(),
    }
}

/// The first instant after a time that is named by its last one.
fn instant_after(number: i64) -> Option<Timestamp> {
    instant(number.checked_add(1)?)
}
