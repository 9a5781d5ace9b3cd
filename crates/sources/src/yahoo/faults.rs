//! The vendor's known faults in rows of prices, found by what rows say of each other.
//!
//! A row is put right only where the rows around it leave no doubt what was meant; what looks wrong and could be true is
//! set aside. All of it works in the vendor's own terms, adjusted for splits, before they are undone.

mod dividends;
mod splits;
mod units;

use jiff::civil::Date;
use market::RemarkKind;

pub use dividends::{Payout, check_dividends};

/// A row as the vendor tells it: positive prices in the terms of the newest split.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The trading date.
    pub date: Date,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Shares.
    pub volume: f64,
    /// The close less everything later splits and dividends took.
    pub adjusted: Option<f64>,
    /// What was found; a row set aside is not to be used.
    pub finding: Option<Finding>,
}

/// What was found wrong with a row or a dividend.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// [`RemarkKind::Repaired`] or [`RemarkKind::Quarantined`].
    pub kind: RemarkKind,
    /// What was there and what was done.
    pub text: String,
}

/// A split, in the terms of the calendar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ex-date.
    pub ex_date: Date,
    /// New shares for one old share: 4 for 4:1, 0.1 for 1:10.
    pub shares: f64,
}

/// What is known beside the rows.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Splits, ascending.
    pub splits: Vec<Ratio>,
    /// Dividends, ascending, in the terms of the rows.
    pub dividends: Vec<Payout>,
    /// Whether the currency has hundredths in which prices are quoted, so that a mix-up of the two is to be expected.
    pub hundredths: bool,
}

/// Finds faults in `rows`, which ascend in time, and puts right what can be. Each row touched says so in `finding`.
pub fn repair(rows: &mut [Row], beside: &Beside) {
    units::lone_fields(rows);
    splits::unapplied(rows, beside);
    units::steps(rows, beside);
    inconsistent(rows);
}

/// Rows whose prices cannot all be true. Which one is wrong nobody can say.
fn inconsistent(rows: &mut [Row]) {
    for row in rows.iter_mut() {
        let (top, bottom) = (row.open.max(row.close), row.open.min(row.close));
        // What the number format loses is no contradiction.
        let slack = 2e-6 * top;
        if row.high >= top - slack && row.low <= bottom + slack && row.high >= row.low {
            row.high = row.high.max(top);
            row.low = row.low.min(bottom);
        } else {
            let (high, low) = (row.high, row.low);
            row.set_aside(format!("open {} or close {} lie outside low {low} and high {high}", row.open, row.close));
        }
    }
}

impl Row {
    /// A price that stands for the row.
    fn level(&self) -> f64 {
        (self.open + self.high + self.low + self.close) / 4.0
    }

    fn scale_prices(&mut self, factor: f64) {
        for price in [&mut self.open, &mut self.high, &mut self.low, &mut self.close] {
            *price *= factor;
        }
        self.adjusted = self.adjusted.map(|price| price * factor);
    }

    fn repaired(&mut self, text: String) {
        match &mut self.finding {
            Some(finding) => finding.text = format!("{}; {text}", finding.text),
            None => self.finding = Some(Finding { kind: RemarkKind::Repaired, text }),
        }
    }

    fn set_aside(&mut self, text: String) {
        self.finding = Some(Finding { kind: RemarkKind::Quarantined, text });
    }
}
