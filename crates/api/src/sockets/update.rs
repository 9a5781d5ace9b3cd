//! What streams say: each message made from what the engine holds now.

use std::sync::Arc;
use std::time::Instant;

use ::engine::views::TrackRecord;
use axum::extract::ws::Utf8Bytes;
use jiff::Timestamp;
use market::{Asset, AssetClass, Calendar, Timeframe, Unit};
use storage::ScoreRow;

use super::hub;
use super::message::{
    ChartUpdate, Heading, HistoricalChart, HistoricalData, MarketSummaryUpdate, PastChart, PathChart, RealtimeUpdate,
    TrendsRow, TrendsUpdate,
};
use super::stream::{AssetTopic, Channel, Numbered, Opening, Stream, Topic};
use crate::answers::chart::{BandsAnswer, ChartAnswer};
use crate::answers::forecast::{ForecastParts, last_updated};
use crate::answers::summary::{ClassCounts, SummaryRow};
use crate::answers::trends::{HistoryRow, TrendsChart};
use crate::answers::validation::Validation;
use crate::problem::Problem;
use crate::state::{ApiState, RecordKey};

/// A summary's message holds so many assets at most.
const SUMMARY_ASSETS: u32 = 500;
/// A message about the past shows so many of the newest cases at most.
const RECORD_ROWS: usize = 64;

/// Writes a message once its number is known.
type Write<'a> = Box<dyn FnOnce(u64) -> Utf8Bytes + Send + 'a>;

/// Makes the newest message of a channel and publishes it. One at a time: whoever waits says all that changed meanwhile.
pub(super) async fn say(state: &ApiState, stream: &Stream, channel: Channel) -> Result<(), Problem> {
    let _pen = stream.pen.lock().await;
    // From here on a change asks for another message.
    stream.saying(channel, Instant::now());
    let write = make(state, stream, channel, false).await?;
    stream.publish(channel, write);
    Ok(())
}

/// How things are, for one who comes: with the number of the newest message, and using none up. Those who come within the
/// pause between two messages are told the same.
pub(super) async fn opening(state: &ApiState, stream: &Stream) -> Result<Numbered, Problem> {
    let mut pen = stream.pen.lock().await;
    let (seq, made) = (stream.seq(), Instant::now());
    let pause = state.settings().sockets.coalesce();
    let known = pen.as_ref().filter(|known| known.message.0 == seq && made.duration_since(known.made) < pause);
    if let Some(known) = known {
        return Ok(known.message.clone());
    }
    let write = make(state, stream, hub::opening(&stream.topic), true).await?;
    let message = (seq, write(seq));
    *pen = Some(Opening { message: message.clone(), made });
    Ok(message)
}

async fn make<'a>(
    state: &ApiState,
    stream: &'a Stream,
    channel: Channel,
    is_opening: bool,
) -> Result<Write<'a>, Problem> {
    match (&stream.topic, channel) {
        (Topic::Summary(class), _) => summary(state, stream, *class).await,
        (Topic::Trends(about), _) => trends(state, about).await,
        (Topic::Chart(about), _) => chart(state, stream, about, is_opening).await,
        (Topic::Forecast(about), Channel::Prices) => price(state, about).await,
        (Topic::Forecast(about), Channel::Ledger) => forecast(state, about).await,
    }
}

async fn summary<'a>(state: &ApiState, stream: &'a Stream, class: Option<AssetClass>) -> Result<Write<'a>, Problem> {
    let assets = state.engine().assets();
    let listed = || assets.iter().filter(|asset| class.is_none_or(|class| asset.class() == class));
    let counts = ClassCounts::of(listed());
    let rows = state.summary_rows(class, SUMMARY_ASSETS).await?;
    let event_time = listed()
        .take(SUMMARY_ASSETS as usize)
        .filter_map(|asset| state.quote(asset))
        .map(|quote| quote.event_time)
        .max();
    let class_filter = class.map_or("all", AssetClass::as_str);
    let heading = heading(state, "market_summary_update", None, event_time);
    Ok(Box::new(move |seq| {
        let update_count = stream.count(seq);
        heading.write(seq, &MarketSummaryUpdate { class_filter, assets: rows, update_count, counts })
    }))
}

async fn price<'a>(state: &ApiState, about: &'a AssetTopic) -> Result<Write<'a>, Problem> {
    let asset = state.asset(about.symbol.as_str())?;
    let row = state.summary_row(&asset, about.timeframe).await?;
    let (event_time, last_updated) = times(state, &asset, about.timeframe);
    let update = RealtimeUpdate {
        current_price: row.current_price,
        change_24h: row.change_24h,
        volume: row.volume,
        predicted_price: row.predicted_price,
        forecast_direction: row.forecast_direction,
        confidence: row.confidence,
        predicted_range: row.predicted_range,
        last_updated: last_updated.map(Into::into),
        stale: row.stale,
        data_source: row.data_source,
        reason: row.reason,
    };
    let heading = heading(state, "realtime_update", Some(about), event_time);
    Ok(Box::new(move |seq| heading.write(seq, &update)))
}

async fn forecast<'a>(state: &ApiState, about: &'a AssetTopic) -> Result<Write<'a>, Problem> {
    let asset = state.asset(about.symbol.as_str())?;
    let answer = state.forecast_answer(&asset, about.timeframe).await?;
    let (event_time, _) = times(state, &asset, about.timeframe);
    let heading = heading(state, "forecast_update", Some(about), event_time);
    Ok(Box::new(move |seq| heading.write(seq, &answer.content)))
}

async fn trends<'a>(state: &ApiState, about: &'a AssetTopic) -> Result<Write<'a>, Problem> {
    let asset = state.asset(about.symbol.as_str())?;
    let (record, rows) = newest_cases(state, &asset, about.timeframe).await?;
    let heading = heading(state, "trends_update", Some(about), rows.last().map(|row| row.target_time));
    let update = trends_update(&record, &rows, unit_of(state, about));
    Ok(Box::new(move |seq| heading.write(seq, &update)))
}

/// The record over all time, and its newest cases in the terms of today.
async fn newest_cases(
    state: &ApiState,
    asset: &Asset,
    timeframe: Timeframe,
) -> Result<(Arc<TrackRecord>, Vec<ScoreRow>), Problem> {
    let record = state.record(&RecordKey { symbol: asset.symbol.clone(), timeframe, window: None }).await?;
    let newest = record.rows[record.rows.len().saturating_sub(RECORD_ROWS)..].to_vec();
    let rows = state.in_todays_terms(asset, timeframe, newest).await?;
    Ok((record, rows))
}

fn trends_update(record: &TrackRecord, rows: &[ScoreRow], unit: Unit) -> TrendsUpdate {
    let validation = Validation::of(record);
    let TrendsChart { actual, predicted, timestamps, .. } = TrendsChart::of(rows, unit);
    let history = rows.iter().rev().map(|row| {
        let HistoryRow { date, actual, predicted, result, .. } = HistoryRow::of(row, unit);
        TrendsRow { date, actual, predicted, result }
    });
    TrendsUpdate {
        accuracy: validation.accuracy,
        n: validation.total_predictions,
        ci: validation.ci,
        baseline_accuracy: validation.baseline_accuracy,
        verdict: validation.verdict,
        chart: PastChart { actual, predicted, timestamps },
        history: history.collect(),
        last_updated: rows.last().map(|row| row.target_time.into()),
    }
}

async fn chart<'a>(
    state: &ApiState,
    stream: &'a Stream,
    about: &'a AssetTopic,
    is_opening: bool,
) -> Result<Write<'a>, Problem> {
    let asset = state.asset(about.symbol.as_str())?;
    let row: SummaryRow = state.summary_row(&asset, about.timeframe).await?;
    let (event_time, last_updated) = times(state, &asset, about.timeframe);
    let issued = state.issued(&about.symbol, about.timeframe).ok();
    let n_past = about.timeframe.chart_size().0;
    let bars = state.engine().recent_bars(&about.symbol, about.timeframe, n_past);
    let chart = match &issued {
        Some(issued) => {
            let split_factor = state.split_factor(&asset, about.timeframe, issued.forecast.as_of).await?;
            ChartAnswer::live(&ForecastParts {
                asset: &asset,
                issued,
                split_factor,
                quote: None,
                bars: &bars,
                skill: None,
                stale: false,
                reason: None,
            })
        }
        None => ChartAnswer::of_bars(&bars, asset.class()),
    };
    let next = issued.as_ref().and_then(|issued| match asset.class() {
        AssetClass::Macro => issued.forecast.horizons.first().map(|first| first.target_time),
        class => {
            Calendar::of(class).bar_closing_after(about.timeframe, issued.forecast.as_of).map(|bar| bar.close_time)
        }
    });
    let updated = issued.as_ref().is_some_and(|issued| {
        // To one who comes every forecast is another than the one before.
        if is_opening {
            stream.note_forecast(issued.seq);
        }
        is_opening || stream.is_new_forecast(issued.seq)
    });
    let heading = heading(state, "chart_update", Some(about), event_time);
    Ok(Box::new(move |seq| {
        heading.write(
            seq,
            &ChartUpdate {
                name: row.name,
                forecast_direction: row.forecast_direction,
                confidence: row.confidence,
                predicted_price: row.predicted_price,
                predicted_range: row.predicted_range,
                current_price: row.current_price,
                change_24h: row.change_24h,
                volume: row.volume,
                last_updated: last_updated.map(Into::into),
                chart: PathChart {
                    past: chart.past,
                    future: chart.future,
                    timestamps: chart.timestamps,
                    confidence_bands: BandsAnswer { ..chart.confidence_bands },
                },
                update_count: stream.count(seq),
                data_source: row.data_source,
                prediction_updated: updated,
                next_prediction_update: next.map(Into::into),
                forecast_stable: !updated,
                stale: row.stale,
                reason: row.reason,
            },
        )
    }))
}

/// The recent past of an asset: closes, and what was forecast for them.
pub(crate) async fn historical_data(state: &ApiState, asset: &Asset, about: &AssetTopic) -> HistoricalData {
    // Without the database the closes are still in memory; what was forecast for them is not known then.
    let rows = newest_cases(state, asset, about.timeframe).await.ok().map(|(_, rows)| rows);
    let unit = unit_of(state, about);
    let chart = if asset.class() == AssetClass::Macro {
        let past = rows.map(|rows| TrendsChart::of(&rows, unit));
        past.map_or_else(HistoricalChart::default, |past| HistoricalChart {
            actual: past.actual,
            predicted: past.predicted.into_iter().map(Some).collect(),
            timestamps: past.timestamps,
        })
    } else {
        let bars = state.engine().recent_bars(&about.symbol, about.timeframe, about.timeframe.chart_size().0);
        let forecast_for = |close: Timestamp| {
            let row = rows.as_ref()?.iter().rev().find(|row| row.target_time == close)?;
            Some(unit.apply(row.score.reference_price, row.score.median))
        };
        HistoricalChart {
            actual: bars.iter().map(|bar| bar.close).collect(),
            predicted: bars.iter().map(|bar| forecast_for(bar.close_time)).collect(),
            timestamps: bars.iter().map(|bar| bar.close_time.into()).collect(),
        }
    };
    let (_, last_updated) = times(state, asset, about.timeframe);
    HistoricalData { name: asset.name.clone(), chart, last_updated: last_updated.map(Into::into) }
}

fn unit_of(state: &ApiState, about: &AssetTopic) -> Unit {
    state.engine().issued(&about.symbol, about.timeframe).map_or(Unit::LogReturn, |issued| issued.forecast.unit)
}

/// When the exchange said the newest price, and when anything of the asset changed last.
fn times(state: &ApiState, asset: &Asset, timeframe: Timeframe) -> (Option<Timestamp>, Option<Timestamp>) {
    let quote = state.quote(asset);
    let issued = state.issued(&asset.symbol, timeframe).ok();
    let event_time = quote.as_ref().map(|quote| quote.event_time);
    let updated = issued.map(|issued| last_updated(&issued, quote.as_ref())).or(event_time);
    (event_time, updated)
}

/// The heading of a message made now.
pub(crate) fn heading<'a>(
    state: &ApiState,
    r#type: &'static str,
    about: Option<&'a AssetTopic>,
    event_time: Option<Timestamp>,
) -> Heading<'a> {
    let symbol = about.map(|about| about.symbol.as_str());
    Heading { r#type, symbol, about, event_time, now: state.now(), origin: state.engine().chain().origin() }
}
