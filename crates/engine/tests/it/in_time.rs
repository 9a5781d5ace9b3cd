//! Training reads bars as they stood when they closed.

use engine::assemble::{Walk, assemble, assemble_in_time};
use forecast::Panel;
use jiff::{SignedDuration, Timestamp};
use market::{Adjustment, AssetClass, Bar, Calendar, Hash, Timeframe};
use storage::{SeriesKey, Store};

use crate::home::{Home, at, key, walk};

const END: &str = "2024-03-01T00:00:00Z";

fn days(seed: u64) -> Vec<Bar> {
    walk(Calendar::Continuous, Timeframe::D1, 700, at(END), seed)
}

/// A home of three coins, the bars of the first as given.
async fn home(first: &[Bar]) -> Home {
    let home = Home::with_coins(&["BBB", "CCC"], Timeframe::D1, 700, at(END)).await;
    home.store.put_assets(&[crate::home::coin("AAA")]).await.unwrap();
    home.store.put_bars(&key("AAA", Timeframe::D1), first).await.unwrap();
    home
}

async fn trained(home: &Home) -> Hash {
    let (engine, _) = home.engine(at(END)).await;
    engine.train(AssetClass::Crypto, Timeframe::D1).await.unwrap().sha256
}

/// The panels that forecasts, and that trainings are made from.
async fn panels(home: &Home) -> [Panel; 2] {
    let (store, assets) = (&*home.store, home.store.assets().await.unwrap());
    let (class, base, now) = (AssetClass::Crypto, Timeframe::D1, at(END));
    let live = assemble(store, &assets, class, base, now, &Walk::default(), None).await.unwrap();
    let in_time = assemble_in_time(store, &assets, class, base, now, None).await.unwrap();
    [live.panel, in_time.panel]
}

/// The bar as it comes days after its close, its prices times `factor`.
fn late(bar: &Bar, days: i64, factor: f64) -> Bar {
    Bar { known_at: bar.close_time + SignedDuration::from_hours(24 * days), ..bar.scaled(factor) }
}

#[tokio::test]
async fn promise_2_what_came_late_is_in_forecasts_to_come_and_not_in_those_of_the_past() {
    let honest = days(5);
    let [_, as_it_was] = panels(&home(&honest).await).await;
    let mut corrected = honest.clone();
    corrected[600] = corrected[600].scaled(1.5);
    let [as_it_should_be, _] = panels(&home(&corrected).await).await;

    // Corrected twice, and the second time with others.
    let home_of_one = home(&honest).await;
    let revised = [late(&honest[600], 10, 1.2), late(&honest[590], 20, 1.0 + 1e-9)];
    home_of_one.store.put_bars(&key("AAA", Timeframe::D1), &revised).await.unwrap();
    let again = [late(&honest[590], 40, 1.0), late(&honest[600], 30, 1.5)];
    home_of_one.store.put_bars(&key("AAA", Timeframe::D1), &again).await.unwrap();
    let [live, in_time] = panels(&home_of_one).await;
    assert_eq!(live.data_hash(), as_it_should_be.data_hash());
    assert_eq!(in_time.data_hash(), as_it_was.data_hash());
}

#[tokio::test]
async fn promise_2_a_bar_that_came_late_is_missing_in_the_past() {
    let mut bars = days(5);
    let absent = bars.remove(600);
    let [_, without] = panels(&home(&bars).await).await;
    let home_of_one = home(&bars).await;
    home_of_one.store.put_bars(&key("AAA", Timeframe::D1), &[late(&absent, 1, 1.0)]).await.unwrap();
    let [live, in_time] = panels(&home_of_one).await;
    assert_eq!((live.n_rows(2), in_time.n_rows(2)), (700, 699));
    assert_eq!(in_time.data_hash(), without.data_hash());
}

#[tokio::test]
async fn a_bar_within_its_grace_is_in_time() {
    let mut bars = days(5);
    let minutes = |n| SignedDuration::from_mins(n);
    bars[600].known_at += minutes(5);
    let [_, in_time] = panels(&home(&bars).await).await;
    assert_eq!(in_time.n_rows(2), 700);
    bars[600].known_at += SignedDuration::from_micros(1);
    let [_, in_time] = panels(&home(&bars).await).await;
    assert_eq!(in_time.n_rows(2), 699);
}

#[tokio::test]
async fn an_adjusted_series_is_read_in_its_newest_terms() {
    let total_return = SeriesKey { adjustment: Adjustment::TotalReturn, ..key("AAA", Timeframe::D1) };
    let home = Home::new().await;
    home.store.put_assets(&[crate::home::coin("AAA")]).await.unwrap();
    let mut bars = days(5);
    let absent = bars.remove(600);
    home.store.put_bars(&total_return, &bars[..650]).await.unwrap();
    // With the 650th bar all prices are restated, and one comes that was never there.
    let restated_at = bars[650].close_time;
    bars.insert(600, absent);
    let restated = bars.iter().map(|bar| Bar { known_at: bar.known_at.max(restated_at), ..bar.scaled(0.1) });
    home.store.put_bars(&total_return, &restated.collect::<Vec<_>>()).await.unwrap();
    let [live, in_time] = panels(&home).await;
    assert_eq!((live.n_rows(0), in_time.n_rows(0)), (700, 699));
    let before = |panel: &Panel| (0..600).map(|row| panel.close(0, row)).collect::<Vec<_>>();
    assert_eq!(before(&in_time), before(&live));
    assert_eq!(before(&live)[0], bars[0].scaled(0.1).close);
}

#[tokio::test]
async fn promise_2_a_model_is_trained_on_bars_as_they_were_known_when_they_closed() {
    let honest = days(5);
    let revised_at: Timestamp = honest[600].close_time + SignedDuration::from_hours(24 * 30);
    let home_of_one = home(&honest).await;
    let revised = Bar { known_at: revised_at, ..honest[600].scaled(1.5) };
    home_of_one.store.put_bars(&key("AAA", Timeframe::D1), &[revised]).await.unwrap();
    assert_eq!(trained(&home_of_one).await, trained(&home(&honest).await).await);
}
