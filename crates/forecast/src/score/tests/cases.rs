use jiff::Timestamp;
use market::{AssetKind, Direction, HorizonForecast, LEVELS, N_LEVELS, Quantiles};
use proptest::prelude::*;

use super::assert_near;
use crate::score::*;

#[test]
fn weights_by_hand() {
    let expected = [0.0375, 0.0375, 0.075, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.075, 0.0375, 0.0375];
    for (found, expected) in CRPS_WEIGHTS.iter().zip(expected) {
        assert_near(*found, expected, "weight");
    }
    assert_eq!(crps_weights(&[0.25, 0.5]), [0.375, 0.625]);
}

#[test]
fn pinball_losses_by_hand() {
    for (level, quantile, change, expected) in
        [(0.1, 2.0, 5.0, 0.3), (0.1, 5.0, 2.0, 2.7), (0.5, -1.0, 1.0, 1.0), (0.9, 0.0, 0.0, 0.0)]
    {
        assert_near(pinball_loss(level, quantile, change), expected, "pinball");
    }
}

#[test]
fn crps_by_hand() {
    // 0 at the seven lower levels, 1 at the six upper ones. For an outcome of 1 only the lower levels lose, each its own
    // level: 2 (.0375 .025 + .0375 .05 + .075 .1 + .1 (.2 + .3 + .4 + .5)) = .300625.
    let step: [f64; N_LEVELS] = std::array::from_fn(|i| f64::from(i > 6));
    assert_near(crps(&step, 1.0), 0.300_625, "crps at the upper step");
    // For 0 the upper six lose 1 - level: 2 (.1 (.4 + .3 + .2) + .075 .1 + .0375 (.05 + .025)) = .200625.
    assert_near(crps(&step, 0.0), 0.200_625, "crps at the lower step");
}

#[test]
fn interval_scores_by_hand() {
    for (coverage, change, expected, held) in [
        (0.8, 0.5, 1.0, true),
        (0.8, 1.0, 1.0, true),
        (0.8, 0.0, 1.0, true),
        (0.8, 1.5, 6.0, false),
        (0.8, -0.25, 3.5, false),
        (0.95, 2.0, 41.0, false),
    ] {
        assert_near(interval_score((0.0, 1.0), coverage, change), expected, "interval score");
        assert_eq!(covers((0.0, 1.0), change), held, "{change}");
    }
}

#[test]
fn probabilities_by_hand() {
    for (prob_up, change, expected_brier, expected_log_loss, expected_hit) in [
        (0.7, 0.01, 0.09, -(0.7_f64.ln()), 1.0),
        (0.7, -0.01, 0.49, -(0.3_f64.ln()), 0.0),
        (0.3, -0.01, 0.09, -(0.7_f64.ln()), 1.0),
        (0.5, 0.01, 0.25, 2.0_f64.ln(), 0.5),
        (0.5, -0.01, 0.25, 2.0_f64.ln(), 0.5),
        (1.0, -0.01, 1.0, -((1.0 - (1.0 - 1e-6_f64)).ln()), 0.0),
        (0.0, 0.01, 1.0, -(1e-6_f64.ln()), 0.0),
    ] {
        assert_near(brier(prob_up, change).unwrap(), expected_brier, "brier");
        assert_near(log_loss(prob_up, change).unwrap(), expected_log_loss, "log loss");
        assert_eq!(hit(prob_up, change), Some(expected_hit), "{prob_up} {change}");
    }
    assert_eq!((brier(0.7, 0.0), log_loss(0.7, 0.0), hit(0.7, 0.0)), (None, None, None));
}

fn forecast(prob_up: f64, baseline_prob_up: f64) -> HorizonForecast {
    HorizonForecast {
        horizon: 1,
        target_time: Timestamp::UNIX_EPOCH,
        quantiles: Quantiles::new(LEVELS.map(|level| level - 0.5)).unwrap(),
        prob_up,
        baseline: Quantiles::new([0.0; N_LEVELS]).unwrap(),
        baseline_prob_up,
    }
}

#[test]
fn a_case_is_scored_beside_its_baseline() {
    let score = score_case(&forecast(0.6, 0.4), 50.0, 0.45, AssetKind::Coin);
    assert_eq!((score.reference_price, score.change, score.median), (50.0, 0.45, 0.0));
    assert_near(score.low_80, -0.4, "low");
    assert_near(score.high_80, 0.4, "high");
    assert_eq!((score.covered_80, score.covered_95), (false, true));
    assert_eq!((score.direction, score.hit, score.baseline_hit), (Direction::Up, Some(true), Some(false)));
    assert_near(score.brier.unwrap(), 0.16, "brier");
    assert_near(score.brier_baseline.unwrap(), 0.36, "baseline's brier");
    // A point forecast at 0 misses by .45.
    assert_near(score.crps_baseline, 0.45, "baseline's crps");
    let pinball = LEVELS.iter().map(|level| pinball_loss(*level, level - 0.5, 0.45)).sum::<f64>() / 13.0;
    assert_near(score.pinball, pinball, "pinball");
}

#[test]
fn holds_and_unchanged_prices_are_no_hits() {
    for (prob_up, change, kind, direction, hit) in [
        (0.6, 0.0, AssetKind::Coin, Direction::Up, None),
        (0.505, 0.1, AssetKind::Coin, Direction::Hold, None),
        (0.6, 0.1, AssetKind::Stable, Direction::Hold, None),
        (0.51, 0.1, AssetKind::Equity, Direction::Up, Some(true)),
        (0.49, 0.1, AssetKind::Equity, Direction::Down, Some(false)),
    ] {
        let score = score_case(&forecast(prob_up, prob_up), 1.0, change, kind);
        assert_eq!((score.direction, score.hit), (direction, hit), "{prob_up} {change} {kind}");
        assert_eq!(score.hit, score.baseline_hit, "the same rule for both");
        assert_eq!(score.brier.is_none(), change == 0.0, "{change}");
    }
}

fn quantiles() -> impl Strategy<Value = [f64; N_LEVELS]> {
    prop::array::uniform13(-1.0..1.0).prop_map(|mut values| {
        values.sort_by(f64::total_cmp);
        values
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn crps_is_a_loss(quantiles in quantiles(), change in -2.0..2.0, shift in -1.0..1.0) {
        let loss = crps(&quantiles, change);
        prop_assert!(loss >= 0.0);
        prop_assert!((crps(&quantiles.map(|q| q + shift), change + shift) - loss).abs() < 1e-12, "location");
        prop_assert!((crps(&quantiles.map(|q| q * 3.0), change * 3.0) - 3.0 * loss).abs() < 1e-12, "scale");
        // A point forecast loses its distance.
        prop_assert!((crps(&[shift; N_LEVELS], change) - (change - shift).abs()).abs() < 1e-12, "point");
    }

    #[test]
    fn an_interval_costs_at_least_its_width(low in -1.0..0.0, high in 0.0..1.0, change in -2.0..2.0) {
        let score = interval_score((low, high), 0.9, change);
        prop_assert_eq!(covers((low, high), change), score <= high - low);
    }
}

/// Columns of `n` cases of two assets whose forecasts equal the reference.
fn summary_of(edit: impl Fn(&mut Columns)) -> Result<Summary, ScoreError> {
    let mut columns = Columns {
        symbol: vec![0, 1, 0, 1],
        as_of: (0..4).map(|i| Timestamp::from_second(i / 2).unwrap()).collect(),
        change: vec![0.1, -0.1, 0.0, 0.2],
        quantiles: vec![LEVELS.map(|level| level - 0.5); 4],
        prob_up: vec![0.5; 4],
        naive: vec![Some(LEVELS.map(|level| level - 0.5)); 4],
    };
    edit(&mut columns);
    summarise(&Cases {
        symbol: &columns.symbol,
        as_of: &columns.as_of,
        change: &columns.change,
        quantiles: &columns.quantiles,
        prob_up: Some(&columns.prob_up),
        naive: Some(&columns.naive),
    })
}

struct Columns {
    symbol: Vec<u32>,
    as_of: Vec<Timestamp>,
    change: Vec<f64>,
    quantiles: Vec<[f64; N_LEVELS]>,
    prob_up: Vec<f64>,
    naive: Vec<Option<[f64; N_LEVELS]>>,
}

#[test]
fn the_reference_has_no_skill_against_itself() {
    let summary = summary_of(|_| ()).unwrap();
    let skill = summary.skill.unwrap();
    assert_eq!((skill.skill, skill.skill_median, skill.skill_pooled), (Some(0.0), Some(0.0), Some(0.0)));
    assert_eq!(skill.share_symbols_better, 0.0);
    assert_eq!(summary.intervals[0].naive.unwrap().width, summary.intervals[0].width);
    let direction = summary.direction.unwrap();
    assert_eq!((direction.n, direction.hit, direction.brier_skill), (3, 0.5, 0.0), "the unchanged case is left out");
}

#[test]
fn promise_1_what_is_missing_stays_missing() {
    let summary = summary_of(|c| c.naive = vec![None; 4]).unwrap();
    assert_eq!((summary.n_naive, summary.skill, summary.intervals[2].naive), (0, None, None));
    assert_eq!(summary_of(|c| c.change = vec![0.0; 4]).unwrap().direction, None, "no change, no direction");
    // A reference that never missed leaves no ratio.
    let perfect = |c: &mut Columns| c.naive = c.change.iter().map(|change| Some([*change; N_LEVELS])).collect();
    let skill = summary_of(perfect).unwrap().skill.unwrap();
    assert_eq!((skill.crps_naive, skill.skill, skill.skill_pooled), (0.0, None, None));
    assert_eq!(skill.share_symbols_better, 0.0);
}

#[test]
fn columns_that_cannot_be_scored() {
    let check = |edit: &dyn Fn(&mut Columns), expected: &str| {
        assert_eq!(summary_of(edit).unwrap_err().to_string(), expected);
    };
    check(&|c| c.symbol.clear(), "column as_of has 4 rows where symbol has 0");
    check(&|c| c.prob_up.truncate(2), "column prob_up has 2 rows where symbol has 4");
    check(&|c| c.change[2] = f64::NAN, "change of row 2 is not finite");
    check(&|c| c.quantiles[1][3] = f64::INFINITY, "quantiles of row 1 is not finite");
    check(&|c| c.quantiles[1].swap(3, 4), "quantiles of row 1 cross");
    check(&|c| c.naive[3].as_mut().unwrap().swap(0, 1), "naive of row 3 cross");
    check(&|c| c.prob_up[0] = 1.01, "prob_up of row 0 is no probability");
    check(&|c| c.prob_up[0] = f64::NAN, "prob_up of row 0 is no probability");
    let none = Cases { symbol: &[], as_of: &[], change: &[], quantiles: &[], prob_up: None, naive: None };
    assert_eq!(summarise(&none), Err(ScoreError::Empty));
}
