//! Watches the clock and tells every stream's listeners what is new, each message written once.
//!
//! One task for a whole exchange, which runs as long as anyone listens. Listeners have bounded queues; who does not empty
//! its own is dropped and told so.

mod follow;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::format::TimeUnit;
use super::streams::Named;
use super::venue::Venue;
use follow::{Followed, Moment};

/// Messages a listener may be behind.
pub(crate) const QUEUE: usize = 4096;

/// Klines are not told more often than this in real time, however fast the clock; prices neither, unless more are asked for.
const FLOOR: Duration = Duration::from_millis(50);

/// A message of a stream, shared by its listeners.
#[derive(Debug, Clone)]
pub(crate) struct Message(Arc<Written>);

#[derive(Debug)]
struct Written {
    stream: Arc<str>,
    raw: Utf8Bytes,
    combined: OnceLock<Utf8Bytes>,
}

impl Message {
    pub(crate) fn new(stream: &Arc<str>, raw: String) -> Self {
        Self(Arc::new(Written { stream: Arc::clone(stream), raw: raw.into(), combined: OnceLock::new() }))
    }

    /// The text, wrapped with the stream's name or not.
    pub(crate) fn text(&self, combined: bool) -> Utf8Bytes {
        let Written { stream, raw, combined: wrapped } = &*self.0;
        if !combined {
            return raw.clone();
        }
        wrapped.get_or_init(|| format!(r#"{{"stream":"{stream}","data":{raw}}}"#).into()).clone()
    }
}

/// One end of a socket's queue.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) id: u64,
    pub(crate) queue: mpsc::Sender<Message>,
    /// Set when the queue was full.
    pub(crate) lagged: Arc<AtomicBool>,
}

/// Who listens to what.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<(Arc<str>, TimeUnit), (Followed, Vec<Listener>)>,
    watched: bool,
    last_id: u64,
}

impl Hub {
    /// A number for a new listener.
    pub(crate) fn next_id(&self) -> u64 {
        let mut state = self.state();
        state.last_id += 1;
        state.last_id
    }

    /// Listens to a stream. Must be called within a runtime: the first listener starts the task.
    pub(crate) fn join(venue: &Arc<Venue>, name: &str, named: Named, unit: TimeUnit, listener: &Listener) {
        let mut state = venue.hub.state();
        let name: Arc<str> = name.into();
        let (_, listeners) = state
            .streams
            .entry((Arc::clone(&name), unit))
            .or_insert_with(|| (Followed::new(name, named, unit, venue), Vec::new()));
        if listeners.iter().all(|other| other.id != listener.id) {
            listeners.push(listener.clone());
        }
        if !std::mem::replace(&mut state.watched, true) {
            tokio::spawn(watch(Arc::clone(venue)));
        }
    }

    /// Stops listening to a stream.
    pub(crate) fn leave(&self, name: &str, unit: TimeUnit, id: u64) {
        let mut state = self.state();
        let key = (Arc::from(name), unit);
        if let Some((_, listeners)) = state.streams.get_mut(&key) {
            listeners.retain(|listener| listener.id != id);
            if listeners.is_empty() {
                state.streams.remove(&key);
            }
        }
    }

    /// Stops listening to everything.
    pub(crate) fn leave_all(&self, id: u64) {
        self.state().streams.retain(|_, (_, listeners)| {
            listeners.retain(|listener| listener.id != id);
            !listeners.is_empty()
        });
    }

    /// Tells what is new; false when nobody listens any more.
    fn look(&self, venue: &Venue, pace: &Pace) -> bool {
        let mut state = self.state();
        if state.streams.is_empty() {
            state.watched = false;
            return false;
        }
        let mut moment = Moment::new(venue, pace);
        let mut messages = Vec::new();
        for (followed, listeners) in state.streams.values_mut() {
            followed.look(&mut moment, &mut messages);
            for message in messages.drain(..) {
                listeners.retain(|listener| {
                    let told = listener.queue.try_send(message.clone()).is_ok();
                    if !told {
                        listener.lagged.store(true, Ordering::Relaxed);
                    }
                    told
                });
            }
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

/// How often streams are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two prices, on the exchange's clock.
    ticks: jiff::SignedDuration,
    /// Between two prices at least, in real time.
    tick_floor: Duration,
}

impl Pace {
    fn of(ticks_a_second: f64) -> Self {
        let rate = if ticks_a_second.is_finite() { ticks_a_second.clamp(1.0, 1000.0) } else { 1.0 };
        let period = Duration::from_secs_f64(1.0 / rate);
        let ticks = jiff::SignedDuration::try_from(period).unwrap_or(jiff::SignedDuration::from_secs(1));
        Self { ticks, tick_floor: period.min(FLOOR) }
    }
}

/// Looks at the clock until nobody listens.
async fn watch(venue: Arc<Venue>) {
    let pace = Pace::of(venue.exchange.ticks_a_second);
    let mut looks = tokio::time::interval((pace.tick_floor / 4).max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        looks.tick().await;
        if !venue.hub.look(&venue, &pace) {
            return;
        }
    }
}

/// Whether so much real time has passed since something was last told.
fn rested(last: Option<Instant>, floor: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= floor)
}
