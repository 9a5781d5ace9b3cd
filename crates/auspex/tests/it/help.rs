//! What `--help` says, and what wrong usage gives.

use crate::bench::Bench;

fn help(args: &[&str]) -> String {
    let ran = Bench::new().run(args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

#[test]
fn the_commands_are_listed() {
    insta::assert_snapshot!("help", help(&["--help"]));
}

#[test]
fn commands_explain_themselves() {
    insta::assert_snapshot!("help_import_bars", help(&["import", "bars", "--help"]));
    insta::assert_snapshot!("help_backtest", help(&["backtest", "--help"]));
}

#[test]
fn every_command_has_examples() {
    let commands: &[&[&str]] = &[
        &["demo"],
        &["serve"],
        &["simulate"],
        &["import"],
        &["import", "observations"],
        &["import", "actions"],
        &["train"],
        &["forecast"],
        &["replay"],
        &["score"],
        &["ledger"],
        &["ledger", "verify"],
        &["ledger", "export"],
        &["ledger", "rederive"],
        &["ledger", "checkpoint"],
        &["doctor"],
        &["config"],
    ];
    for command in commands {
        let text = help(&[command, &["--help"][..]].concat());
        assert!(text.contains("Examples:\n  auspex "), "{command:?} shows no example");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let bench = Bench::new();
    bench.write("x.csv", crate::market::hours("BTCUSDT", 1, "2024-01-01T00:00:00Z", 3));
    assert_eq!(bench.run(&["import", "bars", "x.csv"]).code, 0);
    let check = |args: &[&str], said: &str| {
        let ran = bench.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    };
    check(&[], "Usage");
    check(&["frobnicate"], "unrecognized subcommand");
    check(&["import", "bars"], "PATH");
    check(&["import", "bars", "nowhere.csv"], "nowhere.csv");
    check(&["import", "bars", "x.csv", "--map", "timestamp"], "field=column");
    check(&["import", "bars", "x.csv", "--adjustment", "none"], "adjustment");
    check(&["forecast", "NOPE"], "NOPE is not in the universe");
    check(&["backtest", "--symbols", "BTC", "--from", "2024-02-01", "--to", "2024-01-01"], "after");
    check(
        &["backtest", "--symbols", "BTC", "--from", "2024-01-01", "--to", "2024-01-01", "--models", "magic"],
        "magic",
    );
    check(&["backtest", "--class", "macro", "--from", "2024-01-01", "--to", "2024-01-02"], "vintages");
    check(&["replay", "--from", "2024-01-01", "--to", "2024-01-02", "--speed", "0"], "positive");
    check(&["ledger", "rederive", "xyz"], "no id");
}
