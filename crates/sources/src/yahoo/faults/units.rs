//! Pounds among pence: prices a hundred times too large or too small.

use std::f64::consts::LN_2;

use super::{Beside, Row};

/// The logarithm of a hundred.
const HUNDRED: f64 = 4.605_170_185_988_092;

/// A price moves by less than a factor of two in one step, or the step is not judged at all.
const SLACK: f64 = LN_2;

/// The fewest rows of the newest level that say which level is right.
const ENOUGH: usize = 3;

/// +1 when `ratio` is a hundred, -1 when it is a hundredth, as nearly as prices allow.
fn hundreds(ratio: f64) -> i32 {
    let log = ratio.ln();
    if (log.abs() - HUNDRED).abs() < SLACK { if log > 0.0 { 1 } else { -1 } } else { 0 }
}

/// Single prices, or all prices of single rows, between neighbours that agree with each other.
pub(super) fn lone_fields(rows: &mut [Row]) {
    for at in 1..rows.len().saturating_sub(1) {
        let (before, after) = (rows[at - 1].level(), rows[at + 1].level());
        if (before / after).ln().abs() >= SLACK {
            continue;
        }
        let around = (before * after).sqrt();
        let row = &mut rows[at];
        let close = row.close;
        let (mut n_fixed, mut first) = (0, None);
        let mut fix = |price: &mut f64| {
            let off = hundreds(*price / around);
            if off != 0 {
                first.get_or_insert(*price);
                n_fixed += 1;
                *price *= 100_f64.powi(-off);
            }
        };
        for price in [&mut row.open, &mut row.high, &mut row.low, &mut row.close] {
            fix(price);
        }
        let Some(first) = first else { continue };
        row.adjusted = row.adjusted.map(|adjusted| adjusted * (row.close / close));
        if n_fixed < 4 {
            // The wrong price took the place of the low, or of the high, that was there.
            row.low = row.low.min(row.open).min(row.close);
            row.high = row.high.max(row.open).max(row.close);
        }
        row.repaired(format!("{n_fixed} of 4 prices, the first {first}, were a hundred times off between good rows"));
    }
}

/// From one row to the next everything a hundred times larger or smaller.
pub(super) fn steps(rows: &mut [Row], beside: &Beside) {
    let jumps: Vec<i32> = rows.windows(2).map(|pair| hundreds(pair[1].level() / pair[0].level())).collect();
    if jumps.iter().all(|jump| *jump == 0) {
        return;
    }
    // Powers of a hundred of each row against the oldest, and the run of rows of one level each belongs to.
    let mut levels = vec![0_i32; rows.len()];
    let mut runs = vec![0_usize; rows.len()];
    // Of each run its level and how many rows it has: an answer may be nothing but jumps.
    let mut each_run = vec![(0_i32, 1_usize)];
    for (at, jump) in jumps.iter().enumerate() {
        levels[at + 1] = levels[at] + jump;
        runs[at + 1] = runs[at] + usize::from(*jump != 0);
        match each_run.get_mut(runs[at + 1]) {
            Some((_, n_rows)) => *n_rows += 1,
            None => each_run.push((levels[at + 1], 1)),
        }
    }
    // The newest rows that were traded say what is meant: stale rows copy an old price in whatever unit.
    let enough = |at: &usize| each_run[runs[*at]].1 >= ENOUGH;
    let newest = || (0..rows.len()).rev();
    let anchor = newest().find(|at| rows[*at].volume > 0.0 && enough(at));
    let anchor = anchor.or_else(|| newest().find(enough)).unwrap_or(rows.len() - 1);
    let last_run = runs[rows.len() - 1];
    for at in 0..rows.len() {
        let off = levels[at] - levels[anchor];
        if off == 0 {
            continue;
        }
        let run = runs[at];
        let enclosed = run > 0 && run < last_run && each_run[run - 1].0 == each_run[run + 1].0;
        let newer = at > anchor;
        // New rows that trade at another level may be a change of currency that has come to stay.
        let certain = enclosed || (beside.hundredths && !(newer && rows[at].volume > 0.0));
        let row = &mut rows[at];
        if certain {
            row.scale_prices(100_f64.powi(-off));
            let (from, to) = if off < 0 { ("small", "multiplied") } else { ("large", "divided") };
            row.repaired(format!("prices a hundred times too {from} were {to} by 100"));
        } else {
            row.set_aside("prices are a hundred times those of the rows beyond, or a hundredth".to_owned());
        }
    }
}
