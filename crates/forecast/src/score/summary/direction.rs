//! Probabilities of a rise: how often, and how honestly.

use crate::score::case::{brier, hit, log_loss};
use crate::score::panel::mean;

/// The probability of a rise over the cases in which something changed.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectionSummary {
    /// Cases with a change.
    pub n: usize,
    /// Share in which the likelier side happened; a probability of one half counts half.
    pub hit: f64,
    /// Share of rises: what always saying UP would have hit.
    pub up_rate: f64,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// `1 - brier / 0.25`: against always saying one half.
    pub brier_skill: f64,
    /// Mean log loss.
    pub log_loss: f64,
    /// Stated against observed, by tenths of the stated probability; tenths without a case are left out.
    pub reliability: Vec<ReliabilityBin>,
}

/// The cases whose stated probability lies in one tenth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Lower end, included.
    pub from: f64,
    /// Upper end, excluded but for 1.
    pub to: f64,
    /// Cases.
    pub n: usize,
    /// Mean stated probability of a rise.
    pub mean_prob_up: f64,
    /// Share of rises.
    pub up_rate: f64,
}

impl DirectionSummary {
    /// `None` when nothing ever changed. The columns have one length.
    pub(super) fn of(prob_up: &[f64], change: &[f64]) -> Option<Self> {
        let cases = || prob_up.iter().copied().zip(change.iter().copied());
        let moved = || cases().filter(|(_, change)| *change != 0.0);
        let brier = mean(cases().filter_map(|(p, change)| brier(p, change)))?;
        Some(Self {
            n: moved().count(),
            hit: mean(cases().filter_map(|(p, change)| hit(p, change)))?,
            up_rate: mean(moved().map(|(_, change)| f64::from(change > 0.0)))?,
            brier,
            brier_skill: 1.0 - brier / 0.25,
            log_loss: mean(cases().filter_map(|(p, change)| log_loss(p, change)))?,
            reliability: reliability(moved()),
        })
    }
}

/// Bins of `(prob_up, change)`, ascending; `change` is not zero.
pub(in crate::score) fn reliability(cases: impl Iterator<Item = (f64, f64)>) -> Vec<ReliabilityBin> {
    let mut bins = [(0_usize, 0.0, 0_usize); 10];
    for (prob_up, change) in cases {
        let bin = &mut bins[((prob_up * 10.0) as usize).min(9)];
        bin.0 += 1;
        bin.1 += prob_up;
        bin.2 += usize::from(change > 0.0);
    }
    let tenths = (0_u32..).zip(bins).filter(|(_, (n, ..))| *n > 0);
    tenths
        .map(|(tenth, (n, sum, rises))| ReliabilityBin {
            from: f64::from(tenth) / 10.0,
            to: f64::from(tenth + 1) / 10.0,
            n,
            mean_prob_up: sum / n as f64,
            up_rate: rises as f64 / n as f64,
        })
        .collect()
}
