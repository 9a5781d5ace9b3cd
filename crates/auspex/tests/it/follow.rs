//! `serve` follows `simulate`: two processes, the settings between them, and nothing else.

use serde_json::Value;

use crate::bench::Bench;
use crate::serve::Listening;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Points a home at a simulated market.
fn follow(bench: &Bench, market: &str) {
    let settings = format!(
        "[engine]\nmax_rows = 1000\ngate_months = 1\n\n[sources]\nenabled = [\"binance\", \"binanceus\", \"yahoo\", \"daily_csv\", \"fred\"]\n\
         crypto_minutes = []\nhours_days = 60\ndays_days = 500\nfred_api_key = \"simulated0simulated0simulated0si\"\n\n\
         [sources.binance]\nrest = [\"{market}\"]\nstreams = [\"{market}\"]\n\n[sources.binanceus]\nrest = [\"{market}/binanceus\"]\nstreams = [\"{market}/binanceus\"]\n\n\
         [sources.yahoo]\nquery = [\"{market}\"]\n\n[sources.fred]\napi = \"{market}\"\n\n[sources.daily_csv]\nurl = \"{market}\"\n"
    );
    std::fs::create_dir_all(bench.home()).unwrap();
    std::fs::write(bench.home().join("auspex.toml"), settings).unwrap();
}

#[test]
fn promise_4_what_is_followed_by_settings_alone_makes_a_simulated_ledger() {
    let market =
        Listening::start(&Bench::new(), &["simulate", "--port", "0", "--speed", "120", "--run", "trial"], true);
    let bench = Bench::following();
    follow(&bench, &market.url);
    let serve = Listening::start(&bench, &["serve", "--port", "0"], false);
    let healthy = |body: &Value| {
        let sources = body["services"]["external_apis"].as_object();
        sources.is_some_and(|sources| sources.len() == 5 && sources.values().all(|state| state == "healthy"))
    };
    let health = serve.wait_for("/api/health", 120, |_, body| healthy(body));
    assert_eq!(health["origin"], "simulated", "{health}");
    let quality = serve.wait_for("/api/assets/BTC/quality", 120, |_, body| {
        body["series"].as_array().is_some_and(|series| series.iter().filter(|s| s["in_use"] == true).count() >= 2)
    });
    for series in quality["series"].as_array().unwrap() {
        let source = series["data_source"].as_str().unwrap();
        assert!(source.starts_with("simulated-"), "{series}");
    }
    let all = |class: &str, n: usize| {
        serve.wait_for(&format!("/api/market/summary?class={class}&limit=50"), 120, |_, body| {
            let priced = |asset: &&Value| asset["current_price"].is_number();
            body["assets"].as_array().is_some_and(|assets| assets.iter().filter(priced).count() == n)
        });
    };
    all("crypto", 10);
    all("stocks", 10);
    all("macro", 5);
    assert_eq!(serve.terminate(), Some(0));

    // Started anew the market begins again, and its ledger does not.
    assert_eq!(market.terminate(), Some(0));
    let chains = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!(chains[0]["chain"], "simulated/trial", "{chains}");
    assert_eq!(chains[0]["sound"], true, "{chains}");
    let market = Listening::start(&Bench::new(), &["simulate", "--port", "0", "--run", "trial"], true);
    follow(&bench, &market.url);
    let ran = bench.run(&["serve", "--port", "0"]);
    assert!(ran.code == 1 && ran.stderr.contains("another --run"), "{}", ran.stderr);
    market.terminate();

    // What a simulated market told is not gone on with by a real one.
    follow(&bench, NOWHERE);
    let ran = bench.run(&["serve", "--port", "0"]);
    assert!(ran.code == 1 && ran.stderr.contains("another --home"), "{}", ran.stderr);
}

#[test]
fn promise_8_without_any_network_it_serves_what_it_has_and_says_so() {
    let bench = Bench::following();
    follow(&bench, NOWHERE);
    let serve = Listening::start(&bench, &["serve", "--port", "0"], false);
    // The one that stands behind another has not been asked yet.
    let asked = ["binance", "binanceus", "yahoo", "fred"];
    let health = serve.wait_for("/api/health", 60, |_, body| {
        asked.iter().all(|source| body["services"]["external_apis"][source] == "unhealthy")
    });
    assert_eq!(health["origin"], "live");
    let details = health["details"].to_string();
    assert!(details.contains("127.0.0.1:9 cannot be reached"), "{details}");
    let (status, body) = serve.get("/api/asset/BTC/forecast?timeframe=1h");
    assert_eq!(status, 503, "{body}");
    let (status, _) = serve.get("/readyz");
    assert_eq!(status, 200);
    assert_eq!(serve.terminate(), Some(0));
}
