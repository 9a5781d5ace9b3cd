//! The panel: the bars of one class at one base timeframe, column by column, growing bar by bar.
//!
//! A batch build is repeated [`Panel::push_step`], so that a backtest and the live service compute the same bits. What
//! is appended at a step reads that step and earlier ones alone; nothing is ever revised.

mod context;
mod digest;
mod pool;
mod replay;
mod series;

use jiff::Timestamp;
use market::{AssetClass, AssetKind, Bar, Hash, Symbol, Timeframe};

use crate::error::ForecastError;
use crate::shape::Shape;

pub(crate) use context::{HourSums, VolatilityIndex};
use digest::Digest;
pub(crate) use pool::{NO_ROW, PoolColumns};
pub use replay::Corruption;
pub(crate) use series::Series;

/// One bar of one asset within a class step.
#[derive(Debug, Clone, Copy)]
pub struct PanelBar<'a> {
    /// Position of the asset, as [`Panel::add_asset`] gave it.
    pub asset: usize,
    /// The closed bar.
    pub bar: &'a Bar,
    /// What the close before is multiplied by to stand in this bar's terms: 1, but on the ex-date of a split.
    pub split_ratio: f64,
}

/// The columns of one class at one base timeframe.
#[derive(Debug, Clone)]
pub struct Panel {
    class: AssetClass,
    base: Timeframe,
    pub(crate) shape: &'static Shape,
    pub(crate) series: Vec<Series>,
    pub(crate) pools: Vec<PoolColumns>,
    /// Close of each step, µs since the epoch, ascending.
    pub(crate) step_close: Vec<i64>,
    /// For each step, how many rows of the volatility index were known.
    pub(crate) index_known: Vec<u32>,
    pub(crate) volatility_index: VolatilityIndex,
}

impl Panel {
    /// An empty panel of `1D` or `1h` bars of crypto or stocks.
    ///
    /// # Errors
    /// For macro series and other bar lengths.
    pub fn new(class: AssetClass, base: Timeframe) -> Result<Self, ForecastError> {
        let shape = Shape::of(class, base).ok_or(ForecastError::NoPanel { class, timeframe: base })?;
        Ok(Self {
            class,
            base,
            shape,
            series: Vec::new(),
            pools: Vec::new(),
            step_close: Vec::new(),
            index_known: Vec::new(),
            volatility_index: VolatilityIndex::default(),
        })
    }

    /// Adds an asset and returns its position. Assets are listed in the order they are added; [`Panel::data_hash`]
    /// depends on that order.
    ///
    /// # Errors
    /// When the kind is of another class, or the symbol is there already.
    pub fn add_asset(&mut self, symbol: Symbol, kind: AssetKind) -> Result<usize, ForecastError> {
        if kind.class() != self.class {
            return Err(ForecastError::Asset { symbol, reason: "its kind is of another class" });
        }
        if self.asset(&symbol).is_some() {
            return Err(ForecastError::Asset { symbol, reason: "it is listed already" });
        }
        let pool = match self.pools.iter().position(|p| p.kind == kind) {
            Some(pool) => pool,
            None => {
                self.pools.push(PoolColumns::new(kind, self.class, self.shape));
                self.pools.len() - 1
            }
        };
        let asset = self.series.len();
        if kind == AssetKind::Coin && symbol.as_str() == "BTC" {
            self.pools[pool].leader = Some(asset);
        }
        self.series.push(Series::new(symbol, kind, pool));
        Ok(asset)
    }

    /// Appends one class step: all bars that close at `close_time`; returns the step's position. Context known at
    /// `close_time` must have been pushed before.
    ///
    /// # Errors
    /// When `close_time` is not after the step before, an asset is unknown or comes twice, or a bar is bad. Nothing is
    /// appended then.
    pub fn push_step(&mut self, close_time: Timestamp, bars: &[PanelBar<'_>]) -> Result<usize, ForecastError> {
        let close_us = close_time.as_microsecond();
        if self.step_close.last().is_some_and(|last| *last >= close_us) {
            return Err(ForecastError::Order(format!("step {close_time} is not after the one before")));
        }
        // The columns must not depend on the order of the caller's slice.
        let mut bars = bars.to_vec();
        bars.sort_by_key(|b| b.asset);
        self.check_step(close_time, &bars)?;
        let step = self.step_close.len();
        self.step_close.push(close_us);
        self.index_known.push(self.volatility_index.known_at(close_us));
        for PanelBar { asset, bar, split_ratio } in &bars {
            self.series[*asset].push(step, bar, *split_ratio, self.shape);
        }
        for pool in 0..self.pools.len() {
            let present = bars.iter().map(|b| b.asset).filter(|a| self.series[*a].pool == pool);
            let present: Vec<usize> = present.collect();
            if let Some(first) = present.first() {
                let open_us = *self.series[*first].open_us.last().expect("pushed above");
                let row = self.pools[pool].push(open_us, close_us, &present, &self.series);
                for asset in present {
                    self.series[asset].pool_row.push(row);
                }
            }
        }
        Ok(step)
    }

    fn check_step(&self, close_time: Timestamp, bars: &[PanelBar<'_>]) -> Result<(), ForecastError> {
        if let Some(twice) = bars.windows(2).find(|w| w[0].asset == w[1].asset) {
            return Err(ForecastError::Order(format!("asset {} comes twice at {close_time}", twice[0].asset)));
        }
        for PanelBar { asset, bar, split_ratio } in bars {
            let Some(series) = self.series.get(*asset) else {
                return Err(ForecastError::Order(format!("asset {asset} is not listed")));
            };
            let symbol = || series.symbol.clone();
            bar.checked().map_err(|cause| ForecastError::Bar { symbol: symbol(), cause })?;
            if bar.close_time != close_time {
                let message = format!("a bar of {} closes at {}, not {close_time}", series.symbol, bar.close_time);
                return Err(ForecastError::Order(message));
            }
            if !(split_ratio.is_finite() && *split_ratio > 0.0) {
                return Err(ForecastError::Order(format!("split ratio {split_ratio} of {}", series.symbol)));
            }
        }
        Ok(())
    }

    /// Appends a day of the volatility index (stocks). It is read by steps that close at or after its `known_at`.
    ///
    /// # Errors
    /// When the class is not stocks, the bar is bad, or it is not after the one before.
    pub fn push_volatility_index(&mut self, bar: &Bar) -> Result<(), ForecastError> {
        if self.class != AssetClass::Stocks {
            return Err(ForecastError::Order("only stocks have a volatility index".to_owned()));
        }
        self.volatility_index.push(bar)
    }

    /// Appends an hour of an asset of a daily crypto panel: context for the day it lies in.
    ///
    /// # Errors
    /// When the panel is another, the asset is not listed, the bar is bad, or it is not after the one before.
    pub fn push_hour(&mut self, asset: usize, bar: &Bar) -> Result<(), ForecastError> {
        if !self.shape.reads_hours {
            return Err(ForecastError::Order("only daily crypto reads hours".to_owned()));
        }
        let n_assets = self.series.len();
        let Some(series) = self.series.get_mut(asset) else {
            return Err(ForecastError::Order(format!("asset {asset} is not listed, only {n_assets} are")));
        };
        bar.checked().map_err(|cause| ForecastError::Bar { symbol: series.symbol.clone(), cause })?;
        series.hours.push(bar)
    }

    /// The class.
    #[must_use]
    pub const fn class(&self) -> AssetClass {
        self.class
    }

    /// The length of the bars.
    #[must_use]
    pub const fn base(&self) -> Timeframe {
        self.base
    }

    /// The horizons models are fitted at, in bars, ascending; between them log variance runs linearly in log h.
    #[must_use]
    pub const fn anchors(&self) -> &'static [u32] {
        self.shape.anchors
    }

    /// How many assets are listed.
    #[must_use]
    pub fn n_assets(&self) -> usize {
        self.series.len()
    }

    /// How many steps were pushed.
    #[must_use]
    pub fn n_steps(&self) -> usize {
        self.step_close.len()
    }

    /// How many rows an asset has.
    ///
    /// # Panics
    /// When the asset is not listed; so do all methods that take a position.
    #[must_use]
    pub fn n_rows(&self, asset: usize) -> usize {
        self.series[asset].len()
    }

    /// The position of a symbol.
    #[must_use]
    pub fn asset(&self, symbol: &Symbol) -> Option<usize> {
        self.series.iter().position(|s| s.symbol == *symbol)
    }

    /// The symbol at a position.
    #[must_use]
    pub fn symbol(&self, asset: usize) -> &Symbol {
        &self.series[asset].symbol
    }

    /// The kind of the asset at a position.
    #[must_use]
    pub fn kind(&self, asset: usize) -> AssetKind {
        self.series[asset].kind
    }

    /// The last row of an asset whose bar had closed at `as_of`.
    #[must_use]
    pub fn row_at(&self, asset: usize, as_of: Timestamp) -> Option<usize> {
        let closed = as_of.as_microsecond();
        self.series[asset].close_us.partition_point(|c| *c <= closed).checked_sub(1)
    }

    /// When a row's bar opened: its name.
    #[must_use]
    pub fn open_time(&self, asset: usize, row: usize) -> Timestamp {
        instant(self.series[asset].open_us[row])
    }

    /// When a row's bar closed.
    #[must_use]
    pub fn close_time(&self, asset: usize, row: usize) -> Timestamp {
        instant(self.series[asset].close_us[row])
    }

    /// The close price of a row, as it was pushed.
    #[must_use]
    pub fn close(&self, asset: usize, row: usize) -> f64 {
        self.series[asset].raw[row].close
    }

    /// The close of the last step.
    #[must_use]
    pub fn last_close_time(&self) -> Option<Timestamp> {
        self.step_close.last().map(|us| instant(*us))
    }

    /// The log return from one row to a later one, splits between them removed.
    #[must_use]
    pub fn log_return(&self, asset: usize, from_row: usize, to_row: usize) -> f64 {
        let price = &self.series[asset].log_price;
        price[to_row] - price[from_row]
    }

    /// SHA-256 over everything the panel has read: the digests of its series in listed order and then of the volatility
    /// index, each over its rows' little-endian columns (`close_time` in µs, open, high, low, close, volume, split
    /// ratio), hours after the asset they belong to. What has no row is passed over.
    #[must_use]
    pub fn data_hash(&self) -> Hash {
        let mut all = Digest::default();
        for series in &self.series {
            if series.len() > 0 {
                all.hash(&series.digest.finish());
            }
            if !series.hours.bars.is_empty() {
                all.hash(&series.hours.digest.finish());
            }
        }
        if !self.volatility_index.bars.is_empty() {
            all.hash(&self.volatility_index.digest.finish());
        }
        all.finish()
    }

    /// [`Panel::data_hash`] as it was at an instant: over the rows known then. Reads them all again when that is before
    /// the last step.
    #[must_use]
    pub fn data_hash_at(&self, as_of: Timestamp) -> Hash {
        if self.last_close_time().is_none_or(|last| last <= as_of) {
            return self.data_hash();
        }
        let mut all = Digest::default();
        let mut series_digest = |bars: &mut dyn Iterator<Item = (Bar, f64)>| {
            let mut digest = Digest::default();
            let n = bars.map(|(bar, ratio)| digest.row(&bar, ratio)).count();
            if n > 0 {
                all.hash(&digest.finish());
            }
        };
        for series in &self.series {
            let known = series.close_us.partition_point(|c| *c <= as_of.as_microsecond());
            series_digest(&mut (0..known).map(|row| (series.bar(row), series.raw[row].split_ratio)));
            let hours = series.hours.bars.iter().take_while(|bar| bar.close_time <= as_of);
            series_digest(&mut hours.map(|bar| (*bar, 1.0)));
        }
        let days = self.volatility_index.bars.iter().take_while(|bar| bar.close_time <= as_of);
        series_digest(&mut days.map(|bar| (*bar, 1.0)));
        all.finish()
    }
}

/// The instant of a stored time.
pub(crate) fn instant(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).expect("stored times came from timestamps")
}

#[cfg(test)]
mod tests;
