//! The promises, as far as the engine keeps them.

use engine::body::Body;
use engine::views::NoForecast;
use jiff::SignedDuration;
use market::forecast::ModelKind;
use market::{ChainId, Origin, Timeframe};
use storage::{EntryQuery, EntryRow, ScoreQuery, Store};

use crate::home::{Home, at, key, next_bar, seconds, settings, symbol, walk};

const END: &str = "2024-03-01T00:00:00Z";

async fn entries(home: &Home, chain: &ChainId, kind: Option<&'static str>) -> Vec<EntryRow> {
    home.store.entries(chain, &EntryQuery { kind, limit: 10_000, ..EntryQuery::default() }).await.unwrap()
}

#[tokio::test]
async fn promise_1_nothing_known_is_said_with_a_reason() {
    let home = Home::new().await;
    home.store.put_assets(&[crate::home::coin("AAA")]).await.unwrap();
    let (engine, _) = home.engine(at(END)).await;
    assert_eq!(engine.quote(&symbol("AAA")), None);
    let NoForecast { reason, .. } = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap_err();
    assert_eq!(reason, "no 1h bars of AAA are stored");
    let NoForecast { reason, .. } = engine.issued(&symbol("ZZZ"), Timeframe::H1).unwrap_err();
    assert_eq!(reason, "ZZZ is not in the universe");
    assert!(engine.status().first_run.is_some());
}

#[tokio::test]
async fn promise_2_what_comes_after_as_of_changes_nothing() {
    let bars = walk(market::Calendar::Continuous, Timeframe::H1, 420, at(END), 7);
    let cut = bars[400].close_time;
    let mut bodies = Vec::new();
    for corrupt in [false, true] {
        let home = Home::with_coins(&["BBB"], Timeframe::H1, 420, at(END)).await;
        home.store.put_assets(&[crate::home::coin("AAA")]).await.unwrap();
        let mut bars = bars.clone();
        if corrupt {
            for bar in &mut bars[401..] {
                *bar = bar.scaled(3.0);
            }
        }
        home.store.put_bars(&key("AAA", Timeframe::H1), &bars).await.unwrap();
        let (engine, _) = home.engine(cut).await;
        bodies.push(engine.recompute(&symbol("AAA"), Timeframe::H1).await.unwrap());
    }
    assert!(bodies[0].contains(&format!("\"as_of\":\"{cut}\"")), "{}", bodies[0]);
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn promise_3_a_slot_without_its_bar_is_recorded_as_missed_and_never_issued_late() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    // The next hour closes, but only AAA's bar comes in time.
    let bars = walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), 1);
    let bar = next_bar(&bars, Timeframe::H1, 1.01);
    clock.set(bar.close_time);
    engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    let step = engine.run_once().await.unwrap();
    assert_eq!(step.issued, 0, "the step waits for BBB while there is patience");
    clock.set(bar.close_time + seconds(151));
    assert_eq!(engine.run_once().await.unwrap().issued, 1);
    clock.set(bar.close_time + seconds(301));
    let step = engine.run_once().await.unwrap();
    assert_eq!((step.issued, step.missed), (0, 1));
    // BBB's bar comes after all: it is kept, and its slot stays missed.
    let bars = walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), 2);
    let late = next_bar(&bars, Timeframe::H1, 1.01);
    engine.receive_bars(&key("BBB", Timeframe::H1), &[late]).await.unwrap();
    let step = engine.run_once().await.unwrap();
    assert_eq!((step.issued, step.missed), (0, 0));
    let missed = entries(&home, engine.chain(), Some("missed")).await;
    let Body::Missed(body) = Body::parse(&missed[0].entry.body).unwrap() else { panic!("a missed entry") };
    assert_eq!((missed.len(), body.symbol.as_str(), body.count), (1, "BBB", 1));
    assert_eq!(body.reason, "no bar came within the grace period");
    // The late bar is known since it came, not since it closed.
    let query = storage::BarQuery {
        key: &key("BBB", Timeframe::H1),
        as_of: late.close_time,
        from: None,
        to: None,
        last: Some(1),
    };
    assert_ne!(home.store.bars(&query).await.unwrap()[0].open_time, late.open_time);
}

#[tokio::test]
async fn promise_3_a_forecast_is_written_before_its_target_and_scored_once() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let mut bars = walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), 1);
    let (mut issued, mut resolved) = (0, 0);
    for _ in 0..6 {
        let bar = next_bar(&bars, Timeframe::H1, 1.002);
        bars.push(bar);
        clock.set(bar.close_time);
        engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
        for _ in 0..2 {
            let step = engine.run_once().await.unwrap();
            issued += step.issued;
            resolved += step.resolved;
        }
    }
    // Six hours: six 1h forecasts, and the 4h one that closes at 04:00. Of the first 1h forecast five horizons matured.
    assert_eq!((issued, resolved), (7, 5 + 4 + 3 + 2 + 1));
    for row in entries(&home, engine.chain(), Some("forecast")).await {
        let Body::Forecast(body) = Body::parse(&row.entry.body).unwrap() else { panic!("a forecast") };
        assert!(body.horizons.iter().all(|h| body.recorded_at < h.target_time));
    }
    let scores = home.store.scores(engine.chain(), &ScoreQuery::default()).await.unwrap();
    assert_eq!(scores.len(), resolved);
    assert!(scores.iter().all(|row| (row.score.change - f64::ln(1.002) * f64::from(row.horizon)).abs() < 1e-9));
}

#[tokio::test]
async fn promise_4_another_origin_sees_nothing_of_a_chain() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at("2024-02-29T23:00:00Z")).await;
    engine.run_once().await.unwrap();
    clock.set(at(END));
    engine.reload().await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 2, "1h and 4h");
    let live = engine::Settings { chain: ChainId::live(), ..settings() };
    let (other, _) = home.engine_with(at(END), live).await;
    assert!(other.issued(&symbol("AAA"), Timeframe::H1).is_err());
    assert_eq!(other.issued_at(&symbol("AAA"), Timeframe::H1, at(END)).await.unwrap(), None);
    assert_eq!(other.track_record(&symbol("AAA"), Timeframe::H1, None).await.unwrap().rows, []);
    let issued = engine.issued(&symbol("AAA"), Timeframe::H1).unwrap();
    assert_eq!(issued.chain.origin(), Origin::Simulated);
}

#[tokio::test]
async fn promise_5_without_a_model_that_passed_the_baseline_is_served_and_named() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, _) = home.engine(at("2024-02-29T23:00:00Z")).await;
    engine.run_once().await.unwrap();
    let body = engine.recompute(&symbol("AAA"), Timeframe::H1).await.unwrap();
    let Body::Forecast(body) = Body::parse(&body).unwrap() else { panic!("a forecast") };
    assert_eq!((body.model.kind.as_str(), body.model.name.as_str()), (ModelKind::Baseline.as_str(), "naive"));
    assert!(body.horizons.iter().all(|h| h.quantiles == h.baseline && h.prob_up == h.baseline_prob_up));
    let record = engine.track_record(&symbol("AAA"), Timeframe::H1, None).await.unwrap();
    assert_eq!((record.summary.n, record.summary.hit_rate), (0, None));
    assert_eq!(record.summary.verdict, market::Verdict::NotEnoughEvidence);
}

#[tokio::test]
async fn promise_6_a_bar_that_has_not_closed_issues_nothing() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let bars = walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), 1);
    let bar = next_bar(&bars, Timeframe::H1, 1.01);
    clock.set(bar.close_time - seconds(1));
    engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    assert_eq!(engine.run_once().await.unwrap().issued, 0);
    assert_eq!(engine.recent_bars(&symbol("AAA"), Timeframe::H1, 1)[0].close_time, at(END));
    clock.set(bar.close_time);
    assert_eq!(engine.run_once().await.unwrap().issued, 1);
}

#[tokio::test]
async fn promise_7_a_forecast_is_computed_again_to_the_byte() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at("2024-02-29T23:00:00Z")).await;
    engine.run_once().await.unwrap();
    clock.set(at(END));
    engine.reload().await.unwrap();
    engine.run_once().await.unwrap();
    let issued = engine.issued(&symbol("AAA"), Timeframe::H4).unwrap();
    // More has become known since.
    let mut bars = walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), 1);
    for _ in 0..3 {
        bars.push(next_bar(&bars, Timeframe::H1, 0.9));
    }
    home.store.put_bars(&key("AAA", Timeframe::H1), &bars).await.unwrap();
    clock.set(bars[402].close_time);
    let again = engine.rederive(&issued.hash.short()).await.unwrap();
    assert!(again.same_data && again.same_code);
    assert_eq!(again.stored, again.computed);
    assert!(again.stands());
}

#[tokio::test]
async fn promise_8_what_is_old_is_shown_as_old() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    assert!(!engine.quote(&symbol("AAA")).unwrap().stale);
    assert_eq!(engine.status().sources[0].health, engine::views::Health::Healthy);
    clock.set(at(END) + SignedDuration::from_hours(2));
    let quote = engine.quote(&symbol("AAA")).unwrap();
    assert!(quote.stale);
    assert_eq!(quote.event_time, at(END));
    assert_eq!(engine.status().sources[0].health, engine::views::Health::Degraded);
}

#[tokio::test]
async fn promise_8_a_database_that_went_away_loses_no_acknowledged_bar() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 400, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let bars = walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), 1);
    let bar = next_bar(&bars, Timeframe::H1, 1.01);
    home.store.close().await;
    clock.set(bar.close_time);
    let error = engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(engine.run_once().await.is_err());
    assert_eq!(engine.status().database, engine::views::Health::Unhealthy);
    // It comes back after the grace: the bar is fetched again, the slot was missed.
    let mut home = home;
    home.store = home.reopened().await;
    let (engine, clock) = home.engine(bar.close_time + seconds(600)).await;
    engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    let step = engine.run_once().await.unwrap();
    assert_eq!((step.issued, step.missed), (0, 1));
    clock.set(bar.close_time + seconds(601));
    assert_eq!(engine.run_once().await.unwrap(), engine::Step::default(), "again changes nothing");
}
