use jiff::Timestamp;
use market::{Direction, Score, Symbol, Verdict};

use super::assert_near;
use crate::score::bootstrap::Counter;
use crate::score::*;

fn score(change: f64, direction: Direction, baseline: Direction) -> Score {
    let prob_up = match direction {
        Direction::Up => 0.62,
        Direction::Down => 0.37,
        Direction::Hold => 0.5,
    };
    Score {
        reference_price: 100.0,
        change,
        median: 0.0,
        low_80: -0.02,
        high_80: 0.03,
        prob_up,
        crps: 0.8,
        crps_baseline: 1.0,
        pinball: 0.4,
        brier: brier(prob_up, change),
        brier_baseline: brier(0.5, change),
        covered_80: (-0.02..=0.03).contains(&change),
        covered_95: (-0.05..=0.05).contains(&change),
        direction,
        hit: direction.hit(change),
        baseline_hit: baseline.hit(change),
    }
}

fn record(scores: &[Score], n_assets: usize, horizon: u32) -> TrackRecord {
    let symbols: Vec<Symbol> = (0..n_assets).map(|i| format!("S{i}").parse().unwrap()).collect();
    TrackRecord::of(&cases(scores, &symbols), horizon)
}

/// Scores dealt to the symbols in turn, a day for each round.
fn cases<'a>(scores: &'a [Score], symbols: &'a [Symbol]) -> Vec<ScoredCase<'a>> {
    let place = |(i, score)| ScoredCase {
        symbol: &symbols[i % symbols.len()],
        as_of: Timestamp::UNIX_EPOCH + std::time::Duration::from_secs(86_400 * (i / symbols.len()) as u64),
        score,
    };
    scores.iter().enumerate().map(place).collect()
}

/// Losses that scatter evenly within one half of `mean`, against a baseline that loses 1.
fn losses(n: usize, mean: f64) -> Vec<Score> {
    let mut generator = Counter::new(5);
    let mut scatter: Vec<f64> = (0..n).map(|_| (generator.next() >> 11) as f64 / (1_u64 << 53) as f64).collect();
    let middle = scatter.iter().sum::<f64>() / n.max(1) as f64;
    scatter.iter_mut().for_each(|value| *value += mean - middle);
    let one = score(0.01, Direction::Up, Direction::Up);
    scatter.into_iter().map(|crps| Score { crps, ..one }).collect()
}

#[test]
fn promise_5_accuracy_stands_beside_its_n_and_the_baselines() {
    let up = |change| score(change, Direction::Up, Direction::Down);
    let mut scores = vec![up(0.01); 24];
    scores.extend([up(-0.03); 8]);
    // Neither of these is a call that can be judged.
    scores.extend([up(0.0); 3]);
    scores.extend([score(0.06, Direction::Hold, Direction::Up); 5]);
    // The baseline holds where we call.
    scores.extend([score(-0.01, Direction::Down, Direction::Hold); 8]);
    let record = record(&scores, 1, 1);
    assert_eq!((record.n, record.n_assets, record.n_times, record.n_calls), (48, 1, 48, 40));
    let hit_rate = record.hit_rate.unwrap();
    assert_eq!((hit_rate.rate, hit_rate.n), (0.8, 40));
    assert_eq!(hit_rate, Rate::wilson(32, 40).unwrap());
    assert_eq!(record.always_up, Rate::wilson(24, 40), "on the same calls");
    assert_eq!(record.naive_hit_rate, Rate::wilson(8, 32), "on the same calls, where it made one");
    assert_near(record.hold_share.unwrap(), 5.0 / 48.0, "share of HOLD");
    let coverage = record.coverage_80.unwrap();
    assert_eq!((coverage.level, coverage.observed), (0.8, Rate::wilson(35, 48).unwrap()));
    assert_near(coverage.width.unwrap(), 0.05, "width");
    assert_eq!(record.coverage_95.unwrap().observed, Rate::wilson(43, 48).unwrap());
    assert_near(record.crps.unwrap(), 0.8, "crps");
    assert_near(record.crps_baseline.unwrap(), 1.0, "baseline's crps");
    assert_near(record.skill.unwrap(), 0.2, "skill");
    // 45 cases moved: 24 rises at .62, 8 falls at .62, 5 rises at .5, 8 falls at .37.
    let squares = 24.0 * 0.38_f64.powi(2) + 8.0 * 0.62_f64.powi(2) + 5.0 * 0.25 + 8.0 * 0.37_f64.powi(2);
    assert_near(record.brier.unwrap(), squares / 45.0, "brier");
    assert_near(record.brier_baseline.unwrap(), 0.25, "baseline's brier");
    let bins: Vec<_> = record.reliability.iter().map(|bin| (bin.from, bin.to, bin.n, bin.up_rate)).collect();
    assert_eq!(bins, [(0.3, 0.4, 8, 0.0), (0.5, 0.6, 5, 1.0), (0.6, 0.7, 32, 0.75)]);
}

#[test]
fn promise_1_too_little_shows_nothing() {
    let none = record(&[], 1, 1);
    assert_eq!((none.n, none.hit_rate, none.hold_share, none.crps, none.skill), (0, None, None, None, None));
    assert_eq!((none.coverage_80, none.brier, none.p_value(), none.skill_interval), (None, None, None, None));
    assert_eq!(none.verdict, Verdict::NotEnoughEvidence);

    let calls = [score(0.01, Direction::Up, Direction::Up); 30];
    let few = record(&calls[..29], 1, 1);
    assert_eq!((few.n_calls, few.hit_rate, few.always_up, few.naive_hit_rate), (29, None, None, None));
    assert_eq!(record(&calls, 1, 1).hit_rate.unwrap().n, 30);
    let held = [score(0.01, Direction::Up, Direction::Hold); 30];
    assert_eq!(record(&held, 1, 1).naive_hit_rate, None, "the baseline made no call");
    let crowd = record(&losses(500, 0.5), 25, 1);
    assert_eq!((crowd.n_times, crowd.p_value(), crowd.verdict), (20, None, Verdict::NotEnoughEvidence), "20 days");
}

#[test]
fn verdicts_by_rule() {
    let check = |n: usize, mean: f64, expected: Verdict| {
        let record = record(&losses(n, mean), 1, 1);
        assert_eq!(record.verdict, expected, "{n} cases of mean loss {mean}: p {:?}", record.p_value());
    };
    check(249, 0.5, Verdict::NotEnoughEvidence);
    check(250, 0.5, Verdict::Better);
    check(250, 1.5, Verdict::Worse);
    check(250, 1.005, Verdict::NoDifference);
    // The baseline was served: every loss is the same.
    let equal = [Score { crps: 1.0, ..score(0.01, Direction::Hold, Direction::Hold) }; 300];
    let record = record(&equal, 1, 1);
    assert_eq!((record.verdict, record.skill, record.p_value()), (Verdict::NoDifference, Some(0.0), Some(1.0)));
    assert_eq!(record.skill_interval, Some(Interval { low: 0.0, high: 0.0 }));
}

#[test]
fn what_overlaps_or_comes_together_is_resampled_in_blocks() {
    let mut scores = vec![score(0.01, Direction::Up, Direction::Up); 30];
    scores.extend(vec![score(-0.01, Direction::Up, Direction::Up); 30]);
    let of = |n_assets, horizon| record(&scores, n_assets, horizon).hit_rate.unwrap();
    let wilson = Rate::wilson(30, 60).unwrap();
    assert_eq!(of(1, 1), wilson);
    let overlapping = of(1, 5);
    assert_eq!((overlapping.rate, overlapping.n), (0.5, 60));
    let (blocks, independent) = (overlapping.interval.unwrap(), wilson.interval.unwrap());
    assert!(blocks.high - blocks.low > independent.high - independent.low, "a run of hits, a run of misses");
    assert_eq!(of(2, 1).interval, None, "thirty days are too few to resample");
}

#[test]
fn the_order_of_cases_changes_nothing() {
    let scores = losses(600, 0.9);
    let symbols: Vec<Symbol> = ["B", "A", "C"].map(|s| s.parse().unwrap()).into();
    let mut cases = cases(&scores, &symbols);
    let forwards = TrackRecord::of(&cases, 1);
    cases.reverse();
    let backwards = TrackRecord::of(&cases, 1);
    assert_eq!(backwards.skill, forwards.skill);
    assert_eq!(backwards.skill_interval, forwards.skill_interval);
    assert_eq!(backwards.diebold_mariano, forwards.diebold_mariano);
    let interval = forwards.skill_interval.unwrap();
    assert!(interval.low < forwards.skill.unwrap() && forwards.skill.unwrap() < interval.high);
}

#[test]
fn promise_5_a_scoreboard_pays_for_its_many_lines() {
    let symbol: Symbol = "BTC".parse().unwrap();
    let symbols = [symbol];
    let mut columns = vec![losses(300, 0.964)];
    columns.extend((0..6).map(|i| losses(300 + i, 1.0005)));
    columns.push(losses(100, 0.9));
    columns.push(Vec::new());
    let records: Vec<TrackRecord> = columns.iter().map(|scores| TrackRecord::of(&cases(scores, &symbols), 1)).collect();
    let verdicts = adjusted_verdicts(&records.iter().collect::<Vec<_>>());
    assert_eq!(verdicts.len(), records.len());
    for (record, (adjusted_p_value, _)) in records.iter().zip(&verdicts) {
        assert_eq!(adjusted_p_value.is_some(), record.p_value().is_some());
        assert!(*adjusted_p_value >= record.p_value());
    }
    let (p_value, verdict) = verdicts[0];
    assert_eq!(records[0].verdict, Verdict::Better, "on its own, p {:?}", records[0].p_value());
    assert_eq!(verdict, Verdict::NoDifference, "among many, p {p_value:?}");
    assert_eq!(verdicts[7].1, Verdict::NotEnoughEvidence, "a hundred cases");
    assert_eq!(records[8].n, 0);
    let p_values: Vec<f64> = records.iter().filter_map(TrackRecord::p_value).collect();
    let adjusted: Vec<f64> = verdicts.iter().filter_map(|(adjusted, _)| *adjusted).collect();
    assert_eq!(adjusted, benjamini_hochberg(&p_values));
}
