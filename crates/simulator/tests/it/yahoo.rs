//! What is served as Yahoo: the rules of the chart.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use market::{ActionKind, Calendar, Timeframe};
use serde_json::{Value, json};
use simulator::Tape;

use super::at;
use super::yahoo_server::{DIVIDENDS, SPLIT, Served, in_session, level, small, small_at};

const DAY: i64 = 86_400;

fn result(body: &Value) -> &Value {
    &body["chart"]["result"][0]
}

fn stamps(body: &Value) -> Vec<i64> {
    result(body)["timestamp"]
        .as_array()
        .map_or_else(Vec::new, |stamps| stamps.iter().map(|stamp| stamp.as_i64().unwrap()).collect())
}

fn column(body: &Value, name: &str) -> Vec<f64> {
    let indicators = &result(body)["indicators"];
    let column = if name == "adjclose" { &indicators["adjclose"][0][name] } else { &indicators["quote"][0][name] };
    column.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

async fn chart(served: &Served, query: &str) -> Value {
    let got = served.get(&format!("/v8/finance/chart/{query}")).await;
    assert_eq!(got.status, 200, "{query}: {}", got.text);
    assert_eq!(got.content_type(), "application/json;charset=utf-8");
    assert!(!got.text.contains('\n'), "one line");
    got.json()
}

fn second(text: &str) -> i64 {
    at(text).as_second()
}

fn open_of(day: Date) -> i64 {
    Calendar::Nyse.day(day).unwrap().open_time.as_second()
}

#[tokio::test]
async fn windows_that_cannot_be_are_refused_in_the_vendors_words() {
    let served = small_at(in_session()).await;
    let now = in_session().as_second();
    let days_back = |days: i64| now - days * DAY;
    let check = async |symbol: &str, query: String, status: u16, code: &str, text: &str| {
        let got = served.get(&format!("/v8/finance/chart/{symbol}?{query}")).await;
        assert_eq!(got.status, status, "{query}: {}", got.text);
        if status != 200 {
            let expected = json!({"chart": {"result": null, "error": {"code": code, "description": text}}});
            assert_eq!(got.json(), expected, "{query}");
        }
    };
    let ok = async |query: String| check("ACME", query, 200, "", "").await;
    let window = |interval: &str, from: i64, to: i64| format!("interval={interval}&period1={from}&period2={to}");
    let (unprocessable, bad) = ("Unprocessable Entity", "Bad Request");

    check("NOPE", "range=1d".to_owned(), 404, "Not Found", "No data found, symbol may be delisted").await;
    let valid = "1m, 2m, 5m, 15m, 30m, 60m, 90m, 1h, 4h, 1d, 5d, 1wk, 1mo, 3mo";
    let text = format!("Invalid input - interval=7m is not supported. Valid intervals: [{valid}]");
    check("ACME", "interval=7m".to_owned(), 400, bad, &text).await;
    let text =
        format!("Data doesn't exist for startDate = {}, endDate = {}", second("2020-01-01T00:00:00Z"), 1577923200);
    check("ACME", window("1d", 1577836800, 1577923200), 400, bad, &text).await;
    let text = format!("Data doesn't exist for startDate = {}, endDate = {}", now + DAY, now + 2 * DAY);
    check("ACME", window("1d", now + DAY, now + 2 * DAY), 400, bad, &text).await;
    let text = "Invalid input - start date cannot be after end date. startDate = 20, endDate = 10";
    check("ACME", window("1d", 20, 10), 400, bad, text).await;
    for (interval, reach) in [("1m", 30), ("2m", 60), ("5m", 60), ("15m", 60), ("30m", 60), ("90m", 60), ("1h", 730)] {
        let (from, to) = (days_back(reach), days_back(reach) + DAY);
        let text = format!(
            "{interval} data not available for startTime={from} and endTime={to}. The requested range must be within the \
             last {reach} days."
        );
        check("ACME", window(interval, from, to), 422, unprocessable, &text).await;
        if interval != "1h" {
            ok(window(interval, days_back(reach - 1), days_back(reach - 4))).await;
        }
    }
    let (from, to) = (days_back(12), days_back(2));
    let text = format!(
        "1m data not available for startTime={from} and endTime={to}. Only 8 days worth of 1m granularity data are \
         allowed to be fetched per request."
    );
    check("ACME", window("1m", from, to), 422, unprocessable, &text).await;
    ok(window("1m", days_back(10), days_back(2))).await;
    ok("range=60d&interval=5m".to_owned()).await;
    ok("range=8d&interval=1m".to_owned()).await;
    for (range, interval) in [("1mo", "1m"), ("3mo", "5m"), ("max", "15m")] {
        let got = served.get(&format!("/v8/finance/chart/ACME?range={range}&interval={interval}")).await;
        assert_eq!(got.status, 422, "{range} {interval}: {}", got.text);
    }
    let got = served.get("/v8/finance/chart/ACME?range=7x").await;
    assert_eq!((got.status, got.json()["chart"]["error"]["code"].as_str()), (400, Some(bad)));
    let got = served.get("/v8/finance/chart/ACME?period1=soon").await;
    assert_eq!(got.status, 400);
}

#[tokio::test]
async fn an_empty_window_has_no_stamps() {
    let served = small_at(in_session()).await;
    let (saturday, sunday) = (second("2026-03-14T00:00:00Z"), second("2026-03-15T12:00:00Z"));
    let check = async |interval: &str, indicators: Value| {
        let body = chart(&served, &format!("ACME?interval={interval}&period1={saturday}&period2={sunday}")).await;
        assert!(result(&body).get("timestamp").is_none() && result(&body).get("events").is_none());
        assert_eq!(result(&body)["indicators"], indicators);
    };
    check("1d", json!({"quote": [{}], "adjclose": [{}]})).await;
    check("1h", json!({"quote": [{}]})).await;
}

#[tokio::test]
async fn rows_are_stamped_as_their_length_wants_it() {
    let served = small_at(at("2026-03-18T22:00:00Z")).await;
    let check = async |query: &str, expected: &[&str]| {
        let body = chart(&served, query).await;
        let expected: Vec<i64> = expected.iter().map(|text| second(text)).collect();
        assert_eq!(stamps(&body), expected, "{query}");
    };
    let window = |symbol: &str, interval: &str, from: &str, to: &str| {
        format!("{symbol}?interval={interval}&period1={}&period2={}", second(from), second(to))
    };
    // Days at the open of the session: an hour earlier in summer.
    let query = window("ACME", "1d", "2026-03-06T05:00:00Z", "2026-03-10T04:00:00Z");
    check(&query, &["2026-03-06T14:30:00Z", "2026-03-09T13:30:00Z"]).await;
    // The end is inclusive; a session that opens on it is the last.
    let query = window("ACME", "1d", "2026-03-09T13:30:00Z", "2026-03-10T13:30:00Z");
    check(&query, &["2026-03-09T13:30:00Z", "2026-03-10T13:30:00Z"]).await;
    let query = window("COIN-USD", "1d", "2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z");
    check(&query, &["2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z"]).await;
    // Weeks and months at local midnight.
    let query = window("ACME", "1wk", "2026-03-01T05:00:00Z", "2026-03-15T00:00:00Z");
    check(&query, &["2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z"]).await;
    let query = window("ACME", "1mo", "2025-10-15T00:00:00Z", "2026-01-15T00:00:00Z");
    check(&query, &["2025-11-01T04:00:00Z", "2025-12-01T05:00:00Z", "2026-01-01T05:00:00Z"]).await;
    let query = window("ACME", "3mo", "2025-06-15T00:00:00Z", "2026-01-15T00:00:00Z");
    check(&query, &["2025-07-01T04:00:00Z", "2025-10-01T04:00:00Z", "2026-01-01T05:00:00Z"]).await;
    let query = window("COIN-USD", "1wk", "2026-03-01T00:00:00Z", "2026-03-10T00:00:00Z");
    check(&query, &["2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"]).await;
    // Hours from the open on, the last one half as long; an early close ends the day.
    let query = window("ACME", "60m", "2025-11-28T05:00:00Z", "2025-11-29T05:00:00Z");
    let hours = ["2025-11-28T14:30:00Z", "2025-11-28T15:30:00Z", "2025-11-28T16:30:00Z", "2025-11-28T17:30:00Z"];
    check(&query, &hours).await;
    let query = window("ACME", "90m", "2026-03-17T04:00:00Z", "2026-03-18T04:00:00Z");
    let parts = [
        "2026-03-17T13:30:00Z",
        "2026-03-17T15:00:00Z",
        "2026-03-17T16:30:00Z",
        "2026-03-17T18:00:00Z",
        "2026-03-17T19:30:00Z",
    ];
    check(&query, &parts).await;
    for (interval, bars) in [("1m", 390), ("2m", 195), ("5m", 78), ("15m", 26), ("30m", 13), ("1h", 7), ("4h", 2)] {
        let body = chart(&served, &window("ACME", interval, "2026-03-17T04:00:00Z", "2026-03-18T04:00:00Z")).await;
        assert_eq!(stamps(&body).len(), bars, "{interval}");
    }
    let body = chart(&served, &window("ACME", "5d", "2026-02-02T05:00:00Z", "2026-02-28T05:00:00Z")).await;
    assert_eq!(stamps(&body).len(), 4, "nineteen sessions by fives");
}

#[tokio::test]
async fn ranges_count_sessions_and_months() {
    let served = small_at(at("2026-03-18T22:00:00Z")).await;
    let check = async |range: &str, first: Date, rows: usize| {
        let body = chart(&served, &format!("ACME?range={range}&interval=1d")).await;
        assert_eq!((stamps(&body)[0], stamps(&body).len()), (open_of(first), rows), "{range}");
        assert_eq!(result(&body)["meta"]["range"], range);
    };
    check("1d", date(2026, 3, 18), 1).await;
    check("5d", date(2026, 3, 12), 5).await;
    check("60d", date(2025, 12, 19), 60).await;
    check("1mo", date(2026, 2, 18), 21).await;
    check("ytd", date(2026, 1, 2), 52).await;
    check("max", date(2025, 1, 2), 302).await;
    let body = chart(&served, "ACME").await;
    assert_eq!(stamps(&body), [open_of(date(2026, 3, 18))], "a day when nothing is said");
    served.clock.set(at("2026-03-21T10:00:00Z"));
    check("1d", date(2026, 3, 20), 1).await;
}

#[tokio::test]
async fn while_a_session_runs_the_last_row_is_unfinished() {
    let served = small_at(in_session()).await;
    let now = in_session().as_second();
    let daily = chart(&served, "ACME?range=5d&interval=1d").await;
    let meta = &result(&daily)["meta"];
    assert_eq!(stamps(&daily).last(), Some(&now));
    assert_eq!(stamps(&daily).len(), 5, "the running day has one row");
    assert_eq!(meta["regularMarketTime"], now);
    let close = *column(&daily, "close").last().unwrap();
    assert_eq!(meta["regularMarketPrice"].as_f64().unwrap() as f32, close as f32);

    let weekly = chart(&served, "ACME?range=1mo&interval=1wk").await;
    let monday = second("2026-03-16T04:00:00Z");
    assert_eq!(stamps(&weekly)[stamps(&weekly).len() - 2..], [monday, now], "the running day stands beside its week");
    assert_eq!(column(&weekly, "close").last(), Some(&close));
    let closed: f64 = column(&weekly, "volume")[stamps(&weekly).len() - 2];
    assert_eq!(closed, 8_000_000.0, "Monday and Tuesday");

    let hourly = chart(&served, "ACME?range=1d&interval=1h").await;
    let expected = ["2026-03-18T13:30:00Z", "2026-03-18T14:30:00Z"].map(second);
    assert_eq!(stamps(&hourly), [&expected[..], &[now]].concat());
    let minutes = chart(&served, "COIN-USD?range=1d&interval=2m").await;
    assert_eq!(stamps(&minutes)[stamps(&minutes).len() - 2..], [second("2026-03-18T15:44:00Z"), now]);

    // A window that ends this morning is sent the unfinished row all the same; one that ended yesterday is not.
    let ends = |text: &str| format!("ACME?interval=1d&period1={}&period2={}", now - 5 * DAY, second(text));
    let body = chart(&served, &ends("2026-03-18T04:00:00Z")).await;
    assert_eq!(stamps(&body).last(), Some(&now));
    let body = chart(&served, &ends("2026-03-18T03:59:59Z")).await;
    assert_eq!(stamps(&body).last(), Some(&open_of(date(2026, 3, 17))));

    // After the close the row is one like all others.
    served.clock.set(at("2026-03-18T20:00:00Z"));
    let body = chart(&served, "ACME?range=5d&interval=1d").await;
    assert_eq!(stamps(&body).last(), Some(&open_of(date(2026, 3, 18))));
    assert_eq!(result(&body)["meta"]["regularMarketTime"], second("2026-03-18T20:00:00Z"));
}

#[tokio::test]
async fn prices_are_32_bit_floats_with_a_decimal_part() {
    let served = small_at(at("2026-03-18T22:00:00Z")).await;
    let got = served.get("/v8/finance/chart/ACME?range=max&interval=1d").await;
    for column in ["open", "high", "low", "close"].map(|name| column(&got.json(), name)) {
        assert!(column.iter().all(|value| f64::from(*value as f32) == *value));
    }
    let arrays = got.text.split_once("\"indicators\"").unwrap().1;
    let close = arrays.split_once("\"close\":[").unwrap().1.split_once(']').unwrap().0;
    assert!(close.split(',').all(|number| number.contains('.')), "{close}");
    let volume = arrays.split_once("\"volume\":[").unwrap().1.split_once(']').unwrap().0;
    assert!(volume.split(',').all(|number| !number.contains('.')), "{volume}");
}

#[tokio::test]
async fn a_split_rewrites_what_was_told_before() {
    let before = at("2025-08-29T13:29:00Z");
    let served = small_at(before).await;
    let last = |body: &Value, name: &str| column(body, name).last().copied().unwrap();
    let yesterday = level(date(2025, 8, 28));
    let body = chart(&served, "ACME?range=5d&events=div,splits").await;
    assert!((last(&body, "close") - 4.0 * yesterday).abs() < 1e-3);
    assert_eq!(last(&body, "volume"), 1_000_000.0);
    assert!(result(&body).get("events").is_none());

    served.clock.set(at("2025-08-29T21:00:00Z"));
    let body = chart(&served, "ACME?range=5d&events=div%7Csplit").await;
    let before_last = stamps(&body).len() - 2;
    assert!((column(&body, "close")[before_last] - yesterday).abs() < 1e-4);
    assert_eq!(column(&body, "volume")[before_last], 4_000_000.0);
    let open = open_of(SPLIT);
    let event = json!({"date": open, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"});
    assert_eq!(result(&body)["events"], json!({"splits": {open.to_string(): event}}));

    let body = chart(&served, "ACME?range=5d&interval=1h").await;
    assert!((column(&body, "close")[27] - yesterday).abs() < 1e-4, "hours are split-adjusted too");
    assert!(result(&body)["indicators"].get("adjclose").is_none());
}

#[tokio::test]
async fn events_stand_under_the_stamps_of_their_rows() {
    let served = small_at(at("2026-03-18T22:00:00Z")).await;
    let [first, second_dividend] = DIVIDENDS.map(|(day, _)| open_of(day));
    let body = chart(&served, "ACME?range=max&interval=1d&events=div,splits,capitalGains").await;
    let events = &result(&body)["events"];
    // Two dollars a share, of which there are four today.
    let expected = json!({
        first.to_string(): {"amount": 0.5, "date": first},
        second_dividend.to_string(): {"amount": 0.5, "date": second_dividend},
    });
    assert_eq!(events["dividends"], expected);
    let body = chart(&served, "ACME?range=max&interval=1mo&events=div").await;
    let expected = json!({
        second("2025-05-01T04:00:00Z").to_string(): {"amount": 0.5, "date": first},
        second("2025-11-01T04:00:00Z").to_string(): {"amount": 0.5, "date": second_dividend},
    });
    assert_eq!(result(&body)["events"], json!({"dividends": expected}));
    let body = chart(&served, "ACME?range=max&interval=1d").await;
    assert!(result(&body).get("events").is_none(), "nobody asked");
}

/// The adjusted close steps at ex-dates by one less the dividend's share of the close before, and nowhere else; split-adjusted
/// closes times the later ratios are what was traded.
async fn check_adjustment(tape_of: impl Fn() -> Tape, now: Timestamp, symbol: &str, place: usize) -> usize {
    let tape = tape_of();
    let raw = tape.bars(place, Timeframe::D1, Timestamp::MIN, now, now);
    let actions = tape.actions(place, now);
    let served = Served::start(tape, now).await;
    let body = chart(&served, &format!("{symbol}?range=max&interval=1d&events=div,splits")).await;
    let (stamps, closes, adjusted) = (stamps(&body), column(&body, "close"), column(&body, "adjclose"));
    assert_eq!(closes[closes.len() - 1], adjusted[adjusted.len() - 1], "the newest close is not adjusted");
    for (row, bar) in raw.iter().enumerate() {
        assert_eq!(stamps[row], bar.open_time.as_second());
        let ratio = actions.iter().filter(|action| action.effective_at() > bar.open_time);
        let ratio: f64 = ratio
            .map(|action| match action.kind {
                ActionKind::Split { numerator, denominator } => numerator / denominator,
                _ => 1.0,
            })
            .product();
        assert!((closes[row] * ratio / bar.close - 1.0).abs() < 1e-6, "{symbol} row {row}");
    }
    let dividends = &result(&body)["events"]["dividends"];
    let mut paid = 0;
    for row in 1..closes.len() {
        let step = (adjusted[row - 1] / closes[row - 1]) / (adjusted[row] / closes[row]);
        let amount = dividends.get(stamps[row].to_string()).map_or(0.0, |event| event["amount"].as_f64().unwrap());
        paid += usize::from(amount > 0.0);
        let expected = 1.0 - amount / closes[row - 1];
        assert!((step / expected - 1.0).abs() < 1e-6, "{symbol} row {row}: {step} for {expected}");
    }
    paid
}

#[tokio::test]
async fn adjusted_closes_are_consistent_with_events() {
    let now = at("2026-03-18T22:00:00Z");
    assert_eq!(check_adjustment(small, now, "ACME", 0).await, 2);
    let (market, _) = super::sample();
    let live = market.live_start() + super::days(20);
    let mut paid = 0;
    for symbol in ["AAPL", "NVDA", "JPM"] {
        let place = super::place(market, symbol);
        paid += check_adjustment(|| Tape::generated(market), live, symbol, place).await;
    }
    assert!(paid > 5);
}

#[tokio::test]
async fn meta_tells_the_session() {
    let served = small_at(in_session()).await;
    let period = |zone: &str, start: &str, end: &str, offset: i32| json!({"timezone": zone, "start": second(start), "end": second(end), "gmtoffset": offset});
    let body = chart(&served, "acme?range=2d&interval=30m&includePrePost=False").await;
    let meta = &result(&body)["meta"];
    assert_eq!(meta["symbol"], "ACME");
    assert_eq!(meta["exchangeTimezoneName"], "America/New_York");
    assert_eq!((meta["gmtoffset"].as_i64(), meta["timezone"].as_str()), (Some(-14_400), Some("EDT")));
    assert_eq!(meta["dataGranularity"], "30m");
    assert_eq!((&meta["instrumentType"], &meta["exchangeName"]), (&json!("EQUITY"), &json!("NMS")));
    assert_eq!(meta["validRanges"], json!(["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "ytd", "max"]));
    let regular = period("EDT", "2026-03-18T13:30:00Z", "2026-03-18T20:00:00Z", -14_400);
    let expected = json!({
        "pre": period("EDT", "2026-03-18T08:00:00Z", "2026-03-18T13:30:00Z", -14_400),
        "regular": regular,
        "post": period("EDT", "2026-03-18T20:00:00Z", "2026-03-19T00:00:00Z", -14_400),
    });
    assert_eq!(meta["currentTradingPeriod"], expected);
    let tuesday = period("EDT", "2026-03-17T13:30:00Z", "2026-03-17T20:00:00Z", -14_400);
    assert_eq!(meta["tradingPeriods"], json!([[tuesday], [regular]]));
    let previous = level(date(2026, 3, 16)) as f32;
    assert_eq!(meta["chartPreviousClose"].as_f64().unwrap() as f32, previous);
    assert_eq!(meta["previousClose"].as_f64().unwrap() as f32, level(date(2026, 3, 17)) as f32);

    let body = chart(&served, "ACME?range=1d&interval=30m&includePrePost=true").await;
    let periods = &result(&body)["meta"]["tradingPeriods"];
    assert_eq!(periods["regular"], json!([[regular]]));
    assert_eq!(periods["pre"], json!([[expected["pre"]]]));

    let body = chart(&served, "COIN-USD?range=1d&interval=60m").await;
    let meta = &result(&body)["meta"];
    assert_eq!((&meta["instrumentType"], &meta["exchangeTimezoneName"]), (&json!("CRYPTOCURRENCY"), &json!("UTC")));
    assert_eq!(meta["dataGranularity"], "1h");
    let day = period("UTC", "2026-03-18T00:00:00Z", "2026-03-18T23:59:00Z", 0);
    assert_eq!(meta["currentTradingPeriod"]["regular"], day);
    assert_eq!(meta["hasPrePostMarketData"], false);

    // The clocks have not changed yet: the offset is that of the request, and on a weekend the next session is named.
    let served = small_at(at("2026-03-07T12:00:00Z")).await;
    let body = chart(&served, "ACME?range=5d&interval=1d").await;
    let meta = &result(&body)["meta"];
    assert_eq!((meta["gmtoffset"].as_i64(), meta["timezone"].as_str()), (Some(-18_000), Some("EST")));
    let monday = period("EDT", "2026-03-09T13:30:00Z", "2026-03-09T20:00:00Z", -14_400);
    assert_eq!(meta["currentTradingPeriod"]["regular"], monday);
    assert!(meta.get("tradingPeriods").is_none() && meta.get("previousClose").is_none());
}

#[tokio::test]
async fn symbols_are_spelt_as_the_vendor_spells_them() {
    let served = small_at(in_session()).await;
    for (spelling, symbol) in [("%5EVIX", "^VIX"), ("coin-usd", "COIN-USD"), ("BRK-B", "BRK-B")] {
        let body = chart(&served, &format!("{spelling}?range=1d")).await;
        assert_eq!(result(&body)["meta"]["symbol"], symbol);
    }
    for spelling in ["VIX", "COIN", "COINUSDT", "CPIAUCSL", "BRK.B"] {
        let got = served.get(&format!("/v8/finance/chart/{spelling}")).await;
        assert_eq!(got.status, 404, "{spelling}");
    }
    // The volume of coins is in dollars.
    let served = small_at(at("2026-03-18T00:00:00Z")).await;
    let body = chart(&served, "COIN-USD?range=5d").await;
    let (volume, close) = (column(&body, "volume")[3], column(&body, "close")[3]);
    assert!((volume / (4_000_000.0 * close) - 1.0).abs() < 0.02, "{volume} at {close}");
}

#[tokio::test]
async fn every_answer_says_that_it_is_simulated() {
    let served = small_at(in_session()).await;
    for path in ["/v8/finance/chart/ACME", "/v8/finance/chart/NOPE", "/", "/v1/test/getcrumb"] {
        let got = served.get(path).await;
        let label = got.headers["x-auspex-simulated"].to_str().unwrap();
        assert!(label.starts_with("test;"), "{label}");
    }
}

#[tokio::test]
async fn nothing_is_told_before_it_is_known() {
    let served = small_at(in_session()).await;
    let later = in_session() + SignedDuration::from_hours(24 * 30);
    let query = format!("ACME?interval=1d&period1=0&period2={}&events=div,splits", later.as_second());
    let body = chart(&served, &query).await;
    assert!(stamps(&body).iter().all(|stamp| *stamp <= in_session().as_second()));
}
