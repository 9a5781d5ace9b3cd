//! The stream: trades of the symbols a client has subscribed to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Yahoo;
use super::book::Book;
use super::listing::Listing;
use super::meta::price_hint;
use super::pricing::{PricingData, Version};
use crate::server::Exchange;

/// Longer messages end the connection.
pub(super) const MESSAGE_LIMIT: usize = 64 << 10;

/// No more often than this, really, are prices looked at.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// No less often than this, really, so that a clock that is moved by hand is seen to have moved.
const MOST_WAIT: Duration = Duration::from_millis(500);

/// A client that does not repeat its subscription for so long is sent nothing more until it does.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// And really for so long: on a fast clock a minute is nothing.
const REAL_PATIENCE: Duration = Duration::from_secs(5);

/// A client that does not take a message for so long is left.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

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
struct Subscriptions {
    listings: BTreeMap<String, (Listing, Timestamp)>,
    /// When it last said so, on both clocks.
    said: (Timestamp, Instant),
}

impl Subscriptions {
    fn new(now: Timestamp) -> Self {
        Self { listings: BTreeMap::new(), said: (now, Instant::now()) }
    }

    /// Takes what a client said. Unknown symbols, and words that are no command, are passed over in silence.
    fn take(&mut self, exchange: &Exchange, text: &str) {
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
    fn trades(&mut self, exchange: &Exchange) -> Vec<PricingData> {
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

/// Talks to a client until it leaves or the server ends.
pub(super) async fn serve(yahoo: Arc<Yahoo>, mut socket: WebSocket, version: Version) {
    let exchange = &yahoo.exchange;
    let mut subscriptions = Subscriptions::new(exchange.now());
    let every = SignedDuration::try_from_secs_f64(1.0 / exchange.ticks_a_second.max(1e-3))
        .unwrap_or(SignedDuration::from_secs(1));
    loop {
        let next = exchange.now().saturating_add(every).unwrap_or(Timestamp::MAX);
        let wait = exchange.clock.wait_until(next).unwrap_or(LEAST_WAIT).clamp(LEAST_WAIT, MOST_WAIT.max(LEAST_WAIT));
        let tick = tokio::time::sleep(wait);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                () = &mut tick => break,
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => subscriptions.take(exchange, &text),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {}
                },
            }
        }
        for trade in subscriptions.trades(exchange) {
            let sent = tokio::time::timeout(SEND_TIMEOUT, socket.send(Message::Text(trade.frame(version).into())));
            if !matches!(sent.await, Ok(Ok(()))) {
                return;
            }
        }
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
