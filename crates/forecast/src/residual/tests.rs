use super::*;

#[test]
fn empirical_quantiles_are_numpys() {
    // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], levels)
    let mut values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
    let expected = [1.0, 1.0, 1.0, 1.4, 2.1, 2.8, 3.5, 4.2, 4.9, 5.6, 6.9, 7.95, 8.475];
    let found = empirical(&mut values).unwrap();
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }
}

#[test]
fn nothing_has_no_quantiles_and_one_value_has_thirteen() {
    assert_eq!(empirical(&mut []), None);
    assert_eq!(empirical(&mut [2.5]), Some([2.5; N_LEVELS]));
}

#[test]
fn an_asset_has_a_say_from_its_250th_residual_on() {
    let mut pool: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
    let twice = |n: usize| vec![2.0; n];
    let residuals = Residuals::fit(&mut pool, &mut [twice(249), twice(250)], 0.0).unwrap();
    assert_eq!(residuals.own[0], None);
    assert_eq!(residuals.of(Some(0)), &residuals.pool);
    assert_eq!(residuals.of(None), &residuals.pool);
    let median = residuals.of(Some(1))[market::quantile::MEDIAN];
    assert!((median - (0.5 * 0.4995 + 0.5 * 2.0)).abs() < 1e-12);
}

#[test]
fn the_symmetric_share_pulls_the_median_to_zero() {
    let skewed = || (0..1000).map(|i| f64::from(i) / 1000.0).collect::<Vec<f64>>();
    let whole = Residuals::fit(&mut skewed(), &mut [], 1.0).unwrap().pool;
    assert_eq!(whole[market::quantile::MEDIAN], 0.0);
    for k in 0..N_LEVELS {
        assert!((whole[k] + whole[N_LEVELS - 1 - k]).abs() < 1e-15);
    }
    let most = Residuals::fit(&mut skewed(), &mut [], 0.75).unwrap().pool;
    assert!((most[market::quantile::MEDIAN] - 0.25 * 0.4995).abs() < 1e-12);
}

proptest::proptest! {
    #[test]
    fn sorting_by_keys_is_sorting_by_total_order(mut values in proptest::collection::vec(proptest::num::f64::ANY, 0..60)) {
        let mut expected = values.clone();
        expected.sort_by(f64::total_cmp);
        sort(&mut values);
        let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        proptest::prop_assert_eq!(bits(&values), bits(&expected));
    }
}
