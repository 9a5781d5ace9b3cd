//! Klines over REST.

use jiff::Timestamp;
use jiff::tz::Offset;
use market::Bar;
use serde::Serialize;

use super::format::{Fixed, TimeUnit};
use super::interval::{Interval, zone};
use super::query::Query;
use super::refusal::Refusal;
use super::venue::{Venue, quote_volume, taker_share, trades};
use crate::server::faults::Kind;
use crate::tape::{Keep, Window};

/// Open time, four prices, volume, close time, quote volume, trades, taker volumes, and nothing.
#[derive(Serialize)]
struct Row(i64, Fixed, Fixed, Fixed, Fixed, Fixed, i64, Fixed, i64, Fixed, Fixed, &'static str);

impl Row {
    fn of(bar: &Bar, now: Timestamp, unit: TimeUnit) -> Self {
        let (quote, share) = (quote_volume(bar), taker_share(bar));
        Self(
            unit.of(bar.open_time),
            Fixed(bar.open),
            Fixed(bar.high),
            Fixed(bar.low),
            Fixed(bar.close),
            Fixed(bar.volume),
            unit.before(bar.close_time),
            Fixed(quote),
            trades(bar, now).count,
            Fixed(bar.volume * share),
            Fixed(quote * share),
            "0",
        )
    }
}

/// The rows of `klines` and `uiKlines`.
pub(super) fn answer(venue: &Venue, query: &Query, unit: TimeUnit, path: &str) -> Result<String, Refusal> {
    let symbol = query.symbol()?.ok_or(Refusal::Mandatory("symbol"))?;
    let interval = query.need("interval")?;
    let offset = match query.get("timeZone") {
        None => Offset::UTC,
        Some(text) => zone(text).ok_or(Refusal::Value("timeZone"))?,
    };
    let (start, end) = (query.time("startTime")?, query.time("endTime")?);
    let limit = query.limit()?;
    query.finish()?;
    let interval = Interval::parse(interval, offset).ok_or(Refusal::Interval)?;
    let place = venue.find(symbol).ok_or(Refusal::Symbol)?;

    let now = venue.now();
    let (from, to) = (start.unwrap_or(Timestamp::MIN), end.unwrap_or(Timestamp::MAX));
    let keep = if start.is_some() { Keep::Oldest } else { Keep::Newest };
    let mut bars = venue.bars(place, interval, &Window { from, to, now, limit, keep });
    let running = venue.running(place, interval, now).filter(|bar| (from..=to).contains(&bar.open_time));
    match running {
        Some(bar) if keep == Keep::Newest => {
            bars.push(bar);
            let surplus = bars.len().saturating_sub(limit);
            bars.drain(..surplus);
        }
        Some(bar) if bars.len() < limit => bars.push(bar),
        _ => {}
    }
    let mut rows: Vec<Row> = bars.iter().map(|bar| Row::of(bar, now, unit)).collect();
    disturb(venue, path, now, &mut rows, |index| Row::of(&bars[index], now, unit));
    Ok(serde_json::to_string(&rows).unwrap_or_default())
}

/// Rows twice or in the wrong order, where that is planned.
fn disturb(venue: &Venue, path: &str, now: Timestamp, rows: &mut Vec<Row>, row: impl Fn(usize) -> Row) {
    if rows.len() < 2 {
        return;
    }
    let middle = rows.len() / 2;
    let strike = |wanted: Kind| {
        let pick = |kind: &Kind| (*kind == wanted).then_some(());
        venue.exchange.faults.strike(venue.service, path, now, pick).is_some()
    };
    if strike(Kind::OutOfOrder) {
        rows.swap(middle - 1, middle);
    }
    if strike(Kind::Duplicate) {
        rows.insert(middle, row(middle));
    }
}
