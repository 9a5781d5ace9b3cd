//! Dividends that are a hundred times too large or small, told twice, or forgotten in the adjusted closes.

use jiff::civil::Date;
use market::RemarkKind;

use super::{Finding, Row};

/// A cash dividend, in the terms of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Payout {
    /// The ex-date.
    pub ex_date: Date,
    /// Amount per share.
    pub amount: f64,
    /// What was found; a dividend set aside is not to be used.
    pub finding: Option<Finding>,
}

impl Payout {
    fn found(&mut self, kind: RemarkKind, text: String) {
        self.finding = Some(Finding { kind, text });
    }

    fn is_set_aside(&self) -> bool {
        self.finding.as_ref().is_some_and(|finding| finding.kind == RemarkKind::Quarantined)
    }
}

/// A larger part of the price than this must show in the price.
const LARGE: f64 = 0.2;

/// Adjusted closes are 32-bit floats: a smaller part of the price cannot be seen in them.
const SMALLEST: f64 = 2e-4;

/// The days of an ex-date as prices tell them.
struct Around {
    /// The close before, in the terms of the amount.
    close: f64,
    /// By which part the price fell over the ex-date's session.
    fell: f64,
    /// The part of the price the adjusted closes take for the dividend.
    implied: Option<f64>,
}

/// Holds dividends, ascending by ex-date, against daily rows, ascending.
pub fn check_dividends(dividends: &mut [Payout], rows: &[Row]) {
    for paid in dividends.iter_mut() {
        if let Some(around) = around(rows, paid.ex_date) {
            check(paid, &around);
        }
    }
    for later in 1..dividends.len() {
        let (earlier, later) = (later - 1, later);
        let close = |a: f64, b: f64| (a / b).ln().abs() < 0.15;
        let days = dividends[earlier].ex_date.until(dividends[later].ex_date).map_or(i32::MAX, |span| span.get_days());
        let twice = days <= 7 && close(dividends[earlier].amount, dividends[later].amount);
        if !twice || dividends[earlier].is_set_aside() || dividends[later].is_set_aside() {
            continue;
        }
        // The one whose session fell by nearly as much is the one that was paid.
        let miss = |paid: &Payout| {
            around(rows, paid.ex_date).map_or(f64::INFINITY, |around| (around.fell - paid.amount / around.close).abs())
        };
        let (kept, dropped) =
            if miss(&dividends[later]) < miss(&dividends[earlier]) { (later, earlier) } else { (earlier, later) };
        let kept = dividends[kept].ex_date;
        let dropped = &mut dividends[dropped];
        let text = format!("a dividend of {} so near that of {kept} looks like the same one again", dropped.amount);
        dropped.found(RemarkKind::Quarantined, text);
    }
}

fn check(paid: &mut Payout, around: &Around) {
    let amount = paid.amount;
    let part = amount / around.close;
    let is = |implied: f64, part: f64| (implied - part).abs() < (0.03 * part).max(2e-6);
    if let Some(implied) = around.implied.filter(|implied| *implied > SMALLEST) {
        for factor in [0.01, 100.0] {
            if is(implied, part * factor) && !is(implied, part) {
                paid.amount *= factor;
                let text = format!(
                    "a dividend of {amount} was taken as {}: the vendor's own adjusted closes take that much",
                    paid.amount
                );
                paid.found(RemarkKind::Repaired, text);
                return;
            }
        }
    }
    if part >= 1.0 {
        let text = format!("a dividend of {amount} is more than the close before, {}", around.close);
        paid.found(RemarkKind::Quarantined, text);
    } else if part >= LARGE && around.fell < part / 2.0 {
        let text = format!("a dividend of {amount} on a close of {} did not show in the price", around.close);
        paid.found(RemarkKind::Quarantined, text);
    } else if part > 5.0 * SMALLEST && around.implied.is_some_and(|implied| implied < 0.1 * part) {
        let text = format!("the adjusted closes leave out the dividend of {amount}; it was taken all the same");
        paid.found(RemarkKind::Repaired, text);
    }
}

fn around(rows: &[Row], ex_date: Date) -> Option<Around> {
    let at = rows.partition_point(|row| row.date < ex_date);
    let (before, after) = (rows.get(at.checked_sub(1)?)?, rows.get(at)?);
    let rate = |row: &Row| Some(row.adjusted? / row.close);
    let implied = rate(before).zip(rate(after)).map(|(before, after)| 1.0 - before / after);
    Some(Around { close: before.close, fell: 1.0 - after.close / before.close, implied })
}
