//! Sums over the last rows of a column, computed directly: no running sum, so no drift and no order of arrival.

/// The rows `row - window + 1 ..= row`, or as many as there are.
pub(crate) fn last<T>(column: &[T], row: usize, window: usize) -> &[T] {
    &column[(row + 1).saturating_sub(window)..=row]
}

/// Sum in eight interleaved parts, so that it can run on vector registers and still has one order.
pub(crate) fn sum(values: &[f64]) -> f64 {
    sum_of(values, |v| v)
}

/// The same, of a function of each value.
pub(crate) fn sum_of(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let mut parts = [0.0; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (part, value) in parts.iter_mut().zip(chunk) {
            *part += of(*value);
        }
    }
    for (part, value) in parts.iter_mut().zip(rest) {
        *part += of(*value);
    }
    ((parts[0] + parts[4]) + (parts[2] + parts[6])) + ((parts[1] + parts[5]) + (parts[3] + parts[7]))
}

/// Mean of the last `window` rows.
pub(crate) fn mean_last(column: &[f64], row: usize, window: usize) -> f64 {
    let values = last(column, row, window);
    sum(values) / values.len() as f64
}

/// Mean of a function of the last `window` rows.
pub(crate) fn mean_last_of(column: &[f64], row: usize, window: usize, of: impl Fn(f64) -> f64) -> f64 {
    let values = last(column, row, window);
    sum_of(values, of) / values.len() as f64
}

/// Mean and standard deviation of what is not missing in the last `window` rows; NaN when nothing is.
pub(crate) fn mean_sd_last(column: &[f64], row: usize, window: usize) -> (f64, f64) {
    let values = last(column, row, window);
    let n = values.iter().filter(|v| !v.is_nan()).count() as f64;
    let mean = sum_of(values, |v| if v.is_nan() { 0.0 } else { v }) / n;
    let squares = sum_of(values, |v| if v.is_nan() { 0.0 } else { (v - mean) * (v - mean) });
    (mean, (squares / n).sqrt())
}

/// Largest of the last `window` rows.
pub(crate) fn max_last(column: &[f64], row: usize, window: usize) -> f64 {
    last(column, row, window).iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
