//! What of an answer is new.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use market::Observation;

type Vintages = BTreeMap<Date, Observation>;

/// What `fetched`, an answer that came at `fetched_at`, tells beyond `known`; ascending by (`ref_period`,
/// `realtime_start`). To be stored in place of what was fetched.
///
/// New is
/// - a vintage whose value is not the one already in force on its first day. Without a key every answer begins its
///   vintages anew: the same value again is no new vintage;
/// - the end of a vintage that was open: it is given once more with its end, whether the answer says so or a new vintage
///   follows it;
/// - another value of a vintage that is known: one day saw two values. What came second was not known before
///   `fetched_at`.
#[must_use]
pub fn news(known: &[Observation], mut fetched: Vec<Observation>, fetched_at: Timestamp) -> Vec<Observation> {
    let mut periods: BTreeMap<Date, Vintages> = BTreeMap::new();
    for observation in known {
        periods.entry(observation.ref_period).or_default().insert(observation.realtime_start, observation.clone());
    }
    fetched.sort_by_key(|observation| (observation.ref_period, observation.realtime_start));
    let mut new: BTreeMap<(Date, Date), Observation> = BTreeMap::new();
    for observation in fetched {
        let vintages = periods.entry(observation.ref_period).or_default();
        for told in tell(vintages, observation, fetched_at) {
            vintages.insert(told.realtime_start, told.clone());
            new.insert((told.ref_period, told.realtime_start), told);
        }
    }
    new.into_values().collect()
}

/// What a vintage adds to those of its period.
fn tell(vintages: &Vintages, mut told: Observation, fetched_at: Timestamp) -> Vec<Observation> {
    let before = vintages.range(..=told.realtime_start).next_back().map(|(_, before)| before);
    let Some(before) = before.filter(|before| before.realtime_end.is_none_or(|end| end > told.realtime_start)) else {
        return vec![told];
    };
    let is_open = before.realtime_end.is_none();
    if before.realtime_start == told.realtime_start && before.value != told.value {
        told.known_at = told.known_at.max(fetched_at);
        return vec![told];
    }
    if before.value == told.value {
        let ended = told.realtime_end.filter(|_| is_open);
        return ended.map(|_| Observation { realtime_end: ended, ..before.clone() }).into_iter().collect();
    }
    let ended = Observation { realtime_end: Some(told.realtime_start), ..before.clone() };
    if is_open { vec![ended, told] } else { vec![told] }
}
