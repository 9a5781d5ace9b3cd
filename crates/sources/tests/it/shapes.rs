//! What the options choose: symbols, classes, timeframes, columns, adjustments; and where stamps fall.

use market::{Adjustment, AssetClass, AssetKind, Timeframe};
use sources::files::{BarOptions, ColumnMap};

use super::{options, read_bytes};

fn rows(symbol: &str, stamps: &[&str]) -> String {
    stamps.iter().map(|stamp| format!("{symbol},{stamp},1,1,1,1,5\n")).collect()
}

const HEADER: &str = "symbol,timestamp,open,high,low,close,volume\n";

/// Reads bars of one symbol, and checks timeframe, and open and close of the last bar.
fn check_places(symbol: &str, stamps: &[&str], expected: &str) {
    let text = format!("{HEADER}{}", rows(symbol, stamps));
    let read = read_bytes("bars.csv", text.as_bytes(), &options()).unwrap();
    assert_eq!(read.reasons(), [""; 0], "{symbol} {stamps:?}");
    let batch = &read.batches[0];
    let bar = batch.bars.last().unwrap();
    assert_eq!(bar.known_at, bar.close_time);
    let found = format!("{} {} {}", batch.timeframe, bar.open_time, bar.close_time);
    assert_eq!(found, expected, "{symbol} {stamps:?}");
}

#[test]
fn stamps_name_bars() {
    check_places("AAPL", &["2019-07-02", "2019-07-03"], "1D 2019-07-03T13:30:00Z 2019-07-03T17:00:00Z");
    check_places(
        "AAPL",
        &["2019-07-01T00:00:00-04:00", "2019-07-02T00:00:00-04:00"],
        "1D 2019-07-02T13:30:00Z 2019-07-02T20:00:00Z",
    );
    check_places(
        "AAPL",
        &["2019-07-01T13:30:00Z", "2019-07-02T13:30:00Z"],
        "1D 2019-07-02T13:30:00Z 2019-07-02T20:00:00Z",
    );
    check_places(
        "AAPL",
        &["2019-07-02T18:30:00Z", "2019-07-02T19:30:00Z"],
        "1h 2019-07-02T19:30:00Z 2019-07-02T20:00:00Z",
    );
    check_places("AAPL", &["2019-07-01", "2019-07-08"], "1W 2019-07-08T13:30:00Z 2019-07-12T20:00:00Z");
    check_places("AAPL", &["2019-09-01", "2019-10-01"], "1M 2019-10-01T13:30:00Z 2019-10-31T20:00:00Z");
    check_places("BTCUSDT", &["2019-07-01", "2019-07-02"], "1D 2019-07-02T00:00:00Z 2019-07-03T00:00:00Z");
    check_places("BTCUSDT", &["2019-07-01", "2019-07-08"], "1W 2019-07-08T00:00:00Z 2019-07-15T00:00:00Z");
    check_places(
        "BTCUSDT",
        &["2019-07-01T00:00:00Z", "2019-07-01T00:01:00Z", "2019-07-01T03:00:00Z"],
        "1m 2019-07-01T03:00:00Z 2019-07-01T03:01:00Z",
    );
}

#[test]
fn symbols_are_taken_by_rule_and_filtered_in_either_spelling() {
    let days = ["2019-07-01", "2019-07-02"];
    let text: String = ["BTCUSDT", "AAPL", "PEPEUSDT"].map(|symbol| rows(symbol, &days)).concat();
    let text = format!("{HEADER}{text}");
    for (wanted, expected) in [
        (&[][..], &["AAPL equity", "BTC coin", "PEPE coin"][..]),
        (&["btc"], &["BTC coin"]),
        (&["BTCUSDT"], &["BTC coin"]),
        (&["pepe", "AAPL"], &["AAPL equity", "PEPE coin"]),
        (&["PEPEUSDT", "ETH"], &["PEPE coin"]),
    ] {
        let symbols = wanted.iter().map(|&symbol| symbol.to_owned()).collect();
        let read = read_bytes("bars.csv", text.as_bytes(), &BarOptions { symbols, ..options() }).unwrap();
        let mut found: Vec<String> =
            read.batches.iter().map(|batch| format!("{} {}", batch.asset.symbol, batch.asset.kind)).collect();
        found.sort();
        assert_eq!(found, expected, "{wanted:?}");
        assert_eq!(read.counts.skipped as usize, 6 - 2 * expected.len());
        assert_eq!(read.refused.len(), 0);
    }
}

#[test]
fn both_spellings_of_one_asset_are_one_series() {
    let text = format!("{HEADER}{}{}", rows("BTC", &["2019-07-01", "2019-07-02"]), rows("BTCUSDT", &["2019-07-02"]));
    let read = read_bytes("bars.csv", text.as_bytes(), &options()).unwrap();
    assert_eq!(read.reasons(), ["4: the same as line 3"]);
}

#[test]
fn options_say_what_the_file_cannot() {
    let text = format!("{HEADER}{}", rows("VIX", &["2019-07-01", "2019-07-02"]));
    let given = BarOptions {
        kind: Some(AssetKind::Index),
        timeframe: Some(Timeframe::D1),
        adjustment: Adjustment::TotalReturn,
        ..options()
    };
    let read = read_bytes("bars.csv", text.as_bytes(), &given).unwrap();
    let batch = &read.batches[0];
    assert_eq!((batch.asset.kind, batch.adjustment), (AssetKind::Index, Adjustment::TotalReturn));
    assert_eq!(read_bytes("bars.csv", text.as_bytes(), &options()).unwrap().batches[0].adjustment, Adjustment::Raw);

    let weekend = format!("{HEADER}{}", rows("BTCUSD", &["2019-07-06", "2019-07-07"]));
    assert_eq!(read_bytes("bars.csv", weekend.as_bytes(), &options()).unwrap().n_bars(), 0);
    let coins = BarOptions { class: Some(AssetClass::Crypto), ..options() };
    assert_eq!(read_bytes("bars.csv", weekend.as_bytes(), &coins).unwrap().n_bars(), 2);
    let series = BarOptions { class: Some(AssetClass::Macro), ..options() };
    let error = read_bytes("bars.csv", weekend.as_bytes(), &series).unwrap_err().to_string();
    assert!(error.ends_with("macro series have no bars; import them as observations"), "{error}");
}

#[test]
fn columns_are_mapped_by_name_in_any_order() {
    let text = "\u{feff}Close,Ticker,note,Date,Open,HIGH,low,Vol\r\n\
        11,AAPL,\"a, \"\"b\"\"\",2019-07-01,10,12,9,5\r\n11,AAPL,,2019-07-02,10,12,9,5\r\n\r\n";
    let columns = ColumnMap::parse(&["symbol=ticker", "timestamp = Date", "volume=Vol"]).unwrap();
    let read = read_bytes("bars.csv", text.as_bytes(), &BarOptions { columns, ..options() }).unwrap();
    assert_eq!(read.reasons(), [""; 0]);
    let bar = read.batches[0].bars[1];
    assert_eq!((bar.open, bar.high, bar.low, bar.close, bar.volume, bar.adj_close), (10.0, 12.0, 9.0, 11.0, 5.0, None));

    for bad in ["symbol", "=x", "symbol="] {
        assert!(ColumnMap::parse(&[bad]).unwrap_err().to_string().contains("field=column is expected"), "{bad}");
    }
    let columns = ColumnMap::parse(&["ticker=symbol"]).unwrap();
    let error = read_bytes("bars.csv", text.as_bytes(), &BarOptions { columns, ..options() }).unwrap_err().to_string();
    assert!(error.starts_with("a column is mapped to \"ticker\", which is no field here"), "{error}");
}

#[test]
fn one_false_time_does_not_cost_the_rest_of_the_file() {
    let mut stamps: Vec<String> = (1..=28).map(|day| format!("2020-02-{day:02}")).collect();
    for (place, wrong) in [(0, "2021-01-01"), (9, "2012-02-10"), (20, "2022-02-21")] {
        stamps[place] = wrong.to_owned();
    }
    let stamps: Vec<&str> = stamps.iter().map(String::as_str).collect();
    let text = format!("{HEADER}{}", rows("BTCUSDT", &stamps));
    let read = read_bytes("bars.csv", text.as_bytes(), &options()).unwrap();
    let lines: Vec<u64> = read.refused.iter().map(|quarantine| quarantine.line).collect();
    assert_eq!((read.n_bars(), lines), (25, vec![2, 11, 22]));
}

/// Reads hours of two coins, one after the other, with `reorder` applied to the rows of each.
fn read_reordered(n: usize, timeframe: Option<Timeframe>, reorder: impl Fn(&mut Vec<String>)) -> super::Read {
    let mut text = HEADER.to_owned();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let stamps = (0..n).map(|i| 1_577_836_800 + 3600 * i).map(|second| second.to_string());
        let mut lines: Vec<String> = stamps.map(|stamp| rows(symbol, &[&stamp])).collect();
        reorder(&mut lines);
        text += &lines.concat();
    }
    read_bytes("bars.csv", text.as_bytes(), &BarOptions { timeframe, ..options() }).unwrap()
}

#[test]
fn a_file_that_begins_with_the_newest_bars_is_read_from_its_end() {
    for n in [2, 400, sources::files::BATCH_ROWS + 7] {
        for timeframe in [None, Some(Timeframe::H1)] {
            let onward = read_reordered(n, timeframe, |_| {});
            let backward = read_reordered(n, timeframe, |lines| lines.reverse());
            assert_eq!((backward.n_bars(), backward.reasons()), (2 * n, Vec::new()));
            let of = |read: &super::Read, symbol: &str| -> Vec<_> {
                let batches = read.batches.iter().filter(|batch| batch.asset.symbol.as_str() == symbol);
                batches.flat_map(|batch| batch.bars.clone()).collect()
            };
            assert!(backward.batches.iter().all(|batch| batch.timeframe == Timeframe::H1));
            assert!(["BTC", "ETH"].iter().all(|symbol| of(&onward, symbol) == of(&backward, symbol)));
            assert!(backward.batches.iter().all(|batch| batch.bars.len() <= sources::files::BATCH_ROWS));
        }
    }
}

#[test]
fn bad_rows_cost_a_file_that_begins_with_the_newest_bars_only_themselves() {
    let read = read_reordered(50, None, |lines| {
        lines.reverse();
        lines[20] = lines[20].replace(",1,", ",nought,");
        let end = lines.len() - 9;
        lines[end] = lines[end].replace(",15", ",18");
    });
    assert_eq!(read.n_bars(), 96, "{:?}", read.reasons());
}

#[test]
fn shuffled_rows_are_refused_row_by_row() {
    let read = read_reordered(100, None, |lines| {
        lines.sort_by_key(|line| line.bytes().map(u32::from).sum::<u32>() * 7919 % 101);
    });
    assert_eq!(read.n_bars() + read.refused.len(), 200);
    assert!(read.refused.len() > 100, "{}", read.refused.len());
}

#[test]
fn a_file_without_symbols_is_of_the_one_it_is_named_after() {
    let text = "Date,Open,High,Low,Close,Adj Close,Volume\n2020-01-02,1,1,1,1,2,5\n2020-01-03,1,1,1,1,2,5\n";
    for (name, expected) in [("VIX.csv", "VIX equity"), ("btcusdt.CSV", "BTC coin"), ("BRK-B.csv", "BRK-B equity")] {
        let read = read_bytes(name, text.as_bytes(), &options()).unwrap();
        assert_eq!((read.n_bars(), read.reasons()), (2, Vec::new()), "{name}");
        let (asset, bar) = (&read.batches[0].asset, read.batches[0].bars[1]);
        assert_eq!(format!("{} {}", asset.symbol, asset.kind), expected);
        assert_eq!(bar.adj_close, Some(2.0));
        let timed = text.replace("Date", "Datetime");
        assert_eq!(read_bytes(name, timed.as_bytes(), &options()).unwrap().n_bars(), 2, "{name}");
    }
    let columns = ColumnMap::parse(&["symbol=ticker"]).unwrap();
    for (name, columns, said) in [
        ("the prices.csv", ColumnMap::default(), "has no column of symbols and is not named after one; it has Date"),
        ("VIX.csv", columns, "has no column \"ticker\" for symbol"),
    ] {
        let error = read_bytes(name, text.as_bytes(), &BarOptions { columns, ..options() }).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn what_a_symbol_was_taken_for_is_said() {
    let text = format!("{HEADER}{}", rows("BTCUSDT-PERP", &["2020-01-01T00:00:00Z", "2020-01-01T00:01:00Z"]));
    let read = read_bytes("bars.csv", text.as_bytes(), &options()).unwrap();
    let reason = "2: no 1m bar of BTCUSDT-PERP opens at 2020-01-01T00:00:00Z: BTCUSDT-PERP is taken for a US stock by its \
        spelling; if it is a coin, import it with --class crypto";
    assert_eq!(read.reasons()[0], reason);
    let coins = BarOptions { class: Some(AssetClass::Crypto), ..options() };
    assert_eq!(read_bytes("bars.csv", text.as_bytes(), &coins).unwrap().n_bars(), 2);
}
