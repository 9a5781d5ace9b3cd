//! Data come in.

use engine::EngineError;
use engine::ingest::{list_asset, record_gaps};
use jiff::SignedDuration;
use market::{Asset, AssetKind, Timeframe};
use storage::Store;

use crate::home::{Home, at, coin, key, walk};

const END: &str = "2024-03-01T00:00:00Z";

#[tokio::test]
async fn gaps_are_recorded_and_marked_when_filled() {
    let home = Home::new().await;
    home.store.put_assets(&[coin("AAA")]).await.unwrap();
    let key = key("AAA", Timeframe::H1);
    let mut bars = walk(market::Calendar::Continuous, Timeframe::H1, 50, at(END), 1);
    let missing: Vec<_> = bars.drain(20..23).collect();
    home.store.put_bars(&key, &bars).await.unwrap();
    let later = at(END) + SignedDuration::from_hours(2);
    assert_eq!(record_gaps(&*home.store, &key, &coin("AAA"), later, later).await.unwrap(), 2);
    let gaps = home.store.gaps(&key).await.unwrap();
    assert_eq!(gaps.iter().map(|gap| (gap.n_bars, gap.filled_at)).collect::<Vec<_>>(), [(3, None), (2, None)]);
    home.store.put_bars(&key, &missing).await.unwrap();
    let again = later + SignedDuration::from_mins(1);
    assert_eq!(record_gaps(&*home.store, &key, &coin("AAA"), later, again).await.unwrap(), 1);
    let gaps = home.store.gaps(&key).await.unwrap();
    assert_eq!(gaps.iter().map(|gap| (gap.n_bars, gap.filled_at)).collect::<Vec<_>>(), [(3, Some(again)), (2, None)]);
}

#[tokio::test]
async fn the_last_price_moves_between_closes() {
    let home = Home::with_coins(&["AAA"], Timeframe::H1, 60, at(END)).await;
    let (engine, clock) = home.engine(at(END)).await;
    let aaa = crate::home::symbol("AAA");
    let close = engine.quote(&aaa).unwrap();
    assert!(close.change_24h.is_some() && close.volume.is_some());
    let event_time = at(END) + SignedDuration::from_mins(10);
    clock.set(event_time);
    engine.receive_tick(&aaa, close.price * 1.5, event_time);
    engine.receive_tick(&aaa, f64::NAN, event_time);
    let quote = engine.quote(&aaa).unwrap();
    assert_eq!((quote.price, quote.event_time), (close.price * 1.5, event_time));
}

#[tokio::test]
async fn what_is_forecast_as_one_thing_does_not_become_another() {
    let home = Home::with_coins(&["AAA", "BBB"], Timeframe::H1, 400, at(END)).await;
    let listed = coin("AAA");
    let stable = Asset { kind: AssetKind::Stable, ..listed.clone() };
    list_asset(&*home.store, Some(&listed), &stable).await.unwrap();
    list_asset(&*home.store, Some(&stable), &listed).await.unwrap();
    let (engine, clock) = home.engine(at(END)).await;
    engine.run_once().await.unwrap();
    let refused = list_asset(&*home.store, Some(&listed), &stable).await;
    assert!(matches!(refused, Err(EngineError::KindChange { .. })), "scheduled is enough: {refused:?}");
    let bar =
        crate::home::next_bar(&walk(market::Calendar::Continuous, Timeframe::H1, 400, at(END), 1), Timeframe::H1, 1.0);
    clock.set(bar.close_time);
    engine.receive_bars(&key("AAA", Timeframe::H1), &[bar]).await.unwrap();
    clock.set(bar.close_time + SignedDuration::from_mins(3));
    assert_eq!(engine.run_once().await.unwrap().issued, 1);
    for kind in [AssetKind::Stable, AssetKind::Equity] {
        let said = Asset { kind, ..listed.clone() };
        let refused = list_asset(&*home.store, Some(&listed), &said).await;
        assert!(matches!(refused, Err(EngineError::KindChange { .. })), "{kind}: {refused:?}");
    }
    assert_eq!(home.store.assets().await.unwrap()[0], listed);
    let renamed = Asset { name: "Another name".to_owned(), ..listed.clone() };
    list_asset(&*home.store, Some(&listed), &renamed).await.unwrap();
}
