//! From stored rows to a panel, as they were known at an instant.
//!
//! There is one way to make a panel: push every bar in order of its close. Starting up, training, issuing and rederiving
//! all take it, so the same rows give the same bits.

use std::collections::BTreeMap;

use forecast::{Panel, PanelBar};
use jiff::Timestamp;
use market::adjustment::split_factor;
use market::{Action, Adjustment, Asset, AssetClass, AssetKind, Bar, Timeframe};
use storage::{BarQuery, SeriesInfo, SeriesKey, Store};

use crate::error::{EngineError, Result};
use crate::ingest::primary;

/// A panel with the stored series its columns come from.
#[derive(Debug)]
pub struct Assembled {
    /// The panel.
    pub panel: Panel,
    /// Its columns, in the order of the panel's assets.
    pub columns: Vec<Column>,
    /// The series of the volatility index, where one was read.
    pub index: Option<SeriesKey>,
    /// The latest `known_at` of all rows that were read.
    pub known_at: Option<Timestamp>,
}

/// One column of a panel.
#[derive(Debug, Clone)]
pub struct Column {
    /// The asset.
    pub asset: Asset,
    /// The stored series.
    pub key: SeriesKey,
    /// All its bars that were read, ascending.
    pub bars: Vec<Bar>,
    /// The asset's corporate actions.
    pub actions: Vec<Action>,
}

impl Column {
    /// How prices of the column are shown and judged: as stored, with splits removed where they are raw.
    #[must_use]
    pub fn adjustment(&self) -> Adjustment {
        natural_view(&self.key, self.asset.class())
    }

    /// What the close of `before` is multiplied by to stand in the terms of a bar that opens at `open_time`.
    pub(crate) fn split_ratio(&self, before: Option<Timestamp>, open_time: Timestamp) -> f64 {
        match before {
            Some(close_time) if self.key.adjustment == Adjustment::Raw => {
                split_factor(&self.actions, close_time, open_time)
            }
            _ => 1.0,
        }
    }
}

/// The view in which a stored series is shown and judged: as stored, with splits removed where it is raw.
pub(crate) const fn natural_view(key: &SeriesKey, class: AssetClass) -> Adjustment {
    match (key.adjustment, class) {
        (Adjustment::Raw, AssetClass::Stocks) => Adjustment::Split,
        (stored, _) => stored,
    }
}

/// Assembles the panel of a class from rows known at `as_of`. `wanted` replaces each series' natural view where given.
///
/// # Errors
/// [`EngineError::NothingToTrain`] when nothing is stored; [`EngineError::View`] when a wanted view cannot be derived.
pub async fn assemble(
    store: &dyn Store,
    assets: &[Asset],
    class: AssetClass,
    base: Timeframe,
    as_of: Timestamp,
    wanted: Option<Adjustment>,
) -> Result<Assembled> {
    let series = store.series().await?;
    let mut columns = Vec::new();
    for asset in assets.iter().filter(|asset| asset.class() == class && asset.kind != AssetKind::Index) {
        if let Some(info) = primary(&series, &asset.symbol, base, as_of) {
            columns.push(read_column(store, asset, info, as_of, wanted).await?);
        }
    }
    columns.retain(|column| !column.bars.is_empty());
    if columns.is_empty() {
        return Err(EngineError::NothingToTrain { asset_class: class, timeframe: base });
    }
    let index = match class {
        AssetClass::Stocks => read_index(store, assets, &series, as_of).await?,
        _ => None,
    };
    let hours = if class == AssetClass::Crypto && base == Timeframe::D1 {
        read_hours(store, &columns, &series, as_of).await?
    } else {
        Vec::new()
    };
    let index_bars = index.as_ref().map_or(&[][..], |column| &column.bars);
    let panel = build(class, base, &columns, index_bars, &hours)?;
    let rows = columns.iter().flat_map(|column| &column.bars).chain(index_bars);
    let known_at = rows.chain(hours.iter().flat_map(|(_, bars)| bars)).map(|bar| bar.known_at).max();
    Ok(Assembled { panel, columns, index: index.map(|column| column.key), known_at })
}

async fn read_column(
    store: &dyn Store,
    asset: &Asset,
    info: &SeriesInfo,
    as_of: Timestamp,
    wanted: Option<Adjustment>,
) -> Result<Column> {
    let key = info.key.clone();
    let query = BarQuery { key: &key, as_of, from: None, to: None, last: None };
    let mut bars = store.bars(&query).await?;
    let actions = store.actions(&asset.symbol, as_of).await?;
    let mut key = info.key.clone();
    if let Some(wanted) = wanted.filter(|wanted| asset.class() == AssetClass::Stocks && *wanted > key.adjustment) {
        market::adjustment::view(&mut bars, key.adjustment, wanted, &actions, as_of)?;
        key.adjustment = wanted;
    }
    Ok(Column { asset: asset.clone(), key, bars, actions })
}

/// The volatility index of the US market, when one is stored: the asset `VIX`.
async fn read_index(
    store: &dyn Store,
    assets: &[Asset],
    series: &[SeriesInfo],
    as_of: Timestamp,
) -> Result<Option<Column>> {
    let vix = assets.iter().find(|asset| asset.kind == AssetKind::Index && asset.symbol.as_str() == "VIX");
    let Some((asset, info)) =
        vix.and_then(|asset| Some((asset, primary(series, &asset.symbol, Timeframe::D1, as_of)?)))
    else {
        return Ok(None);
    };
    read_column(store, asset, info, as_of, None).await.map(Some)
}

/// The hours of a daily panel's coins: (column, bars), where they are stored.
async fn read_hours(
    store: &dyn Store,
    columns: &[Column],
    series: &[SeriesInfo],
    as_of: Timestamp,
) -> Result<Vec<(usize, Vec<Bar>)>> {
    let mut hours = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        if let Some(info) = primary(series, &column.asset.symbol, Timeframe::H1, as_of) {
            let query = BarQuery { key: &info.key, as_of, from: None, to: None, last: None };
            hours.push((index, store.bars(&query).await?));
        }
    }
    Ok(hours)
}

/// Pushes everything in order of closes; context that closes with a step comes before it.
fn build(
    class: AssetClass,
    base: Timeframe,
    columns: &[Column],
    index: &[Bar],
    hours: &[(usize, Vec<Bar>)],
) -> Result<Panel> {
    let fail = EngineError::forecast;
    let mut panel = Panel::new(class, base).map_err(fail("begin a panel"))?;
    let mut steps: BTreeMap<Timestamp, Vec<PanelBar<'_>>> = BTreeMap::new();
    for column in columns {
        let asset =
            panel.add_asset(column.asset.symbol.clone(), column.asset.kind).map_err(fail("add an asset to a panel"))?;
        let mut before = None;
        for bar in &column.bars {
            let split_ratio = column.split_ratio(before, bar.open_time);
            steps.entry(bar.close_time).or_default().push(PanelBar { asset, bar, split_ratio });
            before = Some(bar.close_time);
        }
    }
    let mut index = index.iter().peekable();
    let mut hours: Vec<_> = hours.iter().map(|(asset, bars)| (*asset, bars.iter().peekable())).collect();
    for (close_time, step) in steps {
        while let Some(bar) = index.next_if(|bar| bar.known_at <= close_time) {
            panel.push_volatility_index(bar).map_err(fail("add the volatility index to a panel"))?;
        }
        for (asset, hours) in &mut hours {
            while let Some(bar) = hours.next_if(|bar| bar.close_time <= close_time) {
                panel.push_hour(*asset, bar).map_err(fail("add an hour to a panel"))?;
            }
        }
        panel.push_step(close_time, &step).map_err(fail("add a step to a panel"))?;
    }
    // What has become known since the last step belongs to the next one.
    for bar in index {
        panel.push_volatility_index(bar).map_err(fail("add the volatility index to a panel"))?;
    }
    for (asset, hours) in hours {
        for bar in hours {
            panel.push_hour(asset, bar).map_err(fail("add an hour to a panel"))?;
        }
    }
    Ok(panel)
}
