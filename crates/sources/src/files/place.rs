//! From a file's stamp to the bar it names.

use jiff::{SignedDuration, Timestamp, ToSpan};
use market::calendar::end_of_day_new_york;
use market::{Asset, Calendar, Span, Timeframe};

use super::moment::date_of;
use super::quarantine::Reason;

/// The bar that `stamp` names.
///
/// Bars within a day, and all bars of coins, are named by their exact open. From one day up, bars of the US session may
/// also be stamped with their label: 00:00Z, or midnight in New York, of the session (of a day of the week or month).
pub(super) fn place(asset: &Asset, timeframe: Timeframe, stamp: Timestamp) -> Result<Span, Reason> {
    let calendar = Calendar::of(asset.class());
    let off = || Reason::OffCalendar { time: stamp, timeframe, symbol: asset.symbol.clone() };
    if calendar == Calendar::Continuous || timeframe.duration().is_some() {
        return calendar.bar_opening_at(timeframe, stamp).ok_or_else(off);
    }
    let label = date_of(stamp).or_else(|| {
        let date = calendar.trading_date(stamp);
        date.yesterday().ok().filter(|before| end_of_day_new_york(*before) == stamp).map(|_| date)
    });
    let Some(label) = label else { return calendar.bar_opening_at(timeframe, stamp).ok_or_else(off) };
    if timeframe == Timeframe::D1 {
        return calendar.day(label).ok_or_else(|| Reason::NoSession { date: label, symbol: asset.symbol.clone() });
    }
    // A week or month is named by any of its days; its bar is the one whose last session lies in the same period.
    let day = market::calendar::midnight(label);
    let period = Calendar::Continuous.bar_closing_after(timeframe, day).ok_or_else(off)?;
    let span = calendar.bar_closing_after(timeframe, period.open_time).ok_or_else(off)?;
    if span.open_time < period.close_time { Ok(span) } else { Err(off()) }
}

/// The timeframe of bars whose stamps lie `spacing` apart; `None` when there is none.
pub(super) fn timeframe_of(spacing: SignedDuration) -> Option<Timeframe> {
    let days = spacing.as_hours() / 24;
    match Timeframe::ALL.into_iter().find(|timeframe| timeframe.duration() == Some(spacing)) {
        Some(timeframe) => Some(timeframe),
        None if spacing == SignedDuration::from_hours(24) => Some(Timeframe::D1),
        None if spacing == SignedDuration::from_hours(7 * 24) => Some(Timeframe::W1),
        // Months differ, so that no single spacing of theirs need be the commonest one.
        None if (28..=31).contains(&days) => Some(Timeframe::Mo1),
        None => None,
    }
}

/// When an ex-date's terms begin to rule: the open of its session, or of the first one after a day without.
pub(super) fn ex_date_open(date: jiff::civil::Date) -> Option<Timestamp> {
    (0..7).find_map(|n| Calendar::Nyse.day(date.checked_add(n.days()).ok()?)).map(|span| span.open_time)
}
