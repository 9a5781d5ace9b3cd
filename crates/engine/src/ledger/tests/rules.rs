//! The rules only our audit checks: schedule, grace, scores. All forgeries here compute every hash anew.

use jiff::{SignedDuration, Timestamp};

use super::sample::{Plan, sample};
use super::tampering::{Bodies, entries, find, forged, is_forecast, is_outcome};
use super::{export_of, verdict};
use crate::body::{Body, ForecastBody, MissedBody, OutcomeBody, ScheduleBody};
use crate::ledger::{CheckpointFile, Expected, Lines, Report, Rule, Verdict, verify};

/// A change with its name.
type Named<T> = (&'static str, fn(&mut T));

/// What is said of the sample after a change, with the position the change names as `N`.
fn check(name: &str, change: impl FnOnce(&mut Bodies) -> usize, expected: &str) {
    let mut at = 0;
    let forged = forged(entries(), |bodies| at = change(bodies));
    let found = verdict(&export_of(&forged), Expected::default());
    assert_eq!(found, expected.replace('N', &at.to_string()), "{name}");
}

fn forecast_of<'a>(bodies: &'a mut Bodies, symbol: &str, timeframe: &str) -> (usize, &'a mut ForecastBody) {
    let is = |body: &Body| matches!(body, Body::Forecast(f) if f.symbol == symbol && f.timeframe == timeframe);
    let at = find(bodies, bodies.len() / 3, is);
    let Body::Forecast(body) = &mut bodies[at].1 else { unreachable!() };
    (at, body)
}

fn outcome_of(bodies: &mut Bodies, is: impl Fn(&OutcomeBody) -> bool) -> (usize, &mut OutcomeBody) {
    let at = find(bodies, 0, |body| matches!(body, Body::Outcome(o) if is(o)));
    let Body::Outcome(body) = &mut bodies[at].1 else { unreachable!() };
    (at, body)
}

fn missed(bodies: &mut Bodies) -> (usize, &mut MissedBody) {
    let at = find(bodies, 0, |body| matches!(body, Body::Missed(m) if m.count > 1));
    let Body::Missed(body) = &mut bodies[at].1 else { unreachable!() };
    (at, body)
}

/// Puts a schedule of other assets after position `at`.
fn reschedule(bodies: &mut Bodies, at: usize, change: impl FnOnce(&mut ScheduleBody)) {
    let Body::Schedule(mut schedule) = bodies[0].1.clone() else { unreachable!() };
    schedule.recorded_at = bodies[at].1.recorded_at();
    schedule.from = schedule.recorded_at;
    change(&mut schedule);
    bodies.insert(at + 1, (u64::MAX, Body::Schedule(schedule)));
}

/// Takes out a forecast and all that names it.
fn strike(bodies: &mut Bodies, at: usize) {
    let was = bodies[at].0;
    bodies.retain(|(seq, body)| match body {
        Body::Outcome(o) => o.forecast.seq != was,
        Body::Void(v) => v.forecast.seq != was,
        Body::Checkpoint(_) => false,
        _ => *seq != was,
    });
}

/// The first entry recorded after the grace of a slot.
fn after_grace(bodies: &Bodies, slot: Timestamp, grace: SignedDuration) -> usize {
    bodies.iter().position(|(_, body)| body.recorded_at() > slot + grace).unwrap()
}

#[test]
fn forecasts_keep_to_their_slots() {
    let late = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "BTC", "4h");
        forecast.recorded_at = forecast.as_of + SignedDuration::from_secs(301);
        at
    };
    check("recorded after the grace", late, "broken at N: issued_in_grace");
    let just = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "AAPL", "1D");
        forecast.recorded_at = forecast.as_of + SignedDuration::from_mins(29);
        at
    };
    check("recorded late in the hour stocks have", just, "sound");
    let early = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "BTC", "4h");
        forecast.as_of = forecast.recorded_at + SignedDuration::from_secs(1);
        at
    };
    check("recorded before its information cut", early, "broken at N: issued_in_grace");
    let between = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "BTC", "4h");
        forecast.as_of += SignedDuration::from_secs(1);
        at
    };
    check("for no close", between, "broken at N: slot_unscheduled");
    let other_symbol = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "BTC", "4h");
        forecast.symbol = "ETH".to_owned();
        at
    };
    check("of another asset", other_symbol, "broken at N: slot_unscheduled");
    let other_timeframe = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "BTC", "4h");
        forecast.timeframe = "1h".to_owned();
        at
    };
    check("on another timeframe", other_timeframe, "broken at N: slot_unscheduled");
    let other_class = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "BTC", "4h");
        forecast.asset_class = "stocks".to_owned();
        at
    };
    check("of another class", other_class, "broken at N: slot_unscheduled");
    for (symbol, timeframe) in [("BTC", "4h"), ("AAPL", "1D"), ("CPI", "1M")] {
        let twice = |bodies: &mut Bodies| {
            let at =
                find(bodies, 0, |b| matches!(b, Body::Forecast(f) if f.symbol == symbol && f.timeframe == timeframe));
            let again = bodies[at].1.clone();
            bodies.insert(at + 1, (u64::MAX, again));
            at + 1
        };
        check("two for a slot", twice, "broken at N: slot_once");
    }
}

#[test]
fn promise_3_every_slot_has_a_forecast_or_is_missed() {
    for (symbol, timeframe, grace) in [("BTC", "4h", 5), ("BTC", "1D", 5), ("AAPL", "1D", 60)] {
        let gone = |bodies: &mut Bodies| {
            let (at, forecast) = forecast_of(bodies, symbol, timeframe);
            let slot = forecast.as_of;
            strike(bodies, at);
            after_grace(bodies, slot, SignedDuration::from_mins(grace))
        };
        check("a forecast is gone, with its outcomes", gone, "broken at N: slot_unexplained");
    }
    let macro_gone = |bodies: &mut Bodies| {
        let at = find(bodies, 0, |body| matches!(body, Body::Forecast(f) if f.symbol == "CPI"));
        strike(bodies, at);
        at
    };
    check("a macro series has no slots", macro_gone, "sound");
    let first_of_run = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        let slot = missed.from;
        bodies.remove(at);
        after_grace(bodies, slot, SignedDuration::from_mins(5))
    };
    check("a missed is gone", first_of_run, "broken at N: slot_unexplained");
    for (from, to) in [(1, 0), (0, -1), (1, -1)] {
        let shorter = |bodies: &mut Bodies| {
            let (_, missed) = missed(bodies);
            let slot = missed.from;
            missed.from += SignedDuration::from_hours(4) * from;
            missed.to += SignedDuration::from_hours(4) * to;
            after_grace(bodies, slot, SignedDuration::from_mins(5))
        };
        check("a missed is shorter", shorter, "broken at N: slot_unexplained");
    }
    let in_two = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        let mut second = missed.clone();
        missed.to = missed.from;
        second.from += SignedDuration::from_hours(4);
        bodies.insert(at, (u64::MAX, Body::Missed(second)));
        at
    };
    check("a missed is told in two", in_two, "sound");
    let much_later = |bodies: &mut Bodies| {
        let (at, _) = missed(bodies);
        let (was, Body::Missed(mut body)) = bodies.remove(at) else { unreachable!() };
        body.recorded_at = bodies.last().unwrap().1.recorded_at();
        bodies.push((was, Body::Missed(body)));
        at
    };
    check("a missed is recorded days later", much_later, "sound");
}

#[test]
fn missed_entries_tell_of_the_past() {
    let fewer = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        missed.count -= 1;
        at
    };
    check("counts too few", fewer, "broken at N: missed_slots");
    let backwards = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        (missed.from, missed.to) = (missed.to, missed.from);
        at
    };
    check("ends before it begins", backwards, "broken at N: missed_slots");
    let future = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        missed.to += SignedDuration::from_hours(400);
        at
    };
    check("declares slots to come missed", future, "broken at N: missed_slots");
    let forecast = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        missed.from -= SignedDuration::from_hours(4);
        missed.count += 1;
        at
    };
    check("spans a slot with a forecast", forecast, "broken at N: missed_slots");
    let twice = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        let again = missed.clone();
        bodies.insert(at + 1, (u64::MAX, Body::Missed(again)));
        at + 1
    };
    check("told twice", twice, "broken at N: missed_slots");
    let released = |bodies: &mut Bodies| {
        let at = find(bodies, 0, |body| matches!(body, Body::Forecast(f) if f.symbol == "CPI"));
        let Body::Forecast(forecast) = &bodies[at].1 else { unreachable!() };
        let (recorded_at, slot) = (forecast.recorded_at, forecast.as_of);
        let (symbol, timeframe) = (forecast.symbol.clone(), forecast.timeframe.clone());
        let reason = "none".to_owned();
        let body = MissedBody { recorded_at, symbol, timeframe, from: slot, to: slot, count: 1, reason };
        bodies.insert(at + 1, (u64::MAX, Body::Missed(body)));
        at + 1
    };
    check("a release with a forecast", released, "broken at N: missed_slots");
    let unknown = |bodies: &mut Bodies| {
        let (at, missed) = missed(bodies);
        missed.symbol = "ETH".to_owned();
        at
    };
    check("of another asset", unknown, "broken at N: slot_unscheduled");
}

#[test]
fn schedules_take_over_from_each_other() {
    let same = |bodies: &mut Bodies| {
        let at = bodies.len() / 2;
        reschedule(bodies, at, |_| {});
        at
    };
    check("the same again", same, "sound");
    let other_class = |bodies: &mut Bodies| {
        reschedule(bodies, 5, |schedule| {
            (schedule.assets[0].kind, schedule.assets[0].asset_class) = ("equity".to_owned(), "stocks".to_owned());
        });
        6
    };
    check("an asset changes its class", other_class, "broken at N: body");
    let removed = |bodies: &mut Bodies| {
        let (at, _) = forecast_of(bodies, "BTC", "4h");
        let time = bodies[at].1.recorded_at();
        bodies.retain(|(_, body)| match body {
            Body::Forecast(f) => f.recorded_at <= time || f.symbol != "BTC",
            Body::Outcome(_) | Body::Void(_) | Body::Missed(_) | Body::Checkpoint(_) => body.recorded_at() <= time,
            _ => true,
        });
        let at = bodies.iter().rposition(|(_, body)| body.recorded_at() <= time).unwrap();
        reschedule(bodies, at, |schedule| schedule.assets.retain(|asset| asset.symbol == "CPI"));
        bodies
            .retain(|(_, body)| body.recorded_at() <= time || !matches!(body, Body::Forecast(f) if f.symbol != "CPI"));
        at
    };
    check("assets leave", removed, "sound");
    let added = |bodies: &mut Bodies| {
        let at = find(bodies, 2, is_forecast);
        reschedule(bodies, at, |schedule| {
            let mut eth = schedule.assets[0].clone();
            eth.symbol = "ETH".to_owned();
            schedule.assets.push(eth);
        });
        let four = SignedDuration::from_hours(4);
        let first = bodies[at].1.recorded_at().round(jiff::Unit::Hour).unwrap() + four;
        after_grace(bodies, first, SignedDuration::from_mins(5))
    };
    check("an asset joins and is not forecast", added, "broken at N: slot_unexplained");
    let gap = |back: bool| {
        move |bodies: &mut Bodies| {
            // The asset is out of the schedule for the slot whose forecast is struck.
            let (at, forecast) = forecast_of(bodies, "BTC", "4h");
            let slot = forecast.as_of;
            strike(bodies, at);
            let before = bodies.iter().rposition(|(_, body)| body.recorded_at() < slot).unwrap();
            reschedule(bodies, before, |schedule| schedule.assets.retain(|asset| asset.symbol != "BTC"));
            let joins = before + 2;
            if back {
                reschedule(bodies, before + 1, |schedule| {
                    schedule.recorded_at = slot;
                    schedule.from = slot;
                });
            }
            find(bodies, joins, |body| matches!(body, Body::Forecast(f) if f.symbol == "BTC"))
        }
    };
    check("an asset leaves and is forecast", gap(false), "broken at N: slot_unscheduled");
    check("an asset leaves and comes back", gap(true), "sound");
    let anew = |bodies: &mut Bodies| {
        let (at, forecast) = forecast_of(bodies, "BTC", "4h");
        let slot = forecast.as_of;
        strike(bodies, at);
        let after = after_grace(bodies, slot, SignedDuration::from_mins(5));
        reschedule(bodies, after, |schedule| schedule.from = slot - SignedDuration::from_hours(1));
        after + 1
    };
    check("what was due is scheduled away", anew, "broken at N: schedule_from");
    for (name, change) in [
        ("an unknown kind", (|s| s.assets[0].kind = "coins".to_owned()) as fn(&mut ScheduleBody)),
        ("an unknown timeframe", |s| s.assets[0].timeframes.push("2h".to_owned())),
        ("a kind of another class", |s| s.assets[0].asset_class = "stocks".to_owned()),
        ("an asset twice", |s| s.assets.extend_from_within(..1)),
    ] {
        let change = |bodies: &mut Bodies| {
            let Body::Schedule(schedule) = &mut bodies[0].1 else { unreachable!() };
            change(schedule);
            0
        };
        check(name, change, "broken at 0: body");
    }
}

#[test]
fn promise_3_scores_follow_from_the_forecast_and_the_price() {
    let changes: [Named<OutcomeBody>; 14] = [
        ("price", |o| o.price *= 1.001),
        ("reference_price", |o| o.reference_price *= 1.001),
        ("change", |o| o.change += 1e-6),
        ("crps", |o| o.scores.crps *= 0.999),
        ("crps_baseline", |o| o.scores.crps_baseline *= 1.001),
        ("pinball", |o| o.scores.pinball *= 0.999),
        ("brier", |o| o.scores.brier = o.scores.brier.map(|b| b * 0.999)),
        ("no brier", |o| o.scores.brier = None),
        ("brier_baseline", |o| o.scores.brier_baseline = Some(1.0)),
        ("covered_80", |o| o.scores.covered_80 = !o.scores.covered_80),
        ("covered_95", |o| o.scores.covered_95 = !o.scores.covered_95),
        ("direction", |o| o.scores.direction = "HOLD".to_owned()),
        ("hit", |o| o.scores.hit = None),
        ("rule", |o| o.rule = "v2".to_owned()),
    ];
    for (name, change) in changes {
        let forge = |bodies: &mut Bodies| {
            let (at, outcome) = outcome_of(bodies, |o| o.scores.direction != "HOLD" && o.scores.hit.is_some());
            change(outcome);
            at
        };
        check(name, forge, "broken at N: outcome_scores");
    }
    let stable = |bodies: &mut Bodies| {
        let (at, outcome) = outcome_of(bodies, |o| o.symbol == "USDT");
        assert_eq!(outcome.scores.direction, "HOLD");
        outcome.scores.direction = "UP".to_owned();
        at
    };
    check("a call for a stablecoin", stable, "broken at N: outcome_scores");
    let other_platform = |bodies: &mut Bodies| {
        let (at, outcome) = outcome_of(bodies, |o| o.scores.hit.is_some());
        outcome.change *= 1.0 + 1e-15;
        at
    };
    check("another machine's logarithm", other_platform, "sound");
}

#[test]
fn promise_3_no_outcome_is_left_out_for_ever() {
    let plan = Plan { hours: 24 * 40, ..Plan::small(market::ChainId::live()) };
    let entries = sample(&plan).entries;
    assert_eq!(verdict(&export_of(&entries), Expected::default()), "sound");
    let month = SignedDuration::from_hours(30 * 24);
    for (symbol, timeframe) in [("BTC", "4h"), ("BTC", "1D"), ("AAPL", "1D")] {
        let mut expected = String::new();
        let forged = forged(&entries, |bodies| {
            let is = |body: &Body| matches!(body, Body::Outcome(o) if o.symbol == symbol && o.timeframe == timeframe);
            let at = find(bodies, 0, is);
            let (_, Body::Outcome(outcome)) = bodies.remove(at) else { unreachable!() };
            let goes_on = |body: &Body| match body {
                Body::Forecast(f) => {
                    (&*f.symbol, &*f.timeframe) == (symbol, timeframe) && f.as_of > outcome.target_time + month
                }
                _ => false,
            };
            expected = format!("broken at {}: outcome_missing", find(bodies, at, goes_on));
        });
        assert_eq!(verdict(&export_of(&forged), Expected::default()), expected, "{symbol} {timeframe}");
        // Until then its bar may still be brought.
        let until = expected.split([' ', ':']).nth(2).unwrap().parse().unwrap();
        assert_eq!(verdict(&export_of(&forged[..until]), Expected::default()), "sound", "{symbol} {timeframe}");
    }
}

#[test]
fn references_stay_within_the_chain() {
    let changes: [Named<OutcomeBody>; 3] = [
        ("symbol", |o| o.symbol = "ETH".to_owned()),
        ("timeframe", |o| o.timeframe = "1D".to_owned()),
        ("as_of", |o| o.as_of -= SignedDuration::from_hours(4)),
    ];
    for (name, change) in changes {
        let forge = |bodies: &mut Bodies| {
            let (at, outcome) = outcome_of(bodies, |o| o.timeframe == "4h");
            change(outcome);
            at
        };
        check(name, forge, "broken at N: outcome_refers");
    }
    let changes: [Named<crate::body::CheckpointBody>; 2] =
        [("a hash", |c| c.hash = "0".repeat(64)), ("a later entry", |c| (c.seq, c.hash) = (1 << 40, "0".repeat(64)))];
    for (name, change) in changes {
        let forge = |bodies: &mut Bodies| {
            let at = find(bodies, 0, |body| matches!(body, Body::Checkpoint(_)));
            let Body::Checkpoint(checkpoint) = &mut bodies[at].1 else { unreachable!() };
            change(checkpoint);
            at
        };
        check(name, forge, "broken at N: checkpoint_refers");
    }
}

#[test]
fn bodies_say_what_can_be() {
    let changes: [Named<ForecastBody>; 6] = [
        ("no horizons", |f| f.horizons.clear()),
        ("horizons out of order", |f| f.horizons.reverse()),
        ("crossing quantiles", |f| f.horizons[0].quantiles.reverse()),
        ("twelve quantiles", |f| f.horizons[0].quantiles.truncate(12)),
        ("a probability above one", |f| f.horizons[0].prob_up = 1.5),
        ("other levels", |f| f.levels[0] = 0.01),
    ];
    for (name, change) in changes {
        let forge = |bodies: &mut Bodies| {
            let (at, forecast) = forecast_of(bodies, "BTC", "4h");
            change(forecast);
            at
        };
        check(name, forge, "broken at N: body");
    }
}

#[test]
fn a_report_counts_what_is_there() {
    let entries = entries();
    let Verdict::Sound(report) = verify(&*export_of(entries), Expected::default()).unwrap() else { unreachable!() };
    let bodies: Vec<Body> = entries.iter().map(|e| Body::parse(&e.body).unwrap()).collect();
    let count = |is: fn(&Body) -> bool| bodies.iter().filter(|body| is(body)).count() as u64;
    let n_horizons: u64 = bodies
        .iter()
        .filter_map(|b| if let Body::Forecast(f) = b { Some(f.horizons.len() as u64) } else { None })
        .sum();
    let (outcomes, voids) = (count(is_outcome), count(|body| matches!(body, Body::Void(_))));
    assert!(outcomes > 100 && voids > 1);
    let expected = Report {
        chain: market::ChainId::live(),
        entries: entries.len() as u64,
        forecasts: count(is_forecast),
        outcomes,
        voids,
        missed: count(|body| matches!(body, Body::Missed(_))),
        missed_slots: 4 + 1 + 1 + 1,
        open_horizons: n_horizons - outcomes - voids,
        first_recorded_at: bodies[0].recorded_at(),
        last_recorded_at: bodies.last().unwrap().recorded_at(),
        head: entries.last().unwrap().hash,
    };
    assert_eq!(report, expected);
}

#[test]
fn rules_have_names_of_their_own() {
    let mut names = Rule::ALL.map(Rule::as_str);
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    const MANUAL: &str = include_str!("../../../../../docs/ledger.md");
    for name in names {
        assert!(MANUAL.contains(&format!("\n| `{name}` | ")), "{name} is not in the manual");
    }
}

/// The format is pinned: what was written when it was made is sound and reads as it did.
#[test]
fn promise_3_the_format_stays() {
    const EXPORT: &str = include_str!("../../../test_data/ledger/kept.jsonl");
    const CHECKPOINT: &str = include_str!("../../../test_data/ledger/kept.checkpoint.json");
    let kept = CheckpointFile::parse(CHECKPOINT).unwrap();
    assert_eq!(kept.to_json(), CHECKPOINT);
    let checkpoint = kept.verified(kept.public_key().as_ref()).unwrap().clone();
    let expected = Expected { chain: None, checkpoint: Some(checkpoint.clone()) };
    let Verdict::Sound(report) = verify(EXPORT.as_bytes(), expected).unwrap() else { unreachable!() };
    assert_eq!((report.chain, report.entries - 1, report.head), (checkpoint.chain, checkpoint.seq, checkpoint.hash));

    let mut lines = Lines::new(EXPORT.as_bytes());
    let mut kinds = std::collections::BTreeSet::new();
    while let Some(line) = lines.next_line().unwrap() {
        let body = line.unwrap().body;
        assert_eq!(&*Body::parse(body).unwrap().to_json(), body);
        kinds.insert(body.split('"').nth(3).unwrap().to_owned());
    }
    let all = ["checkpoint", "forecast", "missed", "model", "outcome", "schedule", "void"];
    assert!(kinds.iter().eq(all), "{kinds:?}");
}
