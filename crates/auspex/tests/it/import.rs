//! Files of every condition.

use std::fs;
use std::io::Write as _;

use crate::bench::Bench;
use crate::market::{HEADER, hours, sessions};

#[test]
fn good_files_are_kept_and_the_same_again_changes_nothing() {
    let bench = Bench::new();
    bench.write("data/btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 300));
    let zipped = bench.path("data/new.csv.gz");
    let mut encoder = flate2::write::GzEncoder::new(fs::File::create(zipped).unwrap(), flate2::Compression::fast());
    encoder.write_all(hours("NEWUSDT", 2, "2024-01-01T00:00:00Z", 200).as_bytes()).unwrap();
    encoder.finish().unwrap();

    let first = bench.json(&["import", "bars", "data", "--json"]);
    assert_eq!(first["files"], 2);
    assert_eq!(first["rows"]["kept"], 500);
    assert_eq!((&first["inserted"], &first["rows"]["refused"]), (&500.into(), &0.into()));
    assert_eq!(first["added"], serde_json::json!(["NEW"]));
    let series: Vec<_> = first["series"].as_array().unwrap().iter().map(|s| (&s["symbol"], &s["timeframe"])).collect();
    assert_eq!(series, [(&"BTC".into(), &"1h".into()), (&"NEW".into(), &"1h".into())]);

    let again = bench.json(&["import", "bars", "data", "--json"]);
    assert_eq!((&again["inserted"], &again["unchanged"], &again["revised"]), (&0.into(), &500.into(), &0.into()));
    assert!(!bench.home().join("quarantine").exists());
}

#[test]
fn a_changed_bar_is_known_from_now_on() {
    let bench = Bench::new();
    let text = hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 50);
    bench.write("btc.csv", &text);
    bench.json(&["import", "bars", "btc.csv", "--json"]);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[20] = "BTCUSDT,2024-01-01T19:00:00Z,50,51,49,50.5,50.5,10".to_owned();
    bench.write("btc.csv", lines.join("\n"));
    let changed = bench.json(&["import", "bars", "btc.csv", "--json"]);
    assert_eq!((&changed["revised"], &changed["unchanged"]), (&1.into(), &49.into()));
    assert_eq!(bench.count("SELECT count(*) FROM bars"), Some(51));
}

#[test]
fn two_accounts_of_the_same_bars_do_not_take_turns() {
    let bench = Bench::new();
    let raw = hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 60);
    let adjusted = HEADER.to_owned() + &hours("BTCUSDT", 2, "2024-01-01T00:00:00Z", 90)[HEADER.len()..];
    bench.write("data/a.csv", raw);
    bench.write("data/b.csv", &adjusted);
    let first = bench.json(&["import", "bars", "data", "--json"]);
    assert_eq!((&first["inserted"], &first["revised"]), (&90.into(), &60.into()));
    let rows = || bench.count("SELECT count(*) FROM bars");
    for path in ["data", "data/a.csv", "data/b.csv", "data"] {
        let again = bench.json(&["import", "bars", path, "--json"]);
        assert_eq!((&again["inserted"], &again["revised"]), (&0.into(), &0.into()), "{path}");
        assert_eq!(rows(), Some(150));
    }
    // What neither said before is news still, and outlives both.
    let third = hours("BTCUSDT", 3, "2024-01-01T00:00:00Z", 10);
    bench.write("c.csv", third);
    assert_eq!(bench.json(&["import", "bars", "c.csv", "--json"])["revised"], 10);
    assert_eq!(bench.json(&["import", "bars", "data", "--json"])["revised"], 0);
    assert_eq!(bench.json(&["import", "bars", "c.csv", "--json"])["unchanged"], 10);
    assert_eq!(rows(), Some(160));
}

#[test]
fn an_old_file_undoes_no_later_correction() {
    let bench = Bench::new();
    let vintage = |value: &str| {
        format!("series_id,date,value,realtime_start,realtime_end\nUNRATE,2020-01-01,{value},2020-02-07,9999-12-31\n")
    };
    let split = |numerator: u8| format!("symbol,date,numerator,denominator\nAAPL,2020-08-31,{numerator},1\n");
    for (what, old, new) in [("observations", vintage("3.5"), vintage("3.6")), ("actions", split(5), split(4))] {
        bench.write("old.csv", old);
        bench.write("new.csv", new);
        for (file, outcome) in [
            ("old.csv", "inserted"),
            ("new.csv", "revised"),
            ("old.csv", "unchanged"),
            ("new.csv", "unchanged"),
            ("old.csv", "unchanged"),
        ] {
            assert_eq!(bench.json(&["import", what, file, "--json"])[outcome], 1, "{what} {file}");
        }
    }
}

#[test]
fn bad_rows_are_refused_by_line_and_reason_and_the_rest_is_kept() {
    let bench = Bench::new();
    let rows = [
        "BTCUSDT,2024-01-01T00:00:00Z,100,101,99,100,,5",
        "BTCUSDT,2024-01-01T01:00:00Z,100,101,99,NaN,,5",
        "BTCUSDT,2024-01-01T02:00:00Z,100,101,99,-100,,5",
        "BTCUSDT,2024-01-01T03:00:00Z,100,98,99,100,,5",
        "BTCUSDT,2024-01-01T04:00:00Z,100,101,99,100,,5",
        "BTCUSDT,2024-01-01T04:00:00Z,100,101,99,100,,5",
        "BTCUSDT,2024-01-01T04:00:00Z,100,101,99,100.5,,5",
        "BTCUSDT,2024-01-01T03:00:00Z,100,101,99,100,,5",
        "B T C,2024-01-01T05:00:00Z,100,101,99,100,,5",
        "BTCUSDT,yesterday,100,101,99,100,,5",
        "BTCUSDT,2024-01-01T06:00:00Z,100",
        "BTCUSDT,2024-01-01T07:00:00Z,100,101,99,100,,5",
        "BTCUSDT,2024-01-01T08:00:00Z,100,101,99,100,,5",
    ];
    let good: String = (9..15).map(|hour| format!("BTCUSDT,2024-01-01T{hour:02}:00:00Z,100,101,99,100,,5\n")).collect();
    bench.write("bad.csv", HEADER.to_owned() + &rows.join("\n") + "\n" + &good);
    let summary = bench.json(&["import", "bars", "bad.csv", "--timeframe", "1h", "--json"]);
    assert_eq!((&summary["rows"]["kept"], &summary["rows"]["refused"]), (&10.into(), &9.into()));
    // Holes: 01 to 03 and 05 to 06.
    assert_eq!(summary["series"][0]["open_gaps"], 2);

    let report = fs::read_to_string(summary["quarantine"].as_str().unwrap()).unwrap();
    let mut reader = csv::Reader::from_reader(report.as_bytes());
    let refused: Vec<(String, u64, String, String)> = reader.deserialize().map(Result::unwrap).collect();
    let check = |line: u64, said: &str| {
        let (file, _, reason, row) = refused.iter().find(|(_, at, ..)| *at == line).unwrap();
        assert!(file.ends_with("bad.csv") && reason.contains(said), "line {line}: {reason}");
        assert_eq!(row, rows[line as usize - 2]);
    };
    check(3, "close");
    check(4, "close");
    check(5, "high");
    check(7, "the same as line 6");
    check(8, "other content");
    check(9, "before");
    check(10, "not a symbol");
    check(11, "time");
    check(12, "fields");
}

#[test]
fn a_file_that_is_something_else_is_named_and_the_others_are_kept() {
    let bench = Bench::new();
    bench.write("data/good.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 30));
    bench.write("data/other.csv", "date,weather\n2024-01-01,rain\n");
    bench.write("data/damaged.csv.gz", b"\x1f\x8b\x08\x00not gzip at all");
    let ran = bench.run(&["import", "bars", "data"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("imported 30 bars from 1 files"), "{}", ran.stdout);
    assert!(ran.stderr.contains("other.csv") && ran.stderr.contains("damaged.csv.gz"), "{}", ran.stderr);
    let nothing = bench.run(&["import", "bars", "data/other.csv"]);
    assert_eq!(nothing.code, 1, "{}", nothing.stdout);
}

#[test]
fn nothing_of_an_archive_with_one_flipped_bit_is_stored() {
    let bench = Bench::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 2000).as_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    bench.write("data/btc.csv.gz", bytes);
    bench.write("data/eth.csv", hours("ETHUSDT", 2, "2024-01-01T00:00:00Z", 20));
    let ran = bench.run(&["import", "bars", "data"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("btc.csv.gz is damaged or cut short: "), "{}", ran.stderr);
    assert_eq!(bench.count("SELECT count(*) FROM bars"), Some(20));
}

#[test]
fn series_and_actions_come_in_too() {
    let bench = Bench::new();
    let vintages = "series_id,date,value,realtime_start,realtime_end\n\
        CPIAUCSL,2020-01-01,258.0,2020-02-13,2020-03-11\n\
        CPIAUCSL,2020-01-01,258.1,2020-03-11,9999-12-31\n\
        DGS10,2020-01-01,1.9,2020-01-02,9999-12-31\n";
    bench.write("macro.csv", vintages);
    let series = bench.json(&["import", "observations", "macro.csv", "--json"]);
    assert_eq!((&series["inserted"], &series["unlisted"]), (&3.into(), &serde_json::json!(["DGS10"])));
    // Without vintages a value is known since the file was fetched, so that the same file gives the same rows.
    bench.write("latest.csv", "series_id,date,value\nUNRATE,2020-01-01,3.5\nUNRATE,2020-02-01,3.6\n");
    assert_eq!(bench.json(&["import", "observations", "latest.csv", "--json"])["inserted"], 2);
    assert_eq!(bench.json(&["import", "observations", "latest.csv", "--json"])["unchanged"], 2);
    bench.write("splits.csv", "symbol,date,numerator,denominator\nAAPL,2020-08-31,4,1\n");
    assert_eq!(bench.json(&["import", "actions", "splits.csv", "--json"])["kept"]["actions"], 1);
    assert_eq!(bench.json(&["import", "actions", "splits.csv", "--json"])["unchanged"], 1);
}

#[test]
fn flags_say_what_files_do_not() {
    let bench = Bench::new();
    let text = sessions("^VIX", 3, "2020-01-01T00:00:00Z", 40).replace("timestamp", "Date").replace("symbol", "Ticker");
    bench.write("vix.csv", text);
    let args = ["import", "bars", "vix.csv", "--map", "timestamp=Date", "--map", "symbol=ticker", "--json"];
    let summary = bench.json(&[&args[..], &["--kind", "index", "--source", "cboe", "--adjustment", "split"]].concat());
    assert_eq!(summary["series"][0]["source"], "cboe");
    assert_eq!(summary["series"][0]["adjustment"], "split");
    assert_eq!(summary["series"][0]["timeframe"], "1D");
    bench.write(
        "two.csv",
        hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 9)
            + &hours("ETHUSDT", 1, "2024-01-01T00:00:00Z", 9)[HEADER.len()..],
    );
    let only = bench.json(&["import", "bars", "two.csv", "--symbols", "eth", "--json"]);
    assert_eq!((&only["rows"]["kept"], &only["rows"]["skipped"]), (&9.into(), &9.into()));
}

#[test]
fn more_rows_refused_than_kept_is_a_failure_that_is_said() {
    let bench = Bench::new();
    let rows = |n_bad: usize| {
        let bad = "BTCUSDT,yesterday,100,101,99,100,,5\n".repeat(n_bad);
        hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 10) + &bad
    };
    bench.write("few.csv", rows(10));
    let ran = bench.run(&["import", "bars", "few.csv"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.contains("10 rows refused, see "), "{}", ran.stdout);
    bench.write("many.csv", rows(11));
    let ran = bench.run(&["import", "bars", "few.csv", "many.csv"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, "error: many.csv: 11 rows refused, 10 kept\n"));
    // Bars of stocks that stand in no session.
    bench.write("BTCUSDT-PERP.csv", hours("BTCUSDT-PERP", 1, "2024-01-06T00:00:00Z", 40));
    let ran = bench.run(&["import", "bars", "BTCUSDT-PERP.csv"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("is taken for a US stock") && ran.stdout.contains("--class crypto"), "{}", ran.stdout);
    assert_eq!(bench.run(&["import", "bars", "BTCUSDT-PERP.csv", "--class", "crypto"]).code, 0);
}

#[test]
fn the_report_is_in_the_order_of_the_lines() {
    let bench = Bench::new();
    let mut lines: Vec<String> = [("BTCUSDT", 1), ("ETHUSDT", 2)]
        .iter()
        .flat_map(|(symbol, seed)| {
            hours(symbol, *seed, "2024-01-01T00:00:00Z", 60).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for (line, text) in [
        (7, "BTCUSDT,2023-01-01T00:00:00Z,1,1,1,1,,1"),
        (30, "x"),
        (90, "ETHUSDT,2023-01-01T00:00:00Z,1,1,1,1,,1"),
        (100, "y"),
    ] {
        lines[line - 2] = text.to_owned();
    }
    bench.write("two.csv", HEADER.to_owned() + &lines.join("\n"));
    let summary = bench.json(&["import", "bars", "two.csv", "--json"]);
    let report = fs::read_to_string(summary["quarantine"].as_str().unwrap()).unwrap();
    let at: Vec<&str> = report.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(at, ["7", "30", "90", "100"]);
}

#[test]
fn a_path_is_named_once_and_a_name_that_is_no_text_is_read() {
    let bench = Bench::new();
    bench.write("data/other.csv", "date,weather\n2024-01-01,rain\n");
    let ran = bench.run(&["import", "bars", "data"]);
    assert_eq!((ran.code, ran.stderr.matches("other.csv").count()), (1, 1), "{}", ran.stderr);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let name = std::ffi::OsStr::from_bytes(b"bt\xff.csv");
        fs::create_dir(bench.path("odd")).unwrap();
        fs::write(bench.path("odd").join(name), hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 10) + "x\n").unwrap();
        let read = bench.json(&["import", "bars", "odd", "--json"]);
        assert_eq!((&read["rows"]["kept"], &read["rows"]["refused"]), (&10.into(), &1.into()));
        fs::write(bench.path("odd").join(name), "date,weather\n2024-01-01,rain\n").unwrap();
        assert_eq!(bench.run(&["import", "bars", "odd", "--json"]).code, 1);
    }
}
