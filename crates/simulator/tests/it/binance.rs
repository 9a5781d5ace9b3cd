//! The exchange's REST paths, asked by a client.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use market::{Clock, ManualClock, Timeframe};
use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::server::{Exchange, FaultPlan, Faults, Running, start};
use simulator::{Market, Setup, Tape};

use super::{at, days, setup};

/// A quarter past the hour, in the middle of a minute.
pub(super) const NOON: &str = "2024-06-03T12:15:30.500Z";

/// Two weeks of hours before the live start at noon.
pub(super) fn tape() -> Tape {
    let full = setup(11);
    let (daily_from, hourly_from) = (full.live_start - days(21), full.live_start - days(14));
    let market =
        Market::new(Setup { daily_from, hourly_from, macro_from: full.live_start - days(800), ..full }).unwrap();
    Tape::generated(&market)
}

pub(super) fn exchange(clock: Arc<dyn Clock>, speed: f64, plan: &str) -> Exchange {
    let faults = Faults::new(FaultPlan::parse(plan).unwrap(), clock.now());
    Exchange { tape: tape(), clock, speed, run: "test".to_owned(), faults, ticks_a_second: 10.0 }
}

/// An exchange whose clock is moved by hand.
pub(super) async fn standing(plan: &str) -> (Running, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(NOON)));
    let running = start(exchange(Arc::clone(&clock) as Arc<dyn Clock>, 1.0, plan)).await.unwrap();
    (running, clock)
}

/// A client that asks loopback alone.
pub(super) fn client() -> reqwest::Client {
    // Fails where another test has done it, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(super) async fn get(running: &Running, path: &str) -> reqwest::Response {
    client().get(running.http() + path).send().await.unwrap()
}

pub(super) async fn json(running: &Running, path: &str) -> Value {
    let response = get(running, path).await;
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn open_times(rows: &Value) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row[0].as_i64().unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    let text = value.as_str().unwrap();
    assert_eq!(text.split_once('.').unwrap().1.len(), 8, "{text}");
    text.parse().unwrap()
}

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn ping_and_time_answer_in_either_unit() {
    let (running, _) = standing("").await;
    let response = get(&running, "/api/v3/ping").await;
    let label = response.headers()["x-auspex-simulated"].to_str().unwrap().to_owned();
    assert_eq!(label, format!("test;{};1", at(NOON).as_microsecond()));
    assert_eq!(response.headers()["content-type"], "application/json;charset=UTF-8");
    assert_eq!(response.headers()["x-mbx-used-weight-1m"], "1");
    assert_eq!(response.text().await.unwrap(), "{}");
    assert_eq!(json(&running, "/api/v3/time").await, json!({ "serverTime": at(NOON).as_millisecond() }));
    let micros = client().get(running.http() + "/api/v3/time").header("X-MBX-TIME-UNIT", "microsecond").send();
    let micros: Value = serde_json::from_str(&micros.await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(micros, json!({ "serverTime": at(NOON).as_microsecond() }));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn klines_follow_every_rule_of_the_window() {
    let (running, _) = standing("").await;
    let now = at(NOON).as_millisecond();
    let minute = now / MINUTE * MINUTE;
    let klines =
        async |query: &str| open_times(&json(&running, &format!("/api/v3/klines?symbol=BTCUSDT&{query}")).await);

    // Nothing said: the newest 500, the running bar last.
    let all = klines("interval=1m").await;
    assert_eq!((all.len(), all[499]), (500, minute));
    assert!(all.windows(2).all(|pair| pair[1] - pair[0] == MINUTE));
    assert_eq!(klines("interval=1m&limit=5000").await.len(), 1000);
    assert_eq!(klines("interval=1m&limit=1").await, [minute]);
    // Both ends are inclusive; the start decides which rows are kept.
    let (from, to) = (minute - 10 * MINUTE, minute - 5 * MINUTE);
    let expected: Vec<i64> = (0..6).map(|n| from + n * MINUTE).collect();
    assert_eq!(klines(&format!("interval=1m&startTime={from}&endTime={to}")).await, expected);
    assert_eq!(klines(&format!("interval=1m&startTime={from}&endTime={to}&limit=2")).await, expected[..2]);
    assert_eq!(klines(&format!("interval=1m&startTime={from}000&endTime={to}000")).await, expected, "microseconds");
    assert_eq!(klines(&format!("interval=1m&endTime={to}&limit=3")).await, expected[3..]);
    assert_eq!(klines(&format!("interval=1m&startTime={from}&endTime={from}")).await, [from]);
    assert_eq!(klines(&format!("interval=1m&startTime={}", minute - MINUTE)).await, [minute - MINUTE, minute]);
    assert_eq!(klines(&format!("interval=1m&startTime={}", minute + 1)).await, [0_i64; 0]);
    assert_eq!(klines("interval=1h&endTime=1500000000000").await, [0_i64; 0], "before the listing");
    // The first bar there is.
    let first = at("2024-05-20T12:00:00Z").as_millisecond();
    assert_eq!(klines("interval=1h&startTime=0&limit=1").await, [first]);
    // Every interval lies on its grid.
    for (interval, length) in
        [("1s", 1), ("3m", 180), ("2h", 7200), ("6h", 21600), ("8h", 28800), ("12h", 43200), ("3d", 259_200)]
    {
        let rows = klines(&format!("interval={interval}&limit=4")).await;
        assert!(rows.iter().all(|row| row % (length * 1000) == 0), "{interval}: {rows:?}");
        assert!(rows[rows.len() - 1] <= now && now < rows[rows.len() - 1] + length * 1000, "{interval}");
    }
    let monday = at("2024-06-03T00:00:00Z").as_millisecond();
    assert_eq!(klines("interval=1w&limit=1").await, [monday]);
    assert_eq!(klines("interval=1M&limit=1").await, [at("2024-06-01T00:00:00Z").as_millisecond()]);
    // A day of another zone.
    assert_eq!(klines("interval=1d&limit=1&timeZone=8").await, [at("2024-06-02T16:00:00Z").as_millisecond()]);
    assert_eq!(klines("interval=1d&limit=1&timeZone=-1:00").await, [at("2024-06-03T01:00:00Z").as_millisecond()]);
    assert_eq!(klines("interval=1h&limit=1&timeZone=05:45").await, [at("2024-06-03T12:15:00Z").as_millisecond()]);
    let ui = json(&running, "/api/v3/uiKlines?symbol=BTCUSDT&interval=1m&limit=7").await;
    assert_eq!(ui, json(&running, "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=7").await);
}

#[tokio::test]
async fn a_row_has_twelve_elements_and_tells_what_the_tape_tells() {
    let (running, _) = standing("").await;
    let tape = &running.exchange.tape;
    let rows = json(&running, "/api/v3/klines?symbol=ETHUSDT&interval=1h&limit=3").await;
    let closed = tape.newest(1, Timeframe::H1, 2, at(NOON));
    let running_bar = tape.running(1, Timeframe::H1, at(NOON)).unwrap();
    for (row, bar) in rows.as_array().unwrap().iter().zip(closed.iter().chain([&running_bar])) {
        assert_eq!(row.as_array().unwrap().len(), 12);
        assert_eq!(row[0], bar.open_time.as_millisecond());
        assert_eq!(row[6], bar.close_time.as_millisecond() - 1);
        let prices = [1, 2, 3, 4, 5].map(|index| number(&row[index]));
        assert_eq!(prices, [bar.open, bar.high, bar.low, bar.close, bar.volume]);
        let (quote, taker, taker_quote) = (number(&row[7]), number(&row[9]), number(&row[10]));
        assert!(bar.low * bar.volume <= quote && quote <= bar.high * bar.volume);
        assert!(taker < bar.volume && taker_quote < quote && row[8].as_i64().unwrap() > 0);
        assert_eq!(row[11], "0");
    }
    let path = running.http() + "/api/v3/klines?symbol=ETHUSDT&interval=1h&limit=1";
    let text = client().get(path).header("x-mbx-time-unit", "MICROSECOND").send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with("[[1717416000000000,\"") && text.contains(",1717419599999999,\""), "{text}");
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_code() {
    let (running, _) = standing("").await;
    let klines = "/api/v3/klines?symbol=BTCUSDT&interval=1m";
    for (path, code, words) in [
        ("/api/v3/klines?symbol=NONEUSDT&interval=1m", -1121, "Invalid symbol."),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1D", -1120, "Invalid interval."),
        (
            "/api/v3/klines?symbol=btcusdt&interval=1m",
            -1100,
            "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
        ),
        (
            "/api/v3/klines?interval=1m",
            -1102,
            "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
        ),
        (
            "/api/v3/klines?symbol=BTCUSDT",
            -1102,
            "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.",
        ),
        (&format!("{klines}&limit="), -1105, "Parameter 'limit' was empty."),
        (&format!("{klines}&limit=0"), -1130, "Data sent for parameter 'limit' is not valid."),
        (&format!("{klines}&startTime=-1"), -1130, "Data sent for parameter 'startTime' is not valid."),
        (&format!("{klines}&timeZone=15"), -1130, "Data sent for parameter 'timeZone' is not valid."),
        (
            &format!("{klines}&limit=ten"),
            -1100,
            "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            &format!("{klines}&colour=red"),
            -1104,
            "Not all sent parameters were read; read '2' parameter(s) but was sent '3'.",
        ),
        (&format!("{klines}&interval=1h"), -1101, "Too many parameters; expected '2' and received '3'."),
        ("/api/v3/ping?x=1", -1101, "Too many parameters; expected '0' and received '1'."),
        (
            "/api/v3/ticker/price?symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        ("/api/v3/ticker/24hr?symbol=BTCUSDT&type=HUGE", -1139, "Invalid ticker type."),
        (
            "/api/v3/ticker/24hr?symbol=BTCUSDT&symbolStatus=BREAK",
            -1220,
            "The symbol's status does not match the requested symbolStatus.",
        ),
        (
            "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D",
            -1151,
            "Symbol is present multiple times in the list.",
        ),
        ("/api/v3/exchangeInfo?symbol=NONE", -1121, "Invalid symbol."),
    ] {
        let response = get(&running, path).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(response.headers()["content-type"], "application/json;charset=UTF-8");
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(body, json!({ "code": code, "msg": words }), "{path}");
    }
}

#[tokio::test]
async fn what_is_listed_has_the_filters_that_precision_comes_from() {
    let (running, _) = standing("").await;
    let whole = json(&running, "/api/v3/exchangeInfo").await;
    let names = |info: &Value| -> Vec<String> {
        info["symbols"].as_array().unwrap().iter().map(|s| s["symbol"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&whole).len(), 9, "ten coins, one of which is in another vendor's spelling");
    assert_eq!(whole["serverTime"], at(NOON).as_millisecond());
    assert_eq!(names(&json(&running, "/api/v3/exchangeInfo?symbol=SOLUSDT").await), ["SOLUSDT"]);
    let two = "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22DOGEUSDT%22%5D";
    assert_eq!(names(&json(&running, two).await), ["BTCUSDT", "DOGEUSDT"]);
    assert_eq!(names(&json(&running, "/api/v3/exchangeInfo?symbolStatus=BREAK").await), [""; 0]);
    let text = get(&running, "/api/v3/exchangeInfo?symbol=BTCUSDT").await.text().await.unwrap();
    let fields = [
        "timezone",
        "serverTime",
        "rateLimits",
        "exchangeFilters",
        "symbols",
        "\"symbol\"",
        "status",
        "baseAsset",
        "baseAssetPrecision",
        "quoteAsset",
        "quotePrecision",
        "quoteAssetPrecision",
        "baseCommissionPrecision",
        "quoteCommissionPrecision",
        "orderTypes",
        "icebergAllowed",
        "ocoAllowed",
        "otoAllowed",
        "opoAllowed",
        "quoteOrderQtyMarketAllowed",
        "allowTrailingStop",
        "cancelReplaceAllowed",
        "amendAllowed",
        "pegInstructionsAllowed",
        "isSpotTradingAllowed",
        "isMarginTradingAllowed",
        "filters",
        "permissions",
        "permissionSets",
        "defaultSelfTradePreventionMode",
        "allowedSelfTradePreventionModes",
    ];
    let places: Vec<usize> = fields.iter().map(|field| text.find(field).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let filters = &json(&running, "/api/v3/exchangeInfo?symbol=BTCUSDT").await["symbols"][0]["filters"];
    let of_type = |kind: &str| filters.as_array().unwrap().iter().find(|f| f["filterType"] == kind).unwrap().clone();
    assert_eq!(of_type("PRICE_FILTER")["tickSize"], "0.10000000");
    assert_eq!(of_type("LOT_SIZE")["stepSize"], "0.00100000");
    assert_eq!(of_type("NOTIONAL")["minNotional"], "5.00000000");
}

#[tokio::test]
async fn tickers_tell_the_last_24_hours() {
    let (running, _) = standing("").await;
    let text = get(&running, "/api/v3/ticker/24hr?symbol=BTCUSDT").await.text().await.unwrap();
    let fields = [
        "symbol",
        "priceChange\"",
        "priceChangePercent",
        "weightedAvgPrice",
        "prevClosePrice",
        "lastPrice",
        "lastQty",
        "bidPrice",
        "bidQty",
        "askPrice",
        "askQty",
        "openPrice",
        "highPrice",
        "lowPrice",
        "\"volume",
        "quoteVolume",
        "openTime",
        "closeTime",
        "firstId",
        "lastId",
        "count",
    ];
    let places: Vec<usize> = fields.iter().map(|field| text.find(field).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let full: Value = serde_json::from_str(&text).unwrap();
    let of = |name: &str| number(&full[name]);
    assert_eq!(of("lastPrice"), running.exchange.tape.price_at(0, at(NOON)).unwrap().price);
    assert!(of("lowPrice") <= of("openPrice") && of("openPrice") <= of("highPrice"));
    assert!(of("lowPrice") <= of("weightedAvgPrice") && of("weightedAvgPrice") <= of("highPrice"));
    assert!((of("lastPrice") - of("openPrice") - of("priceChange")).abs() < 1e-6);
    assert!(of("bidPrice") < of("askPrice") && of("lastQty") > 0.0);
    assert_eq!(full["closeTime"].as_i64().unwrap() - full["openTime"].as_i64().unwrap(), 86_400_000);
    assert_eq!(
        full["lastId"].as_i64().unwrap() - full["firstId"].as_i64().unwrap() + 1,
        full["count"].as_i64().unwrap()
    );
    let day = running.exchange.tape.bars(0, Timeframe::M1, at(NOON) - days(1), at(NOON), at(NOON));
    let high = day.iter().map(|bar| bar.high).fold(of("openPrice"), f64::max);
    assert!(of("highPrice") >= high && of("volume") >= day.iter().map(|bar| bar.volume).sum::<f64>());

    let mini = json(&running, "/api/v3/ticker/24hr?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D&type=MINI").await;
    assert_eq!((mini.as_array().unwrap().len(), mini[0].as_object().unwrap().len()), (2, 12));
    assert_eq!(mini[0]["lastPrice"], full["lastPrice"]);
    assert_eq!(json(&running, "/api/v3/ticker/24hr").await.as_array().unwrap().len(), 9);
    let price = json(&running, "/api/v3/ticker/price?symbol=BTCUSDT").await;
    assert_eq!(price, json!({ "symbol": "BTCUSDT", "price": full["lastPrice"] }));
    assert_eq!(json(&running, "/api/v3/ticker/price").await.as_array().unwrap().len(), 9);
    let book = json(&running, "/api/v3/ticker/bookTicker?symbol=BTCUSDT").await;
    assert_eq!(book["bidPrice"], full["bidPrice"]);
    let average = json(&running, "/api/v3/avgPrice?symbol=BTCUSDT").await;
    assert_eq!(average["mins"], 5);
    assert!((number(&average["price"]) / of("lastPrice") - 1.0).abs() < 0.01);
}

#[tokio::test]
async fn trades_have_ids_that_stay() {
    let (running, clock) = standing("").await;
    let newest = json(&running, "/api/v3/aggTrades?symbol=BTCUSDT&limit=1000").await;
    let rows = newest.as_array().unwrap();
    assert_eq!(rows.len(), 1000);
    assert!(rows.windows(2).all(|pair| pair[0]["a"].as_i64() < pair[1]["a"].as_i64()));
    assert!(rows.iter().all(|row| row["T"].as_i64().unwrap() <= at(NOON).as_millisecond() && number(&row["q"]) > 0.0));
    clock.set(at(NOON) + SignedDuration::from_mins(3));
    let from = rows[100]["a"].as_i64().unwrap();
    let again = json(&running, &format!("/api/v3/aggTrades?symbol=BTCUSDT&fromId={from}&limit=900")).await;
    assert_eq!(again.as_array().unwrap()[..], rows[100..]);
    let (start, end) = (&rows[500]["T"], &rows[509]["T"]);
    let window = json(&running, &format!("/api/v3/aggTrades?symbol=BTCUSDT&startTime={start}&endTime={end}")).await;
    assert_eq!(window.as_array().unwrap()[..], rows[500..510]);
    // The trades of a minute are its kline.
    let open = at("2024-06-03T12:14:00Z").as_millisecond();
    let path = format!("/api/v3/aggTrades?symbol=BTCUSDT&startTime={open}&endTime={}&limit=1000", open + MINUTE - 1);
    let trades = json(&running, &path).await;
    let kline = json(&running, &format!("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={open}&limit=1")).await;
    let sum: f64 = trades.as_array().unwrap().iter().map(|row| number(&row["q"])).sum();
    assert!((sum - number(&kline[0][5])).abs() < 0.002, "{sum} of {}", kline[0][5]);
}

#[tokio::test]
async fn too_much_weight_is_refused_then_banned() {
    let (running, clock) = standing("").await;
    let mut statuses = Vec::new();
    for _ in 0..75 {
        assert_eq!(get(&running, "/api/v3/ticker/24hr").await.status(), StatusCode::OK);
    }
    for _ in 0..11 {
        let response = get(&running, "/api/v3/ping").await;
        let wait: i64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        statuses.push((response.status().as_u16(), wait));
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(body["code"], -1003);
    }
    assert_eq!(statuses[..10], [(429, 30); 10]);
    assert_eq!(statuses[10].0, 418);
    clock.set(at(NOON) + SignedDuration::from_secs(statuses[10].1));
    assert_eq!(get(&running, "/api/v3/ping").await.headers()["x-mbx-used-weight"], "1");
}

#[tokio::test]
async fn the_second_exchange_agrees_within_a_few_hundredths_of_a_percent() {
    let (running, _) = standing("").await;
    let path = "/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=100";
    let (first, second) = (json(&running, path).await, json(&running, &format!("/binanceus{path}")).await);
    assert_eq!(open_times(&first), open_times(&second));
    let pairs = first.as_array().unwrap().iter().zip(second.as_array().unwrap());
    for (first, second) in pairs {
        let [open, high, low, close] = [1, 2, 3, 4].map(|index| number(&second[index]));
        assert!(low <= open.min(close) && open.max(close) <= high && low > 0.0);
        let apart = (close / number(&first[4]) - 1.0).abs();
        assert!(apart > 0.000_05 && apart < 0.000_6, "{apart}");
        assert!(number(&second[5]) < 0.1 * number(&first[5]));
    }
    assert_eq!(json(&running, "/binanceus/api/v3/ticker/price?symbol=USDTUSD").await["symbol"], "USDTUSD");
    assert_eq!(get(&running, "/api/v3/ticker/price?symbol=USDTUSD").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_client_that_pages_from_the_beginning_meets_every_bar() {
    let (running, _) = standing("").await;
    let mut from = 0;
    let mut rows = Vec::new();
    loop {
        let path = format!("/api/v3/klines?symbol=SOLUSDT&interval=5m&startTime={from}&limit=1000");
        let page = open_times(&json(&running, &path).await);
        let Some(last) = page.last() else { break };
        from = last + 1;
        rows.extend(page);
    }
    let length = 5 * MINUTE;
    assert!(rows.windows(2).all(|pair| pair[1] - pair[0] == length));
    assert_eq!(rows[0], at("2024-05-20T12:00:00Z").as_millisecond());
    assert_eq!(rows[rows.len() - 1], Timestamp::as_millisecond(at(NOON)) / length * length);
}
