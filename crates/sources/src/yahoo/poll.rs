//! Last prices asked for now and then, while the stream cannot be had.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use market::{Asset, Clock};

use super::client::Client;
use super::history::unit;
use super::quote;
use crate::failure::Failure;
use crate::pace::Patience;
use crate::source::Price;

/// The shortest time between two requests; each asks for all symbols. Jitter makes it longer, up to twice as long.
const EVERY: Duration = Duration::from_secs(15);

/// When was asked last, and what was told.
#[derive(Debug, Default)]
pub(super) struct Poll {
    next: Option<Timestamp>,
    told: BTreeMap<String, i64>,
}

impl Poll {
    /// When it may be asked again.
    pub(super) fn next(&self) -> Timestamp {
        self.next.unwrap_or(Timestamp::MIN)
    }

    /// Asks once; gives prices newer than those told before.
    pub(super) async fn once(
        &mut self,
        client: &Client,
        clock: &dyn Clock,
        followed: &BTreeMap<String, Asset>,
    ) -> Result<Vec<Price>, Failure> {
        let pause = Patience { first: EVERY, longest: EVERY, times: 1 }.pauses().next().unwrap_or(EVERY);
        let pause = jiff::SignedDuration::try_from(pause).unwrap_or(jiff::SignedDuration::MAX);
        self.next = Some(clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX));
        let symbols: Vec<&str> = followed.keys().map(String::as_str).collect();
        let mut prices = Vec::new();
        for last in quote::ask(client, &symbols.join(",")).await? {
            let Some(asset) = followed.get(&last.symbol) else { continue };
            let Some(unit) = unit(last.currency.as_deref(), asset) else { continue };
            let Ok(event_time) = Timestamp::from_second(last.time) else { continue };
            if self.told.get(&last.symbol).is_some_and(|told| *told >= last.time) {
                continue;
            }
            self.told.insert(last.symbol, last.time);
            prices.push(Price { symbol: asset.symbol.clone(), price: last.price * unit, event_time });
        }
        Ok(prices)
    }
}
