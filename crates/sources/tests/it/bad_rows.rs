//! Every kind of bad row is refused with its line and its reason, and its neighbours are kept.

use market::{AssetClass, Timeframe};
use sources::files::BarOptions;

use super::{options, read_bytes};

const HEADER: &str = "symbol,timestamp,open,high,low,close,adj_close,volume";

/// Puts `row` as line 4 between good rows, and checks that it alone is refused, for `reason`. The empty reason stands for
/// a row that is kept.
fn check_with(options: &BarOptions, symbol: &str, stamps: [&str; 4], row: &str, reason: &str) {
    let good = |stamp: &str| format!("{symbol},{stamp},10,12,9,11,10.5,1000\n");
    let [before, first, after, last] = stamps.map(good);
    let text = format!("{HEADER}\n{before}{first}{row}\n{after}{last}");
    let read = read_bytes("bars.csv", text.as_bytes(), options).unwrap();
    let expected: Vec<String> = if reason.is_empty() { Vec::new() } else { vec![format!("4: {reason}")] };
    assert_eq!(read.reasons(), expected, "{row:?}");
    assert_eq!(read.n_bars(), 5 - expected.len(), "{row:?}");
    if !reason.is_empty() {
        assert!(row.starts_with(read.refused[0].raw.trim_end_matches('\u{fffd}')), "{:?}", read.refused[0].raw);
    }
}

/// A row of hourly coins, the third of five.
fn check(row: &str, reason: &str) {
    let stamps = ["2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z", "2020-01-01T03:00:00Z", "2020-01-01T04:00:00Z"];
    let options = BarOptions { timeframe: Some(Timeframe::H1), ..options() };
    check_with(&options, "BTCUSDT", stamps, row, reason);
}

#[test]
fn bad_rows_of_coins_are_refused_and_named() {
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,10.5,1000", "");
    check("\"BTCUSDT\",\"2020-01-01T02:00:00Z\",\"10\",12,9,11,,1000", "");
    check(" btcusdt ,2020-01-01 02:00:00+00:00, 10 ,12,9,11,,1e3", "");
    check("BTC,1577844000,10,12,9,11,,0", "");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,10.5", "7 fields where the header has 8");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,10.5,1000,x", "9 fields where the header has 8");
    check("BTCUSDT,\"2020-01-01T02:00:00Z,10,12,9,11,10.5,1000", "a quoted field does not end where it should");
    check("BTCUSDT,2020-01-01T02:00:00Z,,12,9,11,10.5,1000", "open is missing");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,10.5,", "volume is missing");
    check(",2020-01-01T02:00:00Z,10,12,9,11,10.5,1000", "symbol is missing");
    check("BTCUSDT,,10,12,9,11,10.5,1000", "timestamp is missing");
    check("BTCUSDT,2020-01-01T02:00:00Z,ten,12,9,11,10.5,1", "open is \"ten\": a number is expected");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,ten,1", "adj_close is \"ten\": a number is expected");
    check("BTCUSDT,2020-01-01T02:00:00Z,NaN,12,9,11,10.5,1", "open is NaN: a positive finite price is expected");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,inf,9,11,10.5,1", "high is inf: a positive finite price is expected");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,-9,11,10.5,1", "low is -9: a positive finite price is expected");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,0,10.5,1", "close is 0: a positive finite price is expected");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,-1,1", "adj_close is -1: a positive finite price is expected");
    check(
        "BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,10.5,-1",
        "volume is -1: a finite number of at least zero is expected",
    );
    check("BTCUSDT,2020-01-01T02:00:00Z,10,9,12,11,10.5,1", "high 9 is below open 10");
    check("BTCUSDT,2020-01-01T02:00:00Z,10,12,10.5,11,10.5,1", "low 10.5 is above open 10");
    check(
        "BTCUSDT,yesterday,10,12,9,11,10.5,1",
        "timestamp is \"yesterday\": a time such as 2020-01-02T14:30:00Z is expected",
    );
    check(
        "BTCUSDT,2020-02-30T02:00:00Z,10,12,9,11,10.5,1",
        "timestamp is \"2020-02-30T02:00:00Z\": a time such as 2020-01-02T14:30:00Z is expected",
    );
    check("BTCUSDT,2020-01-01T02:30:00Z,10,12,9,11,10.5,1", "no 1h bar of BTC opens at 2020-01-01T02:30:00Z");
    check(
        "BTCUSDT,2020-01-01T00:00:00Z,10,12,9,11,10.5,1",
        "time 2020-01-01T00:00:00Z is before 2020-01-01T01:00:00Z of the row it follows",
    );
    check(
        "BTCUSDT,2029-01-01T00:00:00Z,10,12,9,11,10.5,1",
        "time 2029-01-01T00:00:00Z is after 2020-01-01T04:00:00Z of the rows that follow",
    );
    check("BTCUSDT,2020-01-01T01:00:00Z,10,12,9,11,10.5,1000", "the same as line 3");
    check("BTCUSDT,2020-01-01T01:00:00Z,10,12,9,11,10.5,1001", "the same time as line 3, with other content");
    check(
        "BTC USD,2020-01-01T02:00:00Z,10,12,9,11,10.5,1",
        "\"BTC USD\" is not a symbol: 1 to 24 letters, digits or any of - _ . ^ = are expected",
    );
    let long = format!("BTCUSDT,2020-01-01T02:00:00Z,10,12,9,11,10.5,{}", "1".repeat(70_000));
    check(&long, "a line of more than 65536 bytes");
}

#[test]
fn bad_rows_of_sessions_are_refused_and_named() {
    let daily = BarOptions { timeframe: Some(Timeframe::D1), ..options() };
    let days = ["2012-10-25", "2012-10-26", "2012-10-31", "2012-11-01"];
    let row = |stamp: &str| format!("AAPL,{stamp},10,12,9,11,10.5,1000");
    check_with(&daily, "AAPL", days, &row("2012-10-29"), "2012-10-29 is not a trading day of AAPL");
    check_with(&daily, "AAPL", days, &row("2012-10-28"), "2012-10-28 is not a trading day of AAPL");
    check_with(&daily, "AAPL", days, &row("2012-10-30T15:00:00Z"), "no 1D bar of AAPL opens at 2012-10-30T15:00:00Z");
    let hourly = BarOptions { timeframe: Some(Timeframe::H1), ..options() };
    let hours = ["2019-07-03T13:30:00Z", "2019-07-03T14:30:00Z", "2019-07-05T13:30:00Z", "2019-07-05T14:30:00Z"];
    check_with(&hourly, "AAPL", hours, &row("2019-07-03T16:30:00Z"), "");
    for stamp in ["2019-07-03T17:30:00Z", "2019-07-04T13:30:00Z", "2019-07-03T15:00:00Z"] {
        let reason = format!("no 1h bar of AAPL opens at {stamp}");
        check_with(&hourly, "AAPL", hours, &row(stamp), &reason);
    }
}

#[test]
fn promise_6_a_bar_that_is_not_closed_is_refused() {
    let now = super::at("2020-01-01T04:59:59Z");
    let options = BarOptions { now, class: Some(AssetClass::Crypto), ..options() };
    let text = "symbol,timestamp,open,high,low,close,volume\n\
        X,2020-01-01T02:00:00Z,1,1,1,1,1\nX,2020-01-01T03:00:00Z,1,1,1,1,1\nX,2020-01-01T04:00:00Z,1,1,1,1,1\n";
    let read = read_bytes("bars.csv", text.as_bytes(), &options).unwrap();
    let reason = "4: the bar closes at 2020-01-01T05:00:00Z, after 2020-01-01T04:59:59Z: only closed bars are kept";
    assert_eq!((read.n_bars(), read.reasons()), (2, vec![reason.to_owned()]));
}

#[test]
fn text_that_is_no_utf8_costs_its_row() {
    let mut bytes = format!("{HEADER}\nBTCUSDT,2020-01-01T00:00:00Z,1,1,1,1,1,1\n").into_bytes();
    bytes.extend_from_slice(b"BTC\xff,2020-01-01T01:00:00Z,1,1,1,1,1,1\n");
    bytes.extend_from_slice(b"BTCUSDT,2020-01-01T01:00:00Z,1,\xfe,1,1,1,1\nBTCUSDT,2020-01-01T02:00:00Z,1,1,1,1,1,1\n");
    let options = BarOptions { timeframe: Some(Timeframe::H1), ..options() };
    let read = read_bytes("bars.csv", &bytes, &options).unwrap();
    assert_eq!(read.reasons(), ["3: symbol is not valid UTF-8", "4: high is not valid UTF-8"]);
    assert_eq!(read.n_bars(), 2);
    assert!(read.refused[0].raw.starts_with("BTC\u{fffd},2020"));
}
