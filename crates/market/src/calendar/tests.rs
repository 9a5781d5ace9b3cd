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
