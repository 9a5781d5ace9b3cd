//! The residual stage: quantiles of standardised outcomes, half the class's, half the asset's own.

use market::{LEVELS, N_LEVELS};

/// Fewest own residuals for an asset to have a say.
pub(crate) const MIN_OWN: usize = 250;

/// Quantiles at the thirteen levels by linear interpolation of the order statistics, position `(n - 1)·level`
/// (Hyndman & Fan 1996, type 7: what numpy computes). Sorts `values`. `None` when empty.
pub(crate) fn empirical(values: &mut [f64]) -> Option<[f64; N_LEVELS]> {
    sort(values);
    let last = values.len().checked_sub(1)?;
    Some(LEVELS.map(|level| {
        let position = level * last as f64;
        let below = position.floor() as usize;
        let weight = position - below as f64;
        let (a, b) = (values[below], values[(below + 1).min(last)]);
        // numpy interpolates from the nearer end.
        if weight < 0.5 { a + (b - a) * weight } else { b - (b - a) * (1.0 - weight) }
    }))
}

/// Sorts by [`f64::total_cmp`]. The keys are made once, so that plain integers are sorted: three times as fast.
fn sort(values: &mut [f64]) {
    // Of a negative number all bits but the sign turn, so that the integers stand in the order of the numbers.
    let turned = |bits: i64| bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed();
    let mut keys: Vec<i64> = values.iter().map(|v| turned(v.to_bits().cast_signed())).collect();
    keys.sort_unstable();
    for (value, key) in values.iter_mut().zip(keys) {
        *value = f64::from_bits(turned(key).cast_unsigned());
    }
}

/// Standardised quantiles of a model at an anchor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Residuals {
    /// For assets without residuals of their own.
    pub(crate) pool: [f64; N_LEVELS],
    /// For each asset of the pool, in its order; `None` where it has too few of its own.
    pub(crate) own: Vec<Option<[f64; N_LEVELS]>>,
}

impl Residuals {
    /// From standardised outcomes: `pool` of the class's window, `own` of each asset's longer window. `symmetric` is the
    /// share of the symmetrised shape.
    pub(crate) fn fit(pool: &mut [f64], own: &mut [Vec<f64>], symmetric: f64) -> Option<Self> {
        let pool = empirical(pool)?;
        let own = own.iter_mut().map(|values| {
            let quantiles = empirical(values).filter(|_| values.len() >= MIN_OWN)?;
            let mixed = std::array::from_fn(|k| 0.5 * pool[k] + 0.5 * quantiles[k]);
            Some(symmetrised(mixed, symmetric))
        });
        Some(Self { own: own.collect(), pool: symmetrised(pool, symmetric) })
    }

    /// The quantiles of an asset of the pool.
    pub(crate) fn of(&self, member: Option<usize>) -> &[f64; N_LEVELS] {
        member.and_then(|m| self.own.get(m)).and_then(Option::as_ref).unwrap_or(&self.pool)
    }
}

fn symmetrised(z: [f64; N_LEVELS], share: f64) -> [f64; N_LEVELS] {
    std::array::from_fn(|k| (1.0 - share) * z[k] + share * 0.5 * (z[k] - z[N_LEVELS - 1 - k]))
}

#[cfg(test)]
mod tests;
