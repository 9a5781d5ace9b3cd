//! The hub: knows the streams, and turns what happens into messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use jiff::Timestamp;
use market::{AssetClass, Symbol};
use storage::{EventKind, Received, Subscription};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::stream::{Channel, Published, Stream, Topic, When};
use super::update::say;
use crate::answers::stats::SocketStats;
use crate::settings::SocketSettings;
use crate::state::ApiState;

/// Knows the streams and counts the connections.
#[derive(Debug)]
pub(crate) struct Hub {
    streams: RwLock<Streams>,
    keep: usize,
    permits: Arc<Semaphore>,
    max_connections: usize,
}

/// Streams are made when someone first asks, and go with the first change that nobody hears.
#[derive(Debug, Default)]
struct Streams {
    of_assets: HashMap<Symbol, Vec<Arc<Stream>>>,
    of_classes: Vec<Arc<Stream>>,
}

impl Streams {
    /// The streams among which one of a topic is.
    fn like(&self, topic: &Topic) -> Option<&[Arc<Stream>]> {
        match topic.asset() {
            Some(about) => self.of_assets.get(&about.symbol).map(Vec::as_slice),
            None => Some(&self.of_classes),
        }
    }
}

impl Hub {
    pub(crate) fn new(settings: &SocketSettings) -> Self {
        Self {
            streams: RwLock::default(),
            keep: settings.replay_messages,
            permits: Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS))),
            max_connections: settings.max_connections.min(Semaphore::MAX_PERMITS),
        }
    }

    /// Room for one more connection, if there is any.
    pub(crate) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// The stream of a topic, listened to from now on.
    pub(crate) fn listen(&self, topic: &Topic, now: Timestamp) -> (Arc<Stream>, watch::Receiver<Published>) {
        let find = |streams: &Streams| {
            let stream = streams.like(topic)?.iter().find(|stream| stream.topic == *topic)?;
            // Under the lock: a stream with a listener is not forgotten.
            Some((Arc::clone(stream), stream.subscribe()))
        };
        if let Some(known) = find(&self.streams.read().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = find(&streams) {
            return known;
        }
        let start = u64::try_from(now.as_microsecond()).unwrap_or_default();
        let stream = Arc::new(Stream::new(topic.clone(), self.keep, start));
        let listener = stream.subscribe();
        match topic.asset() {
            Some(about) => streams.of_assets.entry(about.symbol.clone()).or_default().push(Arc::clone(&stream)),
            None => streams.of_classes.push(Arc::clone(&stream)),
        }
        (stream, listener)
    }

    /// Forgets a stream that nobody listens to: one who comes back starts anew.
    fn forget(&self, stream: &Arc<Stream>) {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let stays = |other: &Arc<Stream>| !Arc::ptr_eq(other, stream) || stream.n_listeners() > 0;
        match stream.topic.asset() {
            None => streams.of_classes.retain(stays),
            Some(about) => {
                let left = streams.of_assets.get_mut(&about.symbol).is_none_or(|of_asset| {
                    of_asset.retain(stays);
                    of_asset.is_empty()
                });
                if left {
                    streams.of_assets.remove(&about.symbol);
                }
            }
        }
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
pub(super) const fn opening(topic: &Topic) -> Channel {
    match topic {
        Topic::Trends(_) => Channel::Ledger,
        Topic::Forecast(_) | Topic::Chart(_) | Topic::Summary(_) => Channel::Prices,
    }
}

/// Follows events until `token` is cancelled.
pub(crate) async fn run(state: &ApiState, mut subscription: Box<dyn Subscription>, token: &CancellationToken) {
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
            received = subscription.recv() => match received {
                Some(Received::Event(event)) => {
                    state.outdate(&event.kind);
                    let class_of = |symbol: &Symbol| state.engine().class(symbol);
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

/// Says what changed, once in each interval.
struct Speaker<'a> {
    state: &'a ApiState,
    due: BTreeMap<Instant, Vec<(Arc<Stream>, Channel)>>,
    speaking: JoinSet<()>,
}

impl Speaker<'_> {
    fn changed(&mut self, stream: Arc<Stream>, channel: Channel) {
        if stream.n_listeners() == 0 {
            self.state.hub().forget(&stream);
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
            if let Err(problem) = say(&state, &stream, channel).await {
                warn!(cause = problem.message(), "failed to make a message");
            }
        });
    }
}
