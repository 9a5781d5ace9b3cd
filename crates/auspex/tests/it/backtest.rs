//! Backtests and forecasts on the command line.

use std::fs;

use crate::bench::Bench;
use crate::market::{hours, sessions};

#[test]
fn a_backtest_writes_what_the_scoring_script_reads() {
    let bench = Bench::new();
    for (seed, symbol) in (1..).zip(["AAPL", "MSFT", "BRK-B"]) {
        bench.write(&format!("data/{symbol}.csv"), sessions(symbol, seed, "2018-01-01T00:00:00Z", 700));
    }
    assert_eq!(bench.run(&["import", "bars", "data", "--adjustment", "total_return"]).code, 0);
    let (csv, json) = (bench.path("csv"), bench.path("out.json"));
    let range = ["--from", "2020-03-02", "--to", "2020-03-31"];
    let args = ["backtest", "--symbols", "AAPL,BRK-B", "--horizons", "1,5", "--models", "naive,ewma,har"];
    let out = ["--csv", csv.to_str().unwrap(), "--json", json.to_str().unwrap()];
    let ran = bench.run(&[&args[..], &range, &out].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("crps bp") && ran.stdout.contains("har"), "{}", ran.stdout);

    let mut names: Vec<String> =
        fs::read_dir(&csv).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["ewma.csv", "har.csv", "naive.csv"]);
    let text = fs::read_to_string(csv.join("har.csv")).unwrap();
    let mut lines = text.lines();
    let header = "symbol,as_of,horizon,target_time,current_price,q0.025,q0.05,q0.1,q0.2,q0.3,q0.4,q0.5,q0.6,q0.7,q0.8,\
                  q0.9,q0.95,q0.975,p_up";
    assert_eq!(lines.next(), Some(header));
    // March 2020 had 22 sessions; every one of them is forecast from, at both horizons, for both symbols.
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 22 * 2 * 2);
    assert_eq!(rows[0][..4], ["AAPL", "2020-03-02T00:00:00Z", "1D", "2020-03-03T00:00:00Z"]);
    let last = rows.last().unwrap();
    assert_eq!(last[..4], ["BRK-B", "2020-03-31T00:00:00Z", "5D", "2020-04-07T00:00:00Z"]);
    let bars = fs::read_to_string(bench.path("data/AAPL.csv")).unwrap();
    let close = bars.lines().find(|line| line.contains("2020-03-02")).unwrap().split(',').nth(5).unwrap();
    assert_eq!(rows[0][4].parse::<f64>().unwrap(), close.parse::<f64>().unwrap());
    for row in &rows {
        let quantiles: Vec<f64> = row[5..18].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!(quantiles.is_sorted(), "{row:?}");
        assert!((0.0..=1.0).contains(&row[18].parse::<f64>().unwrap()));
    }

    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let (naive, har) = (&json["models"]["naive"]["1D"], &json["models"]["har"]["5D"]);
    assert_eq!((&naive["n"], &har["n"]), (&44.into(), &44.into()));
    // The reference is the naive model itself.
    assert!(naive["skill"].as_f64().unwrap().abs() < 1e-9, "{naive}");
    for key in
        ["crps", "pinball", "crps_naive", "skill", "cov80", "width95", "winkler80", "level_error", "hit", "logloss"]
    {
        assert!(har[key].as_f64().is_some_and(f64::is_finite), "{key} in {har}");
    }
}

#[test]
fn a_backtest_needs_something_to_train_on() {
    let bench = Bench::new();
    bench.write("btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 100));
    assert_eq!(bench.run(&["import", "bars", "btc.csv"]).code, 0);
    let check = |args: &[&str], said: &str| {
        let ran = bench.run(&[&["backtest", "--from", "2024-01-03", "--to", "2024-01-04"], args].concat());
        assert_eq!(ran.code, 1, "{args:?}: {}", ran.stdout);
        assert!(ran.stderr.contains(said) && ran.stderr.starts_with("error: "), "{args:?}: {}", ran.stderr);
    };
    check(&["--class", "stocks"], "nothing to train on");
    check(&["--symbols", "ETH", "--timeframe", "1h"], "no 1h bars of ETH");
    check(&["--symbols", "BTC", "--timeframe", "1h"], "not enough history");
}

#[test]
fn a_forecast_says_what_it_is_made_of_and_leaves_no_trace() {
    let bench = Bench::new();
    bench.write("btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 400));
    assert_eq!(bench.run(&["import", "bars", "btc.csv", "--source", "files"]).code, 0);
    let text = bench.run(&["forecast", "BTCUSDT", "--timeframe", "1h"]);
    assert_eq!(text.code, 0, "{}", text.stderr);
    for said in ["BTC 1h", "naive baseline", "prices of files", "out of date", "P(up)", "2024-01-17T17:00:00Z"] {
        assert!(text.stdout.contains(said), "{said} is not in {}", text.stdout);
    }
    let json = bench.json(&["forecast", "btc", "--timeframe", "1h", "--json"]);
    assert_eq!(json["as_of"], "2024-01-17T16:00:00Z");
    assert_eq!((&json["model"]["kind"], &json["stale"]), (&"baseline".into(), &true.into()));
    assert_eq!(json["horizons"].as_array().unwrap().len(), 13);
    assert_eq!(bench.count("SELECT count(*) FROM ledger"), Some(0));

    assert_eq!(bench.run(&["forecast", "BTC", "--timeframe", "5m"]).code, 2);
    let without = bench.run(&["forecast", "ETH"]);
    assert_eq!(without.code, 1);
    assert!(without.stderr.contains("no 1D bars of ETH are stored"), "{}", without.stderr);
}
