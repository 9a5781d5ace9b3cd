//! The messages of sockets.

use axum::extract::ws::Utf8Bytes;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::stream::AssetTopic;
use crate::answers::chart::BandsAnswer;
use crate::answers::summary::{ClassCounts, SummaryRow};
use crate::time::Time;

/// What every message carries.
#[derive(Debug, Clone, Serialize)]
struct Envelope<'a, B> {
    r#type: &'static str,
    symbol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeframe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeframe_canonical: Option<&'static str>,
    timestamp: Time,
    seq: u64,
    /// Microseconds since the epoch: when the exchange said so.
    event_time: Option<i64>,
    /// Microseconds since the epoch: when it was written.
    sent_time: i64,
    origin: &'static str,
    #[serde(flatten)]
    body: &'a B,
}

/// What a message is about and when it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heading<'a> {
    pub(crate) r#type: &'static str,
    pub(crate) symbol: Option<&'a str>,
    pub(crate) about: Option<&'a AssetTopic>,
    pub(crate) event_time: Option<Timestamp>,
    pub(crate) now: Timestamp,
    pub(crate) origin: market::Origin,
}

impl Heading<'_> {
    /// The message as text.
    pub(crate) fn write(&self, seq: u64, body: &impl Serialize) -> Utf8Bytes {
        let envelope = Envelope {
            r#type: self.r#type,
            symbol: self.symbol,
            timeframe: self.about.map(|about| &*about.asked),
            timeframe_canonical: self.about.map(|about| about.timeframe.as_str()),
            timestamp: self.now.into(),
            seq,
            event_time: self.event_time.map(Timestamp::as_microsecond),
            sent_time: self.now.as_microsecond(),
            origin: self.origin.as_str(),
            body,
        };
        let text = serde_json::to_string(&envelope).expect("messages hold only strings, numbers and lists of them");
        Utf8Bytes::from(text)
    }
}

/// Nothing beside what every message carries: `ping`, `timeframe_changed`, `symbol_changed`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Nothing {}

/// Something the client asked for that cannot be.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) message: String,
    /// The problem's `type`, as in REST.
    pub(crate) problem: &'static str,
}

/// A client asked for what it missed, and it is not all kept.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Resync {
    pub(crate) since: u64,
}

/// A slow client was spared some messages: newer ones replaced them.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Conflated {
    pub(crate) skipped: u64,
}

/// `historical_data`: the recent past, sent when a client comes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HistoricalData {
    /// The asset's name.
    pub name: String,
    /// Closes, and what was forecast for them.
    pub chart: HistoricalChart,
    /// When anything here changed last.
    pub last_updated: Option<Time>,
}

/// Closes, and what was forecast for them, ascending.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct HistoricalChart {
    /// Closes.
    pub actual: Vec<f64>,
    /// The median that was forecast for each, one bar before; `null` where none was.
    pub predicted: Vec<Option<f64>>,
    /// When they closed.
    pub timestamps: Vec<Time>,
}

/// `realtime_update`: the price moved.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RealtimeUpdate {
    /// The newest price known.
    pub current_price: Option<f64>,
    /// Change of the price, percent.
    pub change_24h: Option<f64>,
    /// Volume of the last 24 hours (coins) or session (stocks).
    pub volume: Option<f64>,
    /// The median one bar ahead.
    pub predicted_price: Option<f64>,
    /// `UP`, `DOWN` or `HOLD`.
    pub forecast_direction: Option<&'static str>,
    /// Calibrated probability of the stated direction, percent.
    pub confidence: Option<f64>,
    /// The 80 % interval in words.
    pub predicted_range: Option<String>,
    /// When anything here changed last.
    pub last_updated: Option<Time>,
    /// Whether a newer forecast or price should be here by now.
    pub stale: Option<bool>,
    /// Where the price comes from.
    pub data_source: Option<String>,
    /// Why something is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `trends_update`: a forecast was scored.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrendsUpdate {
    /// Share of right calls, percent; `null` under 30 calls.
    pub accuracy: Option<f64>,
    /// Calls that could be judged.
    pub n: usize,
    /// 95 % interval of `accuracy`.
    pub ci: Option<[f64; 2]>,
    /// What always saying UP reached on the same calls, percent.
    pub baseline_accuracy: Option<f64>,
    /// `better`, `worse`, `no difference` or `not enough evidence`.
    pub verdict: &'static str,
    /// What happened beside what was said.
    pub chart: PastChart,
    /// The newest cases, newest first.
    pub history: Vec<TrendsRow>,
    /// When the newest case matured.
    pub last_updated: Option<Time>,
}

/// What happened beside what was said, ascending.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PastChart {
    /// Prices at the target times.
    pub actual: Vec<f64>,
    /// Medians.
    pub predicted: Vec<f64>,
    /// Target times.
    pub timestamps: Vec<Time>,
}

/// One scored case in short.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrendsRow {
    /// The day of the target time, UTC.
    pub date: String,
    /// The price it was judged by.
    pub actual: f64,
    /// The median.
    pub predicted: f64,
    /// `Hit`, `Miss` or `Hold`; `null` when the price did not change.
    pub result: Option<&'static str>,
}

/// `market_summary_update`: something in the summary moved.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MarketSummaryUpdate {
    /// `crypto`, `stocks`, `macro` or `all`.
    pub class_filter: &'static str,
    /// All assets of the class, in order of listing.
    pub assets: Vec<SummaryRow>,
    /// How many updates of this stream there were.
    pub update_count: u64,
    /// How many assets of each class.
    #[serde(flatten)]
    pub counts: ClassCounts,
}

/// `chart_update`: a bar changed, or the path ahead.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChartUpdate {
    /// The asset's name.
    pub name: String,
    /// `UP`, `DOWN` or `HOLD`.
    pub forecast_direction: Option<&'static str>,
    /// Calibrated probability of the stated direction, percent.
    pub confidence: Option<f64>,
    /// The median one bar ahead.
    pub predicted_price: Option<f64>,
    /// The 80 % interval in words.
    pub predicted_range: Option<String>,
    /// The newest price known.
    pub current_price: Option<f64>,
    /// Change of the price, percent.
    pub change_24h: Option<f64>,
    /// Volume of the last 24 hours (coins) or session (stocks).
    pub volume: Option<f64>,
    /// When anything here changed last.
    pub last_updated: Option<Time>,
    /// Closes and the path ahead.
    pub chart: PathChart,
    /// How many updates of this stream there were.
    pub update_count: u64,
    /// Where the price comes from.
    pub data_source: Option<String>,
    /// Whether the forecast is another than in the update before.
    pub prediction_updated: bool,
    /// When the next forecast is due.
    pub next_prediction_update: Option<Time>,
    /// Whether the forecast is the same as in the update before.
    pub forecast_stable: bool,
    /// Whether a newer forecast or price should be here by now.
    pub stale: Option<bool>,
    /// Why something is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Closes and the path ahead, ascending.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PathChart {
    /// Closes.
    pub past: Vec<f64>,
    /// Medians of the horizons ahead.
    pub future: Vec<f64>,
    /// One for each of `past`, then one for each of `future`.
    pub timestamps: Vec<Time>,
    /// The 80 % interval for each of `future`.
    pub confidence_bands: BandsAnswer,
}
