//! How fast entries are appended to a real store, and how fast an export is read and audited on one core.

#![expect(clippy::unwrap_used, reason = "a bench that cannot set up has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::body;
use engine::ledger::{Expected, Lines, Verdict, verify, write_line};
use market::{AssetKind, ChainId, Timeframe};
use storage::{SqliteStore, Store};

#[path = "../src/ledger/tests/sample.rs"]
mod sample;

use sample::{Plan, Sample, SampleAsset};

/// Entries the engine writes in one transaction: an hour's forecasts and the outcomes that matured with them.
const BATCH_ENTRIES: usize = 100;

fn hourly_coins() -> Sample {
    let symbols = ["BTC", "ETH", "XRP", "BNB", "SOL", "DOGE", "ADA", "TRX"];
    let asset = |symbol: &str| SampleAsset {
        symbol: symbol.to_owned(),
        kind: AssetKind::Coin,
        timeframes: &[Timeframe::H1, Timeframe::H4, Timeframe::D1],
    };
    let plan = Plan { hours: 24 * 8, assets: symbols.map(asset).into(), ..Plan::small(ChainId::live()) };
    sample::sample(&plan)
}

fn audit(c: &mut Criterion) {
    let sample = hourly_coins();
    let mut export = Vec::new();
    for entry in &sample.entries {
        write_line(&mut export, entry);
    }
    let mut group = c.benchmark_group("ledger");
    group.sample_size(10).throughput(Throughput::Bytes(export.len() as u64));
    group.bench_function("verify", |b| {
        b.iter(|| {
            let verdict = verify(black_box(&*export), Expected::default()).unwrap();
            assert!(matches!(verdict, Verdict::Sound(_)), "{verdict:?}");
        });
    });
    group.bench_function("read_lines", |b| {
        b.iter(|| {
            let mut lines = Lines::new(black_box(&*export));
            while let Some(line) = lines.next_line().unwrap() {
                black_box(line.unwrap());
            }
        });
    });
    group.bench_function("write_lines", |b| {
        b.iter(|| {
            let mut out = Vec::with_capacity(export.len());
            sample.entries.iter().for_each(|entry| write_line(&mut out, entry));
            black_box(out);
        });
    });
    group.throughput(Throughput::Elements(sample.entries.len() as u64));
    group.bench_function("verify_entries", |b| {
        b.iter(|| verify(black_box(&*export), Expected::default()).unwrap());
    });
}

fn append(c: &mut Criterion) {
    let sample = hourly_coins();
    let drafts = &sample.drafts[..2000];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = runtime.block_on(SqliteStore::open(&dir.path().join("auspex.db"))).unwrap();
    let mut group = c.benchmark_group("ledger");
    group.sample_size(10).throughput(Throughput::Elements(drafts.len() as u64));
    let mut n_runs = 0;
    group.bench_function("append", |b| {
        b.iter(|| {
            n_runs += 1;
            let chain: ChainId = format!("replay/{n_runs}").parse().unwrap();
            for batch in drafts.chunks(BATCH_ENTRIES) {
                runtime.block_on(store.append(&chain, batch)).unwrap();
            }
        });
    });
}

criterion_group!(benches, audit, append);
criterion_main!(benches);
