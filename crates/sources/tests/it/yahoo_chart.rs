//! Charts: what Yahoo's answers become.

use std::path::PathBuf;

use market::{Action, ActionKind, Asset, AssetKind, Remark, Timeframe};
use proptest::prelude::*;
use serde_json::{Value, json};
use sources::yahoo::{ChartError, parse_chart, parse_quotes, parse_stream_message, read_chart, spelling};
use sources::{Failure, Fetched, Request};

use super::at;

pub(crate) fn asset(symbol: &str, kind: AssetKind, quote: &str) -> Asset {
    Asset {
        symbol: symbol.parse().unwrap(),
        name: symbol.to_owned(),
        kind,
        source_symbol: symbol.to_owned(),
        quote: quote.to_owned(),
    }
}

fn apple() -> Asset {
    asset("AAPL", AssetKind::Equity, "USD")
}

/// One row: stamp, open, high, low, close, volume, adjusted close.
pub(crate) type Cells = (i64, Value, Value, Value, Value, Value, Value);

pub(crate) fn cells(stamp: &str, close: f64, volume: f64) -> Cells {
    let (open, high, low) = (close - 0.25, close + 0.5, close - 0.5);
    (at(stamp).as_second(), json!(open), json!(high), json!(low), json!(close), json!(volume), json!(close))
}

/// A chart answer as Yahoo writes it.
pub(crate) fn body(meta: Value, rows: &[Cells], events: Value) -> Vec<u8> {
    let mut full = json!({
        "currency": "USD", "symbol": "AAPL", "exchangeName": "NMS", "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York", "gmtoffset": -14400, "dataGranularity": "1d", "priceHint": 2,
        "range": "", "somethingNew": {"deep": [1, null]},
    });
    for (key, value) in meta.as_object().unwrap() {
        full[key] = value.clone();
    }
    let column = |of: fn(&Cells) -> Value| rows.iter().map(of).collect::<Vec<_>>();
    let quote = json!({
        "low": column(|r| r.3.clone()), "open": column(|r| r.1.clone()), "close": column(|r| r.4.clone()),
        "volume": column(|r| r.5.clone()), "high": column(|r| r.2.clone()),
    });
    let mut result = json!({
        "meta": full,
        "timestamp": column(|r| json!(r.0)),
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": column(|r| r.6.clone())}]},
    });
    if !events.is_null() {
        result["events"] = events;
    }
    json!({"chart": {"result": [result], "error": null}}).to_string().into_bytes()
}

fn read(body: &[u8], asset: &Asset, timeframe: Timeframe, window: (&str, &str), now: &str) -> Result<Fetched, Failure> {
    let chart = parse_chart(body).unwrap();
    let request = Request { asset, timeframe, from: at(window.0), to: at(window.1) };
    read_chart(&chart, &request, at(now), "example")
}

const ALL: (&str, &str) = ("1900-01-01T00:00:00Z", "2030-01-01T00:00:00Z");

/// Date, close and volume of each bar.
fn days(fetched: &Fetched) -> Vec<String> {
    fetched.bars.iter().map(|bar| format!("{} {} {}", bar.open_time, bar.close, bar.volume)).collect()
}

fn said(remarks: &[Remark]) -> Vec<String> {
    remarks.iter().map(|remark| format!("{} {}", remark.kind, remark.text)).collect()
}

#[test]
fn splits_are_undone_and_dividends_stand_in_the_terms_of_their_day() {
    // A split of 4:1 on 31 August, a dividend of 0.82 before it and one of 0.205 after.
    let rows = [
        cells("2020-08-06T13:30:00Z", 113.902_503_967_285_16, 202_428_800.0),
        cells("2020-08-07T13:30:00Z", 111.112_503_051_757_81, 198_045_600.0),
        cells("2020-08-28T13:30:00Z", 124.807_502_746_582_03, 187_630_000.0),
        cells("2020-08-31T13:30:00Z", 129.039_993_286_132_8, 225_702_700.0),
        cells("2020-11-05T14:30:00Z", 119.029_998_779_296_88, 126_387_100.0),
        cells("2020-11-06T14:30:00Z", 118.690_002_441_406_25, 114_457_900.0),
    ];
    let events = json!({
        "dividends": {
            "1596807000": {"amount": 0.205, "date": 1_596_807_000},
            "1604673000": {"amount": 0.205, "date": 1_604_673_000, "currency": "USD"},
            "1604673001": {"amount": null, "date": 1_604_673_001},
        },
        "splits": {"1598880600": {"date": 1_598_880_600, "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"}},
    });
    let fetched = read(&body(json!({}), &rows, events), &apple(), Timeframe::D1, ALL, "2020-12-01T00:00:00Z").unwrap();
    assert_eq!(
        days(&fetched),
        [
            "2020-08-06T13:30:00Z 455.61 50607200",
            "2020-08-07T13:30:00Z 444.45 49511400",
            "2020-08-28T13:30:00Z 499.23 46907500",
            "2020-08-31T13:30:00Z 129.04 225702700",
            "2020-11-05T14:30:00Z 119.03 126387100",
            "2020-11-06T14:30:00Z 118.69 114457900",
        ]
    );
    let action = |date: &str, open: &str, kind| Action { ex_date: date.parse().unwrap(), kind, known_at: at(open) };
    assert_eq!(
        fetched.actions,
        [
            action("2020-08-07", "2020-08-07T13:30:00Z", ActionKind::Dividend { amount: 0.82 }),
            action("2020-08-31", "2020-08-31T13:30:00Z", ActionKind::Split { numerator: 4.0, denominator: 1.0 }),
            action("2020-11-06", "2020-11-06T14:30:00Z", ActionKind::Dividend { amount: 0.205 }),
        ]
    );
    // The adjusted closes of these rows are their closes.
    assert_eq!(
        said(&fetched.remarks),
        [
            "refused 1 splits or dividends have no readable date or numbers",
            "repaired the adjusted closes leave out the dividend of 0.205; it was taken all the same (2 rows)",
        ]
    );
    let bar = fetched.bars[3];
    assert_eq!((bar.close_time, bar.known_at), (at("2020-08-31T20:00:00Z"), at("2020-08-31T20:00:00Z")));
    assert_eq!(bar.adj_close, None);
}

#[test]
fn what_was_not_asked_for_is_not_given_and_still_counts() {
    let rows = [
        cells("2020-08-27T13:30:00Z", 125.0, 4000.0),
        cells("2020-08-28T13:30:00Z", 124.807_502_746_582_03, 4000.0),
        cells("2020-08-31T13:30:00Z", 129.0, 1000.0),
    ];
    let events = json!({"splits": {"1": {"date": 1_598_880_600, "numerator": 4, "denominator": 1}}});
    let window = ("2020-08-28T00:00:00Z", "2020-08-31T00:00:00Z");
    let fetched =
        read(&body(json!({}), &rows, events), &apple(), Timeframe::D1, window, "2020-12-01T00:00:00Z").unwrap();
    assert_eq!(days(&fetched), ["2020-08-28T13:30:00Z 499.23 1000"]);
    assert_eq!(fetched.actions, []);
}

#[track_caller]
fn check(rows: &[Cells], meta: Value, now: &str, bars: &[&str], remarks: &[&str]) {
    let fetched = read(&body(meta, rows, Value::Null), &apple(), Timeframe::D1, ALL, now).unwrap();
    assert_eq!(days(&fetched), bars);
    assert_eq!(said(&fetched.remarks), remarks);
}

#[test]
fn only_final_days_are_given() {
    let (thu, fri, live) = ("2025-10-30T13:30:00Z", "2025-10-31T13:30:00Z", "2025-10-31T18:05:07Z");
    let meta = json!({"regularMarketTime": at(live).as_second()});
    let (a, b, c) = (cells(thu, 10.0, 5.0), cells(fri, 11.0, 6.0), cells(live, 12.0, 7.0));
    let (thursday, friday) = ("2025-10-30T13:30:00Z 10 5", "2025-10-31T13:30:00Z 11 6");
    // The running row is never a day, alone or beside its day's own.
    check(&[a.clone(), c.clone()], meta.clone(), "2025-10-31T18:05:10Z", &[thursday], &[]);
    check(&[a.clone(), c.clone()], meta.clone(), "2025-10-31T23:00:00Z", &[thursday], &[]);
    check(&[a.clone(), b.clone(), c], meta.clone(), "2025-10-31T23:00:00Z", &[thursday], &[]);
    let same = cells(live, 11.0, 6.0);
    check(&[a.clone(), b.clone(), same], meta.clone(), "2025-10-31T23:00:00Z", &[thursday, friday], &[]);
    // A quarter of an hour after the close the day is final; a little later when no trade since the close was seen.
    let both = [a, b];
    check(&both, meta.clone(), "2025-10-31T20:19:59Z", &[thursday], &[]);
    check(&both, meta, "2025-10-31T20:20:00Z", &[thursday, friday], &[]);
    let closed = json!({"regularMarketTime": at("2025-10-31T20:00:01Z").as_second()});
    check(&both, closed.clone(), "2025-10-31T20:14:59Z", &[thursday], &[]);
    check(&both, closed, "2025-10-31T20:15:00Z", &[thursday, friday], &[]);
}

#[test]
fn odd_rows_are_refused_and_the_rest_is_kept() {
    let now = "2025-12-31T00:00:00Z";
    let (good, next) = (cells("2025-11-26T14:30:00Z", 10.0, 5.0), cells("2025-11-28T14:30:00Z", 10.5, 5.0));
    let kept = ["2025-11-26T14:30:00Z 10 5", "2025-11-28T14:30:00Z 10.5 5"];
    let with = |row: Cells| [good.clone(), row, next.clone()];
    let friday_is = |change: fn(&mut Cells)| {
        let mut row = cells("2025-12-01T14:30:00Z", 10.0, 5.0);
        change(&mut row);
        with(row)
    };
    let thanksgiving = cells("2025-11-27T14:30:00Z", 10.0, 0.0);
    check(&with(thanksgiving), json!({}), now, &kept, &["refused 2025-11-27 is no trading day"]);
    check(&friday_is(|r| r.4 = Value::Null), json!({}), now, &kept, &["refused close is missing"]);
    check(&friday_is(|r| r.5 = Value::Null), json!({}), now, &kept, &["refused volume is missing"]);
    let zero = "refused low is 0: a positive finite price is expected";
    check(&friday_is(|r| r.3 = json!(0.0)), json!({}), now, &kept, &[zero]);
    let word = "refused open is NaN: a positive finite price is expected";
    check(&friday_is(|r| r.1 = json!("abc")), json!({}), now, &kept, &[word]);
    check(
        &friday_is(|r| (r.1, r.2, r.3, r.4) = (Value::Null, Value::Null, Value::Null, Value::Null)),
        json!({}),
        now,
        &kept,
        &["refused the row is empty"],
    );
    check(
        &friday_is(|r| r.2 = json!(9.0)),
        json!({}),
        now,
        &kept,
        &["quarantined open 9.75 or close 10 lie outside low 9.5 and high 9"],
    );
    check(&with(good.clone()), json!({}), now, &kept, &[]);
    let other = cells("2025-11-26T14:30:00Z", 10.2, 5.0);
    check(&with(other), json!({}), now, &kept, &["refused a second row of the same bar"]);
}

#[test]
fn a_hundredfold_day_between_good_ones_is_put_right() {
    let rows = [
        cells("2025-12-01T14:30:00Z", 10.0, 5.0),
        cells("2025-12-02T14:30:00Z", 1010.0, 5.0),
        cells("2025-12-03T14:30:00Z", 10.2, 5.0),
    ];
    let fetched =
        read(&body(json!({}), &rows, Value::Null), &apple(), Timeframe::D1, ALL, "2026-01-01T00:00:00Z").unwrap();
    assert_eq!(fetched.bars[1].close, 10.1);
    let text = "repaired 4 of 4 prices, the first 1009.75, were a hundred times off between good rows";
    assert_eq!(said(&fetched.remarks), [text]);
    assert_eq!(fetched.remarks[0].from, Some(at("2025-12-02T14:30:00Z")));
}

#[test]
fn daily_stamps_need_not_be_the_open() {
    // Local midnight, as of funds of the future; and an hour early around a clock change.
    let rows = [
        cells("2025-10-30T04:00:00Z", 10.0, 5.0),
        cells("2025-10-31T03:00:00Z", 10.5, 5.0),
        cells("2025-11-03T14:30:00Z", 10.2, 5.0),
    ];
    let bars = ["2025-10-30T13:30:00Z 10 5", "2025-10-31T13:30:00Z 10.5 5", "2025-11-03T14:30:00Z 10.2 5"];
    check(&rows, json!({}), "2025-12-01T00:00:00Z", &bars, &[]);
}

#[test]
fn hours_are_cut_at_the_close_and_the_running_one_waits() {
    let hours = ["14:30", "15:30", "16:30", "17:30"];
    let stamp = |hour: &str| format!("2025-11-28T{hour}:00Z");
    let mut rows: Vec<Cells> = hours.iter().map(|hour| cells(&stamp(hour), 10.0, 5.0)).collect();
    // A bar without length at the early close, and one after it.
    rows.push(cells("2025-11-28T18:00:00Z", 10.0, 0.0));
    rows.push(cells("2025-11-28T18:30:00Z", 10.0, 3.0));
    let meta = json!({"dataGranularity": "1h", "regularMarketTime": at("2025-11-28T18:00:00Z").as_second()});
    let body = body(meta, &rows, Value::Null);
    let read = |now: &str| read(&body, &apple(), Timeframe::H1, ALL, now).unwrap();
    let fetched = read("2025-11-28T20:00:00Z");
    let last = fetched.bars.last().unwrap();
    assert_eq!((fetched.bars.len(), last.open_time), (4, at("2025-11-28T17:30:00Z")));
    assert_eq!(last.close_time, at("2025-11-28T18:00:00Z"));
    assert_eq!(said(&fetched.remarks), [""; 0]);
    assert_eq!(read("2025-11-28T18:00:59Z").bars.len(), 3);
    assert_eq!(read("2025-11-28T17:31:00Z").bars.len(), 3);
    assert_eq!(read("2025-11-28T17:30:59Z").bars.len(), 2);
}

#[test]
fn coins_are_told_in_dollars_and_without_volume() {
    let coin = asset("BTC", AssetKind::Coin, "USDT");
    let meta = json!({"symbol": "BTC-USD", "exchangeTimezoneName": "UTC", "exchangeName": "CCC"});
    let rows = [cells("2025-11-28T00:00:00Z", 90000.0, 1e10), cells("2025-11-29T00:00:00Z", 91000.0, 1e10)];
    let body = body(meta, &rows, Value::Null);
    let fetched = read(&body, &coin, Timeframe::D1, ALL, "2025-11-29T00:02:00Z").unwrap();
    assert_eq!(days(&fetched), ["2025-11-28T00:00:00Z 90000 0"]);
    let text = "quarantined prices are in USD (BTC is quoted in USDT); volumes, in USD too, are left out";
    assert_eq!(said(&fetched.remarks), [text]);
}

#[test]
fn prices_in_pence_become_pounds_and_other_currencies_are_not_taken() {
    let rows = [cells("2025-12-01T14:30:00Z", 1250.0, 5.0)];
    let read = |told: Value, quote: &str| {
        let body = body(json!({"currency": told}), &rows, Value::Null);
        read(&body, &asset("OCDO", AssetKind::Equity, quote), Timeframe::D1, ALL, "2026-01-01T00:00:00Z")
            .map(|fetched| fetched.bars[0].close)
    };
    assert_eq!(read(json!("GBp"), "GBP").unwrap(), 12.5);
    assert_eq!(read(json!("GBp"), "GBp").unwrap(), 1250.0);
    assert_eq!(read(Value::Null, "USD").unwrap(), 1250.0);
    assert!(matches!(read(json!("EUR"), "USD"), Err(Failure::NotOffered { .. })));
}

#[test]
fn a_split_nobody_can_see_yet_sets_rows_aside() {
    let rows = [cells("2025-12-01T14:30:00Z", 40.0, 5.0), cells("2025-12-02T14:30:00Z", 41.0, 5.0)];
    let date = at("2025-12-03T14:30:00Z").as_second();
    let events = json!({"splits": {"1": {"date": date, "numerator": 4, "denominator": 1}}});
    let body = body(json!({}), &rows, events);
    let read = |now: &str| read(&body, &apple(), Timeframe::D1, ALL, now).unwrap();
    let today = read("2025-12-03T15:00:00Z");
    assert_eq!((today.bars.len(), today.remarks.len(), today.actions.len()), (0, 1, 1));
    // The day before, it changes nothing yet.
    assert_eq!(days(&read("2025-12-02T22:00:00Z")).len(), 2);
}

#[test]
fn bars_of_another_length_are_refused() {
    let rows: Vec<Cells> = ["14:30", "15:30", "16:30", "17:30"]
        .iter()
        .map(|hour| cells(&format!("2025-12-01T{hour}:00Z"), 10.0, 5.0))
        .collect();
    let read = |told: &str, asked| {
        let body = body(json!({"dataGranularity": told}), &rows, Value::Null);
        read(&body, &apple(), asked, ALL, "2026-01-01T00:00:00Z").map(|fetched| fetched.bars.len())
    };
    assert_eq!(read("1h", Timeframe::H1).unwrap(), 4);
    assert_eq!(read("60m", Timeframe::H1).unwrap(), 4);
    for (told, asked) in [("1h", Timeframe::M30), ("30m", Timeframe::M30), ("1wk", Timeframe::D1)] {
        assert!(matches!(read(told, asked), Err(Failure::Refused { .. })), "{told}");
    }
}

#[test]
fn assets_are_spelt_as_yahoo_spells_them() {
    let check = |symbol: &str, source: &str, kind, quote: &str, expected: Option<&str>| {
        let asset = Asset { source_symbol: source.to_owned(), ..asset(symbol, kind, quote) };
        assert_eq!(spelling(&asset).as_deref(), expected, "{source}");
    };
    check("BRK-B", "BRK.B", AssetKind::Equity, "USD", Some("BRK-B"));
    check("BRK-B", "brk/b", AssetKind::Equity, "USD", Some("BRK-B"));
    check("BRK-B", "BRK-B", AssetKind::Equity, "USD", Some("BRK-B"));
    check("VOD", "VOD.L", AssetKind::Equity, "GBP", Some("VOD.L"));
    check("BTC", "BTCUSDC", AssetKind::Coin, "USDC", Some("BTC-USD"));
    check("BTC", "BTCEUR", AssetKind::Coin, "EUR", None);
    check("WSU", "WSU.DE", AssetKind::Equity, "EUR", Some("WSU.DE"));
    check("VIX", "VIX", AssetKind::Index, "points", Some("^VIX"));
    check("VIX", "^VIX", AssetKind::Index, "points", Some("^VIX"));
    check("BTC", "BTCUSDT", AssetKind::Coin, "USDT", Some("BTC-USD"));
    check("USDT", "USDT-USD", AssetKind::Stable, "USD", Some("USDT-USD"));
    check("CPI", "CPIAUCSL", AssetKind::Series, "index", None);
}

#[test]
fn answers_that_are_no_charts_say_why() {
    let check =
        |body: &str, expected: &str| assert_eq!(parse_chart(body.as_bytes()).unwrap_err().to_string(), expected);
    let error = |name: &str| format!(r#"{{"{name}":{{"result":null,"error":{{"code":"C","description":"D"}}}}}}"#);
    check(&error("chart"), "C: D");
    check(&error("finance"), "C: D");
    check("{}", "neither chart nor error");
    check(r#"{"chart":{"result":null,"error":null}}"#, "neither a result nor an error");
    check(r#"{"chart":{"result":[],"error":null}}"#, "neither a result nor an error");
    let short = br#"{"chart":{"result":[{"meta":{"symbol":"A","exchangeTimezoneName":"UTC"},"timestamp":[1,2],
        "indicators":{"quote":[{"open":[1.0]}]}}],"error":null}}"#;
    let reason = "columns and time stamps differ in length".to_owned();
    assert_eq!(parse_chart(short), Err(ChartError::Malformed(reason)));
    for body in [&b""[..], b"<html>Will be right back", b"Too Many Requests\r\n", b"[1]"] {
        assert!(matches!(parse_chart(body), Err(ChartError::Malformed(_))));
    }
}

proptest! {
    /// Whatever comes, nothing panics, and what is given keeps its promises.
    #[test]
    fn any_cells_give_good_bars_or_none(
        rows in prop::collection::vec((0_i64..400, prop::array::uniform5(-1.0_f64..1e7), 0_u8..8), 0..40),
        shares in 0.01_f64..200.0,
        split_day in 0_i64..400,
    ) {
        let start = at("2024-01-02T14:30:00Z").as_second();
        let cell = |price: f64, odd: bool| if odd { Value::Null } else { json!(price) };
        let rows: Vec<Cells> = rows.iter().map(|(day, [o, h, l, c, v], odd)| {
            let prices = (cell(*o, odd & 1 == 1), cell(*h, false), cell(*l, false), cell(*c, odd & 2 == 2));
            (start + day * 86_400, prices.0, prices.1, prices.2, prices.3, json!(v), cell(*c, odd & 4 == 4))
        }).collect();
        let events = json!({"splits": {"1": {"date": start + split_day * 86_400, "numerator": shares, "denominator": 1}},
            "dividends": {"1": {"date": start + split_day * 86_000, "amount": shares}}});
        let fetched = read(&body(json!({}), &rows, events), &apple(), Timeframe::D1, ALL, "2026-01-01T00:00:00Z").unwrap();
        for pair in fetched.bars.windows(2) {
            prop_assert!(pair[0].open_time < pair[1].open_time);
        }
        for bar in fetched.bars {
            prop_assert_eq!(bar.checked(), Ok(bar));
        }
    }

    /// Stamps of any age, on calendars of both kinds.
    #[test]
    fn any_stamps_give_good_bars_or_none(
        stamps in prop::collection::vec(prop_oneof![any::<i64>(), -4_000_000_000_i64..300_000_000_000], 1..20),
        last_trade in any::<i64>(),
        is_coin in any::<bool>(),
        timeframe in prop::sample::select(vec![Timeframe::D1, Timeframe::H1, Timeframe::M5]),
    ) {
        let rows: Vec<Cells> = stamps.iter().map(|stamp| (*stamp, json!(1), json!(2), json!(1), json!(2), json!(3), json!(2))).collect();
        let granularity = ["1d", "1h", "5m"][[Timeframe::D1, Timeframe::H1, Timeframe::M5].iter().position(|t| *t == timeframe).unwrap()];
        let zone = if is_coin { "UTC" } else { "Asia/Tokyo" };
        let meta = json!({"exchangeTimezoneName": zone, "regularMarketTime": last_trade, "dataGranularity": granularity});
        let asset = if is_coin { asset("BTC", AssetKind::Coin, "USD") } else { apple() };
        let events = json!({"splits": {"1": {"date": stamps[0], "numerator": 4, "denominator": 1}}});
        let body = body(meta, &rows, events);
        let fetched = read(&body, &asset, timeframe, ALL, "2026-01-01T00:00:00Z").unwrap();
        for bar in fetched.bars {
            prop_assert_eq!(bar.checked(), Ok(bar));
        }
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (parse_chart(&bytes), parse_quotes(&bytes), parse_stream_message(&bytes));
    }
}

fn fixture(name: &str) -> Option<Vec<u8>> {
    let Some(wire) = std::env::var_os("AUSPEX_WIRE").map(PathBuf::from) else {
        eprintln!("skipped: AUSPEX_WIRE does not name the folder of the wire recordings");
        return None;
    };
    Some(std::fs::read(wire.join("fixtures/yahoo").join(name)).unwrap())
}

#[track_caller]
fn recorded(
    name: &str,
    kind: AssetKind,
    quote: &str,
    timeframe: Timeframe,
    now: &str,
    bars: &[&str],
    remarks: &[&str],
) {
    let Some(body) = fixture(name) else { return };
    let fetched = read(&body, &asset("SOME", kind, quote), timeframe, ALL, now).unwrap();
    let mut shown = days(&fetched);
    if shown.len() > 4 {
        shown = vec![shown[0].clone(), format!("{} more", shown.len() - 2), shown[shown.len() - 1].clone()];
    }
    assert_eq!(shown, bars, "{name}");
    assert_eq!(said(&fetched.remarks), remarks, "{name}");
}

#[test]
fn recorded_charts_are_read() {
    use AssetKind::{Coin, Equity};
    use Timeframe::{D1, H1, M1, M5, M30};
    let later = "2026-11-01T00:00:00Z";
    recorded(
        "chart_1d_crypto_BTC-USD.json",
        Coin,
        "USDT",
        D1,
        later,
        &["2020-01-01T00:00:00Z 7200.174 0", "2020-01-02T00:00:00Z 6985.47 0", "2020-01-03T00:00:00Z 7344.884 0"],
        &["quarantined prices are in USD (SOME is quoted in USDT); volumes, in USD too, are left out"],
    );
    // German sessions are no sessions of ours; their dates are those of the exchange's zone, not of its offset now.
    recorded(
        "chart_1d_dst_offset_WSU.DE.json",
        Equity,
        "EUR",
        D1,
        later,
        &["2023-08-04T13:30:00Z 34.45 1251", "2023-08-07T13:30:00Z 34 336", "2023-08-08T13:30:00Z 33.2 10846"],
        &[],
    );
    recorded("chart_1d_future_GC=F.json", Equity, "USD", D1, later, &["2020-01-02T14:30:00Z 1524.5 214"], &[]);
    recorded(
        "chart_1d_fx_EURUSD.json",
        Equity,
        "USD",
        D1,
        later,
        &["2020-01-02T14:30:00Z 1.122083 0", "2020-01-03T14:30:00Z 1.117144 0"],
        &["refused 2020-01-01 is no trading day"],
    );
    recorded(
        "chart_1d_historical_scheb.json",
        Equity,
        "USD",
        D1,
        later,
        &["2024-09-30T13:30:00Z 233 54541900", "8 more", "2024-10-11T13:30:00Z 227.55 31668000"],
        &[],
    );
    recorded(
        "chart_1d_meta_2026_AAPL.json",
        Equity,
        "USD",
        D1,
        later,
        &["2020-01-02T14:30:00Z 75.0875 135480400"],
        &[],
    );
    recorded(
        "chart_1d_mutualfund_0P0000XTS7.json",
        Equity,
        "USD",
        D1,
        later,
        &["2024-09-12T13:30:00Z 11887.1 0", "2024-09-13T13:30:00Z 11892.19 0"],
        &[],
    );
    recorded("chart_1d_pence_OCDO.L.json", Equity, "GBP", D1, later, &["2020-01-02T14:30:00Z 12.595 728520"], &[]);
    let dead = "refused example tells neither rows nor a currency of LUCYW: it may be dead";
    recorded("chart_1d_null_currency_LUCYW.json", Equity, "USD", D1, later, &[], &[dead]);
    recorded("chart_1h_empty_2021_AAPL.json", Equity, "USD", H1, later, &[], &[]);
    recorded("chart_1h_tradingPeriods_TSLA.json", Equity, "USD", H1, later, &[], &[]);
    recorded("chart_1m_weekend_empty_AAPL.json", Equity, "USD", M1, later, &[], &[]);
    recorded(
        "synthetic_chart_1d_live_last.json",
        Equity,
        "USD",
        D1,
        later,
        &["2025-11-28T14:30:00Z 199.47 208177", "2025-12-01T14:30:00Z 199.91 602140"],
        &[],
    );
    let volumes = |name: &str| -> Vec<f64> {
        let chart = fixture(name).map(|body| parse_chart(&body).unwrap());
        chart.into_iter().flat_map(|chart| chart.cells).filter_map(|cells| cells.volume).collect()
    };
    let ends = |name: &str| volumes(name).first().copied().zip(volumes(name).last().copied()).unwrap_or_default();
    let (first, last) = ends("synthetic_chart_1h_dst_2025-03-10.json");
    recorded(
        "synthetic_chart_1h_dst_2025-03-10.json",
        Equity,
        "USD",
        H1,
        later,
        &[&format!("2025-03-07T14:30:00Z 200.91 {first}"), "12 more", &format!("2025-03-10T19:30:00Z 204.43 {last}")],
        &[],
    );
    let (first, last) = ends("synthetic_chart_30m_halfday_2025-11-28.json");
    recorded(
        "synthetic_chart_30m_halfday_2025-11-28.json",
        Equity,
        "USD",
        M30,
        later,
        &[&format!("2025-11-26T14:30:00Z 199.27 {first}"), "18 more", &format!("2025-11-28T17:30:00Z 202.56 {last}")],
        &[],
    );
    let (first, last) = ends("synthetic_chart_5m_nulls.json");
    recorded(
        "synthetic_chart_5m_nulls.json",
        Equity,
        "USD",
        M5,
        later,
        &[&format!("2025-11-28T14:30:00Z 199.48 {first}"), "37 more", &format!("2025-11-28T17:55:00Z 203.5 {last}")],
        &[],
    );
}

#[test]
fn a_recorded_split_and_dividend_are_actions() {
    let Some(body) = fixture("chart_1d_split_dividend_AAPL.json") else { return };
    let fetched = read(&body, &apple(), Timeframe::D1, ALL, "2025-02-20T00:00:00Z").unwrap();
    assert_eq!((fetched.bars.len(), fetched.remarks.len(), fetched.actions.len()), (49, 0, 2));
    assert_eq!((fetched.bars[0].close, fetched.bars[0].volume), (129.04, 225_702_700.0));
    assert_eq!(fetched.actions[0].kind, ActionKind::Split { numerator: 4.0, denominator: 1.0 });
    assert_eq!(fetched.actions[1].kind, ActionKind::Dividend { amount: 0.205 });
}

#[test]
fn recorded_refusals_are_told_apart() {
    let dead = fixture("chart_1d_no_data_CAPIO.ST.json");
    if let Some(body) = dead {
        let fetched = read(&body, &apple(), Timeframe::D1, ALL, "2026-01-01T00:00:00Z");
        assert!(matches!(fetched, Err(Failure::Unknown { .. })));
    }
    for months in ["chart_1mo_dividends_AAPL.json", "chart_1mo_splits_AAPL.json"] {
        let Some(body) = fixture(months) else { return };
        let fetched = read(&body, &apple(), Timeframe::D1, ALL, "2026-01-01T00:00:00Z");
        assert!(matches!(fetched, Err(Failure::Refused { .. })), "{months}");
    }
    for (name, code) in [
        ("err_400_before_listing.json", "Bad Request"),
        ("err_400_interval.json", "Bad Request"),
        ("err_401_invalid_crumb.json", "Unauthorized"),
        ("err_401_no_access.json", "Unauthorized"),
        ("err_404_not_found.json", "Not Found"),
        ("err_422_1h_730days.json", "Unprocessable Entity"),
        ("err_422_1m_30days.json", "Unprocessable Entity"),
        ("err_422_1m_8days.json", "Unprocessable Entity"),
        ("err_422_5m_60days.json", "Unprocessable Entity"),
    ] {
        let Some(body) = fixture(name) else { return };
        let Err(ChartError::Said { code: said, description }) = parse_chart(&body) else { panic!("{name}") };
        assert_eq!((said.as_str(), description.is_empty()), (code, false), "{name}");
    }
}

#[test]
fn recorded_quotes_are_read() {
    let quotes = |name: &str| fixture(name).map(|body| parse_quotes(&body).unwrap());
    let Some(apple) = quotes("quote_v7_AAPL.json") else { return };
    assert_eq!((apple[0].symbol.as_str(), apple[0].price, apple[0].time), ("AAPL", 244.6, 1_739_566_800));
    assert_eq!(quotes("quote_v7_delisted_SIMP.json").unwrap(), []);
    assert_eq!(quotes("quote_v7_unknown_APS.AX.json").unwrap(), []);
}

#[test]
fn recorded_stream_messages_are_read_to_the_last_field() {
    let Some(body) = fixture("stream_pricing.json") else { return };
    let messages: Vec<Value> = serde_json::from_slice(&body).unwrap();
    for message in messages {
        let bare = message["frame"]["message"].as_str().unwrap().as_bytes().to_vec();
        let data = parse_stream_message(message["frame"].to_string().as_bytes()).unwrap();
        assert_eq!(parse_stream_message(&bare).unwrap(), data);
        for field in message["decoded"].as_array().unwrap() {
            let value = &field["value"];
            let f = |value: f32| json!(f64::from(value));
            let read = match field["field"].as_u64().unwrap() {
                1 => json!(data.id),
                2 => f(data.price),
                3 => json!(data.time),
                4 => json!(data.currency),
                5 => json!(data.exchange),
                6 => json!(data.quote_type),
                7 => json!(data.market_hours),
                8 => f(data.change_percent),
                9 => json!(data.day_volume),
                10 => f(data.day_high),
                11 => f(data.day_low),
                12 => f(data.change),
                15 => f(data.open_price),
                22 => json!(data.last_size),
                27 => json!(data.price_hint),
                28 => json!(data.vol_24hr),
                29 => json!(data.vol_all_currencies),
                30 => json!(data.from_currency),
                32 => json!(data.circulating_supply),
                33 => json!(data.market_cap),
                other => panic!("field {other}"),
            };
            assert_eq!(&read, value, "{}", field["name"]);
        }
    }
}

#[test]
fn stream_messages_of_both_versions_are_read() {
    // id "A", price 2.0, time 1 ms (zig-zag 2), market hours 1.
    let base64 = "CgFBFQAAAEAYAjgB";
    let data = parse_stream_message(base64.as_bytes()).unwrap();
    assert_eq!((data.id.as_str(), data.price, data.time, data.market_hours), ("A", 2.0, 1, 1));
    let envelope = format!(r#"{{"type":"pricing","message":"{base64}","more":1}}"#);
    assert_eq!(parse_stream_message(envelope.as_bytes()).unwrap(), data);
    for bad in ["", "{}", r#"{"type":"other","message":""}"#, "!!", "CgFB//8="] {
        assert!(bad.is_empty() || parse_stream_message(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(parse_stream_message(&[b'A'; 20_000]).is_err());
}

#[test]
fn more_splits_than_anything_has_had_are_no_chart() {
    let splits = |n: i64| -> serde_json::Map<String, Value> {
        let split = |at| (format!("{at}"), json!({"date": at, "numerator": 2.0, "denominator": 1.0}));
        (0..n).map(split).collect()
    };
    let chart = |n| parse_chart(&body(json!({}), &[], json!({"splits": splits(n)})));
    assert_eq!(chart(500).unwrap().splits.len(), 500);
    assert_eq!(chart(501).unwrap_err().to_string(), "more dividends or splits than anything has had");
}
