use reqwest::Method;
use serde_json::Value;

use crate::app::{CASES, TestApp, rounded};

#[tokio::test]
async fn trends_show_the_record_beside_the_baseline() {
    let app = TestApp::seeded().await;
    let mut body = app.json("/api/asset/BTC/trends").await;
    // The newest cases say enough.
    let history = body["accuracy_history"].as_array_mut().unwrap();
    assert_eq!(history.len(), CASES);
    history.truncate(2);
    body["chart"].as_object_mut().unwrap().values_mut().for_each(|column| {
        let column = column.as_array_mut().unwrap();
        assert_eq!(column.len(), CASES);
        column.drain(..CASES - 2);
    });
    insta::assert_json_snapshot!("trends", rounded(body));
}

#[tokio::test]
async fn the_accuracy_follows_from_the_history() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/asset/BTC/trends?view=table").await;
    assert_eq!(body["chart"], Value::Null);
    let results: Vec<_> = body["accuracy_history"].as_array().unwrap().iter().map(|row| &row["result"]).collect();
    let count = |word: &str| results.iter().filter(|result| **result == word).count();
    let (hits, misses) = (count("Hit"), count("Miss"));
    assert_eq!(body["n"], hits + misses);
    let shown = body["overall_accuracy"].as_f64();
    let expected = (hits + misses >= 30).then(|| 100.0 * hits as f64 / (hits + misses) as f64);
    assert_eq!(shown.is_some(), expected.is_some());
    assert!((shown.unwrap_or_default() - expected.unwrap_or_default()).abs() < 1e-9);
    let checked = app.request(Method::POST, "/api/asset/BTC/validate", &[]).await.json();
    assert_eq!(checked["validation"]["accuracy"], body["overall_accuracy"]);
    assert_eq!(checked["validation"]["correct_predictions"], hits);
    assert_eq!(checked["validation"]["total_predictions"], hits + misses);
}

#[tokio::test]
async fn promise_5_no_accuracy_without_n_baseline_and_verdict() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/asset/BTC/trends").await;
    assert_eq!(body["verdict"], "not enough evidence");
    if body["overall_accuracy"].is_number() {
        assert!(body["n"].as_u64().unwrap() >= 30 && body["ci"].is_array());
        assert!(body["baseline_accuracy"]["always_up"].is_number());
    }
    // Under thirty calls there is no accuracy at all, and it is said why.
    let week = app.json("/api/asset/BTC/trends?window=1W").await;
    assert!(week["n"].as_u64().unwrap() < 30);
    assert_eq!(week["overall_accuracy"], Value::Null);
    assert!(week["reason"].as_str().unwrap().contains("30"), "{week}");
    let none = app.json("/api/asset/AAPL/trends").await;
    assert_eq!((&none["n"], &none["crps_skill"]), (&Value::from(0), &Value::Null));
    assert!(none["reason"].is_string());
    let board = app.json("/api/scoreboard").await;
    for line in board["lines"].as_array().unwrap() {
        assert!(line["n"].is_number() && line["verdict"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn the_scoreboard_pools_by_class_timeframe_and_horizon() {
    let app = TestApp::seeded().await;
    let board = app.json("/api/scoreboard?timeframe=1D&class=crypto").await;
    let lines = board["lines"].as_array().unwrap();
    let horizons: Vec<_> = lines.iter().map(|line| line["horizon"].as_u64().unwrap()).collect();
    assert_eq!(horizons, [1, 2, 3, 4, 5, 6, 7, 21]);
    assert_eq!(lines[0]["n"], 2 * CASES);
    assert_eq!(lines[0]["n_assets"], 2);
    assert_eq!(app.json("/api/scoreboard?class=stocks").await["lines"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn exports_keep_the_columns_of_the_earlier_service() {
    let app = TestApp::seeded().await;
    let cases = [
        ("/api/asset/BTC/export", "Date,Forecast,Actual,Result,symbol,", 30),
        ("/api/asset/BTC/trends/export", "Date,Forecast,Actual,Result,Accuracy,symbol,", 30),
        // Without a window the names of windows in `timeframe` mean the window.
        ("/api/asset/BTC/export?timeframe=1W", "Date,Forecast,Actual,Result,symbol,", 8),
        ("/api/asset/BTC/export?timeframe=1D&window=1W", "Date,Forecast,Actual,Result,symbol,", 8),
        ("/api/asset/BTC/export?timeframe=1W&window=1Y", "Date,Forecast,Actual,Result,symbol,", 5),
    ];
    for (path, header, n_lines) in cases {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.text().starts_with(header), "{path}: {}", answer.text());
        assert_eq!(answer.text().lines().count(), n_lines, "{path}");
        assert!(answer.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"BTC_"));
    }
    let parquet = app.get("/api/asset/BTC/trends/export?format=parquet&window=1Y").await;
    assert_eq!(&parquet.body[..4], b"PAR1");
    assert_eq!(parquet.headers["content-type"], "application/vnd.apache.parquet");
    assert_eq!(app.get("/api/asset/BTC/export?format=xlsx").await.status, 400);
}
