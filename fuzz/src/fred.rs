//! FRED.

use jiff::civil::{Date, date};
use market::calendar::end_of_day_new_york;
use sources::fred::release::{next_poll, released_at};
use sources::fred::vintages::{FIRST_DAY, LAST_DAY, Row, merge, windows};
use sources::fred::{answer, graph};

use super::{check_refusals, check_text};

/// An answer of the keyed service, read as every kind of answer there is.
pub(crate) fn answer(bytes: &[u8]) {
    let (_, said) = answer::complaint(bytes);
    assert!(said.is_empty() || said.chars().count() <= 160 && !said.contains('\n'));
    match answer::observations(bytes) {
        Ok(page) => {
            assert!(page.rows.len() <= page.n_rows);
            check_refusals(&page.refused, page.n_rows - page.rows.len());
            page.rows.iter().for_each(check_row);
            check_merged(page.rows);
        }
        Err(error) => check_text(&error.to_string()),
    }
    for days in [answer::vintage_dates(bytes), answer::release_dates(bytes)] {
        match days {
            Ok(answer::Days { mut days, .. }) => {
                days.sort_unstable();
                days.dedup();
                check_windows(&days, 3);
                let now = end_of_day_new_york(date(2026, 1, 1));
                assert!(next_poll("CPIAUCSL", &days, None, now).is_none_or(|poll| poll > now));
            }
            Err(error) => check_text(&error.to_string()),
        }
    }
    if let Err(error) = answer::releases(bytes) {
        check_text(&error.to_string());
    }
}

fn check_row(row: &Row) {
    assert!(row.value.is_finite());
    assert!(row.ref_period <= row.realtime_start && row.realtime_start <= row.realtime_end);
    let start = row.realtime_start;
    for series in ["CPIAUCSL", "GDP", "NOBODYS"] {
        let released = released_at(series, start);
        if let Some(told) = row.into_observation(released) {
            assert!(told.realtime_end.is_none_or(|end| end > start));
            // The calendar of vintages ends a few days before that of dates.
            if (FIRST_DAY..date(9999, 12, 29)).contains(&start) {
                let day_before = start.yesterday().expect("it is later than the first day");
                assert!(end_of_day_new_york(day_before) < released && released <= end_of_day_new_york(start));
            }
        }
    }
}

fn check_merged(rows: Vec<Row>) {
    let n_rows = rows.len();
    let (merged, refused) = merge(rows);
    assert!(merged.len() + refused.len() <= n_rows);
    refused.iter().for_each(|text| check_text(text));
    for pair in merged.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let follows =
            a.ref_period < b.ref_period || (a.ref_period == b.ref_period && a.realtime_end < b.realtime_start);
        assert!(follows, "{a:?} {b:?}");
    }
}

/// Windows lie without holes from the first to the last day, and none holds more than `n_most` vintages.
fn check_windows(vintages: &[Date], n_most: usize) {
    let windows = windows(vintages, FIRST_DAY, n_most);
    assert_eq!(windows.first().map(|window| window.0), Some(FIRST_DAY));
    assert_eq!(windows.last().map(|window| window.1), Some(LAST_DAY));
    for pair in windows.windows(2) {
        assert_eq!(pair[0].1.tomorrow().ok(), Some(pair[1].0));
    }
    for (from, to) in windows {
        assert!(from <= to);
        assert!(vintages.iter().filter(|day| from <= **day && **day <= to).count() <= n_most);
    }
}

/// The table of the keyless service, of the series `GDP`.
pub(crate) fn graph(bytes: &[u8]) {
    match graph::parse(bytes, "GDP") {
        Ok(table) => {
            assert!(table.values.is_sorted_by(|a, b| a.0 < b.0));
            assert!(table.values.iter().all(|(_, value)| value.is_finite()));
            check_refusals(&table.refused, bytes.len());
        }
        Err(error) => check_text(&error.to_string()),
    }
}
