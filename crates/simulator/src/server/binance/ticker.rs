//! Prices now and over the last 24 hours.

use jiff::{SignedDuration, Timestamp};
use market::Bar;
use serde::Serialize;

use super::format::{Fixed, Percent, TimeUnit};
use super::query::Query;
use super::refusal::Refusal;
use super::venue::{Book, Trade, Trades, Venue, id_at, quote_volume, trades};

/// The length of the window.
pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The last 24 hours of a symbol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Day {
    /// What happened; without volume and with the last price alone when nothing did.
    pub(crate) bar: Bar,
    /// The last price.
    pub(crate) last: f64,
    /// The last price before the window.
    pub(crate) before: f64,
    pub(crate) trades: Trades,
}

impl Day {
    /// The window that ends now; `None` for a symbol that has never been traded.
    pub(crate) fn of(venue: &Venue, place: usize, now: Timestamp) -> Option<Self> {
        let (last, _) = venue.price(place, now)?;
        let from = now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let still = Bar {
            open_time: from,
            close_time: now,
            open: last,
            high: last,
            low: last,
            close: last,
            volume: 0.0,
            adj_close: None,
            known_at: now,
        };
        let bar = venue.between(place, from, now).unwrap_or(still);
        let before = venue.price(place, from).map_or(bar.open, |(price, _)| price);
        Some(Self { bar, last, before, trades: trades(&bar, now) })
    }

    pub(crate) fn change(&self) -> f64 {
        self.last - self.bar.open
    }

    pub(crate) fn percent(&self) -> f64 {
        100.0 * self.change() / self.bar.open
    }

    pub(crate) fn average(&self) -> f64 {
        if self.bar.volume > 0.0 { quote_volume(&self.bar) / self.bar.volume } else { self.last }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Full<'a> {
    symbol: &'a str,
    price_change: Fixed,
    price_change_percent: Percent,
    weighted_avg_price: Fixed,
    prev_close_price: Fixed,
    last_price: Fixed,
    last_qty: Fixed,
    bid_price: Fixed,
    bid_qty: Fixed,
    ask_price: Fixed,
    ask_qty: Fixed,
    open_price: Fixed,
    high_price: Fixed,
    low_price: Fixed,
    volume: Fixed,
    quote_volume: Fixed,
    open_time: i64,
    close_time: i64,
    first_id: i64,
    last_id: i64,
    count: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mini<'a> {
    symbol: &'a str,
    open_price: Fixed,
    high_price: Fixed,
    low_price: Fixed,
    last_price: Fixed,
    volume: Fixed,
    quote_volume: Fixed,
    open_time: i64,
    close_time: i64,
    first_id: i64,
    last_id: i64,
    count: i64,
}

#[derive(Serialize)]
struct Price<'a> {
    symbol: &'a str,
    price: Fixed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BookTicker<'a> {
    symbol: &'a str,
    bid_price: Fixed,
    bid_qty: Fixed,
    ask_price: Fixed,
    ask_qty: Fixed,
}

/// Which symbols are meant, and whether the answer is one object or an array.
enum Chosen {
    One(usize),
    Many(Vec<usize>),
}

fn chosen(venue: &Venue, query: &Query, now: Timestamp) -> Result<Chosen, Refusal> {
    if query.has("symbol") && query.has("symbols") {
        return Err(Refusal::Combination);
    }
    let find = |name: &str| venue.find(name).ok_or(Refusal::Symbol);
    let status = match query.get("symbolStatus") {
        None => None,
        Some(status @ ("TRADING" | "HALT" | "BREAK")) => Some(status.to_owned()),
        Some(_) => return Err(Refusal::SymbolStatus),
    };
    let fits = |place: &usize| status.as_deref().is_none_or(|status| venue.status(*place, now) == status);
    if let Some(symbol) = query.symbol()? {
        let place = find(symbol)?;
        return if fits(&place) { Ok(Chosen::One(place)) } else { Err(Refusal::OtherStatus) };
    }
    let places: Vec<usize> = match query.symbols()? {
        Some(symbols) => symbols.iter().map(|symbol| find(symbol)).collect::<Result<_, _>>()?,
        None => (0..venue.listed.len()).collect(),
    };
    Ok(Chosen::Many(places.into_iter().filter(fits).collect()))
}

/// One object, or an array of those there are.
fn write<T: Serialize>(chosen: &Chosen, of: impl Fn(usize) -> Option<T>) -> Result<String, Refusal> {
    let written = match chosen {
        Chosen::One(place) => serde_json::to_string(&of(*place).ok_or(Refusal::Symbol)?),
        Chosen::Many(places) => {
            serde_json::to_string(&places.iter().filter_map(|place| of(*place)).collect::<Vec<_>>())
        }
    };
    Ok(written.unwrap_or_default())
}

/// `ticker/24hr`.
pub(super) fn day(venue: &Venue, query: &Query, unit: TimeUnit) -> Result<String, Refusal> {
    let now = venue.now();
    let mini = match query.get("type") {
        None | Some("FULL") => false,
        Some("MINI") => true,
        Some(_) => return Err(Refusal::TickerType),
    };
    let chosen = chosen(venue, query, now)?;
    query.finish()?;
    let (open_time, close_time) = (unit.of(now.saturating_sub(DAY).unwrap_or(Timestamp::MIN)), unit.of(now));
    if mini {
        return write(&chosen, |place| {
            let day = Day::of(venue, place, now)?;
            Some(Mini {
                symbol: &venue.listed[place].name,
                open_price: Fixed(day.bar.open),
                high_price: Fixed(day.bar.high),
                low_price: Fixed(day.bar.low),
                last_price: Fixed(day.last),
                volume: Fixed(day.bar.volume),
                quote_volume: Fixed(quote_volume(&day.bar)),
                open_time,
                close_time,
                first_id: day.trades.first,
                last_id: day.trades.last,
                count: day.trades.count,
            })
        });
    }
    write(&chosen, |place| {
        let (day, book) = (Day::of(venue, place, now)?, venue.book(place, now)?);
        Some(Full {
            symbol: &venue.listed[place].name,
            price_change: Fixed(day.change()),
            price_change_percent: Percent(day.percent()),
            weighted_avg_price: Fixed(day.average()),
            prev_close_price: Fixed(day.before),
            last_price: Fixed(day.last),
            last_qty: Fixed(last_trade(venue, place, now).map_or(0.0, |trade| trade.quantity)),
            bid_price: Fixed(book.bid),
            bid_qty: Fixed(book.bid_quantity),
            ask_price: Fixed(book.ask),
            ask_qty: Fixed(book.ask_quantity),
            open_price: Fixed(day.bar.open),
            high_price: Fixed(day.bar.high),
            low_price: Fixed(day.bar.low),
            volume: Fixed(day.bar.volume),
            quote_volume: Fixed(quote_volume(&day.bar)),
            open_time,
            close_time,
            first_id: day.trades.first,
            last_id: day.trades.last,
            count: day.trades.count,
        })
    })
}

/// `ticker/price`.
pub(super) fn price(venue: &Venue, query: &Query) -> Result<String, Refusal> {
    let now = venue.now();
    let chosen = chosen(venue, query, now)?;
    query.finish()?;
    write(&chosen, |place| {
        let (price, _) = venue.price(place, now)?;
        Some(Price { symbol: &venue.listed[place].name, price: Fixed(price) })
    })
}

/// `ticker/bookTicker`.
pub(super) fn book(venue: &Venue, query: &Query) -> Result<String, Refusal> {
    let now = venue.now();
    let chosen = chosen(venue, query, now)?;
    query.finish()?;
    write(&chosen, |place| {
        let Book { bid, bid_quantity, ask, ask_quantity } = venue.book(place, now)?;
        let symbol = venue.listed[place].name.as_str();
        let (bid_price, bid_qty) = (Fixed(bid), Fixed(bid_quantity));
        Some(BookTicker { symbol, bid_price, bid_qty, ask_price: Fixed(ask), ask_qty: Fixed(ask_quantity) })
    })
}

/// The last trade at `now`.
pub(crate) fn last_trade(venue: &Venue, place: usize, now: Timestamp) -> Option<Trade> {
    let (_, at) = venue.price(place, now)?;
    venue.trade(place, id_at(at) - 1).or_else(|| venue.trade(place, id_at(at) - 2))
}
