//! Transformations of values: changes, growth rates, logarithms; each within its vintage.

use super::catalogue::Frequency;
use super::vintages::{Days, LAST_DAY, Vintage};
use jiff::ToSpan;
use jiff::civil::Date;

/// How values are transformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    Levels,
    Change,
    ChangeFromYearAgo,
    PercentChange,
    PercentChangeFromYearAgo,
    CompoundedAnnualRate,
    ContinuousRate,
    ContinuousAnnualRate,
    Log,
}

impl Units {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Levels, "lin"),
        (Self::Change, "chg"),
        (Self::ChangeFromYearAgo, "ch1"),
        (Self::PercentChange, "pch"),
        (Self::PercentChangeFromYearAgo, "pc1"),
        (Self::CompoundedAnnualRate, "pca"),
        (Self::ContinuousRate, "cch"),
        (Self::ContinuousAnnualRate, "cca"),
        (Self::Log, "log"),
    ];

    /// The units of a name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(units, _)| *units)
    }

    /// The name.
    pub(super) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(units, _)| *units == self).map_or("lin", |(_, name)| name)
    }

    /// All names, as a refusal lists them.
    pub(super) fn names() -> String {
        Self::ALL.map(|(_, name)| format!("'{name}'")).join(", ")
    }

    /// The vintages of the transformed series, ascending by period, then by first day. A value changes with its own
    /// vintages and with those of the value it is compared with.
    pub(super) fn transform(self, vintages: &[Vintage], frequency: Frequency) -> Vec<Vintage> {
        if self == Self::Levels {
            return vintages.to_vec();
        }
        let mut transformed: Vec<Vintage> = Vec::with_capacity(vintages.len());
        for vintage in vintages {
            let base = self.base_of(vintage.period, frequency);
            let bases = base.map_or(&[][..], |period| of_period(vintages, period));
            for (days, base) in pieces(vintage, bases) {
                let value = self.value(vintage.value, base, frequency).filter(|value| value.is_finite());
                let piece = Vintage { period: vintage.period, value, from: days.start, to: days.end };
                match transformed.last_mut() {
                    Some(last)
                        if last.period == piece.period && last.value == value && follows(last.to, piece.from) =>
                    {
                        last.to = piece.to;
                    }
                    _ => transformed.push(piece),
                }
            }
        }
        transformed
    }

    fn base_of(self, period: Date, frequency: Frequency) -> Option<Date> {
        match self {
            Self::Levels | Self::Log => None,
            Self::ChangeFromYearAgo | Self::PercentChangeFromYearAgo => period.checked_sub(1.year()).ok(),
            _ => frequency.before(period),
        }
    }

    /// The transformed value; `base` is the value it is compared with.
    fn value(self, value: Option<f64>, base: Option<f64>, frequency: Frequency) -> Option<f64> {
        let (value, n) = (value?, frequency.per_year());
        Some(match self {
            Self::Levels => value,
            Self::Log => value.ln(),
            Self::Change | Self::ChangeFromYearAgo => value - base?,
            Self::PercentChange | Self::PercentChangeFromYearAgo => 100.0 * (value / base? - 1.0),
            Self::CompoundedAnnualRate => 100.0 * ((value / base?).powf(n) - 1.0),
            Self::ContinuousRate => 100.0 * (value.ln() - base?.ln()),
            Self::ContinuousAnnualRate => 100.0 * n * (value.ln() - base?.ln()),
        })
    }
}

fn of_period(vintages: &[Vintage], period: Date) -> &[Vintage] {
    let first = vintages.partition_point(|vintage| vintage.period < period);
    let after = vintages.partition_point(|vintage| vintage.period <= period);
    &vintages[first..after]
}

/// The days of a vintage cut where the values of another period change, each piece with the one current then.
fn pieces(vintage: &Vintage, bases: &[Vintage]) -> Vec<(Days, Option<f64>)> {
    let mut pieces = Vec::with_capacity(bases.len() + 1);
    let mut next = Some(vintage.from);
    for base in bases {
        let Some(start) = next else { break };
        let Some(days) = base.within(Days { start, end: vintage.to }) else { continue };
        if start < days.start
            && let Ok(end) = days.start.yesterday()
        {
            pieces.push((Days { start, end }, None));
        }
        pieces.push((days, base.value));
        next = days.end.tomorrow().ok();
    }
    if let Some(start) = next.filter(|start| *start <= vintage.to) {
        pieces.push((Days { start, end: vintage.to }, None));
    }
    pieces
}

fn follows(to: Date, from: Date) -> bool {
    to != LAST_DAY && to.tomorrow().is_ok_and(|next| next == from)
}
