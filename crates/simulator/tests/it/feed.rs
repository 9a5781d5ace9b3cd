//! The order of things, and that they are the same however they are asked for.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

use jiff::SignedDuration;
use market::universe::{asset_for_source_symbol, default_universe};
use market::{ActionKind, AssetClass, AssetKind, Timeframe};
use proptest::prelude::*;
use simulator::{Error, Market, PlannedKind, Setup, Step};

use super::{bars, days, sample, setup};

/// A short market.
fn short(seed: u64) -> Setup {
    let full = setup(seed);
    let from = full.live_start - days(20);
    Setup { daily_from: from, hourly_from: from, macro_from: full.live_start - days(800), ..full }
}

/// All that a step says, bit for bit.
fn hash(steps: &[Step]) -> u64 {
    let mut text = String::new();
    let mut hasher = DefaultHasher::new();
    for step in steps {
        text.clear();
        write!(text, "{step:?}").unwrap();
        text.hash(&mut hasher);
        for given in &step.bars {
            given.bar.close.to_bits().hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[test]
fn promise_7_the_same_seed_gives_the_same_market_however_it_is_asked_for() {
    let whole = Market::new(short(3)).unwrap();
    let until = whole.live_start() + days(20);
    let steps: Vec<Step> = whole.history(until).collect();
    let again: Vec<Step> = Market::new(short(3)).unwrap().history(until).collect();
    assert_eq!(hash(&steps), hash(&again));
    assert_ne!(hash(&steps), hash(&Market::new(short(4)).unwrap().history(until).collect::<Vec<_>>()));

    // Live, in uneven portions, with quotes asked for in between.
    let mut live = whole.feed();
    let (mut now, mut portions) = (whole.live_start() - days(900), Vec::new());
    let mut stride = 1;
    while now < until {
        stride = stride * 7 % 61 + 1;
        now = (now + SignedDuration::from_mins(stride * 13)).min(until);
        portions.extend(live.advance(now));
        let _ = live.price_at(0, now);
    }
    assert_eq!(hash(&steps), hash(&portions));

    // Taken up again in the middle.
    let middle = whole.live_start() + days(3) + SignedDuration::from_mins(17);
    let resumed: Vec<Step> = whole.feed_after(middle).take_while(|step| step.at <= until).collect();
    let rest: Vec<Step> = steps.iter().filter(|step| step.at > middle).cloned().collect();
    assert_eq!(resumed, rest);
    let (mut a, mut b) = (whole.feed_after(middle), whole.feed());
    a.advance(middle + days(1));
    b.advance(middle + days(1));
    for asset in 0..whole.assets().len() {
        assert_eq!(a.price_at(asset, middle + days(1)), b.price_at(asset, middle + days(1)));
    }
}

#[test]
fn promise_2_nothing_comes_before_it_could_be_known() {
    let (_, steps) = sample();
    assert!(steps.windows(2).all(|pair| pair[0].at < pair[1].at));
    for step in steps {
        assert!(!(step.bars.is_empty() && step.actions.is_empty() && step.observations.is_empty()));
        assert!(step.bars.iter().all(|given| given.bar.known_at == step.at));
        assert!(step.actions.iter().all(|(_, action)| action.known_at == step.at));
        assert!(step.observations.iter().all(|(_, o)| o.known_at == step.at || o.realtime_end.is_some()));
    }
}

#[test]
fn one_bar_comes_too_late_in_the_first_live_month() {
    let (market, steps) = sample();
    let outages: Vec<_> =
        market.planned().iter().filter(|event| matches!(event.kind, PlannedKind::Outage { .. })).collect();
    let [event] = outages.as_slice() else { panic!("one outage: {outages:?}") };
    let PlannedKind::Outage { silent_from, close_time } = event.kind else { unreachable!() };
    assert!(market.live_start() < close_time && close_time < market.live_start() + days(30));
    let late: Vec<_> =
        steps.iter().flat_map(|s| &s.bars).filter(|given| given.bar.known_at > given.bar.close_time).collect();
    let [given] = late.as_slice() else { panic!("one late bar: {late:?}") };
    assert_eq!((given.asset, given.timeframe, given.bar.close_time), (event.asset, Timeframe::H1, close_time));
    assert_eq!(given.bar.known_at, event.at);
    assert!(event.at > close_time + Timeframe::H1.grace(AssetClass::Crypto));
    assert!(bars(steps, event.asset, Timeframe::H4).is_empty());

    let mut feed = market.feed_after(silent_from);
    feed.advance(event.at);
    let quote = |now| feed.price_at(event.asset, now).unwrap();
    assert_eq!(quote(event.at - SignedDuration::from_secs(1)).time, silent_from);
    assert_eq!(quote(close_time).price, quote(silent_from).price);
    assert_eq!(quote(event.at).time, event.at);
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let base = short(1);
    let known = default_universe();
    let asset = |spelling: &str, kind| {
        let asset = asset_for_source_symbol(spelling, &known).unwrap();
        market::Asset { kind, ..asset }
    };
    let with = |extra| {
        let mut universe = known.clone();
        universe.push(extra);
        Market::new(Setup { universe, ..base.clone() }).unwrap_err()
    };
    let gold = asset("GOLD", AssetKind::Series);
    assert!(matches!(with(gold), Error::UnknownSeries { .. }));
    assert!(matches!(with(asset("VXN", AssetKind::Index)), Error::UnknownIndex { .. }));
    assert!(matches!(with(known[0].clone()), Error::Twice { .. }));
    let backwards = Setup { daily_from: base.live_start, ..base.clone() };
    assert!(matches!(Market::new(backwards).unwrap_err(), Error::Times { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_seed_and_start_give_sound_bars_and_an_eventful_first_month(
        seed in any::<u64>(), minutes in 0..52_i64 * 365 * 24 * 60,
    ) {
        let live_start = super::at("2001-01-01T00:00:00Z") + SignedDuration::from_mins(minutes);
        let from = live_start - days(12);
        let start = Setup { daily_from: from, hourly_from: from, macro_from: live_start - days(400), ..short(seed) };
        let market = Market::new(Setup { live_start, ..start }).unwrap();
        let month = live_start + days(30);
        let steps: Vec<Step> = market.history(month).collect();
        prop_assert!(steps.iter().flat_map(|step| &step.bars).all(|given| given.bar.checked().is_ok()));
        let late = |step: &&Step| step.bars.iter().any(|given| given.bar.known_at > given.bar.close_time);
        let live = || steps.iter().filter(|step| step.at > live_start);
        prop_assert_eq!(live().filter(late).count(), 1);
        let splits = |step: &Step| step.actions.iter().filter(|a| matches!(a.1.kind, ActionKind::Split { .. })).count();
        prop_assert_eq!(live().map(splits).sum::<usize>(), 1);
        let revises = |step: &&Step| step.observations.iter().any(|(_, o)| o.realtime_end.is_some());
        prop_assert!(live().filter(revises).count() >= 1);
        prop_assert!(market.planned().iter().all(|event| event.at > live_start && event.at <= month));
    }
}

/// A universe of these spellings.
fn check_universe(spellings: &[&str], n_planned: usize, n_assets: usize) {
    let known = default_universe();
    let universe = spellings.iter().map(|spelling| asset_for_source_symbol(spelling, &known).unwrap()).collect();
    let market = Market::new(Setup { universe, ..short(5) }).unwrap();
    assert_eq!((market.planned().len(), market.assets().len()), (n_planned, n_assets), "{spellings:?}");
    let steps: Vec<Step> = market.history(market.live_start() + days(12)).collect();
    assert_eq!(steps.is_empty(), spellings.is_empty(), "{spellings:?}");
    assert!(steps.iter().flat_map(|step| &step.bars).all(|given| given.bar.checked().is_ok()));
}

#[test]
fn any_universe_has_a_market() {
    check_universe(&[], 0, 0);
    check_universe(&["BTC", "PEPEUSDT"], 1, 2);
    check_universe(&["USDT"], 0, 1);
    check_universe(&["ORCL", "KO"], 2, 3);
    check_universe(&["GDP"], 1, 1);
    check_universe(&["ETH", "NVDA", "UNRATE"], 3, 4);
}

#[test]
fn a_split_hits_the_first_equity_where_nvidia_is_not() {
    let known = default_universe();
    let universe = ["BTC", "ORCL", "KO"].map(|s| asset_for_source_symbol(s, &known).unwrap()).to_vec();
    let market = Market::new(Setup { universe, ..short(5) }).unwrap();
    let split = market.planned().iter().find(|event| matches!(event.kind, PlannedKind::Split { .. })).unwrap();
    assert_eq!(market.assets()[split.asset].symbol.as_str(), "ORCL");
}
