//! A walk through a market in order of time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use market::calendar::midnight;
use market::{Action, ActionKind, AssetKind, Bar, Calendar, Observation, Timeframe};

use crate::coins::{Coins, add_to_day};
use crate::economy::Economy;
use crate::plan::PlannedKind;
use crate::sessions::{Stocks, Term};
use crate::setup::Plan;
use crate::shape::Shaped;

/// Everything that becomes known at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// The moment. No bar, action or observation of the step could have been known before.
    pub at: Timestamp,
    /// Bars that have closed: now, or for a late one before. Ascending by asset, then by timeframe.
    pub bars: Vec<StepBar>,
    /// Corporate actions whose ex-date opens, each with its asset's place in [`crate::Market::assets`].
    pub actions: Vec<(usize, Action)>,
    /// Macro vintages that begin. Before one that revises another comes that other once more, now with its end.
    pub observations: Vec<(usize, Observation)>,
}

/// A closed bar of one asset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepBar {
    /// The asset's place in [`crate::Market::assets`].
    pub asset: usize,
    /// One hour or one day.
    pub timeframe: Timeframe,
    /// The bar; raw prices.
    pub bar: Bar,
}

/// The last trade of an asset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quote {
    /// Its price.
    pub price: f64,
    /// When it was: the instant asked for while the asset trades, earlier while it does not or the feed is silent.
    pub time: Timestamp,
    /// What has been traded since the running hour opened; zero between sessions.
    pub volume: f64,
}

/// Walks through a market. As an iterator it gives one step after the other; live, [`Feed::advance`] gives what has become
/// known since.
#[derive(Debug, Clone)]
pub struct Feed {
    plan: Arc<Plan>,
    coins: Option<Coins>,
    stocks: Option<Stocks>,
    economy: Option<Economy>,
    /// Steps that are certain to come.
    agenda: BTreeMap<Timestamp, Step>,
    /// The running day of each asset.
    days: Vec<Option<Bar>>,
    /// The last few hours of each asset, the running one too.
    recent: Vec<VecDeque<Shaped>>,
    /// Room for the bars of one hour.
    bars: Vec<(usize, Shaped)>,
}

const SECONDS_A_DAY: i64 = 86_400;

/// Hours kept for quotes.
const RECENT: usize = 6;

/// The calendar's last year is left alone, so that there is always a next session.
const LAST_YEAR: i16 = 2098;

impl Feed {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        let n = plan.assets.len();
        let (coins, stocks, economy) = (plan.coins.clone(), plan.stocks.clone(), plan.economy.clone());
        let recent = vec![VecDeque::with_capacity(RECENT + 1); n];
        Self { plan, coins, stocks, economy, agenda: BTreeMap::new(), days: vec![None; n], recent, bars: Vec::new() }
    }

    /// The steps that have become known since the last call, through `now`; in order.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(at) = self.next_at().filter(|at| *at <= now) {
            steps.extend(self.agenda.remove(&at));
        }
        // The bars that run at `now`, for quotes.
        while self.frontier().is_some_and(|open| open <= now) {
            self.generate();
        }
        steps
    }

    /// Walks on without giving the steps through `instant`.
    pub(crate) fn skip_through(&mut self, instant: Timestamp) {
        while let Some(at) = self.next_at().filter(|at| *at <= instant) {
            self.agenda.remove(&at);
        }
    }

    /// When the next step comes; `None` at the end of the calendar.
    pub fn next_at(&mut self) -> Option<Timestamp> {
        loop {
            let frontier = self.frontier();
            match (self.agenda.first_key_value(), frontier) {
                // Nothing that opens later can become known earlier.
                (Some((&at, _)), Some(open)) if at < open => return Some(at),
                (Some((&at, _)), None) => return Some(at),
                (None, None) => return None,
                _ => self.generate(),
            }
        }
    }

    /// The last trade of an asset as of `now`, which [`Feed::advance`] must have reached; `None` for macro series and before
    /// the first trade, or for moments long before the feed's.
    #[must_use]
    pub fn price_at(&self, asset: usize, now: Timestamp) -> Option<Quote> {
        let outage = self.plan.planned.iter().find_map(|event| match event.kind {
            PlannedKind::Outage { silent_from, .. } if event.asset == asset => {
                (silent_from <= now && now < event.at).then_some(silent_from)
            }
            _ => None,
        });
        let time = outage.unwrap_or(now);
        let shaped = self.recent.get(asset)?.iter().rev().find(|shaped| shaped.bar.open_time <= time)?;
        let bar = &shaped.bar;
        if time >= bar.close_time {
            return Some(Quote { price: bar.close, time: bar.close_time, volume: 0.0 });
        }
        Some(Quote { price: shaped.price_at(time), time, volume: bar.volume * shaped.elapsed(time) })
    }

    /// The earliest time at which something that is not yet on the agenda can open.
    fn frontier(&self) -> Option<Timestamp> {
        let opens = [
            self.coins.as_ref().map(Coins::next_open),
            self.stocks.as_ref().map(Stocks::next_open),
            self.economy.as_ref().map(Economy::next_open),
        ];
        let open = opens.into_iter().flatten().min()?;
        (open < midnight(jiff::civil::date(LAST_YEAR, 1, 1))).then_some(open)
    }

    /// Puts what opens next on the agenda.
    fn generate(&mut self) {
        let Some(open) = self.frontier() else { return };
        if self.economy.as_ref().is_some_and(|economy| economy.next_open() == open) {
            self.generate_month();
        } else if self.coins.as_ref().is_some_and(|coins| coins.next_open() == open) {
            self.generate_hour();
        } else {
            self.generate_session_bar();
        }
    }

    fn generate_month(&mut self) {
        let Some(economy) = &mut self.economy else { return };
        // A final value that equals the preliminary one is no news.
        for release in economy.month().into_iter().filter(|release| !release.rows.is_empty()) {
            self.agenda.step(release.at).observations.extend(release.rows);
        }
    }

    fn generate_hour(&mut self) {
        let Some(coins) = &mut self.coins else { return };
        let mut bars = std::mem::take(&mut self.bars);
        coins.hour(&mut |asset, shaped| bars.push((asset, shaped)));
        let ends_day = coins.next_open().as_second() % SECONDS_A_DAY == 0;
        for (asset, shaped) in bars.drain(..) {
            self.give(asset, shaped, ends_day);
        }
        self.bars = bars;
    }

    fn generate_session_bar(&mut self) {
        let Some(stocks) = &mut self.stocks else { return };
        let (opening, session) = (stocks.opening_session(), stocks.session());
        let mut terms = opening.map(|session| self.plan.terms(session)).unwrap_or_default();
        let mut bars = std::mem::take(&mut self.bars);
        stocks.bar(&mut terms, &mut |asset, shaped| bars.push((asset, shaped)));
        for (asset, term) in terms {
            let kind = match term {
                Term::Split { ratio } => ActionKind::Split { numerator: ratio, denominator: 1.0 },
                Term::Dividend { amount, .. } => ActionKind::Dividend { amount },
            };
            let (known_at, ex_date) = (session.open_time, Calendar::Nyse.trading_date(session.open_time));
            self.agenda.step(known_at).actions.push((asset, Action { ex_date, kind, known_at }));
        }
        for (asset, shaped) in bars.drain(..) {
            let ends_day = shaped.bar.close_time == session.close_time;
            self.give(asset, shaped, ends_day);
        }
        self.bars = bars;
    }

    /// Puts an hour on the agenda, and with it the day it ends.
    fn give(&mut self, asset: usize, shaped: Shaped, ends_day: bool) {
        let mut bar = shaped.bar;
        let recent = &mut self.recent[asset];
        recent.push_back(shaped);
        if recent.len() > RECENT {
            recent.pop_front();
        }
        add_to_day(&mut self.days[asset], &bar);
        let index = self.plan.assets[asset].kind == AssetKind::Index;
        if bar.open_time >= self.plan.setup.hourly_from && !index {
            let late = self.plan.planned.iter().find(|event| {
                let closes =
                    matches!(event.kind, PlannedKind::Outage { close_time, .. } if close_time == bar.close_time);
                event.asset == asset && closes
            });
            bar.known_at = late.map_or(bar.close_time, |event| event.at);
            self.agenda.put(StepBar { asset, timeframe: Timeframe::H1, bar });
        }
        if ends_day && let Some(bar) = self.days[asset].take() {
            self.agenda.put(StepBar { asset, timeframe: Timeframe::D1, bar });
        }
    }
}

impl Iterator for Feed {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let at = self.next_at()?;
        self.agenda.remove(&at)
    }
}

/// What the agenda needs besides being a map.
trait Agenda {
    fn step(&mut self, at: Timestamp) -> &mut Step;
    fn put(&mut self, bar: StepBar);
}

impl Agenda for BTreeMap<Timestamp, Step> {
    fn step(&mut self, at: Timestamp) -> &mut Step {
        self.entry(at).or_insert_with(|| Step { at, ..Step::default() })
    }

    /// Keeps the bars of a step in order, in whatever order coins and stocks were walked.
    fn put(&mut self, bar: StepBar) {
        let bars = &mut self.step(bar.bar.known_at).bars;
        let place = bars.partition_point(|other| (other.asset, other.timeframe) < (bar.asset, bar.timeframe));
        bars.insert(place, bar);
    }
}
