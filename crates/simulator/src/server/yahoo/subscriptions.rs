//! What a client of the stream wants, and what there is to tell it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::book::Book;
use super::listing::Listing;
use super::meta::price_hint;
use super::pricing::PricingData;
use crate::server::Exchange;

/// A client that does not repeat its subscription for so long is sent nothing more until it does.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// And really for so long: on a fast clock a minute is nothing.
const REAL_PATIENCE: Duration = Duration::from_secs(5);

/// How much past a trade needs: the close of the last day before.
const PAST: SignedDuration = SignedDuration::from_hours(24 * 14);

/// What a client may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Command {
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
}

/// What a client has subscribed to: for each symbol the time of the last trade it was sent.
#[derive(Debug)]
pub(super) struct Subscriptions {
    listings: BTreeMap<String, (Listing, Timestamp)>,
    /// When it last said so, on both clocks.
    said: (Timestamp, Instant),
}

impl Subscriptions {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { listings: BTreeMap::new(), said: (now, Instant::now()) }
    }

    /// Takes what a client said. Unknown symbols, and words that are no command, are passed over in silence.
    pub(super) fn take(&mut self, exchange: &Exchange, text: &str) {
        let Ok(command) = serde_json::from_str::<Command>(text) else { return };
        if !command.subscribe.is_empty() {
            self.said = (exchange.now(), Instant::now());
        }
        let known = Listing::all(&exchange.tape);
        let find = |name: &String| known.iter().find(|listing| listing.symbol.eq_ignore_ascii_case(name)).cloned();
        for listing in command.subscribe.iter().filter_map(find) {
            self.listings.entry(listing.symbol.clone()).or_insert((listing, Timestamp::MIN));
        }
        for name in &command.unsubscribe {
            self.listings.remove(&name.to_ascii_uppercase());
        }
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.duration_since(self.said.0) > PATIENCE && self.said.1.elapsed() > REAL_PATIENCE
    }

    /// The trades since the last call, one of each symbol at most.
    pub(super) fn trades(&mut self, exchange: &Exchange) -> Vec<PricingData> {
        let now = exchange.now();
        if self.is_forgotten(now) {
            return Vec::new();
        }
        let trade = |(listing, told): &mut (Listing, Timestamp)| {
            let (at, trade) = trade(exchange, listing, now).filter(|(at, _)| at > told)?;
            *told = at;
            Some(trade)
        };
        self.listings.values_mut().filter_map(trade).collect()
    }
}

/// The last trade of a listing while its session runs, and when it was.
fn trade(exchange: &Exchange, listing: &Listing, now: Timestamp) -> Option<(Timestamp, PricingData)> {
    let since = now.checked_sub(PAST).ok()?;
    let book = Book::open(exchange, listing.clone(), since, now)?;
    let day = book.running.map(|bar| book.today(bar))?;
    let change = book.previous_close().map(|previous| day.close - previous);
    let percent = book.previous_close().map(|previous| 100.0 * (day.close / previous - 1.0));
    let volume = day.volume.round() as i64;
    let trade = PricingData {
        id: listing.symbol.clone(),
        price: day.close as f32,
        time: book.last_trade.as_millisecond(),
        exchange: listing.venue.code.to_owned(),
        quote_type: listing.venue.stream_type,
        market_hours: 1,
        change_percent: percent.unwrap_or_default() as f32,
        day_volume: volume,
        change: change.unwrap_or_default() as f32,
        price_hint: i64::from(price_hint(day.close)),
        ..PricingData::default()
    };
    if !listing.is_coin() {
        return Some((book.last_trade, trade));
    }
    let trade = PricingData {
        currency: listing.currency().to_owned(),
        day_high: day.high as f32,
        day_low: day.low as f32,
        open_price: day.open as f32,
        last_size: volume,
        volume_24_hours: volume,
        volume_all_currencies: volume,
        from_currency: listing.asset.symbol.to_string(),
        ..trade
    };
    Some((book.last_trade, trade))
}
