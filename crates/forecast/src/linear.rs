//! Ridge regression from blocks of normal equations.
//!
//! HAR is the leading block of the same equations: one pass over the rows serves both, and any union of blocks can be
//! solved again without touching a row.

use nalgebra::{Cholesky, DMatrix, DVector};

/// Normal equations of one block of rows: `XᵀX` (upper triangle, row-major, full stride) and `Xᵀy`.
#[derive(Debug, Clone)]
pub(crate) struct Gram {
    size: usize,
    products: Vec<f64>,
    moments: Vec<f64>,
    /// How many rows were added.
    pub(crate) n_rows: usize,
}

/// How many rows are added at a time; they share the passes over the triangle.
pub(crate) const BATCH: usize = 4;

impl Gram {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, products: vec![0.0; size * size], moments: vec![0.0; size], n_rows: 0 }
    }

    /// Adds up to [`BATCH`] rows of `size` values each and their targets.
    pub(crate) fn add(&mut self, rows: &[f64], targets: &[f64]) {
        debug_assert_eq!(rows.len(), targets.len() * self.size);
        let size = self.size;
        if let [t0, t1, t2, t3] = *targets {
            let (r0, rest) = rows.split_at(size);
            let (r1, rest) = rest.split_at(size);
            let (r2, r3) = rest.split_at(size);
            for i in 0..size {
                let (a, b, c, d) = (r0[i], r1[i], r2[i], r3[i]);
                let line = &mut self.products[i * size + i..(i + 1) * size];
                let columns = r0[i..].iter().zip(&r1[i..]).zip(r2[i..].iter().zip(&r3[i..]));
                for (sum, ((w, x), (y, z))) in line.iter_mut().zip(columns) {
                    *sum += (a * w + b * x) + (c * y + d * z);
                }
                self.moments[i] += (a * t0 + b * t1) + (c * t2 + d * t3);
            }
        } else {
            for (row, target) in rows.chunks_exact(size).zip(targets) {
                for i in 0..size {
                    let a = row[i];
                    for (sum, x) in self.products[i * size + i..(i + 1) * size].iter_mut().zip(&row[i..]) {
                        *sum += a * x;
                    }
                    self.moments[i] += a * target;
                }
            }
        }
        self.n_rows += targets.len();
    }

    /// Adds another block.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, x) in self.products.iter_mut().zip(&other.products) {
            *sum += x;
        }
        for (sum, x) in self.moments.iter_mut().zip(&other.moments) {
            *sum += x;
        }
        self.n_rows += other.n_rows;
    }

    /// Coefficients of the leading `size` columns under a penalty on all but the first, the intercept; `None` when the
    /// equations are singular.
    pub(crate) fn solve(&self, size: usize, penalty: f64) -> Option<Vec<f64>> {
        let mut matrix = DMatrix::zeros(size, size);
        for i in 0..size {
            for j in i..size {
                let value = self.products[i * self.size + j];
                matrix[(i, j)] = value;
                matrix[(j, i)] = value;
            }
            // The tiny part keeps columns that are missing throughout from making the equations singular.
            matrix[(i, i)] += if i == 0 { 0.0 } else { penalty } + 1e-9 * self.n_rows as f64;
        }
        let moments = DVector::from_column_slice(&self.moments[..size]);
        let solution = Cholesky::new(matrix)?.solve(&moments);
        solution.iter().all(|c| c.is_finite()).then(|| solution.as_slice().to_vec())
    }
}

/// Centres and scales features; missing becomes 0, and all but the HAR terms are clipped at four standard deviations.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standard {
    pub(crate) mean: Vec<f64>,
    /// One over the standard deviation; 0 where a feature never varies or is always missing.
    pub(crate) inverse_sd: Vec<f64>,
}

/// Largest standardised value.
const CLIP: f64 = 4.0;

impl Standard {
    /// Means and standard deviations of rows of `width` values, NaN left out.
    pub(crate) fn fit(rows: &[f64], width: usize) -> Self {
        let mut standard = Self { mean: Vec::with_capacity(width), inverse_sd: Vec::with_capacity(width) };
        for column in 0..width {
            let values = || rows.iter().skip(column).step_by(width).copied().filter(|v| !v.is_nan());
            let n = values().count() as f64;
            let mean = values().sum::<f64>() / n;
            let sd = (values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
            let varies = sd > 1e-9 * (1.0 + mean.abs());
            standard.mean.push(if mean.is_finite() { mean } else { 0.0 });
            standard.inverse_sd.push(if varies { 1.0 / sd } else { 0.0 });
        }
        standard
    }

    /// Writes standardised values; the first `n_free` are not clipped.
    pub(crate) fn apply(&self, values: &[f64], n_free: usize, out: &mut [f64]) {
        let scaled = values.iter().zip(&self.mean).zip(&self.inverse_sd).zip(out);
        for (at, (((value, mean), inverse_sd), out)) in scaled.enumerate() {
            let z = (value - mean) * inverse_sd;
            *out = match z {
                z if z.is_nan() => 0.0,
                z if at < n_free => z,
                z => z.clamp(-CLIP, CLIP),
            };
        }
    }
}

/// The product of coefficients and a design row.
pub(crate) fn dot(coefficients: &[f64], row: &[f64]) -> f64 {
    let mut parts = [0.0; 4];
    let (chunks, rows) = (coefficients.chunks_exact(4), row.chunks_exact(4));
    let rest: f64 = chunks.remainder().iter().zip(rows.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in chunks.zip(rows) {
        for (part, (x, y)) in parts.iter_mut().zip(a.iter().zip(b)) {
            *part += x * y;
        }
    }
    (parts[0] + parts[2]) + (parts[1] + parts[3]) + rest
}

#[cfg(test)]
mod tests;
