//! The issue step: what one forecast costs in all, from the closed bar to its entry in the ledger. CPU per forecast.
//!
//! Twenty-five coins with a trained model on a real store. A day closes: its bars are stored and join the panel, matured
//! forecasts are scored, new ones are computed and appended. Beside it the computation alone.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot set up has nothing to measure")]

use std::hint::black_box;

use market::{AssetClass, Bar, Calendar, Timeframe};

#[path = "../../forecast/benches/cpu/mod.rs"]
mod cpu;
#[path = "../tests/it/home.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod home;

use home::{Home, at, key, next_bar, settings, symbol, walk};

const COINS: usize = 25;
const BARS: usize = 1_500;
const DAYS: usize = 120;
const END: &str = "2024-03-01T00:00:00Z";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let names: Vec<String> = (0..COINS).map(|n| format!("C{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let home = Home::with_coins(&names, Timeframe::D1, BARS, at(END)).await;
    let settings = engine::Settings { timeframes: vec![Timeframe::D1], ..settings() };
    let (engine, clock) = home.engine_with(at(END), settings).await;
    engine.train(AssetClass::Crypto, Timeframe::D1).await.unwrap();
    engine.run_once().await.unwrap();
    let mut last: Vec<Bar> = (1..)
        .take(COINS)
        .map(|seed| walk(Calendar::Continuous, Timeframe::D1, BARS, at(END), seed)[BARS - 1])
        .collect();

    let (mut issued, mut resolved) = (0, 0);
    let began = cpu::cpu_seconds().unwrap();
    for day in 0..DAYS {
        for (coin, (name, last)) in names.iter().zip(&mut last).enumerate() {
            let factor = 1.0 + 0.01 * (((day * 7 + coin * 3) % 11) as f64 - 5.0) / 5.0;
            *last = next_bar(&[*last], Timeframe::D1, factor);
            clock.set(last.close_time);
            engine.receive_bars(&key(name, Timeframe::D1), &[*last]).await.unwrap();
        }
        let step = engine.run_once().await.unwrap();
        (issued, resolved) = (issued + step.issued, resolved + step.resolved);
    }
    let seconds = cpu::cpu_seconds().unwrap() - began;
    assert_eq!(issued, COINS * DAYS, "every slot is issued");
    println!(
        "the whole step: {issued} forecasts issued and {resolved} horizons scored in {seconds:.2} s of CPU, {:.2} ms a forecast",
        1e3 * seconds / issued as f64
    );

    let n = 2_000;
    let began = cpu::cpu_seconds().unwrap();
    for at in 0..n {
        black_box(engine.recompute(&symbol(names[at % COINS]), Timeframe::D1).await.unwrap());
    }
    let seconds = cpu::cpu_seconds().unwrap() - began;
    println!(
        "bars, features, models, quantiles, text: {:.2} ms of CPU a forecast, written nowhere",
        1e3 * seconds / n as f64
    );
}
