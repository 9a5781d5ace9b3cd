//! How fast the embedded store imports bars, reads them as of a time, and appends to the ledger.
#![expect(clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use market::{Adjustment, Bar, ChainId, Direction, Origin, Score, Timeframe};
use storage::{BarQuery, Draft, Index, SeriesKey, SqliteStore, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const N_SERIES: usize = 20;
const BARS_PER_SERIES: u64 = 10_000;
const N_FORECASTS: u64 = 5_000;
const N_HORIZONS: u32 = 8;
/// Drafts an append.
const BATCH: usize = 5_000;

fn hour(n: u64) -> Timestamp {
    Timestamp::from_second(1_500_000_000 + n.cast_signed() * 3_600).unwrap()
}

fn series(n: usize) -> SeriesKey {
    let (timeframe, adjustment) = (Timeframe::H1, Adjustment::Raw);
    SeriesKey { symbol: format!("S{n}").parse().unwrap(), timeframe, adjustment, source: "bench".to_owned() }
}

fn bars() -> Vec<Bar> {
    let bar = |n: u64| {
        let close = 100.0 + (n % 977) as f64 / 7.0;
        let (open_time, close_time) = (hour(n), hour(n + 1));
        let (high, low) = (close * 1.01, close * 0.99);
        let known_at = close_time;
        Bar { open_time, close_time, open: close, high, low, close, volume: n as f64, adj_close: None, known_at }
    };
    (0..BARS_PER_SERIES).map(bar).collect()
}

async fn open() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("bench.db")).await.unwrap();
    (folder, store)
}

async fn import(store: &SqliteStore, bars: &[Bar]) {
    for n in 0..N_SERIES {
        store.put_bars(&series(n), bars).await.unwrap();
    }
}

fn bench_bars(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let bars = bars();
    let mut group = c.benchmark_group("bars");
    group.sample_size(10).throughput(Throughput::Elements(N_SERIES as u64 * BARS_PER_SERIES));
    group.bench_function("first import", |b| {
        b.iter_custom(|n| {
            (0..n)
                .map(|_| {
                    runtime.block_on(async {
                        let (_folder, store) = open().await;
                        let start = Instant::now();
                        import(&store, &bars).await;
                        let elapsed = start.elapsed();
                        store.close().await;
                        elapsed
                    })
                })
                .sum()
        });
    });
    let (_folder, store) = runtime.block_on(open());
    runtime.block_on(import(&store, &bars));
    group.bench_function("import again", |b| b.iter(|| runtime.block_on(import(&store, &bars))));
    let key = series(3);
    for last in [400, 10_000] {
        group.throughput(Throughput::Elements(u64::from(last)));
        let query = BarQuery { key: &key, as_of: hour(99_999), from: None, to: None, last: Some(last) };
        group.bench_with_input(BenchmarkId::new("read last", last), &query, |b, query| {
            b.iter(|| black_box(runtime.block_on(store.bars(query)).unwrap()));
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

/// Bodies of the size the engine writes: about 3 kB a forecast, 700 bytes an outcome.
fn body(kind: &str, n: u64, size: usize) -> Box<str> {
    format!("{{\"kind\":\"{kind}\",\"n\":{n},\"quantiles\":\"{}\"}}", "0.0123456789,".repeat(size / 13)).into()
}

fn forecasts() -> Vec<Draft> {
    let forecast = |n: u64| {
        let (round, asset) = (n / 20, n % 20);
        let symbol = format!("S{asset}").parse().unwrap();
        let targets = (1..=N_HORIZONS).map(|h| (h, hour(round + u64::from(h)))).collect();
        let index = Index::Forecast { symbol, timeframe: Timeframe::H1, as_of: hour(round), targets };
        Draft { recorded_at: hour(round), body: body("forecast", n, 3_000), index }
    };
    (0..N_FORECASTS).map(forecast).collect()
}

fn outcomes() -> Vec<Draft> {
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
    let last = hour(N_FORECASTS);
    let outcome = |n: u64| {
        let (forecast_seq, horizon) = (n / u64::from(N_HORIZONS), 1 + (n % u64::from(N_HORIZONS)) as u32);
        let index = Index::Outcome { forecast_seq, horizon, price: 101.0, score };
        Draft { recorded_at: last, body: body("outcome", n, 700), index }
    };
    (0..N_FORECASTS * u64::from(N_HORIZONS)).map(outcome).collect()
}

async fn append(store: &SqliteStore, chain: &ChainId, drafts: &[Draft]) -> Duration {
    let start = Instant::now();
    for batch in drafts.chunks(BATCH) {
        black_box(store.append(chain, batch).await.unwrap());
    }
    start.elapsed()
}

fn bench_ledger(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let chain = ChainId::new(Origin::Replay, Some("bench")).unwrap();
    let (forecasts, outcomes) = (forecasts(), outcomes());
    let mut group = c.benchmark_group("ledger");
    group.sample_size(10);
    for (name, resolve) in [("append forecasts", false), ("append outcomes", true)] {
        group.throughput(Throughput::Elements(if resolve { outcomes.len() } else { forecasts.len() } as u64));
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                (0..n)
                    .map(|_| {
                        runtime.block_on(async {
                            let (_folder, store) = open().await;
                            let mut elapsed = append(&store, &chain, &forecasts).await;
                            if resolve {
                                elapsed = append(&store, &chain, &outcomes).await;
                            }
                            store.close().await;
                            elapsed
                        })
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_bars, bench_ledger);
criterion_main!(benches);
