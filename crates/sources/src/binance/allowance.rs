//! What the exchange allows: weight by the minute, and when it wants to be left alone.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;

/// What may be asked, for a whole source: limits count the address requests come from, whatever host they go to.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Weight in a minute beyond which we wait for the next one: short of the limit, as others may share the address.
    weight_a_minute: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The minute of the exchange's clock that `used` counts.
    minute: i64,
    used: u32,
    left_alone_until: Timestamp,
    /// With which status it said so.
    status: u16,
    /// How many times in a row it asked to be left alone.
    refusals: u32,
}

/// Bans last three days at most.
const LONGEST: Duration = Duration::from_secs(3 * 24 * 3600);

impl Allowance {
    pub(super) fn new(limit: u32) -> Self {
        let state = State { minute: i64::MIN, used: 0, left_alone_until: Timestamp::MIN, status: 429, refusals: 0 };
        Self { weight_a_minute: (limit / 10 * 9).max(1), state: Mutex::new(state) }
    }

    /// When so much weight may be asked for, on the clock; `None` when at once. `ahead` is how far the exchange's clock is
    /// ahead of ours.
    pub(super) fn not_before(&self, now: Timestamp, ahead: SignedDuration, weight: u32) -> Option<Timestamp> {
        let state = self.state();
        if now < state.left_alone_until {
            return Some(state.left_alone_until);
        }
        let full = state.used.saturating_add(weight) > self.weight_a_minute && state.used > 0;
        if full && minute(now, ahead) == state.minute {
            return Some(next_minute(now, ahead));
        }
        None
    }

    /// The failure of asking while the exchange wants to be left alone.
    pub(super) fn left_alone(&self, now: Timestamp, host: &str) -> Option<Failure> {
        let state = self.state();
        let left = state.left_alone_until.duration_since(now);
        left.is_positive().then(|| Failure::Limited {
            host: host.to_owned(),
            status: state.status,
            retry_after: Some(left.unsigned_abs()),
        })
    }

    /// Notes the weight that an answer says was used in the present minute.
    pub(super) fn used(&self, now: Timestamp, ahead: SignedDuration, used: u32) {
        let mut state = self.state();
        let minute = minute(now, ahead);
        // Answers overtake each other.
        state.used = if minute == state.minute { state.used.max(used) } else { used };
        state.minute = minute;
    }

    /// Notes that it answered: later refusals begin with short waits again.
    pub(super) fn served(&self, now: Timestamp) {
        let mut state = self.state();
        if now >= state.left_alone_until {
            state.refusals = 0;
        }
    }

    /// Notes that a limit was broken (429) or that all requests are refused (418), and how long it asked for. Waits grow
    /// while refusals go on; what it asked for is always kept.
    pub(super) fn refused(&self, now: Timestamp, ahead: SignedDuration, status: u16, asked: Option<Duration>) {
        let mut state = self.state();
        // Many requests may be under way when the first is refused: that is one refusal.
        if now >= state.left_alone_until {
            state.refusals = state.refusals.saturating_add(1);
        }
        let doubled = 1_u32 << (state.refusals.saturating_sub(1)).min(12);
        let growing = match status {
            418 => Duration::from_secs(120) * doubled,
            _ => (Duration::from_secs(1) * doubled).min(Duration::from_secs(300)),
        };
        let wait = match (asked, status) {
            (Some(asked), 418) => asked,
            (Some(asked), _) => asked.max(growing),
            // The limit is counted by the minute.
            (None, 429) => growing.max(next_minute(now, ahead).duration_since(now).unsigned_abs()),
            (None, _) => growing,
        };
        state.status = status;
        let wait = SignedDuration::try_from(wait.min(LONGEST)).unwrap_or(SignedDuration::ZERO);
        let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        state.left_alone_until = state.left_alone_until.max(until);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock can panic")
    }
}

fn minute(now: Timestamp, ahead: SignedDuration) -> i64 {
    now.saturating_add(ahead).unwrap_or(now).as_second().div_euclid(60)
}

fn next_minute(now: Timestamp, ahead: SignedDuration) -> Timestamp {
    let there = now.saturating_add(ahead).unwrap_or(now);
    let into = SignedDuration::from_millis(there.as_millisecond().rem_euclid(60_000));
    now.saturating_add(SignedDuration::from_secs(60) - into).unwrap_or(now)
}
