//! Bars from files.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use market::universe::asset_for_source_symbol;
use market::{Adjustment, Asset, AssetClass, AssetKind, Bar, Symbol, Timeframe};

use super::BATCH_ROWS;
use super::options::ColumnMap;
use super::place::{place, timeframe_of};
use super::quarantine::{Counts, Progress, Quarantine, Reason};
use super::table::{Content, Field, Next, Table};
use super::walk::DataFile;
use crate::Error;

/// How to read files of bars.
#[derive(Debug, Clone)]
pub struct BarOptions {
    /// Assets whose spellings are known; others are taken by rule, see [`asset_for_source_symbol`].
    pub known: Vec<Asset>,
    /// The class of all that is read, instead of the one by rule.
    pub class: Option<AssetClass>,
    /// The kind of all that is read; says the class too.
    pub kind: Option<AssetKind>,
    /// The bars' length, instead of the commonest spacing of each file.
    pub timeframe: Option<Timeframe>,
    /// How the prices are adjusted; nothing in a file says it.
    pub adjustment: Adjustment,
    /// Only these symbols, in either spelling (`BTC` or `BTCUSDT`); all when empty.
    pub symbols: Vec<String>,
    /// Which columns hold `symbol`, `timestamp`, `open`, `high`, `low`, `close`, `adj_close`, `volume`.
    pub columns: ColumnMap,
    /// The present instant: bars that close later are refused.
    pub now: Timestamp,
}

impl BarOptions {
    /// Raw prices of all symbols by rule, from columns named as in the schema.
    #[must_use]
    pub fn new(known: Vec<Asset>, now: Timestamp) -> Self {
        Self {
            known,
            class: None,
            kind: None,
            timeframe: None,
            adjustment: Adjustment::Raw,
            symbols: Vec::new(),
            columns: ColumnMap::default(),
            now,
        }
    }

    fn asset(&self, spelling: &str) -> Result<Asset, Reason> {
        let mut asset = asset_for_source_symbol(spelling, &self.known)?;
        let kind = self.kind.or(match self.class {
            Some(class) if class != asset.class() => Some(match class {
                AssetClass::Crypto => AssetKind::Coin,
                AssetClass::Stocks => AssetKind::Equity,
                AssetClass::Macro => AssetKind::Series,
            }),
            _ => None,
        });
        asset.kind = kind.unwrap_or(asset.kind);
        Ok(asset)
    }

    /// Whether nothing but its spelling says that an asset is a stock.
    fn took_for_stock(&self, asset: &Asset) -> bool {
        let said = self.class.is_some() || self.kind.is_some();
        !said && asset.class() == AssetClass::Stocks && !self.known.contains(asset)
    }

    fn wants(&self, asset: &Asset) -> bool {
        let named = |text: &String| {
            text.eq_ignore_ascii_case(asset.symbol.as_str()) || text.eq_ignore_ascii_case(&asset.source_symbol)
        };
        self.symbols.is_empty() || self.symbols.iter().any(named)
    }
}

/// Closed bars of one asset, ascending by `open_time`, at most [`BATCH_ROWS`].
#[derive(Debug, Clone)]
pub struct BarBatch {
    /// Whose bars.
    pub asset: Asset,
    /// Their length.
    pub timeframe: Timeframe,
    /// How their prices are adjusted, as the options say.
    pub adjustment: Adjustment,
    /// The bars; each is known from its close.
    pub bars: Vec<Bar>,
}

const FIELDS: &[Field] = &[
    Field::optional("symbol", Content::Text),
    Field::required("timestamp", Content::Time).or(&["date", "datetime"]),
    Field::required("open", Content::Number),
    Field::required("high", Content::Number),
    Field::required("low", Content::Number),
    Field::required("close", Content::Number),
    Field::required("volume", Content::Number),
    Field::optional("adj_close", Content::Number).or(&["adj close"]),
];

/// A file of bars being read. It may hold several symbols, one after the other or mixed, each in order of time; or, in a
/// file whose first rows say so, each from the newest to the oldest, for which all of its rows are held in memory. A file
/// without a column of symbols is of the one it is named after.
#[derive(Debug)]
pub struct BarFile<'a> {
    options: &'a BarOptions,
    table: Table,
    /// The symbol of all rows, where no column holds it.
    symbol: Option<Symbol>,
    timeframe: Option<Timeframe>,
    /// Whether the newest bars come first; seen from the first rows.
    newest_first: Option<bool>,
    series: Vec<Series>,
    by_spelling: HashMap<Box<str>, usize>,
    /// Raw lines of the rows that wait to be judged.
    raw: Vec<u8>,
    ready: VecDeque<BarBatch>,
    counts: Counts,
    ended: bool,
}

/// One symbol of the file.
#[derive(Debug)]
struct Series {
    symbol: Symbol,
    /// `None` when it was not asked for.
    asset: Option<Asset>,
    rows: Vec<Row>,
    last: Option<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    line: u64,
    stamp: Timestamp,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    adj_close: Option<f64>,
    raw: std::ops::Range<usize>,
}

impl Row {
    fn same_content(&self, other: &Self) -> bool {
        let numbers = |row: &Self| [row.open, row.high, row.low, row.close, row.volume];
        numbers(self) == numbers(other) && self.adj_close == other.adj_close
    }
}

/// How many rows that follow are looked at before a row's time is believed.
const LOOKAHEAD: usize = 2;

impl<'a> BarFile<'a> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, lacks a required column, or the options do not fit.
    pub fn open(file: &DataFile, options: &'a BarOptions) -> Result<Self, Error> {
        options.columns.check(&FIELDS.iter().map(|field| field.name).collect::<Vec<_>>())?;
        let class = options.kind.map(AssetKind::class).or(options.class);
        if class == Some(AssetClass::Macro) {
            return Err(Error::MacroBars { path: file.path.clone() });
        }
        let mut table = Table::open(file)?;
        table.select(FIELDS, &options.columns)?;
        let mut symbol = None;
        if !table.has("symbol", &options.columns) {
            if options.columns.maps("symbol") {
                return Err(table.missing("symbol", &options.columns));
            }
            let nothing = || Error::NoSymbol { path: file.path.clone(), found: table.found() };
            symbol = Some(file.symbol().ok_or_else(nothing)?);
        }
        Ok(Self {
            options,
            table,
            symbol,
            timeframe: options.timeframe,
            newest_first: None,
            series: Vec::new(),
            by_spelling: HashMap::new(),
            raw: Vec::new(),
            ready: VecDeque::new(),
            counts: Counts::default(),
            ended: false,
        })
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

    /// The next bars, of one asset; `None` at the end. Refused rows go to `refuse`; within a symbol they come in order.
    ///
    /// # Errors
    /// When the timeframe was not given and cannot be seen from the stamps; nothing of the file was given on then. Or
    /// when the file, found whole as it was opened, cannot be read on.
    pub fn next_batch(&mut self, refuse: &mut dyn FnMut(Quarantine)) -> Result<Option<BarBatch>, Error> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            self.read_chunk(refuse)?;
        }
    }

    fn read_chunk(&mut self, refuse: &mut dyn FnMut(Quarantine)) -> Result<(), Error> {
        let mut n_rows = 0;
        while n_rows < BATCH_ROWS - LOOKAHEAD {
            n_rows += 1;
            let reason = match self.table.next() {
                Next::Row => match self.read_row() {
                    Ok(()) => continue,
                    Err(reason) => reason,
                },
                Next::Bad(reason) => reason,
                Next::Damaged(cause) => {
                    self.ended = true;
                    return Err(self.table.damaged(cause));
                }
                Next::End => {
                    self.ended = true;
                    break;
                }
            };
            self.counts.refused += 1;
            refuse(self.table.refusal(reason));
        }
        if self.series.iter().any(|series| !series.rows.is_empty()) {
            if *self.newest_first.get_or_insert_with(|| descend(&self.series)) {
                if !self.ended {
                    return Ok(());
                }
                for series in &mut self.series {
                    series.rows.reverse();
                }
            }
            let timeframe = match self.timeframe {
                Some(timeframe) => timeframe,
                None => self.see_timeframe()?,
            };
            self.timeframe = Some(timeframe);
            self.settle(timeframe, refuse);
        }
        Ok(())
    }

    fn read_row(&mut self) -> Result<(), Reason> {
        let table = &self.table;
        let spelling = match &self.symbol {
            Some(symbol) => symbol.as_str(),
            None => table.text(0)?,
        };
        let index = match self.by_spelling.get(spelling) {
            Some(index) => *index,
            None => {
                let asset = self.options.asset(spelling)?;
                let index = self.series.iter().position(|series| series.symbol == asset.symbol).unwrap_or_else(|| {
                    let symbol = asset.symbol.clone();
                    let asset = Some(asset).filter(|asset| self.options.wants(asset));
                    self.series.push(Series { symbol, asset, rows: Vec::new(), last: None });
                    self.series.len() - 1
                });
                self.by_spelling.insert(spelling.into(), index);
                index
            }
        };
        let series = &mut self.series[index];
        if series.asset.is_none() {
            self.counts.skipped += 1;
            return Ok(());
        }
        let start = self.raw.len();
        let mut row = Row {
            line: table.line(),
            stamp: table.instant(1)?,
            open: table.number(2)?,
            high: table.number(3)?,
            low: table.number(4)?,
            close: table.number(5)?,
            volume: table.number(6)?,
            adj_close: table.optional_number(7)?,
            raw: start..start,
        };
        table.raw(&mut self.raw);
        row.raw.end = self.raw.len();
        series.rows.push(row);
        Ok(())
    }

    /// The timeframe whose length is the commonest distance between stamps that follow each other.
    fn see_timeframe(&self) -> Result<Timeframe, Error> {
        let mut seen: HashMap<SignedDuration, u64> = HashMap::new();
        for series in &self.series {
            for pair in series.rows.windows(2) {
                let spacing = pair[1].stamp.duration_since(pair[0].stamp);
                if spacing > SignedDuration::ZERO {
                    *seen.entry(spacing).or_default() += 1;
                }
            }
        }
        let failed = |reason| Error::Timeframe { path: self.table.file().to_path_buf(), reason };
        // Of equally common spacings the shortest: the longer ones are gaps.
        let Some((spacing, _)) = seen.into_iter().max_by_key(|(spacing, n)| (*n, std::cmp::Reverse(*spacing))) else {
            return Err(failed("no two bars follow each other".to_owned()));
        };
        timeframe_of(spacing).ok_or_else(|| failed(format!("most bars are {spacing:#} apart")))
    }

    /// Judges the rows that were read and makes the good ones ready; the last few of each series wait for more.
    fn settle(&mut self, timeframe: Timeframe, refuse: &mut dyn FnMut(Quarantine)) {
        let mut still_raw = Vec::new();
        let file = std::sync::Arc::clone(self.table.file());
        for series in &mut self.series {
            let Some(asset) = &series.asset else { continue };
            let hold = if self.ended { 0 } else { LOOKAHEAD };
            let n_settled = series.rows.len().saturating_sub(hold);
            let mut bars = Vec::with_capacity(n_settled);
            for (index, row) in series.rows[..n_settled].iter().enumerate() {
                let judged = in_order(series.last.as_ref(), row, &series.rows[index + 1..])
                    .and_then(|()| bar(asset, timeframe, row, self.options));
                match judged {
                    Ok(bar) => {
                        series.last = Some(row.clone());
                        bars.push(bar);
                    }
                    Err(reason) => {
                        self.counts.refused += 1;
                        refuse(Quarantine::new(&file, row.line, reason, &self.raw[row.raw.clone()]));
                    }
                }
            }
            series.rows.drain(..n_settled);
            for row in &mut series.rows {
                let start = still_raw.len();
                still_raw.extend_from_slice(&self.raw[row.raw.clone()]);
                row.raw = start..still_raw.len();
            }
            self.counts.kept += bars.len() as u64;
            let adjustment = self.options.adjustment;
            while !bars.is_empty() {
                let rest = bars.split_off(bars.len().min(BATCH_ROWS));
                self.ready.push_back(BarBatch { asset: asset.clone(), timeframe, adjustment, bars });
                bars = rest;
            }
        }
        self.raw = still_raw;
    }
}

/// Whether most rows lie before the one they follow. In a file in order of time few do, by mistake.
fn descend(series: &[Series]) -> bool {
    let pairs = series.iter().flat_map(|series| series.rows.windows(2));
    let (mut n_back, mut n_on) = (0_u64, 0_u64);
    for pair in pairs {
        n_back += u64::from(pair[1].stamp < pair[0].stamp);
        n_on += u64::from(pair[1].stamp > pair[0].stamp);
    }
    n_back > 2 * n_on
}

/// Whether a row's time follows that of the last row kept. One that lies ahead of both rows after it, while these go on
/// in order, is itself the fault: believing it would refuse the rest of the file.
fn in_order(last: Option<&Row>, row: &Row, following: &[Row]) -> Result<(), Reason> {
    if let Some(last) = last {
        if row.stamp < last.stamp {
            return Err(Reason::Unsorted { time: row.stamp, predecessor: last.stamp });
        }
        if row.stamp == last.stamp {
            let line = last.line;
            return Err(if row.same_content(last) { Reason::Repeated { line } } else { Reason::Contradicts { line } });
        }
    }
    if let [next, after, ..] = following {
        let goes_on = last.is_none_or(|last| last.stamp < next.stamp) && next.stamp < after.stamp;
        if goes_on && after.stamp < row.stamp {
            return Err(Reason::Ahead { time: row.stamp, successor: after.stamp });
        }
    }
    Ok(())
}

fn bar(asset: &Asset, timeframe: Timeframe, row: &Row, options: &BarOptions) -> Result<Bar, Reason> {
    let span = place(asset, timeframe, row.stamp).map_err(|reason| match options.took_for_stock(asset) {
        true => Reason::TakenForStock { reason: Box::new(reason), symbol: asset.symbol.clone() },
        false => reason,
    })?;
    let bar = Bar {
        open_time: span.open_time,
        close_time: span.close_time,
        open: row.open,
        high: row.high,
        low: row.low,
        close: row.close,
        volume: row.volume,
        adj_close: row.adj_close,
        known_at: span.close_time,
    };
    let bar = bar.checked()?;
    if bar.close_time > options.now {
        return Err(Reason::NotClosed { close_time: bar.close_time, now: options.now });
    }
    Ok(bar)
}
