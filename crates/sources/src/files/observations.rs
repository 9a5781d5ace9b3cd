//! Macro observations from files.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use market::Observation;
use market::calendar::end_of_day_new_york;

use super::BATCH_ROWS;
use super::options::ColumnMap;
use super::quarantine::{Counts, Progress, Quarantine, Reason};
use super::table::{Content, Field, Next, Table};
use super::walk::DataFile;
use crate::Error;

/// How to read files of observations.
#[derive(Debug, Clone)]
pub struct ObservationOptions {
    /// Only these series; all when empty.
    pub series: Vec<String>,
    /// Which columns hold `series_id`, `date`, `value`, `realtime_start`, `realtime_end`.
    pub columns: ColumnMap,
    /// When the file was fetched. A value without a vintage counts as known from then on, since nothing tells when it
    /// was published; vintages that begin later are refused.
    pub fetched_at: Timestamp,
}

/// Observations of one series in the order of the file, at most [`BATCH_ROWS`].
#[derive(Debug, Clone)]
pub struct ObservationBatch {
    /// The id as in the file (`CPIAUCSL`).
    pub series_id: String,
    /// The observations.
    pub observations: Vec<Observation>,
    /// Whether the file tells when values were known. Where it does not, `realtime_start` is the date of `fetched_at`
    /// and `known_at` is `fetched_at`: no forecast of an earlier moment may read them.
    pub has_vintages: bool,
}

const FIELDS: &[Field] = &[
    Field::required("series_id", Content::Text),
    Field::required("date", Content::Time),
    Field::required("value", Content::Number),
    Field::optional("realtime_start", Content::Time),
    Field::optional("realtime_end", Content::Time),
];

/// In ALFRED's convention, the end of a vintage that is still the current one.
const STILL_CURRENT: Date = date(9999, 12, 31);

/// A file of observations being read. Rows may come in any order; a vintage said twice is seen across the whole file.
#[derive(Debug)]
pub struct ObservationFile<'a> {
    options: &'a ObservationOptions,
    table: Table,
    has_vintages: bool,
    series: HashMap<Box<str>, u32>,
    /// By series, period and first day of the vintage: the line it stood on and its value.
    seen: HashMap<(u32, Date, Date), (u64, f64)>,
    /// A row that belongs to the next batch.
    next: Option<(String, Observation)>,
    counts: Counts,
}

impl<'a> ObservationFile<'a> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, or lacks a required column.
    pub fn open(file: &DataFile, options: &'a ObservationOptions) -> Result<Self, Error> {
        options.columns.check(&FIELDS.iter().map(|field| field.name).collect::<Vec<_>>())?;
        let mut table = Table::open(file)?;
        table.select(FIELDS, &options.columns)?;
        let has_vintages = table.has("realtime_start", &options.columns);
        Ok(Self {
            options,
            table,
            has_vintages,
            series: HashMap::new(),
            seen: HashMap::new(),
            next: None,
            counts: Counts::default(),
        })
    }

    /// Whether the file tells when values were known.
    #[must_use]
    pub const fn has_vintages(&self) -> bool {
        self.has_vintages
    }

    /// How far the file has been read.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.table.progress()
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The next observations, of one series; `None` at the end. Refused rows go to `refuse`.
    ///
    /// # Errors
    /// When the file, found whole as it was opened, cannot be read on.
    pub fn next_batch(&mut self, refuse: &mut dyn FnMut(Quarantine)) -> Result<Option<ObservationBatch>, Error> {
        let has_vintages = self.has_vintages;
        let first = match self.next.take() {
            Some(first) => Some(first),
            None => self.next_observation(refuse)?,
        };
        let Some((series_id, first)) = first else { return Ok(None) };
        let mut observations = vec![first];
        while observations.len() < BATCH_ROWS {
            match self.next_observation(refuse)? {
                Some((id, observation)) if id == series_id => observations.push(observation),
                other => {
                    self.next = other;
                    break;
                }
            }
        }
        Ok(Some(ObservationBatch { series_id, observations, has_vintages }))
    }

    fn next_observation(&mut self, refuse: &mut dyn FnMut(Quarantine)) -> Result<Option<(String, Observation)>, Error> {
        loop {
            let reason = match self.table.next() {
                Next::Row => match self.read_row() {
                    Ok(Some(row)) => {
                        self.counts.kept += 1;
                        return Ok(Some(row));
                    }
                    Ok(None) => {
                        self.counts.skipped += 1;
                        continue;
                    }
                    Err(reason) => reason,
                },
                Next::Bad(reason) => reason,
                Next::Damaged(cause) => return Err(self.table.damaged(cause)),
                Next::End => return Ok(None),
            };
            self.counts.refused += 1;
            refuse(self.table.refusal(reason));
        }
    }

    fn read_row(&mut self) -> Result<Option<(String, Observation)>, Reason> {
        let (table, options) = (&self.table, self.options);
        let id = table.text(0)?;
        if id.len() > 64 || !id.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(Reason::SeriesId { text: id.chars().take(48).collect() });
        }
        if !options.series.is_empty() && !options.series.iter().any(|wanted| wanted.eq_ignore_ascii_case(id)) {
            return Ok(None);
        }
        let ref_period = table.date(1)?;
        let value = number(table)?;
        let fetched_at = options.fetched_at;
        let (realtime_start, realtime_end, known_at) = if self.has_vintages {
            let start = table.date(3)?;
            let end = table.optional_date(4)?.filter(|end| *end != STILL_CURRENT);
            (start, end, end_of_day_new_york(start))
        } else {
            (market::Calendar::Continuous.trading_date(fetched_at), None, fetched_at)
        };
        if realtime_start < ref_period {
            return Err(Reason::KnownTooEarly { ref_period, realtime_start });
        }
        if let Some(realtime_end) = realtime_end.filter(|end| *end <= realtime_start) {
            return Err(Reason::Vintage { realtime_start, realtime_end });
        }
        if known_at > fetched_at {
            return Err(Reason::Future { date: realtime_start, now: fetched_at });
        }
        let (line, n_series) = (table.line(), self.series.len() as u32);
        let series = match self.series.get(id) {
            Some(series) => *series,
            None => *self.series.entry(id.into()).or_insert(n_series),
        };
        match self.seen.entry((series, ref_period, realtime_start)) {
            std::collections::hash_map::Entry::Occupied(first) => {
                let (line, other) = *first.get();
                return Err(if other == value { Reason::Repeated { line } } else { Reason::Contradicts { line } });
            }
            std::collections::hash_map::Entry::Vacant(place) => place.insert((line, value)),
        };
        let observation = Observation { ref_period, value, realtime_start, realtime_end, known_at };
        Ok(Some((id.to_owned(), observation)))
    }
}

/// The value; FRED writes a lone dot where it has none.
fn number(table: &Table) -> Result<f64, Reason> {
    let value = match table.number(2) {
        Err(Reason::Number { text, .. }) if text == "." => return Err(Reason::Missing { field: "value" }),
        other => other?,
    };
    if value.is_finite() { Ok(value) } else { Err(Reason::NotFinite { field: "value", value }) }
}
