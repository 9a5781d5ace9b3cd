//! The leak gate over a whole home: what becomes known after an instant, in whatever table, changes no byte of what is
//! trained and issued then.
//!
//! Each test spoils one kind of rows that became known after a cut. With the cut at the instant the chain must end in the
//! same hash; with the cut one close before it must not: so the gate is seen to have teeth.

use engine::Settings;
use engine::assemble::{Walk, assemble};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use market::calendar::end_of_day_new_york;
use market::{
    Action, ActionKind, Adjustment, Asset, AssetClass, AssetKind, Bar, Calendar, Hash, Observation, Timeframe,
};
use storage::{SeriesKey, Store};

use crate::home::{Home, at, coin, key, seconds, settings, symbol, walk};

const EQUITIES: [&str; 4] = ["AAA", "BBB", "CCC", "DDD"];
const COINS: [&str; 3] = ["BTC", "ETH", "XRP"];

/// What is spoilt.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rows {
    Prices,
    Volumes,
    /// Bars that closed before are said to have been others.
    Revisions,
    /// Splits of days to come, and one of a day long gone that is told late.
    Splits,
    Dividends,
    VolatilityIndex,
    Hours,
    /// Old values are revised, and new ones released.
    Vintages,
    /// Assets with bars of all the time before.
    Newcomers,
    /// Another source of an asset's bars, that reaches further back and further on.
    Sources,
}

/// A market with more in it than is known at the instant.
struct World {
    class: AssetClass,
    /// The close before the instant.
    before: Timestamp,
    as_of: Timestamp,
    end: Timestamp,
}

impl World {
    fn stocks() -> Self {
        let [before, as_of] = ["2024-02-26T21:00:00Z", "2024-02-27T21:00:00Z"].map(at);
        Self { class: AssetClass::Stocks, before, as_of, end: at("2024-04-09T20:00:00Z") }
    }

    fn coins() -> Self {
        let [before, as_of] = ["2024-02-26T00:00:00Z", "2024-02-27T00:00:00Z"].map(at);
        Self { class: AssetClass::Crypto, before, as_of, end: at("2024-03-20T00:00:00Z") }
    }

    fn names(&self) -> &'static [&'static str] {
        if self.class == AssetClass::Stocks { &EQUITIES } else { &COINS }
    }

    fn days(&self, seed: u64) -> Vec<Bar> {
        walk(Calendar::of(self.class), Timeframe::D1, 680, self.end, seed)
    }

    fn asset(&self, name: &str) -> Asset {
        match self.class {
            AssetClass::Stocks => listed(name, AssetKind::Equity),
            _ => coin(name),
        }
    }

    async fn put_bars(&self, home: &Home, key: &SeriesKey, mut bars: Vec<Bar>, spoilt: Option<(Rows, Timestamp)>) {
        if let Some((rows, cut)) = spoilt {
            let later = bars.iter_mut().filter(|bar| bar.known_at > cut);
            let of_the_first = key.symbol.as_str() == self.names()[0] && key.timeframe == Timeframe::D1;
            match rows {
                Rows::Prices if of_the_first => later.for_each(|bar| *bar = bar.scaled(1.1)),
                Rows::Volumes if of_the_first => later.for_each(|bar| bar.volume *= 3.0),
                Rows::VolatilityIndex if key.symbol.as_str() == "VIX" => later.for_each(|bar| *bar = bar.scaled(2.0)),
                Rows::Hours if key.timeframe == Timeframe::H1 => later.for_each(|bar| *bar = bar.scaled(1.1)),
                _ => {}
            }
        }
        home.store.put_bars(key, &bars).await.unwrap();
    }

    /// The market in a home; what became known after an instant is spoilt on request.
    async fn home(&self, spoilt: Option<(Rows, Timestamp)>) -> Home {
        let home = Home::new().await;
        for (seed, name) in (1..).zip(self.names()) {
            home.store.put_assets(&[self.asset(name)]).await.unwrap();
            self.put_bars(&home, &key(name, Timeframe::D1), self.days(seed), spoilt).await;
        }
        if self.class == AssetClass::Stocks {
            home.store.put_assets(&[listed("VIX", AssetKind::Index), listed("CPI", AssetKind::Series)]).await.unwrap();
            self.put_bars(&home, &key("VIX", Timeframe::D1), self.days(21), spoilt).await;
            home.store.put_observations("CPI", &releases(&|month| 100.0 + f64::from(month % 7))).await.unwrap();
        } else {
            let hours = walk(Calendar::Continuous, Timeframe::H1, 24 * 60, self.end, 31);
            self.put_bars(&home, &key("BTC", Timeframe::H1), hours, spoilt).await;
        }
        if let Some((rows, cut)) = spoilt {
            self.add(&home, rows, cut + seconds(1)).await;
        }
        home
    }

    /// Adds rows of a kind that became known at an instant.
    async fn add(&self, home: &Home, rows: Rows, known_at: Timestamp) {
        let store = &home.store;
        let day_key = |name| key(name, Timeframe::D1);
        match rows {
            Rows::Prices | Rows::Volumes | Rows::VolatilityIndex | Rows::Hours => {}
            Rows::Revisions => {
                let days = self.days(1);
                let old = days.iter().filter(|bar| bar.close_time < self.before).rev().take(300);
                let revised: Vec<Bar> = old.map(|bar| Bar { known_at, ..bar.scaled(1.1) }).collect();
                store.put_bars(&day_key(self.names()[0]), &revised).await.unwrap();
            }
            Rows::Splits | Rows::Dividends => {
                let kind = match rows {
                    Rows::Splits => ActionKind::Split { numerator: 4.0, denominator: 1.0 },
                    _ => ActionKind::Dividend { amount: 3.0 },
                };
                let long_ago = Action { ex_date: date(2023, 9, 5), kind: kind.clone(), known_at };
                let open = at("2024-03-05T14:30:00Z");
                let to_come = Action { ex_date: date(2024, 3, 5), kind, known_at: open };
                store.put_actions(&symbol("AAA"), &[long_ago, to_come]).await.unwrap();
            }
            Rows::Vintages => {
                let mut spoilt = releases(&|month| 300.0 - f64::from(month));
                spoilt.iter_mut().for_each(|value| value.known_at = value.known_at.max(known_at));
                let first =
                    Observation { ref_period: date(2024, 2, 1), realtime_start: date(2024, 2, 27), ..spoilt[0] };
                spoilt.push(first);
                store.put_observations("CPI", &spoilt).await.unwrap();
            }
            Rows::Newcomers => {
                let bars: Vec<Bar> = self.days(9).iter().map(|bar| since(bar, known_at)).collect();
                store.put_assets(&[self.asset("NEW")]).await.unwrap();
                store.put_bars(&day_key("NEW"), &bars).await.unwrap();
            }
            Rows::Sources => {
                let end = self.end + SignedDuration::from_hours(24 * 7);
                let bars = walk(Calendar::of(self.class), Timeframe::D1, 800, end, 10);
                let bars: Vec<Bar> = bars.iter().map(|bar| since(bar, known_at)).collect();
                let other = SeriesKey { source: "other".to_owned(), ..day_key(self.names()[0]) };
                store.put_bars(&other, &bars).await.unwrap();
            }
        }
    }

    /// The end of the chain once this was issued and trained.
    async fn head(&self, home: &Home, trained: bool) -> Hash {
        let settings =
            Settings { timeframes: vec![Timeframe::D1, Timeframe::Mo1], max_rows: 1000, gate_months: 1, ..settings() };
        let (engine, clock) = home.engine_with(self.before, settings).await;
        engine.run_once().await.unwrap();
        clock.set(self.as_of);
        engine.reload().await.unwrap();
        assert!(engine.run_once().await.unwrap().issued >= self.names().len());
        if trained {
            engine.train(self.class, Timeframe::D1).await.unwrap();
        }
        home.store.head(engine.chain()).await.unwrap().unwrap().hash
    }

    /// Demands the same chain whatever of these was spoilt after the instant, and another when it was before.
    async fn check(&self, spoilt: &[Rows]) {
        let honest = self.head(&self.home(None).await, true).await;
        let untrained = self.head(&self.home(None).await, false).await;
        for &rows in spoilt {
            let after = self.home(Some((rows, self.as_of))).await;
            assert_eq!(self.head(&after, true).await, honest, "{rows:?} of the future are read");
            let before = self.home(Some((rows, self.before))).await;
            // Dividends stand in no view that the ledger is made from.
            let blind = rows == Rows::Dividends;
            assert_eq!(self.head(&before, false).await == untrained, blind, "the gate does not see {rows:?}");
        }
    }
}

fn listed(name: &str, kind: AssetKind) -> Asset {
    Asset { symbol: symbol(name), name: name.to_owned(), kind, source_symbol: name.to_owned(), quote: "USD".to_owned() }
}

/// The bar, known no earlier than that.
fn since(bar: &Bar, known_at: Timestamp) -> Bar {
    Bar { known_at: bar.known_at.max(known_at), ..*bar }
}

/// Monthly values from 2010 on, each released on the 13th of the month after.
fn releases(value: &dyn Fn(i32) -> f64) -> Vec<Observation> {
    let release = |month: i32| {
        let ref_period = date(2010, 1, 1).checked_add(month.months()).unwrap();
        let realtime_start = ref_period.checked_add(1.month().days(12)).unwrap();
        let known_at = end_of_day_new_york(realtime_start);
        Observation { ref_period, value: value(month), realtime_start, realtime_end: None, known_at }
    };
    (0..12 * 14 + 1).map(release).collect()
}

#[tokio::test]
async fn promise_2_nothing_of_the_future_is_in_bars_and_actions_of_stocks() {
    World::stocks().check(&[Rows::Prices, Rows::Volumes, Rows::Revisions, Rows::Splits, Rows::Dividends]).await;
}

#[tokio::test]
async fn promise_2_nothing_of_the_future_is_in_context_and_universe_of_stocks() {
    World::stocks().check(&[Rows::VolatilityIndex, Rows::Vintages, Rows::Newcomers, Rows::Sources]).await;
}

#[tokio::test]
async fn promise_2_nothing_of_the_future_is_in_coins() {
    World::coins().check(&[Rows::Prices, Rows::Hours, Rows::Newcomers]).await;
}

#[tokio::test]
async fn promise_2_total_returns_are_made_from_dividends_that_were_known() {
    let world = World::stocks();
    let hash = async |home: &Home| {
        let assets = home.store.assets().await.unwrap();
        let view = Some(Adjustment::TotalReturn);
        let (class, base) = (AssetClass::Stocks, Timeframe::D1);
        assemble(&*home.store, &assets, class, base, world.as_of, &Walk::default(), view)
            .await
            .unwrap()
            .panel
            .data_hash()
    };
    let honest = hash(&world.home(None).await).await;
    let spoilt = async |cut| hash(&world.home(Some((Rows::Dividends, cut))).await).await;
    assert_eq!(spoilt(world.as_of).await, honest);
    assert_ne!(spoilt(world.before).await, honest);
}
