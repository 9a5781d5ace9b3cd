use proptest::prelude::*;

use super::*;

fn ladder() -> [f64; N_LEVELS] {
    LEVELS.map(|level| level - 0.5)
}

#[test]
fn what_is_no_distribution_is_refused() {
    let mut crossing = ladder();
    crossing.swap(4, 5);
    assert_eq!(Quantiles::new(crossing), Err(QuantileError::Crossing { index: 5 }));
    assert_eq!(QuantileError::Crossing { index: 5 }.to_string(), "the quantile at level 0.4 is below the one at 0.3");
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut values = ladder();
        values[3] = value;
        assert_eq!(Quantiles::new(values), Err(QuantileError::NotFinite { index: 3 }));
        assert!(Quantiles::rearranged(values).is_err(), "{value} cannot be put in order");
    }
    assert_eq!(*Quantiles::rearranged(crossing).unwrap().values(), ladder());
}

#[test]
fn intervals_and_median() {
    let quantiles = Quantiles::new(ladder()).unwrap();
    assert_eq!(quantiles.median(), 0.0);
    for (percent, lower) in [(95, 0), (90, 1), (80, 2), (60, 3), (40, 4), (20, 5)] {
        assert_eq!(quantiles.interval(percent), Some((ladder()[lower], ladder()[12 - lower])), "{percent}");
    }
    assert_eq!(quantiles.interval(50), None);
}

#[test]
fn probabilities_of_a_rise() {
    let check = |values: [f64; N_LEVELS], expected: f64| {
        let found = Quantiles::new(values).unwrap().prob_above_zero();
        assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
    };
    check(ladder(), 0.5);
    check([0.0; N_LEVELS], 0.5);
    check(ladder().map(|q| q + 0.1), 0.6);
    check(ladder().map(|q| q - 0.25), 0.25);
    check([1.0; N_LEVELS], 1.0);
    check([-1.0; N_LEVELS], 0.0);
    // One step of .025 beyond the outermost quantile, where .05 became .025 over the step before: .0125 is left.
    check(ladder().map(|q| q + 0.5), 1.0 - 0.0125);
}

fn quantiles() -> impl Strategy<Value = Quantiles> {
    let value = prop_oneof![3 => -0.2..0.2, 1 => Just(0.0), 1 => Just(0.05)];
    prop::array::uniform13(value).prop_map(|values| Quantiles::rearranged(values).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rearranged_quantiles_never_cross(values in prop::array::uniform13(-1e3..1e3)) {
        let quantiles = Quantiles::rearranged(values).unwrap();
        prop_assert!(quantiles.values().is_sorted());
        prop_assert_eq!(Quantiles::new(*quantiles.values()), Ok(quantiles));
    }

    #[test]
    fn the_distribution_function_is_one(quantiles in quantiles(), mut points in prop::collection::vec(-0.5..0.5, 2..20)) {
        points.extend(quantiles.values());
        points.sort_by(f64::total_cmp);
        let probabilities: Vec<f64> = points.iter().map(|x| quantiles.cdf(*x)).collect();
        prop_assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
        // Interpolation may round by a last digit.
        prop_assert!(probabilities.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{probabilities:?}");
        prop_assert!((quantiles.prob_above_zero() + quantiles.cdf(0.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_quantile_stands_at_its_level(steps in prop::array::uniform13(0.001..1.0)) {
        let mut sum = -3.0;
        let quantiles = Quantiles::new(steps.map(|step: f64| { sum += step; sum })).unwrap();
        for (level, value) in LEVELS.iter().zip(quantiles.values()) {
            prop_assert!((quantiles.cdf(*value) - level).abs() < 1e-12);
        }
    }
}
