use serde_json::Value;

use crate::app::{TestApp, at, rounded};

#[tokio::test]
async fn a_forecast_says_what_the_ledger_says() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/asset/BTC/forecast?timeframe=1D").await;
    insta::assert_json_snapshot!("forecast", rounded(body), {
        ".ledger.id" => "[id]", ".ledger.hash" => "[hash]", ".model.code_version" => "[version]",
    });
}

#[tokio::test]
async fn a_forecast_agrees_with_its_ledger_entry() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/asset/BTC/forecast").await;
    let entry = app.json(&format!("/api/ledger/{}", body["ledger"]["id"].as_str().unwrap())).await;
    assert_eq!(entry["hash"], body["ledger"]["hash"]);
    assert_eq!(entry["seq"], body["ledger"]["seq"]);
    let written = &entry["body"];
    assert_eq!(written["as_of"], body["as_of"]);
    assert_eq!(written["recorded_at"], body["issued_at"]);
    let headline = &written["horizons"][0];
    assert_eq!(headline["target_time"], body["target_time"]);
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let reference = written["reference_price"].as_f64().unwrap();
    let shown = body["quantiles"].as_array().unwrap();
    for (shown, log_return) in shown.iter().zip(numbers(&headline["quantiles"])) {
        assert_eq!(shown["log_return"], log_return);
        assert_eq!(shown["price"].as_f64().unwrap(), reference * log_return.exp());
    }
    assert_eq!(body["predicted_price"], shown[6]["price"]);
    assert_eq!((&body["interval"]["low"], &body["interval"]["high"]), (&shown[2]["price"], &shown[10]["price"]));
}

#[tokio::test]
async fn the_chart_ends_at_as_of_and_goes_on_to_the_targets() {
    let app = TestApp::seeded().await;
    for (timeframe, past, future) in [("1D", 30, 7), ("1W", 12, 4), ("7D", 12, 4)] {
        let body = app.json(&format!("/api/asset/BTC/forecast?timeframe={timeframe}")).await;
        let chart = &body["chart"];
        let len = |value: &Value| value.as_array().unwrap().len();
        assert_eq!((len(&chart["past"]), len(&chart["future"])), (past, future), "{timeframe}");
        assert_eq!(len(&chart["timestamps"]), past + future);
        assert_eq!(chart["timestamps"][past - 1], body["as_of"]);
        assert_eq!(chart["timestamps"][past], body["target_time"]);
        assert_eq!(chart["past"][past - 1], body["reference_price"]);
        let bands = &chart["confidence_bands"];
        assert_eq!((len(&bands["lower"]), len(&bands["upper"]), len(&chart["candles"])), (future, future, past));
    }
}

#[tokio::test]
async fn every_spelling_of_a_timeframe_gets_the_same_answer() {
    let app = TestApp::seeded().await;
    let expected = app.get("/api/asset/BTC/forecast?timeframe=1D").await;
    for path in ["/api/asset/BTC/forecast", "/api/asset/btc/forecast?timeframe=1d", "/api/asset/BTC/forecast?x=y"] {
        assert_eq!(app.get(path).await.body, expected.body, "{path}");
    }
    let macro_default = app.json("/api/asset/CPI/forecast").await;
    assert_eq!(macro_default["timeframe"], "1M");
}

#[tokio::test]
async fn a_macro_series_is_forecast_on_its_release_period() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/asset/CPI/forecast").await;
    assert_eq!(body["volume"], Value::Null);
    assert_eq!(body["change_basis"], "previous_release");
    assert_eq!(body["quote"], "index 1982-84=100");
    assert_eq!(body["model"]["kind"], "baseline");
    assert!(body["reason"].as_str().unwrap().contains("no volume"));
}

#[tokio::test]
async fn the_past_is_replayed_from_the_ledger() {
    let app = TestApp::seeded().await;
    let then = app.json("/api/asset/BTC/forecast?as_of=2024-02-20T10:00:00Z").await;
    assert_eq!(then["as_of"], "2024-02-20T00:00:00Z");
    assert_eq!(then["chart"]["timestamps"][29], "2024-02-20T00:00:00Z");
    assert_eq!(then["chart"]["past"][29], then["reference_price"]);
    for unknown in ["current_price", "change_24h", "volume", "skill"] {
        assert_eq!(then[unknown], Value::Null, "{unknown}");
    }
    assert!(then["reason"].is_string());
    // What was current then does not change as time goes on.
    app.next_day().await;
    let again = app.json("/api/asset/BTC/forecast?as_of=2024-02-20T10:00:00Z").await;
    assert_eq!(again, then);
    let before = app.get("/api/asset/BTC/forecast?as_of=2020-01-01").await;
    assert_eq!((before.status.as_u16(), before.json()["type"].as_str()), (404, Some("/problems/no-such-forecast")));
}

#[tokio::test]
async fn promise_1_what_is_not_known_is_null_with_a_reason_or_an_error() {
    let app = TestApp::seeded().await;
    let answer = app.get("/api/asset/AAPL/forecast").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["type"], "/problems/no-forecast");
    assert!(answer.json()["reason"].as_str().unwrap().contains("AAPL"));
    let retry: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(retry > 0);
    let summary = app.json("/api/market/summary?class=all&limit=25").await;
    for row in summary["assets"].as_array().unwrap() {
        let fields = ["current_price", "change_24h", "volume", "forecast_direction", "confidence", "predicted_price"];
        if fields.iter().any(|field| row[field].is_null()) {
            assert!(row["reason"].is_string(), "{row}");
        }
    }
}

#[tokio::test]
async fn promise_4_every_answer_names_its_origin() {
    let app = TestApp::seeded().await;
    let paths = [
        "/api/asset/BTC/forecast",
        "/api/asset/BTC/trends",
        "/api/market/summary",
        "/api/scoreboard",
        "/api/ledger",
        "/api/assets",
        "/api/assets/BTC",
        "/api/assets/BTC/bars",
        "/api/health",
    ];
    for path in paths {
        assert_eq!(app.json(path).await["origin"], "simulated", "{path}");
    }
    let export = app.get("/api/asset/BTC/export").await;
    assert!(export.text().lines().skip(1).all(|line| line.contains(",simulated,")), "{}", export.text());
}

#[tokio::test]
async fn promise_8_a_forecast_that_should_have_been_followed_is_stale() {
    let settings = api::ApiSettings { ready_max_age_ms: 0, ..api::ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    let fresh = app.json("/api/asset/BTC/forecast").await;
    assert_eq!(fresh["stale"], false);
    // Nothing happens for two days: no bar, no event.
    app.clock.set(at("2024-03-03T00:00:00Z"));
    let old = app.json("/api/asset/BTC/forecast").await;
    assert_eq!(old["stale"], true);
    assert_eq!(old["as_of"], fresh["as_of"]);
    let row = app.json("/api/market/summary").await["assets"][0].clone();
    assert_eq!((row["symbol"].as_str(), row["stale"].as_bool()), (Some("BTC"), Some(true)));
    assert_eq!(app.json("/api/health").await["status"], "degraded");
}

#[tokio::test]
async fn a_forecast_that_says_nothing_about_the_future_is_not_shown() {
    let settings = api::ApiSettings { ready_max_age_ms: 0, ..api::ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    // The last of its horizons is 21 days ahead.
    app.clock.set(at("2024-03-22T00:00:00Z"));
    assert_eq!(app.json("/api/asset/BTC/forecast").await["stale"], true);
    app.clock.set(at("2024-03-22T00:00:01Z"));
    let answer = app.get("/api/asset/BTC/forecast").await;
    assert_eq!((answer.status.as_u16(), answer.json()["type"].as_str()), (503, Some("/problems/no-forecast")));
    let reason = answer.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("2024-03-01T00:00:00Z"), "{reason}");
    // The next close of a day.
    assert_eq!(answer.headers["retry-after"], "86399");
    let row = app.json("/api/market/summary").await["assets"][0].clone();
    assert_eq!((&row["forecast_direction"], &row["predicted_price"]), (&Value::Null, &Value::Null));
    assert!(row["reason"].as_str().unwrap().contains(&reason), "{row}");
    assert_eq!(app.json("/api/assets/BTC").await["forecasts"][2]["id"], Value::Null);
    assert_eq!(app.json("/api/asset/BTC/trends").await["prediction_confidence"], Value::Null);
    // What was current then can still be asked for.
    assert_eq!(app.json("/api/asset/BTC/forecast?as_of=2024-03-02").await["as_of"], "2024-03-01T00:00:00Z");
}

#[tokio::test]
async fn a_batch_keeps_what_has_no_forecast() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/forecasts?symbols=BTC,AAPL,CPI&timeframes=1D,1M").await;
    let rows: Vec<(String, String, bool)> = body["forecasts"].as_array().unwrap().iter().map(row).collect();
    let expected = [
        ("BTC", "1D", true),
        ("BTC", "1M", true),
        ("AAPL", "1D", false),
        ("AAPL", "1M", false),
        ("CPI", "1D", false),
        ("CPI", "1M", true),
    ];
    assert_eq!(rows, expected.map(|(symbol, timeframe, there)| (symbol.to_owned(), timeframe.to_owned(), there)));
    let whole = app.json("/api/forecasts").await;
    assert_eq!(whole["forecasts"].as_array().unwrap().len(), 25);
    assert_eq!(app.json("/api/forecasts?symbols=&timeframes=").await, whole);
}

fn row(value: &Value) -> (String, String, bool) {
    let there = value["predicted_price"].is_number();
    assert!(there || value["reason"].is_string(), "{value}");
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    (text("symbol"), text("timeframe"), there)
}

#[tokio::test]
async fn no_cache_recomputes_where_it_is_allowed_and_answers_the_same() {
    let settings = api::ApiSettings { recompute: true, ..api::ApiSettings::default() };
    let app = TestApp::seeded_with(settings).await;
    let known = app.json("/api/asset/BTC/forecast").await;
    let entries = app.json("/api/ledger?limit=1").await["head"].clone();
    let again = app.get_as("/api/asset/BTC/forecast", &[("cache-control", "no-cache")]).await;
    assert_eq!(again.json(), known);
    assert_eq!(app.json("/api/ledger?limit=1").await["head"], entries);
}
