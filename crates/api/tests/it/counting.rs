//! A store that counts its calls, and can be made to fail or to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use market::{Action, Asset, Bar, ChainId, Entry, Observation, Symbol};
use storage::store::Result;
use storage::{
    BarQuery, ChainInfo, Draft, DueOutcome, EntryQuery, EntryRow, Gap, ModelRecord, PutSummary, ScoreQuery, ScoreRow,
    SeriesInfo, SeriesKey, SqliteStore, Store, StoreError,
};
use tokio::sync::watch;

/// Passes everything on to SQLite.
#[derive(Debug)]
pub(crate) struct CountingStore {
    inner: Arc<SqliteStore>,
    calls: AtomicU64,
    away: AtomicBool,
    stalled: watch::Sender<bool>,
}

impl CountingStore {
    pub(crate) fn new(inner: SqliteStore) -> Self {
        Self {
            inner: Arc::new(inner),
            calls: AtomicU64::new(0),
            away: AtomicBool::new(false),
            stalled: watch::Sender::new(false),
        }
    }

    /// How often the store was asked.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Fails every call from now on.
    pub(crate) fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    /// Lets every call wait, or no longer.
    pub(crate) fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    async fn count(&self) -> Result<&SqliteStore> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut stalled = self.stalled.subscribe();
        let _open = stalled.wait_for(|stalled| !stalled).await.map(drop);
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Full { operation: "do anything at /secret/place" });
        }
        Ok(&self.inner)
    }
}

macro_rules! pass_on {
    ($($name:ident(&self $(, $arg:ident: $type:ty)*) -> $ok:ty;)+) => {
        #[async_trait]
        impl Store for CountingStore {
            $(async fn $name(&self $(, $arg: $type)*) -> Result<$ok> { self.count().await?.$name($($arg),*).await })+

            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}

pass_on! {
    put_assets(&self, assets: &[Asset]) -> ();
    assets(&self) -> Vec<Asset>;
    put_remarks(&self, source: &str, remarks: &[market::Remark], now: Timestamp) -> ();
    remarks(&self, symbol: Option<&Symbol>, limit: u32) -> Vec<storage::RemarkRow>;
    foreign_writes(&self) -> i64;
    join_series(&self, key: &SeriesKey, at: Timestamp) -> ();
    put_bars(&self, key: &SeriesKey, bars: &[Bar]) -> PutSummary;
    bars(&self, query: &BarQuery<'_>) -> Vec<Bar>;
    bars_learnt(&self, key: &SeriesKey, after: Timestamp, through: Timestamp) -> Vec<Bar>;
    series(&self) -> Vec<SeriesInfo>;
    put_observations(&self, series_id: &str, observations: &[Observation]) -> PutSummary;
    observations(&self, series_id: &str, as_of: Timestamp) -> Vec<Observation>;
    observation_series(&self) -> Vec<String>;
    put_actions(&self, symbol: &Symbol, actions: &[Action]) -> PutSummary;
    actions(&self, symbol: &Symbol, as_of: Timestamp) -> Vec<Action>;
    put_gaps(&self, key: &SeriesKey, from: Timestamp, to: Timestamp, gaps: &[Gap], now: Timestamp) -> ();
    gaps(&self, key: &SeriesKey) -> Vec<Gap>;
    put_model(&self, model: &ModelRecord) -> ();
    model(&self, id: &str) -> Option<ModelRecord>;
    models(&self) -> Vec<ModelRecord>;
    append(&self, chain: &ChainId, drafts: &[Draft]) -> Vec<Entry>;
    chains(&self) -> Vec<ChainInfo>;
    head(&self, chain: &ChainId) -> Option<ChainInfo>;
    entries(&self, chain: &ChainId, query: &EntryQuery) -> Vec<EntryRow>;
    entries_by_hash(&self, prefix: &str) -> Vec<(ChainId, EntryRow)>;
    latest_forecasts(&self, chain: &ChainId) -> Vec<EntryRow>;
    due_outcomes(&self, chain: &ChainId, through: Timestamp, after_seq: Option<u64>, limit: u32) -> Vec<DueOutcome>;
    next_due(&self, chain: &ChainId) -> Option<Timestamp>;
    scores(&self, chain: &ChainId, query: &ScoreQuery) -> Vec<ScoreRow>;
    favourites(&self, owner: &str) -> Vec<Symbol>;
    add_favourite(&self, owner: &str, symbol: &Symbol) -> ();
    remove_favourite(&self, owner: &str, symbol: &Symbol) -> bool;
    check(&self) -> ();
}
