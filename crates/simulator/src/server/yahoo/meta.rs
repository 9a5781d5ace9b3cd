//! What a chart says about its symbol.

use jiff::{SignedDuration, Timestamp};
use market::{Span, Timeframe};
use serde::Serialize;

use super::book::Book;
use super::interval::{Interval, Window, valid_ranges};
use super::listing::Listing;
use super::rows::Row;

/// The `meta` object; the order of the fields is the vendor's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    currency: &'static str,
    symbol: String,
    exchange_name: &'static str,
    full_exchange_name: &'static str,
    instrument_type: &'static str,
    first_trade_date: i64,
    regular_market_time: i64,
    has_pre_post_market_data: bool,
    gmtoffset: i32,
    timezone: String,
    exchange_timezone_name: &'static str,
    #[serde(flatten)]
    market: Option<Market>,
    long_name: String,
    short_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chart_previous_close: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_close: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<i32>,
    price_hint: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_trading_period: Option<Hours<Period>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trading_periods: Option<TradingPeriods>,
    data_granularity: &'static str,
    range: String,
    valid_ranges: Vec<&'static str>,
}

/// Where the market stands. Prices are 32-bit floats, printed as such.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Market {
    regular_market_price: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    regular_market_change_percent: Option<f32>,
    fullday_price: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    fullday_change: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fullday_change_percent: Option<f32>,
    fifty_two_week_high: f32,
    fifty_two_week_low: f32,
    regular_market_day_high: f32,
    regular_market_day_low: f32,
    regular_market_volume: u64,
}

/// The hours of a session.
#[derive(Debug, Serialize)]
struct Period {
    timezone: String,
    start: i64,
    end: i64,
    gmtoffset: i32,
}

/// The session and the hours around it.
#[derive(Debug, Serialize)]
struct Hours<T> {
    pre: T,
    regular: T,
    post: T,
}

/// One list of sessions, or three where the hours around them were asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum TradingPeriods {
    Regular(Vec<[Period; 1]>),
    All(Hours<Vec<[Period; 1]>>),
}

/// What of the request the meta depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) interval: Interval,
    pub(super) window: &'a Window,
    pub(super) around_sessions: bool,
}

impl Meta {
    /// The meta of an answer with these rows.
    pub(super) fn new(book: &Book, asked: Asked<'_>, rows: &[Row]) -> Self {
        let listing = &book.listing;
        let (gmtoffset, timezone) = listing.offset(book.now);
        let intraday = asked.interval.is_intraday();
        let begins = rows.first().map_or_else(|| super::rows::instant(asked.window.start), |row| row.open_time);
        let age = book.now.duration_since(book.first_trade()).as_hours() / 24;
        Self {
            currency: listing.currency(),
            symbol: listing.symbol.clone(),
            exchange_name: listing.venue.code,
            full_exchange_name: listing.venue.name,
            instrument_type: listing.venue.instrument,
            first_trade_date: book.first_trade().as_second(),
            regular_market_time: book.last_second(),
            has_pre_post_market_data: listing.venue.extended,
            gmtoffset,
            timezone,
            exchange_timezone_name: listing.venue.zone,
            market: Market::of(book),
            long_name: listing.name(),
            short_name: listing.name(),
            chart_previous_close: book.close_before(begins).map(|close| close as f32),
            previous_close: book.previous_close().filter(|_| intraday).map(|close| close as f32),
            scale: intraday.then_some(3),
            price_hint: price_hint(book.price().unwrap_or(1.0)),
            current_trading_period: listing.session(book.now).map(|session| hours(listing, session)),
            trading_periods: if intraday { trading_periods(book, asked, rows) } else { None },
            data_granularity: asked.interval.name,
            range: asked.window.range.clone(),
            valid_ranges: valid_ranges(age),
        }
    }
}

impl Market {
    fn of(book: &Book) -> Option<Self> {
        let (day, (year_high, year_low)) = (book.day()?, book.year()?);
        let change = book.previous_close().map(|previous| (day.close - previous, 100.0 * (day.close / previous - 1.0)));
        let single = |(change, percent): (f64, f64)| (change as f32, round(percent, 2) as f32);
        let change = change.map(single);
        Some(Self {
            regular_market_price: day.close as f32,
            regular_market_change_percent: change.map(|(_, percent)| percent),
            // Nothing trades outside the session here.
            fullday_price: day.close as f32,
            fullday_change: change.map(|(change, _)| change),
            fullday_change_percent: change.map(|(_, percent)| percent),
            fifty_two_week_high: year_high as f32,
            fifty_two_week_low: year_low as f32,
            regular_market_day_high: day.high as f32,
            regular_market_day_low: day.low as f32,
            regular_market_volume: day.volume.round() as u64,
        })
    }
}

/// Decimals to show a price with.
pub(super) fn price_hint(price: f64) -> i32 {
    match price {
        price if price >= 1.0 => 2,
        price if price >= 0.01 => 4,
        _ => 6,
    }
}

pub(super) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

fn period(listing: &Listing, span: Span) -> Period {
    let (gmtoffset, timezone) = listing.offset(span.open_time);
    Period { timezone, start: span.open_time.as_second(), end: span.close_time.as_second(), gmtoffset }
}

fn hours(listing: &Listing, session: Span) -> Hours<Period> {
    let (pre, post) = listing.around(session);
    let regular = Span { close_time: listing.last_second(session), ..session };
    Hours { pre: period(listing, pre), regular: period(listing, regular), post: period(listing, post) }
}

/// The sessions of the rows; without rows those of the window, if there are any.
fn trading_periods(book: &Book, asked: Asked<'_>, rows: &[Row]) -> Option<TradingPeriods> {
    let listing = &book.listing;
    let (from, to) = match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => (first.open_time, last.open_time),
        _ => (super::rows::instant(asked.window.start), super::rows::instant(asked.window.end).min(book.now)),
    };
    let calendar = listing.calendar();
    let through = to.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
    let sessions = calendar.bars_closing_in(Timeframe::D1, from, through).filter(|session| session.open_time <= to);
    // No window with sessions to list is longer: the reach of intraday bars ends before.
    let each: Vec<Hours<Period>> = sessions.take(1_000).map(|session| hours(listing, session)).collect();
    if each.is_empty() {
        return None;
    }
    if !asked.around_sessions || !listing.venue.extended {
        return Some(TradingPeriods::Regular(each.into_iter().map(|hours| [hours.regular]).collect()));
    }
    let mut all = Hours { pre: Vec::new(), regular: Vec::new(), post: Vec::new() };
    for Hours { pre, regular, post } in each {
        all.pre.push([pre]);
        all.regular.push([regular]);
        all.post.push([post]);
    }
    Some(TradingPeriods::All(all))
}
