//! A year of hourly forecasts of ten coins, made and scored from given models: CPU seconds on one thread.

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::error::Error;

use forecast::score::crps;
use forecast::{FitParams, ModelName, ModelSet};
use market::{AssetClass, AssetKind, Timeframe};

#[path = "cpu/mod.rs"]
mod cpu;
#[path = "../tests/it/generated.rs"]
mod generated;

const COINS: usize = 10;
const HISTORY: usize = 6_000;
const YEAR: usize = 8_760;
const HORIZONS: [u32; 3] = [1, 4, 24];

fn main() -> Result<(), Box<dyn Error>> {
    let market =
        generated::Market::new(AssetClass::Crypto, Timeframe::H1, &[AssetKind::Coin; COINS], HISTORY + YEAR + 24, 2);
    let panel = market.panel();
    let through = Some(panel.close_time(0, HISTORY - 1));
    let set = ModelSet::fit(&panel, &FitParams { through, max_rows: 20_000, ..FitParams::default() })?;
    for (name, models) in [("all models", &ModelName::ALL[..]), ("boosted_scale", &[ModelName::BoostedScale])] {
        let began = cpu::cpu_seconds()?;
        let (mut total, mut n) = (0.0, 0_usize);
        for asset in 0..COINS {
            for row in HISTORY..HISTORY + YEAR {
                for said in set.predict_all(&panel, asset, row, models, &HORIZONS)? {
                    let change = panel.log_return(asset, row, row + said.horizon_bars as usize);
                    total += crps(said.quantiles.values(), change);
                    n += 1;
                }
            }
        }
        let seconds = cpu::cpu_seconds()? - began;
        println!(
            "a year of hours of {COINS} coins, {name}: {n} forecasts made and scored in {seconds:.2} s of CPU, {:.1} µs each; mean CRPS {:.6}",
            1e6 * seconds / n as f64,
            total / n as f64
        );
    }
    Ok(())
}
