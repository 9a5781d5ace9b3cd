//! One forecast.

use engine::views::{Issued, Quote};
use jiff::Timestamp;
use market::{Asset, Bar, Direction, HorizonForecast, LEVELS, Quantiles, Unit};
use serde::Serialize;
use utoipa::ToSchema;

use super::chart::ChartAnswer;
use super::price;
use crate::time::Time;

/// The level of the interval that is shown, in percent.
const INTERVAL_PERCENT: u32 = 80;

/// The newest forecast of an asset on a timeframe.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ForecastAnswer {
    /// `forecast`.
    pub r#type: &'static str,
    /// The asset.
    pub symbol: String,
    /// Bar length of the horizons.
    pub timeframe: String,
    /// `live`, `replay` or `simulated`: where the ledger comes from.
    pub origin: &'static str,
    /// What it says.
    #[serde(flatten)]
    pub content: ForecastContent,
}

/// What a forecast says; the headline horizon is one bar of the timeframe ahead.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ForecastContent {
    /// The asset's name.
    pub name: String,
    /// `crypto`, `stocks` or `macro`.
    pub asset_class: &'static str,
    /// `UP`, `DOWN` or `HOLD`, by rule v1.
    pub forecast_direction: &'static str,
    /// Calibrated probability of the stated direction, percent; for `HOLD` the larger of the two.
    pub confidence: f64,
    /// Calibrated probability of a rise, a fraction.
    pub prob_up: f64,
    /// The newest price known.
    pub current_price: Option<f64>,
    /// The median at the headline horizon.
    pub predicted_price: f64,
    /// The 80 % interval in words.
    pub predicted_range: String,
    /// The 80 % interval.
    pub interval: IntervalAnswer,
    /// The distribution at the headline horizon.
    pub quantiles: Vec<QuantileAnswer>,
    /// What prices are quoted in.
    pub quote: String,
    /// Change of the price, percent.
    pub change_24h: Option<f64>,
    /// Against what: `rolling_24h`, `previous_close` or `previous_release`.
    pub change_basis: Option<&'static str>,
    /// Volume of the last 24 hours (coins) or session (stocks).
    pub volume: Option<f64>,
    /// When anything here changed last.
    pub last_updated: Time,
    /// When the forecast was written to the ledger.
    pub issued_at: Time,
    /// The information cut.
    pub as_of: Time,
    /// When the headline horizon matures.
    pub target_time: Time,
    /// Whether a newer forecast or price should be here by now.
    pub stale: bool,
    /// Where the prices come from.
    pub data_source: String,
    /// How the prices are adjusted.
    pub adjustment: &'static str,
    /// The price the forecast starts from: the last close known at `as_of`.
    pub reference_price: f64,
    /// Who made it.
    pub model: ModelAnswer,
    /// What the naive baseline says on the same data.
    pub baseline: BaselineAnswer,
    /// How the forecasts of this asset and timeframe fared until now.
    pub skill: Option<SkillAnswer>,
    /// Its place in the ledger.
    pub ledger: LedgerPlace,
    /// All horizons, ascending.
    pub horizons: Vec<HorizonAnswer>,
    /// What a chart draws.
    pub chart: ChartAnswer,
    /// Why something above is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A central interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct IntervalAnswer {
    /// How probable it is that the price ends within.
    pub level: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One quantile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct QuantileAnswer {
    /// The level.
    pub level: f64,
    /// The price or value.
    pub price: f64,
    /// As log return; `null` where changes are measured in the series' own unit.
    pub log_return: Option<f64>,
    /// As change in the series' own unit; only where that is what is forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
}

/// The model behind a forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelAnswer {
    /// Its id; `/api/models/{id}` tells more unless it is the baseline.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `boosted` (promoted) or `baseline` (served because no model beats it, or none is trained).
    pub kind: &'static str,
    /// When it was trained.
    pub trained_at: Option<Time>,
    /// The latest information it was trained on.
    pub trained_through: Option<Time>,
    /// The feature set it reads.
    pub feature_set: String,
    /// The code that made the forecast.
    pub code_version: String,
}

/// The naive baseline's forecast.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BaselineAnswer {
    /// Its median.
    pub predicted_price: f64,
    /// Its probability of a rise.
    pub prob_up: f64,
    /// Its distribution at the headline horizon.
    pub quantiles: Vec<QuantileAnswer>,
}

/// How forecasts fared against the naive baseline, one bar ahead.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SkillAnswer {
    /// `1 - CRPS / baseline's CRPS`: above zero is better than the baseline.
    pub crps_skill: Option<f64>,
    /// Scored cases.
    pub n: usize,
    /// 95 % interval of the skill.
    pub ci: Option<[f64; 2]>,
    /// `better`, `worse`, `no difference` or `not enough evidence`.
    pub verdict: &'static str,
}

/// A place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerPlace {
    /// The chain.
    pub chain: String,
    /// The entry's id: `/api/ledger/{id}`.
    pub id: String,
    /// Its position.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// One horizon in short.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct HorizonAnswer {
    /// Bars of the timeframe ahead.
    pub horizon: u32,
    /// When it matures.
    pub target_time: Time,
    /// The median.
    pub predicted_price: f64,
    /// Lower end of the 80 % interval.
    pub low: f64,
    /// Upper end of the 80 % interval.
    pub high: f64,
    /// Probability of a rise.
    pub prob_up: f64,
}

/// What a forecast's answer is made from.
#[derive(Debug, Clone, Copy)]
pub struct ForecastParts<'a> {
    /// The asset.
    pub asset: &'a Asset,
    /// The ledger's entry.
    pub issued: &'a Issued,
    /// Brings prices of `as_of` to the terms of today: the splits between.
    pub split_factor: f64,
    /// The newest price.
    pub quote: Option<&'a Quote>,
    /// Closed bars, ascending, in the terms of today.
    pub bars: &'a [Bar],
    /// The track record.
    pub skill: Option<&'a SkillAnswer>,
    /// Whether the forecast is.
    pub stale: bool,
    /// Why something is missing, if anything is.
    pub reason: Option<&'a str>,
}

impl ForecastAnswer {
    /// The answer; `None` for an entry without horizons.
    #[must_use]
    pub fn of(parts: &ForecastParts<'_>) -> Option<Self> {
        let forecast = &parts.issued.forecast;
        Some(Self {
            r#type: "forecast",
            symbol: forecast.symbol.to_string(),
            timeframe: forecast.timeframe.to_string(),
            origin: parts.issued.chain.origin().as_str(),
            content: ForecastContent::of(parts)?,
        })
    }
}

impl ForecastContent {
    /// The answer without its name; `None` for an entry without horizons.
    #[must_use]
    pub fn of(parts: &ForecastParts<'_>) -> Option<Self> {
        let ForecastParts { asset, issued, quote, .. } = *parts;
        let forecast = &issued.forecast;
        let scale = Scale::of(parts);
        let headline = forecast.horizons.first()?;
        let call = Call::of(asset, headline);
        let interval = scale.interval(&headline.quantiles);
        let horizons = forecast.horizons.iter().map(|horizon| {
            let IntervalAnswer { low, high, .. } = scale.interval(&horizon.quantiles);
            HorizonAnswer {
                horizon: horizon.horizon,
                target_time: horizon.target_time.into(),
                predicted_price: scale.price(horizon.quantiles.median()),
                low,
                high,
                prob_up: horizon.prob_up,
            }
        });
        Some(Self {
            name: asset.name.clone(),
            asset_class: forecast.asset_class.as_str(),
            forecast_direction: call.direction.as_str(),
            confidence: call.confidence,
            prob_up: headline.prob_up,
            current_price: quote.map(|quote| quote.price),
            predicted_price: scale.price(headline.quantiles.median()),
            predicted_range: price::range(asset, interval.low, interval.high),
            interval,
            quantiles: scale.quantiles(&headline.quantiles),
            quote: asset.quote.clone(),
            change_24h: quote.and_then(|quote| quote.change_24h),
            change_basis: quote.map(|quote| quote.change_basis.as_str()),
            volume: quote.and_then(|quote| quote.volume),
            last_updated: last_updated(issued, quote).into(),
            issued_at: forecast.issued_at.into(),
            as_of: forecast.as_of.into(),
            target_time: headline.target_time.into(),
            stale: parts.stale || quote.is_some_and(|quote| quote.stale),
            data_source: forecast.data_source.clone(),
            adjustment: forecast.adjustment.as_str(),
            reference_price: scale.price(0.0),
            model: ModelAnswer {
                id: forecast.model.id.clone(),
                name: forecast.model.name.clone(),
                kind: forecast.model.kind.as_str(),
                trained_at: forecast.model.trained_at.map(Time),
                trained_through: forecast.model.trained_through.map(Time),
                feature_set: forecast.model.feature_set.clone(),
                code_version: forecast.model.code_version.clone(),
            },
            baseline: BaselineAnswer {
                predicted_price: scale.price(headline.baseline.median()),
                prob_up: headline.baseline_prob_up,
                quantiles: scale.quantiles(&headline.baseline),
            },
            skill: parts.skill.cloned(),
            ledger: LedgerPlace {
                chain: issued.chain.to_string(),
                id: issued.hash.short(),
                seq: issued.seq,
                hash: issued.hash.to_string(),
            },
            horizons: horizons.collect(),
            chart: ChartAnswer::of(parts),
            reason: reason(parts),
        })
    }
}

/// The call made of a forecast, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// UP, DOWN or HOLD.
    pub direction: Direction,
    /// Percent.
    pub confidence: f64,
}

impl Call {
    /// By rule v1.
    #[must_use]
    pub fn of(asset: &Asset, headline: &HorizonForecast) -> Self {
        let direction = Direction::call(headline.prob_up, asset.kind);
        Self { direction, confidence: direction.confidence(headline.prob_up) }
    }
}

/// Turns the numbers of a forecast into prices in the terms of today.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    unit: Unit,
    reference: f64,
    factor: f64,
}

impl Scale {
    /// The scale of a forecast.
    #[must_use]
    pub fn of(parts: &ForecastParts<'_>) -> Self {
        let forecast = &parts.issued.forecast;
        Self { unit: forecast.unit, reference: forecast.reference_price, factor: parts.split_factor }
    }

    /// The price a number means.
    #[must_use]
    pub fn price(&self, number: f64) -> f64 {
        self.unit.apply(self.reference, number) * self.factor
    }

    /// The central 80 %.
    #[must_use]
    pub fn interval(&self, quantiles: &Quantiles) -> IntervalAnswer {
        let (low, high) = quantiles.interval(INTERVAL_PERCENT).expect("80 % is among the levels");
        IntervalAnswer { level: f64::from(INTERVAL_PERCENT) / 100.0, low: self.price(low), high: self.price(high) }
    }

    fn quantiles(&self, quantiles: &Quantiles) -> Vec<QuantileAnswer> {
        let numbers = LEVELS.iter().zip(quantiles.values());
        numbers
            .map(|(&level, &number)| QuantileAnswer {
                level,
                price: self.price(number),
                log_return: (self.unit == Unit::LogReturn).then_some(number),
                change: (self.unit == Unit::Change).then_some(number),
            })
            .collect()
    }
}

impl SkillAnswer {
    /// What a track record amounts to.
    #[must_use]
    pub fn of(summary: &::forecast::score::TrackRecord) -> Self {
        Self {
            crps_skill: summary.skill,
            n: summary.n,
            ci: summary.skill_interval.map(|interval| [interval.low, interval.high]),
            verdict: summary.verdict.as_str(),
        }
    }
}

/// When anything in a forecast's answer changed last.
#[must_use]
pub fn last_updated(issued: &Issued, quote: Option<&Quote>) -> Timestamp {
    let issued_at = issued.forecast.issued_at;
    quote.map_or(issued_at, |quote| quote.event_time.max(issued_at))
}

fn reason(parts: &ForecastParts<'_>) -> Option<String> {
    if let Some(reason) = parts.reason {
        return Some(reason.to_owned());
    }
    let missing = price::unknown(parts.asset, parts.quote);
    (!missing.is_empty()).then(|| missing.join("; "))
}
