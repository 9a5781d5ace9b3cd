//! The plan of a market: what is in it and when it runs.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use market::calendar::midnight;
use market::{Asset, AssetClass, AssetKind, Calendar, Span, Timeframe};

use crate::Error;
use crate::character::{Character, PAST_SPLITS};
use crate::coins::Coins;
use crate::economy::{Economy, session_from};
use crate::feed::{Feed, Step};
use crate::noise::Stream;
use crate::plan::{self, Planned, PlannedKind};
use crate::sessions::{Stocks, Term};

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Everything random follows from it.
    pub seed: u64,
    /// The assets. Stocks bring their volatility index with them.
    pub universe: Vec<Asset>,
    /// When macro series begin.
    pub macro_from: Timestamp,
    /// When prices begin, rounded down to a day; the history holds daily bars from here.
    pub daily_from: Timestamp,
    /// From when on the history holds hourly bars too.
    pub hourly_from: Timestamp,
    /// When history ends and the live feed begins. Price levels are set for this moment, and the planned events follow it.
    pub live_start: Timestamp,
}

impl Setup {
    /// Twenty years of macro series, six of days and two of hours before `live_start`.
    #[must_use]
    pub fn new(seed: u64, universe: Vec<Asset>, live_start: Timestamp) -> Self {
        let back = |years: i64| live_start - SignedDuration::from_hours(years * 8766);
        Self { seed, universe, macro_from: back(20), daily_from: back(6), hourly_from: back(2), live_start }
    }
}

/// A simulated market: the same for the same [`Setup`], however it is looked at.
#[derive(Debug, Clone)]
pub struct Market {
    plan: Arc<Plan>,
}

/// The fixed part, shared by all feeds.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) assets: Vec<Asset>,
    pub(crate) planned: Vec<Planned>,
    /// Ex-date opens, assets and ratios of all splits.
    splits: Vec<(Timestamp, usize, f64)>,
    /// Payers of dividends: asset, month within the quarter, day, share of the price a quarter.
    payers: Vec<(usize, i8, i8, f64)>,
    pub(crate) coins: Option<Coins>,
    pub(crate) stocks: Option<Stocks>,
    pub(crate) economy: Option<Economy>,
}

impl Market {
    /// The market of a setup. Walks once through its history to set the price levels of `live_start`.
    ///
    /// # Errors
    /// When the setup asks for a macro series or an index that is not known, names a symbol twice, or its times are out
    /// of order.
    pub fn new(setup: Setup) -> Result<Self, Error> {
        let (daily_from, live_start) = (setup.daily_from, setup.live_start);
        let within = |instant: Timestamp| (1991..=2090).contains(&Calendar::Continuous.trading_date(instant).year());
        if daily_from >= live_start || !within(daily_from) || !within(setup.macro_from) || !within(live_start) {
            return Err(Error::Times { daily_from, live_start });
        }
        let assets = assets(&setup.universe)?;
        let planned: Vec<Planned> =
            [plan::outage(&assets, live_start), plan::split(&assets, live_start), plan::revision(&assets, live_start)]
                .into_iter()
                .flatten()
                .collect();
        let start = midnight(Calendar::Continuous.trading_date(daily_from));
        let correction = planned
            .iter()
            .find(|event| event.kind == PlannedKind::Revision)
            .map(|event| Calendar::Nyse.trading_date(event.at));
        let macro_from = Calendar::Continuous.trading_date(setup.macro_from);
        let mut plan = Plan {
            splits: splits(&assets, &planned, live_start),
            payers: payers(&assets, setup.seed),
            coins: Coins::new(setup.seed, &assets, start),
            stocks: Stocks::new(setup.seed, &assets, start),
            economy: Economy::new(setup.seed, &assets, macro_from, correction)?,
            assets,
            planned,
            setup,
        };
        plan.set_levels();
        Ok(Self { plan: Arc::new(plan) })
    }

    /// The assets: the universe, and the volatility index where there are stocks. Steps name assets by their place here.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.plan.assets
    }

    /// What everything random follows from.
    pub(crate) fn seed(&self) -> u64 {
        self.plan.setup.seed
    }

    /// What is bound to happen in the first month of the live feed: an outage, a split, a revision; each where the
    /// universe has an asset for it.
    #[must_use]
    pub fn planned(&self) -> &[Planned] {
        &self.plan.planned
    }

    /// When the live feed begins.
    #[must_use]
    pub fn live_start(&self) -> Timestamp {
        self.plan.setup.live_start
    }

    /// A feed that stands at the very beginning.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed::new(Arc::clone(&self.plan))
    }

    /// A feed that stands just after `instant`: its first step is the first one later. The way there is walked.
    #[must_use]
    pub fn feed_after(&self, instant: Timestamp) -> Feed {
        let mut feed = self.feed();
        feed.skip_through(instant);
        feed
    }

    /// Everything known at `until`, in order of time.
    pub fn history(&self, until: Timestamp) -> impl Iterator<Item = Step> + use<> {
        self.feed().take_while(move |step| step.at <= until)
    }
}

impl Plan {
    /// What happens to stocks on the morning of a session.
    pub(crate) fn terms(&self, session: Span) -> Vec<(usize, Term)> {
        let mut terms = Vec::new();
        for &(at, asset, ratio) in &self.splits {
            if at == session.open_time {
                terms.push((asset, Term::Split { ratio }));
            }
        }
        let date = Calendar::Nyse.trading_date(session.open_time);
        for &(asset, month, day, share) in &self.payers {
            if (date.month() - 1) % 3 == month && ex_date(date, day) == date {
                terms.push((asset, Term::Dividend { share, amount: 0.0 }));
            }
        }
        terms
    }

    /// Shifts the beginnings so that prices stand at their levels when the live feed begins.
    fn set_levels(&mut self) {
        let (seed, live_start) = (self.setup.seed, self.setup.live_start);
        let levels: Vec<f64> = self.assets.iter().map(|asset| Character::of(asset, seed).level).collect();
        if let Some(mut end) = self.coins.clone() {
            while end.next_open() < live_start {
                end.skip();
            }
            if let Some(coins) = &mut self.coins {
                coins.lift(&end, |asset| levels[asset]);
            }
        }
        if let Some(mut end) = self.stocks.clone() {
            while end.next_open() < live_start {
                let mut terms = end.opening_session().map(|session| self.terms(session)).unwrap_or_default();
                end.skip(&mut terms);
            }
            if let Some(stocks) = &mut self.stocks {
                stocks.lift(&end, |asset| levels[asset]);
            }
        }
    }
}

fn assets(universe: &[Asset]) -> Result<Vec<Asset>, Error> {
    let mut assets: Vec<Asset> = Vec::with_capacity(universe.len() + 1);
    for asset in universe {
        if assets.iter().any(|other| other.symbol == asset.symbol) {
            return Err(Error::Twice { symbol: asset.symbol.clone() });
        }
        if asset.kind == AssetKind::Index && asset.symbol.as_str() != "VIX" {
            return Err(Error::UnknownIndex { symbol: asset.symbol.clone() });
        }
        assets.push(asset.clone());
    }
    let has_stocks = assets.iter().any(|asset| asset.class() == AssetClass::Stocks);
    if has_stocks && assets.iter().all(|asset| asset.kind != AssetKind::Index) {
        let name = "VIX";
        let symbol = name.parse().expect("three letters are a symbol");
        let (kind, source_symbol, quote) = (AssetKind::Index, name.to_owned(), "percent".to_owned());
        assets.push(Asset { symbol, name: "Volatility index".to_owned(), kind, source_symbol, quote });
    }
    Ok(assets)
}

fn splits(assets: &[Asset], planned: &[Planned], live_start: Timestamp) -> Vec<(Timestamp, usize, f64)> {
    let mut splits = Vec::new();
    for &(name, sessions_before, ratio) in &PAST_SPLITS {
        let Some(asset) = assets.iter().position(|asset| asset.symbol.as_str() == name) else { continue };
        let mut session = Calendar::Nyse.last_closed_bar(Timeframe::D1, live_start);
        for _ in 1..sessions_before {
            session = session.and_then(|s| Calendar::Nyse.last_closed_bar(Timeframe::D1, s.open_time));
        }
        splits.extend(session.map(|session| (session.open_time, asset, ratio)));
    }
    for event in planned {
        if let PlannedKind::Split { ratio } = event.kind {
            splits.push((event.at, event.asset, ratio));
        }
    }
    splits
}

fn payers(assets: &[Asset], seed: u64) -> Vec<(usize, i8, i8, f64)> {
    let of_class = |(_, asset): &(usize, &Asset)| asset.class() == AssetClass::Stocks;
    let payer = |(index, asset): (usize, &Asset)| {
        let share = Character::of(asset, seed).dividend_yield / 4.0;
        let stream = Stream::new(seed, &format!("dividends {}", asset.symbol));
        let (month, day) = ((stream.bits(0, 0) % 3) as i8, (stream.bits(0, 1) % 20) as i8 + 5);
        (share > 0.0).then_some((index, month, day, share))
    };
    assets.iter().enumerate().filter(of_class).filter_map(payer).collect()
}

/// The first session on or after a day of the month of `date`.
fn ex_date(date: Date, day: i8) -> Date {
    let wanted = date.with().day(day).build().unwrap_or(date);
    session_from(wanted).0
}
