//! One forecast against what happened.

use market::{AssetKind, Direction, HorizonForecast, LEVELS, N_LEVELS, Score};

/// Weights of the levels in [`crps`]: the width of the part of `(0, 1)` that is nearest to each.
pub const CRPS_WEIGHTS: [f64; N_LEVELS] = crps_weights(&LEVELS);

/// Weights for ascending `levels`: level `i` stands for the probabilities from half way to the level before (or 0) to half
/// way to the next (or 1). They sum to 1.
#[must_use]
pub const fn crps_weights<const N: usize>(levels: &[f64; N]) -> [f64; N] {
    let mut weights = [0.0; N];
    let mut from = 0.0;
    let mut i = 0;
    while i < N {
        let to = if i + 1 < N { (levels[i + 1] + levels[i]) / 2.0 } else { 1.0 };
        weights[i] = to - from;
        from = to;
        i += 1;
    }
    weights
}

/// Pinball loss of one `quantile` at `level`; lower is better. Source: Koenker & Bassett (1978).
#[must_use]
pub fn pinball_loss(level: f64, quantile: f64, change: f64) -> f64 {
    let error = change - quantile;
    (level * error).max((level - 1.0) * error)
}

/// Continuous ranked probability score of thirteen `quantiles` at [`LEVELS`]: twice the pinball loss integrated over the
/// levels, each counted with its weight of [`CRPS_WEIGHTS`]. In the unit of `change`; at least 0, lower is better.
///
/// Source: Gneiting & Raftery (2007), the quantile form.
#[must_use]
pub fn crps(quantiles: &[f64; N_LEVELS], change: f64) -> f64 {
    crps_and_pinball(quantiles, change).0
}

/// [`crps`] and the mean pinball loss over [`LEVELS`].
pub(super) fn crps_and_pinball(quantiles: &[f64; N_LEVELS], change: f64) -> (f64, f64) {
    let (mut weighted, mut plain) = (0.0, 0.0);
    for ((level, weight), quantile) in LEVELS.iter().zip(CRPS_WEIGHTS).zip(quantiles) {
        let loss = pinball_loss(*level, *quantile, change);
        weighted += loss * weight;
        plain += loss;
    }
    (2.0 * weighted, plain / N_LEVELS as f64)
}

/// Whether the closed interval holds `change`.
#[must_use]
pub fn covers((low, high): (f64, f64), change: f64) -> bool {
    change >= low && change <= high
}

/// Winkler's interval score: the width, and for an outcome outside `2 / alpha` times its distance, with
/// `alpha = 1 - coverage`. `coverage` is the nominal one, within `(0, 1)`. Lower is better. Source: Winkler (1972).
#[must_use]
pub fn interval_score((low, high): (f64, f64), coverage: f64, change: f64) -> f64 {
    let penalty = 2.0 / (1.0 - coverage);
    (high - low) + penalty * (low - change).max(0.0) + penalty * (change - high).max(0.0)
}

/// Squared error of the probability of a rise; `None` when nothing changed.
#[must_use]
pub fn brier(prob_up: f64, change: f64) -> Option<f64> {
    (change != 0.0).then(|| (prob_up - rise(change)).powi(2))
}

/// Minus the log of the probability given to what happened, with probabilities kept within `[1e-6, 1 - 1e-6]`; `None` when
/// nothing changed.
#[must_use]
pub fn log_loss(prob_up: f64, change: f64) -> Option<f64> {
    let prob_up = prob_up.clamp(1e-6, 1.0 - 1e-6);
    (change != 0.0).then(|| -if change > 0.0 { prob_up.ln() } else { (1.0 - prob_up).ln() })
}

/// Whether the likelier side happened, as 0 or 1; one half for a probability of exactly one half; `None` when nothing
/// changed.
///
/// This is the backtest's hit, which knows no HOLD. The ledger's is [`Direction::hit`].
#[must_use]
pub fn hit(prob_up: f64, change: f64) -> Option<f64> {
    let hit = match prob_up {
        0.5 => 0.5,
        p => f64::from((p > 0.5) == (change > 0.0)),
    };
    (change != 0.0).then_some(hit)
}

fn rise(change: f64) -> f64 {
    f64::from(change > 0.0)
}

/// How a forecast fared at one horizon, beside its baseline, under rule [`market::forecast::DIRECTION_RULE`].
///
/// `reference_price` is the price or value the forecast started from, in the terms of its target time (splits between
/// applied); `change` is the finite change from there to the target, in the forecast's unit.
#[must_use]
pub fn score_case(forecast: &HorizonForecast, reference_price: f64, change: f64, kind: AssetKind) -> Score {
    debug_assert!(change.is_finite(), "an outcome is measured");
    let quantiles = forecast.quantiles.values();
    let [low_95, _, low_80, .., high_80, _, high_95] = *quantiles;
    let (crps, pinball) = crps_and_pinball(quantiles, change);
    let direction = Direction::call(forecast.prob_up, kind);
    Score {
        reference_price,
        change,
        median: forecast.quantiles.median(),
        low_80,
        high_80,
        prob_up: forecast.prob_up,
        crps,
        crps_baseline: crps_and_pinball(forecast.baseline.values(), change).0,
        pinball,
        brier: brier(forecast.prob_up, change),
        brier_baseline: brier(forecast.baseline_prob_up, change),
        covered_80: covers((low_80, high_80), change),
        covered_95: covers((low_95, high_95), change),
        direction,
        hit: direction.hit(change),
        baseline_hit: Direction::call(forecast.baseline_prob_up, kind).hit(change),
    }
}
