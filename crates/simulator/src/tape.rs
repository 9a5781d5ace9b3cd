//! What a simulated exchange has to tell: recorded or generated, and never more of it than could be known.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use market::{Action, Asset, Bar, Calendar, Observation, Timeframe};

use crate::feed::Feed;
use crate::setup::Market;

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

/// The reels of a market. Whoever reads says what time it is, and sees nothing that was not known by then.
#[derive(Debug)]
pub struct Tape {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    reels: Vec<Reel>,
    /// Where more comes from when time has come near the end of what there is.
    feed: Option<Feed>,
    generated_through: Timestamp,
}

/// A generator is asked for so much at once.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

impl Tape {
    /// A tape of recorded reels.
    #[must_use]
    pub fn recorded(reels: Vec<Reel>) -> Self {
        Self { inner: Mutex::new(Inner { reels, feed: None, generated_through: Timestamp::MAX }) }
    }

    /// A tape of a generated market: its whole history, and its future as time goes on. Walks through the history.
    #[must_use]
    pub fn generated(market: &Market) -> Self {
        let reel = |asset: &Asset| Reel {
            asset: asset.clone(),
            bars: BTreeMap::new(),
            actions: Vec::new(),
            observations: Vec::new(),
        };
        let reels = market.assets().iter().map(reel).collect();
        let mut inner = Inner { reels, feed: Some(market.feed()), generated_through: Timestamp::MIN };
        inner.reach(market.live_start());
        Self { inner: Mutex::new(inner) }
    }

    /// The assets, in the tape's order; other methods name them by their place here.
    #[must_use]
    pub fn assets(&self) -> Vec<Asset> {
        self.inner().reels.iter().map(|reel| reel.asset.clone()).collect()
    }

    /// Closed bars that open in `[from, to]` and were known at `now`, ascending.
    #[must_use]
    pub fn bars(&self, asset: usize, timeframe: Timeframe, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<Bar> {
        let mut inner = self.inner();
        inner.reach(now);
        let Some(bars) = inner.reels.get(asset).and_then(|reel| reel.bars.get(&timeframe)) else { return Vec::new() };
        let first = bars.partition_point(|bar| bar.open_time < from);
        let window = bars[first..].iter().take_while(|bar| bar.open_time <= to && bar.close_time <= now);
        window.filter(|bar| bar.known_at <= now).copied().collect()
    }

    /// Corporate actions known at `now`, ascending.
    #[must_use]
    pub fn actions(&self, asset: usize, now: Timestamp) -> Vec<Action> {
        let mut inner = self.inner();
        inner.reach(now);
        let Some(reel) = inner.reels.get(asset) else { return Vec::new() };
        reel.actions.iter().filter(|action| action.known_at <= now).cloned().collect()
    }

    /// Vintages known at `now`, ascending by `known_at`.
    #[must_use]
    pub fn observations(&self, asset: usize, now: Timestamp) -> Vec<Observation> {
        let mut inner = self.inner();
        inner.reach(now);
        let Some(reel) = inner.reels.get(asset) else { return Vec::new() };
        reel.observations.iter().filter(|row| row.known_at <= now).cloned().collect()
    }

    /// The bar that runs at `now`, as far as it has come; `None` while the asset does not trade.
    #[must_use]
    pub fn running(&self, asset: usize, timeframe: Timeframe, now: Timestamp) -> Option<Bar> {
        let mut inner = self.inner();
        inner.reach(now);
        let reel = inner.reels.get(asset)?;
        let span = Calendar::of(reel.asset.class()).bar_closing_after(timeframe, now)?;
        if span.open_time > now {
            return None;
        }
        let bars = reel.bars.get(&timeframe)?;
        let at = bars.binary_search_by_key(&span.open_time, |bar| bar.open_time).ok()?;
        Some(bars[at])
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock can panic")
    }
}

impl Inner {
    /// Generates on until a day past `now`.
    fn reach(&mut self, now: Timestamp) {
        let Some(feed) = &mut self.feed else { return };
        let until = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        if until <= self.generated_through {
            return;
        }
        self.generated_through = until.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        while feed.next_at().is_some_and(|at| at <= self.generated_through) {
            let Some(step) = feed.next() else { break };
            for bar in step.bars {
                let bars = self.reels[bar.asset].bars.entry(bar.timeframe).or_default();
                let at = bars.partition_point(|other| other.open_time < bar.bar.open_time);
                bars.insert(at, bar.bar);
            }
            for (asset, action) in step.actions {
                self.reels[asset].actions.push(action);
            }
            for (asset, observation) in step.observations {
                self.reels[asset].observations.push(observation);
            }
        }
    }
}
