//! What comes late, changes, or comes from elsewhere.

use engine::ledger::{Verdict, verify_stored};
use engine::{Engine, Settings};
use jiff::{SignedDuration, Timestamp};
use market::{Adjustment, Asset, AssetKind, Bar, Timeframe};
use storage::{ScoreQuery, SeriesKey, Store};

use crate::home::{Home, at, coin, key, next_bar, seconds, settings, symbol, walk};

const END: &str = "2024-03-01T00:00:00Z";

fn history(seed: u64) -> Vec<Bar> {
    walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), seed)
}

async fn assert_sound(engine: &Engine) {
    match verify_stored(&**engine.store(), engine.chain(), None).await.unwrap() {
        Verdict::Sound(_) => {}
        Verdict::Broken(broken) => panic!("{broken}"),
    }
}

#[tokio::test]
async fn promise_2_a_bar_that_came_after_its_step_makes_no_forecast_for_that_step() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let bar = next_bar(&history(1), Timeframe::H1, 1.01);
    clock.set(bar.close_time + seconds(151));
    engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 1, "patience is over: AAA is issued without BBB");
    // Within the grace, but after the step.
    clock.set(bar.close_time + seconds(200));
    let late = next_bar(&history(2), Timeframe::H1, 1.01);
    engine.receive_bars(&key("BBB", Timeframe::H1), &[late]).await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 0);
    clock.set(bar.close_time + seconds(301));
    assert_eq!(engine.run_once().await.unwrap().missed, 1);
    let issued = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap();
    assert!(engine.rederive(&issued.hash.short()).await.unwrap().is_identical());
    assert_sound(&engine).await;
}

#[tokio::test]
async fn promise_2_a_correction_after_the_close_is_read_by_the_next_step_and_costs_this_one_nothing() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let [mut first, mut second] = [history(1), history(2)];
    let mut issued = Vec::new();
    for (n, corrected) in [(0, 398), (1, 399)] {
        let bar = next_bar(&first, Timeframe::H1, 1.01);
        first.push(bar);
        clock.set(bar.close_time + seconds(5));
        engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
        // While the other asset is waited for, its exchange tells an old bar otherwise.
        clock.set(bar.close_time + seconds(10));
        let known_at = engine.clock().now();
        let old = Bar { volume: second[corrected].volume + 1.0, known_at, ..second[corrected] };
        engine.receive_bars(&key("BBB", Timeframe::H1), &[old]).await.unwrap();
        assert_eq!(engine.run_once().await.unwrap().issued, 0, "step {n} waits for BBB");
        let bar = next_bar(&second, Timeframe::H1, 1.01);
        second.push(bar);
        clock.set(bar.close_time + seconds(15));
        engine.receive_bars(&key("BBB", Timeframe::H1), &[bar]).await.unwrap();
        assert_eq!(engine.run_once().await.unwrap().issued, 2, "step {n}");
        issued.push(engine.issued(&symbol("BBB"), Timeframe::H1).unwrap());
        assert_eq!(engine.run_once().await.unwrap(), engine::Step::default());
    }
    for issued in issued {
        let again = engine.rederive(&issued.hash.short()).await.unwrap();
        assert!(again.is_identical(), "{again:?}");
    }
}

#[tokio::test]
async fn what_joins_in_a_moment_is_taken_up_then_by_a_panel_that_is_not_there_yet() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let stock = Asset { kind: AssetKind::Equity, quote: "USD".to_owned(), ..coin("SSS") };
    engine.list(&stock).await.unwrap();
    let days = walk(market::Calendar::Nyse, Timeframe::D1, 300, at("2024-02-28T21:00:00Z"), 3);
    home.store.join_series(&key("SSS", Timeframe::D1), at(END) + seconds(60)).await.unwrap();
    home.store.put_bars(&key("SSS", Timeframe::D1), &days).await.unwrap();
    engine.reload().await.unwrap();
    engine.run_once().await.unwrap();
    assert!(engine.quote(&symbol("SSS")).is_none());
    clock.set(at(END) + seconds(61));
    engine.run_once().await.unwrap();
    assert!(engine.quote(&symbol("SSS")).is_some());
}

#[tokio::test]
async fn promise_2_a_bar_that_another_source_told_first_was_not_known_from_this_one() {
    // The source that comes first by its name is behind by an hour: another one stands for the asset.
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::H1, 400, at(END)).await;
    let bars = history(1);
    let (last, past) = bars.split_last().unwrap();
    let first = SeriesKey { source: "first".to_owned(), ..key("AAA", Timeframe::H1) };
    home.store.put_bars(&first, past).await.unwrap();
    let (engine, clock) = home.engine(at("2024-02-29T23:59:00Z")).await;
    engine.run_once().await.unwrap();
    clock.set(at(END));
    engine.reload().await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 4, "1h and 4h of both");
    clock.set(at(END) + seconds(100));
    engine.receive_bars(&first, &[*last]).await.unwrap();
    engine.run_once().await.unwrap();
    let issued = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap();
    assert_eq!(issued.forecast.data_source, "test");
    assert!(engine.rederive(&issued.hash.short()).await.unwrap().is_identical());
}

#[tokio::test]
async fn promise_2_what_joined_later_was_not_read_by_what_had_been_issued() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let mut bars = history(1);
    let mut close = async |engine: &Engine| {
        bars.push(next_bar(&bars, Timeframe::H1, 1.01));
        let bar = *bars.last().unwrap();
        clock.set(bar.close_time);
        engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    };
    close(&engine).await;
    assert_eq!(engine.run_once().await.unwrap().issued, 1);
    let before = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap();

    // Its past says of itself that it was known all the time.
    clock.set(at(END) + SignedDuration::from_mins(90));
    engine.list(&coin("BBB")).await.unwrap();
    home.store.join_series(&key("BBB", Timeframe::H1), engine.clock().now()).await.unwrap();
    home.store.put_bars(&key("BBB", Timeframe::H1), &history(2)).await.unwrap();
    engine.reload().await.unwrap();
    close(&engine).await;
    clock.set(engine.clock().now() + seconds(151));
    assert_eq!(engine.run_once().await.unwrap().issued, 1, "BBB's newest bar is missing");
    let after = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap();
    for issued in [before, after] {
        let again = engine.rederive(&issued.hash.short()).await.unwrap();
        assert!(again.is_identical(), "{again:?}");
    }
}

#[tokio::test]
async fn promise_8_a_source_that_is_ahead_again_stands_for_its_asset_again() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let mut bars = history(1);
    let first = SeriesKey { source: "first".to_owned(), ..key("AAA", Timeframe::H1) };
    home.store.put_bars(&first, &bars[..399]).await.unwrap();
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let stands = || engine.quote(&symbol("AAA")).unwrap().data_source;
    assert_eq!(stands(), "test");
    // The other one tells nothing any more.
    bars.push(next_bar(&bars, Timeframe::H1, 1.01));
    clock.set(bars[400].close_time);
    engine.receive_bars(&first, &bars[399..]).await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 0, "others may be about to close");
    clock.set(bars[400].close_time + seconds(15));
    assert_eq!(engine.run_once().await.unwrap().issued, 1);
    assert_eq!(stands(), "first");
    let issued = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap();
    assert!(engine.rederive(&issued.hash.short()).await.unwrap().is_identical());
}

#[tokio::test]
async fn promise_2_an_index_that_is_told_after_the_close_is_read_by_the_next_day_and_costs_this_one_nothing() {
    let home = Home::new().await;
    let end = at("2024-03-01T21:00:00Z");
    let days = |seed| walk(market::Calendar::Nyse, Timeframe::D1, 302, end, seed);
    let told = |bar: Bar| Bar { known_at: bar.close_time + SignedDuration::from_mins(15), ..bar };
    let (prices, index): (Vec<Bar>, Vec<Bar>) = (days(1), days(2).into_iter().map(told).collect());
    for (name, kind, bars) in [("AAPL", AssetKind::Equity, &prices), ("VIX", AssetKind::Index, &index)] {
        home.store.put_assets(&[Asset { kind, quote: "USD".to_owned(), ..coin(name) }]).await.unwrap();
        home.store.put_bars(&key(name, Timeframe::D1), &bars[..300]).await.unwrap();
    }
    let (engine, clock) = home.engine(prices[299].close_time + SignedDuration::from_hours(1)).await;
    engine.run_once().await.unwrap();
    let mut issued = Vec::new();
    for day in [300, 301] {
        clock.set(index[day].known_at);
        engine.receive_bars(&key("VIX", Timeframe::D1), &[index[day]]).await.unwrap();
        engine.run_once().await.unwrap();
        clock.set(index[day].known_at + seconds(30));
        engine.receive_bars(&key("AAPL", Timeframe::D1), &[prices[day]]).await.unwrap();
        assert_eq!(engine.run_once().await.unwrap().missed, 0);
        issued.push(engine.issued(&symbol("AAPL"), Timeframe::D1).expect("the day is forecast"));
        assert_eq!(issued.last().unwrap().forecast.as_of, prices[day].close_time);
    }
    for issued in issued {
        let again = engine.rederive(&issued.hash.short()).await.unwrap();
        assert!(again.is_identical(), "{again:?}");
    }
}

#[tokio::test]
async fn promise_3_a_chain_begins_with_its_schedule_even_when_nothing_is_scheduled() {
    let home = Home::with_coins(&["AAA", "BBB", "CCC"], Timeframe::D1, 1500, at(END)).await;
    let settings = Settings { symbols: vec![symbol("ZZZ")], ..settings() };
    let (engine, _) = home.engine_with(at(END), settings).await;
    engine.train(market::AssetClass::Crypto, Timeframe::D1).await.unwrap();
    assert_sound(&engine).await;
}

#[tokio::test]
async fn promise_8_a_home_that_was_away_voids_nothing_it_may_still_be_brought() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at("2024-02-29T23:00:00Z")).await;
    let (engine, clock) = home.engine(at("2024-02-29T23:00:00Z")).await;
    engine.run_once().await.unwrap();
    let mut bars = walk(market::Calendar::Continuous, Timeframe::H1, 400, at("2024-02-29T23:00:00Z"), 1);
    let advance = |bars: &mut Vec<Bar>| {
        let bar = next_bar(bars, Timeframe::H1, 1.001);
        bars.push(bar);
        bar
    };
    let bar = advance(&mut bars);
    clock.set(bar.close_time);
    engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 2);
    // Five days later, before anything is fetched.
    let back = bar.close_time + SignedDuration::from_hours(5 * 24);
    let (engine, _) = home.engine(back).await;
    let step = engine.run_once().await.unwrap();
    assert_eq!((step.resolved, step.voided), (0, 0));
    let missing: Vec<Bar> = (0..5 * 24).map(|_| advance(&mut bars)).collect();
    home.store.put_bars(&key("AAA", Timeframe::H1), &missing).await.unwrap();
    engine.reload().await.unwrap();
    let step = engine.run_once().await.unwrap();
    assert_eq!((step.resolved, step.voided), (13 + 6, 0), "all horizons of the 1h and the 4h forecast");
    assert_sound(&engine).await;
}

#[tokio::test]
async fn promise_3_a_home_that_waits_for_a_year_still_voids_within_a_month() {
    let home = Home::with_coins(&["AAA"], Timeframe::D1, 400, at(END)).await;
    let settings = Settings { void_after: SignedDuration::from_hours(365 * 24), ..settings() };
    let (engine, clock) = home.engine_with(at(END), settings).await;
    engine.run_once().await.unwrap();
    let mut bars = walk(market::Calendar::Continuous, Timeframe::D1, 400, at(END), 1);
    let mut voided = 0;
    for day in 1..=36 {
        let bar = next_bar(&bars, Timeframe::D1, 1.001);
        bars.push(bar);
        clock.set(bar.close_time);
        if day != 3 {
            engine.receive_bars(&key("AAA", Timeframe::D1), &[bar]).await.unwrap();
        }
        voided += engine.run_once().await.unwrap().voided;
        assert_sound(&engine).await;
    }
    assert!(voided > 0);
}

#[tokio::test]
async fn an_adjusted_series_that_was_rebased_is_judged_in_its_new_terms() {
    let home = Home::new().await;
    home.store.put_assets(&[coin("AAA")]).await.unwrap();
    let total_return = SeriesKey { adjustment: Adjustment::TotalReturn, ..key("AAA", Timeframe::H1) };
    let before: Timestamp = at("2024-02-29T23:00:00Z");
    let mut bars = history(1);
    home.store.put_bars(&total_return, &bars).await.unwrap();
    let (engine, clock) = home.engine(before).await;
    engine.run_once().await.unwrap();
    clock.set(at(END));
    engine.reload().await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 2);
    // The vendor re-bases: every price is a tenth, and the next bar comes in the new terms.
    let bar = next_bar(&bars, Timeframe::H1, 1.01);
    bars.push(bar);
    for bar in &mut bars {
        *bar = Bar { known_at: bar.known_at.max(at("2024-03-01T01:00:00Z")), ..bar.scaled(0.1) };
    }
    home.store.put_bars(&total_return, &bars).await.unwrap();
    clock.set(bar.close_time);
    engine.reload().await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().resolved, 1);
    let scores = home.store.scores(engine.chain(), &ScoreQuery::default()).await.unwrap();
    assert!((scores[0].score.change - f64::ln(1.01)).abs() < 1e-9, "{}", scores[0].score.change);
}

#[tokio::test]
async fn a_second_source_and_a_bad_bar_disturb_nothing() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let bar = next_bar(&history(1), Timeframe::H1, 1.01);
    clock.set(bar.close_time);
    let bad = Bar { high: bar.low / 2.0, ..bar };
    assert!(engine.receive_bars(&key("AAA", Timeframe::H1), &[bad]).await.is_err());
    engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    let second = SeriesKey { source: "upstart".to_owned(), ..key("AAA", Timeframe::H1) };
    engine.receive_bars(&second, &[bar.scaled(2.0)]).await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 1);
    let issued = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap();
    assert_eq!((issued.forecast.reference_price, issued.forecast.data_source.as_str()), (bar.close, "test"));
}
