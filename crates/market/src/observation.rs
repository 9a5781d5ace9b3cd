//! Macro observations and their vintages.

use jiff::Timestamp;
use jiff::civil::Date;

/// One value of a macro series as one vintage gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// First day of the period the value describes.
    pub ref_period: Date,
    /// The value in the series' own unit.
    pub value: f64,
    /// First day on which this value was the current one.
    pub realtime_start: Date,
    /// First day on which it no longer was; `None` while it is.
    pub realtime_end: Option<Date>,
    /// When it could first have been known: the release, or the end of `realtime_start` in New York.
    pub known_at: Timestamp,
}
