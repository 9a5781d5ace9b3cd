//! One exchange: what is listed there, and at what prices.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetClass, Bar};

use super::hub::Hub;
use super::interval::Interval;
use super::limits::Limits;
use crate::noise::Stream;
use crate::path::{decimals_of, to_decimals};
use crate::server::{Exchange, Service};
use crate::tape::{Decimals, Window};

/// One exchange.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) service: Service,
    pub(crate) listed: Vec<Listed>,
    by_name: HashMap<String, usize>,
    pub(crate) limits: Limits,
    pub(crate) hub: Hub,
}

/// One symbol.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// The asset's place on the tape.
    asset: usize,
    /// Base and quote, upper case.
    pub(crate) name: String,
    pub(crate) base: String,
    pub(crate) quote: String,
    /// What prices and volumes are multiplied by here.
    price_factor: f64,
    volume_factor: f64,
}

/// Trades happen so often, in milliseconds; a trade's id is its place on this grid.
const TRADE_EVERY: i64 = 100;

/// After so long without a trade a symbol counts as halted.
const HALTED_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The share of the first exchange's volume that is traded on the second.
const SECOND_VOLUME: f64 = 0.04;

/// Trades between two instants: how many, and the ids of the first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trades {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: i64,
}

/// One trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trade {
    pub(crate) id: i64,
    pub(crate) price: f64,
    pub(crate) quantity: f64,
    pub(crate) time: Timestamp,
    pub(crate) buyer_is_maker: bool,
}

/// The best offers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Book {
    pub(crate) bid: f64,
    pub(crate) bid_quantity: f64,
    pub(crate) ask: f64,
    pub(crate) ask_quantity: f64,
}

impl Venue {
    /// The exchange of a service, with the coins whose spelling is base and quote. The second exchange has dollar pairs
    /// too, and prices a few hundredths of a percent apart.
    pub(crate) fn new(exchange: Arc<Exchange>, service: Service) -> Self {
        let second = service == Service::BinanceUs;
        let assets = exchange.tape.assets();
        let listed: Vec<Listed> =
            assets.iter().enumerate().filter_map(|(asset, of)| Listed::new(asset, of, second)).collect();
        let by_name = listed.iter().enumerate().map(|(place, listed)| (listed.name.clone(), place)).collect();
        Self { exchange, service, listed, by_name, limits: Limits::default(), hub: Hub::default() }
    }

    /// A symbol's place in the list.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.exchange.now()
    }

    /// The present as it is shown.
    pub(crate) fn shown_now(&self) -> Timestamp {
        self.exchange.shown_now(self.service)
    }

    /// Closed bars of an interval.
    pub(crate) fn bars(&self, place: usize, interval: Interval, window: &Window) -> Vec<Bar> {
        let (listed, tape) = (&self.listed[place], &self.exchange.tape);
        let bars = match interval.timeframe() {
            Some(timeframe) => tape.window(listed.asset, timeframe, window),
            None => tape.bars_on(listed.asset, interval.grid(), window),
        };
        bars.into_iter().map(|bar| listed.priced(bar)).collect()
    }

    /// The running bar of an interval.
    pub(crate) fn running(&self, place: usize, interval: Interval, now: Timestamp) -> Option<Bar> {
        let (listed, tape) = (&self.listed[place], &self.exchange.tape);
        let bar = match interval.timeframe() {
            Some(timeframe) => tape.running(listed.asset, timeframe, now),
            None => tape.running_on(listed.asset, interval.grid(), now),
        };
        bar.map(|bar| listed.priced(bar))
    }

    /// What happened between two instants.
    pub(crate) fn between(&self, place: usize, from: Timestamp, to: Timestamp) -> Option<Bar> {
        let listed = &self.listed[place];
        self.exchange.tape.between(listed.asset, from, to).map(|bar| listed.priced(bar))
    }

    /// The last price, and when it was.
    pub(crate) fn price(&self, place: usize, now: Timestamp) -> Option<(f64, Timestamp)> {
        let listed = &self.listed[place];
        let quote = self.exchange.tape.price_at(listed.asset, now)?;
        Some((listed.price(quote.price, decimals_of(quote.price)), quote.time))
    }

    /// How finely a symbol is quoted.
    pub(crate) fn decimals(&self, place: usize, now: Timestamp) -> Decimals {
        let decimals = self.exchange.tape.decimals(self.listed[place].asset, now);
        decimals.unwrap_or(Decimals { price: 8, volume: 8 })
    }

    /// Whether a symbol is traded: `TRADING`, or `BREAK` when there have been no trades for a week.
    pub(crate) fn status(&self, place: usize, now: Timestamp) -> &'static str {
        let halted = self.price(place, now).is_some_and(|(_, at)| now.duration_since(at) > HALTED_AFTER);
        if halted { "BREAK" } else { "TRADING" }
    }

    /// The best offers around the last price.
    pub(crate) fn book(&self, place: usize, now: Timestamp) -> Option<Book> {
        let (price, at) = self.price(place, now)?;
        let decimals = self.decimals(place, now);
        let step = 10_f64.powi(-decimals.price);
        let trade = self.trade(place, id_at(at) - 1);
        let quantity = trade.map_or(0.0, |trade| trade.quantity);
        Some(Book {
            bid: to_decimals(price - step, decimals.price).max(step),
            bid_quantity: to_decimals(3.0 * quantity, 8),
            ask: to_decimals(price + step, decimals.price),
            ask_quantity: to_decimals(2.0 * quantity, 8),
        })
    }

    /// The trade of an id; `None` when nothing was traded then. The id must lie in the past.
    pub(crate) fn trade(&self, place: usize, id: i64) -> Option<Trade> {
        let from = Timestamp::from_millisecond(id.checked_mul(TRADE_EVERY)?).ok()?;
        let to = from.checked_add(SignedDuration::from_millis(TRADE_EVERY)).ok()?;
        let time = to.checked_sub(SignedDuration::from_millis(1)).ok()?;
        let bar = self.between(place, from, to).filter(|bar| bar.volume > 0.0)?;
        let (price, at) = self.price(place, time)?;
        let bits = Stream::new(0, "maker").bits(id.unsigned_abs(), place as u64);
        (at == time).then_some(Trade { id, price, quantity: bar.volume, time, buyer_is_maker: bits.is_multiple_of(2) })
    }
}

impl Listed {
    fn new(asset: usize, of: &Asset, second: bool) -> Option<Self> {
        if of.class() != AssetClass::Crypto {
            return None;
        }
        let (spelling, quote) = (of.source_symbol.to_ascii_uppercase(), of.quote.to_ascii_uppercase());
        let base = spelling.strip_suffix(&quote).filter(|_| !quote.is_empty())?;
        // A pair spelt with a dash is another vendor's; the second exchange lists it in its own spelling.
        let base = if second { base.trim_end_matches('-') } else { base };
        if base.is_empty() || !base.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let stream = Stream::new(0, &format!("second exchange {spelling}"));
        let away = 1e-4 * (1.0 + 4.0 * stream.uniform(0, 0));
        let away = if stream.bits(0, 1).is_multiple_of(2) { away } else { -away };
        let (price_factor, volume_factor) = if second { (1.0 + away, SECOND_VOLUME) } else { (1.0, 1.0) };
        let (name, base) = (format!("{base}{quote}"), base.to_owned());
        Some(Self { asset, name, base, quote, price_factor, volume_factor })
    }

    /// A bar at this exchange's prices. Rounding keeps their order, so that it stays a bar.
    fn priced(&self, bar: Bar) -> Bar {
        if self.price_factor == 1.0 {
            return bar;
        }
        let decimals = [bar.open, bar.high, bar.low, bar.close].map(decimals_of).into_iter().max().unwrap_or(8);
        let price = |price| self.price(price, decimals);
        Bar {
            open: price(bar.open),
            high: price(bar.high),
            low: price(bar.low),
            close: price(bar.close),
            volume: to_decimals(bar.volume * self.volume_factor, 8),
            ..bar
        }
    }

    fn price(&self, price: f64, decimals: i32) -> f64 {
        if self.price_factor == 1.0 { price } else { crate::shape::round(price * self.price_factor, decimals) }
    }
}

/// The trades of a bar through `now`: one every tenth of a second, none without volume.
pub(crate) fn trades(bar: &Bar, now: Timestamp) -> Trades {
    let (first, last) = (id_at(bar.open_time), id_at(bar.close_time.min(now)) - 1);
    if bar.volume <= 0.0 || last < first {
        return Trades { first: -1, last: -1, count: 0 };
    }
    Trades { first, last, count: last - first + 1 }
}

/// The id of the trade that is next at an instant; those before it have happened.
pub(crate) fn id_at(instant: Timestamp) -> i64 {
    instant.as_millisecond().div_euclid(TRADE_EVERY)
}

/// The volume of a bar in the quote asset, at its typical price.
pub(crate) fn quote_volume(bar: &Bar) -> f64 {
    bar.volume * ((bar.high + bar.low + bar.close) / 3.0).max(bar.low).min(bar.high)
}

/// The share of a bar's volume that takers bought: more of it the higher the bar closed.
pub(crate) fn taker_share(bar: &Bar) -> f64 {
    let range = bar.high - bar.low;
    if range > 0.0 { 0.3 + 0.4 * (bar.close - bar.low) / range } else { 0.5 }
}
