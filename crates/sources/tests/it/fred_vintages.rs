//! Windows and their seams, what is new, and when it is known.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use market::Observation;
use proptest::prelude::*;
use sources::fred::news;
use sources::fred::release::{next_poll, released_at};
use sources::fred::vintages::{FIRST_DAY, LAST_DAY, Row, merge, windows};

use super::at;
use super::fred_archive::{Archive, archives};

fn ask(archive: &Archive, windows: &[(Date, Date)]) -> Vec<Row> {
    let rows = windows.iter().flat_map(|&(start, end)| archive.window(start, end));
    let (rows, refused) = merge(rows.filter(|row| !row.value.is_nan()).collect());
    assert_eq!(refused, [""; 0]);
    rows
}

proptest! {
    #[test]
    fn many_windows_tell_what_one_tells(archive in archives(), n_most in 1_usize..5, days in 0_i64..400) {
        let vintages = archive.vintage_dates(FIRST_DAY, LAST_DAY);
        let parts = windows(&vintages, FIRST_DAY, n_most);
        prop_assert!(parts.iter().all(|(start, end)| start <= end));
        prop_assert!(parts.iter().all(|&(start, end)| archive.vintage_dates(start, end).len() <= n_most));
        prop_assert!(parts.windows(2).all(|pair| pair[0].1.tomorrow().unwrap() == pair[1].0));
        prop_assert_eq!(parts.last().unwrap().1, LAST_DAY);
        prop_assert_eq!(ask(&archive, &parts), archive.values());

        // The same of a part of history, against one window of the same days.
        let start = date(2001, 1, 1) + days.days();
        let parts = windows(&vintages, start, n_most);
        prop_assert_eq!(parts[0].0, start);
        prop_assert_eq!(ask(&archive, &parts), ask(&archive, &[(start, LAST_DAY)]));
    }

    #[test]
    fn rows_that_begin_after_the_window_does_are_true_vintages(archive in archives(), days in 0_i64..400) {
        let start = date(2001, 1, 1) + days.days();
        let told: Vec<Row> = ask(&archive, &[(start, LAST_DAY)]);
        let told: Vec<Row> = told.into_iter().filter(|row| row.realtime_start > start).collect();
        let true_ones: Vec<Row> = archive.values().into_iter().filter(|row| row.realtime_start > start).collect();
        prop_assert_eq!(told, true_ones);
    }

    #[test]
    fn what_was_stored_is_no_news(archive in archives(), n in 0_usize..20) {
        let all: Vec<Observation> = archive.values().into_iter().map(observed).collect();
        let now = at("2026-01-01T00:00:00Z");
        prop_assert_eq!(news(&[], all.clone(), now), all.clone());
        prop_assert_eq!(news(&all, all.clone(), now), []);
        // Whatever was known before, the news completes it.
        let known: Vec<Observation> = all.iter().take(n).cloned().collect();
        let mut completed = known.clone();
        for told in news(&known, all.clone(), now) {
            completed.retain(|o| (o.ref_period, o.realtime_start) != (told.ref_period, told.realtime_start));
            completed.push(told);
        }
        completed.sort_by_key(|o| (o.ref_period, o.realtime_start));
        prop_assert_eq!(completed, all);
    }
}

fn observed(row: Row) -> Observation {
    row.into_observation(released_at("GDP", row.realtime_start)).unwrap()
}

#[test]
fn a_value_that_contradicts_another_is_refused() {
    let row = |value, from, to| Row {
        ref_period: date(2014, 1, 1),
        value,
        realtime_start: date(2014, 5, from),
        realtime_end: date(2014, 5, to),
    };
    let (rows, refused) = merge(vec![row(2.0, 8, 20), row(1.0, 1, 10), row(1.0, 11, 12)]);
    assert_eq!(rows, [row(1.0, 1, 12)]);
    assert_eq!(refused, ["2014-01-01 of 2014-05-08 is said to be 2 although it is 1 until 2014-05-10"]);
}

#[test]
fn promise_2_a_vintage_is_known_from_its_release_on() {
    let check = |series, day: Date, expected| assert_eq!(released_at(series, day), at(expected), "{series} of {day}");
    check("GDP", date(2026, 7, 30), "2026-07-30T12:30:00Z");
    check("GDP", date(2026, 1, 29), "2026-01-29T13:30:00Z");
    check("CPIAUCSL", date(2026, 8, 12), "2026-08-12T12:30:00Z");
    check("UNRATE", date(2026, 8, 7), "2026-08-07T12:30:00Z");
    check("UMCSENT", date(2026, 8, 28), "2026-08-28T14:00:00Z");
    check("FEDFUNDS", date(2026, 8, 3), "2026-08-03T20:15:00Z");
    check("DFF", date(2026, 1, 5), "2026-01-05T21:15:00Z");
    // Where no time is sure, and where those of today did not hold yet: the end of the day.
    check("ICSA", date(2026, 8, 6), "2026-08-07T04:00:00Z");
    check("SOMETHING", date(2026, 8, 6), "2026-08-07T04:00:00Z");
    check("GDP", date(1991, 12, 4), "1991-12-05T05:00:00Z");
    for day in [FIRST_DAY, LAST_DAY, Date::MIN, Date::MAX] {
        assert!(released_at("GDP", day) > jiff::Timestamp::MIN && released_at("ICSA", day) > jiff::Timestamp::MIN);
    }
}

#[test]
fn a_release_is_asked_for_until_it_is_there() {
    let announced = [date(2026, 7, 30), date(2026, 8, 27), date(2026, 9, 30)];
    let check = |newest: Option<Date>, after: &str, expected: Option<&str>| {
        assert_eq!(next_poll("GDP", &announced, newest, at(after)), expected.map(at), "{after}");
    };
    let before = Some(date(2026, 7, 30));
    check(before, "2026-08-20T00:00:00Z", Some("2026-08-27T12:32:00Z"));
    check(before, "2026-08-27T12:32:00Z", Some("2026-08-27T12:35:00Z"));
    check(before, "2026-08-27T12:36:00Z", Some("2026-08-27T12:45:00Z"));
    check(before, "2026-08-27T12:45:00Z", Some("2026-08-27T13:30:00Z"));
    check(before, "2026-08-27T13:30:00Z", Some("2026-09-30T12:32:00Z"));
    check(Some(date(2026, 8, 27)), "2026-08-27T12:36:00Z", Some("2026-09-30T12:32:00Z"));
    check(None, "2026-07-30T12:31:00Z", Some("2026-07-30T12:32:00Z"));
    check(before, "2026-10-01T00:00:00Z", None);
    assert_eq!(next_poll("GDP", &[], None, at("2026-10-01T00:00:00Z")), None);
}

/// `period month, value, first day in August, end day in August, known at hour of day`.
fn vintage(month: i8, value: f64, start: i8, end: Option<i8>, known_at: &str) -> Observation {
    Observation {
        ref_period: date(2026, month, 1),
        value,
        realtime_start: date(2026, 8, start),
        realtime_end: end.map(|end| date(2026, 8, end)),
        known_at: at(known_at),
    }
}

#[test]
fn news_is_what_is_not_known_yet() {
    let fetched_at = at("2026-08-20T15:00:00Z");
    let [t1, t2] = ["2026-08-05T12:00:00Z", "2026-08-20T15:00:00Z"];
    let check = |known: &[Observation], fetched: &[Observation], expected: &[Observation]| {
        assert_eq!(news(known, fetched.to_vec(), fetched_at), expected);
    };
    let first = vintage(6, 1.0, 5, None, t1);
    // Without a key each day begins its vintages anew: the same value is nothing new.
    check(std::slice::from_ref(&first), &[vintage(6, 1.0, 20, None, t2)], &[]);
    // A new period, and a revision, which ends what it follows.
    let (next, revised) = (vintage(7, 3.0, 20, None, t2), vintage(6, 2.0, 20, None, t2));
    check(std::slice::from_ref(&first), std::slice::from_ref(&next), std::slice::from_ref(&next));
    let ended = vintage(6, 1.0, 5, Some(20), t1);
    check(std::slice::from_ref(&first), &[next.clone(), revised.clone()], &[ended.clone(), revised.clone(), next]);
    // The answer itself says that the vintage ended.
    check(std::slice::from_ref(&first), &[ended.clone(), revised.clone()], &[ended.clone(), revised]);
    // A value that was withdrawn and came back is a new vintage.
    let back = vintage(6, 1.0, 20, None, t2);
    check(&[vintage(6, 1.0, 5, Some(9), t1)], std::slice::from_ref(&back), std::slice::from_ref(&back));
    // One day, two values: the second was not known before it was fetched.
    let corrected = vintage(6, 1.5, 5, None, t1);
    check(std::slice::from_ref(&first), &[corrected], &[vintage(6, 1.5, 5, None, t2)]);
    // An archive tells of days before what was known.
    let older = vintage(6, 1.0, 3, None, "2026-08-03T12:30:00Z");
    check(std::slice::from_ref(&first), std::slice::from_ref(&older), std::slice::from_ref(&older));
    // A vintage known with its end is not opened again.
    check(std::slice::from_ref(&ended), std::slice::from_ref(&first), &[]);
}
