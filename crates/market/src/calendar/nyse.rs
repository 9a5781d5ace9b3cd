//! Sessions of the New York Stock Exchange, by rule.

use std::sync::OnceLock;

use jiff::civil::{Date, Weekday, date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Span;

/// First and last year of the table.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2099;

/// Closures no rule foretells: mourning days, attacks, storms.
const ONE_OFF: [Date; 11] = [
    date(1994, 4, 27),
    date(2001, 9, 11),
    date(2001, 9, 12),
    date(2001, 9, 13),
    date(2001, 9, 14),
    date(2004, 6, 11),
    date(2007, 1, 2),
    date(2012, 10, 29),
    date(2012, 10, 30),
    date(2018, 12, 5),
    date(2025, 1, 9),
];

/// Early closes no rule foretells.
const ONE_OFF_EARLY: [Date; 3] = [date(1997, 12, 26), date(1999, 12, 31), date(2003, 12, 26)];

/// One trading session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The trading date, in New York.
    pub date: Date,
    /// 09:30 New York.
    pub open: Timestamp,
    /// 16:00 New York, 13:00 on half days.
    pub close: Timestamp,
}

impl Session {
    pub(super) fn span(&self) -> Span {
        Span { open_time: self.open, close_time: self.close }
    }
}

/// New York's time zone, from the system's database or the one in the binary.
pub(super) fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| TimeZone::get("America/New_York").expect("the bundled time-zone database has New York"))
}

/// All sessions, ascending.
pub(super) fn sessions() -> &'static [Session] {
    static SESSIONS: OnceLock<Vec<Session>> = OnceLock::new();
    SESSIONS.get_or_init(|| YEARS.flat_map(sessions_of).collect())
}

fn sessions_of(year: i16) -> impl Iterator<Item = Session> {
    let holidays = holidays(year);
    let early = early_closes(year, &holidays);
    date(year, 1, 1)
        .series(1.day())
        .take_while(move |day| day.year() == year)
        .filter(move |day| is_weekday(*day) && !holidays.contains(day) && !ONE_OFF.contains(day))
        .map(move |day| {
            let close = if early.contains(&day) { time(13, 0, 0, 0) } else { time(16, 0, 0, 0) };
            let at =
                |clock| zone().to_timestamp(day.to_datetime(clock)).expect("New York has these hours on every day");
            Session { date: day, open: at(time(9, 30, 0, 0)), close: at(close) }
        })
}

fn is_weekday(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn nth(year: i16, month: i8, nth: i8, weekday: Weekday) -> Date {
    date(year, month, 1).nth_weekday_of_month(nth, weekday).expect("months have four of each weekday and a last one")
}

fn holidays(year: i16) -> Vec<Date> {
    let mut days = vec![
        nth(year, 2, 3, Weekday::Monday),
        western_easter(year) - 2.days(),
        nth(year, 5, -1, Weekday::Monday),
        observed(date(year, 7, 4)),
        nth(year, 9, 1, Weekday::Monday),
        nth(year, 11, 4, Weekday::Thursday),
        observed(date(year, 12, 25)),
    ];
    // New Year on a Saturday closes no day: the Friday before belongs to the old year's books.
    match date(year, 1, 1) {
        day if day.weekday() == Weekday::Saturday => {}
        day => days.push(observed(day)),
    }
    if year >= 1998 {
        days.push(nth(year, 1, 3, Weekday::Monday));
    }
    if year >= 2022 {
        days.push(observed(date(year, 6, 19)));
    }
    days
}

/// Saturday's holiday is kept on Friday, Sunday's on Monday.
fn observed(day: Date) -> Date {
    match day.weekday() {
        Weekday::Saturday => day - 1.day(),
        Weekday::Sunday => day + 1.day(),
        _ => day,
    }
}

fn early_closes(year: i16, holidays: &[Date]) -> Vec<Date> {
    let mut days = vec![nth(year, 11, 4, Weekday::Thursday) + 1.day()];
    let christmas_eve = date(year, 12, 24);
    if is_weekday(christmas_eve) && !holidays.contains(&christmas_eve) {
        days.push(christmas_eve);
    }
    // Around Independence Day: until 2012 a Thursday's holiday shortened the Friday after, since then the day before.
    match date(year, 7, 4).weekday() {
        Weekday::Thursday if year < 2013 => days.push(date(year, 7, 5)),
        Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => {
            days.push(date(year, 7, 3));
        }
        _ => {}
    }
    days.extend(ONE_OFF_EARLY.iter().filter(|day| day.year() == year));
    days
}

/// Easter Sunday of the Gregorian calendar (anonymous algorithm, Meeus/Jones/Butcher).
fn western_easter(year: i16) -> Date {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let n = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * n + 19) % 32;
    date(year, n as i8, day as i8)
}
