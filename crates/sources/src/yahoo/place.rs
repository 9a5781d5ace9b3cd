//! Where in time a row belongs.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use market::calendar::Span;
use market::{Calendar, Timeframe};

/// What is needed to tell where rows belong.
pub(super) struct Places<'a> {
    pub(super) calendar: Calendar,
    pub(super) timeframe: Timeframe,
    /// The exchange's zone. Offsets in an answer are those of the request's day, not of the row's.
    pub(super) zone: &'a TimeZone,
    /// When the last trade was, in seconds: the stamp of the running row.
    pub(super) last_trade: Option<i64>,
}

/// Where a row belongs.
pub(super) enum Place {
    /// To a bar.
    Bar(Date, Span),
    /// To the bar that runs, or ran last and is not final: it is stamped with the last trade.
    Running(Date),
    /// To nothing, as is known to happen: bars after the close, a bar without length at the close.
    Artefact,
    /// To nothing.
    Nowhere(Option<Timestamp>, String),
}

/// Daily stamps from this hour on belong to the next day: some exchanges' lie an hour or two early around clock changes.
const LATE: i8 = 22;

/// The seconds of 1900 and of the year 2199, within which there are days to trade on.
const TIMES: std::ops::Range<i64> = -2_208_988_800..7_226_582_400;

fn instant(seconds: i64) -> Option<Timestamp> {
    TIMES.contains(&seconds).then(|| Timestamp::from_second(seconds).ok()).flatten()
}

impl Places<'_> {
    /// The date of an event or a day's row.
    fn date(&self, stamp: Timestamp) -> Option<Date> {
        let local = self.zone.to_datetime(stamp);
        if local.hour() >= LATE { local.date().tomorrow().ok() } else { Some(local.date()) }
    }

    /// The session a split or dividend takes effect with: that of its date, or the next.
    pub(super) fn ex_date(&self, seconds: i64) -> Option<Date> {
        let mut date = self.date(instant(seconds)?)?;
        for _ in 0..7 {
            if self.calendar.day(date).is_some() {
                return Some(date);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    pub(super) fn place(&self, seconds: i64, is_last: bool) -> Place {
        let stamp = instant(seconds);
        let nowhere = |text: String| Place::Nowhere(stamp, text);
        let Some(stamp) = stamp else { return nowhere(format!("{seconds} is no time of any market")) };
        let Some(date) = self.date(stamp) else { return nowhere(format!("{stamp} is no date")) };
        // The running row is the last and carries seconds, or the time of the last trade by accident without.
        let may_run = is_last && (seconds % 60 != 0 || self.last_trade == Some(seconds));
        match self.timeframe.duration() {
            None => self.place_day(stamp, date, may_run),
            Some(length) => self.place_within(stamp, date, may_run, length),
        }
    }

    fn place_day(&self, stamp: Timestamp, date: Date, may_run: bool) -> Place {
        let Some(span) = self.calendar.day(date) else {
            return Place::Nowhere(Some(stamp), format!("{date} is no trading day"));
        };
        let local = self.zone.to_datetime(stamp);
        let on_grid = stamp == span.open_time || local.time() == Time::midnight() || local.hour() >= LATE;
        if may_run && !on_grid { Place::Running(date) } else { Place::Bar(date, span) }
    }

    fn place_within(&self, stamp: Timestamp, date: Date, may_run: bool, length: SignedDuration) -> Place {
        let date_of_bar = self.calendar.trading_date(stamp);
        if let Some(span) = self.calendar.bar_opening_at(self.timeframe, stamp) {
            return Place::Bar(date_of_bar, span);
        }
        if may_run {
            return Place::Running(date);
        }
        match self.calendar.day(date_of_bar) {
            None => Place::Nowhere(Some(stamp), format!("{date_of_bar} is no trading day")),
            Some(session) if stamp >= session.close_time => Place::Artefact,
            Some(session) if stamp < session.open_time => {
                Place::Nowhere(Some(stamp), "the row lies before the session".to_owned())
            }
            Some(_) => Place::Nowhere(Some(stamp), format!("no bar of {} minutes opens here", length.as_mins())),
        }
    }
}
