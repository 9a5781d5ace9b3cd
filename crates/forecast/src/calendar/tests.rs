use jiff::Timestamp;

use super::*;

fn us(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn ahead(close: &str, n: usize) -> SessionsAhead {
    let table = Sessions::table();
    table.ahead(table.closed_at(us(close)).unwrap(), n).unwrap()
}

#[test]
fn special_sessions_ahead_are_counted() {
    // Thursday 6 June 2019, 16:00 New York.
    let day = ahead("2019-06-06T20:00:00Z", 1);
    assert_eq!((day.payrolls, day.expiries, day.month_ends, day.days), (1, 0, 0, 1));
    assert_eq!((day.weekday, day.month, day.christmas), (4, 6, false));
    let month = ahead("2019-06-06T20:00:00Z", 21);
    // 7 June to 8 July, with 4 July closed: payrolls 7 June and 5 July, expiry 21 June, month end 28 June.
    assert_eq!((month.payrolls, month.expiries, month.month_ends, month.days), (2, 1, 1, 32));
}

#[test]
fn holidays_lengthen_the_days_ahead() {
    // Wednesday 3 July 2019 closed at 13:00 New York; the next session is Friday.
    let day = ahead("2019-07-03T17:00:00Z", 1);
    assert_eq!((day.days, day.weekday), (2, 4));
    // Friday before Labour Day.
    assert_eq!(ahead("2019-08-30T20:00:00Z", 1).days, 4);
}

#[test]
fn christmas_is_seen_from_before() {
    assert!(ahead("2019-12-20T21:00:00Z", 1).christmas);
    assert!(!ahead("2019-12-13T21:00:00Z", 1).christmas);
    assert!(ahead("2019-12-13T21:00:00Z", 21).christmas);
}

#[test]
fn a_session_counts_once_it_has_closed() {
    let table = Sessions::table();
    let at = |text| table.closed_at(us(text));
    assert_eq!(at("2019-06-06T20:00:00Z").unwrap(), at("2019-06-06T19:59:59Z").unwrap() + 1);
    assert_eq!(at("1960-01-01T00:00:00Z"), None);
}

#[test]
fn hours_of_the_week_start_on_monday() {
    // 2023-01-02 was a Monday.
    assert_eq!(slot_of(AssetClass::Crypto, Timeframe::H1, us("2023-01-02T00:00:00Z")), 0);
    assert_eq!(slot_of(AssetClass::Crypto, Timeframe::H1, us("2023-01-08T23:00:00Z")), 167);
    let mut slots = Vec::new();
    slots_ahead(AssetClass::Crypto, us("2023-01-08T22:00:00Z"), 3, |slot| slots.push(slot));
    assert_eq!(slots, [166, 167, 0]);
}

#[test]
fn slots_of_a_session_skip_the_night_and_the_weekend() {
    // Friday 7 June 2019: the bar from 13:30 to 14:30 New York is the fifth; two are left, then Monday's first.
    assert_eq!(slot_of(AssetClass::Stocks, Timeframe::H1, us("2019-06-07T17:30:00Z")), 4 * 7 + 4);
    let mut slots = Vec::new();
    slots_ahead(AssetClass::Stocks, us("2019-06-07T18:30:00Z"), 4, |slot| slots.push(slot));
    assert_eq!(slots, [33, 34, 0, 1]);
    slots.clear();
    slots_ahead(AssetClass::Stocks, us("2019-06-07T20:00:00Z"), 1, |slot| slots.push(slot));
    assert_eq!(slots, [0]);
}

#[test]
fn weekend_days_are_counted() {
    // From Friday 2023-01-06 on: Friday, Saturday, Sunday.
    for (n, expected) in [(1, 0), (2, 1), (3, 2), (7, 2), (8, 2), (9, 3), (21, 6)] {
        assert_eq!(weekend_days(utc_weekday(us("2023-01-06T00:00:00Z")), n), expected, "{n} days");
    }
    assert_eq!(utc_weekday(us("2023-01-06T00:00:00Z")), 4);
    assert_eq!((utc_month(us("2023-01-06T00:00:00Z")), hour_of_day(us("2023-01-06T13:00:00Z"))), (1, 13.0));
}

#[test]
fn announcements_are_counted_as_scheduled_and_missing_beyond_the_schedule() {
    // 18 December 2019 was none; 31 July 2019 and 18 September 2019 were.
    assert_eq!(ahead("2019-07-30T20:00:00Z", 1).announcements, Some(1));
    assert_eq!(ahead("2019-07-31T20:00:00Z", 1).announcements, Some(0));
    assert_eq!(ahead("2019-07-30T20:00:00Z", 40).announcements, Some(2));
    assert_eq!(ahead("1999-07-30T20:00:00Z", 5).announcements, None);
    assert_eq!(ahead("2090-01-03T21:00:00Z", 5).announcements, None);
    // Eight sessions a year.
    let table = Sessions::table();
    let total = table.announcements[table.scheduled.end] - table.announcements[table.scheduled.start];
    assert_eq!(total, 8 * 25);
}
