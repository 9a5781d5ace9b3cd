//! The chart answer as it comes: its shape, and nothing concluded from it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::http::in_short;

/// One series as Yahoo tells it: prices and volumes in the terms of the newest split, dividends in the same terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What is said of the series as a whole.
    pub meta: Meta,
    /// The rows, in the order they came.
    pub cells: Vec<Cells>,
    /// Cash dividends, in the order of their stamps.
    pub dividends: Vec<DividendEvent>,
    /// Splits, in the order of their stamps.
    pub splits: Vec<SplitEvent>,
    /// Events whose numbers cannot be read.
    pub n_bad_events: usize,
}

impl Chart {
    /// Joins what a later window told.
    pub(super) fn extend(&mut self, later: Self) {
        self.meta = later.meta;
        // The window's first row is the last of the one before.
        let last = self.cells.iter().filter_map(|cells| cells.stamp).max();
        self.cells.extend(later.cells.into_iter().filter(|cells| cells.stamp.is_none() || cells.stamp > last));
        self.dividends.extend(later.dividends);
        self.splits.extend(later.splits);
        self.n_bad_events = self.n_bad_events.max(later.n_bad_events);
        self.dividends.dedup();
        self.splits.dedup();
    }
}

/// What is said of the series as a whole. All but two fields are missing from some answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The symbol as Yahoo spells it.
    pub symbol: String,
    /// The exchange's time zone, by its IANA name.
    pub exchange_timezone_name: String,
    /// The currency of the prices; `GBp`, `ZAc` and `ILA` are hundredths.
    #[serde(default)]
    pub currency: Option<String>,
    /// The exchange; `YHD` when the series is dead.
    #[serde(default)]
    pub exchange_name: Option<String>,
    /// When the last trade was, in seconds.
    #[serde(default)]
    pub regular_market_time: Option<i64>,
    /// The last price of the regular session.
    #[serde(default)]
    pub regular_market_price: Option<f64>,
    /// The length of the bars that came.
    #[serde(default)]
    pub data_granularity: Option<String>,
}

/// One row. What is null is `None`; what is no number is NaN.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cells {
    /// The stamp, in seconds; `None` when it is no whole number.
    pub stamp: Option<i64>,
    /// First price.
    pub open: Option<f64>,
    /// Highest price.
    pub high: Option<f64>,
    /// Lowest price.
    pub low: Option<f64>,
    /// Last price.
    pub close: Option<f64>,
    /// Shares; of coins, dollars.
    pub volume: Option<f64>,
    /// The close less everything later splits and dividends took; of days and longer.
    pub adjusted: Option<f64>,
}

/// A cash dividend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DividendEvent {
    /// The ex-date's session, in seconds.
    pub date: i64,
    /// Amount per share.
    pub amount: f64,
}

/// A split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitEvent {
    /// The ex-date's session, in seconds.
    pub date: i64,
    /// New shares.
    pub numerator: f64,
    /// Old shares.
    pub denominator: f64,
}

/// Why an answer is no chart.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ChartError {
    /// Yahoo says so itself.
    #[error("{code}: {description}")]
    Said {
        /// Its code, such as `Not Found`.
        code: String,
        /// Its words.
        description: String,
    },
    /// It is not what the protocol says.
    #[error("{0}")]
    Malformed(String),
}

/// More than weekly ones since there are exchanges.
const MOST_DIVIDENDS: usize = 10_000;

/// More than ten times what any fund has had; each is held against every row.
const MOST_SPLITS: usize = 500;

/// Reads the body of a chart answer. An `error` in it is read whatever the status was.
///
/// # Errors
/// [`ChartError`]. A single bad cell is not one: it is NaN, or `None` in a stamp. Bad events are left out and counted.
pub fn parse_chart(body: &[u8]) -> Result<Chart, ChartError> {
    let envelope: Envelope = serde_json::from_slice(body)
        .map_err(|error| ChartError::Malformed(format!("no chart: {}", in_short(error))))?;
    let malformed = |reason: &str| ChartError::Malformed(reason.to_owned());
    let inner = envelope.chart.or(envelope.finance).ok_or_else(|| malformed("neither chart nor error"))?;
    if let Some(error) = inner.error {
        return Err(error.said());
    }
    let result = inner.result.and_then(|results| results.into_iter().next());
    let result = result.ok_or_else(|| malformed("neither a result nor an error"))?;
    let quote = result.indicators.quote.into_iter().next().unwrap_or_default();
    let adjusted = result.indicators.adjclose.and_then(|list| list.into_iter().next()).unwrap_or_default().adjclose;
    let stamps = result.timestamp.unwrap_or_default();
    let columns = [&quote.open, &quote.high, &quote.low, &quote.close, &quote.volume, &adjusted];
    for column in columns {
        // Cells of columns of different lengths cannot be told which row they belong to.
        if column.as_ref().is_some_and(|column| column.len() != stamps.len()) {
            return Err(malformed("columns and time stamps differ in length"));
        }
    }
    let cell = |column: &Option<Vec<Cell>>, row: usize| column.as_ref().and_then(|column| column[row].0);
    let cells = (0..stamps.len())
        .map(|row| Cells {
            stamp: stamps[row].whole(),
            open: cell(&quote.open, row),
            high: cell(&quote.high, row),
            low: cell(&quote.low, row),
            close: cell(&quote.close, row),
            volume: cell(&quote.volume, row),
            adjusted: cell(&adjusted, row),
        })
        .collect();
    let events = result.events.unwrap_or_default();
    let (told_dividends, told_splits) = (events.dividends.unwrap_or_default(), events.splits.unwrap_or_default());
    let mut dividends: Vec<_> = told_dividends.values().filter_map(RawDividend::read).collect();
    let mut splits: Vec<_> = told_splits.values().filter_map(RawSplit::read).collect();
    let n_bad_events = told_dividends.len() + told_splits.len() - dividends.len() - splits.len();
    if dividends.len() > MOST_DIVIDENDS || splits.len() > MOST_SPLITS {
        return Err(malformed("more dividends or splits than anything has had"));
    }
    dividends.sort_by_key(|event: &DividendEvent| event.date);
    splits.sort_by_key(|event: &SplitEvent| event.date);
    Ok(Chart { meta: result.meta, cells, dividends, splits, n_bad_events })
}

#[derive(Deserialize)]
struct Envelope {
    chart: Option<Inner>,
    /// Errors of the gateway before the chart service.
    finance: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    result: Option<Vec<RawResult>>,
    error: Option<RawError>,
}

#[derive(Deserialize)]
pub(super) struct RawError {
    code: Option<String>,
    description: Option<String>,
}

impl RawError {
    pub(super) fn said(self) -> ChartError {
        let said = |text: Option<String>| in_short(text.unwrap_or_default());
        ChartError::Said { code: said(self.code), description: said(self.description) }
    }
}

#[derive(Deserialize)]
struct RawResult {
    meta: Meta,
    timestamp: Option<Vec<Cell>>,
    events: Option<RawEvents>,
    indicators: RawIndicators,
}

#[derive(Deserialize)]
struct RawIndicators {
    #[serde(default)]
    quote: Vec<RawQuote>,
    adjclose: Option<Vec<RawAdjusted>>,
}

#[derive(Deserialize, Default)]
struct RawQuote {
    open: Option<Vec<Cell>>,
    high: Option<Vec<Cell>>,
    low: Option<Vec<Cell>>,
    close: Option<Vec<Cell>>,
    volume: Option<Vec<Cell>>,
}

#[derive(Deserialize, Default)]
struct RawAdjusted {
    adjclose: Option<Vec<Cell>>,
}

#[derive(Deserialize, Default)]
struct RawEvents {
    dividends: Option<BTreeMap<String, RawDividend>>,
    splits: Option<BTreeMap<String, RawSplit>>,
}

#[derive(Deserialize)]
struct RawDividend {
    #[serde(default)]
    date: Cell,
    #[serde(default)]
    amount: Cell,
}

impl RawDividend {
    fn read(&self) -> Option<DividendEvent> {
        let amount = self.amount.0.filter(|amount| amount.is_finite() && *amount > 0.0)?;
        Some(DividendEvent { date: self.date.whole()?, amount })
    }
}

#[derive(Deserialize)]
struct RawSplit {
    #[serde(default)]
    date: Cell,
    #[serde(default)]
    numerator: Cell,
    #[serde(default)]
    denominator: Cell,
}

impl RawSplit {
    fn read(&self) -> Option<SplitEvent> {
        let shares = |cell: &Cell| cell.0.filter(|n| n.is_finite() && *n > 0.0);
        let (numerator, denominator) = (shares(&self.numerator)?, shares(&self.denominator)?);
        // Of two numbers of shares that can be the ratio may be none that can.
        shares(&Cell(Some(numerator / denominator)))?;
        Some(SplitEvent { date: self.date.whole()?, numerator, denominator })
    }
}

/// A number, nothing, or something that is neither and becomes NaN: one bad cell is no reason to lose the others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell(pub(super) Option<f64>);

impl Cell {
    /// The value as a whole number of seconds.
    pub(super) fn whole(self) -> Option<i64> {
        // Whole numbers of seconds far beyond any calendar are still exact in a double.
        let value = self.0.filter(|value| value.fract() == 0.0 && value.abs() < 1e12)?;
        Some(value as i64)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor).map(Self)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or null")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value as f64))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Some(f64::NAN))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Some(f64::NAN))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(f64::NAN))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(f64::NAN))
    }
}
