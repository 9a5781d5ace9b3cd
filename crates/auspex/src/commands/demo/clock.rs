//! A fast clock that waits for whoever cannot keep up.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use market::Clock;

/// Runs `speed` times as fast as real time, but never past the moment it was allowed to: on a slow machine, or while
/// models train, simulated time slows down instead of leaving forecasts behind. Stands until it is first allowed on.
#[derive(Debug)]
pub(super) struct PacedClock {
    speed: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the clock showed at `since`.
    shown: Timestamp,
    since: Instant,
    limit: Timestamp,
}

impl PacedClock {
    /// A clock standing at `start`.
    pub(super) fn new(start: Timestamp, speed: f64) -> Self {
        Self { speed, state: Mutex::new(State { shown: start, since: Instant::now(), limit: start }) }
    }

    pub(super) fn speed(&self) -> f64 {
        self.speed
    }

    /// Lets the clock run through `limit`.
    pub(super) fn allow(&self, limit: Timestamp) {
        let mut state = self.advanced();
        state.limit = limit.max(state.limit);
    }

    /// The state with what is shown brought up to the present.
    fn advanced(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("no holder of this lock can panic");
        let now = Instant::now();
        let passed = SignedDuration::from_secs_f64(now.duration_since(state.since).as_secs_f64() * self.speed);
        let shown = state.shown.saturating_add(passed).unwrap_or(Timestamp::MAX).min(state.limit);
        // Stored times are whole microseconds; what is cut off here is not lost, for it is not counted as passed.
        let shown = Timestamp::from_microsecond(shown.as_microsecond()).unwrap_or(shown);
        if shown > state.shown || shown == state.limit {
            (state.shown, state.since) = (shown, now);
        }
        state
    }
}

impl Clock for PacedClock {
    fn now(&self) -> Timestamp {
        self.advanced().shown
    }

    fn wait_until(&self, instant: Timestamp) -> Option<Duration> {
        let left = instant.duration_since(self.now()).max(SignedDuration::ZERO);
        Some(left.unsigned_abs().div_f64(self.speed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_until_allowed_and_never_passes_its_limit() {
        let start: Timestamp = "2025-01-06T20:30:00Z".parse().unwrap();
        let clock = PacedClock::new(start, 1e9);
        assert_eq!(clock.now(), start);
        let limit = start + SignedDuration::from_hours(1);
        clock.allow(limit);
        // A nanosecond is a simulated second: the hour is over at once.
        while clock.now() < limit {
            std::hint::spin_loop();
        }
        assert_eq!(clock.now(), limit);
        clock.allow(start);
        assert_eq!(clock.now(), limit);
        assert_eq!(clock.wait_until(start), Some(Duration::ZERO));
    }
}
