//! The demo as a process.

use serde_json::Value;

use crate::bench::Bench;
use crate::serve::Listening;

#[test]
fn the_demo_issues_and_scores_and_goes_on_after_a_kill() {
    let bench = Bench::new();
    let demo = Listening::start(&bench, &["demo", "--port", "0", "--speed", "6000"], true);
    let health = demo.wait_for("/api/health", 30, |_, body| body.is_object());
    assert!(health["status"].is_string(), "{health}");
    let issued = |status: u16, _: &Value| status == 200;
    let forecast = demo.wait_for("/api/asset/BTC/forecast?timeframe=1h", 60, issued);
    assert_eq!(forecast["origin"], "simulated");
    assert_eq!(forecast["data_source"], "simulated-binance");
    demo.wait_for("/api/asset/BTC/trends?timeframe=1h", 60, |_, body| body["n"].as_u64().is_some_and(|n| n > 0));
    demo.kill();

    let cut = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!(cut[0]["sound"], true, "{cut}");
    let entries = cut[0]["entries"].as_u64().unwrap();
    let demo = Listening::start(&bench, &["demo", "--port", "0", "--speed", "6000"], true);
    demo.wait_for("/api/ledger?limit=1", 60, |_, _| {
        bench.count("SELECT count(*) FROM ledger").is_some_and(|n| n.cast_unsigned() > entries + 50)
    });
    assert_eq!(demo.terminate(), Some(0));
    let whole = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!(whole[0]["sound"], true, "{whole}");
    assert!(whole[0]["entries"].as_u64().unwrap() > entries, "{whole}");
    let other = bench.run(&["demo", "--port", "0", "--seed", "99"]);
    assert!(other.code == 1 && other.stderr.contains("seed"), "{}", other.stderr);
}
