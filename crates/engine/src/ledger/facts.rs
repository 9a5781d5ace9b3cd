//! What the rules read of a body. The rest of it is skipped unparsed: reading an export is mostly reading numbers.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use market::forecast::ModelKind;
use market::{Adjustment, AssetClass, AssetKind, Hash, HorizonForecast, LEVELS, N_LEVELS, Quantiles, Timeframe, Unit};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, Visitor};

use crate::body::{ScheduledAsset, ScoresBody};

/// A body, as far as the rules read it.
#[derive(Debug)]
pub(super) enum Facts<'a> {
    Schedule(ScheduleFacts),
    Forecast(ForecastFacts<'a>),
    Outcome(OutcomeFacts<'a>),
    Void(VoidFacts<'a>),
    Missed(MissedFacts<'a>),
    Model(ModelFacts),
    Checkpoint(CheckpointFacts),
}

impl<'a> Facts<'a> {
    pub(super) fn parse(body: &'a str) -> Result<Self, serde_json::Error> {
        // The kind is written first; that it is there once is seen by the shapes below, which hold it too.
        let kind = body.strip_prefix(r#"{"kind":""#).and_then(|rest| rest.split_once('"'));
        let (kind, _) = kind.ok_or_else(|| serde_json::Error::custom("it does not begin with its kind"))?;
        Ok(match kind {
            "schedule" => Self::Schedule(serde_json::from_str(body)?),
            "forecast" => Self::Forecast(serde_json::from_str(body)?),
            "outcome" => Self::Outcome(serde_json::from_str(body)?),
            "void" => Self::Void(serde_json::from_str(body)?),
            "missed" => Self::Missed(serde_json::from_str(body)?),
            "model" => Self::Model(serde_json::from_str(body)?),
            "checkpoint" => Self::Checkpoint(serde_json::from_str(body)?),
            _ => return Err(serde_json::Error::custom("there is no such kind")),
        })
    }

    pub(super) fn recorded_at(&self) -> Timestamp {
        match self {
            Self::Schedule(facts) => facts.recorded_at.0,
            Self::Forecast(facts) => facts.recorded_at.0,
            Self::Outcome(facts) => facts.recorded_at.0,
            Self::Void(facts) => facts.recorded_at.0,
            Self::Missed(facts) => facts.recorded_at.0,
            Self::Model(facts) => facts.recorded_at.0,
            Self::Checkpoint(facts) => facts.recorded_at.0,
        }
    }
}

/// What a first entry says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct FirstFacts {
    pub(super) kind: Option<serde_json::Value>,
    pub(super) chain: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ScheduleFacts {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    pub(super) recorded_at: Instant,
    pub(super) from: Instant,
    pub(super) assets: Vec<ScheduledAsset>,
    pub(super) chain: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ForecastFacts<'a> {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    pub(super) recorded_at: Instant,
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    pub(super) asset_class: Word<AssetClass>,
    pub(super) timeframe: Bar,
    pub(super) as_of: Instant,
    pub(super) reference_price: f64,
    pub(super) unit: Word<Unit>,
    #[serde(rename = "adjustment")]
    _adjustment: Word<Adjustment>,
    pub(super) model: ModelRefFacts,
    #[serde(rename = "data_hash")]
    _data_hash: Digest,
    #[serde(rename = "levels")]
    _levels: Levels,
    pub(super) horizons: Vec<HorizonFacts>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelRefFacts {
    #[serde(rename = "kind")]
    _kind: Word<ModelKind>,
    pub(super) trained_through: Option<Instant>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "RawHorizon")]
pub(super) struct HorizonFacts(pub(super) HorizonForecast);

#[derive(Deserialize)]
struct RawHorizon {
    horizon: u32,
    target_time: Instant,
    quantiles: [f64; N_LEVELS],
    prob_up: f64,
    baseline: [f64; N_LEVELS],
    baseline_prob_up: f64,
}

impl TryFrom<RawHorizon> for HorizonFacts {
    type Error = String;

    fn try_from(raw: RawHorizon) -> Result<Self, String> {
        let quantiles = |values| Quantiles::new(values).map_err(|e| e.to_string());
        if ![raw.prob_up, raw.baseline_prob_up].iter().all(|p| (0.0..=1.0).contains(p)) {
            return Err("a probability is not within 0 and 1".to_owned());
        }
        Ok(Self(HorizonForecast {
            horizon: raw.horizon,
            target_time: raw.target_time.0,
            quantiles: quantiles(raw.quantiles)?,
            prob_up: raw.prob_up,
            baseline: quantiles(raw.baseline)?,
            baseline_prob_up: raw.baseline_prob_up,
        }))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ReferenceFacts<'a> {
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) hash: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OutcomeFacts<'a> {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    pub(super) recorded_at: Instant,
    #[serde(borrow)]
    pub(super) forecast: ReferenceFacts<'a>,
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    pub(super) timeframe: Bar,
    pub(super) horizon: u32,
    pub(super) as_of: Instant,
    pub(super) target_time: Instant,
    pub(super) reference_price: f64,
    pub(super) price: f64,
    pub(super) change: f64,
    pub(super) scores: ScoresBody,
    #[serde(borrow)]
    pub(super) rule: Cow<'a, str>,
    #[serde(rename = "bar_hash")]
    _bar_hash: Digest,
}

#[derive(Debug, Deserialize)]
pub(super) struct VoidFacts<'a> {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    pub(super) recorded_at: Instant,
    #[serde(borrow)]
    pub(super) forecast: ReferenceFacts<'a>,
    pub(super) horizon: u32,
    pub(super) target_time: Instant,
}

#[derive(Debug, Deserialize)]
pub(super) struct MissedFacts<'a> {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    pub(super) recorded_at: Instant,
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    pub(super) timeframe: Bar,
    pub(super) from: Instant,
    pub(super) to: Instant,
    pub(super) count: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelFacts {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    pub(super) recorded_at: Instant,
    #[serde(rename = "decision")]
    _decision: Decision,
    #[serde(rename = "asset_class")]
    _asset_class: Word<AssetClass>,
    #[serde(rename = "timeframe")]
    _timeframe: Bar,
    #[serde(rename = "sha256")]
    _sha256: Digest,
    #[serde(rename = "data_hash")]
    _data_hash: Digest,
    pub(super) trained_through: Instant,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckpointFacts {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    pub(super) recorded_at: Instant,
    pub(super) seq: u64,
    pub(super) hash: Digest,
}

/// An instant as the ledger writes it: `2026-01-05T21:00:00Z`, with a fraction if there is one. Other spellings of the
/// same instant are refused: texts that differ are instants that differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "an instant as the ledger writes it", |text| {
            text.parse().ok().filter(|instant: &Timestamp| instant.to_string() == text).map(Self)
        })
    }
}

/// A canonical timeframe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar(pub(super) Timeframe);

impl<'de> Deserialize<'de> for Bar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a timeframe", |text| Timeframe::ALL.into_iter().find(|t| t.as_str() == text).map(Self))
    }
}

/// A word of a known set, in its one spelling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<T>(pub(super) T);

impl<'de, T: FromStr + fmt::Display> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spelt = |word: &T, text: &str| word.to_string() == text;
        text(deserializer, "a known word", |text| text.parse().ok().filter(|word| spelt(word, text)).map(Self))
    }
}

/// A SHA-256 hash: 64 lower-case hex digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digest(pub(super) Hash);

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a hash of 64 hex digits", |text| text.parse().ok().map(Self))
    }
}

/// What may be decided of a model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Promoted,
    Baseline,
}

/// The thirteen levels.
#[derive(Debug)]
struct Levels;

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match <[f64; N_LEVELS]>::deserialize(deserializer)? {
            LEVELS => Ok(Self),
            _ => Err(D::Error::custom("the levels are not the thirteen of version 1")),
        }
    }
}

/// The kind of a scheduled asset, as far as the direction rule asks.
pub(super) fn kind(word: &str) -> Option<AssetKind> {
    AssetKind::ALL.iter().copied().find(|kind| kind.as_str() == word)
}

fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Text<F>(&'static str, F);

    impl<T, F: FnOnce(&str) -> Option<T>> Visitor<'_> for Text<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            let expected = self.0;
            (self.1)(text).ok_or_else(|| E::custom(format_args!("{text:?} is not {expected}")))
        }
    }

    deserializer.deserialize_str(Text(expected, parse))
}
