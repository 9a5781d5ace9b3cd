use jiff::Timestamp;
use proptest::prelude::*;

use super::assert_near;
use crate::score::bootstrap::Counter;
use crate::score::*;

#[test]
fn t_distribution_against_published_values() {
    // Computed once with SciPy's t.sf.
    for (t, freedom, expected) in [
        (0.0, 5.0, 1.0),
        (1.0, 1.0, 0.5),
        (2.228_138_851_964_939, 10.0, 0.050_000_000_001_808_64),
        (-1.5, 29.0, 0.144_423_696_040_385_74),
        (1.96, 250.0, 0.051_106_620_225_373_2),
        (3.3, 999.0, 0.001_001_031_263_055_914),
        (0.4, 8000.0, 0.689_167_196_423_176_8),
        (12.0, 4.0, 0.000_276_428_548_502_973),
        (0.001, 2.0, 0.999_292_893_395_590_1),
    ] {
        assert_near(student_t_two_sided(t, freedom), expected, "t");
    }
}

#[test]
fn diebold_mariano_by_hand() {
    // Four differences, one step ahead: mean 2, squared deviations 1 + 1 + 1 + 1, products of neighbours 1 - 1 + 1 = 1,
    // lag floor(4 (4/100)^(2/9)) = 1 with weight 1/2: variance (4 + 2 * 1/2 * 1) / 4 = 5/4, standard error sqrt(5/16),
    // factor sqrt((4 + 1 - 2) / 4) = sqrt(3/4).
    let test = DieboldMariano::of(&[1.0, 1.0, 3.0, 3.0], 1).unwrap();
    assert_eq!((test.n_times, test.lag, test.mean_difference), (4, 1, 2.0));
    assert_near(test.standard_error, (5.0_f64 / 16.0).sqrt(), "standard error");
    assert_near(test.statistic, 2.0 / (5.0_f64 / 16.0).sqrt() * 0.75_f64.sqrt(), "statistic");
}

#[test]
fn diebold_mariano_against_numpy() {
    // Computed once in numpy and SciPy from the formulas, on series anyone can write down again.
    let digits: Vec<f64> =
        (0..60_i32).map(|k| 0.02 * (f64::from(k * 37 % 11) - 5.3) + 0.01 * f64::from(k * k % 7)).collect();
    let waves: Vec<f64> = (0..300).map(|k| 0.03 * (f64::from(k) / 3.0).sin() - 0.01).collect();
    for (series, horizon, lag, standard_error, statistic, p_value) in [
        (&digits, 1, 3, 0.005_827_228_948_841_999, 1.956_978_882_863_278, 0.055_086_949_488_551_154),
        (&digits, 5, 4, 0.005_100_245_092_149_985, 2.085_599_440_295_701, 0.041_349_095_344_865_56),
        (&digits, 21, 20, 0.002_593_043_706_028_816_3, 2.919_436_626_289_663, 0.004_958_271_144_525_236),
        (&waves, 1, 5, 0.002_540_039_833_666_850_4, -3.904_344_458_847_163, 0.000_116_822_368_658_159_46),
        (&waves, 5, 5, 0.002_540_039_833_666_850_4, -3.852_199_478_357_411, 0.000_143_255_518_753_898_44),
        (&waves, 21, 20, 0.000_713_122_647_478_826, -12.978_046_330_676_063, 7.466_591_409_999_003_5e-31),
    ] {
        let test = DieboldMariano::of(series, horizon).unwrap();
        assert_eq!(test.lag, lag, "horizon {horizon}");
        assert_near(test.standard_error, standard_error, "standard error");
        assert_near(test.statistic, statistic, "statistic");
        assert!((test.p_value / p_value - 1.0).abs() < 1e-9, "p {} against {p_value}", test.p_value);
    }
}

#[test]
fn nothing_to_test() {
    assert_eq!(DieboldMariano::of(&[0.1, 0.2], 1), None, "two moments");
    assert_eq!(DieboldMariano::of(&[0.1, 0.2, 0.3, 0.1, 0.2], 5), None, "no more moments than steps");
    assert_eq!(DieboldMariano::of(&[0.1; 40], 1), None, "a constant difference has no error to compare with");
    let equal = DieboldMariano::of(&[0.0; 40], 1).unwrap();
    assert_eq!((equal.statistic, equal.p_value, equal.standard_error), (0.0, 1.0, 0.0), "equal losses");
}

#[test]
fn lags_by_rule() {
    for (n_times, horizon, lag) in [(100, 1, 4), (250, 1, 4), (1000, 1, 6), (1000, 21, 20), (3, 2, 1), (10_000, 1, 11)]
    {
        assert_eq!(DieboldMariano::lag_for(n_times, horizon), lag, "{n_times} {horizon}");
    }
}

#[test]
fn adjusted_p_values_of_the_published_example() {
    // Benjamini & Hochberg (1995), section 4: fifteen tests, of which the first four are significant at 5 %.
    let p_values = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ];
    let expected = [
        0.0015,
        0.0030,
        0.0095,
        0.035_625,
        0.0603,
        0.063_857_142_857,
        0.063_857_142_857,
        0.0645,
        0.0765,
        0.486,
        0.581_181_818_182,
        0.714_875,
        0.753_230_769_231,
        0.813_214_285_714,
        1.0,
    ];
    let adjusted = benjamini_hochberg(&p_values);
    for (found, expected) in adjusted.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-11, "{found} against {expected}");
    }
    assert_eq!(adjusted.iter().filter(|p| **p < 0.05).count(), 4);
    assert!(benjamini_hochberg(&[]).is_empty());
}

#[test]
fn wilson_intervals_against_published_values() {
    // Computed once with SciPy's binomtest(...).proportion_ci(method="wilson").
    for (successes, n, low, high) in [
        (0, 10, 0.0, 0.277_532_799_862_889_26),
        (7, 10, 0.396_778_147_461_145_26, 0.892_208_732_593_699),
        (10, 10, 0.722_467_200_137_110_9, 1.0),
        (55, 100, 0.452_446_029_974_421_35, 0.643_854_620_204_880_3),
        (130, 250, 0.458_237_077_252_049_4, 0.581_157_590_768_132_8),
    ] {
        let rate = Rate::wilson(successes, n).unwrap();
        let interval = rate.interval.unwrap();
        assert_near(interval.low, low, "low");
        assert_near(interval.high, high, "high");
        assert_eq!((rate.rate, rate.n), (successes as f64 / n as f64, n));
    }
    assert_eq!(Rate::wilson(0, 0), None, "of nothing there is no share");
}

#[test]
fn blocks_by_rule() {
    for (n_times, horizon, length) in [
        (40, 1, None),
        (41, 1, Some(5)),
        (80, 1, Some(10)),
        (1000, 1, Some(21)),
        (1000, 24, Some(24)),
        (50, 21, Some(21)),
        (41, 21, None),
    ] {
        assert_eq!(Bootstrap::for_horizon(horizon).block_length(n_times), length, "{n_times} {horizon}");
    }
}

#[test]
fn a_bootstrap_covers_what_theory_expects() {
    // 400 independent fair coins: the standard error of the share is 1/40.
    let mut generator = Counter::new(1);
    let heads: Vec<f64> = (0..400).map(|_| (generator.next() >> 63) as f64).collect();
    let share = heads.iter().sum::<f64>() / 400.0;
    let interval = Bootstrap::for_horizon(1).ratio_interval(&heads, &[1.0; 400]).unwrap();
    assert!(interval.low < share && share < interval.high);
    let half_width = (interval.high - interval.low) / 2.0;
    assert!((0.03..0.07).contains(&half_width), "half width {half_width}, theory 0.049");
}

#[test]
fn draws_are_those_of_the_published_generator() {
    // SplitMix64 from seed 1234567, as in the reference implementation's test vectors.
    let mut generator = Counter::new(1_234_567);
    let draws = [generator.next(), generator.next(), generator.next()];
    assert_eq!(draws, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}

#[test]
fn promise_7_the_same_seed_gives_the_same_interval() {
    let numerator: Vec<f64> = (0..90).map(|i| f64::from(i * i % 13)).collect();
    let plan = Bootstrap { replicates: 50, seed: 11, horizon: 1 };
    let interval = plan.ratio_interval(&numerator, &[13.0; 90]).unwrap();
    assert_eq!(plan.ratio_interval(&numerator, &[13.0; 90]), Some(interval));
    let other = Bootstrap { seed: 12, ..plan }.ratio_interval(&numerator, &[13.0; 90]).unwrap();
    assert_ne!(other, interval, "another seed draws other blocks");
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400).unwrap()
}

#[test]
fn a_panel_weighs_assets_alike() {
    // Asset 1 moves a hundred times as much and has a case less; skills 1/2 and -1/2.
    let cases = [(0, at(0), 1.0, 2.0), (1, at(0), 150.0, 100.0), (0, at(1), 2.0, 4.0)];
    let panel = LossPanel::new(&cases);
    assert_eq!((panel.n_assets(), panel.n_times()), (2, 2));
    assert_eq!(panel.skills(), [Some(0.5), Some(-0.5)]);
    assert_eq!(panel.skill(), Some(0.0));
    assert_eq!(panel.skill_pooled(), Some(1.0 - 153.0 / 106.0));
    assert_eq!(panel.differences(), [24.5, -2.0]);
    // Mean baseline losses are 3 and 100: (-1/3 + 1/2) / 2, and -2/3.
    let relative = panel.relative_differences();
    assert_near(relative[0], 1.0 / 12.0, "first moment");
    assert_near(relative[1], -2.0 / 3.0, "second moment");
}

#[test]
fn an_asset_whose_baseline_lost_nothing_says_nothing() {
    let panel = LossPanel::new(&[(0, at(0), 1.0, 2.0), (7, at(0), 1.0, 0.0), (7, at(1), 0.0, 0.0)]);
    assert_eq!(panel.skills(), [Some(0.5), None]);
    assert_eq!(panel.skill(), Some(0.5));
    assert_eq!(panel.relative_differences(), [-0.5]);
    assert_eq!(LossPanel::new(&[]).skill(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn adjustment_keeps_the_order(p_values in prop::collection::vec(0.0..=1.0, 1..30)) {
        let adjusted = benjamini_hochberg(&p_values);
        for (i, p) in p_values.iter().enumerate() {
            prop_assert!(adjusted[i] >= *p && adjusted[i] <= 1.0);
            for (j, other) in p_values.iter().enumerate() {
                prop_assert!(p > other || adjusted[i] <= adjusted[j]);
            }
        }
    }

    #[test]
    fn wilson_holds_the_share((n, successes) in (1_usize..500).prop_flat_map(|n| (Just(n), 0..=n))) {
        let rate = Rate::wilson(successes, n).unwrap();
        let interval = rate.interval.unwrap();
        prop_assert!(0.0 <= interval.low && interval.low <= rate.rate);
        prop_assert!(rate.rate <= interval.high && interval.high <= 1.0);
    }

    #[test]
    fn the_test_knows_neither_unit_nor_side(
        differences in prop::collection::vec(-1.0..1.0, 10..60), horizon in 1_usize..8,
    ) {
        let test = DieboldMariano::of(&differences, horizon).unwrap();
        prop_assert!((0.0..=1.0).contains(&test.p_value));
        let turned: Vec<f64> = differences.iter().map(|d| -4.0 * d).collect();
        let turned = DieboldMariano::of(&turned, horizon).unwrap();
        prop_assert!((test.p_value - turned.p_value).abs() < 1e-9);
        prop_assert!((test.statistic + turned.statistic).abs() < 1e-9 * test.statistic.abs().max(1.0));
    }

    #[test]
    fn a_constant_ratio_has_a_point_for_an_interval(
        parts in prop::collection::vec(0.0..5.0, 41..80), ratio in 0.0..1.0_f64,
    ) {
        let numerator: Vec<f64> = parts.iter().map(|part| part * ratio).collect();
        let plan = Bootstrap { replicates: 20, seed: 3, horizon: 2 };
        let interval = plan.ratio_interval(&numerator, &parts).unwrap();
        prop_assert!((interval.low - ratio).abs() < 1e-9 && (interval.high - ratio).abs() < 1e-9);
    }
}
