//! The live pipeline on recorded history.

use serde_json::Value;

use crate::bench::{Bench, Ran};
use crate::market::hours;

/// Fifteen weeks of two coins.
pub(crate) fn with_data() -> Bench {
    let bench = Bench::new();
    bench.write("data/btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 2600));
    bench.write("data/eth.csv", hours("ETHUSDT", 2, "2024-01-01T00:00:00Z", 2600));
    bench
}

pub(crate) const REPLAY: [&str; 10] =
    ["replay", "--data", "data", "--timeframe", "1h,4h", "--from", "2024-04-10", "--to", "2024-04-12", "--json"];

/// A home with a short replay of baselines.
pub(crate) fn replayed(run: &str) -> Bench {
    let bench = Bench::new();
    bench.write("data/btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 500));
    let args = ["replay", "--data", "data", "--timeframe", "1h", "--from", "2024-01-15", "--to", "2024-01-16"];
    let ran = bench.run(&[&args[..], &["--run-id", run]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    bench
}

fn replay_with_threads(threads: &str) -> Value {
    let bench = with_data();
    let mut command = bench.command(&[&REPLAY[..], &["--run-id", "same", "--max-rows", "1000"]].concat());
    command.env("RAYON_NUM_THREADS", threads).env("AUSPEX__ENGINE__GATE_MONTHS", "1");
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("trained through"), "no model was trained: {}", ran.stderr);
    let verified = bench.run(&["ledger", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn promise_7_two_processes_write_the_same_ledger_on_any_number_of_threads() {
    let one = replay_with_threads("1");
    let two = replay_with_threads("2");
    assert!(one["issued"].as_u64().unwrap() > 150 && one["resolved"].as_u64().unwrap() > 150, "{one}");
    assert_eq!(one["head"], two["head"]);
}

#[test]
fn the_same_run_goes_on_where_it_ended() {
    let bench = replayed("two-parts");
    let args = [
        "replay",
        "--timeframe",
        "1h",
        "--from",
        "2024-01-15",
        "--to",
        "2024-01-18",
        "--run-id",
        "two-parts",
        "--json",
    ];
    let more = bench.json(&args);
    assert_eq!(more["issued"], 48);
    let verified = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!((&verified[0]["sound"], &verified[0]["missed_slots"]), (&true.into(), &0.into()));
    let nothing = bench.json(&args);
    assert_eq!((&nothing["issued"], &nothing["head"]), (&0.into(), &more["head"]));
}

#[test]
fn runs_have_ledgers_of_their_own_and_can_be_scored() {
    let bench = replayed("first");
    let args = ["replay", "--timeframe", "1h", "--from", "2024-01-15", "--to", "2024-01-16", "--run-id", "second"];
    assert_eq!(bench.run(&args).code, 0);
    // Which one is meant must be said; the latest of an origin can be.
    assert_eq!(bench.run(&["score"]).code, 2);
    let board = bench.json(&["score", "--origin", "replay", "--json"]);
    assert_eq!(board["chain"], "replay/second");
    let line = &board["scoreboard"][0];
    assert_eq!(
        (&line["asset_class"], &line["timeframe"], &line["horizon"]),
        (&"crypto".into(), &"1h".into(), &1.into())
    );
    assert_eq!((&line["n"], &line["verdict"]), (&47.into(), &"not enough evidence".into()));
    let first = bench.json(&["score", "--origin", "replay", "--run", "first", "--json"]);
    assert_eq!(first["scoreboard"], board["scoreboard"]);
    assert_eq!(bench.run(&["score", "--origin", "live"]).code, 1);
}

#[test]
fn a_range_without_data_is_an_error() {
    let bench = replayed("range");
    let ran = bench.run(&["replay", "--from", "2030-01-01", "--to", "2030-01-02"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("nothing to replay"), "{}", ran.stderr);
}
