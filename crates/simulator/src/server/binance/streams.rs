//! Names of streams.

use jiff::tz::Offset;

use super::interval::{Interval, zone};
use super::venue::Venue;

/// What a stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    Kline(Interval),
    Trade,
    AggTrade,
    MiniTicker,
    Ticker,
    BookTicker,
}

/// A name that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A topic of one symbol, by its place.
    Of(usize, Topic),
    /// The small tickers of all symbols.
    AllMiniTickers,
    /// Well formed, but nothing is ever told: of an unknown symbol, in the wrong case, or not simulated.
    Silent,
}

/// Topics that are accepted and silent.
const SILENT: [&str; 13] = [
    "depth",
    "depth@100ms",
    "depth5",
    "depth10",
    "depth20",
    "depth5@100ms",
    "depth10@100ms",
    "depth20@100ms",
    "avgPrice",
    "referencePrice",
    "ticker_1h",
    "ticker_4h",
    "ticker_1d",
];

const SILENT_ARRAYS: [&str; 4] = ["!ticker_1h@arr", "!ticker_4h@arr", "!ticker_1d@arr", "!serverShutdown"];

/// What a name means; `None` when it is not a name of a stream at all.
pub(crate) fn parse(name: &str, venue: &Venue) -> Option<Named> {
    if name == "!miniTicker@arr" {
        return Some(Named::AllMiniTickers);
    }
    if SILENT_ARRAYS.contains(&name) {
        return Some(Named::Silent);
    }
    let (symbol, topic) = name.split_once('@')?;
    if symbol.is_empty()
        || symbol.len() > 20
        || !symbol.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    {
        return None;
    }
    let topic = match topic {
        "trade" => Topic::Trade,
        "aggTrade" => Topic::AggTrade,
        "miniTicker" => Topic::MiniTicker,
        "ticker" => Topic::Ticker,
        "bookTicker" => Topic::BookTicker,
        _ if SILENT.contains(&topic) => return Some(Named::Silent),
        _ => Topic::Kline(kline(topic.strip_prefix("kline_")?)?),
    };
    let lower = !symbol.bytes().any(|b| b.is_ascii_uppercase());
    let place = venue.find(&symbol.to_ascii_uppercase()).filter(|_| lower);
    Some(place.map_or(Named::Silent, |place| Named::Of(place, topic)))
}

/// The only zone streams know besides UTC.
const ASIA: &str = "+08:00";

fn kline(text: &str) -> Option<Interval> {
    let (interval, offset) = match text.split_once('@') {
        Some((interval, ASIA)) => (interval, zone(ASIA)?),
        Some(_) => return None,
        None => (text, Offset::UTC),
    };
    Interval::parse(interval, offset)
}
