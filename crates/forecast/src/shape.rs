//! The fixed choices of each class and base timeframe: windows, anchors, penalties, residual windows.
//!
//! Everything here is structure, chosen once from the evidence described in `docs/forecasting.md`; nothing is fitted.

use market::{AssetClass, AssetKind, Timeframe};

use crate::range::Range;

/// How one class at one base timeframe is modelled. Lengths are in bars of the base timeframe.
#[derive(Debug)]
pub(crate) struct Shape {
    /// How a bar's variance is read off its prices.
    pub(crate) range: Range,
    /// Windows of the heterogeneous autoregression: a bar, about a week's, a month's, a quarter's, a year's.
    pub(crate) windows: [usize; 5],
    /// Window of volume means.
    pub(crate) volume_window: usize,
    /// A window longer than all: the level the series returns to.
    pub(crate) long_window: usize,
    /// Horizons models are fitted at, ascending.
    pub(crate) anchors: &'static [u32],
    /// Ridge penalty at each anchor, on standardised features.
    pub(crate) penalties: &'static [f64],
    /// Class pool of residuals reaches back this far; an asset's own residuals twice as far.
    pub(crate) residual_window: usize,
    /// Steps of one block of the normal equations; blocks also separate the folds of cross-fitting.
    pub(crate) block: usize,
    /// How many blocks the linear models look back on; all where `None`.
    pub(crate) window_blocks: Option<usize>,
    /// First row of an asset that is trained on: its windows are full then.
    pub(crate) first_row: usize,
    /// Slots of the weekly profile; 0 where there is none.
    pub(crate) profile_slots: usize,
    /// Whether the hours of each day are read beside its bar.
    pub(crate) reads_hours: bool,
    /// How many of the anchors (the first ones) have boosters.
    pub(crate) boosted_anchors: usize,
}

const DAILY_STOCKS: Shape = Shape {
    range: Range::GarmanKlass,
    windows: [1, 5, 21, 63, 250],
    volume_window: 60,
    long_window: 1000,
    anchors: &[1, 5, 21, 147],
    penalties: &[100.0, 300.0, 3000.0, 10_000.0],
    residual_window: 1000,
    block: 250,
    window_blocks: None,
    first_row: 250,
    profile_slots: 0,
    reads_hours: false,
    boosted_anchors: 3,
};

const DAILY_CRYPTO: Shape =
    Shape { anchors: &[1, 5, 21, 210], residual_window: 730, block: 365, reads_hours: true, ..DAILY_STOCKS };

const HOURLY_CRYPTO: Shape = Shape {
    // An hour's close lies where it happens to lie; its extremes say a little more about the hours to come.
    range: Range::Parkinson,
    windows: [1, 6, 24, 168, 720],
    volume_window: 168,
    long_window: 1000,
    anchors: &[1, 4, 24],
    penalties: &[100.0, 300.0, 300.0],
    residual_window: 4380,
    block: 730,
    window_blocks: Some(24),
    first_row: 720,
    profile_slots: 168,
    reads_hours: false,
    boosted_anchors: 3,
};

/// Seven bars a session, the last one half an hour.
const HOURLY_STOCKS: Shape = Shape {
    range: Range::GarmanKlass,
    windows: [1, 7, 35, 147, 735],
    volume_window: 140,
    residual_window: 1750,
    block: 441,
    profile_slots: 35,
    ..HOURLY_CRYPTO
};

impl Shape {
    /// The shape of a class at a base timeframe; `None` where nothing is forecast from such bars.
    pub(crate) const fn of(class: AssetClass, base: Timeframe) -> Option<&'static Self> {
        match (class, base) {
            (AssetClass::Stocks, Timeframe::D1) => Some(&DAILY_STOCKS),
            (AssetClass::Crypto, Timeframe::D1) => Some(&DAILY_CRYPTO),
            (AssetClass::Crypto, Timeframe::H1) => Some(&HOURLY_CRYPTO),
            (AssetClass::Stocks, Timeframe::H1) => Some(&HOURLY_STOCKS),
            _ => None,
        }
    }

    /// Whether the bars are hours.
    pub(crate) const fn is_hourly(&self) -> bool {
        self.profile_slots > 0
    }
}

/// How the served ensemble is put together at one anchor of one pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recipe {
    /// Weights of the HAR, ridge, boosted and stretched log scales; they sum to one.
    pub(crate) scale: [f64; 4],
    /// Share of the boosted quantiles.
    pub(crate) quantile_share: f64,
}

impl Recipe {
    /// The recipe of a kind of asset at the `anchor`-th anchor.
    pub(crate) fn of(kind: AssetKind, shape: &Shape, anchor: usize) -> Self {
        let mean = |weights: [f64; 4]| weights.map(|w| w / weights.iter().sum::<f64>());
        if anchor >= shape.boosted_anchors {
            return Self { scale: mean([1.0, 1.0, 0.0, 0.0]), quantile_share: 0.0 };
        }
        let coin = kind == AssetKind::Coin;
        let scale = match (shape.is_hourly(), anchor) {
            (false, 2) if kind != AssetKind::Equity => mean([1.0, 1.0, 1.0, 0.0]),
            (false, 2) => mean([0.0, 1.0, 1.0, 0.0]),
            (false, _) if coin => mean([0.0, 1.0, 1.0, 0.0]),
            _ => mean([0.0, 1.0, 1.0, 1.0]),
        };
        let quantile_share = match (shape.is_hourly(), anchor) {
            // The next hour has a direction, a little of it, and only these boosters see it; a day ahead it is gone.
            (true, 0) => 0.6,
            (true, 1) => 0.45,
            (true, _) => 0.35,
            (false, 0) => 0.3,
            (false, 1) if coin => 0.2,
            _ => 0.0,
        };
        Self { scale, quantile_share }
    }
}

/// Share of the symmetrised shape in the residual quantiles: the drift and skew of coins' days do not persist, those of
/// equities and funds do.
pub(crate) fn symmetric_share(kind: AssetKind, shape: &Shape) -> f64 {
    if kind == AssetKind::Coin && !shape.is_hourly() { 0.75 } else { 0.0 }
}
