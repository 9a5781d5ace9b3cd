use std::path::Path;

use serde_json::Value;

use super::*;

fn test_data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data/booster").join(name)).unwrap()
}

fn rows(value: &Value) -> Vec<Vec<f32>> {
    let number = |v: &Value| v.as_f64().map_or(f32::NAN, |v| v as f32);
    value.as_array().unwrap().iter().map(|row| row.as_array().unwrap().iter().map(number).collect()).collect()
}

fn bits(booster: &Booster, row: &[f32]) -> Vec<u32> {
    let mut out = vec![0.0; booster.n_outputs()];
    booster.predict(row, &mut out).unwrap();
    out.into_iter().map(f32::to_bits).collect()
}

/// The fixtures were made by `test_data/booster/make.py` with the XGBoost they name.
#[test]
fn models_saved_by_xgboost_predict_its_bits() {
    let expected: Value = serde_json::from_slice(&test_data("expected.json")).unwrap();
    for (name, n_outputs) in [("scale", 1), ("quantiles", 13)] {
        let booster = Booster::decode(&test_data(&format!("{name}.ubj"))).unwrap();
        assert_eq!((booster.n_features(), booster.n_outputs()), (6, n_outputs));
        for (row, told) in rows(&expected["rows"]).iter().zip(expected[name].as_array().unwrap()) {
            let told: Vec<u64> = told.as_array().unwrap().iter().map(|b| b.as_u64().unwrap()).collect();
            let found: Vec<u64> = bits(&booster, row).into_iter().map(u64::from).collect();
            assert_eq!(found, told, "{name} on {row:?}");
        }
    }
}

fn small_table() -> (Vec<Vec<f32>>, Table) {
    let n = 600usize;
    let value = |row: usize, column: usize| ((row * (2 * column + 3) * 37) % 101) as f32 / 101.0;
    let rows: Vec<Vec<f32>> = (0..n)
        .map(|row| (0..4).map(|c| if (row + c) % 11 == 0 { f32::NAN } else { value(row, c) }).collect())
        .collect();
    let labels: Vec<f32> = rows.iter().map(|r| r[0].max(0.0) - r[1].max(0.0) * 0.5 + r[2].max(0.0)).collect();
    let table = Table::new(rows.concat(), 4, &labels).unwrap();
    (rows, table)
}

const SETTINGS: Settings = Settings { loss: Loss::Squares, rounds: 12, rate: 0.2, leaves: 8, leaf_rows: 20.0, seed: 3 };

/// Quantiles of the standard normal distribution at the thirteen levels.
const NORMAL: [f64; 13] = [
    -1.959_964, -1.644_854, -1.281_552, -0.841_621, -0.524_401, -0.253_347, 0.0, 0.253_347, 0.524_401, 0.841_621,
    1.281_552, 1.644_854, 1.959_964,
];

#[test]
fn the_stretch_learned_is_the_one_of_least_crps() {
    // Outcomes that are normal quantiles themselves, twice as wide where the feature is one.
    let n = 4000;
    let wide = |row: usize| (row % 2) as f32;
    let labels: Vec<f32> = (0..n).map(|row| NORMAL[(row / 2 * 7) % 13] as f32 * (1.0 + wide(row))).collect();
    let table = Table::new((0..n).map(wide).collect(), 1, &labels).unwrap();
    let all: Vec<usize> = (0..n).collect();
    let settings = Settings { loss: Loss::Stretch(NORMAL), rounds: 200, leaf_rows: 10.0, ..SETTINGS };
    let booster = Booster::fit(&table, &all, &settings).unwrap();
    let mut stretch = [0.0, 0.0];
    booster.predict(&[0.0], &mut stretch[..1]).unwrap();
    booster.predict(&[1.0], &mut stretch[1..]).unwrap();
    for (kind, found) in stretch.into_iter().enumerate() {
        let outcomes: Vec<f64> = labels.iter().skip(kind).step_by(2).map(|y| f64::from(*y)).collect();
        let loss = |f: f64| outcomes.iter().map(|y| crate::score::crps(&NORMAL.map(|z| z * f.exp()), *y)).sum::<f64>();
        let best = (-50..150).map(|f| f64::from(f) / 100.0).min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap();
        assert!((f64::from(found) - best).abs() < 0.03, "{found} is not {best}");
    }
    assert!((stretch[1] - stretch[0] - 2f32.ln()).abs() < 0.03, "{stretch:?}");
}

#[test]
fn a_written_model_reads_back_to_the_bit() {
    let (rows, table) = small_table();
    let some: Vec<usize> = (0..rows.len()).filter(|r| r % 3 != 0).collect();
    for (name, loss) in [("squares", Loss::Squares), ("levels", Loss::Levels), ("stretch", Loss::Stretch(NORMAL))] {
        let booster = Booster::fit(&table, &some, &Settings { loss, ..SETTINGS }).unwrap();
        let bytes = booster.encode().unwrap();
        let read = Booster::decode(&bytes).unwrap();
        assert_eq!(read.encode().unwrap(), bytes);
        let again = Booster::fit(&table, &some, &Settings { loss, ..SETTINGS }).unwrap();
        assert_eq!(again.encode().unwrap(), bytes, "the same rows and seed make the same model");
        for row in &rows[..50] {
            assert_eq!(bits(&booster, row), bits(&read, row));
        }
        // For `make.py DIR`, which asks XGBoost about our files.
        if let Ok(folder) = std::env::var("AUSPEX_PARITY") {
            let told = serde_json::json!({
                "rows": rows[..50].iter().map(|r| r.iter().map(|v| (!v.is_nan()).then_some(*v)).collect()).collect::<Vec<Vec<_>>>(),
                "bits": rows[..50].iter().map(|r| bits(&booster, r)).collect::<Vec<_>>(),
            });
            std::fs::write(format!("{folder}/{name}.ubj"), &bytes).unwrap();
            std::fs::write(format!("{folder}/{name}.json"), told.to_string()).unwrap();
        }
    }
}

#[test]
fn levels_do_not_cross_and_nonsense_is_refused() {
    let (rows, table) = small_table();
    let all: Vec<usize> = (0..rows.len()).collect();
    let booster = Booster::fit(&table, &all, &Settings { loss: Loss::Levels, ..SETTINGS }).unwrap();
    let mut out = [0.0; 13];
    for row in &rows {
        booster.predict(row, &mut out).unwrap();
        assert!(out.windows(2).all(|w| w[0] <= w[1]), "{out:?}");
    }
    assert!(booster.predict(&rows[0][..3], &mut out).is_err());
    assert!(booster.predict(&[f32::INFINITY, 0.0, 0.0, 0.0], &mut out).is_err());
    assert!(Booster::decode(b"{}").is_err());
    let bytes = booster.encode().unwrap();
    assert!(Booster::decode(&bytes[..bytes.len() / 2]).is_err());
}
