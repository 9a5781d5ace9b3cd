//! Streams: numbered messages, of which every listener gets the newest it has not seen.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use market::{AssetClass, Symbol, Timeframe};
use tokio::sync::watch;

/// What a stream is about. `asked` is the timeframe as clients spelled it, which their messages repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// Prices and forecasts of an asset on a timeframe.
    Forecast(AssetTopic),
    /// Scores of an asset on a timeframe.
    Trends(AssetTopic),
    /// A chart of an asset on a timeframe.
    Chart(AssetTopic),
    /// The summary of a class, or of all.
    Summary(Option<AssetClass>),
}

/// An asset on a timeframe.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AssetTopic {
    pub(crate) symbol: Symbol,
    pub(crate) timeframe: Timeframe,
    pub(crate) asked: Box<str>,
}

impl Topic {
    pub(crate) const fn asset(&self) -> Option<&AssetTopic> {
        match self {
            Self::Forecast(topic) | Self::Trends(topic) | Self::Chart(topic) => Some(topic),
            Self::Summary(_) => None,
        }
    }
}

/// A kind of message within a stream; a newer one replaces an older one of its channel that was not sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// What moves with prices: `realtime_update`, `chart_update`, `market_summary_update`.
    Prices,
    /// What moves with the ledger: `forecast_update`, `trends_update`.
    Ledger,
}

const N_CHANNELS: usize = 2;

/// One numbered message.
pub(crate) type Numbered = (u64, Utf8Bytes);

/// What has been published on a stream.
#[derive(Debug)]
pub(crate) struct Published {
    /// Number of the newest message.
    seq: u64,
    /// The newest message of each channel.
    latest: [Option<Numbered>; N_CHANNELS],
    /// The newest messages of all channels, ascending, for clients that come back.
    kept: VecDeque<Numbered>,
}

impl Published {
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    /// The newest message of each channel that is newer than `seen`, ascending.
    pub(crate) fn newer_than(&self, seen: u64) -> Vec<Numbered> {
        let newer = self.latest.iter().flatten().filter(|(seq, _)| *seq > seen);
        let mut newer: Vec<Numbered> = newer.cloned().collect();
        newer.sort_by_key(|(seq, _)| *seq);
        newer
    }

    /// All messages after `since`, ascending; `None` when not all are kept, or `since` was never reached.
    pub(crate) fn replay(&self, since: u64) -> Option<Vec<Numbered>> {
        if since > self.seq {
            return None;
        }
        let missed: Vec<Numbered> = self.kept.iter().filter(|(seq, _)| *seq > since).cloned().collect();
        (missed.len() as u64 == self.seq - since).then_some(missed)
    }
}

/// A stream and its listeners.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) topic: Topic,
    /// The number before that of the first message.
    start: u64,
    /// Where the intervals begin in which a channel says one message each.
    begun: Instant,
    published: watch::Sender<Published>,
    /// Held while a message is made, so that they are published in the order of what they say. Whoever holds it may hand
    /// out the last opening again.
    pub(crate) pen: tokio::sync::Mutex<Option<Opening>>,
    /// How many messages are kept.
    keep: usize,
    /// When each channel last said something, and whether it is about to.
    timing: Mutex<[Timing; N_CHANNELS]>,
    /// Position in the ledger of the forecast the last chart showed, plus one.
    last_forecast: AtomicU64,
}

/// What one who comes was told last: how things were at a number.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) message: Numbered,
    pub(crate) made: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Timing {
    said: Option<Instant>,
    scheduled: bool,
}

/// When a change is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    At(Instant),
    /// It is scheduled already.
    Scheduled,
}

impl Stream {
    /// A stream whose first message is the one after `start`: the moment it was made in microseconds, so that numbers of
    /// streams that are gone, and of servers before this one, are never taken for its own.
    pub(crate) fn new(topic: Topic, keep: usize, start: u64) -> Self {
        let published = Published { seq: start, latest: Default::default(), kept: VecDeque::new() };
        Self {
            topic,
            start,
            begun: Instant::now(),
            published: watch::Sender::new(published),
            pen: tokio::sync::Mutex::default(),
            keep,
            timing: Mutex::default(),
            last_forecast: AtomicU64::new(0),
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    pub(crate) fn n_listeners(&self) -> usize {
        self.published.receiver_count()
    }

    /// Says a message: `write` is given its number. Nobody waits for slow listeners.
    pub(crate) fn publish(&self, channel: Channel, write: impl FnOnce(u64) -> Utf8Bytes) {
        self.published.send_modify(|published| {
            published.seq += 1;
            let message = (published.seq, write(published.seq));
            if published.kept.len() >= self.keep.max(1) {
                published.kept.pop_front();
            }
            if self.keep > 0 {
                published.kept.push_back(message.clone());
            }
            published.latest[channel as usize] = Some(message);
        });
    }

    /// Number of the newest message.
    pub(crate) fn seq(&self) -> u64 {
        self.published.borrow().seq
    }

    /// How many messages there were up to a number.
    pub(crate) const fn count(&self, seq: u64) -> u64 {
        seq - self.start
    }

    /// When a change of a channel is to be said: at once when nothing was said in this interval, else when it is over.
    ///
    /// Intervals rather than a pause after each message: prices that come as often as they may be said, a little early or
    /// late each, would otherwise wait for the pause after the latest of them, and never catch up.
    pub(crate) fn schedule(&self, channel: Channel, interval: Duration, now: Instant) -> When {
        let mut timing = self.timing.lock().expect("no holder of this lock can panic");
        let timing = &mut timing[channel as usize];
        if timing.scheduled {
            return When::Scheduled;
        }
        timing.scheduled = true;
        let end = self.end_of_interval(interval, now);
        match timing.said {
            Some(said) if said + interval >= end => When::At(end),
            _ => When::Now,
        }
    }

    /// The end of the interval an instant lies in; streams begin theirs at different moments, so that they do not all
    /// speak at once.
    fn end_of_interval(&self, interval: Duration, now: Instant) -> Instant {
        let into = now.duration_since(self.begun).as_nanos().checked_rem(interval.as_nanos()).unwrap_or_default();
        let into = Duration::from_nanos(u64::try_from(into).unwrap_or_default());
        now + (interval - into)
    }

    /// Notes that a channel is saying the newest now: later changes are scheduled anew.
    pub(crate) fn saying(&self, channel: Channel, now: Instant) {
        let mut timing = self.timing.lock().expect("no holder of this lock can panic");
        timing[channel as usize] = Timing { said: Some(now), scheduled: false };
    }

    /// Names a forecast where none was named before.
    pub(crate) fn note_forecast(&self, seq: u64) {
        let _named_before = self.last_forecast.compare_exchange(0, seq + 1, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Whether a forecast is another than the one named before.
    pub(crate) fn is_new_forecast(&self, seq: u64) -> bool {
        self.last_forecast.swap(seq + 1, Ordering::AcqRel) != seq + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(keep: usize) -> Stream {
        Stream::new(Topic::Summary(None), keep, 100)
    }

    fn say(stream: &Stream, channel: Channel) {
        stream.publish(channel, |seq| Utf8Bytes::from(format!("{channel:?} {seq}")));
    }

    fn texts(messages: &[Numbered]) -> Vec<&str> {
        messages.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn a_listener_gets_the_newest_of_each_channel() {
        let stream = stream(16);
        let listener = stream.subscribe();
        say(&stream, Channel::Prices);
        say(&stream, Channel::Ledger);
        say(&stream, Channel::Prices);
        say(&stream, Channel::Prices);
        let published = listener.borrow();
        assert_eq!(texts(&published.newer_than(100)), ["Ledger 102", "Prices 104"]);
        assert_eq!(texts(&published.newer_than(102)), ["Prices 104"]);
        assert!(published.newer_than(104).is_empty());
        assert_eq!(stream.count(published.seq()), 4);
    }

    #[test]
    fn what_was_missed_is_replayed_or_not_at_all() {
        let stream = stream(2);
        (0..4).for_each(|_| say(&stream, Channel::Prices));
        let listener = stream.subscribe();
        let replay = |since| listener.borrow().replay(since).map(|missed| missed.len());
        assert_eq!([100, 101, 102, 103, 104, 105].map(replay), [None, None, Some(2), Some(1), Some(0), None]);
        assert_eq!([0, 4].map(replay), [None, None]);
    }

    #[test]
    fn an_interval_has_one_message_and_its_first_change_is_said_at_once() {
        let (stream, interval) = (stream(0), Duration::from_millis(100));
        let at = |ms| stream.begun + Duration::from_millis(ms);
        let schedule = |channel, ms| stream.schedule(channel, interval, at(ms));
        assert_eq!(schedule(Channel::Prices, 130), When::Now);
        stream.saying(Channel::Prices, at(131));
        assert_eq!(schedule(Channel::Prices, 140), When::At(at(200)));
        assert_eq!(schedule(Channel::Prices, 150), When::Scheduled);
        assert_eq!(schedule(Channel::Ledger, 150), When::Now);
        stream.saying(Channel::Prices, at(200));
        assert_eq!(schedule(Channel::Prices, 201), When::At(at(300)));
        stream.saying(Channel::Prices, at(301));
        // As often as allowed, early and late: none waits for the one before it.
        for ms in [430, 505, 690, 710] {
            assert_eq!(schedule(Channel::Prices, ms), When::Now);
            stream.saying(Channel::Prices, at(ms));
        }
        // Without an interval nothing waits.
        assert_eq!(stream.schedule(Channel::Prices, Duration::ZERO, at(711)), When::Now);
    }
}
