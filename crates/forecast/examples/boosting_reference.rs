//! Trains the product's two kinds of booster on a generated matrix and writes everything a reference needs to do the same.
//!
//! ```sh
//! cargo run --release -p forecast --example boosting_reference -- OUT_DIR
//! ```
//!
//! `scripts/parity` runs this and XGBoost on the same matrix with the same parameters, compares the predictions and prints
//! the ratio of CPU seconds.

use std::io::Write;
use std::path::Path;

use hessboost::config::{GrowPolicy, LeafEstimation};
use hessboost::objective::Quantiles;
use hessboost::prelude::*;
use market::LEVELS;
use rand::{RngExt, SeedableRng};

#[path = "../benches/cpu/mod.rs"]
mod cpu;

const ROWS: usize = 40_000;
const COLUMNS: usize = 90;
const SHOWN: usize = 2000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: boosting_reference OUT_DIR")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let mut draws = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    // On a grid of 61 values both engines find the same cuts: their sketches of a continuum differ in the last of 64 bins.
    let x: Vec<f32> =
        (0..ROWS * COLUMNS).map(|_| draws.random_range(-30_i8..=30)).map(|at| f32::from(at) / 30.0).collect();
    let y: Vec<f32> = x
        .chunks_exact(COLUMNS)
        .map(|row| row[0] + 0.5 * row[1] * row[2] + (row[3] * 3.0).sin() * 0.3 + draws.random_range(-0.5_f32..0.5))
        .collect();
    write(&folder.join("x.f32"), &x)?;
    write(&folder.join("y.f32"), &y)?;
    let kinds = [
        ("squares", Objective::SquaredError(RegLoss::default()), 150, 15),
        ("levels", Objective::Quantile(Quantiles::new(LEVELS)?), 60, 8),
    ];
    for (name, objective, rounds, leaves) in kinds {
        let matrix = DMatrix::from_dense(&x, ROWS, COLUMNS)?.with_labels(&y)?;
        // No sampling of rows and columns: the two engines draw differently, and bits are compared.
        let params = TrainingParams::builder()
            .objective(objective)
            .tree_method(TreeMethod::Hist)
            .grow_policy(GrowPolicy::LossGuide)
            .unlimited_depth()
            .max_leaves(leaves)
            .eta(0.05)
            .lambda(5.0)
            .min_child_weight(200.0)
            .max_bin(64)
            // As the product does: leaves of levels are quantiles of their rows.
            .leaf_estimation(if name == "levels" { LeafEstimation::Exact } else { LeafEstimation::Newton })
            .seed(7)
            .nthread(1)
            .build()?;
        let began = cpu::cpu_seconds()?;
        let model = train(&params, &matrix, rounds)?;
        let seconds = cpu::cpu_seconds()? - began;
        let shown = DMatrix::from_dense(&x[..SHOWN * COLUMNS], SHOWN, COLUMNS)?;
        let predictions = model.predict(&shown, Iterations::Best)?;
        write(&folder.join(format!("{name}.f32")), predictions.as_slice())?;
        model.save(folder.join(format!("{name}.ubj")), ModelFormat::XgboostUbjson)?;
        let report = format!(
            "{{\"rounds\":{rounds},\"leaves\":{leaves},\"seconds\":{seconds},\"rows\":{ROWS},\"columns\":{COLUMNS},\"shown\":{SHOWN}}}\n"
        );
        std::fs::write(folder.join(format!("{name}.json")), report)?;
    }
    Ok(())
}

fn write(path: &Path, values: &[f32]) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for value in values {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()
}
