//! The table itself, and its rows as bars.

use std::collections::HashSet;

use csv::{ReaderBuilder, StringRecord};
use jiff::civil::Date;
use market::{Bar, Calendar};
use thiserror::Error;

use crate::http::excerpt;
use crate::refusals::Refusals;

const COLUMNS: [&str; 6] = ["date", "open", "high", "low", "close", "volume"];

/// More rows than the calendar has days.
const MOST_ROWS: usize = 60_000;

/// One row as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailyRow {
    /// The line it stood on; the header stands on 1.
    pub line: usize,
    /// The trading date.
    pub date: Date,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Shares.
    pub volume: f64,
}

/// The rows of an answer, and what was wrong with others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DailyTable {
    /// In the order of the answer.
    pub rows: Vec<DailyRow>,
    /// Rows that were not taken: which line, and why.
    pub refused: Vec<String>,
}

/// An answer that is no table of daily bars.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TableError {
    /// "No data": an unknown symbol, or a window without bars.
    #[error("no data")]
    NoData,
    /// All requests of the day are used up.
    #[error("the daily limit of requests is used up")]
    Limit,
    /// A page, or nothing at all.
    #[error("a page instead of a table: {0:?}")]
    Page(String),
    /// A table of something else.
    #[error("the header is {0:?}: Date,Open,High,Low,Close,Volume is expected")]
    Header(String),
    /// More rows than there are days.
    #[error("more than {MOST_ROWS} rows")]
    TooMany,
}

/// Reads an answer.
///
/// # Errors
/// [`TableError`]; single rows are refused by themselves.
pub fn parse(body: &[u8]) -> Result<DailyTable, TableError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let beginning = excerpt(body);
    let lower = beginning.to_ascii_lowercase();
    if lower.starts_with("no data") {
        return Err(TableError::NoData);
    }
    if lower.starts_with("exceeded the daily hits limit") {
        return Err(TableError::Limit);
    }
    if lower.is_empty() || lower.starts_with('<') {
        return Err(TableError::Page(beginning));
    }
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body);
    let mut records = reader.byte_records();
    let header = match records.next() {
        Some(Ok(record)) => StringRecord::from_byte_record_lossy(record),
        _ => StringRecord::new(),
    };
    // Further columns may follow.
    let is_known = header.len() >= COLUMNS.len()
        && header.iter().zip(COLUMNS).all(|(found, expected)| found.trim().eq_ignore_ascii_case(expected));
    if !is_known {
        return Err(TableError::Header(beginning));
    }
    let (mut rows, mut refusals) = (Vec::new(), Refusals::default());
    for (idx, record) in records.enumerate() {
        if idx >= MOST_ROWS {
            return Err(TableError::TooMany);
        }
        let line = idx + 2;
        let row = record.map_err(|error| error.to_string()).and_then(|record| {
            let record = StringRecord::from_byte_record_lossy(record);
            if record.len() == header.len() { read(&record, line) } else { Err(other_length(&record, header.len())) }
        });
        match row {
            Ok(row) => rows.push(row),
            Err(reason) => refusals.push(format!("line {line}: {reason}")),
        }
    }
    Ok(DailyTable { rows, refused: refusals.into_texts() })
}

fn other_length(record: &StringRecord, expected: usize) -> String {
    format!("{} cells where {expected} are expected", record.len())
}

fn read(record: &StringRecord, line: usize) -> Result<DailyRow, String> {
    let cell = |at: usize| record.get(at).unwrap_or_default().trim();
    let number = |at: usize| {
        let refused = || format!("{} is {:?}: a number is expected", COLUMNS[at], excerpt(cell(at).as_bytes()));
        cell(at).parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(refused)
    };
    let day = cell(0);
    let plain = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = if plain { day.parse().ok() } else { None };
    Ok(DailyRow {
        line,
        date: date.ok_or_else(|| format!("{:?} is not a date", excerpt(day.as_bytes())))?,
        open: number(1)?,
        high: number(2)?,
        low: number(3)?,
        close: number(4)?,
        volume: number(5)?,
    })
}

impl DailyTable {
    /// The rows as bars of the exchange's sessions, ascending, none twice. `spelling` is what refusals name.
    pub(super) fn into_bars(self, spelling: &str) -> (Vec<Bar>, Refusals) {
        let mut refusals = Refusals::default();
        self.refused.into_iter().for_each(|text| refusals.push(format!("{spelling}, {text}")));
        let (mut bars, mut seen) = (Vec::with_capacity(self.rows.len()), HashSet::new());
        for row in self.rows {
            let bar = row.into_bar().and_then(|bar| match seen.insert(row.date) {
                true => Ok(bar),
                false => Err("a second row of this day".to_owned()),
            });
            match bar {
                Ok(bar) => bars.push(bar),
                Err(reason) => refusals.push(format!("{spelling}, line {} ({}): {reason}", row.line, row.date)),
            }
        }
        bars.sort_by_key(|bar| bar.open_time);
        (bars, refusals)
    }
}

impl DailyRow {
    /// The row as the bar of its session.
    ///
    /// # Errors
    /// When the exchange was closed that day, or the bar is none that can be; in words.
    pub fn into_bar(self) -> Result<Bar, String> {
        let Self { date, open, high, low, close, volume, .. } = self;
        let session = Calendar::Nyse.day(date).ok_or("the exchange was closed")?;
        let bar = Bar {
            open_time: session.open_time,
            close_time: session.close_time,
            open,
            high,
            low,
            close,
            volume,
            adj_close: None,
            known_at: session.close_time,
        };
        bar.checked().map_err(|error| error.to_string())
    }
}
