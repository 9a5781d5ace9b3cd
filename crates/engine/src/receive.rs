//! What comes in: stored first, dated by when a step could know it, and handed to the desk.

use jiff::{SignedDuration, Timestamp};
use market::{Action, Asset, Bar, Observation, Remark, Symbol, Timeframe};
use storage::{EventKind, SeriesKey};
use tracing::{debug, warn};

use crate::desk::{SheetKey, Tick, readers};
use crate::engine::{Engine, format_chain};
use crate::error::{EngineError, Result};
use crate::release::Releases;

/// An exchange's clock may be so far ahead of ours.
const MAX_AHEAD: SignedDuration = SignedDuration::from_secs(10);

impl Engine {
    /// Takes closed bars of one series as they arrive: they are stored and wait for their step.
    ///
    /// A bar that comes after its step was taken is known only now, and its panel is assembled anew.
    ///
    /// # Errors
    /// As the store's; nothing is acknowledged then.
    pub async fn receive_bars(&self, key: &SeriesKey, bars: &[Bar]) -> Result<()> {
        for bar in bars {
            bar.checked().map_err(|cause| EngineError::BadBar { symbol: key.symbol.clone(), cause })?;
        }
        let unknown = || EngineError::UnknownSymbol { symbol: key.symbol.clone() };
        let asset = self.asset(&key.symbol).ok_or_else(unknown)?;
        // Panels are not assembled anew between storing a bar and handing it on.
        let _one_at_a_time = self.stepping.lock().await;
        let bars = self.dated(&asset, key, bars);
        let put = self.noting(self.store.put_bars(key, &bars).await)?;
        if put.inserted + put.revised == 0 {
            return Ok(());
        }
        let now = self.clock.now();
        let mut desk = self.desk_mut();
        for bar in bars {
            desk.receive(&asset, key, bar, now);
        }
        Ok(())
    }

    /// Takes the whole past of a series that joins now: its bars count as known at their closes. With `awaited` panels
    /// read them from their next step on, which waits for [`Engine::let_go`] as more may follow.
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn receive_past(&self, asset: &Asset, key: &SeriesKey, bars: &[Bar], awaited: bool) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        let now = self.clock.now();
        self.noting(self.store.join_series(key, now).await)?;
        self.noting(self.store.put_bars(key, bars).await)?;
        if awaited {
            self.desk_mut().set_aside(asset, key.timeframe, &[now], now);
        }
        Ok(())
    }

    /// Takes closed bars past the panels: of a series that none reads now, or for steps that have been taken. They are
    /// stored, and dated as [`Engine::receive_bars`] does. With `awaited` panels read them, and more may follow: their next
    /// steps wait for [`Engine::let_go`].
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn receive_aside(
        &self,
        asset: &Asset,
        key: &SeriesKey,
        bars: &[Bar],
        awaited: bool,
    ) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        let bars = self.dated(asset, key, bars);
        self.noting(self.store.put_bars(key, &bars).await)?;
        let is_read = self.desk().reads(key);
        if awaited || is_read {
            let now = self.clock.now();
            let known_at: Vec<Timestamp> = bars.iter().map(|bar| bar.known_at).collect();
            self.desk_mut().set_aside(asset, key.timeframe, &known_at, now);
        }
        Ok(())
    }

    /// Whether a panel that reads an asset's bars of a length has taken the step of a close.
    pub(crate) fn has_stepped(&self, asset: &Asset, timeframe: Timeframe, close_time: Timestamp) -> bool {
        self.last_step(asset, timeframe).is_some_and(|last| close_time <= last)
    }

    /// The newest step of the panels that read an asset's bars of a length.
    fn last_step(&self, asset: &Asset, timeframe: Timeframe) -> Option<Timestamp> {
        let desk = self.desk();
        let read = readers(asset, timeframe).iter();
        read.filter_map(|key| desk.sheets.get(key)?.last_step).max()
    }

    /// Bars with the instant they are known since: now, when the step of their close has been taken without them. It does
    /// not matter whose series the panel read then: assembled as of that step, it must come out the same.
    fn dated(&self, asset: &Asset, key: &SeriesKey, bars: &[Bar]) -> Vec<Bar> {
        let now = self.clock.now();
        let last = self.last_step(asset, key.timeframe);
        let known_at = |bar: &Bar| match last {
            Some(last) if bar.close_time <= last => now.max(bar.known_at),
            _ => bar.known_at,
        };
        bars.iter().map(|bar| Bar { known_at: known_at(bar), ..*bar }).collect()
    }

    /// Takes corporate actions. One that comes after a step that should have read it is known only now.
    ///
    /// # Errors
    /// As the store's.
    pub async fn receive_actions(&self, symbol: &Symbol, actions: &[Action]) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        let (now, last) = (self.clock.now(), self.desk().last_step_of(symbol));
        let known_at = |action: &Action| match last {
            Some(last) if action.effective_at() < last => now.max(action.known_at),
            _ => action.known_at,
        };
        let actions: Vec<Action> =
            actions.iter().map(|action| Action { known_at: known_at(action), ..action.clone() }).collect();
        self.noting(self.store.put_actions(symbol, &actions).await)?;
        let known = self.store.actions(symbol, Timestamp::MAX).await?;
        self.desk_mut().take_actions(symbol, &known, &actions);
        Ok(())
    }

    /// Takes released values of a macro series.
    ///
    /// # Errors
    /// As the store's.
    pub async fn receive_observations(&self, symbol: &Symbol, observations: &[Observation]) -> Result<()> {
        let Some(asset) = self.asset(symbol) else {
            return Err(EngineError::UnknownSymbol { symbol: symbol.clone() });
        };
        let _one_at_a_time = self.stepping.lock().await;
        self.noting(self.store.put_observations(&asset.source_symbol, observations).await)?;
        let known = self.store.observations(&asset.source_symbol, self.clock.now()).await?;
        if let Some(series) = Releases::new(asset, known) {
            self.desk_mut().releases.insert(symbol.clone(), series);
        }
        Ok(())
    }

    /// Takes the newest price of an asset. One that is older than what is known, or from a future in which a wrong price
    /// would pass for fresh, is not taken.
    pub fn receive_tick(&self, symbol: &Symbol, price: f64, event_time: Timestamp) {
        if !(price.is_finite() && price > 0.0) {
            warn!(%symbol, price, "refused a price that is not positive and finite");
            return;
        }
        if event_time > self.clock.now() + MAX_AHEAD {
            debug!(%symbol, %event_time, "refused a price from the future");
            return;
        }
        let tick = Tick { price, event_time };
        {
            let mut ticks = self.ticks.write().expect("no holder of this lock can panic");
            match ticks.get_mut(symbol) {
                Some(newest) if event_time < newest.event_time => return,
                Some(newest) => *newest = tick,
                None => drop(ticks.insert(symbol.clone(), tick)),
            }
        }
        self.events.publish(EventKind::Tick { symbol: symbol.clone(), price, event_time });
    }

    /// Lets panels take up what was stored past them: no more follows.
    pub(crate) fn let_go(&self, keys: impl IntoIterator<Item = SheetKey>) {
        let mut desk = self.desk_mut();
        for key in keys {
            desk.backlog.let_go(key);
        }
    }

    /// Adds an asset to the universe.
    ///
    /// # Errors
    /// As [`crate::ingest::list_asset`]'s.
    pub async fn list(&self, asset: &Asset) -> Result<()> {
        let listed = self.asset(&asset.symbol);
        crate::ingest::list_asset(&*self.store, listed.as_ref(), asset).await?;
        let assets = self.noting(self.store.assets().await)?;
        self.desk_mut().assets = assets.into();
        Ok(())
    }

    /// Writes into the quality journal. A journal that cannot be written keeps no data out.
    pub(crate) async fn note(&self, source: &str, remarks: &[Remark]) {
        if let Err(error) = self.noting(self.store.put_remarks(source, remarks, self.clock.now()).await) {
            warn!("the quality journal could not be written: {}", format_chain(&error));
        }
    }

    /// Tells that a source came or went.
    pub(crate) fn source_changed(&self, source: &str) {
        self.events.publish(EventKind::SourceChanged { source: source.to_owned() });
    }
}
