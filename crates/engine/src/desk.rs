//! What the engine holds in memory: panels, the last bars, the newest forecasts.

mod backlog;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use forecast::{ModelSet, Panel, PanelBar};
use jiff::Timestamp;
use market::{Action, Adjustment, Asset, AssetClass, AssetKind, Bar, Calendar, Symbol, Timeframe};
use storage::{EventKind, SeriesKey};

use backlog::Backlog;

use crate::assemble::{Assembled, Column, is_volatility_index};
use crate::error::{EngineError, Result};
use crate::release::Releases;
use crate::schedule::{Slot, due_slots};
use crate::views::Issued;

/// How many bars of a series stay in memory: thirty months of days, two weeks of hours and more.
pub(crate) const TAIL_BARS: usize = 1000;

/// The state. Guarded by one lock in the engine; nothing in here waits.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) assets: Arc<[Asset]>,
    pub(crate) sheets: BTreeMap<SheetKey, Sheet>,
    pub(crate) releases: HashMap<Symbol, Releases>,
    pub(crate) issued: HashMap<(Symbol, Timeframe), Arc<Issued>>,
    /// For each scheduled asset and timeframe the close of the last slot that has a forecast or was missed.
    pub(crate) covered: BTreeMap<(Symbol, Timeframe), Timestamp>,
    /// Whether the chain has its first schedule.
    pub(crate) scheduled: bool,
    pub(crate) backlog: Backlog,
}

/// A class at a base timeframe.
pub(crate) type SheetKey = (AssetClass, Timeframe);

/// All sheets there may be; days of coins come after the hours they are made of.
pub(crate) const SHEETS: [SheetKey; 4] = [
    (AssetClass::Crypto, Timeframe::H1),
    (AssetClass::Crypto, Timeframe::D1),
    (AssetClass::Stocks, Timeframe::H1),
    (AssetClass::Stocks, Timeframe::D1),
];

/// The sheets whose panels read an asset's bars of one length, be they there or not.
pub(crate) fn readers(asset: &Asset, timeframe: Timeframe) -> &'static [SheetKey] {
    use AssetClass::{Crypto, Stocks};
    use Timeframe::{D1, H1};
    match (asset.kind, asset.class(), timeframe) {
        (AssetKind::Index, _, D1) if is_volatility_index(asset) => &[(Stocks, H1), (Stocks, D1)],
        (AssetKind::Index, ..) => &[],
        (_, Crypto, H1) => &[(Crypto, H1), (Crypto, D1)],
        (_, Crypto, D1) => &[(Crypto, D1)],
        (_, Stocks, H1) => &[(Stocks, H1)],
        (_, Stocks, D1) => &[(Stocks, D1)],
        // Bars no forecast is made from are kept, and that is all.
        _ => &[],
    }
}

/// The newest price between two closes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) price: f64,
    pub(crate) event_time: Timestamp,
}

/// A model in service.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) set: Arc<ModelSet>,
    pub(crate) trained_at: Timestamp,
    pub(crate) trained_through: Timestamp,
    /// Whether it passed the gates; if not, the baseline is served.
    pub(crate) promoted: bool,
    pub(crate) reason: String,
}

/// One class at one base timeframe.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) panel: Panel,
    pub(crate) lines: Vec<Line>,
    pub(crate) index: Option<SeriesKey>,
    /// Open of the newest day of the index.
    index_through: Option<Timestamp>,
    /// Days of the index that are known since, or after, the newest step: the first step that could know them reads them.
    pub(crate) index_waiting: Vec<Bar>,
    /// Bars that have arrived for steps that are not pushed yet.
    pub(crate) waiting: BTreeMap<Timestamp, Vec<(usize, Bar)>>,
    pub(crate) last_step: Option<Timestamp>,
    /// The latest `known_at` of all rows the panel has read: no forecast as of an earlier instant can be made from it.
    pub(crate) known_at: Option<Timestamp>,
    pub(crate) model: Option<Served>,
}

/// One asset of a sheet.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) asset: Asset,
    pub(crate) key: SeriesKey,
    pub(crate) adjustment: Adjustment,
    /// The last bars as stored, ascending.
    pub(crate) tail: Vec<Bar>,
    pub(crate) actions: Vec<Action>,
}

impl Line {
    /// The bar that closed at an instant.
    pub(crate) fn bar_closed_at(&self, close_time: Timestamp) -> Option<&Bar> {
        let at = self.tail.binary_search_by_key(&close_time, |bar| bar.close_time).ok()?;
        Some(&self.tail[at])
    }

    fn push(&mut self, bar: Bar) {
        if self.tail.len() == 2 * TAIL_BARS {
            self.tail.drain(..TAIL_BARS);
        }
        self.tail.push(bar);
    }
}

impl Sheet {
    pub(crate) fn new(assembled: Assembled, model: Option<Served>) -> Self {
        let last_step =
            assembled.columns.iter().filter_map(|column| column.bars.last()).map(|bar| bar.close_time).max();
        let mut waiting: BTreeMap<Timestamp, Vec<(usize, Bar)>> = BTreeMap::new();
        for (column, bar) in assembled.waiting {
            waiting.entry(bar.close_time).or_default().push((column, bar));
        }
        let lines = assembled.columns.into_iter().map(line).collect();
        let Assembled { panel, index, index_waiting, index_through, known_at, .. } =
            Assembled { columns: Vec::new(), waiting: Vec::new(), ..assembled };
        Self { panel, lines, index, index_through, index_waiting, waiting, last_step, known_at, model }
    }

    pub(crate) fn line(&self, symbol: &Symbol) -> Option<(usize, &Line)> {
        let at = self.panel.asset(symbol)?;
        Some((at, &self.lines[at]))
    }

    /// Takes a closed bar for its step; `false` when that step has been pushed already.
    pub(crate) fn receive(&mut self, line: usize, bar: Bar) -> bool {
        if self.last_step.is_some_and(|last| bar.close_time <= last) {
            return false;
        }
        let step = self.waiting.entry(bar.close_time).or_default();
        match step.iter_mut().find(|(other, _)| *other == line) {
            // What the close did not know yet is not read by its step.
            Some(_) if bar.known_at > bar.close_time => return false,
            Some((_, waiting)) => *waiting = bar,
            None => step.push((line, bar)),
        }
        true
    }

    /// Pushes the oldest waiting step when all lines that traded lately have given their bar, or `patience` is over.
    /// Gives the bars of the step.
    pub(crate) fn push_next(
        &mut self,
        now: Timestamp,
        patience: jiff::SignedDuration,
    ) -> Result<Option<Vec<EventKind>>> {
        let Some((&close_time, step)) = self.waiting.first_key_value() else { return Ok(None) };
        if close_time > now || (step.len() < self.n_active() && now < close_time + patience) {
            return Ok(None);
        }
        let mut step = self.waiting.remove(&close_time).expect("first_key_value found it");
        step.sort_by_key(|(line, _)| *line);
        let bars: Vec<PanelBar<'_>> = step
            .iter()
            .map(|(asset, bar)| {
                let line = &self.lines[*asset];
                PanelBar { asset: *asset, bar, split_ratio: split_ratio(line, bar) }
            })
            .collect();
        let n_known = self.index_waiting.iter().take_while(|bar| bar.known_at <= close_time).count();
        for bar in self.index_waiting.drain(..n_known) {
            let pushed = self.panel.push_volatility_index(&bar);
            pushed.map_err(EngineError::forecast("add the volatility index to a panel"))?;
            self.known_at = self.known_at.max(Some(bar.known_at));
        }
        self.panel.push_step(close_time, &bars).map_err(EngineError::forecast("add a step to a panel"))?;
        self.last_step = Some(close_time);
        self.known_at = self.known_at.max(step.iter().map(|(_, bar)| bar.known_at).max());
        let timeframe = self.panel.base();
        let mut closed = Vec::with_capacity(step.len());
        for (line, bar) in step {
            let line = &mut self.lines[line];
            closed.push(EventKind::BarClosed { symbol: line.asset.symbol.clone(), timeframe, close_time });
            line.push(bar);
        }
        Ok(Some(closed))
    }

    /// Takes a day of the volatility index; `false` when a step that should have read it was pushed without it, or when
    /// it is no later than the one before.
    pub(crate) fn receive_index(&mut self, bar: &Bar) -> bool {
        let follows = self.index_through.is_none_or(|through| through < bar.open_time);
        if !follows || self.last_step.is_some_and(|last| bar.known_at <= last) {
            return false;
        }
        self.index_through = Some(bar.open_time);
        self.index_waiting.push(*bar);
        true
    }

    /// Takes hours of coins into their day; gives those whose day was pushed without them.
    pub(crate) fn receive_hours(&mut self, mut hours: Vec<(Symbol, Bar)>) -> Vec<(Symbol, Bar)> {
        hours.retain(|(symbol, bar)| {
            let Some(asset) = self.panel.asset(symbol) else { return false };
            let in_time =
                self.last_step.is_none_or(|last| last < bar.close_time) && self.panel.push_hour(asset, bar).is_ok();
            if in_time {
                self.known_at = self.known_at.max(Some(bar.known_at));
            }
            !in_time
        });
        hours
    }

    /// The bars of the last step, by symbol.
    pub(crate) fn last_bars(&self) -> Vec<(Symbol, Bar)> {
        let last = |line: &Line| line.tail.last().copied().filter(|bar| Some(bar.close_time) == self.last_step);
        self.lines.iter().filter_map(|line| Some((line.asset.symbol.clone(), last(line)?))).collect()
    }

    /// When what waits for its step became known.
    pub(crate) fn waiting_known_at(&self) -> impl Iterator<Item = Timestamp> {
        let bars = self.waiting.values().flatten().map(|(_, bar)| bar);
        bars.chain(&self.index_waiting).map(|bar| bar.known_at)
    }

    /// The newest bar of each line, told as closed.
    pub(crate) fn newest_closes(&self) -> Vec<EventKind> {
        let newest = |line: &Line| {
            let close_time = line.tail.last()?.close_time;
            Some(EventKind::BarClosed { symbol: line.asset.symbol.clone(), timeframe: self.panel.base(), close_time })
        };
        self.lines.iter().filter_map(newest).collect()
    }

    /// The newest close of a line, pushed or waiting.
    fn newest_of(&self, line: usize) -> Option<Timestamp> {
        let of_it = |(_, step): &(&Timestamp, &Vec<(usize, Bar)>)| step.iter().any(|(other, _)| *other == line);
        let waiting = self.waiting.iter().rev().find(of_it).map(|(close_time, _)| *close_time);
        waiting.or_else(|| self.lines[line].tail.last().map(|bar| bar.close_time))
    }

    /// How many lines gave a bar within the last three steps.
    fn n_active(&self) -> usize {
        let Some(last) = self.last_step else { return self.lines.len() };
        let calendar = Calendar::of(self.panel.class());
        let recent = |bar: &Bar| calendar.count_bars(self.panel.base(), bar.close_time, last) < 3;
        self.lines.iter().filter(|line| line.tail.last().is_some_and(recent)).count()
    }
}

fn line(column: Column) -> Line {
    let adjustment = column.adjustment();
    let Column { asset, key, mut bars, actions } = column;
    bars.drain(..bars.len().saturating_sub(TAIL_BARS));
    bars.shrink_to_fit();
    Line { asset, key, adjustment, tail: bars, actions }
}

fn split_ratio(line: &Line, bar: &Bar) -> f64 {
    match line.tail.last() {
        Some(before) if line.key.adjustment == Adjustment::Raw => {
            let known = line.actions.iter().filter(|action| action.known_at <= bar.close_time);
            market::adjustment::split_factor(known, before.close_time, bar.open_time)
        }
        _ => 1.0,
    }
}

impl Desk {
    /// As of when the panel of a sheet is to be assembled anew at `now`; `None` when it stays as it is.
    ///
    /// While the next step can still be taken in time it is assembled as of that, and only if the step must read what is
    /// in the backlog: a row that became known later would make its forecasts impossible.
    pub(crate) fn assembles_as_of(&self, key: SheetKey, now: Timestamp) -> Option<Timestamp> {
        let since = self.backlog.since(key).filter(|since| *since <= now)?;
        let sheet = self.sheets.get(&key);
        if self.backlog.is_held(key, sheet.is_none(), now) {
            return None;
        }
        let Some(last_step) = sheet.and_then(|sheet| sheet.last_step) else { return Some(now) };
        let (class, base) = key;
        if let Some(next) = Calendar::of(class).bar_closing_after(base, last_step).map(|span| span.close_time)
            && (next..=next + base.grace(class)).contains(&now)
        {
            return (since <= next).then_some(next);
        }
        // What is due is made from the panel as it is.
        let is_due = |slot: &Slot| {
            slot.close < since
                && slot.timeframe.base() == base
                && self.line(&slot.symbol, base).is_some_and(|(of, ..)| of.panel.class() == class)
        };
        (!due_slots(self, now).iter().any(is_due)).then_some(now)
    }

    /// Remembers that rows stand in the store that panels have not read, and that more may follow.
    pub(crate) fn set_aside(&mut self, asset: &Asset, timeframe: Timeframe, known_at: &[Timestamp], now: Timestamp) {
        for reader in readers(asset, timeframe) {
            for known_at in known_at {
                self.backlog.add(*reader, *known_at);
            }
            self.backlog.hold(*reader, now);
        }
    }

    /// Takes a closed bar for its step, at `now`; or panels that could not take it are assembled anew.
    pub(crate) fn receive(&mut self, asset: &Asset, key: &SeriesKey, bar: Bar, now: Timestamp) {
        if readers(asset, key.timeframe).is_empty() {
            return;
        }
        let in_time = match asset.kind {
            AssetKind::Index => self.receive_index(key, &bar),
            _ => self.receive_bar(asset, key, bar, now),
        };
        if !in_time {
            for reader in readers(asset, key.timeframe) {
                self.backlog.add(*reader, bar.known_at);
            }
        }
    }

    /// `false` when the panel must be assembled anew to hold the bar.
    fn receive_bar(&mut self, asset: &Asset, key: &SeriesKey, bar: Bar, now: Timestamp) -> bool {
        let Some(sheet) = self.sheets.get_mut(&(asset.class(), key.timeframe)) else { return false };
        match sheet.panel.asset(&key.symbol) {
            Some(line) if sheet.lines[line].key == *key => sheet.receive(line, bar),
            Some(line) => {
                // Another series stands for the asset until the panel is assembled anew: soon, when this one has come as
                // far. Where it is ahead, the bars of other assets that close with this one are waited for.
                let newest = sheet.newest_of(line);
                for reader in readers(asset, key.timeframe).iter().filter(|_| newest <= Some(bar.close_time)) {
                    self.backlog.add(*reader, bar.known_at);
                    if newest < Some(bar.close_time) {
                        self.backlog.hold(*reader, now);
                    }
                }
                true
            }
            None => false,
        }
    }

    /// Takes a day of the volatility index into every panel that reads it; `false` when one must be assembled anew to hold
    /// it.
    fn receive_index(&mut self, key: &SeriesKey, bar: &Bar) -> bool {
        let mut in_time = true;
        for (_, sheet) in self.sheets.iter_mut().filter(|((class, _), _)| *class == AssetClass::Stocks) {
            in_time &= match &sheet.index {
                Some(index) if index == key => sheet.receive_index(bar),
                // Another series stands for the index, until this one is ahead.
                index => index.is_some() && sheet.index_through >= Some(bar.open_time),
            };
        }
        in_time
    }

    /// Whether a panel reads a series.
    pub(crate) fn reads(&self, key: &SeriesKey) -> bool {
        let is_line = |sheet: &Sheet| sheet.line(&key.symbol).is_some_and(|(_, line)| line.key == *key);
        self.sheets.values().any(|sheet| sheet.index.as_ref() == Some(key) || is_line(sheet))
    }

    /// The newest step that read an asset.
    pub(crate) fn last_step_of(&self, symbol: &Symbol) -> Option<Timestamp> {
        let read = self.sheets.values().filter(|sheet| sheet.panel.asset(symbol).is_some());
        read.filter_map(|sheet| sheet.last_step).max()
    }

    /// Takes all `known` actions of an asset, of which some just `came`.
    pub(crate) fn take_actions(&mut self, symbol: &Symbol, known: &[Action], came: &[Action]) {
        for (key, sheet) in &mut self.sheets {
            if let Some(line) = sheet.lines.iter_mut().find(|line| line.asset.symbol == *symbol) {
                line.actions = known.to_vec();
                let is_late = |action: &&Action| {
                    let effective_at = action.effective_at();
                    effective_at < action.known_at || sheet.last_step.is_some_and(|last| effective_at < last)
                };
                for action in came.iter().filter(is_late) {
                    self.backlog.add(*key, action.known_at);
                }
            }
        }
    }

    pub(crate) fn asset(&self, symbol: &Symbol) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.symbol == *symbol)
    }

    /// The sheet and line behind a timeframe of an asset.
    pub(crate) fn line(&self, symbol: &Symbol, timeframe: Timeframe) -> Option<(&Sheet, usize, &Line)> {
        let class = self.asset(symbol)?.class();
        let sheet = self.sheets.get(&(class, timeframe.base()))?;
        let (index, line) = sheet.line(symbol)?;
        Some((sheet, index, line))
    }

    /// The base timeframe and line with the newest close of an asset.
    pub(crate) fn freshest(&self, symbol: &Symbol) -> Option<(&Sheet, &Line)> {
        let class = self.asset(symbol)?.class();
        [Timeframe::H1, Timeframe::D1]
            .iter()
            .filter_map(|base| {
                let sheet = self.sheets.get(&(class, *base))?;
                sheet.line(symbol).map(|(_, line)| (sheet, line))
            })
            .max_by_key(|(_, line)| line.tail.last().map(|bar| bar.close_time))
    }
}
