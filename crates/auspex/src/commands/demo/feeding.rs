//! The live feed: what becomes known is handed to the engine at its moment, and the engine takes its step.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use engine::Engine;
use jiff::{SignedDuration, Timestamp};
use market::{AssetKind, Clock};
use simulator::{Feed, Market, Step};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::clock::PacedClock;
use super::history::series_key;

/// How often prices are told between closes.
const TICK_EVERY: Duration = Duration::from_millis(200);

/// How far the clock may run past a moment at which something is due before the engine has taken its step: well within
/// every grace.
const SLACK: SignedDuration = SignedDuration::from_mins(2);

/// When the engine waits no longer for an hour's bar that has not come: half of its grace, and a little.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(160);

/// Feeds a simulated market to the engine.
pub(super) struct Feeding {
    engine: Arc<Engine>,
    clock: Arc<PacedClock>,
    market: Market,
    feed: Feed,
}

impl Feeding {
    /// `feed` stands where the clock does.
    pub(super) fn new(engine: Arc<Engine>, clock: Arc<PacedClock>, market: Market, feed: Feed) -> Self {
        Self { engine, clock, market, feed }
    }

    /// Runs until the token is cancelled.
    pub(super) async fn run(mut self, token: CancellationToken) -> anyhow::Result<()> {
        // What was due when a broken-off run ended may not have been written any more.
        self.step().await;
        let mut look_again: Option<Timestamp> = None;
        while let Some(next) = self.feed.next_at() {
            let at = look_again.map_or(next, |at| at.min(next));
            self.clock.allow(at + SLACK);
            let wait = self.clock.wait_until(at).unwrap_or_default();
            tokio::select! {
                () = token.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait.min(TICK_EVERY)) => {}
            }
            let now = self.clock.now();
            let steps = self.feed.advance(now);
            let due = look_again.take_if(|at| *at <= now).is_some() || !steps.is_empty();
            for step in steps {
                // A coin may be silent: the others are issued all the same.
                look_again = Some(step.at + SECOND_LOOK);
                self.deliver(step).await?;
            }
            if due {
                self.step().await;
            }
            self.tell_prices(now);
        }
        Ok(())
    }

    async fn step(&self) {
        match self.engine.run_once().await {
            Ok(step) if step.missed > 0 => info!(
                "{}: {} slots missed, {} forecasts issued, {} horizons scored",
                self.clock.now(),
                step.missed,
                step.issued,
                step.resolved
            ),
            Ok(step) if step.issued > 0 => {
                info!("{}: {} forecasts issued, {} horizons scored", self.clock.now(), step.issued, step.resolved);
            }
            Ok(_) => {}
            Err(error) => warn!("a step failed: {:#}", anyhow::Error::from(error)),
        }
    }

    async fn deliver(&self, step: Step) -> anyhow::Result<()> {
        let assets = self.market.assets();
        for (asset, action) in step.actions {
            let symbol = &assets[asset].symbol;
            info!("{}: {symbol}: {:?}", step.at, action.kind);
            let received = self.engine.receive_actions(symbol, &[action]).await;
            received.with_context(|| format!("failed to take a corporate action of {symbol}"))?;
        }
        for (asset, observation) in step.observations {
            let symbol = &assets[asset].symbol;
            let received = self.engine.receive_observations(symbol, &[observation]).await;
            received.with_context(|| format!("failed to take a release of {symbol}"))?;
        }
        for bar in step.bars {
            let key = series_key(&assets[bar.asset], bar.timeframe);
            let received = self.engine.receive_bars(&key, &[bar.bar]).await;
            received.with_context(|| format!("failed to take a bar of {}", key.symbol))?;
        }
        Ok(())
    }

    fn tell_prices(&self, now: Timestamp) {
        for (index, asset) in self.market.assets().iter().enumerate() {
            if matches!(asset.kind, AssetKind::Index | AssetKind::Series) {
                continue;
            }
            // A price that stands still is no news: the market is closed, or the feed is silent.
            if let Some(quote) = self.feed.price_at(index, now).filter(|quote| quote.time == now) {
                self.engine.receive_tick(&asset.symbol, quote.price, quote.time);
            }
        }
    }
}
