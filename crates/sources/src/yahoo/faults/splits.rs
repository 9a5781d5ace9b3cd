//! Splits that reached some rows and not others.

use jiff::civil::Date;

use super::{Beside, Ratio, Row};

/// Splits closer to one than this are lost among ordinary moves: 5:4 is seen, 11:10 is not.
const SMALLEST: f64 = 0.2;

/// From this size on a step cannot be taken for a move of the market.
const LARGE: f64 = 0.6;

/// For each split, newest first: rows in other terms than those after it, told by a step of the split's size near its
/// date, are put in these terms; volumes too.
pub(super) fn unapplied(rows: &mut [Row], beside: &Beside) {
    for split in beside.splits.iter().rev() {
        let size = split.shares.ln();
        if size.is_finite() && size.abs() >= SMALLEST {
            apply(rows, beside, *split, size);
        }
    }
}

fn apply(rows: &mut [Row], beside: &Beside, split: Ratio, size: f64) {
    let Some(last) = rows.last() else { return };
    if last.date < split.ex_date {
        for row in rows.iter_mut() {
            let text = "a split is told and no price after it: whether this row stands in its terms cannot be seen";
            row.set_aside(text.to_owned());
        }
        return;
    }
    let large = size.abs() >= LARGE;
    // Vendors and exchanges are days apart on dates, and trading is often suspended around a split.
    let (before, after) = if large { (15, 10) } else { (4, 4) };
    let tolerance = if large { (0.3 * size.abs()).min(0.7) } else { 0.2 * size.abs() };
    let near = |date: Date| (-before..=after).contains(&days_between(split.ex_date, date));
    // Steps between each row and the one before, as powers of the split: +1 up by its size, -1 down by it.
    let mut steps = vec![0_i32; rows.len()];
    for at in 1..rows.len() {
        let (old, new) = (&rows[at - 1], &rows[at]);
        if !near(new.date) {
            continue;
        }
        let paid: f64 = beside.dividends_between(old.date, new.date);
        let ex = old.level() - paid;
        let move_of = |from: f64| (new.level() / from).ln();
        // What a dividend explains is no split.
        let log = if ex > 0.0 { [move_of(old.level()), move_of(ex)] } else { [move_of(old.level()); 2] };
        let matches = |sign: f64| log.iter().all(|log| (log - sign * size).abs() < tolerance);
        steps[at] = i32::from(matches(1.0)) - i32::from(matches(-1.0));
    }
    if steps.iter().all(|step| *step == 0) {
        return;
    }
    // Walk back from the newest row, which is in the terms of now.
    let mut power = vec![0_i32; rows.len()];
    for at in (1..rows.len()).rev() {
        power[at - 1] = power[at] - steps[at];
    }
    let through = power.first().copied().unwrap_or(0);
    let first_step = steps.iter().position(|step| *step != 0).unwrap_or(0);
    for (at, row) in rows.iter_mut().enumerate() {
        let power = power[at];
        let to_the_beginning = at < first_step && through == power;
        match power {
            0 => {}
            // All older rows as if the split had never been, or a few between good ones.
            1 => put_right(row, split, 1, "was not applied"),
            -1 if !to_the_beginning => put_right(row, split, -1, "was applied twice"),
            _ => row.set_aside(format!("prices are off by the split of {} or fell as much", split.ex_date)),
        }
    }
}

fn put_right(row: &mut Row, split: Ratio, power: i32, what: &str) {
    let factor = split.shares.powi(power);
    row.scale_prices(1.0 / factor);
    row.volume *= factor;
    row.repaired(format!("the split of {} ({} for 1) {what}; now it is, once", split.ex_date, split.shares));
}

/// Days from one date to another.
fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

impl Beside {
    /// What was paid by ex-dates after `from` and through `to`.
    fn dividends_between(&self, from: Date, to: Date) -> f64 {
        self.dividends.iter().filter(|paid| from < paid.ex_date && paid.ex_date <= to).map(|paid| paid.amount).sum()
    }
}
