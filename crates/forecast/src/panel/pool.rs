//! The columns of a pool: what the assets of one kind did together at each step.

use market::{AssetClass, AssetKind, Timeframe};

use super::series::Series;
use crate::calendar::slot_of;
use crate::shape::Shape;
use crate::window::mean_last;

/// Weeks after which a bar of the weekly profile counts half.
const PROFILE_HALF_LIFE: f64 = 13.0;

/// Columns over the steps at which at least one asset of the kind had a bar.
#[derive(Debug, Clone)]
pub(crate) struct PoolColumns {
    pub(crate) kind: AssetKind,
    class: AssetClass,
    shape: &'static Shape,
    /// Position of the asset the others follow (BTC among coins), where there is one.
    pub(crate) leader: Option<usize>,
    pub(crate) close_us: Vec<i64>,
    /// Mean log variance.
    pub(crate) ln_variance: Vec<f64>,
    /// Standard deviation of log variance across the assets.
    pub(crate) spread: Vec<f64>,
    /// Mean return.
    pub(crate) ret: Vec<f64>,
    /// Median return.
    pub(crate) median_ret: Vec<f64>,
    /// The leader's row at each step; `NO_ROW` before it has one.
    pub(crate) leader_row: Vec<u32>,
    /// Slot of the week of each bar; empty unless the shape has a profile.
    pub(crate) slot: Vec<u16>,
    /// The profile of the bar's slot after this bar: mean of log variance over its weekly level.
    pub(crate) profile: Vec<f64>,
    by_slot: Vec<f64>,
}

/// Stands for "no row yet".
pub(crate) const NO_ROW: u32 = u32::MAX;

impl PoolColumns {
    pub(crate) fn new(kind: AssetKind, class: AssetClass, shape: &'static Shape) -> Self {
        Self {
            kind,
            class,
            shape,
            leader: None,
            close_us: Vec::new(),
            ln_variance: Vec::new(),
            spread: Vec::new(),
            ret: Vec::new(),
            median_ret: Vec::new(),
            leader_row: Vec::new(),
            slot: Vec::new(),
            profile: Vec::new(),
            by_slot: vec![f64::NAN; shape.profile_slots],
        }
    }

    /// Appends a step from the last rows of the assets `present`, which ascend; returns its position.
    pub(crate) fn push(&mut self, open_us: i64, close_us: i64, present: &[usize], series: &[Series]) -> u32 {
        let last = |column: &[f64]| *column.last().expect("present assets have a row");
        let n = present.len() as f64;
        let mean = |of: &dyn Fn(&Series) -> f64| present.iter().map(|a| of(&series[*a])).sum::<f64>() / n;
        let level = mean(&|s| last(&s.ln_variance));
        let squares = mean(&|s| (last(&s.ln_variance) - level).powi(2));
        let mut returns: Vec<f64> = present.iter().map(|a| last(&series[*a].ret)).collect();
        returns.sort_by(f64::total_cmp);
        let middle = (returns[(returns.len() - 1) / 2] + returns[returns.len() / 2]) / 2.0;

        let row = self.close_us.len();
        self.close_us.push(close_us);
        self.ln_variance.push(level);
        self.spread.push(squares.sqrt());
        self.ret.push(mean(&|s| last(&s.ret)));
        self.median_ret.push(middle);
        let leader_row = self.leader.and_then(|leader| series[leader].len().checked_sub(1));
        self.leader_row.push(leader_row.map_or(NO_ROW, |row| u32::try_from(row).expect("fewer than 2^32 rows")));
        if self.shape.profile_slots > 0 {
            self.push_profile(row, open_us);
        }
        u32::try_from(row).expect("a panel has fewer than 2^32 steps")
    }

    fn push_profile(&mut self, row: usize, open_us: i64) {
        let slot = slot_of(self.class, Timeframe::H1, open_us);
        let week = self.shape.windows[3];
        let above = self.ln_variance[row] - mean_last(&self.ln_variance, row, week);
        let decay = 1.0 - 0.5f64.powf(1.0 / PROFILE_HALF_LIFE);
        let mean = &mut self.by_slot[usize::from(slot)];
        *mean = if mean.is_nan() { above } else { *mean + decay * (above - *mean) };
        self.slot.push(slot);
        self.profile.push(*mean);
    }

    /// The profile of a slot as of a row: that of the last bar in this slot at or before it; NaN when there was none in
    /// the last two weeks.
    pub(crate) fn profile_of(&self, slot: u16, row: usize) -> f64 {
        let period = self.shape.profile_slots;
        // Without gaps the last bar of the slot lies less than a week back, at a known distance.
        let back = (usize::from(self.slot[row]) + period - usize::from(slot)) % period;
        if let Some(at) = row.checked_sub(back).filter(|at| self.slot[*at] == slot) {
            return self.profile[at];
        }
        let from = row.saturating_sub(2 * period);
        let found = self.slot[from..=row].iter().rposition(|s| *s == slot);
        found.map_or(f64::NAN, |at| self.profile[from + at])
    }
}
