use jiff::SignedDuration;

use super::*;

/// A panel of `n` days of two coins whose prices follow a fixed pattern.
fn coins(n: i64) -> Panel {
    let mut panel = Panel::new(AssetClass::Crypto, Timeframe::D1).unwrap();
    for symbol in ["BTC", "ETH"] {
        panel.add_asset(symbol.parse().unwrap(), AssetKind::Coin).unwrap();
    }
    for at in 0..n {
        let open_time = "2023-01-02T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * at);
        let close_time = open_time + SignedDuration::from_hours(24);
        let bars = [0, 1].map(|asset| {
            let (open, close): (f64, f64) = (100.0, 100.0 * (0.01 * ((at * (asset + 2)) % 7 - 3) as f64).exp());
            let (high, low) = (open.max(close) * 1.02, open.min(close) * 0.99);
            Bar { open_time, close_time, open, high, low, close, volume: 10.0, adj_close: None, known_at: close_time }
        });
        let step = [0, 1].map(|asset| PanelBar { asset, bar: &bars[asset], split_ratio: 1.0 });
        panel.push_step(close_time, &step).unwrap();
    }
    panel
}

fn value(panel: &Panel, asset: usize, row: usize, horizon: u32, name: &str) -> f64 {
    let kind = panel.kind(asset);
    let set = FeatureSet::of(panel.class(), panel.base(), kind).unwrap();
    let names = feature_names(panel.class(), panel.base(), kind).unwrap();
    let mut values = vec![0.0; set.n_all()];
    let view = RowView::new(panel, asset, row);
    let (row_block, ahead) = values.split_at_mut(set.n_row);
    FeatureSet::row_block(&view, row_block);
    FeatureSet::ahead_block(&view, horizon, ahead);
    values[names.iter().position(|n| n == name).unwrap_or_else(|| panic!("no feature {name}"))]
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn features_are_those_computed_by_hand() {
    let panel = coins(40);
    let (row, series) = (30, &panel.series[1]);
    let ln_ewma = series.ewma_variance[row].ln();
    let mean = |column: &[f64], n: usize| column[row + 1 - n..=row].iter().sum::<f64>() / n as f64;
    let of = |name| value(&panel, 1, row, 5, name);
    near(of("har_ln_variance_5"), mean(&series.ln_variance, 5));
    // A window longer than the history takes what there is.
    near(of("har_ln_variance_250"), mean(&series.ln_variance, 31));
    near(of("ln_variance_rel_21"), mean(&series.ln_variance, 21) - ln_ewma);
    let both = |at: usize| (panel.series[0].ln_variance[at] + panel.series[1].ln_variance[at]) / 2.0;
    near(of("har_class_ln_variance_5"), (26..=30).map(both).sum::<f64>() / 5.0);
    near(of("return_5"), (series.log_price[30] - series.log_price[25]) / (5.0 * series.ewma_variance[row]).sqrt());
    let top = series.log_price[..=row].iter().copied().fold(f64::MIN, f64::max);
    near(of("drawdown"), series.log_price[row] - top);
    let returns = &series.ret[26..=30];
    let falls: f64 = returns.iter().filter(|r| **r < 0.0).map(|r| r * r).sum();
    near(of("share_of_falls_5"), falls / returns.iter().map(|r| r * r).sum::<f64>());
    near(of("leader_ln_variance_rel_1"), panel.series[0].ln_variance[row] - ln_ewma);
    near(of("own_to_class_1"), series.ln_variance[row] - both(row));
    near(of("class_spread"), (series.ln_variance[row] - panel.series[0].ln_variance[row]).abs() / 2.0);
    // Row 30 is the Wednesday 2023-02-01; Thursday to Monday hold a weekend.
    near(of("weekend_days"), 2.0);
    near(of("next_weekday"), 3.0);
    near(of("next_weekday_is_3"), 1.0);
    near(of("next_weekday_is_4"), 0.0);
    near(of("month"), 2.0);
    // No hours were pushed, and all volumes are alike.
    assert!(of("hours_realized_rel_1").is_nan());
    assert!(of("volume_z").is_nan());
}

#[test]
fn earnings_features_look_a_quarter_back_from_the_bars_ahead() {
    let mut panel = Panel::new(AssetClass::Stocks, Timeframe::D1).unwrap();
    let asset = panel.add_asset("A".parse().unwrap(), AssetKind::Equity).unwrap();
    let from = "2018-01-01T00:00:00Z".parse().unwrap();
    let through = "2018-12-31T00:00:00Z".parse().unwrap();
    for (at, span) in ::market::Calendar::Nyse.bars_closing_in(Timeframe::D1, from, through).enumerate() {
        // One wild day, at row 100.
        let high = if at == 100 { 150.0 } else { 101.0 + (at % 3) as f64 };
        let (open_time, close_time) = (span.open_time, span.close_time);
        let bar = Bar {
            open_time,
            close_time,
            open: 100.0,
            high,
            low: 99.0,
            close: 100.0,
            volume: 1.0 + (at % 5) as f64,
            adj_close: None,
            known_at: close_time,
        };
        panel.push_step(close_time, &[PanelBar { asset, bar: &bar, split_ratio: 1.0 }]).unwrap();
    }
    let wild = panel.series[asset].abnormal[100];
    let of = |row, name| value(&panel, asset, row, 1, name);
    // 63 ± 3 bars before row + 1.
    for (row, seen) in [(158, false), (159, true), (162, true), (165, true), (166, false)] {
        assert_eq!(of(row, "abnormal_peak_quarters_ago_1") == wild, seen, "row {row}");
    }
    assert_eq!(of(225, "abnormal_peak_quarters_ago_2"), wild);
    assert_eq!(of(150, "bars_since_unusual"), 50.0);
    assert!(of(50, "abnormal_peak_quarters_ago_1").is_nan());
}

#[test]
fn promise_2_a_row_keeps_its_features_when_time_goes_on() {
    let long = coins(60);
    for row in [0, 1, 20, 39] {
        let short = coins(row + 1);
        let set = FeatureSet::of(AssetClass::Crypto, Timeframe::D1, AssetKind::Coin).unwrap();
        for asset in [0, 1] {
            let bits = |panel: &Panel| {
                let mut values = vec![0.0; set.n_all()];
                let (block, ahead) = values.split_at_mut(set.n_row);
                let view = RowView::new(panel, asset, row as usize);
                FeatureSet::row_block(&view, block);
                FeatureSet::ahead_block(&view, 21, ahead);
                values.into_iter().map(f64::to_bits).collect::<Vec<_>>()
            };
            assert_eq!(bits(&long), bits(&short), "row {row}");
        }
    }
}

#[test]
fn names_are_unique_and_as_many_as_values() {
    use ::market::AssetClass::{Crypto, Stocks};
    let kinds = [(Stocks, AssetKind::Equity), (Stocks, AssetKind::Etf), (Crypto, AssetKind::Coin)];
    for (class, kind) in kinds {
        for base in [Timeframe::D1, Timeframe::H1] {
            let mut names = feature_names(class, base, kind).unwrap();
            let set = FeatureSet::of(class, base, kind).unwrap();
            assert_eq!(names.len(), set.n_all());
            assert!(set.n_har < set.n_base && set.n_base < set.n_row && set.n_all() < MAX_FEATURES);
            names.sort();
            let n = names.len();
            names.dedup();
            assert_eq!(names.len(), n, "{class} {base} {kind}");
        }
    }
}
