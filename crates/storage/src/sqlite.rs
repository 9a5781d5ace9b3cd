//! The embedded store: one SQLite file, no server.
//!
//! One connection writes, a few read, and readers never wait for the writer (write-ahead log). A write is one
//! transaction; the process may die at any moment and finds all of it or nothing.
//!
//! Here are opening and the list of operations; each noun has its queries in a file of its own. Instants are kept as
//! whole microseconds, as `migrations/sqlite` says for every column.

mod rows;

mod actions;
mod assets;
mod bars;
mod favourites;
mod gaps;
mod ledger;
mod models;
mod observations;
mod remarks;
mod scores;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use market::{Action, Asset, Bar, ChainId, Entry, Observation, Remark, Symbol};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};

use crate::store::{
    BarQuery, ChainInfo, Draft, DueOutcome, EntryQuery, EntryRow, Gap, ModelRecord, PutSummary, RemarkRow, Result,
    ScoreQuery, ScoreRow, SeriesInfo, SeriesKey, Store, StoreError,
};
use rows::failed;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another process to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// `SQLITE_BUSY`: another process is at it.
const BUSY: &str = "5";
/// How long an operation waits for its turn: a first import may write for a minute.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(120);
/// Readers at most; each is a thread.
const N_READERS: u32 = 4;
/// Bytes a page. Twice the default: a forecast's body fits into one, and a batch writes half as many.
const PAGE_SIZE: u32 = 8_192;
/// Page cache of the writer in KiB: the hash index of a long ledger is written all over.
const WRITER_CACHE: &str = "-32768";
/// Page cache of a reader in KiB.
const READER_CACHE: &str = "-4096";
/// Rows a connection's thread may be ahead of the task that reads them: each time it must wait costs two switches.
const ROW_BUFFER: usize = 1_024;
/// Pages in the write-ahead log before they go to the file (32 MiB): the batches of a long import or replay change the
/// same index pages again and again, and each time they go to the file they are written once more.
const CHECKPOINT_PAGES: &str = "4000";

/// A store in one SQLite file. Cloning gives another handle on the same.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the database at `path`, creating and migrating it where needed; its folder must be there.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer version wrote it (it is left untouched), [`StoreError::Open`] when it cannot be
    /// opened or is no database, [`StoreError::Migrate`] when a migration fails.
    pub async fn open(path: &Path) -> Result<Self> {
        let open = |cause| StoreError::Open { path: path.display().to_string(), cause };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("temp_store", "memory")
            .row_buffer_size(ROW_BUFFER)
            .disable_statement_logging();
        refuse_newer(path, &options).await?;

        let writing = options
            .clone()
            .create_if_missing(true)
            .page_size(PAGE_SIZE)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit that was acknowledged survives a power cut too.
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        let writer = connect_writer(&writing).await.map_err(open)?;
        migrate(&writer).await?;

        let reading = options.read_only(true).pragma("cache_size", READER_CACHE);
        let readers = pool(N_READERS).connect_with(reading).await.map_err(open)?;
        Ok(Self { writer, readers, path: path.to_owned() })
    }

    /// A database in memory, gone when the last handle is. One connection both reads and writes.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_in_memory() -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .in_memory(true)
            .journal_mode(SqliteJournalMode::Memory)
            .foreign_keys(true)
            .disable_statement_logging();
        let pool = pool(1).idle_timeout(None).max_lifetime(None).connect_with(options).await;
        let pool = pool.map_err(|cause| StoreError::Open { path: ":memory:".to_owned(), cause })?;
        migrate(&pool).await?;
        Ok(Self { writer: pool.clone(), readers: pool, path: ":memory:".into() })
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a write. Taking the write lock at once means that no transaction must be repeated because another process
    /// wrote between its first read and its first write.
    async fn begin(&self, operation: &'static str) -> Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(operation))
    }
}

fn pool(max_connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
}

/// Whether the writer may be used again. When the disk is full SQLite may have ended the transaction by itself, and the
/// rollback that follows finds none: such a connection is closed and opened anew.
async fn settled(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // The ping waits for the rollback that a dropped transaction has put in the queue.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The writing connection. Of processes that open a new database at once one turns the log on, and SQLite tells the
/// others to come back without letting them wait.
async fn connect_writer(options: &SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let deadline = tokio::time::Instant::now() + BUSY_TIMEOUT;
    loop {
        let writer = pool(1).after_release(|connection, _| Box::pin(settled(connection)));
        match writer.connect_with(options.clone()).await {
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(BUSY) && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

/// Brings the schema up to date: all of it or nothing, and one process at a time.
async fn migrate(writer: &SqlitePool) -> Result<()> {
    let migrate = |cause: sqlx::Error| StoreError::Migrate(cause.into());
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(migrate)?;
    MIGRATIONS.run(&mut *tx).await.map_err(StoreError::Migrate)?;
    tx.commit().await.map_err(migrate)
}

/// Looks at the schema version before anything is changed.
async fn refuse_newer(path: &Path, options: &SqliteConnectOptions) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let open = |cause| StoreError::Open { path: path.display().to_string(), cause };
    let mut connection = options.connect().await.map_err(open)?;
    let migrated: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')")
            .fetch_one(&mut connection)
            .await
            .map_err(open)?;
    let mut found: Option<i64> = None;
    if migrated {
        let version = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
        found = version.fetch_one(&mut connection).await.map_err(open)?;
    }
    connection.close().await.map_err(open)?;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match found {
        Some(found) if found > known => Err(StoreError::Newer { path: path.display().to_string(), found, known }),
        _ => Ok(()),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn put_assets(&self, assets: &[Asset]) -> Result<()> {
        assets::put(self, assets).await
    }

    async fn assets(&self) -> Result<Vec<Asset>> {
        assets::all(self).await
    }

    async fn join_series(&self, key: &SeriesKey, at: Timestamp) -> Result<()> {
        bars::join(self, key, at).await
    }

    async fn put_bars(&self, key: &SeriesKey, bars: &[Bar]) -> Result<PutSummary> {
        bars::put(self, key, bars).await
    }

    async fn bars(&self, query: &BarQuery<'_>) -> Result<Vec<Bar>> {
        bars::select(self, query).await
    }

    async fn bars_learnt(&self, key: &SeriesKey, after: Timestamp, through: Timestamp) -> Result<Vec<Bar>> {
        bars::learnt(self, key, after, through).await
    }

    async fn series(&self) -> Result<Vec<SeriesInfo>> {
        bars::series(self).await
    }

    async fn put_observations(&self, series_id: &str, observations: &[Observation]) -> Result<PutSummary> {
        observations::put(self, series_id, observations).await
    }

    async fn observations(&self, series_id: &str, as_of: Timestamp) -> Result<Vec<Observation>> {
        observations::select(self, series_id, as_of).await
    }

    async fn observation_series(&self) -> Result<Vec<String>> {
        observations::series(self).await
    }

    async fn put_actions(&self, symbol: &Symbol, actions: &[Action]) -> Result<PutSummary> {
        actions::put(self, symbol, actions).await
    }

    async fn actions(&self, symbol: &Symbol, as_of: Timestamp) -> Result<Vec<Action>> {
        actions::select(self, symbol, as_of).await
    }

    async fn put_gaps(
        &self,
        key: &SeriesKey,
        from: Timestamp,
        to: Timestamp,
        gaps: &[Gap],
        now: Timestamp,
    ) -> Result<()> {
        gaps::put(self, key, from, to, gaps, now).await
    }

    async fn gaps(&self, key: &SeriesKey) -> Result<Vec<Gap>> {
        gaps::all(self, key).await
    }

    async fn put_remarks(&self, source: &str, remarks: &[Remark], now: Timestamp) -> Result<()> {
        remarks::put(self, source, remarks, now).await
    }

    async fn remarks(&self, symbol: Option<&Symbol>, limit: u32) -> Result<Vec<RemarkRow>> {
        remarks::select(self, symbol, limit).await
    }

    async fn put_model(&self, model: &ModelRecord) -> Result<()> {
        models::put(self, model).await
    }

    async fn model(&self, id: &str) -> Result<Option<ModelRecord>> {
        models::get(self, id).await
    }

    async fn models(&self) -> Result<Vec<ModelRecord>> {
        models::all(self).await
    }

    async fn append(&self, chain: &ChainId, drafts: &[Draft]) -> Result<Vec<Entry>> {
        ledger::append(self, chain, drafts).await
    }

    async fn chains(&self) -> Result<Vec<ChainInfo>> {
        ledger::chains(self).await
    }

    async fn head(&self, chain: &ChainId) -> Result<Option<ChainInfo>> {
        ledger::head(self, chain).await
    }

    async fn entries(&self, chain: &ChainId, query: &EntryQuery) -> Result<Vec<EntryRow>> {
        ledger::entries(self, chain, query).await
    }

    async fn entries_by_hash(&self, prefix: &str) -> Result<Vec<(ChainId, EntryRow)>> {
        ledger::entries_by_hash(self, prefix).await
    }

    async fn latest_forecasts(&self, chain: &ChainId) -> Result<Vec<EntryRow>> {
        ledger::latest_forecasts(self, chain).await
    }

    async fn due_outcomes(
        &self,
        chain: &ChainId,
        through: Timestamp,
        after_seq: Option<u64>,
        limit: u32,
    ) -> Result<Vec<DueOutcome>> {
        ledger::due_outcomes(self, chain, through, after_seq, limit).await
    }

    async fn next_due(&self, chain: &ChainId) -> Result<Option<Timestamp>> {
        ledger::next_due(self, chain).await
    }

    async fn scores(&self, chain: &ChainId, query: &ScoreQuery) -> Result<Vec<ScoreRow>> {
        scores::select(self, chain, query).await
    }

    async fn favourites(&self, owner: &str) -> Result<Vec<Symbol>> {
        favourites::all(self, owner).await
    }

    async fn add_favourite(&self, owner: &str, symbol: &Symbol) -> Result<()> {
        favourites::add(self, owner, symbol).await
    }

    async fn remove_favourite(&self, owner: &str, symbol: &Symbol) -> Result<bool> {
        favourites::remove(self, owner, symbol).await
    }

    async fn foreign_writes(&self) -> Result<i64> {
        // Told of the one connection that writes here: it moves when another one has, and this process has no other.
        let version = sqlx::query_scalar("PRAGMA data_version").fetch_one(&self.writer).await;
        version.map_err(failed("see whether another process has written"))
    }

    async fn check(&self) -> Result<()> {
        let operation = "check that the database reads and writes";
        sqlx::query(
            "INSERT INTO heartbeat (heartbeat_id, n_checks) VALUES (1, 1)
             ON CONFLICT (heartbeat_id) DO UPDATE SET n_checks = heartbeat.n_checks + 1",
        )
        .execute(&self.writer)
        .await
        .map_err(failed(operation))?;
        let read = sqlx::query_scalar("SELECT n_checks FROM heartbeat WHERE heartbeat_id = 1");
        let _: i64 = read.fetch_one(&self.readers).await.map_err(failed(operation))?;
        Ok(())
    }

    async fn close(&self) {
        // The writer last: the last connection to close empties the write-ahead log, which a reader may not.
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests;
