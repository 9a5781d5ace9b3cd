//! What a simulated exchange has to tell: recorded or generated, and never more of it than could be known.

mod grid;
mod reel;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use market::{Action, Asset, Bar, Observation, Timeframe};

use crate::feed::{Feed, Quote};
use crate::setup::Market;

pub(crate) use grid::Grid;
use reel::Player;
pub use reel::Reel;
pub(crate) use reel::{Decimals, Keep, Window};

/// The reels of a market. Whoever reads says what time it is, and sees nothing that was not known by then.
///
/// Between its edges every recorded bar has a path, the same however it is asked for: running bars, prices and bars of
/// shorter lengths than recorded are cut from it; longer ones are made of whole bars. After the last recorded bar of an
/// asset there is silence.
#[derive(Debug)]
pub struct Tape {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    reels: Vec<Player>,
    /// Where more comes from when time has come near the end of what there is.
    feed: Option<Feed>,
    generated_through: Timestamp,
}

/// A generator is asked for so much at once.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

impl Tape {
    /// A tape of recorded reels. Their paths are drawn from one fixed seed: the same reels play the same.
    #[must_use]
    pub fn recorded(reels: Vec<Reel>) -> Self {
        let reels = reels.into_iter().map(|reel| Player::new(reel, 0)).collect();
        Self { inner: Mutex::new(Inner { reels, feed: None, generated_through: Timestamp::MAX }) }
    }

    /// A tape of a generated market: its whole history, and its future as time goes on. Walks through the history.
    #[must_use]
    pub fn generated(market: &Market) -> Self {
        let player = |asset: &Asset| {
            let (actions, observations) = (Vec::new(), Vec::new());
            let reel = Reel { asset: asset.clone(), bars: BTreeMap::new(), actions, observations };
            Player::new(reel, market.seed())
        };
        let reels = market.assets().iter().map(player).collect();
        let mut inner = Inner { reels, feed: Some(market.feed()), generated_through: Timestamp::MIN };
        inner.reach(market.live_start());
        Self { inner: Mutex::new(inner) }
    }

    /// The assets, in the tape's order; other methods name them by their place here.
    #[must_use]
    pub fn assets(&self) -> Vec<Asset> {
        self.inner().reels.iter().map(|player| player.reel.asset.clone()).collect()
    }

    /// Closed bars that open in `[from, to]` and were known at `now`, ascending. Of a length that is not recorded they are
    /// made of others.
    #[must_use]
    pub fn bars(&self, asset: usize, timeframe: Timeframe, from: Timestamp, to: Timestamp, now: Timestamp) -> Vec<Bar> {
        let window = Window { from, to, now, limit: usize::MAX, keep: Keep::Oldest };
        self.play(asset, now, |player| Some(player.bars(timeframe, &window))).unwrap_or_default()
    }

    /// The newest `limit` closed bars known at `now`, ascending.
    #[must_use]
    pub fn newest(&self, asset: usize, timeframe: Timeframe, limit: usize, now: Timestamp) -> Vec<Bar> {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let window = Window { from, to, now, limit, keep: Keep::Newest };
        self.play(asset, now, |player| Some(player.bars(timeframe, &window))).unwrap_or_default()
    }

    /// The bar that runs at `now`, as far as it has come: what it will be in full once it closes. `None` while the asset
    /// does not trade.
    #[must_use]
    pub fn running(&self, asset: usize, timeframe: Timeframe, now: Timestamp) -> Option<Bar> {
        self.play(asset, now, |player| player.running(timeframe, now))
    }

    /// The last trade as of `now`; its volume is that of the running bar. `None` before the first trade and for macro
    /// series.
    #[must_use]
    pub fn price_at(&self, asset: usize, now: Timestamp) -> Option<Quote> {
        self.play(asset, now, |player| player.quote(now))
    }

    /// Corporate actions known at `now`, ascending.
    #[must_use]
    pub fn actions(&self, asset: usize, now: Timestamp) -> Vec<Action> {
        let known = |player: &mut Player| {
            let actions = player.reel.actions.iter();
            Some(actions.filter(|action| action.known_at <= now).cloned().collect())
        };
        self.play(asset, now, known).unwrap_or_default()
    }

    /// Vintages known at `now`, ascending by `known_at`.
    #[must_use]
    pub fn observations(&self, asset: usize, now: Timestamp) -> Vec<Observation> {
        let known = |player: &mut Player| {
            let observations = player.reel.observations.iter();
            Some(observations.filter(|row| row.known_at <= now).cloned().collect())
        };
        self.play(asset, now, known).unwrap_or_default()
    }

    /// Closed bars on any grid.
    pub(crate) fn bars_on(&self, asset: usize, grid: Grid, window: &Window) -> Vec<Bar> {
        self.play(asset, window.now, |player| Some(player.made(grid, window))).unwrap_or_default()
    }

    /// Closed bars of a timeframe within a window.
    pub(crate) fn window(&self, asset: usize, timeframe: Timeframe, window: &Window) -> Vec<Bar> {
        self.play(asset, window.now, |player| Some(player.bars(timeframe, window))).unwrap_or_default()
    }

    /// The bar on a grid that runs at `now`, as far as it has come.
    pub(crate) fn running_on(&self, asset: usize, grid: Grid, now: Timestamp) -> Option<Bar> {
        self.play(asset, now, |player| player.running_on(grid, now))
    }

    /// What happened from one instant to another that is not later than the present, as one bar.
    pub(crate) fn between(&self, asset: usize, from: Timestamp, to: Timestamp) -> Option<Bar> {
        self.play(asset, to, |player| player.between(from, to))
    }

    /// How finely prices and volumes are quoted.
    pub(crate) fn decimals(&self, asset: usize, now: Timestamp) -> Option<Decimals> {
        self.play(asset, now, |player| player.decimals(now))
    }

    /// Looks at one reel, generated through `now`.
    fn play<T>(&self, asset: usize, now: Timestamp, look: impl FnOnce(&mut Player) -> Option<T>) -> Option<T> {
        let mut inner = self.inner();
        inner.reach(now);
        look(inner.reels.get_mut(asset)?)
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
                let bars = self.reels[bar.asset].reel.bars.entry(bar.timeframe).or_default();
                let at = bars.partition_point(|other| other.open_time < bar.bar.open_time);
                bars.insert(at, bar.bar);
            }
            for (asset, action) in step.actions {
                self.reels[asset].reel.actions.push(action);
            }
            for (asset, observation) in step.observations {
                self.reels[asset].reel.observations.push(observation);
            }
        }
    }
}
