use super::*;

/// Rows of `[1, x, x²-ish]` with a known line through them.
fn equations(n: usize) -> (Vec<f64>, Vec<f64>) {
    let x = |i: usize| (i as f64 * 0.7).sin();
    let rows = (0..n).flat_map(|i| [1.0, x(i), (i as f64 * 1.3).cos()]).collect();
    let targets = (0..n).map(|i| 2.0 + 3.0 * x(i) - 0.5 * (i as f64 * 1.3).cos()).collect();
    (rows, targets)
}

fn gram(rows: &[f64], targets: &[f64]) -> Gram {
    let mut gram = Gram::new(3);
    for (rows, targets) in rows.chunks(3 * BATCH).zip(targets.chunks(BATCH)) {
        gram.add(rows, targets);
    }
    gram
}

#[test]
fn a_plane_is_found_again() {
    let (rows, targets) = equations(41);
    let solution = gram(&rows, &targets).solve(3, 0.0).unwrap();
    for (found, expected) in solution.iter().zip([2.0, 3.0, -0.5]) {
        assert!((found - expected).abs() < 1e-6, "{solution:?}");
    }
}

#[test]
fn the_leading_columns_solve_alone() {
    // Through (0, 1), (1, 3), (2, 5) runs 1 + 2x, whatever the third column holds.
    let rows = [1.0, 0.0, 9.0, 1.0, 1.0, -4.0, 1.0, 2.0, 7.0];
    let solution = gram(&rows, &[1.0, 3.0, 5.0]).solve(2, 0.0).unwrap();
    assert!((solution[0] - 1.0).abs() < 1e-6 && (solution[1] - 2.0).abs() < 1e-6, "{solution:?}");
}

#[test]
fn the_penalty_shrinks_all_but_the_intercept() {
    // Two points at x = ±1 with mean 5 and slope 1: slope 2 / (2 + penalty).
    let rows = [1.0, 1.0, 0.0, 1.0, -1.0, 0.0];
    let solution = gram(&rows, &[6.0, 4.0]).solve(2, 2.0).unwrap();
    assert!((solution[0] - 5.0).abs() < 1e-6 && (solution[1] - 0.5).abs() < 1e-6, "{solution:?}");
}

#[test]
fn blocks_add_up() {
    let (rows, targets) = equations(50);
    let whole = gram(&rows, &targets);
    let mut parts = gram(&rows[..3 * 20], &targets[..20]);
    parts.merge(&gram(&rows[3 * 20..], &targets[20..]));
    assert_eq!(parts.n_rows, whole.n_rows);
    let (a, b) = (whole.solve(3, 1.0).unwrap(), parts.solve(3, 1.0).unwrap());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9));
}

#[test]
fn missing_is_zero_and_only_the_free_columns_run_beyond_four() {
    let rows = [0.0, 0.0, 7.0, 2.0, 2.0, 7.0];
    let standard = Standard::fit(&rows, 3);
    assert_eq!((standard.mean[0], standard.inverse_sd[0], standard.inverse_sd[2]), (1.0, 1.0, 0.0));
    let mut out = [9.0; 3];
    standard.apply(&[11.0, 11.0, 8.0], 1, &mut out);
    assert_eq!(out, [10.0, 4.0, 0.0]);
    standard.apply(&[f64::NAN, -11.0, f64::NAN], 1, &mut out);
    assert_eq!(out, [0.0, -4.0, 0.0]);
}

#[test]
fn the_product_takes_every_length() {
    for n in 0..10 {
        let a: Vec<f64> = (1..=n).map(f64::from).collect();
        let squares = f64::from(n * (n + 1) * (2 * n + 1) / 6);
        assert_eq!(dot(&a, &a), squares);
    }
}
