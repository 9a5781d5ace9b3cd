//! What was refused, where and why.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use market::symbol::SymbolError;
use market::{BarError, Symbol, Timeframe};
use thiserror::Error;

/// Most characters of a refused row that are kept.
const RAW_CHARS: usize = 200;

/// One refused row.
#[derive(Debug, Clone, PartialEq)]
pub struct Quarantine {
    /// The file.
    pub file: Arc<Path>,
    /// The line of a CSV file (the header is line 1), or the row of a Parquet file (the first is 1).
    pub line: u64,
    /// Why it was refused.
    pub reason: Reason,
    /// The row as it stood, at most 200 characters; bytes that are no UTF-8 are shown as �.
    pub raw: String,
}

impl Quarantine {
    pub(super) fn new(file: &Arc<Path>, line: u64, reason: Reason, raw: &[u8]) -> Self {
        // Four bytes are the most one character takes: no need to look at more of a long line.
        let head = &raw[..raw.len().min(4 * RAW_CHARS)];
        let raw = String::from_utf8_lossy(head).chars().take(RAW_CHARS).collect();
        Self { file: Arc::clone(file), line, reason, raw }
    }
}

/// Why a row was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Reason {
    /// The line has more or fewer fields than the header.
    #[error("{found} fields where the header has {expected}")]
    Fields {
        /// How many the line has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// A quoted field is not closed, or goes on after its closing quote.
    #[error("a quoted field does not end where it should")]
    Quote,
    /// The line is too long to be a row.
    #[error("a line of more than {limit} bytes")]
    TooLong {
        /// The longest line that is read.
        limit: usize,
    },
    /// A field is not text.
    #[error("{field} is not valid UTF-8")]
    Utf8 {
        /// Which field.
        field: &'static str,
    },
    /// A field is empty.
    #[error("{field} is missing")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// A field is not a number.
    #[error("{field} is {text:?}: a number is expected")]
    Number {
        /// Which field.
        field: &'static str,
        /// What stood there.
        text: String,
    },
    /// A field is not a finite number above zero.
    #[error("{field} is {value}: a positive finite number is expected")]
    NotPositive {
        /// Which field.
        field: &'static str,
        /// What stood there.
        value: f64,
    },
    /// A field is not a finite number.
    #[error("{field} is {value}: a finite number is expected")]
    NotFinite {
        /// Which field.
        field: &'static str,
        /// What stood there.
        value: f64,
    },
    /// A field is not a time.
    #[error("{field} is {text:?}: a time such as 2020-01-02T14:30:00Z is expected")]
    Time {
        /// Which field.
        field: &'static str,
        /// What stood there.
        text: String,
    },
    /// A field is not a date.
    #[error("{field} is {text:?}: a date such as 2020-01-02 is expected")]
    Date {
        /// Which field.
        field: &'static str,
        /// What stood there.
        text: String,
    },
    /// The symbol is none.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    /// The id of a macro series is none.
    #[error("{text:?} is not the id of a series: 1 to 64 printable ASCII characters are expected")]
    SeriesId {
        /// What stood there.
        text: String,
    },
    /// The prices or the volume cannot be.
    #[error(transparent)]
    Bar(#[from] BarError),
    /// The exchange was closed on that day.
    #[error("{date} is not a trading day of {symbol}")]
    NoSession {
        /// The session's label.
        date: Date,
        /// The asset.
        symbol: Symbol,
    },
    /// No bar opens at that time.
    #[error("no {timeframe} bar of {symbol} opens at {time}")]
    OffCalendar {
        /// The stamp.
        time: Timestamp,
        /// The bar length.
        timeframe: Timeframe,
        /// The asset.
        symbol: Symbol,
    },
    /// The calendar of US stocks, which the asset was taken for, has no such bar.
    #[error(
        "{reason}: {symbol} is taken for a US stock by its spelling; if it is a coin, import it with --class crypto"
    )]
    TakenForStock {
        /// What that calendar says.
        reason: Box<Reason>,
        /// The asset.
        symbol: Symbol,
    },
    /// The bar is not closed yet, so its content can still change.
    #[error("the bar closes at {close_time}, after {now}: only closed bars are kept")]
    NotClosed {
        /// When it will close.
        close_time: Timestamp,
        /// When the file was read.
        now: Timestamp,
    },
    /// The row's time lies before that of the row it follows.
    #[error("time {time} is before {predecessor} of the row it follows")]
    Unsorted {
        /// This row's time.
        time: Timestamp,
        /// The time of the last row in order.
        predecessor: Timestamp,
    },
    /// The row's time lies after those of the two rows that follow, which are in order among themselves.
    #[error("time {time} is after {successor} of the rows that follow")]
    Ahead {
        /// This row's time.
        time: Timestamp,
        /// The time of the row after the next.
        successor: Timestamp,
    },
    /// The row says once more what another one said.
    #[error("the same as line {line}")]
    Repeated {
        /// The row that was kept.
        line: u64,
    },
    /// Another row has the same name and other content.
    #[error("the same time as line {line}, with other content")]
    Contradicts {
        /// The row that was kept.
        line: u64,
    },
    /// A value would have been known before the period it describes began.
    #[error("the value of {ref_period} is said to have been known on {realtime_start}, before the period began")]
    KnownTooEarly {
        /// The period.
        ref_period: Date,
        /// The first day of the vintage.
        realtime_start: Date,
    },
    /// A vintage ends before it begins.
    #[error("the vintage ends on {realtime_end}, not after it began on {realtime_start}")]
    Vintage {
        /// The first day.
        realtime_start: Date,
        /// The first day after.
        realtime_end: Date,
    },
    /// Something dated in the future cannot be a fact.
    #[error("{date} lies in the future of {now}")]
    Future {
        /// The date.
        date: Date,
        /// When the file was read.
        now: Timestamp,
    },
    /// A split that changes nothing.
    #[error("a split of {0} for {0} is none")]
    NoSplit(f64),
}

/// What became of the rows of a file so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows given on.
    pub kept: u64,
    /// Rows refused, each of them reported.
    pub refused: u64,
    /// Rows of symbols that were not asked for.
    pub skipped: u64,
}

/// How far a file has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file on disk that have been read; of a Parquet file, the share of its rows.
    pub read_bytes: u64,
    /// Bytes of the file on disk.
    pub total_bytes: u64,
    /// Lines or rows that have been read.
    pub rows: u64,
}

/// Keeps the first refusals up to a limit, and counts all.
#[derive(Debug, Clone)]
pub struct QuarantineLog {
    limit: usize,
    entries: Vec<Quarantine>,
    total: u64,
}

impl QuarantineLog {
    /// A log that keeps at most `limit` entries.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, entries: Vec::new(), total: 0 }
    }

    /// Counts a refusal, and keeps it while there is room.
    pub fn push(&mut self, quarantine: Quarantine) {
        self.total += 1;
        if self.entries.len() < self.limit {
            self.entries.push(quarantine);
        }
    }

    /// The entries kept, in the order they came.
    #[must_use]
    pub fn entries(&self) -> &[Quarantine] {
        &self.entries
    }

    /// How many there were, kept or not.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
}
