//! What the keyed service answers, in its own shapes and no further than this.

use jiff::civil::Date;
use serde::Deserialize;
use thiserror::Error;

use super::vintages::Row;
use crate::http::excerpt;
use crate::refusals::Refusals;

/// One page of observations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// How many rows there are on all pages.
    pub count: usize,
    /// How many rows stood on this one, whatever became of them.
    pub n_rows: usize,
    /// Those with a value. A lone dot is a missing value, and no row.
    pub rows: Vec<Row>,
    /// Those that were not taken: which, and why.
    pub refused: Vec<String>,
}

/// One page of days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Days {
    /// How many there are on all pages.
    pub count: usize,
    /// The days, in the order of the answer.
    pub days: Vec<Date>,
}

/// An answer that is not what the protocol says.
#[derive(Debug, Error)]
#[error("{what} expected")]
pub struct AnswerError {
    what: &'static str,
    #[source]
    cause: serde_json::Error,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// No key was given.
    KeyMissing,
    /// What was given is no key.
    KeyFormat,
    /// Nobody has this key. Said at times of keys that are good.
    KeyUnregistered,
    /// There is no such series.
    NoSeries,
    /// The series has no vintages, or none in the window.
    NotInArchive,
    /// More vintages than are told at once.
    TooManyVintages,
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow)]
    error_message: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct ObservationsBody {
    count: usize,
    observations: Vec<ObservationBody>,
}

/// Each field as it comes, so that one bad row is not the end of a page.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ObservationBody {
    realtime_start: serde_json::Value,
    realtime_end: serde_json::Value,
    date: serde_json::Value,
    value: serde_json::Value,
}

#[derive(Deserialize)]
struct VintageDatesBody {
    count: usize,
    vintage_dates: Vec<Day>,
}

#[derive(Deserialize)]
struct ReleaseDatesBody {
    count: usize,
    release_dates: Vec<ReleaseDate>,
}

#[derive(Deserialize)]
struct ReleaseDate {
    date: Day,
}

/// A date as the service writes it.
struct Day(Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        day(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
struct ReleasesBody {
    releases: Vec<ReleaseBody>,
}

#[derive(Deserialize)]
struct ReleaseBody {
    id: u32,
}

/// What a refusal says, and what it is about. Its words are matched loosely: sources differ in them.
#[must_use]
pub fn complaint(body: &[u8]) -> (Complaint, String) {
    let said = match serde_json::from_slice::<ErrorBody<'_>>(body) {
        Ok(error) => excerpt(error.error_message.as_bytes()),
        Err(_) => excerpt(body),
    };
    let lower = said.to_ascii_lowercase();
    let about_key = lower.contains("api_key");
    let complaint = if about_key && lower.contains("not registered") {
        Complaint::KeyUnregistered
    } else if about_key && (lower.contains("not set") || lower.contains("not been set")) {
        Complaint::KeyMissing
    } else if about_key {
        Complaint::KeyFormat
    } else if lower.contains("does not exist in alfred") {
        Complaint::NotInArchive
    } else if lower.contains("series does not exist") {
        Complaint::NoSeries
    } else if lower.contains("vintage dates in the specified") {
        Complaint::TooManyVintages
    } else {
        Complaint::Other
    };
    (complaint, said)
}

/// Reads a page of observations, one row a vintage (`output_type=1`).
///
/// # Errors
/// When it is none; single rows are refused by themselves.
pub fn observations(body: &[u8]) -> Result<Page, AnswerError> {
    let ObservationsBody { count, observations } = read(body, "a page of observations")?;
    let mut refusals = Refusals::default();
    let n_rows = observations.len();
    let mut rows = Vec::with_capacity(n_rows);
    for (n, row) in observations.into_iter().enumerate() {
        match row.read() {
            Ok(Some(row)) => rows.push(row),
            Ok(None) => {}
            Err(reason) => refusals.push(format!("observation {n} ({}): {reason}", short(&row.date))),
        }
    }
    Ok(Page { count, n_rows, rows, refused: refusals.into_texts() })
}

/// Reads the days on which vintages of a series began.
///
/// # Errors
/// When it is something else.
pub fn vintage_dates(body: &[u8]) -> Result<Days, AnswerError> {
    let VintageDatesBody { count, vintage_dates } = read(body, "a page of vintage dates")?;
    Ok(Days { count, days: vintage_dates.into_iter().map(|day| day.0).collect() })
}

/// Reads the days on which a release came out or will.
///
/// # Errors
/// When it is something else.
pub fn release_dates(body: &[u8]) -> Result<Days, AnswerError> {
    let ReleaseDatesBody { count, release_dates } = read(body, "a page of release dates")?;
    Ok(Days { count, days: release_dates.into_iter().map(|release| release.date.0).collect() })
}

/// Reads the ids of the releases a series belongs to.
///
/// # Errors
/// When it is something else.
pub fn releases(body: &[u8]) -> Result<Vec<u32>, AnswerError> {
    let ReleasesBody { releases } = read(body, "the releases of a series")?;
    Ok(releases.into_iter().map(|release| release.id).collect())
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8], what: &'static str) -> Result<T, AnswerError> {
    serde_json::from_slice(body).map_err(|cause| AnswerError { what, cause })
}

impl ObservationBody {
    fn read(&self) -> Result<Option<Row>, String> {
        let ref_period = day(text(&self.date, "date")?)?;
        let realtime_start = day(text(&self.realtime_start, "realtime_start")?)?;
        let realtime_end = day(text(&self.realtime_end, "realtime_end")?)?;
        let Some(value) = value(text(&self.value, "value")?)? else { return Ok(None) };
        if realtime_end < realtime_start {
            return Err(format!("the vintage ends on {realtime_end}, before it begins on {realtime_start}"));
        }
        if realtime_start < ref_period {
            return Err(format!("known on {realtime_start}, before the period it describes begins"));
        }
        Ok(Some(Row { ref_period, value, realtime_start, realtime_end }))
    }
}

fn text<'a>(value: &'a serde_json::Value, field: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{field} is {}: a text is expected", short(value)))
}

/// A day as both services write it.
pub(super) fn day(text: &str) -> Result<Date, String> {
    // Nothing but a plain date: jiff would take a time or a zone with it.
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let day = if plain { text.parse().ok() } else { None };
    day.ok_or_else(|| format!("{:?} is not a date", excerpt(text.as_bytes())))
}

/// A value as both services write it; `None` where it is missing.
pub(super) fn value(text: &str) -> Result<Option<f64>, String> {
    let text = text.trim();
    if text.is_empty() || text == "." {
        return Ok(None);
    }
    let value: Option<f64> = text.parse().ok().filter(|value: &f64| value.is_finite());
    value.map(Some).ok_or_else(|| format!("{:?} is not a number", excerpt(text.as_bytes())))
}

fn short(value: &serde_json::Value) -> String {
    excerpt(value.to_string().as_bytes())
}
