//! Binance: coins, over REST and streams; and the exchanges that speak as it does.
//!
//! [`Binance`] is both seams. History comes from `klines` in pages, of closed rows only ([`parse_klines`]); what happens
//! comes from the combined streams ([`parse_message`]): closed bars and prices. [`BinanceSettings::us`] is the same
//! protocol at another exchange.

mod allowance;
mod candle;
mod history;
mod hosts;
mod klines;
mod message;
mod pairs;
mod reference;
mod rest;
mod settings;

mod connection;
mod follower;
mod shard;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use market::{Asset, Clock, Timeframe};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::pace::Budget;
use crate::source::{DataSource, Fetched, LiveEvent, LiveSource, Request};

use connection::Dial;
use follower::Follower;
use hosts::Hosts;
use rest::Rest;
use shard::Shard;

pub use candle::Candle;
pub use klines::{KlineRow, RefusedRow, parse_klines};
pub use message::{Message, Refusal, parse_message};
pub use reference::{Listing, Ticker};
pub use settings::BinanceSettings;

/// Streams a connection may carry.
const STREAMS_A_CONNECTION: usize = 1024;

/// A bar's closing message and its final row come up to five seconds after its close.
const DELAY: SignedDuration = SignedDuration::from_secs(5);

/// An exchange that speaks Binance's protocol.
#[derive(Debug)]
pub struct Binance {
    settings: BinanceSettings,
    clock: Arc<dyn Clock>,
    rest: Rest,
    stream_hosts: Arc<Hosts>,
    /// Attempts to connect, of all shards together.
    attempts: Budget,
    /// How many times it was asked to follow: connections renew themselves one after another.
    shards: AtomicU32,
}

impl Binance {
    /// A client that waits and measures by `clock`.
    ///
    /// # Panics
    /// As [`Http::new`](crate::http::Http::new) does: when TLS cannot be set up at all.
    #[must_use]
    pub fn new(settings: BinanceSettings, clock: Arc<dyn Clock>) -> Self {
        let rest = Rest::new(&settings, Arc::clone(&clock));
        let stream_hosts = Arc::new(Hosts::new(settings.streams.clone()));
        // 300 attempts in five minutes are allowed; this makes 295 at most.
        const BURST: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
        let attempts = Budget::new(Arc::clone(&clock), Duration::from_millis(1100), BURST);
        Self { settings, clock, rest, stream_hosts, attempts, shards: AtomicU32::new(0) }
    }

    /// How many assets one call of [`LiveSource::follow`] can follow: what fits one connection.
    #[must_use]
    pub fn shard_size(&self) -> usize {
        STREAMS_A_CONNECTION / (self.settings.intervals().count() + 1)
    }
}

#[async_trait]
impl DataSource for Binance {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn reach(&self, asset: &Asset, timeframe: Timeframe) -> Option<SignedDuration> {
        pairs::interval(timeframe)?;
        self.settings.pair(asset).map(|_| SignedDuration::MAX)
    }

    fn delay(&self, _: &Asset, _: Timeframe) -> SignedDuration {
        DELAY
    }

    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, Failure> {
        let not_offered = || Failure::NotOffered {
            source_name: self.settings.name.clone(),
            what: format!("{} bars of {}", request.timeframe, request.asset.symbol),
        };
        let pair = self.settings.pair(request.asset).ok_or_else(not_offered)?;
        let interval = pairs::interval(request.timeframe).ok_or_else(not_offered)?;
        self.rest.klines(&pair, interval, request).await
    }
}

#[async_trait]
impl LiveSource for Binance {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn follows(&self, asset: &Asset) -> bool {
        self.settings.pair(asset).is_some()
    }

    /// One connection, and while it is renewed a second one. More than [`Binance::shard_size`] assets do not fit: a remark
    /// names each that is left out.
    fn timeframes(&self) -> &[Timeframe] {
        &self.settings.timeframes
    }

    async fn follow(&self, assets: &[Asset], events: mpsc::Sender<LiveEvent>, token: CancellationToken) {
        let (shard, left_out) = Shard::new(&self.settings, assets, self.shard_size());
        let dial = Dial {
            hosts: Arc::clone(&self.stream_hosts),
            allowance: self.rest.allowance(),
            attempts: self.attempts.clone(),
            clock: Arc::clone(&self.clock),
            shard: Arc::new(shard),
            http: self.settings.http.clone(),
        };
        let nth = self.shards.fetch_add(1, Ordering::Relaxed);
        let follower = Follower::new(self.settings.name.clone(), dial, events, nth);
        // Everything ends with the token; what is dropped then is connections.
        token.run_until_cancelled(follower.run(left_out)).await;
    }
}

#[cfg(test)]
mod tests;
