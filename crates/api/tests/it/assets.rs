use market::{Action, ActionKind, Remark, RemarkKind, Timeframe};
use reqwest::{Method, header};
use serde_json::{Value, json};
use storage::{Gap, Store as _};

use crate::app::{TestApp, at, key, keys, symbol};

#[tokio::test]
async fn the_universe_is_listed() {
    let app = TestApp::empty().await;
    let body = app.json("/api/assets").await;
    assert_eq!(body["assets"].as_array().unwrap().len(), 25);
    let expected = json!({
        "symbol": "BTC", "name": "Bitcoin", "class": "crypto", "kind": "coin", "source_symbol": "BTCUSDT", "quote": "USDT",
        "timeframes": ["1h", "4h", "1D", "1W", "1M"], "default_timeframe": "1D",
    });
    assert_eq!(body["assets"][0], expected);
    let stocks = app.json("/api/assets?class=stocks").await;
    assert!(stocks["assets"].as_array().unwrap().iter().all(|asset| asset["class"] == "stocks"));
}

#[tokio::test]
async fn an_asset_tells_its_price_and_which_forecasts_there_are() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/assets/btc").await;
    assert_eq!(body["symbol"], "BTC");
    assert!(body["current_price"].is_number());
    let there: Vec<_> = body["forecasts"].as_array().unwrap().iter().map(|f| f["id"].is_string()).collect();
    assert_eq!(there, [false, false, true, true, true]);
    assert!(body["forecasts"][0]["reason"].is_string());
}

#[tokio::test]
async fn bars_are_paged_back_in_time() {
    let app = TestApp::seeded().await;
    let mut path = "/api/assets/BTC/bars?timeframe=1D&limit=150".to_owned();
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = app.json(&path).await;
        let bars = page["bars"].as_array().unwrap();
        sizes.push(bars.len());
        times.splice(0..0, bars.iter().map(|bar| bar["time"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/assets/BTC/bars?timeframe=1D&limit=150&cursor={next}"),
            None => break,
        }
        // A bar that arrives meanwhile does not shift the pages.
        app.next_day().await;
    }
    assert_eq!(sizes, [150, 150, 133]);
    assert_eq!(times.len(), 433);
    assert!(times.is_sorted());
    assert_eq!(times.last().map(String::as_str), Some("2024-02-29T00:00:00Z"));
}

#[tokio::test]
async fn bars_come_in_the_form_that_is_accepted() {
    let app = TestApp::seeded().await;
    let path = "/api/assets/AAPL/bars?from=2024-02-26&to=2024-03-01";
    let page = app.json(path).await;
    assert_eq!(page["bars"].as_array().unwrap().len(), 4);
    assert_eq!(page["bars"][0]["close_time"], "2024-02-26T21:00:00Z");
    assert_eq!(page["adjustment"], "split");
    let csv = app.get_as(path, &[("accept", "text/csv")]).await;
    assert_eq!(csv.text().lines().count(), 5);
    assert!(csv.text().starts_with("time,close_time,open,high,low,close,volume,known_at\n2024-02-26T14:30:00Z,"));
    let parquet = app.get_as(path, &[("accept", "application/vnd.apache.parquet")]).await;
    assert_eq!(&parquet.body[..4], b"PAR1");
    let linked = app.get_as("/api/assets/AAPL/bars?limit=2", &[("accept", "text/csv")]).await;
    assert!(linked.header(header::LINK).starts_with("</api/assets/AAPL/bars?timeframe=1D&limit=2&cursor="));
    assert_eq!(linked.header(header::VARY), "accept");
    assert_eq!(app.get(path).await.header(header::VARY), "accept");
    let values = app.json("/api/assets/CPI/bars?limit=2").await;
    assert_eq!(values["bars"][0]["volume"], Value::Null);
}

#[tokio::test]
async fn a_link_leads_to_older_bars_of_the_same_request() {
    let app = TestApp::seeded().await;
    let csv = [("accept", "text/csv")];
    let asked = "timeframe=1W&from=2023-12-01T01:00:00%2B01:00&adjustment=raw";
    let whole = app.get_as(&format!("/api/assets/AAPL/bars?{asked}"), &csv).await;
    let mut path = format!("/api/assets/AAPL/bars?{asked}&limit=4");
    let mut lines: Vec<String> = Vec::new();
    loop {
        let page = app.get_as(&path, &csv).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert!(page.text().lines().count() <= 5, "{path}");
        lines.splice(0..0, page.text().lines().skip(1).map(str::to_owned));
        let link = page.header(header::LINK);
        let Some(next) = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")) else { break };
        path = next.to_owned();
    }
    assert_eq!(lines, whole.text().lines().skip(1).collect::<Vec<_>>());
}

#[tokio::test]
async fn quality_tells_what_is_stored_and_what_is_missing() {
    let app = TestApp::seeded().await;
    let stock = symbol("AAPL");
    let key = key("AAPL", Timeframe::D1);
    let gap = Gap {
        from: at("2024-02-20T14:30:00Z"),
        to: at("2024-02-21T21:00:00Z"),
        n_bars: 2,
        detected_at: at("2024-02-28T00:00:00Z"),
        filled_at: None,
    };
    app.store.put_gaps(&key, gap.from, gap.to, std::slice::from_ref(&gap), gap.detected_at).await.unwrap();
    let split = ActionKind::Split { numerator: 4.0, denominator: 1.0 };
    let known_at = at("2024-02-26T14:30:00Z");
    let split = Action { ex_date: "2024-02-26".parse().unwrap(), kind: split, known_at };
    app.store.put_actions(&stock, &[split]).await.unwrap();
    let repaired = Remark {
        kind: RemarkKind::Repaired,
        symbol: Some(stock),
        timeframe: Some(Timeframe::D1),
        from: Some(at("2024-02-22T14:30:00Z")),
        to: None,
        text: "a hundred times its neighbours: divided".to_owned(),
    };
    app.store.put_remarks("test", std::slice::from_ref(&repaired), at("2024-02-23T00:00:00Z")).await.unwrap();
    app.store.put_remarks("test", &[repaired], at("2024-02-24T00:00:00Z")).await.unwrap();
    let body = app.json("/api/assets/aapl/quality").await;
    let expected = json!({
        "symbol": "AAPL", "origin": "simulated",
        "series": [{
            "timeframe": "1D", "adjustment": "raw", "data_source": "test", "in_use": true, "n_bars": 300,
            "from": "2022-12-19T14:30:00Z", "through": "2024-02-29T14:30:00Z", "n_missing": 2,
            "gaps": [{
                "from": "2024-02-20T14:30:00Z", "to": "2024-02-21T21:00:00Z", "n_bars": 2,
                "detected_at": "2024-02-28T00:00:00Z", "filled_at": null,
            }],
        }],
        "actions": [{
            "kind": "split", "ex_date": "2024-02-26", "known_at": "2024-02-26T14:30:00Z", "ratio": [4.0, 1.0],
        }],
        "journal": [{
            "kind": "repaired", "data_source": "test", "timeframe": "1D", "from": "2024-02-22T14:30:00Z", "to": null,
            "text": "a hundred times its neighbours: divided", "first_at": "2024-02-23T00:00:00Z",
            "last_at": "2024-02-24T00:00:00Z", "n_times": 2,
        }],
    });
    assert_eq!(body, expected);
    let none = app.json("/api/assets/ETH/quality").await;
    assert_eq!((&none["series"], none["reason"].is_string()), (&json!([]), true));
    assert_eq!(app.get("/api/assets/NOPE/quality").await.status, 404);
}

#[tokio::test]
async fn favorites_are_added_and_removed() {
    let app = TestApp::empty().await;
    assert_eq!(app.json("/api/favorites").await, json!({ "favorites": [] }));
    for (method, symbol, list) in [
        (Method::POST, "BTC", &["BTC"][..]),
        (Method::POST, "aapl", &["BTC", "AAPL"]),
        (Method::POST, "BTC", &["BTC", "AAPL"]),
        (Method::DELETE, "BTC", &["AAPL"]),
        (Method::DELETE, "BTC", &["AAPL"]),
    ] {
        let answer = app.request(method, &format!("/api/favorites/{symbol}"), &[]).await;
        assert_eq!(answer.json(), json!({ "success": true, "symbol": symbol.to_uppercase() }));
        assert_eq!(app.json("/api/favorites").await, json!({ "favorites": list }));
    }
}

#[tokio::test]
async fn models_say_what_is_served() {
    let app = TestApp::seeded().await;
    let body = app.json("/api/models").await;
    assert_eq!(keys(&body), ["models", "served"]);
    for served in body["served"].as_array().unwrap() {
        assert_eq!((&served["kind"], &served["model_id"]), (&json!("baseline"), &Value::Null));
        assert!(served["reason"].is_string());
    }
    assert_eq!(app.get("/api/models/0123456789abcdef").await.status, 404);
}

#[tokio::test]
async fn promise_2_the_past_is_shown_as_it_was_known() {
    let app = TestApp::seeded().await;
    let path = "/api/assets/BTC/bars?as_of=2024-02-10T12:00:00Z&limit=3";
    let then = app.json(path).await;
    assert_eq!(then["bars"][2]["close_time"], "2024-02-10T00:00:00Z");
    assert!(then["bars"].as_array().unwrap().iter().all(|bar| bar["known_at"].as_str() <= then["as_of"].as_str()));
    app.next_day().await;
    assert_eq!(app.json(path).await, then);
    // What is not yet known cannot be asked for.
    let ahead = app.json("/api/assets/BTC/bars?as_of=2030-01-01&limit=1").await;
    assert_eq!(ahead["as_of"], "2024-03-02T00:00:00Z");
}
