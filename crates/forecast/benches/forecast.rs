//! What a bar, a forecast, a fit and a walk forward cost. Generated markets, seeded.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use forecast::{BacktestSpec, FitParams, ModelName, ModelSet, Panel, backtest, naive};
use market::{AssetClass, AssetKind, Timeframe};

#[path = "../tests/it/generated.rs"]
mod generated;
use generated::Market;

/// The horizons of a daily entry.
const DAILY: [u32; 8] = [1, 2, 3, 4, 5, 6, 7, 21];

fn equities(n_assets: usize, n_steps: usize) -> Market {
    Market::new(AssetClass::Stocks, Timeframe::D1, &vec![AssetKind::Equity; n_assets], n_steps, 1)
}

fn linear() -> FitParams {
    FitParams { models: vec![ModelName::Har, ModelName::Ridge], ..FitParams::default() }
}

fn served() -> FitParams {
    FitParams { models: vec![ModelName::Ensemble], max_rows: 10_000, ..FitParams::default() }
}

fn panel(criterion: &mut Criterion) {
    let market = equities(25, 1000);
    let mut group = criterion.benchmark_group("panel");
    group.throughput(Throughput::Elements(25_000));
    group.sample_size(10);
    group.bench_function("push 25 x 1000 bars", |bencher| bencher.iter(|| black_box(market.panel().n_steps())));
    group.finish();
    let panel = market.panel();
    criterion.bench_function("panel/data hash of 25 series", |bencher| bencher.iter(|| black_box(panel.data_hash())));
}

fn one_forecast(criterion: &mut Criterion) {
    let market = equities(25, 1500);
    let panel = market.panel();
    let set = ModelSet::fit(&panel, &served()).expect("enough history");
    let row = panel.n_rows(3) - 1;
    let mut group = criterion.benchmark_group("one forecast");
    group.bench_function("naive, 8 horizons", |bencher| {
        bencher.iter(|| black_box(naive(&panel, 3, row, &DAILY, 250).expect("enough history")));
    });
    for model in [ModelName::Ridge, ModelName::Ensemble] {
        group.bench_function(format!("{model}, 8 horizons"), |bencher| {
            bencher.iter(|| black_box(set.predict(&panel, 3, row, model, &DAILY).expect("fitted")));
        });
    }
    let artefact = set.to_artefact().expect("boosters are written");
    group.bench_function("read the models back", |bencher| {
        bencher.iter(|| black_box(ModelSet::from_artefact(&artefact.manifest, &artefact.bytes).expect("sound")));
    });
    group.finish();
}

fn hours(criterion: &mut Criterion) {
    let panel = Market::new(AssetClass::Crypto, Timeframe::H1, &[AssetKind::Coin; 4], 6000, 2).panel();
    let set = ModelSet::fit(&panel, &FitParams { max_rows: 5000, ..FitParams::default() }).expect("enough history");
    let row = panel.n_rows(2) - 1;
    let mut group = criterion.benchmark_group("one forecast");
    group.bench_function("of hours, all models, 3 horizons", |bencher| {
        bencher.iter(|| {
            black_box(set.predict_all(&panel, 2, row, &ModelName::ALL, &[1, 4, 24]).expect("fitted"));
        });
    });
    group.bench_function("of hours, ensemble, 13 horizons", |bencher| {
        let horizons = Timeframe::H1.horizons();
        bencher.iter(|| black_box(set.predict(&panel, 2, row, ModelName::Ensemble, horizons).expect("fitted")));
    });
    group.finish();
}

fn training(criterion: &mut Criterion) {
    let panel = equities(25, 1500).panel();
    let mut group = criterion.benchmark_group("training");
    group.sample_size(10);
    group.bench_function("har and ridge, 25 x 1500", |bencher| {
        bencher.iter(|| black_box(ModelSet::fit(&panel, &linear()).expect("enough history")));
    });
    group.bench_function("ensemble, 25 x 1500, 10000 rows", |bencher| {
        bencher.iter(|| black_box(ModelSet::fit(&panel, &served()).expect("enough history")));
    });
    group.finish();
}

fn walk_forward(criterion: &mut Criterion) {
    let panel = equities(25, 1500).panel();
    let spec = |panel: &Panel| BacktestSpec {
        models: vec![ModelName::Naive, ModelName::Har, ModelName::Ridge],
        ..BacktestSpec::new(vec![1, 5, 21], panel.close_time(0, 1000), panel.close_time(0, 1250))
    };
    let mut group = criterion.benchmark_group("backtest");
    group.sample_size(10);
    group.throughput(Throughput::Elements(25 * 251 * 3 * 3));
    group.bench_function("a year of 25, three models, three horizons", |bencher| {
        bencher.iter(|| black_box(backtest(&panel, &spec(&panel), &mut |_| ()).expect("enough history")));
    });
    group.finish();
}

criterion_group!(benches, panel, one_forecast, hours, training, walk_forward);
criterion_main!(benches);
