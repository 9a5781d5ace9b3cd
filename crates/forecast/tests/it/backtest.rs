use forecast::score::crps;
use forecast::{BacktestRun, BacktestSpec, ModelName, Panel, backtest, naive};
use jiff::Timestamp;
use market::{AssetClass, AssetKind, Timeframe};

use crate::generated::Market;
use crate::model_set::coins;

fn spec(panel: &Panel, from: usize, to: usize, models: &[ModelName]) -> BacktestSpec {
    let closes = |row| panel.close_time(0, row);
    let spec = BacktestSpec::new(vec![1, 5], closes(from), closes(to));
    BacktestSpec { models: models.to_vec(), max_rows: 1200, ..spec }
}

fn run(panel: &Panel, spec: &BacktestSpec) -> BacktestRun {
    backtest(panel, spec, &mut |_| ()).expect("it can be run")
}

#[test]
fn har_beats_the_baseline_where_volatility_clusters() {
    let kinds = [AssetKind::Equity; 4];
    let panel = Market::new(AssetClass::Stocks, Timeframe::D1, &kinds, 1500, 5).panel();
    let run = run(&panel, &spec(&panel, 1000, 1499, &[ModelName::Naive, ModelName::Ewma, ModelName::Har]));
    let mean_loss = |model: ModelName, horizon: u32| {
        let series = run.series.iter().find(|s| s.model == model && s.horizon_bars == horizon).unwrap();
        let rows = &series.rows;
        assert!(rows.len() > 1900);
        let loss = |at: usize| {
            let (asset, from, to) =
                (rows.asset[at] as usize, rows.as_of_row[at] as usize, rows.target_row[at] as usize);
            crps(&rows.quantiles[at], panel.log_return(asset, from, to))
        };
        (0..rows.len()).map(loss).sum::<f64>() / rows.len() as f64
    };
    for horizon in [1, 5] {
        let skill = |model| 1.0 - mean_loss(model, horizon) / mean_loss(ModelName::Naive, horizon);
        let (ewma, har) = (skill(ModelName::Ewma), skill(ModelName::Har));
        assert!(har > 0.02 && har > ewma, "over {horizon} bars HAR's skill is {har:.4}, the EWMA's {ewma:.4}");
    }
}

#[test]
fn rows_lie_in_the_window_and_carry_their_prices() {
    let panel = coins();
    let spec = BacktestSpec {
        symbols: vec!["S2".parse().unwrap(), "BTC".parse().unwrap()],
        ..spec(panel, 1400, 1440, &[ModelName::Naive, ModelName::Ridge])
    };
    let mut seen = Vec::new();
    let run = backtest(panel, &spec, &mut |p| seen.push(p)).unwrap();
    // The window touches two or three months.
    assert_eq!(seen.len(), seen[0].total);
    assert!((2..=3).contains(&seen.len()) && seen[0].through == panel.close_time(0, 1399));
    assert_eq!(run.series.len(), 4);
    for series in &run.series {
        let rows = &series.rows;
        assert_eq!(rows.len(), 2 * 41);
        assert_eq!((rows.asset[0], rows.asset[41], rows.as_of_row[0], rows.as_of_row[40]), (0, 2, 1400, 1440));
        for at in 0..rows.len() {
            let (asset, row) = (rows.asset[at] as usize, rows.as_of_row[at] as usize);
            assert_eq!(rows.target_row[at], rows.as_of_row[at] + series.horizon_bars);
            assert_eq!(rows.current_price[at], panel.close(asset, row));
            if series.model == ModelName::Naive {
                let alone = naive(panel, asset, row, &[series.horizon_bars], 250).unwrap();
                assert_eq!(rows.quantiles[at], *alone[0].quantiles.values());
            }
        }
    }
}

#[test]
fn promise_2_a_backtest_does_not_see_past_its_rows() {
    let panel = coins();
    let spec = spec(panel, 1300, 1330, &[ModelName::Ridge, ModelName::Naive1000]);
    let cut = panel.corrupted_after(panel.close_time(0, 1335), forecast::Corruption::Cut);
    let nonsense = panel.corrupted_after(panel.close_time(0, 1335), forecast::Corruption::Nonsense { seed: 9 });
    let honest = run(panel, &spec);
    assert_eq!(honest, run(&cut, &spec));
    let corrupted = run(&nonsense, &spec);
    for (a, b) in honest.series.iter().zip(&corrupted.series) {
        assert_eq!((&a.rows.quantiles, &a.rows.prob_up), (&b.rows.quantiles, &b.rows.prob_up));
    }
}

/// Two equities, and four funds that began with the 400th step.
fn with_young_funds() -> Panel {
    let kinds = [[AssetKind::Equity; 2].as_slice(), &[AssetKind::Etf; 4]].concat();
    let mut market = Market::new(AssetClass::Stocks, Timeframe::D1, &kinds, 1000, 8);
    for (_, bars) in &mut market.steps[..400] {
        bars.retain(|(asset, _)| *asset < 2);
    }
    market.panel()
}

/// The close each forecast of the funds, or of the equities, is as of; by model, one bar ahead.
fn as_ofs(panel: &Panel, run: &BacktestRun, model: ModelName, funds: bool) -> Vec<Timestamp> {
    let series = run.series.iter().find(|s| s.model == model && s.horizon_bars == 1).expect("it was asked for");
    let rows = (0..series.rows.len()).map(|at| (series.rows.asset[at] as usize, series.rows.as_of_row[at] as usize));
    rows.filter(|(asset, _)| (*asset >= 2) == funds).map(|(asset, row)| panel.close_time(asset, row)).collect()
}

#[test]
fn a_kind_with_too_little_history_has_the_baseline_alone() {
    let panel = with_young_funds();
    let run = run(&panel, &spec(&panel, 600, 640, &[ModelName::Naive, ModelName::Har]));
    let n = |model, funds| as_ofs(&panel, &run, model, funds).len();
    assert_eq!((n(ModelName::Naive, false), n(ModelName::Har, false)), (2 * 41, 2 * 41));
    assert_eq!((n(ModelName::Naive, true), n(ModelName::Har, true)), (4 * 41, 0));
}

#[test]
fn a_kind_joins_the_walk_forward_at_the_refit_it_has_the_history_for() {
    let panel = with_young_funds();
    let whole = spec(&panel, 600, 990, &[ModelName::Har]);
    let run_whole = run(&panel, &whole);
    let joined = *as_ofs(&panel, &run_whole, ModelName::Har, true).iter().min().unwrap();
    // Four funds have five hundred rows after 250 to fill their windows and 125 more, and are trained with the next month.
    assert!(joined > panel.close_time(0, 400 + 250 + 125) && joined <= panel.close_time(0, 400 + 250 + 125 + 25));
    assert_eq!(as_ofs(&panel, &run_whole, ModelName::Har, false)[0], whole.from);
    // What they are then given is what a walk-forward that begins there gives them.
    let run_late = run(&panel, &BacktestSpec { from: joined, ..whole });
    let of_funds = |run: &BacktestRun| {
        let rows = &run.series[0].rows;
        let first = rows.asset.iter().position(|asset| *asset >= 2).unwrap();
        (rows.as_of_row[first..].to_vec(), rows.quantiles[first..].to_vec())
    };
    assert_eq!(of_funds(&run_whole), of_funds(&run_late));
}

#[test]
fn a_kind_that_joins_between_two_trainings_of_the_boosters_gets_its_own() {
    let panel = with_young_funds();
    let run = run(&panel, &spec(&panel, 880, 990, &[ModelName::Ensemble]));
    let joined = *as_ofs(&panel, &run, ModelName::Ensemble, true).iter().min().unwrap();
    // A thousand rows with an outcome, of which the longest boosted horizon's take 21 more.
    assert!(joined > panel.close_time(0, 400 + 250 + 250 + 21));
    assert!(as_ofs(&panel, &run, ModelName::Ensemble, true).len() > 4 * 20);
}

#[test]
fn what_cannot_be_run_is_said() {
    let panel = coins();
    let good = spec(panel, 1400, 1410, &[ModelName::Har]);
    let check = |spec: BacktestSpec, message: &str| {
        let error = backtest(panel, &spec, &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains(message), "{error:?} does not say {message:?}");
    };
    check(BacktestSpec { horizons: vec![], ..good.clone() }, "at least one bar");
    check(BacktestSpec { horizons: vec![0], ..good.clone() }, "at least one bar");
    check(BacktestSpec { refit_months: 0, ..good.clone() }, "at least a month");
    check(BacktestSpec { symbols: vec!["NOPE".parse().unwrap()], ..good.clone() }, "not in the panel");
    check(BacktestSpec { from: good.to, to: good.from, ..good.clone() }, "no bars between");
    check(spec(panel, 200, 300, &[ModelName::Har]), "to train on");
}
