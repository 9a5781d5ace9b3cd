//! Leaks planted in the columns of a panel, each of which the gate must find.

use jiff::{SignedDuration, Timestamp};
use market::{AssetClass, AssetKind, Bar, Calendar, Timeframe};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::model_set::FitParams;
use crate::panel::PanelBar;

const STEPS: usize = 450;

/// Three assets over [`STEPS`] days, with the volatility index of stocks, or the hours of the first coin.
fn generated(class: AssetClass, kind: AssetKind) -> Panel {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut bar = move |open_time: Timestamp, close_time: Timestamp, open: f64| {
        let mut draw = || random.random::<f64>();
        let close = open * (1.0 + 0.04 * (draw() - 0.5));
        let (high, low) = (open.max(close) * (1.0 + 0.01 * draw()), open.min(close) * (1.0 - 0.01 * draw()));
        Bar { open_time, close_time, open, high, low, close, volume: draw(), adj_close: None, known_at: close_time }
    };
    let mut panel = Panel::new(class, Timeframe::D1).unwrap();
    for name in ["AAA", "BBB", "CCC"] {
        panel.add_asset(name.parse().unwrap(), kind).unwrap();
    }
    let mut last = [100.0; 3];
    let [start, end] = ["2015-01-01T00:00:00Z", "2060-01-01T00:00:00Z"].map(|text| text.parse().unwrap());
    for span in Calendar::of(class).bars_closing_in(Timeframe::D1, start, end).take(STEPS) {
        if class == AssetClass::Crypto {
            for n in 0..24 {
                let hour = SignedDuration::from_hours(1);
                panel.push_hour(0, &bar(span.open_time + hour * n, span.open_time + hour * (n + 1), 100.0)).unwrap();
            }
        }
        let bars = last.map(|open| bar(span.open_time, span.close_time, open));
        last = bars.map(|bar| bar.close);
        let step: Vec<PanelBar<'_>> =
            bars.iter().enumerate().map(|(asset, bar)| PanelBar { asset, bar, split_ratio: 1.0 }).collect();
        panel.push_step(span.close_time, &step).unwrap();
        if class == AssetClass::Stocks {
            let index = bar(span.open_time, span.close_time, 20.0);
            let known_at = index.known_at + SignedDuration::from_mins(15);
            panel.push_volatility_index(&Bar { known_at, ..index }).unwrap();
        }
    }
    panel
}

/// Lets every row read the next one.
fn advance<T>(column: &mut [T]) {
    column.rotate_left(1);
}

/// Whether the gate finds what `plant` does to the panel it looks at and to those it is compared with.
fn check(panel: &Panel, models: &ModelSet, plant: fn(&mut Panel), found: bool) {
    let planted = |mut panel: Panel| {
        plant(&mut panel);
        panel
    };
    let as_of = panel.close_time(0, STEPS - 40);
    let gate = look(&planted(panel.clone()), models, as_of, 1, &|how| planted(panel.corrupted_after(as_of, how)));
    assert!(matches!(gate, Err(ForecastError::Leak { .. })) == found, "{gate:?}");
}

fn models(panel: &Panel) -> ModelSet {
    ModelSet::fit(panel, &FitParams { models: vec![ModelName::Har], ..FitParams::default() }).unwrap()
}

#[test]
fn the_gate_finds_a_feature_that_reads_the_next_row() {
    let panel = generated(AssetClass::Stocks, AssetKind::Equity);
    let models = models(&panel);
    let check = |plant, found| check(&panel, &models, plant, found);
    check(|_| {}, false);
    // The row before may be read.
    let before: fn(&mut Panel) = |panel| {
        for series in &mut panel.series {
            series.log_price.rotate_right(1);
            series.log_price[0] = series.log_price[1];
        }
    };
    check(before, false);
    // Prices.
    check(|panel| panel.series.iter_mut().for_each(|series| advance(&mut series.log_price)), true);
    // Volumes.
    check(|panel| panel.series.iter_mut().for_each(|series| advance(&mut series.volume_z)), true);
    // The split of the next day.
    let split: fn(&mut Panel) = |panel| {
        for series in &mut panel.series {
            for (row, next) in series.raw.iter().skip(1).enumerate() {
                series.ln_variance[row] += next.split_ratio.ln();
            }
        }
    };
    check(split, true);
    // The volatility index before it is published.
    let index: fn(&mut Panel) = |panel| {
        let all = u32::try_from(panel.volatility_index.bars.len()).unwrap();
        panel.index_known.fill(all);
    };
    check(index, true);
    // How many bars an asset will have.
    let bars: fn(&mut Panel) = |panel| {
        for series in &mut panel.series {
            let n = series.len() as f64;
            series.ln_variance.iter_mut().for_each(|value| *value += n);
        }
    };
    check(bars, true);
    // Which assets there will be.
    let listed: fn(&mut Panel) = |panel| {
        let n = panel.series.len() as f64;
        panel.pools.iter_mut().for_each(|pool| pool.ln_variance.iter_mut().for_each(|value| *value += n));
    };
    check(listed, true);
}

#[test]
fn the_gate_finds_a_feature_that_reads_the_next_days_hours() {
    let panel = generated(AssetClass::Crypto, AssetKind::Coin);
    let models = models(&panel);
    check(&panel, &models, |_| {}, false);
    check(&panel, &models, |panel| advance(&mut panel.series[0].hour_sums), true);
}
