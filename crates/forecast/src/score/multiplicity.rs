//! Many tests at once.

/// Benjamini–Hochberg adjusted p-values, in the order given: calling significant what lies under `q` keeps the expected
/// share of false calls under `q`.
///
/// Source: Benjamini & Hochberg (1995), step-up; valid under independence and positive dependence.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; n];
    let mut smallest: f64 = 1.0;
    for (rank, index) in order.into_iter().enumerate().rev() {
        // The factor first: it is at least 1, so that rounding never brings a value under its p-value.
        smallest = smallest.min(p_values[index] * (n as f64 / (rank + 1) as f64));
        adjusted[index] = smallest;
    }
    adjusted
}
