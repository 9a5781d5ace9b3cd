//! The hub: knows the streams, and turns what happens into messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use ::engine::views::TrackRecord;
use jiff::Timestamp;
use market::{Asset, AssetClass, Calendar, Symbol, Timeframe, Unit};
use storage::{EventKind, Received, Subscription};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::message::{
    ChartUpdate, Heading, HistoricalChart, HistoricalData, MarketSummaryUpdate, PastChart, PathChart, RealtimeUpdate,
    TrendsRow, TrendsUpdate,
};
use super::stream::{AssetTopic, Channel, Stream, Topic, When};
use crate::answers::forecast::{BandsAnswer, ChartAnswer, ForecastParts, last_updated};
use crate::answers::stats::SocketStats;
use crate::answers::summary::{ClassCounts, SummaryRow};
use crate::answers::trends::{HistoryRow, TrendsChart};
use crate::answers::validation::Validation;
use crate::problem::Problem;
use crate::settings::SocketSettings;
use crate::state::ApiState;

/// A summary's message holds so many assets at most.
const SUMMARY_ASSETS: u32 = 500;

/// Knows the streams and counts the connections.
#[derive(Debug)]
pub(crate) struct Hub {
    streams: RwLock<Streams>,
    keep: usize,
    /// Streams that someone came to: they shall say how things are.
    joined: mpsc::Sender<Arc<Stream>>,
    joins: Mutex<Option<mpsc::Receiver<Arc<Stream>>>>,
    permits: Arc<Semaphore>,
    max_connections: usize,
}

/// Streams are made when someone first asks, and stay: there are at most a few for each asset and timeframe.
#[derive(Debug, Default)]
struct Streams {
    of_assets: HashMap<Symbol, Vec<Arc<Stream>>>,
    of_classes: Vec<Arc<Stream>>,
}

impl Hub {
    pub(crate) fn new(settings: &SocketSettings) -> Self {
        let (joined, joins) = mpsc::channel(1024);
        Self {
            streams: RwLock::default(),
            keep: settings.replay_messages,
            joined,
            joins: Mutex::new(Some(joins)),
            permits: Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS))),
            max_connections: settings.max_connections.min(Semaphore::MAX_PERMITS),
        }
    }

    /// Room for one more connection, if there is any.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// The stream of a topic.
    pub(crate) fn stream(&self, topic: &Topic) -> Arc<Stream> {
        let find = |streams: &[Arc<Stream>]| streams.iter().find(|stream| stream.topic == *topic).cloned();
        let in_all = |streams: &Streams| match topic.asset() {
            Some(about) => streams.of_assets.get(&about.symbol).and_then(|streams| find(streams)),
            None => find(&streams.of_classes),
        };
        if let Some(stream) = in_all(&self.streams.read().unwrap_or_else(PoisonError::into_inner)) {
            return stream;
        }
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = in_all(&streams) {
            return stream;
        }
        let stream = Arc::new(Stream::new(topic.clone(), self.keep));
        match topic.asset() {
            Some(about) => streams.of_assets.entry(about.symbol.clone()).or_default().push(Arc::clone(&stream)),
            None => streams.of_classes.push(Arc::clone(&stream)),
        }
        stream
    }

    /// Asks a stream to say how things are.
    pub(crate) async fn announce(&self, stream: Arc<Stream>) {
        // Fails when the hub has ended: then the connection is about to be closed.
        let _ended = self.joined.send(stream).await;
    }

    /// Counts the connections.
    pub(crate) fn stats(&self, now: Timestamp) -> SocketStats {
        let mut stats = SocketStats {
            total_connections: self.n_connections(),
            connections_by_symbol: BTreeMap::new(),
            connections_by_timeframe: BTreeMap::new(),
            timestamp: now.into(),
        };
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.of_assets.values().flatten() {
            let (Some(about), n @ 1..) = (stream.topic.asset(), stream.n_listeners()) else { continue };
            *stats.connections_by_symbol.entry(about.symbol.to_string()).or_default() += n;
            *stats.connections_by_timeframe.entry(about.timeframe.to_string()).or_default() += n;
        }
        stats
    }

    /// How many connections are open.
    pub(crate) fn n_connections(&self) -> usize {
        self.max_connections - self.permits.available_permits()
    }

    /// The streams and channels that an event changes.
    fn touched(
        &self,
        kind: &EventKind,
        class_of: impl Fn(&Symbol) -> Option<AssetClass>,
    ) -> Vec<(Arc<Stream>, Channel)> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        let (symbol, timeframe, of_prices) = match kind {
            EventKind::Tick { symbol, .. } | EventKind::BarClosed { symbol, .. } => (symbol, None, true),
            EventKind::Issued { symbol, timeframe, .. } => (symbol, Some(*timeframe), true),
            EventKind::Scored { symbol, timeframe, .. } => (symbol, Some(*timeframe), false),
            EventKind::ModelChanged { .. } | EventKind::SourceChanged { .. } => return Vec::new(),
        };
        let channel = |topic: &Topic| match (topic, kind) {
            (Topic::Trends(_), EventKind::Scored { .. }) | (Topic::Forecast(_), EventKind::Issued { .. }) => {
                Some(Channel::Ledger)
            }
            (Topic::Trends(_), _) | (_, EventKind::Scored { .. }) => None,
            _ => Some(Channel::Prices),
        };
        let of_asset = streams.of_assets.get(symbol).into_iter().flatten().filter(|stream| {
            let about = stream.topic.asset();
            timeframe.is_none_or(|timeframe| about.is_some_and(|about| about.timeframe == timeframe))
        });
        let class = if streams.of_classes.is_empty() { None } else { class_of(symbol) };
        let of_class = streams
            .of_classes
            .iter()
            .filter(|stream| of_prices && matches!(stream.topic, Topic::Summary(of) if of.is_none() || of == class));
        of_asset.chain(of_class).filter_map(|stream| Some((Arc::clone(stream), channel(&stream.topic)?))).collect()
    }

    fn all(&self) -> Vec<(Arc<Stream>, Channel)> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        let all = streams.of_assets.values().flatten().chain(&streams.of_classes);
        all.map(|stream| (Arc::clone(stream), opening(&stream.topic))).collect()
    }
}

/// The channel that tells someone who comes how things are.
const fn opening(topic: &Topic) -> Channel {
    match topic {
        Topic::Trends(_) => Channel::Ledger,
        Topic::Forecast(_) | Topic::Chart(_) | Topic::Summary(_) => Channel::Prices,
    }
}

/// Follows events until `token` is cancelled.
pub(crate) async fn run(state: &ApiState, mut subscription: Box<dyn Subscription>, token: &CancellationToken) {
    let joins = state.hub().joins.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut joins) = joins else { return };
    let mut speaker = Speaker { state, due: BTreeMap::new(), speaking: JoinSet::new() };
    loop {
        let next = speaker.due.first_key_value().map(|(at, _)| tokio::time::Instant::from_std(*at));
        tokio::select! {
            biased;
            () = token.cancelled() => break,
            () = async { tokio::time::sleep_until(next.expect("checked by the branch")).await }, if next.is_some() => {
                speaker.say_due();
            }
            Some(ended) = speaker.speaking.join_next(), if !speaker.speaking.is_empty() => {
                if let Err(panic) = ended {
                    error!(%panic, "failed to make a message");
                }
            }
            Some(stream) = joins.recv() => {
                let channel = opening(&stream.topic);
                speaker.changed(stream, channel);
            }
            received = subscription.recv() => match received {
                Some(Received::Event(event)) => {
                    state.outdate(&event.kind);
                    let class_of = |symbol: &Symbol| state.engine().asset(symbol).map(|asset| asset.class());
                    for (stream, channel) in state.hub().touched(&event.kind, class_of) {
                        speaker.changed(stream, channel);
                    }
                }
                Some(Received::Lagged(n)) => {
                    warn!(event.count = n, "{n} events came too fast: everything is made anew");
                    state.outdate_all();
                    for (stream, channel) in state.hub().all() {
                        speaker.changed(stream, channel);
                    }
                }
                None => {
                    // Nothing will happen any more, but what there is can still be asked for.
                    token.cancelled().await;
                    break;
                }
            }
        }
    }
    speaker.speaking.shutdown().await;
}

/// Says what changed, not more often than the pause between two messages allows.
struct Speaker<'a> {
    state: &'a ApiState,
    due: BTreeMap<Instant, Vec<(Arc<Stream>, Channel)>>,
    speaking: JoinSet<()>,
}

impl Speaker<'_> {
    fn changed(&mut self, stream: Arc<Stream>, channel: Channel) {
        if stream.n_listeners() == 0 {
            stream.count_unheard();
            return;
        }
        match stream.schedule(channel, self.state.settings().sockets.coalesce(), Instant::now()) {
            When::Now => self.say(stream, channel),
            When::At(at) => self.due.entry(at).or_default().push((stream, channel)),
            When::Scheduled => {}
        }
    }

    fn say_due(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= now) {
            for (stream, channel) in entry.remove() {
                self.say(stream, channel);
            }
        }
    }

    fn say(&mut self, stream: Arc<Stream>, channel: Channel) {
        let state = self.state.clone();
        self.speaking.spawn(async move {
            // From here on a change asks for another message.
            stream.saying(channel, Instant::now());
            if let Err(problem) = say(&state, &stream, channel).await {
                warn!(cause = problem.message(), "failed to make a message");
            }
        });
    }
}

async fn say(state: &ApiState, stream: &Stream, channel: Channel) -> Result<(), Problem> {
    match (&stream.topic, channel) {
        (Topic::Summary(class), _) => say_summary(state, stream, *class).await,
        (Topic::Trends(about), _) => say_trends(state, stream, about).await,
        (Topic::Chart(about), _) => say_chart(state, stream, about).await,
        (Topic::Forecast(about), Channel::Prices) => say_price(state, stream, about).await,
        (Topic::Forecast(about), Channel::Ledger) => say_forecast(state, stream, about).await,
    }
}

async fn say_summary(state: &ApiState, stream: &Stream, class: Option<AssetClass>) -> Result<(), Problem> {
    let assets = state.engine().assets();
    let listed = assets.iter().filter(|asset| class.is_none_or(|class| asset.class() == class));
    let counts = ClassCounts::of(listed);
    let rows = state.summary_rows(class, SUMMARY_ASSETS).await?;
    let class_filter = class.map_or("all", AssetClass::as_str);
    let heading = heading(state, "market_summary_update", None, None);
    stream.publish(Channel::Prices, |seq| {
        heading.write(seq, &MarketSummaryUpdate { class_filter, assets: rows, update_count: seq, counts })
    });
    Ok(())
}

async fn say_price(state: &ApiState, stream: &Stream, about: &AssetTopic) -> Result<(), Problem> {
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
    stream.publish(Channel::Prices, |seq| heading.write(seq, &update));
    Ok(())
}

async fn say_forecast(state: &ApiState, stream: &Stream, about: &AssetTopic) -> Result<(), Problem> {
    let asset = state.asset(about.symbol.as_str())?;
    let answer = state.forecast_answer(&asset, about.timeframe).await?;
    let (event_time, _) = times(state, &asset, about.timeframe);
    let heading = heading(state, "forecast_update", Some(about), event_time);
    stream.publish(Channel::Ledger, |seq| heading.write(seq, &answer.content));
    Ok(())
}

async fn say_trends(state: &ApiState, stream: &Stream, about: &AssetTopic) -> Result<(), Problem> {
    let record = state.record(&about.symbol, about.timeframe).await?;
    let unit = unit_of(state, about);
    let heading = heading(state, "trends_update", Some(about), record.rows.last().map(|row| row.target_time));
    let update = trends_update(&record, unit);
    stream.publish(Channel::Ledger, |seq| heading.write(seq, &update));
    Ok(())
}

fn trends_update(record: &TrackRecord, unit: Unit) -> TrendsUpdate {
    let validation = Validation::of(record);
    let TrendsChart { actual, predicted, timestamps, .. } = TrendsChart::of(&record.rows, unit);
    let history = record.rows.iter().rev().map(|row| {
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
        last_updated: record.rows.last().map(|row| row.target_time.into()),
    }
}

async fn say_chart(state: &ApiState, stream: &Stream, about: &AssetTopic) -> Result<(), Problem> {
    let asset = state.asset(about.symbol.as_str())?;
    let row: SummaryRow = state.summary_row(&asset, about.timeframe).await?;
    let (event_time, last_updated) = times(state, &asset, about.timeframe);
    let issued = state.engine().issued(&about.symbol, about.timeframe).ok();
    let n_past = about.timeframe.chart_size().0;
    let bars = state.engine().recent_bars(&about.symbol, about.timeframe, n_past);
    let chart = match &issued {
        Some(issued) => {
            let split_factor = state.split_factor(&asset, issued.forecast.as_of).await?;
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
    let updated = issued.as_ref().is_some_and(|issued| stream.is_new_forecast(issued.seq));
    let heading = heading(state, "chart_update", Some(about), event_time);
    stream.publish(Channel::Prices, |seq| {
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
                update_count: seq,
                data_source: row.data_source,
                prediction_updated: updated,
                next_prediction_update: next.map(Into::into),
                forecast_stable: !updated,
                stale: row.stale,
                reason: row.reason,
            },
        )
    });
    Ok(())
}

/// The recent past of an asset: closes, and what was forecast for them.
pub(crate) async fn historical_data(state: &ApiState, asset: &Asset, about: &AssetTopic) -> HistoricalData {
    // Without the database the closes are still in memory; what was forecast for them is not known then.
    let record = state.record(&about.symbol, about.timeframe).await.ok();
    let unit = unit_of(state, about);
    let chart = if asset.class() == AssetClass::Macro {
        let past = record.as_ref().map(|record| TrendsChart::of(&record.rows, unit));
        past.map_or_else(HistoricalChart::default, |past| HistoricalChart {
            actual: past.actual,
            predicted: past.predicted.into_iter().map(Some).collect(),
            timestamps: past.timestamps,
        })
    } else {
        let bars = state.engine().recent_bars(&about.symbol, about.timeframe, about.timeframe.chart_size().0);
        let forecast_for = |close: Timestamp| {
            let row = record.as_ref()?.rows.iter().rev().find(|row| row.target_time == close)?;
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
    let issued = state.engine().issued(&asset.symbol, timeframe).ok();
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
