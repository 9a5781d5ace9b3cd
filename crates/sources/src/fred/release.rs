//! When values are published: the time of day of a release, and when to ask for it.

use std::sync::OnceLock;

use jiff::civil::{Date, Time, date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use market::calendar::end_of_day_new_york;

use super::panel::PANEL;

/// How long after its announced time a release is asked for, until it is there.
pub const POLLS: [SignedDuration; 4] = [
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(15),
    SignedDuration::from_mins(60),
];

/// Before this day releases came at other times of day: they count as known at the end of theirs.
const TIMES_HOLD_FROM: Date = date(2000, 1, 1);

/// When what a series' vintage of that day says could first have been known: the time of its release in New York, where
/// that is known, else the end of the day there.
#[must_use]
pub fn released_at(series_id: &str, day: Date) -> Timestamp {
    let released = PANEL.iter().find(|series| series.id == series_id).and_then(|series| series.released);
    match released {
        Some(released) if day >= TIMES_HOLD_FROM => {
            at_new_york(day, released).unwrap_or_else(|| known_by_the_end_of(day))
        }
        _ => known_by_the_end_of(day),
    }
}

/// When to ask next for a release after `after`: the first of the [`POLLS`] of an announced day. `announced` ascends;
/// days up to `newest`, the first day of the newest vintage that is known, are over. `None` when no day is announced.
///
/// A release that comes later than an hour after its time is found when the next one is asked for, or by any request in
/// between.
#[must_use]
pub fn next_poll(series_id: &str, announced: &[Date], newest: Option<Date>, after: Timestamp) -> Option<Timestamp> {
    let awaited = announced.iter().filter(|day| newest.is_none_or(|newest| **day > newest));
    let polls = awaited.flat_map(|day| {
        let expected = at_new_york(*day, announced_time(series_id)).unwrap_or_else(|| known_by_the_end_of(*day));
        POLLS.into_iter().filter_map(move |later| expected.checked_add(later).ok())
    });
    polls.filter(|poll| *poll > after).min()
}

/// The time of day at which a series is looked for: its release's, else 09:30, when the morning's releases are out.
fn announced_time(series_id: &str) -> Time {
    let released = PANEL.iter().find(|series| series.id == series_id).and_then(|series| series.released);
    released.unwrap_or(time(9, 30, 0, 0))
}

fn known_by_the_end_of(day: Date) -> Timestamp {
    // The calendar's own bounds are wider than any archive's; the clamp keeps arithmetic inside them.
    end_of_day_new_york(day.clamp(super::vintages::FIRST_DAY, date(9999, 12, 29)))
}

fn at_new_york(day: Date, time: Time) -> Option<Timestamp> {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let zone = ZONE.get_or_init(|| TimeZone::get("America/New_York").expect("the bundled time-zone database has it"));
    zone.to_timestamp(day.to_datetime(time)).ok()
}
