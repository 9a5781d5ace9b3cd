use serde_json::Value;

use crate::app::{TestApp, rounded};

#[tokio::test]
async fn a_summary_lists_the_class_in_order() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/market/summary").await;
    insta::assert_json_snapshot!("summary", rounded(body));
}

#[tokio::test]
async fn classes_and_limits_are_kept() {
    let app = TestApp::empty().await;
    for (query, n_assets, first) in [
        ("?class=crypto&limit=5", 5, "BTC"),
        ("?class=stocks", 10, "NVDA"),
        ("?class=macro", 5, "GDP"),
        ("?class=all&limit=500", 25, "BTC"),
    ] {
        let assets = app.json(&format!("/api/market/summary{query}")).await["assets"].clone();
        assert_eq!(assets.as_array().unwrap().len(), n_assets, "{query}");
        assert_eq!(assets[0]["symbol"], first, "{query}");
        assert_eq!(assets[0]["stale"], Value::Null, "{query}");
    }
}

#[tokio::test]
async fn a_price_in_tether_is_not_called_dollars() {
    let app = TestApp::seeded().await;
    let row = app.json("/api/market/summary?limit=1").await["assets"][0].clone();
    assert_eq!(row["quote"], "USDT");
    assert!(row["predicted_range"].as_str().unwrap().ends_with(" USDT"), "{row}");
}

#[tokio::test]
async fn the_best_fit_is_found_first() {
    let app = TestApp::empty().await;
    for (query, expected) in [
        ("?query=btc", &["BTC"][..]),
        ("?q=bit", &["BTC"]),
        ("?q=usd", &["USDT", "USDC"]),
        ("?q=usd&limit=1", &["USDT"]),
        ("?q=a&class=stocks&limit=3", &["AAPL", "AMZN", "AVGO"]),
        ("?q=appel", &["AAPL"]),
        ("?q=zzzz", &[]),
    ] {
        let results = app.json(&format!("/api/assets/search{query}")).await["results"].clone();
        let symbols: Vec<_> = results.as_array().unwrap().iter().map(|row| row["symbol"].as_str().unwrap()).collect();
        assert_eq!(symbols, expected, "{query}");
    }
}
