use market::LEVELS;
use proptest::prelude::*;
use serde_json::Value;

use crate::score::naive::quantile_of_sorted;
use crate::score::*;

/// The definition, written out: sort the returns of each row.
fn plainly(log_prices: &[f64], index: usize, horizon: usize, window: usize) -> Option<Vec<u64>> {
    let first = horizon.max((index + 1).saturating_sub(window));
    let mut returns: Vec<f64> = (first..=index).map(|end| log_prices[end] - log_prices[end - horizon]).collect();
    returns.sort_by(f64::total_cmp);
    (returns.len() >= MIN_NAIVE_RETURNS)
        .then(|| LEVELS.iter().map(|level| quantile_of_sorted(&returns, *level).to_bits()).collect())
}

fn bits(quantiles: Option<[f64; 13]>) -> Option<Vec<u64>> {
    quantiles.map(|quantiles| quantiles.map(f64::to_bits).to_vec())
}

#[test]
fn quantiles_between_values() {
    let values = [1.0, 2.0, 4.0, 8.0, 16.0];
    for (level, expected) in [(0.0, 1.0), (0.25, 2.0), (0.375, 3.0), (0.5, 4.0), (0.8, 9.6), (1.0, 16.0)] {
        assert!((quantile_of_sorted(&values, level) - expected).abs() < 1e-14, "{level}");
    }
    assert_eq!(quantile_of_sorted(&[3.0], 0.975), 3.0);
}

#[test]
fn numpy_gives_the_same_bits() {
    let text = include_str!("../../../test_data/score/naive.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let log_prices = numbers(&golden["log_prices"]);
    for case in golden["cases"].as_array().unwrap() {
        let [index, horizon, window] =
            ["index", "horizon", "window"].map(|key| usize::try_from(case[key].as_u64().unwrap()).unwrap());
        let found = naive_quantiles(&log_prices, index, horizon, window);
        let expected = (!case["quantiles"].is_null()).then(|| numbers(&case["quantiles"]));
        assert_eq!(found.map(|q| q.to_vec()), expected, "{case}");
    }
}

#[test]
fn a_reference_needs_a_hundred_returns() {
    let log_prices: Vec<f64> = (0..200).map(|i| f64::from(i).sin()).collect();
    for (index, horizon, known) in [(99, 1, false), (100, 1, true), (120, 21, true), (119, 21, false), (200, 1, false)]
    {
        assert_eq!(naive_quantiles(&log_prices, index, horizon, 250).is_some(), known, "{index} {horizon}");
    }
    assert_eq!(naive_quantiles(&log_prices, 150, 1, 99), None, "a window of 99 never holds a hundred");
}

#[test]
fn promise_2_the_reference_reads_nothing_after_its_bar() {
    let mut log_prices: Vec<f64> = (0..400).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let before = bits(naive_quantiles(&log_prices, 300, 5, NAIVE_WINDOW));
    log_prices[301..].fill(1e6);
    assert_eq!(bits(naive_quantiles(&log_prices, 300, 5, NAIVE_WINDOW)), before);
}

/// Log prices with many equal returns.
fn log_prices() -> impl Strategy<Value = Vec<f64>> {
    let step = prop_oneof![2 => Just(0.0), 1 => Just(0.01), 3 => -0.05..0.05];
    prop::collection::vec(step, 300..420).prop_map(|steps| {
        let sums = steps.into_iter().scan(4.0, |sum, step| {
            *sum += step;
            Some(*sum)
        });
        sums.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_sliding_window_gives_the_bits_of_the_definition(
        log_prices in log_prices(), horizon in 1_usize..30, window in 60_usize..300, stride in 1_usize..4,
    ) {
        let mut sliding = NaiveWindow::new(&log_prices, horizon, window);
        for index in (0..log_prices.len()).step_by(stride) {
            prop_assert_eq!(bits(sliding.at(index)), plainly(&log_prices, index, horizon, window), "at {}", index);
        }
        for index in [350, 299, 110, 298, 111] {
            let expected = (index < log_prices.len()).then(|| plainly(&log_prices, index, horizon, window)).flatten();
            prop_assert_eq!(bits(sliding.at(index)), expected, "out of order at {}", index);
        }
    }
}
