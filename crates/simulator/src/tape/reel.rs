//! One asset's reel: its bars, whole, cut and put together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use market::{Action, Asset, Bar, Calendar, Observation, Span, Timeframe};

use super::grid::Grid;
use crate::feed::Quote;
use crate::noise::Stream;
use crate::path::{Path, decimals_of};

/// Everything there is of one asset: its past, and where it was recorded or generated so far its future.
#[derive(Debug, Clone)]
pub struct Reel {
    /// The asset, with the vendor's spelling.
    pub asset: Asset,
    /// Closed bars by length, each ascending by `open_time`; raw prices.
    pub bars: BTreeMap<Timeframe, Vec<Bar>>,
    /// Corporate actions, ascending by `known_at`.
    pub actions: Vec<Action>,
    /// Vintages of a macro series, ascending by `known_at`.
    pub observations: Vec<Observation>,
}

/// Which bars are asked for: those that open in `[from, to]` and have closed and are known at `now`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) now: Timestamp,
    /// So many at most.
    pub(crate) limit: usize,
    /// Which of them when there are more.
    pub(crate) keep: Keep,
}

/// Which end of a window is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Oldest,
    Newest,
}

/// How finely an asset is quoted, in decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimals {
    pub(crate) price: i32,
    pub(crate) volume: i32,
}

/// A reel being played, with the paths that were looked at last.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) reel: Reel,
    seed: u64,
    paths: VecDeque<(Timeframe, Arc<Path>, Timestamp)>,
}

/// Paths kept: those of the running bar and of the same one a day ago, for two lengths, and one being cut.
const PATHS: usize = 6;

/// Bars looked at to see how finely prices are quoted.
const LOOKED_AT: usize = 64;

impl Player {
    pub(super) fn new(reel: Reel, seed: u64) -> Self {
        Self { reel, seed, paths: VecDeque::new() }
    }

    pub(super) fn calendar(&self) -> Calendar {
        Calendar::of(self.reel.asset.class())
    }

    /// Bars of a timeframe: as recorded, else made.
    pub(super) fn bars(&mut self, timeframe: Timeframe, window: &Window) -> Vec<Bar> {
        if self.has(timeframe) {
            return recorded(&self.reel.bars[&timeframe], window);
        }
        let grid = Grid::of(self.calendar(), timeframe);
        grid.map(|grid| self.made(grid, window)).unwrap_or_default()
    }

    /// Bars on a grid, made of whole recorded bars where that is possible, else cut from the shortest ones.
    pub(super) fn made(&mut self, grid: Grid, window: &Window) -> Vec<Bar> {
        let Some(base) = self.base(grid) else { return Vec::new() };
        let mut made = Vec::new();
        let mut next = self.edge(base, grid, window);
        while let Some(span) = next.filter(|_| made.len() < window.limit) {
            let within = (window.from..=window.to).contains(&span.open_time);
            if within && span.close_time <= window.now {
                made.extend(self.assemble(base, span, span.close_time).filter(|bar| bar.known_at <= window.now));
            }
            next = match window.keep {
                Keep::Oldest if span.close_time > window.now || span.open_time > window.to => None,
                Keep::Oldest => self.at_or_after(base, span.close_time).and_then(|at| grid.span(at)),
                Keep::Newest if span.open_time <= window.from => None,
                Keep::Newest => self.earlier(base, grid, span.open_time),
            };
        }
        if window.keep == Keep::Newest {
            made.reverse();
        }
        made
    }

    /// The bar of a timeframe that runs at `now`, as far as it has come.
    pub(super) fn running(&mut self, timeframe: Timeframe, now: Timestamp) -> Option<Bar> {
        let grid = Grid::of(self.calendar(), timeframe)?;
        if !self.has(timeframe) {
            return self.running_on(grid, now);
        }
        let bars = &self.reel.bars[&timeframe];
        let bar = *bars[..bars.partition_point(|bar| bar.open_time <= now)].last()?;
        if bar.close_time <= now {
            return None;
        }
        // From shorter bars where they tell the same story; from the bar alone where they do not.
        let span = Span { open_time: bar.open_time, close_time: bar.close_time };
        let shorter = self.recorded().filter(|shorter| *shorter < timeframe && grid.is_made_of(*shorter)).last();
        let agrees =
            |whole: Bar| (whole.open, whole.high, whole.low, whole.close) == (bar.open, bar.high, bar.low, bar.close);
        let same = shorter.filter(|base| self.assemble(*base, span, span.close_time).is_some_and(agrees));
        self.assemble(same.unwrap_or(timeframe), span, now)
    }

    /// The bar on a grid that runs at `now`, as far as it has come.
    pub(super) fn running_on(&mut self, grid: Grid, now: Timestamp) -> Option<Bar> {
        let base = self.base(grid)?;
        let span = grid.span(now).filter(|span| span.open_time <= now)?;
        self.assemble(base, span, now)
    }

    /// What happened from one instant to another, as one bar; `None` when the asset did not trade.
    pub(super) fn between(&mut self, from: Timestamp, to: Timestamp) -> Option<Bar> {
        let base = self.recorded().next()?;
        self.assemble(base, Span { open_time: from, close_time: to }, to)
    }

    /// The last trade as of `now`.
    pub(super) fn quote(&mut self, now: Timestamp) -> Option<Quote> {
        let base = self.base_at(now)?;
        let bars = &self.reel.bars[&base];
        let bar = *bars[..bars.partition_point(|bar| bar.open_time <= now)].last()?;
        if bar.close_time <= now {
            return Some(Quote { price: bar.close, time: bar.close_time, volume: 0.0 });
        }
        let path = self.path(base, &bar);
        Some(Quote { price: path.price_at(now), time: now, volume: path.volume_at(now) })
    }

    /// How finely the bars before `now` are quoted.
    pub(super) fn decimals(&self, now: Timestamp) -> Option<Decimals> {
        let bars = &self.reel.bars[&self.base_at(now)?];
        let last = bars.partition_point(|bar| bar.open_time <= now);
        let looked_at = &bars[last.saturating_sub(LOOKED_AT)..last];
        let price = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close].map(decimals_of).into_iter().max();
        Some(Decimals {
            price: looked_at.iter().filter_map(price).max()?,
            volume: looked_at.iter().map(|bar| decimals_of(bar.volume)).max()?,
        })
    }

    /// The recorded lengths, shortest first.
    fn recorded(&self) -> impl Iterator<Item = Timeframe> {
        self.reel.bars.iter().filter(|(_, bars)| !bars.is_empty()).map(|(timeframe, _)| *timeframe)
    }

    fn has(&self, timeframe: Timeframe) -> bool {
        self.reel.bars.get(&timeframe).is_some_and(|bars| !bars.is_empty())
    }

    /// What bars on a grid are made of: the longest recorded bars that fit into them, else the shortest there are.
    fn base(&self, grid: Grid) -> Option<Timeframe> {
        self.recorded().filter(|timeframe| grid.is_made_of(*timeframe)).last().or_else(|| self.recorded().next())
    }

    /// The shortest bars recorded around an instant, else those that go on for longest before it.
    fn base_at(&self, instant: Timestamp) -> Option<Timeframe> {
        let ends = |timeframe: &Timeframe| {
            let bars = &self.reel.bars[timeframe];
            bars.first().zip(bars.last()).map(|(first, last)| (first.open_time, last.close_time))
        };
        let around = |timeframe: &Timeframe| ends(timeframe).is_some_and(|(from, to)| from <= instant && instant < to);
        let begun = |timeframe: &Timeframe| ends(timeframe).is_some_and(|(from, _)| from <= instant);
        // Of equals the last is the maximum: longest first, so that it is the shortest.
        let mut longest_first: Vec<Timeframe> = self.recorded().filter(begun).collect();
        longest_first.reverse();
        let last = longest_first.into_iter().max_by_key(|timeframe| ends(timeframe).map(|(_, to)| to));
        self.recorded().find(around).or(last)
    }

    /// The first span of a window to look at.
    fn edge(&self, base: Timeframe, grid: Grid, window: &Window) -> Option<Span> {
        match window.keep {
            Keep::Oldest => {
                let span = self.at_or_after(base, window.from).and_then(|at| grid.span(at))?;
                if span.open_time >= window.from {
                    return Some(span);
                }
                self.at_or_after(base, span.close_time).and_then(|at| grid.span(at))
            }
            Keep::Newest => {
                let last = window.to.min(window.now);
                let after = last.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(last);
                self.earlier(base, grid, after)
            }
        }
    }

    /// The first instant at or after one at which the asset trades.
    fn at_or_after(&self, base: Timeframe, instant: Timestamp) -> Option<Timestamp> {
        let bars = self.reel.bars.get(&base)?;
        let bar = bars.get(bars.partition_point(|bar| bar.close_time <= instant))?;
        Some(bar.open_time.max(instant))
    }

    /// The last span that has begun before an instant and in which the asset trades.
    fn earlier(&self, base: Timeframe, grid: Grid, instant: Timestamp) -> Option<Span> {
        let bars = self.reel.bars.get(&base)?;
        let mut instant = instant;
        loop {
            let bar = &bars[bars.partition_point(|bar| bar.open_time < instant).checked_sub(1)?];
            let at = bar.close_time.min(instant).checked_sub(jiff::SignedDuration::from_micros(1)).ok()?;
            let span = grid.span(at)?;
            if span.open_time <= at {
                return Some(span);
            }
            // A bar outside every session of the calendar.
            instant = bar.open_time;
        }
    }

    /// The bar of a span as far as it has come at `until`, of the base's bars within.
    fn assemble(&mut self, base: Timeframe, span: Span, until: Timestamp) -> Option<Bar> {
        let bars = self.reel.bars.get(&base)?;
        let first = bars.partition_point(|bar| bar.close_time <= span.open_time);
        let end = until.min(span.close_time);
        let mut whole: Option<Bar> = None;
        for index in first.. {
            // An instant that is both the last bar's close and the next one's open belongs to the next, once it runs.
            let starts = |bar: &Bar| bar.open_time < end || (bar.open_time == end && end < span.close_time);
            let Some(bar) = self.reel.bars[&base].get(index).copied().filter(starts) else { break };
            let part = if span.open_time <= bar.open_time && bar.close_time <= end {
                crate::path::Part { open: bar.open, high: bar.high, low: bar.low, close: bar.close, volume: bar.volume }
            } else {
                self.path(base, &bar).part(span.open_time.max(bar.open_time), end.min(bar.close_time))
            };
            let late = if bar.known_at > bar.close_time { bar.known_at } else { span.close_time };
            let known_at = late.max(span.close_time);
            whole = Some(match whole {
                None => Bar {
                    open_time: span.open_time,
                    close_time: span.close_time,
                    open: part.open,
                    high: part.high,
                    low: part.low,
                    close: part.close,
                    volume: part.volume,
                    adj_close: None,
                    known_at,
                },
                Some(so_far) => Bar {
                    high: so_far.high.max(part.high),
                    low: so_far.low.min(part.low),
                    close: part.close,
                    volume: so_far.volume + part.volume,
                    known_at: so_far.known_at.max(known_at),
                    ..so_far
                },
            });
        }
        whole
    }

    /// The path of a recorded bar, drawn or remembered.
    fn path(&mut self, timeframe: Timeframe, bar: &Bar) -> Arc<Path> {
        let known = |kept: &&(Timeframe, Arc<Path>, Timestamp)| kept.0 == timeframe && kept.2 == bar.open_time;
        if let Some((_, path, _)) = self.paths.iter().find(known) {
            return Arc::clone(path);
        }
        let stream = Stream::new(self.seed, &format!("path {} {timeframe}", self.reel.asset.symbol));
        let path = Arc::new(Path::of(*bar, stream));
        if self.paths.len() == PATHS {
            self.paths.pop_front();
        }
        self.paths.push_back((timeframe, Arc::clone(&path), bar.open_time));
        path
    }
}

/// The recorded bars of a window.
fn recorded(bars: &[Bar], window: &Window) -> Vec<Bar> {
    let first = bars.partition_point(|bar| bar.open_time < window.from);
    let last = bars.partition_point(|bar| bar.open_time <= window.to && bar.close_time <= window.now).max(first);
    let known = bars[first..last].iter().filter(|bar| bar.known_at <= window.now);
    match window.keep {
        Keep::Oldest => known.take(window.limit).copied().collect(),
        Keep::Newest => {
            let mut newest: Vec<Bar> = known.rev().take(window.limit).copied().collect();
            newest.reverse();
            newest
        }
    }
}
