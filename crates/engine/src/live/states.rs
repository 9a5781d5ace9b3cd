//! How each source is, as far as its tasks know.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

use crate::views::{Health, SourceStatus};

/// The state of every source that is followed.
#[derive(Debug, Default)]
pub(crate) struct SourceStates(Mutex<BTreeMap<String, State>>);

#[derive(Debug, Default)]
struct State {
    /// When it last gave something.
    last_event: Option<Timestamp>,
    /// Why it does not answer; `None` while it does or was not asked yet.
    trouble: Option<String>,
    /// Why it tells nothing by itself; `None` while it does or never would.
    stream_trouble: Option<String>,
    n_refused: u64,
}

impl SourceStates {
    /// A source will be followed.
    pub(super) fn expect(&self, source: &str) {
        self.states().entry(source.to_owned()).or_default();
    }

    /// It answered. Whether it had not before.
    pub(super) fn answered(&self, source: &str, now: Timestamp) -> bool {
        let mut states = self.states();
        let state = states.entry(source.to_owned()).or_default();
        state.last_event = state.last_event.max(Some(now));
        state.trouble.take().is_some()
    }

    /// It did not answer. Whether it had before.
    pub(super) fn failed(&self, source: &str, reason: String) -> bool {
        let mut states = self.states();
        states.entry(source.to_owned()).or_default().trouble.replace(reason).is_none()
    }

    /// Its stream came (`None`) or went, with the reason. Whether that is new.
    pub(super) fn streams(&self, source: &str, trouble: Option<String>) -> bool {
        let mut states = self.states();
        let state = states.entry(source.to_owned()).or_default();
        let news = state.stream_trouble.is_some() != trouble.is_some();
        state.stream_trouble = trouble;
        news
    }

    /// It told something by itself.
    pub(super) fn told(&self, source: &str, now: Timestamp) {
        if let Some(state) = self.states().get_mut(source) {
            state.last_event = state.last_event.max(Some(now));
        }
    }

    /// It told something that was not understood.
    pub(super) fn refused(&self, source: &str) -> u64 {
        let mut states = self.states();
        let state = states.entry(source.to_owned()).or_default();
        state.n_refused += 1;
        state.n_refused
    }

    /// All that are followed; `None` in the place of a word where the data themselves must tell.
    pub(crate) fn statuses(&self) -> Vec<SourceStatus> {
        let states = self.states();
        let status = |(source, state): (&String, &State)| {
            let (health, mut detail) = match (&state.trouble, &state.stream_trouble, state.last_event) {
                (Some(trouble), _, None) => (Health::Unhealthy, trouble.clone()),
                (Some(trouble), _, Some(_)) => (Health::Degraded, trouble.clone()),
                (None, Some(trouble), _) => (Health::Degraded, format!("no live stream: {trouble}")),
                (None, None, None) => (Health::Degraded, "not heard of yet".to_owned()),
                (None, None, Some(_)) => (Health::Healthy, "delivering".to_owned()),
            };
            if state.n_refused > 0 {
                detail.push_str(&format!("; {} messages were not understood", state.n_refused));
            }
            SourceStatus { source: source.clone(), health, last_event: state.last_event, detail }
        };
        states.iter().map(status).collect()
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}
