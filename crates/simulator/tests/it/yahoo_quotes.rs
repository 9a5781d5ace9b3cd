//! What is served as Yahoo besides charts: cookies and crumbs, quotes, search.

use jiff::civil::date;
use serde_json::json;

use super::at;
use super::yahoo_server::{Served, in_session, level, small_at};

/// The value of the cookie a client behind a loopback address keeps.
async fn cookie(served: &Served) -> String {
    let got = served.get("/").await;
    assert_eq!(got.status, 404);
    let cookies: Vec<&str> = got.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    assert!(cookies.iter().all(|line| line.starts_with("A3=d=") && line.contains("; Expires=")), "{cookies:?}");
    assert!(cookies[0].contains("Domain=.yahoo.com") && !cookies[1].contains("Domain"), "{cookies:?}");
    cookies[1].split_once(';').unwrap().0.to_owned()
}

#[tokio::test]
async fn quotes_want_a_cookie_and_its_crumb() {
    let served = small_at(in_session()).await;
    let cookie = cookie(&served).await;
    let got = served.get_as("/v1/test/getcrumb", &cookie).await;
    let crumb = got.text.clone();
    assert_eq!((got.status, crumb.len()), (200, 11));
    assert!(got.content_type().starts_with("text/plain"));
    assert_eq!(served.get_as("/v1/test/getcrumb", &cookie).await.text, crumb, "a crumb lasts");
    let again = served.get_as("/", &cookie).await;
    assert!(again.headers["set-cookie"].to_str().unwrap().starts_with(&cookie), "a shown cookie is kept");

    let refused =
        json!({"finance": {"result": null, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}});
    let strange = served.get("/v1/test/getcrumb").await;
    assert_eq!((strange.status, strange.text.len()), (200, 11));
    for (cookie, crumb) in
        [("", crumb.as_str()), (&cookie, "wrong"), ("A3=d=a&S=b", &strange.text), ("", &strange.text)]
    {
        for path in ["/v7/finance/quote?symbols=ACME", "/v10/finance/quoteSummary/ACME?modules=price"] {
            let got = served.get_as(&format!("{path}&crumb={crumb}"), cookie).await;
            assert_eq!((got.status, got.json()), (401, refused.clone()), "{path} {cookie} {crumb}");
        }
    }
    let quote = async |query: &str| served.get_as(&format!("/v7/finance/quote?{query}&crumb={crumb}"), &cookie).await;
    let got = quote("symbols=COIN-USD,NOPE,ACME").await;
    let quotes = &got.json()["quoteResponse"]["result"];
    assert_eq!((&quotes[0]["symbol"], &quotes[1]["symbol"], quotes.get(2)), (&json!("COIN-USD"), &json!("ACME"), None));
    assert_eq!((&quotes[1]["marketState"], &quotes[1]["exchange"]), (&json!("REGULAR"), &json!("NMS")));
    let previous = level(date(2026, 3, 17)) as f32;
    assert_eq!(quotes[1]["regularMarketPreviousClose"].as_f64().unwrap() as f32, previous);
    assert_eq!(quotes[1]["regularMarketTime"], in_session().as_second());
    assert_eq!(quote("symbols=NOPE").await.text, r#"{"quoteResponse":{"result":[],"error":null}}"#);
    let got = quote("symbols=ACME&fields=regularMarketPrice").await;
    let quote = &got.json()["quoteResponse"]["result"][0];
    assert!(quote["regularMarketPrice"].is_f64() && quote["symbol"] == "ACME");
    assert!(quote.get("regularMarketOpen").is_none());

    let summary = async |symbol: &str| {
        served.get_as(&format!("/v10/finance/quoteSummary/{symbol}?modules=price,nothing&crumb={crumb}"), &cookie).await
    };
    let got = summary("ACME").await.json();
    assert_eq!(got["quoteSummary"]["result"][0]["price"]["symbol"], "ACME");
    assert!(got["quoteSummary"]["result"][0].get("quoteType").is_none());
    let got = summary("NOPE").await;
    assert_eq!((got.status, &got.json()["quoteSummary"]["error"]["code"]), (404, &json!("Not Found")));
}

#[tokio::test]
async fn the_state_of_the_market_follows_the_day() {
    let served = small_at(at("2026-03-18T00:30:00Z")).await;
    let cookie = cookie(&served).await;
    let crumb = served.get_as("/v1/test/getcrumb", &cookie).await.text;
    let moments = [
        ("2026-03-18T07:59:59Z", "PREPRE"),
        ("2026-03-18T08:00:00Z", "PRE"),
        ("2026-03-18T13:30:00Z", "REGULAR"),
        ("2026-03-18T20:00:00Z", "POST"),
        ("2026-03-19T00:00:00Z", "POSTPOST"),
        ("2026-03-21T12:00:00Z", "CLOSED"),
    ];
    for (moment, state) in moments {
        served.clock.set(at(moment));
        let got = served.get_as(&format!("/v7/finance/quote?symbols=ACME&crumb={crumb}"), &cookie).await;
        assert_eq!(got.json()["quoteResponse"]["result"][0]["marketState"], state, "{moment}");
    }
}

#[tokio::test]
async fn search_finds_by_symbol_and_name() {
    let served = small_at(in_session()).await;
    let check = async |query: &str, symbols: &[&str]| {
        let got = served.get(&format!("/v1/finance/search?{query}")).await;
        assert_eq!(got.status, 200);
        let body = got.json();
        let found: Vec<&str> = body["quotes"].as_array().unwrap().iter().filter_map(|q| q["symbol"].as_str()).collect();
        assert_eq!((found.as_slice(), body["count"].as_u64()), (symbols, Some(symbols.len() as u64)), "{query}");
    };
    check("q=acme", &["ACME"]).await;
    check("q=BRK", &["BRK-B"]).await;
    check("q=coin%20of", &["COIN-USD"]).await;
    check("q=zzz", &[]).await;
    check("q=", &[]).await;
}
