//! What the bars are like.

use jiff::SignedDuration;
use market::{ActionKind, AssetKind, Bar, Calendar, Timeframe};

use super::{bars, days, of_kind, place, sample};

const TRADED: [AssetKind; 5] =
    [AssetKind::Coin, AssetKind::Stable, AssetKind::Equity, AssetKind::Etf, AssetKind::Index];

#[test]
fn every_bar_is_one_that_can_be_and_lies_on_the_calendar() {
    let (market, steps) = sample();
    let mut n = 0;
    for step in steps {
        for given in &step.bars {
            let bar = given.bar.checked().unwrap();
            let calendar = Calendar::of(market.assets()[given.asset].class());
            let span = calendar.bar_opening_at(given.timeframe, bar.open_time).unwrap();
            assert_eq!((span.open_time, span.close_time), (bar.open_time, bar.close_time));
            n += 1;
        }
    }
    assert!(n > 60_000, "{n}");
}

#[test]
fn no_bar_of_the_calendar_is_absent() {
    let (market, steps) = sample();
    let end = market.live_start() + days(31);
    for asset in of_kind(market, &TRADED) {
        let calendar = Calendar::of(market.assets()[asset].class());
        for (timeframe, begun) in [(Timeframe::H1, 220), (Timeframe::D1, 840)] {
            let bars = bars(steps, asset, timeframe);
            if timeframe == Timeframe::H1 && market.assets()[asset].kind == AssetKind::Index {
                assert_eq!(bars.len(), 0);
                continue;
            }
            assert!(bars[0].open_time <= market.live_start() - days(begun - 5));
            let expected = calendar.count_bars(timeframe, bars[0].open_time, end);
            assert_eq!(bars.len(), expected, "{} {timeframe}", market.assets()[asset].symbol);
        }
    }
}

#[test]
fn a_day_is_the_sum_of_its_hours() {
    let (market, steps) = sample();
    for asset in of_kind(market, &[AssetKind::Coin, AssetKind::Stable, AssetKind::Equity]) {
        let hours = bars(steps, asset, Timeframe::H1);
        let daily = bars(steps, asset, Timeframe::D1);
        let mut n = 0;
        for day in daily.iter().filter(|day| day.open_time >= hours[0].open_time) {
            let of_day: Vec<&Bar> =
                hours.iter().filter(|h| h.open_time >= day.open_time && h.close_time <= day.close_time).collect();
            let high = of_day.iter().map(|h| h.high).fold(f64::MIN, f64::max);
            let low = of_day.iter().map(|h| h.low).fold(f64::MAX, f64::min);
            let volume: f64 = of_day.iter().map(|h| h.volume).sum();
            let sum = (of_day[0].open, high, low, of_day[of_day.len() - 1].close, volume);
            assert_eq!(sum, (day.open, day.high, day.low, day.close, day.volume));
            n += 1;
        }
        assert!(n > 150, "{n}");
    }
}

#[test]
fn prices_stand_at_their_levels_when_the_live_feed_begins() {
    let (market, steps) = sample();
    for (symbol, level) in [("BTC", 64_000.0), ("DOGE", 0.145), ("NVDA", 1_180.0), ("JPM", 198.0)] {
        let bars = bars(steps, place(market, symbol), Timeframe::H1);
        let last = bars.iter().rfind(|bar| bar.close_time <= market.live_start()).unwrap();
        assert!((last.close / level - 1.0).abs() < 1e-3, "{symbol}: {}", last.close);
    }
}

fn log_returns(bars: &[Bar]) -> Vec<f64> {
    bars.windows(2).map(|pair| (pair[1].close / pair[0].close).ln()).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let product = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| {
        x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / n
    };
    product(a, mean_a, b, mean_b) / (product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b)).sqrt()
}

/// The first six returns of a split are as large as the split; leave such days out.
fn ordinary(returns: &[f64]) -> Vec<f64> {
    returns.iter().map(|r| if r.abs() > 0.6 { 0.0 } else { *r }).collect()
}

#[test]
fn volatility_clusters_and_returns_do_not() {
    let (market, steps) = sample();
    for kind in [AssetKind::Coin, AssetKind::Equity] {
        let assets = of_kind(market, &[kind]);
        let (mut sizes_repeat, mut returns_repeat) = (0.0, 0.0);
        for &asset in &assets {
            let returns = ordinary(&log_returns(&bars(steps, asset, Timeframe::D1)));
            let sizes: Vec<f64> = returns.iter().map(|r| r.abs()).collect();
            let lagged = |series: &[f64], lag: usize| correlation(&series[lag..], &series[..series.len() - lag]);
            sizes_repeat += (1..=5).map(|lag| lagged(&sizes, lag)).sum::<f64>() / 5.0 / assets.len() as f64;
            returns_repeat += lagged(&returns, 1) / assets.len() as f64;
        }
        assert!(sizes_repeat > 0.08, "{kind}: sizes {sizes_repeat}");
        assert!(returns_repeat.abs() < 0.12, "{kind}: returns {returns_repeat}");
    }
}

#[test]
fn assets_of_a_class_move_together() {
    let (market, steps) = sample();
    for (a, b, least) in [("BTC", "ETH", 0.3), ("ADA", "SOL", 0.3), ("MSFT", "JPM", 0.2), ("AAPL", "META", 0.2)] {
        let of = |symbol| ordinary(&log_returns(&bars(steps, place(market, symbol), Timeframe::D1)));
        let found = correlation(&of(a), &of(b));
        assert!((least..0.9).contains(&found), "{a} {b}: {found}");
    }
}

#[test]
fn volatilities_are_near_those_asked_for() {
    let (market, steps) = sample();
    for (symbol, annual, days_a_year) in [("BTC", 0.55, 365.25), ("DOGE", 0.95, 365.25), ("MSFT", 0.25, 252.0)] {
        let returns = ordinary(&log_returns(&bars(steps, place(market, symbol), Timeframe::D1)));
        let found = (returns.iter().map(|r| r * r).sum::<f64>() / returns.len() as f64 * days_a_year).sqrt();
        assert!((0.6..1.6).contains(&(found / annual)), "{symbol}: {found}");
    }
}

#[test]
fn weekends_are_calmer_for_coins_and_volume_follows_volatility() {
    let (market, steps) = sample();
    let hours = bars(steps, place(market, "BTC"), Timeframe::H1);
    let square = |weekend: bool| {
        let of = hours.windows(2).filter(|pair| {
            let date = Calendar::Continuous.trading_date(pair[1].open_time);
            (date.weekday().to_monday_zero_offset() >= 5) == weekend
        });
        let squares: Vec<f64> = of.map(|pair| (pair[1].close / pair[0].close).ln().powi(2)).collect();
        squares.iter().sum::<f64>() / squares.len() as f64
    };
    assert!(square(true) < 0.8 * square(false));
    let ranges: Vec<f64> = hours.iter().map(|bar| (bar.high / bar.low).ln()).collect();
    let volumes: Vec<f64> = hours.iter().map(|bar| bar.volume.ln()).collect();
    assert!(correlation(&ranges, &volumes) > 0.3);
}

#[test]
fn stablecoins_hover_and_are_not_pinned() {
    let (market, steps) = sample();
    for symbol in ["USDT", "USDC"] {
        let hours = bars(steps, place(market, symbol), Timeframe::H1);
        assert!(hours.iter().all(|bar| (0.97..1.03).contains(&bar.close)));
        let moving = hours.iter().filter(|bar| bar.high > bar.low).count();
        assert!(moving * 10 > hours.len() * 9, "{symbol}: {moving} of {}", hours.len());
        let off = hours.iter().map(|bar| (bar.close - 1.0).abs()).sum::<f64>() / hours.len() as f64;
        assert!((0.000_05..0.002).contains(&off), "{symbol}: {off}");
    }
}

#[test]
fn nights_bring_gaps() {
    let (market, steps) = sample();
    let daily = bars(steps, place(market, "MSFT"), Timeframe::D1);
    let gaps = daily.windows(2).filter(|pair| (pair[1].open / pair[0].close - 1.0).abs() > 0.001).count();
    assert!(gaps * 2 > daily.len(), "{gaps} of {}", daily.len());
}

#[test]
fn a_split_comes_in_the_first_live_month_and_raw_prices_show_it() {
    let (market, steps) = sample();
    let asset = place(market, "NVDA");
    let splits: Vec<_> = steps
        .iter()
        .filter(|step| step.at > market.live_start())
        .flat_map(|step| &step.actions)
        .filter(|(_, action)| matches!(action.kind, ActionKind::Split { .. }))
        .collect();
    let [(found, action)] = splits.as_slice() else { panic!("one split: {splits:?}") };
    assert_eq!((*found, &action.kind), (asset, &ActionKind::Split { numerator: 10.0, denominator: 1.0 }));
    let hours = bars(steps, asset, Timeframe::H1);
    let first = hours.iter().position(|bar| bar.open_time == action.known_at).unwrap();
    let ratio = hours[first - 1].close / hours[first].open;
    assert!((8.5..11.8).contains(&ratio), "{ratio}");
    let mean_volume = |bars: &[Bar]| bars.iter().map(|bar| bar.volume).sum::<f64>() / bars.len() as f64;
    let grown = mean_volume(&hours[first..first + 35]) / mean_volume(&hours[first - 35..first]);
    assert!((4.0..25.0).contains(&grown), "shares traded grow with their number: {grown}");
}

#[test]
fn past_splits_and_dividends_stand_in_the_history() {
    let (market, steps) = sample();
    for (symbol, least_splits, least_dividends) in [("AAPL", 1, 7), ("TSLA", 1, 0), ("JPM", 0, 7), ("BRK-B", 0, 0)] {
        let asset = place(market, symbol);
        let actions: Vec<_> = steps.iter().flat_map(|step| &step.actions).filter(|(of, _)| *of == asset).collect();
        let daily = bars(steps, asset, Timeframe::D1);
        let (mut splits, mut dividends) = (0, 0);
        for (_, action) in actions {
            let day = daily.iter().position(|bar| bar.open_time == action.known_at).unwrap();
            assert_eq!(Calendar::Nyse.trading_date(daily[day].open_time), action.ex_date);
            match action.kind {
                ActionKind::Split { numerator, denominator } => {
                    let ratio = daily[day - 1].close / daily[day].open;
                    assert!((ratio / (numerator / denominator) - 1.0).abs() < 0.3, "{symbol}: {ratio}");
                    splits += 1;
                }
                ActionKind::Dividend { amount } => {
                    assert!(day == 0 || (amount / daily[day - 1].close) < 0.01, "{symbol}: {amount}");
                    dividends += 1;
                }
                ActionKind::Delisting | ActionKind::Rename { .. } => panic!("not simulated"),
            }
        }
        assert_eq!((splits, dividends >= least_dividends), (least_splits, true), "{symbol}: {dividends}");
    }
}

#[test]
fn the_volatility_index_rises_when_stocks_fall() {
    let (market, steps) = sample();
    let index = bars(steps, place(market, "VIX"), Timeframe::D1);
    assert!(index.iter().all(|bar| (5.0..120.0).contains(&bar.close)));
    let stocks: Vec<Vec<f64>> = ["MSFT", "AAPL", "JPM", "BRK-B", "GOOGL"]
        .iter()
        .map(|symbol| ordinary(&log_returns(&bars(steps, place(market, symbol), Timeframe::D1))))
        .collect();
    let mean: Vec<f64> = (0..stocks[0].len()).map(|day| stocks.iter().map(|s| s[day]).sum::<f64>() / 5.0).collect();
    let found = correlation(&log_returns(&index), &mean);
    assert!(found < -0.25, "{found}");
}

#[test]
fn quotes_lead_from_open_to_close_and_stay_within_the_bar() {
    let (market, _) = sample();
    let mut feed = market.feed_after(market.live_start());
    let now = market.live_start();
    feed.advance(now);
    let assets = of_kind(market, &TRADED);
    let mut paths: Vec<Vec<(jiff::Timestamp, f64)>> = vec![Vec::new(); market.assets().len()];
    let mut seen = 0;
    for minute in 0..3 * 24 * 60 {
        let now = now + SignedDuration::from_mins(minute);
        for step in feed.advance(now) {
            for given in step.bars.iter().filter(|b| b.timeframe == Timeframe::H1 && b.bar.known_at == b.bar.close_time)
            {
                let bar = given.bar;
                let within = |time: jiff::Timestamp| time >= bar.open_time && time < bar.close_time;
                let of_bar: Vec<_> = paths[given.asset].iter().filter(|(time, _)| within(*time)).collect();
                let quotes: Vec<f64> = of_bar.iter().map(|quote| quote.1).collect();
                let at_open = of_bar.first().filter(|(time, _)| *time == bar.open_time);
                assert!(quotes.iter().all(|price| (bar.low..=bar.high).contains(price)), "{bar:?} {quotes:?}");
                assert!(at_open.is_none_or(|(_, first)| *first == bar.open), "{bar:?} {quotes:?}");
                let moved = quotes.iter().any(|price| *price != bar.open);
                assert!(quotes.len() < 30 || moved || bar.high == bar.low, "{bar:?}");
                let last = feed.price_at(given.asset, bar.close_time).unwrap();
                let just_before = feed.price_at(given.asset, bar.close_time - SignedDuration::from_micros(1)).unwrap();
                assert!((just_before.price / bar.close - 1.0).abs() < 1e-6, "{bar:?} {just_before:?}");
                assert!(last.price == bar.close || last.time == bar.close_time, "{bar:?} {last:?}");
                assert!((just_before.volume / bar.volume - 1.0).abs() < 1e-6 || bar.volume == 0.0);
                paths[given.asset].clear();
                seen += 1;
            }
        }
        for &asset in &assets {
            let quote = feed.price_at(asset, now).unwrap();
            assert!(quote.time <= now);
            paths[asset].push((quote.time, quote.price));
        }
    }
    assert!(seen > 800, "{seen}");
}
