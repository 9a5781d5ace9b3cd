//! Promise 8: nothing acknowledged is lost, and nothing is half-written, whatever happens in between.

use std::future::poll_fn;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::task::Poll;

use market::Hash;
use market::ledger::entry_hash;

use super::*;
use crate::store::{BarQuery, EntryQuery, EntryRow, ModelRecord, Store, StoreError};

async fn count_bars(store: &SqliteStore) -> usize {
    let key = series();
    let query = BarQuery { key: &key, as_of: Timestamp::MAX, from: None, to: None, last: None };
    let n = store.bars(&query).await.unwrap().len();
    let listed = store.series().await.unwrap().first().map_or(0, |info| info.n_bars);
    assert_eq!(listed, n as u64, "the count of a series is that of its bars");
    n
}

/// The entries of the live chain, which must be sound.
async fn entries(store: &SqliteStore) -> Vec<EntryRow> {
    let rows = store.entries(&live(), &EntryQuery { limit: u32::MAX, ..EntryQuery::default() }).await.unwrap();
    let mut prev = Hash::ZERO;
    for (seq, EntryRow { entry, .. }) in (0..).zip(&rows) {
        assert_eq!((entry.seq, entry.prev), (seq, prev));
        assert_eq!(entry.hash, entry_hash(&live(), seq, &prev, &entry.body));
        prev = entry.hash;
    }
    rows
}

/// Lets the database of the writing connection grow by `pages` more, as if the disk were full then.
async fn fill_disk(store: &SqliteStore, pages: i64) {
    let now: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", now + pages));
    sqlx::query(limit).execute(&store.writer).await.unwrap();
}

async fn free_disk(store: &SqliteStore) {
    sqlx::query("PRAGMA max_page_count = 1000000000").execute(&store.writer).await.unwrap();
}

#[tokio::test]
async fn promise_8_a_full_disk_is_said_and_nothing_is_half_written() {
    let (_folder, store) = fresh().await;
    store.put_bars(&series(), &bars(10)).await.unwrap();
    store.append(&live(), &[forecast(1)]).await.unwrap();
    let artefact = vec![7; 1_000_000];
    let sha256 = Hash::of(&artefact);
    let model = ModelRecord {
        id: sha256.short(),
        asset_class: market::AssetClass::Crypto,
        timeframe: Timeframe::H1,
        name: "ridge".to_owned(),
        trained_at: hour(2),
        trained_through: hour(1),
        sha256,
        manifest: "{}".to_owned(),
        artefact,
    };
    let (many, drafts) = (bars(30_000), vec![forecast(1); 2_000]);
    // Full at once, within the first statement, and after many.
    for pages in [0, 3, 40] {
        for round in 0..2 {
            fill_disk(&store, pages).await;
            let told = [
                store.put_bars(&series(), &many).await.map(drop).expect_err("no room for bars"),
                store.append(&live(), &drafts).await.map(drop).expect_err("no room for entries"),
                store.put_model(&model).await.expect_err("no room for a model"),
            ];
            for error in told {
                assert!(matches!(error, StoreError::Full { .. }), "{pages} pages, round {round}: {error:?}");
                assert!(error.is_retryable());
            }
            assert_eq!(count_bars(&store).await, 10);
            assert_eq!(entries(&store).await.len(), 1);
            assert_eq!(store.models().await.unwrap(), []);
        }
    }
    free_disk(&store).await;
    store.put_bars(&series(), &many).await.unwrap();
    store.append(&live(), &drafts).await.unwrap();
    store.put_model(&model).await.unwrap();
    assert_eq!((count_bars(&store).await, entries(&store).await.len()), (30_000, 2_001));
}

/// Where a statement writes one row alone SQLite ends the whole transaction by itself when the disk is full, and the
/// rollback that follows finds none.
#[tokio::test]
async fn promise_8_the_store_serves_on_after_the_database_gave_a_transaction_up() {
    let (_folder, store) = fresh().await;
    store.put_bars(&series(), &bars(1)).await.unwrap();
    fill_disk(&store, 0).await;
    let mut n_stored = 1;
    let error = loop {
        match store.put_bars(&series(), &bars(n_stored + 1).split_off(usize::try_from(n_stored).unwrap())).await {
            Ok(_) => n_stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(count_bars(&store).await, usize::try_from(n_stored).unwrap());
    free_disk(&store).await;
    assert_eq!(store.put_bars(&series(), &bars(n_stored + 9)).await.unwrap().inserted, 9);
    store.check().await.unwrap();
}

#[tokio::test]
async fn promise_8_a_write_dropped_midway_leaves_nothing() {
    let (_folder, store) = fresh().await;
    let mut tx = store.begin("try").await.unwrap();
    let id = super::super::bars::series_id(&mut tx, &series()).await.unwrap();
    sqlx::query("INSERT INTO bars VALUES ($1, 0, 1, 1, 1.0, 1.0, 1.0, 1.0, 1.0, NULL)")
        .bind(id)
        .execute(&mut *tx)
        .await
        .unwrap();
    drop(tx);
    assert_eq!(count_bars(&store).await, 0);

    // The caller may go away at any of the points where a write waits.
    let many = bars(30_000);
    let (mut dropped, mut n_polls) = (0, 1);
    loop {
        let key = series();
        let mut writing = store.put_bars(&key, &many);
        let mut left = n_polls;
        let done = poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            writing.as_mut().poll(context).map(|done| done.is_ok())
        })
        .await;
        drop(writing);
        let n_bars = count_bars(&store).await;
        assert!(n_bars == 0 || n_bars == many.len(), "{n_bars} bars after {n_polls} polls");
        if done || n_bars > 0 {
            break;
        }
        dropped += 1;
        n_polls += 1 + n_polls / 4;
    }
    assert!(dropped > 5, "the write was cut {dropped} times");
    assert_eq!(store.put_bars(&series(), &many).await.unwrap().unchanged, 30_000);
}

/// In the child process: writes until it is killed, and tells each batch that was acknowledged.
async fn write_until_killed(path: &Path) {
    let store = SqliteStore::open(path).await.unwrap();
    for n in 0.. {
        store.append(&live(), &[draft(n, Index::Model), forecast(n), draft(n, Index::Checkpoint)]).await.unwrap();
        let batch: Vec<Bar> = bars((n + 1) * 1_000).split_off(usize::try_from(n).unwrap() * 1_000);
        store.put_bars(&series(), &batch).await.unwrap();
        println!("acknowledged {}", n + 1);
    }
}

#[tokio::test]
async fn promise_8_what_was_acknowledged_outlives_a_killed_process() {
    const CHILD: &str = "AUSPEX_STORAGE_TEST_CHILD";
    if let Some(path) = std::env::var_os(CHILD) {
        return write_until_killed(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auspex.db");
    let name = "sqlite::tests::durability::promise_8_what_was_acknowledged_outlives_a_killed_process";
    let mut acknowledged = 0;
    for kill_after in [3, 7] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = lines.map_while(Result::ok).filter_map(|line| {
            // The harness writes its own words before the first.
            line.rsplit_once("acknowledged ").and_then(|(_, n)| n.parse::<usize>().ok())
        });
        acknowledged = told.find(|n| *n >= acknowledged + kill_after).expect("the child writes until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();
        // It may have got further than it could tell.
        acknowledged = told.last().unwrap_or(acknowledged);

        let store = SqliteStore::open(&path).await.unwrap();
        let (n_entries, n_bars) = (entries(&store).await.len(), count_bars(&store).await);
        assert!(n_entries >= acknowledged * 3, "{n_entries} entries of {acknowledged} batches");
        assert_eq!((n_entries % 3, n_bars % 1_000), (0, 0), "a batch is there or is not");
        assert!(n_bars >= acknowledged * 1_000, "{n_bars} bars of {acknowledged} batches");
        store.close().await;
        std::fs::remove_file(&path).unwrap();
        acknowledged = 0;
    }
}
