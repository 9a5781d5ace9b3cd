//! Variance of a bar from its range: several times as precise as its squared return.

use market::Bar;

/// `2 ln 2 - 1`, the weight of the open-to-close move in Garman & Klass (1980).
const BODY: f64 = 2.0 * std::f64::consts::LN_2 - 1.0;

/// How the variance of a bar is read off its prices, from its open on; the overnight move is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// `½(H-L)² - (2 ln 2 - 1)(C-O)²` in logs (Garman & Klass 1980).
    GarmanKlass,
    /// `(H-L)² / (4 ln 2)` in logs (Parkinson 1980).
    Parkinson,
}

impl Range {
    /// The variance of a checked bar; zero when nothing was traded in it.
    pub(crate) fn variance(self, bar: &Bar) -> f64 {
        let range = (bar.high / bar.low).ln();
        match self {
            Self::GarmanKlass => {
                let body = (bar.close / bar.open).ln();
                0.5 * range * range - BODY * body * body
            }
            Self::Parkinson => range * range / (4.0 * std::f64::consts::LN_2),
        }
    }
}
