//! What the promotion gate judges, and what it lets through.

use market::{Asset, AssetClass, AssetKind, Calendar, Timeframe};
use storage::Store;

use crate::home::{Home, at, key, settings, symbol, walk};

const END: &str = "2024-02-27T21:00:00Z";

/// The kinds of which a model was trained, of four equities and four funds with so many days.
async fn kinds_trained(n_fund_days: usize) -> Vec<AssetKind> {
    let home = Home::new().await;
    for seed in 1..=8 {
        let (kind, n_bars) = if seed <= 4 { (AssetKind::Equity, 640) } else { (AssetKind::Etf, n_fund_days) };
        let name = format!("S{seed}");
        let (source_symbol, quote) = (name.clone(), "USD".to_owned());
        let asset = Asset { symbol: symbol(&name), name: name.clone(), kind, source_symbol, quote };
        home.store.put_assets(&[asset]).await.unwrap();
        let bars = walk(Calendar::Nyse, Timeframe::D1, n_bars, at(END), seed);
        home.store.put_bars(&key(&name, Timeframe::D1), &bars).await.unwrap();
    }
    let settings = engine::Settings { max_rows: 1000, gate_months: 1, ..settings() };
    let (engine, _) = home.engine_with(at(END), settings).await;
    let trained = engine.train(AssetClass::Stocks, Timeframe::D1).await.unwrap();
    assert!(!trained.gates.is_empty(), "{}", trained.reason);
    let manifest = home.store.model(&trained.model_id).await.unwrap().unwrap().manifest;
    let named = |kind: &AssetKind| manifest.contains(&format!("\"kind\":\"{kind}\""));
    [AssetKind::Equity, AssetKind::Etf].into_iter().filter(named).collect()
}

#[tokio::test]
async fn promise_5_a_kind_with_too_little_history_to_be_judged_on_has_no_model() {
    // A thousand rows of funds have an outcome today; a month ago there were fewer.
    assert_eq!(kinds_trained(525).await, [AssetKind::Equity]);
    assert_eq!(kinds_trained(560).await, [AssetKind::Equity, AssetKind::Etf]);
}
