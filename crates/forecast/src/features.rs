//! Features of a row: what is known at its close, computed from the panel's columns over fixed windows.
//!
//! Two blocks a row: one that does not know the horizon (the HAR terms first, then the groups), and one for the bars
//! ahead of a given horizon. Ratios are to the EWMA variance where a name ends in `_rel`. Missing is NaN.

mod ahead;
mod base;
mod har;
mod leverage;
mod market_wide;

use ::market::{AssetClass, AssetKind, Bar, Timeframe};
use jiff::Timestamp;

use crate::error::ForecastError;
use crate::panel::{Panel, PanelBar, PoolColumns, Series};
use crate::shape::Shape;

/// Version of the feature set; part of every artefact and forecast.
pub const FEATURE_SET: &str = "panel-1";

/// Where features are written: in order, and by name when names are asked for.
pub(crate) struct Sink<'a> {
    values: &'a mut [f64],
    at: usize,
    names: Option<&'a mut Vec<String>>,
}

impl Sink<'_> {
    fn put(&mut self, name: &str, value: f64) {
        if let Some(names) = &mut self.names {
            names.push(name.to_owned());
        }
        // Infinities come from logs of nothing: missing, like NaN.
        self.values[self.at] = if value.is_finite() { value } else { f64::NAN };
        self.at += 1;
    }

    fn put_at(&mut self, name: &str, window: usize, value: f64) {
        if self.names.is_some() {
            self.put(&format!("{name}_{window}"), value);
        } else {
            self.put(name, value);
        }
    }
}

/// One row with everything its features may read.
#[derive(Clone, Copy)]
pub(crate) struct RowView<'a> {
    pub(crate) panel: &'a Panel,
    pub(crate) shape: &'a Shape,
    pub(crate) series: &'a Series,
    pub(crate) pool: &'a PoolColumns,
    pub(crate) row: usize,
    pub(crate) pool_row: usize,
    pub(crate) kind: AssetKind,
    /// Root and log of the EWMA variance.
    pub(crate) sd: f64,
    pub(crate) ln_ewma: f64,
    /// How many rows of the volatility index were known.
    pub(crate) index_known: usize,
}

impl<'a> RowView<'a> {
    pub(crate) fn new(panel: &'a Panel, asset: usize, row: usize) -> Self {
        let series = &panel.series[asset];
        let variance = series.ewma_variance[row];
        Self {
            panel,
            shape: panel.shape,
            series,
            pool: &panel.pools[series.pool],
            row,
            pool_row: series.pool_row[row] as usize,
            kind: series.kind,
            sd: variance.sqrt(),
            ln_ewma: variance.ln(),
            index_known: panel.index_known[series.step[row] as usize] as usize,
        }
    }

    /// Close of the row, µs since the epoch.
    pub(crate) fn close_us(&self) -> i64 {
        self.series.close_us[self.row]
    }

    /// Whether the class has a volatility index among its features.
    pub(crate) fn reads_index(&self) -> bool {
        self.panel.class() == AssetClass::Stocks
    }

    /// A value of the volatility index `back` days ago; NaN where unknown.
    pub(crate) fn index(&self, column: &[f64], back: usize) -> f64 {
        self.index_known.checked_sub(1 + back).map_or(f64::NAN, |at| column[at])
    }
}

/// The features of a kind of asset in a panel: how many, and their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeatureSet {
    /// How many HAR terms open the row block.
    pub(crate) n_har: usize,
    /// Where the base group ends, which follows them.
    pub(crate) n_base: usize,
    /// Length of the row block.
    pub(crate) n_row: usize,
    /// Length of the block of the bars ahead.
    pub(crate) n_ahead: usize,
}

/// Room for the longest block.
const MAX_FEATURES: usize = 192;

impl FeatureSet {
    /// The features of a kind at a base timeframe.
    pub(crate) fn of(class: AssetClass, base: Timeframe, kind: AssetKind) -> Result<Self, ForecastError> {
        let names = Names::of(class, base, kind)?;
        let Names { n_har, n_base, .. } = names;
        Ok(Self { n_har, n_base, n_row: names.row.len(), n_ahead: names.ahead.len() })
    }

    /// Writes the block that does not know the horizon.
    pub(crate) fn row_block(view: &RowView<'_>, out: &mut [f64]) {
        let mut sink = Sink { values: out, at: 0, names: None };
        write_row(view, &mut sink);
    }

    /// Writes the block of the bars ahead.
    pub(crate) fn ahead_block(view: &RowView<'_>, horizon: u32, out: &mut [f64]) {
        let mut sink = Sink { values: out, at: 0, names: None };
        ahead::write(view, horizon as usize, &mut sink);
    }

    /// Length of both blocks: what the ridge reads beside its intercept.
    pub(crate) const fn n_all(&self) -> usize {
        self.n_row + self.n_ahead
    }

    /// What the boosters of the scale read: all groups, and how far HAR lies above the EWMA.
    pub(crate) const fn scale_width(&self) -> usize {
        self.n_all() - self.n_har + 1
    }

    /// What the boosters of the levels read: of hours the same, of days the base group alone.
    pub(crate) const fn levels_width(&self, shape: &Shape) -> usize {
        if shape.is_hourly() { self.scale_width() } else { self.n_base - self.n_har + 1 }
    }
}

fn write_row(view: &RowView<'_>, sink: &mut Sink<'_>) -> (usize, usize) {
    let means = har::write(view, sink);
    let n_har = sink.at;
    base::write(view, &means, sink);
    let n_base = sink.at;
    market_wide::write(view, &means, sink);
    leverage::write(view, &means, sink);
    (n_har, n_base)
}

/// The names of all features of a kind, in order: the HAR terms, the groups, and the bars ahead.
///
/// # Errors
/// When nothing is forecast from such bars.
pub fn feature_names(class: AssetClass, base: Timeframe, kind: AssetKind) -> Result<Vec<String>, ForecastError> {
    let Names { mut row, ahead, .. } = Names::of(class, base, kind)?;
    row.extend(ahead);
    Ok(row)
}

/// Names of both blocks, and where in the row block the HAR terms and the base group end.
struct Names {
    n_har: usize,
    n_base: usize,
    row: Vec<String>,
    ahead: Vec<String>,
}

impl Names {
    /// Read off a panel of a single bar by the code that computes the values, so that the two cannot part.
    fn of(class: AssetClass, base: Timeframe, kind: AssetKind) -> Result<Self, ForecastError> {
        let mut panel = Panel::new(class, base)?;
        let asset = panel.add_asset("A".parse().expect("a symbol"), kind)?;
        let at = |us| Timestamp::from_microsecond(us).expect("within range");
        let (open_time, close_time) = (at(1_000_000_000_000_000), at(1_000_003_600_000_000));
        let (open, high, low, close) = (1.0, 1.0, 1.0, 1.0);
        let bar =
            Bar { open_time, close_time, open, high, low, close, volume: 1.0, adj_close: None, known_at: close_time };
        panel.push_step(close_time, &[PanelBar { asset, bar: &bar, split_ratio: 1.0 }])?;
        let view = RowView::new(&panel, asset, 0);
        let (mut row, mut ahead) = (Vec::new(), Vec::new());
        let mut values = [0.0; MAX_FEATURES];
        let (n_har, n_base) = write_row(&view, &mut Sink { values: &mut values, at: 0, names: Some(&mut row) });
        ahead::write(&view, 1, &mut Sink { values: &mut values, at: 0, names: Some(&mut ahead) });
        Ok(Self { n_har, n_base, row, ahead })
    }
}

#[cfg(test)]
mod tests;
