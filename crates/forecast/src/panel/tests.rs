use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::*;

fn day(at: i64) -> Timestamp {
    "2023-01-02T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * at)
}

fn bar(at: i64, [open, high, low, close]: [f64; 4], volume: f64) -> Bar {
    let close_time = day(at + 1);
    Bar { open_time: day(at), close_time, open, high, low, close, volume, adj_close: None, known_at: close_time }
}

fn coins(symbols: &[&str]) -> Panel {
    let mut panel = Panel::new(AssetClass::Crypto, Timeframe::D1).unwrap();
    for symbol in symbols {
        panel.add_asset(symbol.parse().unwrap(), AssetKind::Coin).unwrap();
    }
    panel
}

fn push(panel: &mut Panel, bars: &[(usize, Bar, f64)]) -> Result<usize, ForecastError> {
    let step: Vec<_> =
        bars.iter().map(|(asset, bar, ratio)| PanelBar { asset: *asset, bar, split_ratio: *ratio }).collect();
    panel.push_step(bars[0].1.close_time, &step)
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{found} is not {expected}");
}

#[test]
fn columns_are_those_computed_by_hand() {
    let mut panel = coins(&["BTC"]);
    push(&mut panel, &[(0, bar(0, [100.0, 110.0, 95.0, 105.0], 10.0), 1.0)]).unwrap();
    push(&mut panel, &[(0, bar(1, [106.0, 120.0, 104.0, 118.0], 20.0), 1.0)]).unwrap();
    let series = &panel.series[0];
    let first = 0.5 * (110.0f64 / 95.0).ln().powi(2) - 0.386_294_361_119_890_6 * 1.05f64.ln().powi(2);
    near(series.variance[0], first);
    let overnight = (106.0f64 / 105.0).ln();
    let ret = (118.0f64 / 105.0).ln();
    let range = 0.5 * (120.0f64 / 104.0).ln().powi(2) - 0.386_294_361_119_890_6 * (118.0f64 / 106.0).ln().powi(2);
    near(series.ret[1], ret);
    near(series.overnight[1], overnight);
    near(series.variance[1], range + overnight * overnight);
    near(series.ewma_variance[1], 0.94 * first + 0.06 * ret * ret);
    near(series.ewma_return[1], ret / 3.0);
    near(series.trend[1], ret * (2.0 / 13.0 - 2.0 / 27.0));
    near(series.strength[1], 1.0);
    near(series.close_position[1], 14.0 / 16.0);
    // Of two values each lies one standard deviation from the mean.
    near(series.volume_z[1], 1.0);
    near(series.abnormal[1], series.variance[1].ln() - ((series.variance[0] + series.variance[1]) / 2.0).ln());
}

#[test]
fn a_flat_bar_has_the_floor_of_its_average_variance() {
    let mut panel = coins(&["BTC"]);
    push(&mut panel, &[(0, bar(0, [100.0, 110.0, 95.0, 100.0], 10.0), 1.0)]).unwrap();
    push(&mut panel, &[(0, bar(1, [100.0; 4], 0.0), 1.0)]).unwrap();
    let series = &panel.series[0];
    near(series.variance[1], 1e-3 * series.variance[0]);
    assert!(series.ln_volume[1].is_nan() && series.volume_z[1].is_nan());
    near(series.close_position[1], 0.5);
}

#[test]
fn a_split_changes_nothing_but_the_terms() {
    let days = [[100.0, 104.0, 98.0, 102.0], [102.0, 108.0, 101.0, 107.0], [107.0, 109.0, 105.0, 106.0]];
    let (mut plain, mut split) = (coins(&["BTC"]), coins(&["BTC"]));
    for (at, prices) in (0..).zip(days) {
        push(&mut plain, &[(0, bar(at, prices, 70.0), 1.0)]).unwrap();
        // Seven for one on the second day: prices fall, volume rises.
        let (factor, ratio) = (if at >= 1 { 7.0 } else { 1.0 }, if at == 1 { 1.0 / 7.0 } else { 1.0 });
        push(&mut split, &[(0, bar(at, prices.map(|p| p / factor), 70.0 * factor), ratio)]).unwrap();
    }
    let (a, b) = (&plain.series[0], &split.series[0]);
    for row in 0..days.len() {
        near(a.log_price[row], b.log_price[row]);
        near(a.variance[row], b.variance[row]);
        near(a.ln_volume[row], b.ln_volume[row]);
    }
    near(split.log_return(0, 0, 2), (106.0f64 / 102.0).ln());
    assert_ne!(plain.data_hash(), split.data_hash());
}

#[test]
fn pools_hold_means_medians_and_the_leader() {
    let mut panel = coins(&["ETH", "BTC", "XRP"]);
    push(&mut panel, &[(0, bar(0, [10.0, 11.0, 9.0, 10.0], 1.0), 1.0), (2, bar(0, [1.0, 1.2, 0.9, 1.0], 1.0), 1.0)])
        .unwrap();
    let closes = [11.0, 110.0, 0.9];
    let step: Vec<_> = [(2, 1.0), (0, 10.0), (1, 100.0)]
        .map(|(asset, open)| (asset, bar(1, [open, open * 1.3, open * 0.8, closes[asset]], 1.0), 1.0))
        .to_vec();
    push(&mut panel, &step).unwrap();
    let pool = &panel.pools[0];
    assert_eq!(pool.leader, Some(1));
    assert_eq!(pool.leader_row, [NO_ROW, 0]);
    let logs: Vec<f64> = (0..3).map(|a| *panel.series[a].ln_variance.last().unwrap()).collect();
    near(pool.ln_variance[1], logs.iter().sum::<f64>() / 3.0);
    // BTC's first bar has no return before it.
    near(pool.median_ret[1], 0.0);
    near(pool.ret[1], (1.1f64.ln() + 0.9f64.ln()) / 3.0);
}

#[test]
fn what_is_out_of_order_or_impossible_is_refused_whole() {
    let mut panel = coins(&["BTC", "ETH"]);
    let good = bar(1, [1.0, 2.0, 0.5, 1.0], 1.0);
    push(&mut panel, &[(0, good, 1.0)]).unwrap();
    let hash = panel.data_hash();
    let mut check = |bars: &[(usize, Bar, f64)], message: &str| {
        let error = push(&mut panel, bars).unwrap_err().to_string();
        assert!(error.contains(message), "{error:?} does not say {message:?}");
    };
    check(&[(0, good, 1.0)], "not after the one before");
    let next = bar(2, [1.0, 2.0, 0.5, 1.0], 1.0);
    check(&[(0, next, 1.0), (0, next, 1.0)], "comes twice");
    check(&[(7, next, 1.0)], "not listed");
    check(&[(0, next, 1.0), (1, Bar { high: 0.1, ..next }, 1.0)], "bad bar of ETH");
    check(&[(0, next, 0.0)], "split ratio");
    check(&[(0, next, 1.0), (1, bar(3, [1.0; 4], 1.0), 1.0)], "closes at");
    assert_eq!((panel.n_steps(), panel.n_rows(0), panel.n_rows(1)), (1, 1, 0));
    assert_eq!(panel.data_hash(), hash);
    assert!(panel.add_asset("BTC".parse().unwrap(), AssetKind::Coin).is_err());
    assert!(panel.add_asset("SPY".parse().unwrap(), AssetKind::Etf).is_err());
    assert!(panel.push_volatility_index(&next).is_err());
    assert!(Panel::new(AssetClass::Macro, Timeframe::D1).is_err());
    assert!(Panel::new(AssetClass::Crypto, Timeframe::M5).is_err());
}

#[test]
fn the_data_hash_is_sha_256_over_the_series_digests() {
    let mut panel = coins(&["BTC", "ETH"]);
    let first = bar(0, [100.0, 110.0, 95.0, 105.0], 10.0);
    let second = bar(1, [50.0, 55.0, 49.0, 52.0], 20.0);
    push(&mut panel, &[(0, first, 1.0)]).unwrap();
    let early = panel.data_hash();
    push(&mut panel, &[(0, second, 0.5)]).unwrap();
    let mut btc = Vec::new();
    for (bar, ratio) in [(first, 1.0), (second, 0.5)] {
        btc.extend(bar.close_time.as_microsecond().to_le_bytes());
        for column in [bar.open, bar.high, bar.low, bar.close, bar.volume, ratio] {
            btc.extend(f64::to_le_bytes(column));
        }
    }
    // ETH has no row yet, and could as well not be listed.
    assert_eq!(panel.data_hash(), Hash::of(&Sha256::digest(&btc)));
    assert_eq!(panel.data_hash_at(first.close_time), early);
    assert_eq!(panel.data_hash_at(second.close_time), panel.data_hash());
}

#[test]
fn a_day_has_sums_from_eighteen_hours_known_at_its_close() {
    let hour = |at: i64, close: f64, late: bool| {
        let open_time = day(0) + SignedDuration::from_hours(at);
        let close_time = open_time + SignedDuration::from_hours(1);
        let known_at = if late { day(3) } else { close_time };
        let open = 100.0;
        Bar { open_time, close_time, open, high: 102.0, low: 99.0, close, volume: 1.0, adj_close: None, known_at }
    };
    let check = |n: i64, late: i64, expected: bool| {
        let mut panel = coins(&["BTC"]);
        for at in 0..n {
            panel.push_hour(0, &hour(at, 101.0, at < late)).unwrap();
        }
        push(&mut panel, &[(0, bar(0, [100.0, 102.0, 99.0, 101.0], 1.0), 1.0)]).unwrap();
        let sums = panel.series[0].hour_sums[0];
        assert_eq!(!sums.ln_range.is_nan(), expected, "{n} hours of which {late} late");
        sums
    };
    check(17, 0, false);
    check(20, 3, false);
    let sums = check(18, 0, true);
    let first = 1.01f64.ln();
    let variance = 0.5 * (102.0f64 / 99.0).ln().powi(2) - 0.386_294_361_119_890_6 * first * first;
    near(sums.ln_range, (variance * 24.0).ln());
    near(sums.ln_last_six, (variance * 24.0).ln());
    // Each hour but the first starts from the close before, which is where it ends.
    near(sums.ln_realized, (first * first * 24.0 / 18.0).ln());
}

#[test]
fn promise_2_the_volatility_index_is_read_only_once_known() {
    let mut panel = Panel::new(AssetClass::Stocks, Timeframe::D1).unwrap();
    let asset = panel.add_asset("SPY".parse().unwrap(), AssetKind::Etf).unwrap();
    let late = Bar { known_at: day(2) + SignedDuration::from_mins(15), ..bar(1, [20.0, 21.0, 19.0, 20.0], 0.0) };
    panel.push_volatility_index(&bar(0, [10.0, 11.0, 9.0, 10.0], 0.0)).unwrap();
    panel.push_volatility_index(&late).unwrap();
    for at in 0..3 {
        push(&mut panel, &[(asset, bar(at, [1.0, 1.1, 0.9, 1.0], 1.0), 1.0)]).unwrap();
    }
    assert_eq!(panel.index_known, [1, 1, 2]);
    near(panel.volatility_index.ln_variance[0], (0.1f64 * 0.1 / 252.0).ln());
}
