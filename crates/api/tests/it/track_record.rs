use jiff::SignedDuration;
use market::{Action, ActionKind, Bar, Calendar, Timeframe};
use reqwest::Method;
use serde_json::Value;

use crate::app::{CASES, TestApp, at, key, rounded, symbol, walk};

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
async fn widths_of_different_units_are_not_averaged() {
    let app = TestApp::seeded().await;
    let board = app.json("/api/scoreboard").await;
    for line in board["lines"].as_array().unwrap() {
        // Macro series have units of their own.
        let is_macro = line["asset_class"] == "macro";
        assert_eq!(line["coverage"][0]["width"].is_null(), is_macro, "{line}");
    }
    assert!(board["lines"].as_array().unwrap().iter().any(|line| line["asset_class"] == "macro"), "{board}");
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

#[tokio::test]
async fn prices_of_before_a_split_stand_in_the_terms_of_today() {
    let app = TestApp::seeded().await;
    let stock = symbol("AAPL");
    // Six sessions; four new shares for an old one from the open of the fourth on.
    let ex_date = at("2024-03-06T14:30:00Z");
    let split = Action {
        ex_date: "2024-03-06".parse().unwrap(),
        kind: ActionKind::Split { numerator: 4.0, denominator: 1.0 },
        known_at: ex_date,
    };
    for bar in walk(Calendar::Nyse, Timeframe::D1, 6, at("2024-03-09T00:00:00Z"), 180.0) {
        app.clock.set(bar.close_time + SignedDuration::from_mins(1));
        let raw = match bar.open_time < ex_date {
            true => bar,
            false => {
                Bar { open: bar.open / 4.0, high: bar.high / 4.0, low: bar.low / 4.0, close: bar.close / 4.0, ..bar }
            }
        };
        if bar.open_time == ex_date {
            app.engine.receive_actions(&stock, std::slice::from_ref(&split)).await.unwrap();
        }
        app.engine.receive_bars(&key("AAPL", Timeframe::D1), &[raw]).await.unwrap();
        app.engine.run_once().await.unwrap();
    }
    let bars = app.json("/api/assets/AAPL/bars?timeframe=1D&limit=5").await;
    let column = |value: &Value| value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let closes: Vec<f64> = bars["bars"].as_array().unwrap().iter().map(|bar| bar["close"].as_f64().unwrap()).collect();
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a / b - 1.0).abs() < 1e-9);
    let trends = app.json("/api/asset/AAPL/trends").await;
    let chart = &trends["chart"];
    assert!(near(&column(&chart["actual"]), &closes), "{} are not {closes:?}", chart["actual"]);
    for (lower, (predicted, (upper, actual))) in column(&chart["lower"])
        .iter()
        .zip(column(&chart["predicted"]).iter().zip(column(&chart["upper"]).iter().zip(&closes)))
    {
        assert!(lower < predicted && predicted < upper && (predicted / actual - 1.0).abs() < 0.1, "{chart}");
    }
    let history = trends["accuracy_history"].as_array().unwrap();
    let mut actual: Vec<f64> = history.iter().map(|row| row["actual"].as_f64().unwrap()).collect();
    actual.reverse();
    assert!(near(&actual, &closes));
    // Sockets and files say the same.
    let mut socket = app.socket("/ws/asset/AAPL/trends").await;
    let update = socket.expect("trends_update").await;
    assert_eq!((&update["chart"]["actual"], &update["chart"]["predicted"]), (&chart["actual"], &chart["predicted"]));
    let mut socket = app.socket("/ws/asset/AAPL/forecast").await;
    let past = socket.expect("historical_data").await;
    let predicted = past["chart"]["predicted"].as_array().unwrap();
    assert_eq!(&predicted[predicted.len() - 5..], chart["predicted"].as_array().unwrap());
    let csv = app.get("/api/asset/AAPL/export?timeframe=1D&window=1M").await;
    let exported: Vec<f64> =
        csv.text().lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert!(near(&exported, &closes), "{}", csv.text());
}
