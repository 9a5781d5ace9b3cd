//! How much may be asked in a minute, and what happens to those who ask for more.

use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};

use super::refusal::Refusal;

/// Request weight a minute.
const LIMIT: u32 = 6000;

/// Requests over the limit that are answered with 429 before the ban.
const WARNINGS: u32 = 10;

/// The first ban, in seconds; each next one lasts twice as long, up to three days.
const FIRST_BAN: i64 = 120;
const LONGEST_BAN: i64 = 3 * 86_400;

/// What a client over the limit is told.
pub(crate) const TOO_MUCH: &str = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. \
Please use WebSocket Streams for live updates to avoid polling the API.";

/// What a banned client is told; `until` in milliseconds since the epoch.
pub(crate) fn banned_until(until: i64) -> String {
    format!(
        "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to avoid bans."
    )
}

/// What has been used of the limit. All clients of the simulated exchange are one: they share an address.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    /// The clock minute, counted from the epoch.
    minute: i64,
    weight: u32,
    over: u32,
    bans: u32,
    banned_until: Option<Timestamp>,
}

impl Limits {
    /// Spends weight: what has now been used in this minute, and whether that is too much.
    pub(crate) fn spend(&self, weight: u32, now: Timestamp) -> (u32, Result<(), Refusal>) {
        let mut used = self.used();
        let minute = now.as_second().div_euclid(60);
        if used.minute != minute {
            (used.minute, used.weight, used.over) = (minute, 0, 0);
        }
        if let Some(until) = used.banned_until {
            if now < until {
                return (used.weight, Err(banned(until, now)));
            }
            used.banned_until = None;
        }
        used.weight = used.weight.saturating_add(weight);
        if used.weight <= LIMIT {
            return (used.weight, Ok(()));
        }
        used.over += 1;
        if used.over <= WARNINGS {
            let wait = (minute + 1) * 60 - now.as_second();
            return (used.weight, Err(Refusal::TooMuch { retry_after: wait.max(1) }));
        }
        let seconds = FIRST_BAN.saturating_mul(1 << used.bans.min(12)).min(LONGEST_BAN);
        let until = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        used.bans += 1;
        used.banned_until = Some(until);
        (used.weight, Err(banned(until, now)))
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

fn banned(until: Timestamp, now: Timestamp) -> Refusal {
    // Rounded up: who waits so long is not banned any more.
    let wait = until.duration_since(now).as_millis().div_euclid(1000) + 1;
    Refusal::Banned { until: until.as_millisecond(), retry_after: i64::try_from(wait).unwrap_or(i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_refused_and_insisting_is_banned_ever_longer() {
        let start: Timestamp = "2024-06-03T12:00:20Z".parse().unwrap();
        let limits = Limits::default();
        assert_eq!(limits.spend(6000, start), (6000, Ok(())));
        for n in 1..=WARNINGS {
            assert_eq!(limits.spend(1, start), (6000 + n, Err(Refusal::TooMuch { retry_after: 40 })));
        }
        let ban = |now: Timestamp| match limits.spend(1, now).1 {
            Err(Refusal::Banned { until, .. }) => until - now.as_millisecond(),
            other => panic!("{other:?}"),
        };
        assert_eq!(ban(start), 120_000);
        let later = start + SignedDuration::from_secs(119);
        assert_eq!(ban(later), 1_000, "the next minute does not lift the ban");
        let free = start + SignedDuration::from_secs(120);
        assert_eq!(limits.spend(1, free), (1, Ok(())));
        let _ = limits.spend(6000, free);
        (0..WARNINGS).for_each(|_| drop(limits.spend(1, free)));
        assert_eq!(ban(free), 240_000);
    }
}
