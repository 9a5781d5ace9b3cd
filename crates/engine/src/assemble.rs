//! From stored rows to a panel, as they were known at an instant.
//!
//! There is one way to make a panel: push every bar in order of its close. Starting up, training, issuing and rederiving
//! all take it, so the same rows give the same bits.
//!
//! A forecast may read whatever is known when it is made, also what came late or was corrected since. What is trained or
//! judged walks through the past, where that was not known yet: it reads every bar as it stood when its close's grace
//! was over ([`assemble_in_time`]).

use std::collections::{BTreeMap, HashMap, HashSet};

use forecast::{Panel, PanelBar};
use jiff::{SignedDuration, Timestamp};
use market::adjustment::split_factor;
use market::{Action, ActionKind, Adjustment, Asset, AssetClass, AssetKind, Bar, Symbol, Timeframe};
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
    /// Bars that closed after the last step that was asked for, and their columns; ascending within a column.
    pub waiting: Vec<(usize, Bar)>,
    /// The series of the volatility index, where one was read.
    pub index: Option<SeriesKey>,
    /// Days of the index that became known after the newest step: the next one reads them.
    pub index_waiting: Vec<Bar>,
    /// Open of the newest day of the index.
    pub index_through: Option<Timestamp>,
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

/// The hours that the days of a column are made of.
struct Hours {
    column: usize,
    key: SeriesKey,
    bars: Vec<Bar>,
}

/// Which of the stored rows a panel walks over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Walk {
    /// Series are read since they joined only, as someone who was there could. A replay walks through a past that was
    /// stored afterwards.
    pub since_joined: bool,
    /// The last step: bars that closed later are given beside the panel. None: as far as there are bars.
    pub through: Option<Timestamp>,
    /// The last of the hours that days of coins are made of, which are steps of another panel.
    pub hours_through: Option<Timestamp>,
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
    walk: &Walk,
    wanted: Option<Adjustment>,
) -> Result<Assembled> {
    Reader::new(store, as_of, *walk, false).await?.assemble(assets, class, base, wanted).await
}

/// As [`assemble`], each bar as it stood when the grace of its close was over: a correction that came later is not read,
/// and a bar that came later is missing. For training and backtests, whose past forecasts could not have read them.
///
/// Of an adjusted series corrections are read: its vendor restates all prices with every split or dividend, and old and
/// new terms do not mix.
///
/// # Errors
/// As [`assemble`].
pub async fn assemble_in_time(
    store: &dyn Store,
    assets: &[Asset],
    class: AssetClass,
    base: Timeframe,
    as_of: Timestamp,
    wanted: Option<Adjustment>,
) -> Result<Assembled> {
    Reader::new(store, as_of, Walk::default(), true).await?.assemble(assets, class, base, wanted).await
}

/// Whether an asset is the volatility index of the US market.
pub(crate) fn is_volatility_index(asset: &Asset) -> bool {
    asset.kind == AssetKind::Index && asset.symbol.as_str() == "VIX"
}

/// Reads stored rows as they were known at an instant.
struct Reader<'a> {
    store: &'a dyn Store,
    series: Vec<SeriesInfo>,
    as_of: Timestamp,
    /// Whether bars are read as they stood when their grace was over.
    in_time: bool,
    walk: Walk,
}

impl<'a> Reader<'a> {
    async fn new(store: &'a dyn Store, as_of: Timestamp, walk: Walk, in_time: bool) -> Result<Self> {
        let mut series = store.series().await?;
        if walk.since_joined {
            series.retain(|info| info.joined_at <= Some(as_of));
        }
        Ok(Self { store, series, as_of, in_time, walk })
    }

    async fn assemble(
        &self,
        assets: &[Asset],
        class: AssetClass,
        base: Timeframe,
        wanted: Option<Adjustment>,
    ) -> Result<Assembled> {
        let mut columns = Vec::new();
        for asset in assets.iter().filter(|asset| asset.class() == class && asset.kind != AssetKind::Index) {
            columns.extend(self.column(asset, base, wanted).await?);
        }
        columns.retain(|column| !column.bars.is_empty());
        if columns.is_empty() {
            return Err(EngineError::NothingToTrain { asset_class: class, timeframe: base });
        }
        let mut waiting = Vec::new();
        if let Some(through) = self.walk.through {
            for (at, column) in columns.iter_mut().enumerate() {
                let n_pushed = column.bars.partition_point(|bar| bar.close_time <= through);
                waiting.extend(column.bars.drain(n_pushed..).map(|bar| (at, bar)));
            }
        }
        let index = match class {
            AssetClass::Stocks => self.index(assets).await?,
            _ => None,
        };
        let hours =
            if class == AssetClass::Crypto && base == Timeframe::D1 { self.hours(&columns).await? } else { Vec::new() };
        let index_bars = index.as_ref().map_or(&[][..], |column| &column.bars);
        let (panel, index_waiting) = build(class, base, &columns, index_bars, &hours)?;
        let index_read = &index_bars[..index_bars.len() - index_waiting.len()];
        let index_through = index_bars.last().map(|bar| bar.open_time);
        let bars = columns.iter().flat_map(|column| &column.bars).chain(index_read);
        let bars = bars.chain(hours.iter().flat_map(|hours| &hours.bars)).map(|bar| bar.known_at);
        let is_split = |action: &&Action| matches!(action.kind, ActionKind::Split { .. });
        let actions = columns.iter().flat_map(|column| &column.actions).filter(is_split).map(|action| action.known_at);
        let keys = columns.iter().chain(&index).map(|column| &column.key).chain(hours.iter().map(|hours| &hours.key));
        let known_at = bars.chain(actions).chain(self.joined_at(keys)).max();
        let index = index.map(|column| column.key);
        Ok(Assembled { panel, columns, waiting, index, index_waiting, index_through, known_at })
    }

    /// When the last of some series joined.
    fn joined_at<'c>(&self, keys: impl Iterator<Item = &'c SeriesKey>) -> Option<Timestamp> {
        if !self.walk.since_joined {
            return None;
        }
        keys.filter_map(|key| self.series.iter().find(|info| info.key == *key)).filter_map(|info| info.joined_at).max()
    }

    async fn column(&self, asset: &Asset, base: Timeframe, wanted: Option<Adjustment>) -> Result<Option<Column>> {
        let Some(mut key) = self.primary(&asset.symbol, base).await? else { return Ok(None) };
        let mut bars = self.bars(&key, asset.class()).await?;
        let actions = self.store.actions(&asset.symbol, self.as_of).await?;
        if let Some(wanted) = wanted.filter(|wanted| asset.class() == AssetClass::Stocks && *wanted > key.adjustment) {
            market::adjustment::view(&mut bars, key.adjustment, wanted, &actions, self.as_of)?;
            key.adjustment = wanted;
        }
        Ok(Some(Column { asset: asset.clone(), key, bars, actions }))
    }

    /// The volatility index of the US market, when one is stored: the asset `VIX`.
    async fn index(&self, assets: &[Asset]) -> Result<Option<Column>> {
        match assets.iter().find(|asset| is_volatility_index(asset)) {
            Some(asset) => self.column(asset, Timeframe::D1, None).await,
            None => Ok(None),
        }
    }

    /// The hours of a daily panel's coins, where they are stored.
    async fn hours(&self, columns: &[Column]) -> Result<Vec<Hours>> {
        let mut hours = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            if let Some(key) = self.primary(&column.asset.symbol, Timeframe::H1).await? {
                let mut bars = self.bars(&key, AssetClass::Crypto).await?;
                if let Some(through) = self.walk.hours_through {
                    bars.truncate(bars.partition_point(|bar| bar.close_time <= through));
                }
                hours.push(Hours { column: index, key, bars });
            }
        }
        Ok(hours)
    }

    /// The series whose bars stand for an asset, by what was known of each then.
    async fn primary(&self, symbol: &Symbol, timeframe: Timeframe) -> Result<Option<SeriesKey>> {
        let of_it = |info: &&SeriesInfo| info.key.symbol == *symbol && info.key.timeframe == timeframe;
        let mut known: Vec<SeriesInfo> = Vec::new();
        for info in self.series.iter().filter(of_it) {
            let query = BarQuery { key: &info.key, as_of: self.as_of, from: None, to: None, last: Some(1) };
            if let Some(last) = self.store.bars(&query).await?.last() {
                known.push(SeriesInfo { last_open: last.open_time, ..info.clone() });
            }
        }
        Ok(primary(&known, symbol, timeframe, self.as_of).map(|info| info.key.clone()))
    }

    async fn bars(&self, key: &SeriesKey, class: AssetClass) -> Result<Vec<Bar>> {
        let query = BarQuery { key, as_of: self.as_of, from: None, to: None, last: None };
        let mut bars = self.store.bars(&query).await?;
        if self.in_time {
            self.put_back(key, class, &mut bars).await?;
        }
        Ok(bars)
    }

    /// Puts the newest version known in time in the place of every bar that is not, and takes out those that have none.
    async fn put_back(&self, key: &SeriesKey, class: AssetClass, bars: &mut Vec<Bar>) -> Result<()> {
        let grace = key.timeframe.grace(class);
        let is_late = |bar: &Bar| bar.known_at > bar.close_time + grace;
        let mut late: Vec<Bar> = bars.iter().filter(|bar| is_late(bar)).copied().collect();
        let mut in_time: HashMap<Timestamp, Bar> = HashMap::new();
        // What came last is undone first: all that came at one instant by one look at the instant before.
        while let Some(known_at) = late.iter().map(|bar| bar.known_at).max() {
            let came = late.extract_if(.., |bar| bar.known_at == known_at).map(|bar| bar.open_time);
            let came: HashSet<Timestamp> = came.collect();
            let moment = SignedDuration::from_micros(1);
            let query = BarQuery {
                key,
                as_of: known_at - moment,
                from: came.iter().min().copied(),
                to: came.iter().max().map(|last| *last + moment),
                last: None,
            };
            for before in self.store.bars(&query).await?.into_iter().filter(|bar| came.contains(&bar.open_time)) {
                match is_late(&before) {
                    true => late.push(before),
                    false => drop(in_time.insert(before.open_time, before)),
                }
            }
        }
        let restated = key.adjustment != Adjustment::Raw;
        bars.retain_mut(|bar| match in_time.get(&bar.open_time) {
            Some(before) if !restated => {
                *bar = *before;
                true
            }
            Some(_) => true,
            None => !is_late(bar),
        });
        Ok(())
    }
}

/// Pushes everything in order of closes; context that closes with a step comes before it. Days of the index that no step
/// could know yet are given back.
fn build(
    class: AssetClass,
    base: Timeframe,
    columns: &[Column],
    index: &[Bar],
    hours: &[Hours],
) -> Result<(Panel, Vec<Bar>)> {
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
    let mut hours: Vec<_> = hours.iter().map(|hours| (hours.column, hours.bars.iter().peekable())).collect();
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
    for (asset, hours) in hours {
        for bar in hours {
            panel.push_hour(asset, bar).map_err(fail("add an hour to a panel"))?;
        }
    }
    Ok((panel, index.copied().collect()))
}
