//! What a chart draws: closes, the path ahead and its band.

use jiff::Timestamp;
use market::quantile::MEDIAN;
use market::{AssetClass, Bar, HorizonForecast};
use serde::Serialize;
use utoipa::ToSchema;

use super::forecast::{ForecastParts, Scale};
use crate::time::Time;

/// What a chart draws.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChartAnswer {
    /// Closes up to `as_of`, ascending.
    pub past: Vec<f64>,
    /// Medians of the horizons ahead, ascending.
    pub future: Vec<f64>,
    /// One for each of `past`, then one for each of `future`: the instants they close at.
    pub timestamps: Vec<Time>,
    /// The 80 % interval for each of `future`.
    pub confidence_bands: BandsAnswer,
    /// The bars of `past`.
    pub candles: Vec<CandleAnswer>,
}

/// An interval along a path.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BandsAnswer {
    /// Lower ends.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
}

/// One bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct CandleAnswer {
    /// When it opened.
    pub time: Time,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume; `null` for macro series.
    pub volume: Option<f64>,
}

impl ChartAnswer {
    /// The last bars up to `as_of` and the path ahead, as many as a chart of the timeframe shows.
    #[must_use]
    pub fn of(parts: &ForecastParts<'_>) -> Self {
        let upto = parts.bars.partition_point(|bar| bar.close_time <= parts.issued.forecast.as_of);
        Self::with_past(parts, &parts.bars[..upto], Timestamp::MIN)
    }

    /// The last bars up to now, and of the path ahead what lies ahead of them.
    #[must_use]
    pub fn live(parts: &ForecastParts<'_>) -> Self {
        let last = parts.bars.last().map_or(Timestamp::MIN, |bar| bar.close_time);
        Self::with_past(parts, parts.bars, last)
    }

    /// Bars without a path ahead.
    #[must_use]
    pub fn of_bars(bars: &[Bar], class: AssetClass) -> Self {
        Self {
            past: bars.iter().map(|bar| bar.close).collect(),
            future: Vec::new(),
            timestamps: bars.iter().map(|bar| bar.close_time.into()).collect(),
            confidence_bands: BandsAnswer { lower: Vec::new(), upper: Vec::new() },
            candles: bars.iter().map(|bar| CandleAnswer::of(bar, class)).collect(),
        }
    }

    fn with_past(parts: &ForecastParts<'_>, past: &[Bar], after: Timestamp) -> Self {
        let forecast = &parts.issued.forecast;
        let (n_past, n_future) = forecast.timeframe.chart_size();
        let past = &past[past.len().saturating_sub(n_past)..];
        let ahead = forecast.horizons.iter().filter(|horizon| horizon.target_time > after);
        let path: Vec<&HorizonForecast> = ahead.filter(|horizon| horizon.horizon as usize <= n_future).collect();
        let scale = Scale::of(parts);
        let bands = path.iter().map(|horizon| scale.interval(&horizon.quantiles));
        let (lower, upper) = bands.map(|band| (band.low, band.high)).unzip();
        let timestamps = past.iter().map(|bar| bar.close_time).chain(path.iter().map(|horizon| horizon.target_time));
        Self {
            past: past.iter().map(|bar| bar.close).collect(),
            future: path.iter().map(|horizon| scale.price(horizon.quantiles.values()[MEDIAN])).collect(),
            timestamps: timestamps.map(Time).collect(),
            confidence_bands: BandsAnswer { lower, upper },
            candles: past.iter().map(|bar| CandleAnswer::of(bar, forecast.asset_class)).collect(),
        }
    }
}

impl CandleAnswer {
    /// A bar of a class.
    #[must_use]
    pub fn of(bar: &Bar, class: AssetClass) -> Self {
        Self {
            time: bar.open_time.into(),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: (class != AssetClass::Macro).then_some(bar.volume),
        }
    }
}
