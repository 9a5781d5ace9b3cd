//! Price adjustments: raw prices are stored, other views are derived.

use jiff::Timestamp;
use thiserror::Error;

use crate::action::{Action, ActionKind};
use crate::bar::Bar;
use crate::symbol::text_enum;

/// How prices are adjusted for corporate actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Adjustment {
    /// As traded.
    Raw,
    /// Splits removed.
    Split,
    /// Splits and dividends removed.
    TotalReturn,
}

text_enum!(Adjustment, "adjustment", { Raw = "raw", Split = "split", TotalReturn = "total_return" });

/// A view that cannot be derived from what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a {wanted} view cannot be derived from {stored} bars")]
pub struct ViewError {
    stored: Adjustment,
    wanted: Adjustment,
}

/// Turns `bars` stored as `stored` into the `wanted` view, in place, reading only actions known at `as_of`.
///
/// Prices before an action are brought to the terms in force at `as_of`; the newest bar keeps its price. The volume moves
/// the other way with splits. `bars` ascend by `open_time`. A total-return view is taken from the vendor's adjusted close
/// when every bar has one, else from the splits and dividends among `actions`.
///
/// # Errors
/// When the view cannot be derived: adjustments are not undone.
pub fn view(
    bars: &mut [Bar],
    stored: Adjustment,
    wanted: Adjustment,
    actions: &[Action],
    as_of: Timestamp,
) -> Result<(), ViewError> {
    if stored == wanted {
        return Ok(());
    }
    if stored > wanted {
        return Err(ViewError { stored, wanted });
    }
    if wanted == Adjustment::TotalReturn && bars.iter().all(|bar| bar.adj_close.is_some()) {
        for bar in bars {
            let factor = bar.adj_close.map_or(1.0, |adjusted| adjusted / bar.close);
            // The adjusted close holds splits and dividends in one factor; shares are counted anew by splits alone.
            let splits = if stored == Adjustment::Raw { split_factor(actions, bar.open_time, as_of) } else { 1.0 };
            let volume = bar.volume / splits;
            *bar = Bar { volume, ..bar.scaled(factor) };
        }
        return Ok(());
    }
    let mut known: Vec<&Action> = actions.iter().filter(|a| a.known_at <= as_of).collect();
    known.sort_by_key(|a| a.effective_at());
    // Walk back from the newest bar; each action passed changes the factor of everything older.
    let (mut price, mut volume) = (1.0, 1.0);
    for index in (0..bars.len()).rev() {
        while let Some(action) = known.last().filter(|a| a.effective_at() > bars[index].open_time) {
            match action.kind {
                ActionKind::Split { numerator, denominator } if stored == Adjustment::Raw => {
                    price *= denominator / numerator;
                    volume *= numerator / denominator;
                }
                ActionKind::Dividend { amount } if wanted == Adjustment::TotalReturn => {
                    // The drop of the ex-date against the close before it, both in the terms of that day.
                    price *= 1.0 - amount / bars[index].close;
                }
                _ => {}
            }
            known.pop();
        }
        let bar = &mut bars[index];
        let kept = bar.volume;
        *bar = Bar { volume: kept * volume, ..bar.scaled(price) };
    }
    Ok(())
}

/// What a price of before `from` is multiplied by to stand in the terms in force at `to`: the splits whose ex-date
/// opened in `(from, to]`.
#[must_use]
pub fn split_factor<'a>(actions: impl IntoIterator<Item = &'a Action>, from: Timestamp, to: Timestamp) -> f64 {
    let factor = |factor: f64, action: &Action| match action.kind {
        ActionKind::Split { numerator, denominator }
            if (from < action.effective_at()) && (action.effective_at() <= to) =>
        {
            factor * denominator / numerator
        }
        _ => factor,
    };
    actions.into_iter().fold(1.0, factor)
}

#[cfg(test)]
mod tests;
