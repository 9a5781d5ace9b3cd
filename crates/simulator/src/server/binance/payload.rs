//! What streams tell, as the exchange writes it.

use jiff::Timestamp;
use market::Bar;
use serde::Serialize;

use super::format::{Fixed, TimeUnit};
use super::interval::Interval;
use super::ticker::Day;
use super::venue::{Book, Trade, quote_volume, taker_share, trades};

/// What all payloads of a message have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) symbol: &'a str,
    /// The exchange's clock as it shows it.
    pub(crate) shown: Timestamp,
    /// The exchange's clock.
    pub(crate) now: Timestamp,
    pub(crate) unit: TimeUnit,
}

fn text(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap_or_default()
}

#[derive(Serialize)]
struct Kline<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: i64,
    s: &'a str,
    k: KlineBar<'a>,
}

#[derive(Serialize)]
struct KlineBar<'a> {
    t: i64,
    #[serde(rename = "T")]
    close_time: i64,
    s: &'a str,
    i: &'static str,
    f: i64,
    #[serde(rename = "L")]
    last_trade: i64,
    o: Fixed,
    c: Fixed,
    h: Fixed,
    l: Fixed,
    v: Fixed,
    n: i64,
    x: bool,
    q: Fixed,
    #[serde(rename = "V")]
    taker_volume: Fixed,
    #[serde(rename = "Q")]
    taker_quote_volume: Fixed,
    #[serde(rename = "B")]
    ignore: &'static str,
}

pub(crate) fn kline(event: &Event<'_>, interval: Interval, bar: &Bar, closed: bool) -> String {
    let (trades, quote, share) = (trades(bar, event.now), quote_volume(bar), taker_share(bar));
    let k = KlineBar {
        t: event.unit.of(bar.open_time),
        close_time: event.unit.before(bar.close_time),
        s: event.symbol,
        i: interval.name,
        f: trades.first,
        last_trade: trades.last,
        o: Fixed(bar.open),
        c: Fixed(bar.close),
        h: Fixed(bar.high),
        l: Fixed(bar.low),
        v: Fixed(bar.volume),
        n: trades.count,
        x: closed,
        q: Fixed(quote),
        taker_volume: Fixed(bar.volume * share),
        taker_quote_volume: Fixed(quote * share),
        ignore: "0",
    };
    text(&Kline { e: "kline", event_time: event.unit.of(event.shown), s: event.symbol, k })
}

#[derive(Serialize)]
struct Traded<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: i64,
    s: &'a str,
    t: i64,
    p: Fixed,
    q: Fixed,
    #[serde(rename = "T")]
    time: i64,
    m: bool,
    #[serde(rename = "M")]
    ignore: bool,
}

pub(crate) fn trade(event: &Event<'_>, trade: &Trade) -> String {
    text(&Traded {
        e: "trade",
        event_time: event.unit.of(event.shown),
        s: event.symbol,
        t: trade.id,
        p: Fixed(trade.price),
        q: Fixed(trade.quantity),
        time: event.unit.of(trade.time),
        m: trade.buyer_is_maker,
        ignore: true,
    })
}

#[derive(Serialize)]
struct AggTraded<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: i64,
    s: &'a str,
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

pub(crate) fn agg_trade(event: &Event<'_>, trade: &Trade) -> String {
    text(&AggTraded {
        e: "aggTrade",
        event_time: event.unit.of(event.shown),
        s: event.symbol,
        a: trade.id,
        p: Fixed(trade.price),
        q: Fixed(trade.quantity),
        f: trade.id,
        l: trade.id,
        time: event.unit.of(trade.time),
        m: trade.buyer_is_maker,
        ignore: true,
    })
}

#[derive(Serialize)]
struct MiniTicker<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: i64,
    s: &'a str,
    c: Fixed,
    o: Fixed,
    h: Fixed,
    l: Fixed,
    v: Fixed,
    q: Fixed,
}

pub(crate) fn mini_ticker(event: &Event<'_>, day: &Day) -> String {
    text(&MiniTicker {
        e: "24hrMiniTicker",
        event_time: event.unit.of(event.shown),
        s: event.symbol,
        c: Fixed(day.last),
        o: Fixed(day.bar.open),
        h: Fixed(day.bar.high),
        l: Fixed(day.bar.low),
        v: Fixed(day.bar.volume),
        q: Fixed(quote_volume(&day.bar)),
    })
}

#[derive(Serialize)]
struct Ticker<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: i64,
    s: &'a str,
    p: Fixed,
    #[serde(rename = "P")]
    percent: super::format::Percent,
    w: Fixed,
    x: Fixed,
    c: Fixed,
    #[serde(rename = "Q")]
    last_quantity: Fixed,
    b: Fixed,
    #[serde(rename = "B")]
    bid_quantity: Fixed,
    a: Fixed,
    #[serde(rename = "A")]
    ask_quantity: Fixed,
    o: Fixed,
    h: Fixed,
    l: Fixed,
    v: Fixed,
    q: Fixed,
    #[serde(rename = "O")]
    open_time: i64,
    #[serde(rename = "C")]
    close_time: i64,
    #[serde(rename = "F")]
    first: i64,
    #[serde(rename = "L")]
    last: i64,
    n: i64,
}

pub(crate) fn ticker(event: &Event<'_>, day: &Day, book: &Book, last_quantity: f64) -> String {
    text(&Ticker {
        e: "24hrTicker",
        event_time: event.unit.of(event.shown),
        s: event.symbol,
        p: Fixed(day.change()),
        percent: super::format::Percent(day.percent()),
        w: Fixed(day.average()),
        x: Fixed(day.before),
        c: Fixed(day.last),
        last_quantity: Fixed(last_quantity),
        b: Fixed(book.bid),
        bid_quantity: Fixed(book.bid_quantity),
        a: Fixed(book.ask),
        ask_quantity: Fixed(book.ask_quantity),
        o: Fixed(day.bar.open),
        h: Fixed(day.bar.high),
        l: Fixed(day.bar.low),
        v: Fixed(day.bar.volume),
        q: Fixed(quote_volume(&day.bar)),
        open_time: event.unit.of(day.bar.open_time),
        close_time: event.unit.of(day.bar.close_time),
        first: day.trades.first,
        last: day.trades.last,
        n: day.trades.count,
    })
}

#[derive(Serialize)]
struct BookTicker<'a> {
    u: i64,
    s: &'a str,
    b: Fixed,
    #[serde(rename = "B")]
    bid_quantity: Fixed,
    a: Fixed,
    #[serde(rename = "A")]
    ask_quantity: Fixed,
}

pub(crate) fn book_ticker(event: &Event<'_>, book: &Book) -> String {
    text(&BookTicker {
        // Grows with time, as update ids do.
        u: event.now.as_millisecond(),
        s: event.symbol,
        b: Fixed(book.bid),
        bid_quantity: Fixed(book.bid_quantity),
        a: Fixed(book.ask),
        ask_quantity: Fixed(book.ask_quantity),
    })
}

pub(crate) fn server_shutdown(shown: Timestamp, unit: TimeUnit) -> String {
    format!(r#"{{"e":"serverShutdown","E":{}}}"#, unit.of(shown))
}
