//! Aggregated trades and the average price.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::format::{Fixed, TimeUnit};
use super::query::Query;
use super::refusal::Refusal;
use super::venue::{Trade, Venue, id_at, quote_volume};

/// Ids looked at for one answer: where nothing is traded there are ids without trades.
const LOOKED_AT: i64 = 20_000;

#[derive(Serialize)]
struct Row {
    a: i64,
    p: Fixed,
    q: Fixed,
    f: i64,
    l: i64,
    #[serde(rename = "T")]
    time: i64,
    m: bool,
    #[serde(rename = "M")]
    ignore: bool,
}

impl Row {
    fn of(trade: &Trade, unit: TimeUnit) -> Self {
        let Trade { id, price, quantity, time, buyer_is_maker } = *trade;
        let (p, q) = (Fixed(price), Fixed(quantity));
        Self { a: id, p, q, f: id, l: id, time: unit.of(time), m: buyer_is_maker, ignore: true }
    }
}

/// `aggTrades`.
pub(super) fn aggregated(venue: &Venue, query: &Query, unit: TimeUnit) -> Result<String, Refusal> {
    let symbol = query.symbol()?.ok_or(Refusal::Mandatory("symbol"))?;
    let from_id = query.number("fromId")?;
    let (start, end) = (query.time("startTime")?, query.time("endTime")?);
    let limit = query.limit()?;
    query.finish()?;
    let place = venue.find(symbol).ok_or(Refusal::Symbol)?;
    if from_id.is_some() && (start.is_some() || end.is_some()) {
        return Err(Refusal::Combination);
    }
    let now = venue.now();
    let Some((_, traded)) = venue.price(place, now) else { return Ok("[]".to_owned()) };
    let after = SignedDuration::from_millis(1);
    let until = end.and_then(|end| end.checked_add(after).ok()).unwrap_or(traded).min(traded);
    let past_end = id_at(until);
    let first = from_id.or_else(|| start.map(id_at));
    let mut rows: Vec<Row> = Vec::new();
    match first {
        Some(first) => {
            let ids = (first..past_end).take(usize::try_from(LOOKED_AT).unwrap_or(usize::MAX));
            rows.extend(ids.filter_map(|id| venue.trade(place, id)).take(limit).map(|trade| Row::of(&trade, unit)));
        }
        None => {
            let ids = (past_end.saturating_sub(LOOKED_AT)..past_end).rev();
            rows.extend(ids.filter_map(|id| venue.trade(place, id)).take(limit).map(|trade| Row::of(&trade, unit)));
            rows.reverse();
        }
    }
    Ok(serde_json::to_string(&rows).unwrap_or_default())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Average {
    mins: u32,
    price: Fixed,
    close_time: i64,
}

/// `avgPrice`: over five minutes.
pub(super) fn average(venue: &Venue, query: &Query, unit: TimeUnit) -> Result<String, Refusal> {
    let symbol = query.symbol()?.ok_or(Refusal::Mandatory("symbol"))?;
    query.finish()?;
    let place = venue.find(symbol).ok_or(Refusal::Symbol)?;
    let now = venue.now();
    let (last, at) = venue.price(place, now).ok_or(Refusal::Symbol)?;
    let from = now.saturating_sub(SignedDuration::from_mins(5)).unwrap_or(Timestamp::MIN);
    let traded = venue.between(place, from, now).filter(|bar| bar.volume > 0.0);
    let price = Fixed(traded.map_or(last, |bar| quote_volume(&bar) / bar.volume));
    Ok(serde_json::to_string(&Average { mins: 5, price, close_time: unit.of(at) }).unwrap_or_default())
}
