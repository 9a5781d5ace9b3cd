mod as_of;
mod durability;
mod opening;
mod promises;

use jiff::Timestamp;
use market::{Adjustment, Bar, ChainId, Direction, Score, Timeframe};
use tempfile::TempDir;

use super::SqliteStore;
use crate::store::{Draft, Index, SeriesKey};

#[tokio::test]
async fn passes_the_contract_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let n = std::sync::atomic::AtomicU32::new(0);
    crate::contract::store(|| async {
        let n = n.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        SqliteStore::open(&folder.path().join(format!("{n}.db"))).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn passes_the_contract_in_memory() {
    crate::contract::store(|| async { SqliteStore::open_in_memory().await.unwrap() }).await;
}

/// A fresh store in a file, with the folder that goes when it is dropped.
async fn fresh() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("auspex.db")).await.unwrap();
    (folder, store)
}

fn hour(n: i64) -> Timestamp {
    Timestamp::from_second(n * 3_600).unwrap()
}

fn series() -> SeriesKey {
    SeriesKey {
        symbol: "BTC".parse().unwrap(),
        timeframe: Timeframe::H1,
        adjustment: Adjustment::Raw,
        source: "import".to_owned(),
    }
}

/// The hour from `n` with everything at `close`, known `late` hours after its close.
fn bar(n: i64, close: f64, late: i64) -> Bar {
    Bar {
        open_time: hour(n),
        close_time: hour(n + 1),
        open: close,
        high: close,
        low: close,
        close,
        volume: 1.0,
        adj_close: None,
        known_at: hour(n + 1 + late),
    }
}

/// Hourly bars from the epoch on.
fn bars(n: i64) -> Vec<Bar> {
    (0..n).map(|n| bar(n, 100.0 + (n % 7) as f64, 0)).collect()
}

fn draft(recorded: i64, index: Index) -> Draft {
    let body = format!("{{\"kind\":\"{}\",\"recorded_at\":{recorded}}}", index.kind());
    Draft { recorded_at: hour(recorded), body: body.into(), index }
}

/// A forecast recorded at hour `at` with horizons of one and two hours.
fn forecast(at: i64) -> Draft {
    let targets = vec![(1, hour(at + 1)), (2, hour(at + 2))];
    let symbol = "BTC".parse().unwrap();
    draft(at, Index::Forecast { symbol, timeframe: Timeframe::H1, as_of: hour(at), targets })
}

fn outcome(at: i64, forecast_seq: u64, horizon: u32) -> Draft {
    let score = Score {
        reference_price: 100.0,
        change: 0.01,
        median: 0.001,
        low_80: -0.02,
        high_80: 0.03,
        prob_up: 0.52,
        crps: 0.004,
        crps_baseline: 0.005,
        pinball: 0.002,
        brier: Some(0.25),
        brier_baseline: Some(0.26),
        covered_80: true,
        covered_95: true,
        direction: Direction::Up,
        hit: Some(true),
        baseline_hit: None,
    };
    draft(at, Index::Outcome { forecast_seq, horizon, price: 101.0, score })
}

fn live() -> ChainId {
    ChainId::live()
}
