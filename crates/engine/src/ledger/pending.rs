//! Forecasts whose horizons wait for an outcome.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use forecast::score::score_case;
use jiff::{SignedDuration, Timestamp};
use market::forecast::DIRECTION_RULE;
use market::{AssetClass, AssetKind, Hash, HorizonForecast, Score, Symbol, Timeframe, Unit};
use storage::ScoreRow;

use super::facts::{ForecastFacts, HorizonFacts, OutcomeFacts, VoidFacts};
use super::rule::{Fault, Rule, fault};
use super::slots::Taken;
use crate::body::ScoresBody;

/// How long after its target time a horizon may be open while its asset and timeframe are forecast on. The step that
/// issues a forecast scores or voids first whatever is older than the bar it starts from by some days; the rest of the
/// month is for homes that are set to wait longer, and for scoring that failed for a while and was mended.
pub(crate) const MAX_OPEN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The forecasts of a chain that are not fully resolved; of the others one bit each.
#[derive(Debug, Default)]
pub(super) struct Pending {
    open: HashMap<u64, OpenForecast>,
    /// One bit a `seq`: whether it was a forecast and all its horizons are resolved.
    closed: Vec<u64>,
    n_horizons: u64,
    /// By series: (target time, forecast, horizon) of all horizons that are not known to be resolved.
    waiting: Vec<BinaryHeap<Reverse<(Timestamp, u64, u32)>>>,
}

#[derive(Debug)]
struct OpenForecast {
    hash: Hash,
    symbol: Symbol,
    timeframe: Timeframe,
    as_of: Timestamp,
    recorded_at: Timestamp,
    unit: Unit,
    kind: AssetKind,
    horizons: Vec<OpenHorizon>,
    n_open: usize,
}

#[derive(Debug)]
struct OpenHorizon {
    /// Boxed, so that what is resolved leaves memory.
    forecast: Option<Box<HorizonForecast>>,
    horizon: u32,
    target_time: Timestamp,
}

/// What an outcome or void says of the horizon it resolves.
struct Claim<'a> {
    seq: u64,
    hash: &'a str,
    horizon: u32,
    target_time: Timestamp,
    recorded_at: Timestamp,
}

impl Pending {
    /// Horizons that wait.
    pub(super) const fn n_horizons(&self) -> u64 {
        self.n_horizons
    }

    /// Whether the horizons of a series were resolved in time when a forecast goes on from `as_of`. The releases of macro
    /// series may be late by any time, and several horizons with them.
    pub(super) fn check_resolved(&mut self, taken: &Taken, as_of: Timestamp) -> Result<(), Fault> {
        if taken.kind.class() == AssetClass::Macro {
            return Ok(());
        }
        let Some(waiting) = self.waiting.get_mut(taken.series) else { return Ok(()) };
        while let Some(&Reverse((target_time, seq, horizon))) = waiting.peek()
            && as_of.duration_since(target_time) > MAX_OPEN
        {
            waiting.pop();
            let forecast = self.open.get(&seq);
            if forecast.is_some_and(|f| f.horizons.iter().any(|h| h.horizon == horizon && h.forecast.is_some())) {
                let detail = format!("horizon {horizon} of forecast {seq} is open since {target_time}");
                return Err(fault(Rule::OutcomeMissing, detail));
            }
        }
        Ok(())
    }

    /// Takes a forecast in.
    pub(super) fn add(&mut self, seq: u64, hash: Hash, taken: Taken, facts: ForecastFacts<'_>) {
        let horizons: Vec<OpenHorizon> = facts
            .horizons
            .into_iter()
            .map(|h| OpenHorizon { horizon: h.0.horizon, target_time: h.0.target_time, forecast: Some(Box::new(h.0)) })
            .collect();
        self.n_horizons += horizons.len() as u64;
        if self.waiting.len() <= taken.series {
            self.waiting.resize_with(taken.series + 1, BinaryHeap::new);
        }
        self.waiting[taken.series].extend(horizons.iter().map(|h| Reverse((h.target_time, seq, h.horizon))));
        let forecast = OpenForecast {
            hash,
            symbol: taken.symbol,
            timeframe: facts.timeframe.0,
            as_of: facts.as_of.0,
            recorded_at: facts.recorded_at.0,
            unit: facts.unit.0,
            kind: taken.kind,
            n_open: horizons.len(),
            horizons,
        };
        self.open.insert(seq, forecast);
    }

    /// Resolves a horizon by an outcome, which is entry `seq`. Gives its row in the scores table.
    pub(super) fn score(&mut self, seq: u64, facts: &OutcomeFacts<'_>) -> Result<ScoreRow, Fault> {
        let claim = Claim {
            seq: facts.forecast.seq,
            hash: &facts.forecast.hash,
            horizon: facts.horizon,
            target_time: facts.target_time.0,
            recorded_at: facts.recorded_at.0,
        };
        self.resolve(&claim, |forecast, horizon| {
            let same = (forecast.symbol.as_str(), forecast.timeframe, forecast.as_of);
            if same != (&*facts.symbol, facts.timeframe.0, facts.as_of.0) {
                return Err(fault(Rule::OutcomeRefers, "symbol, timeframe or as_of are not the forecast's"));
            }
            let score = check_scores(forecast, horizon, facts)?;
            Ok(ScoreRow {
                seq,
                forecast_seq: facts.forecast.seq,
                symbol: forecast.symbol.clone(),
                timeframe: forecast.timeframe,
                horizon: facts.horizon,
                as_of: forecast.as_of,
                issued_at: forecast.recorded_at,
                target_time: facts.target_time.0,
                price: facts.price,
                score,
            })
        })
    }

    /// Closes a horizon that has nothing to judge by.
    pub(super) fn void(&mut self, facts: &VoidFacts<'_>) -> Result<(), Fault> {
        let claim = Claim {
            seq: facts.forecast.seq,
            hash: &facts.forecast.hash,
            horizon: facts.horizon,
            target_time: facts.target_time.0,
            recorded_at: facts.recorded_at.0,
        };
        self.resolve(&claim, |_, _| Ok(()))
    }

    fn resolve<T>(
        &mut self,
        claim: &Claim<'_>,
        check: impl FnOnce(&OpenForecast, &HorizonForecast) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Claim { seq, horizon, .. } = *claim;
        if self.is_closed(seq) {
            return Err(fault(Rule::OutcomeOnce, format!("all horizons of forecast {seq} are resolved already")));
        }
        let refers = |detail| fault(Rule::OutcomeRefers, detail);
        let Some(forecast) = self.open.get_mut(&seq) else {
            return Err(refers(format!("no entry before is a forecast with seq {seq}")));
        };
        let Some(at) = forecast.horizons.iter().position(|h| h.horizon == horizon) else {
            return Err(refers(format!("forecast {seq} has no horizon {horizon}")));
        };
        let open = &forecast.horizons[at];
        let Some(said) = open.forecast.as_deref() else {
            let detail = format!("horizon {horizon} of forecast {seq} is resolved already");
            return Err(fault(Rule::OutcomeOnce, detail));
        };
        if forecast.hash.hex() != claim.hash.as_bytes() {
            return Err(refers(format!("the hash of forecast {seq} is another")));
        }
        if open.target_time != claim.target_time {
            return Err(refers(format!("the target time of forecast {seq} is {}", open.target_time)));
        }
        if claim.recorded_at < open.target_time {
            let detail = format!("recorded at {}, before the target time {}", claim.recorded_at, open.target_time);
            return Err(fault(Rule::OutcomeMaturity, detail));
        }
        let checked = check(forecast, said)?;
        forecast.horizons[at].forecast = None;
        forecast.n_open -= 1;
        self.n_horizons -= 1;
        if forecast.n_open == 0 {
            self.open.remove(&seq);
            self.close(seq);
        }
        Ok(checked)
    }

    fn is_closed(&self, seq: u64) -> bool {
        let word = usize::try_from(seq / 64).ok().and_then(|at| self.closed.get(at));
        word.is_some_and(|word| word >> (seq % 64) & 1 == 1)
    }

    fn close(&mut self, seq: u64) {
        let at = usize::try_from(seq / 64).expect("the forecast was read, so its position fits");
        if self.closed.len() <= at {
            self.closed.resize(at + 1, 0);
        }
        self.closed[at] |= 1 << (seq % 64);
    }
}

/// Whether a forecast starts from what can be, has horizons, and was made before each of them.
pub(super) fn check_forecast(facts: &ForecastFacts<'_>) -> Result<(), Fault> {
    let recorded_at = facts.recorded_at.0;
    if facts.unit.0 == Unit::LogReturn && facts.reference_price <= 0.0 {
        return Err(fault(Rule::Body, format!("there is no log return from {}", facts.reference_price)));
    }
    if let Some(through) = facts.model.trained_through.filter(|through| through.0 > recorded_at) {
        return Err(fault(Rule::Body, format!("recorded at {recorded_at}, by a model trained through {}", through.0)));
    }
    let ascending = facts.horizons.windows(2).all(|w| w[0].0.horizon < w[1].0.horizon);
    if !ascending || facts.horizons.is_empty() {
        return Err(fault(Rule::Body, "a forecast needs horizons, each once and in ascending order"));
    }
    match facts.horizons.iter().find(|h| h.0.target_time <= recorded_at) {
        Some(HorizonFacts(HorizonForecast { target_time, .. })) => {
            let detail = format!("recorded at {recorded_at}, not before the target time {target_time}");
            Err(fault(Rule::IssuedBeforeTarget, detail))
        }
        None => Ok(()),
    }
}

/// Recomputes the scores from the forecast's quantiles and the price. Gives them as they were said.
fn check_scores(forecast: &OpenForecast, said: &HorizonForecast, facts: &OutcomeFacts<'_>) -> Result<Score, Fault> {
    let wrong = |detail| Err(fault(Rule::OutcomeScores, detail));
    if facts.rule != DIRECTION_RULE {
        return wrong(format!("rule {:?} is not known", facts.rule));
    }
    let change = forecast.unit.between(facts.reference_price, facts.price);
    if !agree(change, facts.change) {
        return wrong(format!("the change is {change}, not {}", facts.change));
    }
    // From the change as recorded, so that no last digit of a logarithm decides a hit.
    let score = score_case(said, facts.reference_price, facts.change, forecast.kind);
    if let Some(detail) = disagreement(&ScoresBody::from(&score), &facts.scores) {
        return wrong(detail);
    }
    let ScoresBody { crps, crps_baseline, pinball, brier, brier_baseline, .. } = facts.scores;
    Ok(Score { crps, crps_baseline, pinball, brier, brier_baseline, ..score })
}

fn disagreement(ours: &ScoresBody, theirs: &ScoresBody) -> Option<String> {
    let numbers = [
        ("crps", Some(ours.crps), Some(theirs.crps)),
        ("crps_baseline", Some(ours.crps_baseline), Some(theirs.crps_baseline)),
        ("pinball", Some(ours.pinball), Some(theirs.pinball)),
        ("brier", ours.brier, theirs.brier),
        ("brier_baseline", ours.brier_baseline, theirs.brier_baseline),
    ];
    let words = [
        ("covered_80", ours.covered_80 == theirs.covered_80),
        ("covered_95", ours.covered_95 == theirs.covered_95),
        ("direction", ours.direction == theirs.direction),
        ("hit", ours.hit == theirs.hit),
        ("baseline_hit", ours.baseline_hit == theirs.baseline_hit),
    ];
    let number = numbers.into_iter().find(|(_, ours, theirs)| match (ours, theirs) {
        (Some(ours), Some(theirs)) => !agree(*ours, *theirs),
        (ours, theirs) => ours != theirs,
    });
    let word = words.into_iter().find(|(_, same)| !same);
    number.map(|(name, ours, _)| (name, ours)).or(word.map(|(name, _)| (name, None))).map(|(name, ours)| match ours {
        Some(ours) => format!("{name} is {ours}"),
        None => format!("{name} is another"),
    })
}

/// Within what the arithmetic of another machine may differ by.
fn agree(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 + 1e-9 * a.abs().max(b.abs())
}
