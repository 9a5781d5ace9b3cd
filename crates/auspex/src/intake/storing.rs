//! The storing side: batches into the store.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::mem::Discriminant;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use engine::ingest;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use market::calendar::end_of_day_new_york;
use market::{Action, ActionKind, Asset, AssetKind, Bar, ChainId, Observation, Span, Symbol};
use storage::{BarQuery, EntryQuery, PutSummary, SeriesKey, Store, StoreError};

use super::Summary;
use super::reader::{Batch, Reading};
use crate::compose::Opened;
use crate::screen;

/// Stores batches, and remembers which series they touched.
#[derive(Debug)]
pub(super) struct Storing<'a> {
    opened: &'a mut Opened,
    source: String,
    add_series: bool,
    now: Timestamp,
    /// Whether forecasts have been made here as the market went on: what comes now was not there for them.
    is_lived_in: bool,
    touched: BTreeMap<SeriesKey, Touched>,
}

/// A series that rows came for.
#[derive(Debug)]
struct Touched {
    asset: Asset,
    /// The bars that came.
    spans: Vec<Span>,
}

impl<'a> Storing<'a> {
    pub(super) async fn begin(opened: &'a mut Opened, reading: &Reading, now: Timestamp) -> anyhow::Result<Self> {
        let (source, add_series) = (reading.source.clone(), reading.add_series);
        let query = EntryQuery { kind: Some("forecast"), limit: 1, ..EntryQuery::default() };
        let is_lived_in = !opened.store.entries(&ChainId::live(), &query).await?.is_empty();
        Ok(Self { opened, source, add_series, now, is_lived_in, touched: BTreeMap::new() })
    }

    pub(super) async fn put(&mut self, batch: Batch, summary: &mut Summary) -> anyhow::Result<()> {
        let store = Arc::clone(&self.opened.store);
        let (kind, n_rows) = (batch.kind(), batch.n_rows());
        let put = match batch {
            Batch::Bars(batch) => {
                let symbol = batch.asset.symbol.clone();
                self.list(&batch.asset, summary).await?;
                let source = self.source.clone();
                let key = SeriesKey { symbol, timeframe: batch.timeframe, adjustment: batch.adjustment, source };
                let span = |bar: &Bar| Span { open_time: bar.open_time, close_time: bar.close_time };
                let spans: Vec<Span> = batch.bars.iter().map(span).collect();
                if self.is_lived_in && !self.touched.contains_key(&key) {
                    // A server that is at work takes it up within that time.
                    store.join_series(&key, self.now + SignedDuration::from_mins(1)).await?;
                }
                let put = put_bars(&*store, &key, batch.bars, self.now).await.map_err(of_batch);
                let put = put.with_context(|| format!("failed to store {} bars of {}", key.timeframe, key.symbol))?;
                let touched = || Touched { asset: batch.asset, spans: Vec::new() };
                self.touched.entry(key).or_insert_with(touched).spans.extend(spans);
                put
            }
            Batch::Observations(batch) => {
                self.list_series(&batch.series_id, summary).await?;
                let put =
                    put_observations(&*store, &batch.series_id, batch.observations, self.now).await.map_err(of_batch);
                put.with_context(|| format!("failed to store observations of {}", batch.series_id))?
            }
            Batch::Actions(batch) => {
                // Terms of assets without bars are kept for when their bars come.
                let symbol = &batch.asset.symbol;
                let put = put_actions(&*store, symbol, batch.actions, self.now).await.map_err(of_batch);
                put.with_context(|| format!("failed to store corporate actions of {symbol}"))?
            }
        };
        *summary.kept.entry(kind).or_default() += n_rows as u64;
        summary.put.inserted += put.inserted;
        summary.put.unchanged += put.unchanged;
        summary.put.revised += put.revised;
        Ok(())
    }

    /// Looks for holes in what was touched.
    pub(super) async fn finish(self, summary: &mut Summary) -> anyhow::Result<()> {
        let store = &self.opened.store;
        let bar = screen::count_bar(self.touched.len() as u64, "looking for gaps");
        let stored = store.series().await?;
        // Only holes inside: nothing is said about what comes after the last bar.
        let through = Timestamp::UNIX_EPOCH;
        for (key, Touched { asset, mut spans }) in self.touched {
            spans.sort_unstable_by_key(|span| span.open_time);
            spans.dedup();
            // Where all that is stored came by just now, it need not be read again.
            let whole = stored.iter().any(|info| info.key == key && info.n_bars == spans.len() as u64);
            let gaps = match whole {
                true => ingest::record_gaps_of(&**store, &key, &asset, &spans, through, self.now).await?,
                false => ingest::record_gaps(&**store, &key, &asset, through, self.now).await?,
            };
            summary.series.push((key, gaps));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Adds an asset to the universe when it is new, or said to be something else than before.
    async fn list(&mut self, asset: &Asset, summary: &mut Summary) -> anyhow::Result<()> {
        let listed = self.opened.assets.iter_mut().find(|other| other.symbol == asset.symbol);
        if listed.as_ref().is_some_and(|listed| *listed == asset) {
            return Ok(());
        }
        ingest::list_asset(&*self.opened.store, listed.as_deref(), asset).await.context("failed to list an asset")?;
        match listed {
            Some(listed) => *listed = asset.clone(),
            None => {
                self.opened.assets.push(asset.clone());
                summary.added.push(asset.clone());
            }
        }
        Ok(())
    }

    async fn list_series(&mut self, series_id: &str, summary: &mut Summary) -> anyhow::Result<()> {
        let listed = self.opened.assets.iter().any(|asset| asset.source_symbol == series_id);
        if listed || summary.unlisted.iter().any(|other| other == series_id) {
            return Ok(());
        }
        match series_id.parse::<Symbol>() {
            Ok(symbol) if self.add_series => {
                let (name, source_symbol) = (series_id.to_owned(), series_id.to_owned());
                let asset = Asset { symbol, name, kind: AssetKind::Series, source_symbol, quote: "units".to_owned() };
                self.list(&asset, summary).await
            }
            _ => {
                summary.unlisted.push(series_id.to_owned());
                Ok(())
            }
        }
    }
}

/// What went wrong with a batch. Of a full disk the store says that nothing was written, which is true of this batch only.
fn of_batch(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Full { .. } => anyhow!("the disk is full"),
        error => error.into(),
    }
}

/// Puts bars; see [`settle`].
async fn put_bars(
    store: &dyn Store,
    key: &SeriesKey,
    mut bars: Vec<Bar>,
    now: Timestamp,
) -> Result<PutSummary, StoreError> {
    match store.put_bars(key, &bars).await {
        Err(StoreError::NotLater { .. }) => {}
        done => return done,
    }
    let from = bars.first().map(|bar| bar.open_time);
    let to = bars.last().map(|bar| bar.open_time + SignedDuration::from_micros(1));
    settle(&mut bars, now, async |as_of| store.bars(&BarQuery { key, as_of, from, to, last: None }).await).await?;
    store.put_bars(key, &bars).await
}

/// Puts observations; see [`settle`].
async fn put_observations(
    store: &dyn Store,
    series_id: &str,
    mut observations: Vec<Observation>,
    now: Timestamp,
) -> Result<PutSummary, StoreError> {
    match store.put_observations(series_id, &observations).await {
        Err(StoreError::NotLater { .. }) => {}
        done => return done,
    }
    settle(&mut observations, now, async |as_of| store.observations(series_id, as_of).await).await?;
    store.put_observations(series_id, &observations).await
}

/// Puts corporate actions; see [`settle`].
async fn put_actions(
    store: &dyn Store,
    symbol: &Symbol,
    mut actions: Vec<Action>,
    now: Timestamp,
) -> Result<PutSummary, StoreError> {
    match store.put_actions(symbol, &actions).await {
        Err(StoreError::NotLater { .. }) => {}
        done => return done,
    }
    settle(&mut actions, now, async |as_of| store.actions(symbol, as_of).await).await?;
    store.put_actions(symbol, &actions).await
}

/// A row of which there may be revisions.
trait Revisable: Clone {
    /// What all revisions have in common.
    type Name: Eq + Hash;

    fn name(&self) -> Self::Name;
    /// Whether it says what `other` says, whenever either was known.
    fn agrees(&self, other: &Self) -> bool;
    fn known_at(&mut self) -> &mut Timestamp;
    /// Whether it was known at the first moment it could be: there is no revision before it.
    fn is_first(&self) -> bool;
}

/// Makes rows that say something else than the stored ones known from now on, and replaces those that say what an older
/// revision said by the newest one: they are old news, and an old file must not undo what a later one put right.
async fn settle<R: Revisable>(
    rows: &mut [R],
    now: Timestamp,
    stored: impl AsyncFn(Timestamp) -> Result<Vec<R>, StoreError>,
) -> Result<(), StoreError> {
    let by_name = |rows: Vec<R>| -> HashMap<R::Name, R> { rows.into_iter().map(|row| (row.name(), row)).collect() };
    let newest = by_name(stored(Timestamp::MAX).await?);
    // The rows that differ, each with when the oldest revision it was compared with was known.
    let mut differing = Vec::new();
    for (index, row) in rows.iter_mut().enumerate() {
        let Some(old) = newest.get(&row.name()).filter(|old| !old.agrees(row)) else { continue };
        let known_at = *old.clone().known_at();
        *row.known_at() = now.max(known_at + SignedDuration::from_micros(1));
        differing.push((index, known_at));
    }
    // One revision further back each time; there are as many as imports that revised something.
    while let Some(latest) = differing.iter().map(|(_, known_at)| *known_at).max() {
        let older = by_name(stored(latest - SignedDuration::from_micros(1)).await?);
        differing.retain_mut(|(index, known_at)| {
            let row = &mut rows[*index];
            let Some(old) = older.get(&row.name()) else { return false };
            if old.agrees(row) {
                row.clone_from(&newest[&row.name()]);
                return false;
            }
            *known_at = *old.clone().known_at();
            !old.is_first()
        });
    }
    Ok(())
}

impl Revisable for Bar {
    type Name = Timestamp;

    fn name(&self) -> Timestamp {
        self.open_time
    }

    fn agrees(&self, other: &Self) -> bool {
        Self { known_at: other.known_at, ..*self } == *other
    }

    fn known_at(&mut self) -> &mut Timestamp {
        &mut self.known_at
    }

    fn is_first(&self) -> bool {
        self.known_at <= self.close_time
    }
}

impl Revisable for Observation {
    type Name = (Date, Date);

    fn name(&self) -> Self::Name {
        (self.ref_period, self.realtime_start)
    }

    fn agrees(&self, other: &Self) -> bool {
        self.value == other.value
    }

    fn known_at(&mut self) -> &mut Timestamp {
        &mut self.known_at
    }

    fn is_first(&self) -> bool {
        self.known_at == end_of_day_new_york(self.realtime_start)
    }
}

impl Revisable for Action {
    /// Of dividends there may be several a day: another amount is another one.
    type Name = (Date, Discriminant<ActionKind>, Option<u64>);

    fn name(&self) -> Self::Name {
        let amount = match &self.kind {
            ActionKind::Dividend { amount } => Some(amount.to_bits()),
            _ => None,
        };
        (self.ex_date, std::mem::discriminant(&self.kind), amount)
    }

    fn agrees(&self, other: &Self) -> bool {
        self.kind == other.kind
    }

    fn known_at(&mut self) -> &mut Timestamp {
        &mut self.known_at
    }

    fn is_first(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_does_not_deny_the_batches_before() {
        let said = of_batch(StoreError::Full { operation: "store bars" }).context("failed to store 1h bars of BTC");
        assert_eq!(format!("{said:#}"), "failed to store 1h bars of BTC: the disk is full");
    }
}
