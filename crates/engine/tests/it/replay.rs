//! Replays, and what their ledgers prove.

use engine::ledger::{Expected, Verdict};
use engine::replay::{Replay, Summary, Told};
use engine::train::TrainingJob;
use engine::{Engine, Settings};
use market::{Bar, ChainId, Hash, Origin, Timeframe};
use storage::Store;
use tokio_util::sync::CancellationToken;

use crate::home::{Home, at, key, settings, symbol, walk};

const END: &str = "2024-03-01T00:00:00Z";

fn replay_settings() -> Settings {
    Settings { chain: ChainId::new(Origin::Replay, Some("r")).unwrap(), timeframes: vec![Timeframe::D1], ..settings() }
}

async fn replayed(home: &Home) -> (Summary, Hash, std::sync::Arc<Engine>) {
    let from = at("2024-01-20T00:00:00Z");
    let (engine, clock) = home.engine_with(from, replay_settings()).await;
    let replay = Replay { from, to: at(END), speed: None };
    let summary = replay.run(&engine, &clock, &CancellationToken::new(), &mut |_| ()).await.unwrap();
    let head = home.store.head(engine.chain()).await.unwrap().unwrap();
    (summary, head.hash, engine)
}

#[tokio::test]
async fn promise_7_a_replay_again_gives_the_same_head() {
    let mut heads = Vec::new();
    for _ in 0..2 {
        let home = Home::with_coins(&["AAA", "BBB", "CCC"], Timeframe::D1, 1500, at(END)).await;
        let (summary, head, _) = replayed(&home).await;
        assert_eq!(summary.issued, 3 * 41);
        assert_eq!(summary.missed, 0);
        // Of 41 days those whose horizon of h days ends in range: 41 - h for each of 1 to 7 and 21.
        let matured: usize = [1, 2, 3, 4, 5, 6, 7, 21].iter().map(|h| 41 - h).sum();
        assert_eq!(summary.resolved, 3 * matured);
        heads.push(head);
    }
    assert_eq!(heads[0], heads[1]);
}

/// Runs a replay and breaks it off after each of some numbers of steps; every piece goes on where the ledger ends.
async fn replayed_in_pieces(home: &Home, pieces: &[usize]) -> (Hash, usize) {
    let mut from = at("2024-01-20T00:00:00Z");
    let mut trainings = 0;
    for steps in pieces.iter().copied().chain([usize::MAX]) {
        let (engine, clock) = home.engine_with(from, replay_settings()).await;
        let replay = Replay { from, to: at(END), speed: None };
        let token = CancellationToken::new();
        let mut tell = |told: Told| match told {
            Told::Stepped { done, .. } if done >= steps => token.cancel(),
            Told::Trained(_) => trainings += 1,
            _ => {}
        };
        replay.run(&engine, &clock, &token, &mut tell).await.unwrap();
        from = home.store.head(engine.chain()).await.unwrap().unwrap().recorded_at;
    }
    let head = home.store.head(&replay_settings().chain).await.unwrap().unwrap();
    (head.hash, trainings)
}

#[tokio::test]
async fn promise_7_a_replay_that_was_broken_off_ends_on_the_same_head() {
    let mut heads = Vec::new();
    for pieces in [&[][..], &[3, 4], &[1, 10, 1]] {
        let home = Home::with_coins(&["AAA", "BBB"], Timeframe::D1, 1500, at(END)).await;
        heads.push(replayed_in_pieces(&home, pieces).await);
    }
    assert_eq!(heads[0].1, 3, "one training, and a refit with each of two months");
    assert_eq!(heads[0], heads[1]);
    assert_eq!(heads[0], heads[2]);
}

#[tokio::test]
async fn promise_3_a_replay_with_holes_explains_every_slot() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::D1, 1500, at(END)).await;
    home.store.put_assets(&[crate::home::coin("CCC")]).await.unwrap();
    let mut bars = walk(market::Calendar::Continuous, Timeframe::D1, 1500, at(END), 3);
    let hole = bars.len() - 10;
    bars.drain(hole..hole + 3);
    home.store.put_bars(&key("CCC", Timeframe::D1), &bars).await.unwrap();
    let (summary, _, engine) = replayed(&home).await;
    assert_eq!((summary.issued, summary.missed), (3 * 41 - 3, 3));
    let mut export = Vec::new();
    engine::ledger::export(&*home.store, engine.chain(), &mut export).await.unwrap();
    match engine::ledger::verify(export.as_slice(), Expected::default()).unwrap() {
        Verdict::Sound(report) => {
            assert_eq!((report.forecasts as usize, report.missed_slots), (summary.issued, summary.missed));
        }
        Verdict::Broken(broken) => panic!("{broken}"),
    }
}

#[tokio::test]
async fn promise_2_a_replay_forecasts_from_the_bar_as_it_was_told_first() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::D1, 1500, at(END)).await;
    let bars = walk(market::Calendar::Continuous, Timeframe::D1, 1500, at(END), 1);
    let told = *bars.iter().find(|bar| bar.close_time == at("2024-02-01T00:00:00Z")).unwrap();
    let corrected = Bar { known_at: at("2024-02-05T12:00:00Z"), ..told.scaled(1.01) };
    home.store.put_bars(&key("AAA", Timeframe::D1), &[corrected]).await.unwrap();
    let (summary, _, engine) = replayed(&home).await;
    assert_eq!((summary.issued, summary.missed), (2 * 41, 0), "the correction came between two closes");
    let issued = engine.issued_at(&symbol("AAA"), Timeframe::D1, told.close_time).await.unwrap().unwrap();
    assert_eq!((issued.forecast.as_of, issued.forecast.reference_price), (told.close_time, told.close));
    assert!(engine.rederive(&issued.hash.short()).await.unwrap().is_identical());
    let later = engine.issued_at(&symbol("AAA"), Timeframe::D1, at("2024-02-06T00:00:00Z")).await.unwrap().unwrap();
    assert!(engine.rederive(&later.hash.short()).await.unwrap().is_identical(), "made from the corrected bar");
}

#[tokio::test]
async fn bars_that_have_ended_are_trained_on_once() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::D1, 1500, at(END)).await;
    let years_later = at("2026-05-01T00:00:00Z");
    let (engine, _) = home.engine_with(years_later, replay_settings()).await;
    let (class, base) = (market::AssetClass::Crypto, Timeframe::D1);
    assert_eq!(engine.training_due(class, base), Some(TrainingJob::Train));
    engine.train(class, base).await.unwrap();
    assert_eq!(engine.training_due(class, base), None, "nothing has come since");
}
