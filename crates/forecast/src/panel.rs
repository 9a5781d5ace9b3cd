//! The panel: the bars of one class at one base timeframe, column by column, growing bar by bar.

use jiff::Timestamp;
use market::{AssetClass, AssetKind, Bar, Hash, Symbol, Timeframe};

use crate::error::ForecastError;

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
}

impl Panel {
    /// An empty panel of `1D` or `1h` bars of crypto or stocks.
    ///
    /// # Errors
    /// For macro series and other bar lengths.
    pub fn new(class: AssetClass, base: Timeframe) -> Result<Self, ForecastError> {
        if class == AssetClass::Macro || !matches!(base, Timeframe::D1 | Timeframe::H1) {
            return Err(ForecastError::NoPanel { class, timeframe: base });
        }
        Ok(Self { class, base })
    }

    /// Adds an asset and returns its position. Assets are listed in the order they are added; [`Panel::data_hash`]
    /// depends on that order.
    ///
    /// # Errors
    /// When the kind is of another class, or the symbol is there already.
    pub fn add_asset(&mut self, symbol: Symbol, kind: AssetKind) -> Result<usize, ForecastError> {
        let _ = kind;
        Err(ForecastError::Asset { symbol, reason: "panels are empty so far" })
    }

    /// Appends one class step: all bars that close at `close_time`; returns the step's position. Context known at
    /// `close_time` must have been pushed before.
    ///
    /// # Errors
    /// When `close_time` is not after the step before, an asset is unknown or comes twice, or a bar is bad. Nothing is
    /// appended then.
    pub fn push_step(&mut self, close_time: Timestamp, bars: &[PanelBar<'_>]) -> Result<usize, ForecastError> {
        Err(ForecastError::Order(format!("{} bars at {close_time}", bars.len())))
    }

    /// Appends a day of the volatility index (stocks). It is read by steps that close at or after its `known_at`.
    ///
    /// # Errors
    /// When it is not after the one before.
    pub fn push_volatility_index(&mut self, bar: &Bar) -> Result<(), ForecastError> {
        Err(ForecastError::Order(format!("volatility index of {}", bar.close_time)))
    }

    /// Appends an hour of an asset of a daily crypto panel: context for the day it lies in.
    ///
    /// # Errors
    /// When it is not after the one before.
    pub fn push_hour(&mut self, asset: usize, bar: &Bar) -> Result<(), ForecastError> {
        Err(ForecastError::Order(format!("hour of asset {asset} at {}", bar.close_time)))
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

    /// How many assets are listed.
    #[must_use]
    pub const fn n_assets(&self) -> usize {
        0
    }

    /// How many steps were pushed.
    #[must_use]
    pub const fn n_steps(&self) -> usize {
        0
    }

    /// The position of a symbol.
    #[must_use]
    pub fn asset(&self, symbol: &Symbol) -> Option<usize> {
        let _ = symbol;
        None
    }

    /// The last row of an asset whose bar had closed at `as_of`.
    #[must_use]
    pub fn row_at(&self, asset: usize, as_of: Timestamp) -> Option<usize> {
        let _ = (asset, as_of);
        None
    }

    /// SHA-256 over everything the panel has read: the digests of its series in listed order, each over its rows'
    /// little-endian columns (`close_time` in µs, open, high, low, close, volume, split ratio).
    #[must_use]
    pub fn data_hash(&self) -> Hash {
        Hash::of(&[])
    }
}
