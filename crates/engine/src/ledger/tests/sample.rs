//! A generated chain: what the engine writes, on made-up prices. Shared with the benches.

use std::collections::BTreeMap;

use forecast::score::score_case;
use jiff::{SignedDuration, Timestamp};
use market::forecast::DIRECTION_RULE;
use market::{
    AssetClass, AssetKind, Calendar, ChainId, Entry, Hash, HorizonForecast, LEVELS, N_LEVELS, Quantiles, Timeframe,
    Unit,
};

use storage::{Draft, Index};

use super::body::{
    Body, CheckpointBody, EntryRef, ForecastBody, HorizonBody, MissedBody, ModelBody, ModelRefBody, OutcomeBody,
    ScheduleBody, ScheduledAsset, ScoresBody, VoidBody,
};

/// How long the engine takes.
const SECONDS_AFTER_CLOSE: i64 = 2;

/// One scheduled asset.
#[derive(Debug, Clone)]
pub(super) struct SampleAsset {
    pub(super) symbol: String,
    pub(super) kind: AssetKind,
    pub(super) timeframes: &'static [Timeframe],
}

/// What the chain shall hold.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) chain: ChainId,
    pub(super) start: Timestamp,
    pub(super) hours: i32,
    /// Nothing runs in these hours after the start.
    pub(super) outage: std::ops::Range<i32>,
    pub(super) assets: Vec<SampleAsset>,
}

impl Plan {
    /// A coin, a stablecoin, a share and a macro series over eight days in January 2024 with an outage of half a day.
    pub(super) fn small(chain: ChainId) -> Self {
        let asset = |symbol: &str, kind, timeframes| SampleAsset { symbol: symbol.to_owned(), kind, timeframes };
        Self {
            chain,
            start: "2024-01-03T12:00:00Z".parse().expect("an instant"),
            hours: 24 * 8,
            outage: 100..113,
            assets: vec![
                asset("BTC", AssetKind::Coin, &[Timeframe::H4, Timeframe::D1]),
                asset("USDT", AssetKind::Stable, &[Timeframe::D1, Timeframe::W1]),
                asset("AAPL", AssetKind::Equity, &[Timeframe::D1]),
                asset("CPI", AssetKind::Series, &[Timeframe::Mo1]),
            ],
        }
    }
}

struct Open {
    reference: EntryRef,
    asset: usize,
    timeframe: Timeframe,
    as_of: Timestamp,
    reference_price: f64,
    forecast: HorizonForecast,
}

/// What was written, and what it was written from.
pub(super) struct Sample {
    pub(super) entries: Vec<Entry>,
    /// One an entry.
    pub(super) drafts: Vec<Draft>,
}

struct Writer {
    plan: Plan,
    sample: Sample,
    open: BTreeMap<Timestamp, Vec<Open>>,
    missed: BTreeMap<(usize, Timeframe), (Timestamp, Timestamp, u64)>,
}

/// The chain of a plan.
pub(super) fn sample(plan: &Plan) -> Sample {
    let sample = Sample { entries: Vec::new(), drafts: Vec::new() };
    let mut writer = Writer { plan: plan.clone(), sample, open: BTreeMap::new(), missed: BTreeMap::new() };
    writer.push(&schedule(plan), Index::Schedule);
    writer.push(&model(plan.start), Index::Model);
    // Sessions open and close on half hours.
    for half_hour in 1..=plan.hours * 2 {
        writer.step(half_hour);
    }
    writer.sample
}

fn schedule(plan: &Plan) -> Body {
    let from = plan.start;
    let assets = plan.assets.iter().map(|asset| ScheduledAsset {
        symbol: asset.symbol.clone(),
        asset_class: asset.kind.class().to_string(),
        timeframes: asset.timeframes.iter().map(Timeframe::to_string).collect(),
        kind: asset.kind.to_string(),
    });
    Body::Schedule(ScheduleBody { recorded_at: from, from, assets: assets.collect(), chain: plan.chain.to_string() })
}

impl Writer {
    fn push(&mut self, body: &Body, index: Index) -> EntryRef {
        let Sample { entries, drafts } = &mut self.sample;
        let seq = entries.len() as u64;
        let prev = entries.last().map_or(Hash::ZERO, |entry| entry.hash);
        let entry = Entry::new(&self.plan.chain, seq, prev, body.to_json());
        let reference = EntryRef { seq, hash: entry.hash.to_string() };
        drafts.push(Draft { recorded_at: body.recorded_at(), body: entry.body.clone(), index });
        entries.push(entry);
        reference
    }

    fn step(&mut self, half_hour: i32) {
        let time = self.plan.start + SignedDuration::from_mins(30) * half_hour;
        let now = time + SignedDuration::from_secs(SECONDS_AFTER_CLOSE);
        let is_out = self.plan.outage.contains(&(half_hour / 2));
        if !is_out {
            self.record_missed(now);
            self.resolve(now);
        }
        for asset in 0..self.plan.assets.len() {
            for timeframe in self.plan.assets[asset].timeframes {
                if !self.is_slot(asset, *timeframe, time) {
                    continue;
                }
                if is_out {
                    let run = self.missed.entry((asset, *timeframe)).or_insert((time, time, 0));
                    (run.1, run.2) = (time, run.2 + 1);
                } else {
                    self.issue(asset, *timeframe, time, now);
                }
            }
        }
        if half_hour == self.plan.hours {
            let head = self.sample.entries.last().expect("the schedule is there");
            let (seq, hash) = (head.seq, head.hash.to_string());
            self.push(&Body::Checkpoint(CheckpointBody { recorded_at: now, seq, hash }), Index::Checkpoint);
        }
    }

    fn is_slot(&self, asset: usize, timeframe: Timeframe, time: Timestamp) -> bool {
        let class = self.plan.assets[asset].kind.class();
        if class == AssetClass::Macro {
            // Two releases, made up.
            return ["2024-01-05T13:30:00Z", "2024-01-11T13:30:00Z"].contains(&time.to_string().as_str());
        }
        Calendar::of(class).last_closed_bar(timeframe, time).is_some_and(|bar| bar.close_time == time)
    }

    fn record_missed(&mut self, now: Timestamp) {
        for ((asset, timeframe), (from, to, count)) in std::mem::take(&mut self.missed) {
            let symbol = self.plan.assets[asset].symbol.clone();
            let index = Index::Missed { symbol: symbol.parse().expect("a symbol"), timeframe, from, to };
            let body = Body::Missed(MissedBody {
                recorded_at: now,
                symbol,
                timeframe: timeframe.to_string(),
                from,
                to,
                count,
                reason: "not issued within the grace period".to_owned(),
            });
            self.push(&body, index);
        }
    }

    fn resolve(&mut self, now: Timestamp) {
        let later = self.open.split_off(&now);
        for due in std::mem::replace(&mut self.open, later).into_values().flatten() {
            let (body, index) = self.outcome(&due, now);
            self.push(&body, index);
        }
    }

    fn outcome(&self, due: &Open, now: Timestamp) -> (Body, Index) {
        let Open { reference, timeframe, as_of, forecast, reference_price, .. } = due;
        let (horizon, target_time) = (forecast.horizon, forecast.target_time);
        let asset = &self.plan.assets[due.asset];
        let forecast_seq = reference.seq;
        if asset.kind == AssetKind::Equity && horizon == 3 {
            let reason = "no closed bar came to judge it by".to_owned();
            let body = VoidBody { recorded_at: now, forecast: reference.clone(), horizon, target_time, reason };
            return (Body::Void(body), Index::Void { forecast_seq, horizon });
        }
        let price = price(asset, target_time);
        let change = Unit::LogReturn.between(*reference_price, price);
        let score = score_case(forecast, *reference_price, change, asset.kind);
        let body = Body::Outcome(OutcomeBody {
            recorded_at: now,
            forecast: reference.clone(),
            symbol: asset.symbol.clone(),
            timeframe: timeframe.to_string(),
            horizon,
            as_of: *as_of,
            target_time,
            reference_price: *reference_price,
            price,
            change,
            scores: ScoresBody::from(&score),
            rule: DIRECTION_RULE.to_owned(),
            bar_hash: Hash::of(&price.to_le_bytes()).to_string(),
        });
        (body, Index::Outcome { forecast_seq, horizon, price, score })
    }

    fn issue(&mut self, asset: usize, timeframe: Timeframe, as_of: Timestamp, now: Timestamp) {
        let about = &self.plan.assets[asset];
        let (class, reference_price) = (about.kind.class(), price(about, as_of));
        let horizons: Vec<HorizonForecast> = timeframe
            .horizons()
            .iter()
            .map(|horizon| {
                let target =
                    Calendar::of(class).nth_bar_after(timeframe, as_of, *horizon).expect("within the calendar");
                let quantiles = quantiles(0.01, &about.symbol, as_of, *horizon);
                HorizonForecast {
                    horizon: *horizon,
                    target_time: target.close_time,
                    prob_up: quantiles.prob_above_zero(),
                    quantiles,
                    baseline: self::quantiles(0.012, "baseline", as_of, *horizon),
                    baseline_prob_up: 0.5,
                }
            })
            .collect();
        let index = Index::Forecast {
            symbol: about.symbol.parse().expect("a symbol"),
            timeframe,
            as_of,
            targets: horizons.iter().map(|h| (h.horizon, h.target_time)).collect(),
        };
        let body = forecast_body(about, timeframe, (as_of, now), reference_price, &horizons);
        let reference = self.push(&Body::Forecast(Box::new(body)), index);
        for forecast in horizons {
            let reference = reference.clone();
            let open = Open { reference, asset, timeframe, as_of, reference_price, forecast };
            self.open.entry(open.forecast.target_time).or_default().push(open);
        }
    }
}

fn forecast_body(
    asset: &SampleAsset,
    timeframe: Timeframe,
    (as_of, recorded_at): (Timestamp, Timestamp),
    reference_price: f64,
    horizons: &[HorizonForecast],
) -> ForecastBody {
    ForecastBody {
        recorded_at,
        symbol: asset.symbol.clone(),
        asset_class: asset.kind.class().to_string(),
        timeframe: timeframe.to_string(),
        as_of,
        reference_price,
        unit: Unit::LogReturn.to_string(),
        adjustment: "split".to_owned(),
        data_source: "simulator".to_owned(),
        model: ModelRefBody {
            id: "0123456789abcdef".to_owned(),
            name: "ensemble".to_owned(),
            kind: "boosted".to_owned(),
            feature_set: "v1".to_owned(),
            code_version: "0.1.0".to_owned(),
            trained_at: None,
            trained_through: None,
        },
        data_hash: Hash::of(asset.symbol.as_bytes()).to_string(),
        levels: LEVELS.to_vec(),
        horizons: horizons
            .iter()
            .map(|h| HorizonBody {
                horizon: h.horizon,
                target_time: h.target_time,
                quantiles: h.quantiles.values().to_vec(),
                prob_up: h.prob_up,
                baseline: h.baseline.values().to_vec(),
                baseline_prob_up: h.baseline_prob_up,
            })
            .collect(),
    }
}

fn model(recorded_at: Timestamp) -> Body {
    Body::Model(ModelBody {
        recorded_at,
        decision: "promoted".to_owned(),
        asset_class: AssetClass::Crypto.to_string(),
        timeframe: Timeframe::D1.to_string(),
        model_id: "0123456789abcdef".to_owned(),
        name: "ensemble".to_owned(),
        sha256: Hash::of(b"artefact").to_string(),
        data_hash: Hash::of(b"rows").to_string(),
        trained_through: recorded_at,
        reason: "it beat \"naive\" by 2.1 % (p = 0.003); Δ of coverage within bounds\nsecond line".to_owned(),
    })
}

/// Prices that differ in every digit, but a stablecoin's, which often stands still.
fn price(asset: &SampleAsset, time: Timestamp) -> f64 {
    let noise = noise(&asset.symbol, time, 0);
    match asset.kind {
        AssetKind::Stable => 1.0 + (noise * 2.0).trunc() * 1e-4,
        _ => 100.0 * (0.05 * noise + (time.as_second() as f64 / 5e5).sin() / 10.0).exp(),
    }
}

fn quantiles(scale: f64, name: &str, time: Timestamp, horizon: u32) -> Quantiles {
    const NORMAL: [f64; N_LEVELS] =
        [-1.96, -1.645, -1.282, -0.842, -0.524, -0.253, 0.0, 0.253, 0.524, 0.842, 1.282, 1.645, 1.96];
    let shift = noise(name, time, u64::from(horizon));
    let values = NORMAL.map(|z| scale * f64::from(horizon).sqrt() * (z * (1.0 + 0.2 * shift) + 0.1 * shift));
    Quantiles::rearranged(values).expect("finite numbers")
}

/// A number within -1 and 1 that depends on what it is given, and on nothing else.
fn noise(name: &str, time: Timestamp, salt: u64) -> f64 {
    let digest = Hash::of(format!("{name} {time} {salt}").as_bytes()).0;
    let bits = u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"));
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}
