//! The keyless table: one series as it stands today.

use csv::{ReaderBuilder, StringRecord};
use jiff::civil::Date;
use thiserror::Error;

use crate::http::excerpt;
use crate::refusals::Refusals;

/// More rows than any series has.
const MOST_ROWS: usize = 200_000;

/// Today's values and what was wrong with others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Period and value, ascending, none twice. A period without a value is not among them.
    pub values: Vec<(Date, f64)>,
    /// Rows that were not taken: which line, and why.
    pub refused: Vec<String>,
}

/// An answer that is no table of the series.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GraphError {
    /// A page that says that there is no such series.
    #[error("a page that knows no such series")]
    Unknown,
    /// Another page: that of whoever stands before the service, or an error.
    #[error("a page instead of a table: {0:?}")]
    Page(String),
    /// A table of something else.
    #[error("the header is {found:?}: observation_date (or DATE) and {series_id} are expected")]
    Header {
        /// What stood there.
        found: String,
        /// What was asked for.
        series_id: String,
    },
    /// More rows than any series has.
    #[error("more than {MOST_ROWS} rows")]
    TooMany,
}

/// Reads the table of a series, with either header; a cell that is empty or a lone dot is a missing value.
///
/// # Errors
/// [`GraphError`]; single rows are refused by themselves.
pub fn parse(body: &[u8], series_id: &str) -> Result<Table, GraphError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(page(body));
    }
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body);
    let mut records = reader.byte_records();
    let header = match records.next() {
        Some(Ok(record)) => StringRecord::from_byte_record_lossy(record),
        _ => StringRecord::new(),
    };
    let is_date = header.get(0).is_some_and(|name| ["observation_date", "date"].contains(&&*name.to_ascii_lowercase()));
    if !(is_date && header.len() == 2 && header.get(1).is_some_and(|name| name.eq_ignore_ascii_case(series_id))) {
        let found = excerpt(header.iter().collect::<Vec<_>>().join(",").as_bytes());
        return Err(GraphError::Header { found, series_id: series_id.to_owned() });
    }
    let (mut values, mut refusals): (Vec<(Date, f64)>, _) = (Vec::new(), Refusals::default());
    for (row, record) in records.enumerate() {
        if row >= MOST_ROWS {
            return Err(GraphError::TooMany);
        }
        // The header stands on the first line.
        let line = row + 2;
        let parsed = match record {
            Ok(record) => read(&StringRecord::from_byte_record_lossy(record)),
            Err(error) => Err(error.to_string()),
        };
        match parsed {
            Ok(None) => {}
            Ok(Some((day, _))) if values.last().is_some_and(|(last, _)| day <= *last) => {
                refusals.push(format!("{series_id}, line {line}: {day} does not follow the day before it"));
            }
            Ok(Some(value)) => values.push(value),
            Err(reason) => refusals.push(format!("{series_id}, line {line}: {reason}")),
        }
    }
    Ok(Table { values, refused: refusals.into_texts() })
}

fn page(body: &[u8]) -> GraphError {
    const READ: usize = 64 << 10;
    let text = String::from_utf8_lossy(&body[..body.len().min(READ)]).to_ascii_lowercase();
    let says_unknown = ["not found", "does not exist", "could not be found"].iter().any(|words| text.contains(words));
    if says_unknown { GraphError::Unknown } else { GraphError::Page(excerpt(body)) }
}

fn read(record: &StringRecord) -> Result<Option<(Date, f64)>, String> {
    if record.len() != 2 {
        return Err(format!("{} cells where 2 are expected", record.len()));
    }
    let (day, value) = (record[0].trim(), record[1].trim());
    let day: Date = super::answer::day(day)?;
    Ok(super::answer::value(value)?.map(|value| (day, value)))
}
