//! Killed without a word, and started again.

use std::io::{BufRead as _, BufReader};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Ran};
use crate::market::hours;
use crate::replay::with_data;

/// Waits until something is so, kills the process, and says whether it was caught alive.
fn kill_when(bench: &Bench, args: &[&str], so: impl Fn() -> bool) -> bool {
    let mut child = bench.start(args);
    let begun = Instant::now();
    while !so() && child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60) {
        thread::yield_now();
    }
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    alive
}

#[test]
fn a_killed_import_is_continued() {
    let bench = Bench::new();
    for seed in 0..6_u64 {
        let symbol = format!("C{seed}USDT");
        bench.write(&format!("data/{seed}.csv"), hours(&symbol, seed, "2020-01-01T00:00:00Z", 22_000));
    }
    let rows = 6 * 22_000;
    let some = || bench.count("SELECT count(*) FROM bars").is_some_and(|n| n > 0);
    assert!(kill_when(&bench, &["import", "bars", "data"], some), "it was over before it could be killed");
    let kept = bench.count("SELECT count(*) FROM bars").unwrap();
    assert!(kept > 0 && kept < rows, "{kept}");

    let again = bench.json(&["import", "bars", "data", "--json"]);
    assert_eq!((&again["unchanged"], &again["inserted"]), (&kept.into(), &(rows - kept).into()));
    assert_eq!(bench.count("SELECT count(*) FROM bars"), Some(rows));
    assert_eq!(bench.count("SELECT sum(n_bars) FROM series"), Some(rows));
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_says_what_it_kept_and_is_continued() {
    let bench = Bench::new();
    for seed in 0..6_u64 {
        let symbol = format!("C{seed}USDT");
        bench.write(&format!("data/{seed}.csv"), hours(&symbol, seed, "2020-01-01T00:00:00Z", 22_000));
    }
    let rows = 6 * 22_000;
    let child = bench.start(&["import", "bars", "data", "--json"]);
    while bench.count("SELECT count(*) FROM bars").is_none_or(|n| n == 0) {
        thread::yield_now();
    }
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("the same command again goes on from there"), "{}", ran.stderr);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let kept = bench.count("SELECT count(*) FROM bars").unwrap();
    assert!(kept < rows, "{kept}");
    assert_eq!(
        (&said["interrupted"], &said["rows"]["kept"], &said["inserted"]),
        (&true.into(), &kept.into(), &kept.into())
    );

    let again = bench.json(&["import", "bars", "data", "--json"]);
    assert_eq!((&again["unchanged"], &again["inserted"]), (&kept.into(), &(rows - kept).into()));
}

#[test]
fn a_killed_training_leaves_nothing_behind() {
    let bench = with_data();
    assert_eq!(bench.run(&["import", "bars", "data"]).code, 0);
    let mut child = bench.start(&["train", "--timeframe", "1h", "--log", "info"]);
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("training crypto 1h")), "it did not begin to train");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bench.count("SELECT count(*) FROM models"), Some(0));
    assert_eq!(bench.count("SELECT count(*) FROM ledger"), Some(0));

    let mut train = bench.command(&["train", "--timeframe", "1h", "--json"]);
    train.env("AUSPEX__ENGINE__GATE_MONTHS", "1").env("AUSPEX__ENGINE__MAX_ROWS", "1000");
    let trained = Ran::of(train.output().unwrap());
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let trained: serde_json::Value = serde_json::from_str(&trained.stdout).unwrap();
    assert_eq!(trained[0]["model_id"].as_str().map(str::len), Some(16), "{trained}");
    assert_eq!(bench.count("SELECT count(*) FROM models"), Some(1));
    let verified = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!((&verified[0]["sound"], &verified[0]["chain"]), (&true.into(), &"live".into()));
}

#[test]
fn a_killed_replay_leaves_a_sound_ledger_and_goes_on() {
    let bench = Bench::new();
    bench.write("data/btc.csv", hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 1000));
    let args = [
        "replay",
        "--data",
        "data",
        "--timeframe",
        "1h",
        "--from",
        "2024-01-15",
        "--to",
        "2024-02-05",
        "--run-id",
        "cut",
    ];
    let some = || bench.count("SELECT count(*) FROM ledger").is_some_and(|n| n > 100);
    assert!(kill_when(&bench, &args, some), "it was over before it could be killed");
    let cut = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!(cut[0]["sound"], true, "{cut}");
    let entries = cut[0]["entries"].as_u64().unwrap();

    assert_eq!(bench.run(&args).code, 0);
    let whole = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!((&whole[0]["sound"], &whole[0]["missed_slots"]), (&true.into(), &0.into()), "{whole}");
    assert!(whole[0]["entries"].as_u64().unwrap() > entries);
    // Every hour of the range has its forecast: none twice, none lost.
    assert_eq!(whole[0]["forecasts"], 22 * 24);
}
