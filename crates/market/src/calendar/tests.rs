use super::*;
use jiff::civil::date;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn check(calendar: Calendar, timeframe: &str, instant: &str, expected: &str) {
    let span = calendar.bar_closing_after(timeframe.parse().unwrap(), at(instant)).unwrap();
    assert_eq!(format!("{} {}", span.open_time, span.close_time), expected, "{timeframe} at {instant}");
    let last = calendar.last_closed_bar(timeframe.parse().unwrap(), span.close_time).unwrap();
    assert_eq!(last, span, "{timeframe}: the bar is the last closed one at its close");
}

#[test]
fn bars_by_rule() {
    let nyse = Calendar::Nyse;
    check(nyse, "1D", "2025-03-08T00:00:00Z", "2025-03-10T13:30:00Z 2025-03-10T20:00:00Z");
    check(nyse, "1D", "2025-03-07T15:00:00Z", "2025-03-07T14:30:00Z 2025-03-07T21:00:00Z");
    check(nyse, "1h", "2025-03-07T20:40:00Z", "2025-03-07T20:30:00Z 2025-03-07T21:00:00Z");
    check(nyse, "1h", "2025-03-07T21:00:00Z", "2025-03-10T13:30:00Z 2025-03-10T14:30:00Z");
    check(nyse, "4h", "2025-11-28T18:00:00Z", "2025-12-01T14:30:00Z 2025-12-01T18:30:00Z");
    check(nyse, "1W", "2025-11-26T00:00:00Z", "2025-11-24T14:30:00Z 2025-11-28T18:00:00Z");
    check(nyse, "1M", "2025-11-26T00:00:00Z", "2025-11-03T14:30:00Z 2025-11-28T18:00:00Z");
    let coins = Calendar::Continuous;
    check(coins, "1h", "2024-01-01T05:59:59Z", "2024-01-01T05:00:00Z 2024-01-01T06:00:00Z");
    check(coins, "4h", "2024-01-01T08:00:00Z", "2024-01-01T08:00:00Z 2024-01-01T12:00:00Z");
    check(coins, "1W", "2024-01-07T23:00:00Z", "2024-01-01T00:00:00Z 2024-01-08T00:00:00Z");
    check(coins, "1M", "2024-02-29T00:00:00Z", "2024-02-01T00:00:00Z 2024-03-01T00:00:00Z");
    check(coins, "1Q", "2024-05-29T00:00:00Z", "2024-04-01T00:00:00Z 2024-07-01T00:00:00Z");
}

#[test]
fn a_session_is_known_by_its_date() {
    let day = Calendar::Nyse.day(date(2023, 7, 3)).unwrap();
    assert_eq!(day.close_time, at("2023-07-03T17:00:00Z"), "half day before Independence Day");
    assert_eq!(Calendar::Nyse.day(date(2022, 6, 20)), None, "Juneteenth, observed");
    assert_eq!(Calendar::Nyse.trading_date(day.open_time), date(2023, 7, 3));
}

#[test]
fn steps_and_counts_agree() {
    let as_of = at("2019-12-20T21:00:00Z");
    for calendar in [Calendar::Nyse, Calendar::Continuous] {
        for timeframe in [Timeframe::H1, Timeframe::H4, Timeframe::D1, Timeframe::W1, Timeframe::Mo1] {
            for steps in [1, 2, 7, 21] {
                let span = calendar.nth_bar_after(timeframe, as_of, steps).unwrap();
                let counted = calendar.count_bars(timeframe, as_of, span.close_time);
                assert_eq!(counted, steps as usize, "{calendar:?} {timeframe} {steps}");
            }
        }
    }
}

/// Days the exchange was closed apart from weekends, as it published them.
const CLOSED: [(i16, &str); 8] = [
    (2020, "01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25"),
    (2021, "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24"),
    (2022, "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26"),
    (2023, "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25"),
    (2024, "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25"),
    (2025, "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25"),
    (2026, "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25"),
    (2027, "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24"),
];

/// Days it closed at 13:00, as it published them.
const EARLY: [(i16, &str); 8] = [
    (2020, "11-27 12-24"),
    (2021, "11-26"),
    (2022, "11-25"),
    (2023, "07-03 11-24"),
    (2024, "07-03 11-29 12-24"),
    (2025, "07-03 11-28 12-24"),
    (2026, "11-27 12-24"),
    (2027, "11-26"),
];

fn dates(table: &[(i16, &str)]) -> Vec<Date> {
    let of = |(year, days): &(i16, &str)| {
        days.split(' ').map(|day| format!("{year}-{day}").parse().unwrap()).collect::<Vec<Date>>()
    };
    table.iter().flat_map(of).collect()
}

#[test]
fn promise_2_every_day_from_2020_to_2027_closes_when_the_exchange_said() {
    let (closed, early) = (dates(&CLOSED), dates(&EARLY));
    let new_york = TimeZone::get("America/New_York").unwrap();
    let mut day = date(2020, 1, 1);
    while day.year() < 2028 {
        let weekend = day.weekday().to_monday_zero_offset() >= 5;
        let close_hour = if early.contains(&day) { 13 } else { 16 };
        let instant = |hour, minute| new_york.to_timestamp(day.at(hour, minute, 0, 0)).unwrap();
        let expected = (!weekend && !closed.contains(&day))
            .then(|| Span { open_time: instant(9, 30), close_time: instant(close_hour, 0) });
        assert_eq!(Calendar::Nyse.day(day), expected, "{day}");
        day = day.tomorrow().unwrap();
    }
}

#[test]
fn sessions_a_year() {
    // Counted in published daily prices up to 2019, and in the exchange's calendar from 2020 on.
    for (from, counts) in [
        (2000, [252, 248, 252, 252, 252, 252, 251, 251, 253, 252].as_slice()),
        (2010, &[252, 252, 250, 252, 252, 252, 252, 251, 251, 252]),
        (2020, &[253, 252, 251, 250, 252, 250, 251, 251]),
    ] {
        for (year, count) in (from..).zip(counts) {
            let [start, end] = [date(year, 1, 1), date(year + 1, 1, 1)].map(midnight);
            assert_eq!(Calendar::Nyse.count_bars(Timeframe::D1, start, end), *count, "{year}");
        }
    }
}

#[test]
fn days_no_rule_foretells() {
    for (day, close) in [
        (date(2001, 9, 10), Some("2001-09-10T20:00:00Z")),
        (date(2001, 9, 11), None),
        (date(2001, 9, 14), None),
        (date(2001, 9, 17), Some("2001-09-17T20:00:00Z")),
        (date(2002, 7, 5), Some("2002-07-05T17:00:00Z")),
        (date(2003, 12, 26), Some("2003-12-26T18:00:00Z")),
        (date(2004, 6, 11), None),
        (date(2007, 1, 2), None),
        (date(2010, 12, 31), Some("2010-12-31T21:00:00Z")),
        (date(2012, 10, 29), None),
        (date(2012, 10, 30), None),
        (date(2013, 7, 3), Some("2013-07-03T17:00:00Z")),
        (date(2018, 12, 5), None),
        (date(2018, 12, 24), Some("2018-12-24T18:00:00Z")),
        (date(2021, 12, 31), Some("2021-12-31T21:00:00Z")),
    ] {
        let found = Calendar::Nyse.day(day).map(|span| span.close_time.to_string());
        assert_eq!(found.as_deref(), close, "{day}");
    }
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn promise_6_a_bar_is_closed_or_running_never_both(
            second in 946_684_800_i64..2_500_000_000, nyse in any::<bool>(), which in 0_usize..9,
        ) {
            let calendar = if nyse { Calendar::Nyse } else { Calendar::Continuous };
            let (timeframe, now) = (Timeframe::ALL[which], Timestamp::from_second(second).unwrap());
            let running = calendar.bar_closing_after(timeframe, now).unwrap();
            let closed = calendar.last_closed_bar(timeframe, now).unwrap();
            prop_assert!(closed.open_time < closed.close_time && closed.close_time <= now);
            prop_assert!(closed.close_time <= running.open_time && now < running.close_time);
            prop_assert_eq!(calendar.bar_closing_after(timeframe, closed.close_time), Some(running), "none between");
            prop_assert_eq!(calendar.bar_opening_at(timeframe, closed.open_time), Some(closed));
            prop_assert_eq!(calendar.nth_bar_after(timeframe, now, 1), Some(running));
            prop_assert_eq!(calendar.nth_bar_after(timeframe, now, 0), None);
        }
    }
}
