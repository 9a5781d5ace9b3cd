//! The bodies of ledger entries: JSON objects with a `kind`, written once and kept byte for byte.
//!
//! The shapes here are the ledger's format, version 1: fields are added at the end or not at all. `docs/ledger.md`
//! describes them for auditors. Times are RFC 3339 in UTC; floats are the shortest decimal that reads back the same.

use jiff::Timestamp;
use market::forecast::ModelKind;
use market::{
    Adjustment, AssetClass, Direction, Forecast, Hash, HorizonForecast, LEVELS, ModelRef, Quantiles, Score, Symbol,
    Timeframe, Unit,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A body that is not one this version writes.
#[derive(Debug, Error)]
pub enum BodyError {
    /// Not JSON, or not of this shape.
    #[error("not a ledger body: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of the right shape with a value that cannot be.
    #[error("a ledger body with a bad {field}: {reason}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Any body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// The universe and timeframes in force from a moment on.
    Schedule(ScheduleBody),
    /// One forecast.
    Forecast(Box<ForecastBody>),
    /// How a forecast fared at one horizon.
    Outcome(OutcomeBody),
    /// A horizon without a bar to judge it by.
    Void(VoidBody),
    /// Slots without a forecast.
    Missed(MissedBody),
    /// A model promoted or demoted.
    Model(ModelBody),
    /// A published head.
    Checkpoint(CheckpointBody),
}

/// The universe and timeframes in force from `recorded_at` until the next schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleBody {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Slots are the bars that close after this instant.
    pub from: Timestamp,
    /// What is scheduled, in order of listing.
    pub assets: Vec<ScheduledAsset>,
    /// The chain it stands in: a chain's first entry is a schedule, so that an export names its own chain.
    pub chain: String,
}

/// One scheduled asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledAsset {
    /// Its symbol.
    pub symbol: String,
    /// Its class, and through it the calendar.
    pub asset_class: String,
    /// The timeframes it is forecast on. A macro series is due at its releases, which no calendar foretells.
    pub timeframes: Vec<String>,
    /// Its kind: the direction rule makes no call for a `stable`.
    pub kind: String,
}

/// One forecast with all its horizons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastBody {
    /// When it was recorded, which is when it was issued.
    pub recorded_at: Timestamp,
    /// What is forecast.
    pub symbol: String,
    /// Its class.
    pub asset_class: String,
    /// Bar length of the horizons.
    pub timeframe: String,
    /// The information cut.
    pub as_of: Timestamp,
    /// The last close or value known at `as_of`.
    pub reference_price: f64,
    /// `log_return` or `change`.
    pub unit: String,
    /// How the prices are adjusted.
    pub adjustment: String,
    /// Where the bars came from.
    pub data_source: String,
    /// Who made it.
    pub model: ModelRefBody,
    /// SHA-256 over the rows read.
    pub data_hash: String,
    /// The levels of all quantiles below.
    pub levels: Vec<f64>,
    /// One element a horizon, ascending.
    pub horizons: Vec<HorizonBody>,
}

/// The model of a forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRefBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `boosted` or `baseline`.
    pub kind: String,
    /// The feature set it reads.
    pub feature_set: String,
    /// The code that made the forecast.
    pub code_version: String,
    /// When it was trained.
    pub trained_at: Option<Timestamp>,
    /// The latest information it was trained on.
    pub trained_through: Option<Timestamp>,
}

/// One horizon of a forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HorizonBody {
    /// Steps ahead.
    pub horizon: u32,
    /// The close of the bar it is judged on.
    pub target_time: Timestamp,
    /// Quantiles at the levels.
    pub quantiles: Vec<f64>,
    /// Probability of a positive change.
    pub prob_up: f64,
    /// The naive baseline's quantiles.
    pub baseline: Vec<f64>,
    /// The baseline's probability of a positive change.
    pub baseline_prob_up: f64,
}

/// Names an entry of the same chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRef {
    /// Its position.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// How a forecast fared at one horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutcomeBody {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The forecast.
    pub forecast: EntryRef,
    /// Its asset.
    pub symbol: String,
    /// Its timeframe.
    pub timeframe: String,
    /// The horizon.
    pub horizon: u32,
    /// The forecast's information cut.
    pub as_of: Timestamp,
    /// When it matured.
    pub target_time: Timestamp,
    /// The forecast's reference price in the terms of the target time (splits between applied).
    pub reference_price: f64,
    /// The close or value it is judged by.
    pub price: f64,
    /// What happened, in the forecast's unit.
    pub change: f64,
    /// The scores.
    pub scores: ScoresBody,
    /// Version of the rule for calls, hits and ties.
    pub rule: String,
    /// Hash of the bar (or vintage) it is judged by.
    pub bar_hash: String,
}

/// The scores of an outcome; see `docs/ledger.md` for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoresBody {
    /// Continuous ranked probability score in the forecast's unit.
    pub crps: f64,
    /// The baseline's.
    pub crps_baseline: f64,
    /// Mean pinball loss.
    pub pinball: f64,
    /// Squared error of `prob_up`.
    pub brier: Option<f64>,
    /// The baseline's.
    pub brier_baseline: Option<f64>,
    /// Whether the 80 % interval held the outcome.
    pub covered_80: bool,
    /// Whether the 95 % interval held the outcome.
    pub covered_95: bool,
    /// The call.
    pub direction: String,
    /// Whether it was right.
    pub hit: Option<bool>,
    /// Whether the baseline's was.
    pub baseline_hit: Option<bool>,
}

/// A horizon that will never have an outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoidBody {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The forecast.
    pub forecast: EntryRef,
    /// The horizon.
    pub horizon: u32,
    /// When it should have matured.
    pub target_time: Timestamp,
    /// Why there is nothing to judge by.
    pub reason: String,
}

/// Consecutive slots of one asset and timeframe that have no forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissedBody {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The asset.
    pub symbol: String,
    /// The timeframe.
    pub timeframe: String,
    /// Close of the first missed bar.
    pub from: Timestamp,
    /// Close of the last missed bar.
    pub to: Timestamp,
    /// How many slots.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// A model took or lost its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelBody {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// `promoted`, or `baseline` when the naive baseline is served because the model did not pass.
    pub decision: String,
    /// The class it serves.
    pub asset_class: String,
    /// The base timeframe of its bars.
    pub timeframe: String,
    /// Its id.
    pub model_id: String,
    /// Its name.
    pub name: String,
    /// SHA-256 of its artefact.
    pub sha256: String,
    /// Hash of the data it was trained on.
    pub data_hash: String,
    /// The latest information it was trained on.
    pub trained_through: Timestamp,
    /// What the gates found, in words.
    pub reason: String,
}

/// The head as it was published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointBody {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The published head's position.
    pub seq: u64,
    /// The published head's hash.
    pub hash: String,
}

impl Body {
    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> Box<str> {
        serde_json::to_string(self).expect("bodies hold no map keys and no failing types").into_boxed_str()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// When the text is no body of this version.
    pub fn parse(text: &str) -> Result<Self, BodyError> {
        Ok(serde_json::from_str(text)?)
    }

    /// When it was recorded.
    #[must_use]
    pub const fn recorded_at(&self) -> Timestamp {
        match self {
            Self::Schedule(body) => body.recorded_at,
            Self::Forecast(body) => body.recorded_at,
            Self::Outcome(body) => body.recorded_at,
            Self::Void(body) => body.recorded_at,
            Self::Missed(body) => body.recorded_at,
            Self::Model(body) => body.recorded_at,
            Self::Checkpoint(body) => body.recorded_at,
        }
    }
}

impl From<&Forecast> for ForecastBody {
    fn from(forecast: &Forecast) -> Self {
        Self {
            recorded_at: forecast.issued_at,
            symbol: forecast.symbol.to_string(),
            asset_class: forecast.asset_class.to_string(),
            timeframe: forecast.timeframe.to_string(),
            as_of: forecast.as_of,
            reference_price: forecast.reference_price,
            unit: forecast.unit.to_string(),
            adjustment: forecast.adjustment.to_string(),
            data_source: forecast.data_source.clone(),
            model: ModelRefBody {
                id: forecast.model.id.clone(),
                name: forecast.model.name.clone(),
                kind: forecast.model.kind.to_string(),
                feature_set: forecast.model.feature_set.clone(),
                code_version: forecast.model.code_version.clone(),
                trained_at: forecast.model.trained_at,
                trained_through: forecast.model.trained_through,
            },
            data_hash: forecast.data_hash.to_string(),
            levels: LEVELS.to_vec(),
            horizons: forecast
                .horizons
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
}

impl TryFrom<&ForecastBody> for Forecast {
    type Error = BodyError;

    fn try_from(body: &ForecastBody) -> Result<Self, BodyError> {
        if body.levels != LEVELS {
            return Err(bad("levels", "they are not the thirteen of version 1"));
        }
        let horizons = body.horizons.iter().map(horizon_forecast).collect::<Result<_, _>>()?;
        Ok(Self {
            symbol: word("symbol", &body.symbol)?,
            asset_class: word::<AssetClass>("asset_class", &body.asset_class)?,
            timeframe: word::<Timeframe>("timeframe", &body.timeframe)?,
            as_of: body.as_of,
            issued_at: body.recorded_at,
            reference_price: body.reference_price,
            unit: word::<Unit>("unit", &body.unit)?,
            adjustment: word::<Adjustment>("adjustment", &body.adjustment)?,
            data_source: body.data_source.clone(),
            model: ModelRef {
                id: body.model.id.clone(),
                name: body.model.name.clone(),
                kind: word::<ModelKind>("model.kind", &body.model.kind)?,
                feature_set: body.model.feature_set.clone(),
                code_version: body.model.code_version.clone(),
                trained_at: body.model.trained_at,
                trained_through: body.model.trained_through,
            },
            data_hash: word::<Hash>("data_hash", &body.data_hash)?,
            horizons,
        })
    }
}

fn horizon_forecast(body: &HorizonBody) -> Result<HorizonForecast, BodyError> {
    Ok(HorizonForecast {
        horizon: body.horizon,
        target_time: body.target_time,
        quantiles: quantiles("quantiles", &body.quantiles)?,
        prob_up: probability("prob_up", body.prob_up)?,
        baseline: quantiles("baseline", &body.baseline)?,
        baseline_prob_up: probability("baseline_prob_up", body.baseline_prob_up)?,
    })
}

impl From<&Score> for ScoresBody {
    fn from(score: &Score) -> Self {
        Self {
            crps: score.crps,
            crps_baseline: score.crps_baseline,
            pinball: score.pinball,
            brier: score.brier,
            brier_baseline: score.brier_baseline,
            covered_80: score.covered_80,
            covered_95: score.covered_95,
            direction: score.direction.to_string(),
            hit: score.hit,
            baseline_hit: score.baseline_hit,
        }
    }
}

impl ScoresBody {
    /// The call.
    ///
    /// # Errors
    /// When the word is none of UP, DOWN, HOLD.
    pub fn direction(&self) -> Result<Direction, BodyError> {
        word("direction", &self.direction)
    }
}

/// Reads a word of a body into its type.
pub(crate) fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: &str,
) -> Result<T, BodyError> {
    text.parse().map_err(|e: T::Err| bad(field, e))
}

/// Reads a symbol of a body.
///
/// # Errors
/// When it is none.
pub fn symbol(text: &str) -> Result<Symbol, BodyError> {
    word("symbol", text)
}

fn quantiles(field: &'static str, values: &[f64]) -> Result<Quantiles, BodyError> {
    let values = values.try_into().map_err(|_| bad(field, "there are not thirteen"))?;
    Quantiles::new(values).map_err(|e| bad(field, e))
}

fn probability(field: &'static str, value: f64) -> Result<f64, BodyError> {
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(bad(field, format!("{value} is not within 0 and 1"))) }
}

fn bad(field: &'static str, reason: impl std::fmt::Display) -> BodyError {
    BodyError::Value { field, reason: reason.to_string() }
}
