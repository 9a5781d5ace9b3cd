//! The hosts of an exchange, and which of them is asked next.

use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::http::host_of;

/// A host in trouble is passed over for so long; on the clock.
pub(super) const HOST_REST: SignedDuration = SignedDuration::from_mins(2);

/// A host that does not serve this place is not asked for so long: places change, if seldom; on the clock.
const RESTRICTED_REST: SignedDuration = SignedDuration::from_hours(1);

/// Hosts in order of preference. One in trouble is passed over for a while, and asked all the same when all are; one that
/// does not serve this place is not asked for longer.
#[derive(Debug)]
pub(super) struct Hosts {
    urls: Vec<Url>,
    states: Mutex<Vec<State>>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    rests_until: Timestamp,
    restricted_until: Timestamp,
}

impl State {
    const FRESH: Self = Self { rests_until: Timestamp::MIN, restricted_until: Timestamp::MIN };
}

impl Hosts {
    pub(super) fn new(urls: Vec<Url>) -> Self {
        let states = Mutex::new(vec![State::FRESH; urls.len()]);
        Self { urls, states }
    }

    pub(super) fn len(&self) -> usize {
        self.urls.len()
    }

    /// The first that does not rest; when all do, the one that has rested most of its time. `None` when none serves this
    /// place.
    pub(super) fn pick(&self, now: Timestamp) -> Option<(usize, &Url)> {
        let states = self.states();
        let open = states.iter().enumerate().filter(|(_, state)| state.restricted_until <= now);
        let (at, _) = open.min_by_key(|(_, state)| state.rests_until.max(now))?;
        Some((at, &self.urls[at]))
    }

    /// Whether one is left that does not rest.
    pub(super) fn any_awake(&self, now: Timestamp) -> bool {
        self.states().iter().any(|state| state.restricted_until.max(state.rests_until) <= now)
    }

    pub(super) fn rest(&self, at: usize, until: Timestamp) {
        self.states()[at].rests_until = until;
    }

    /// Notes that a host does not serve this place.
    pub(super) fn restrict(&self, at: usize, now: Timestamp) {
        self.states()[at].restricted_until = now.saturating_add(RESTRICTED_REST).unwrap_or(Timestamp::MAX);
    }

    /// All of them, for messages.
    pub(super) fn names(&self) -> String {
        self.urls.iter().map(host_of).collect::<Vec<_>>().join(", ")
    }

    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().expect("no holder of this lock can panic")
    }
}

/// An address under a base that may carry a path prefix.
pub(super) fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}
