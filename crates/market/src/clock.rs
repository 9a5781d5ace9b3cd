//! What time it is: the only door to the system clock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. Everything that happens in time takes it from here, so that replays and demos run on their own clocks.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant. Never decreases.
    fn now(&self) -> Timestamp;

    /// How long one must really wait until this clock shows `instant`; zero when it has passed, `None` when waiting
    /// does not help because this clock is moved by hand.
    fn wait_until(&self, instant: Timestamp) -> Option<Duration>;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        // The system's clock may be set back; what was shown once is not taken back.
        static SHOWN: AtomicI64 = AtomicI64::new(i64::MIN);
        let now = Timestamp::now().as_microsecond();
        let shown = SHOWN.fetch_max(now, Ordering::Relaxed).max(now);
        Timestamp::from_microsecond(shown).expect("the system's clock shows a time jiff knows")
    }

    fn wait_until(&self, instant: Timestamp) -> Option<Duration> {
        Some(positive(instant.duration_since(self.now())))
    }
}

/// A clock that stands until it is moved; for replays and tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock standing at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves to `instant`; an earlier one is ignored, as time does not run backwards.
    pub fn set(&self, instant: Timestamp) {
        let mut now = self.0.lock().expect("no holder of this lock can panic");
        *now = instant.max(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no holder of this lock can panic")
    }

    fn wait_until(&self, instant: Timestamp) -> Option<Duration> {
        (instant <= self.now()).then_some(Duration::ZERO)
    }
}

/// A clock that starts at an instant of its choice and runs `speed` times as fast as real time.
#[derive(Debug)]
pub struct AcceleratedClock {
    start: Timestamp,
    started: Instant,
    speed: f64,
}

impl AcceleratedClock {
    /// A clock showing `start` now. A speed that is not positive and finite is taken as 1.
    #[must_use]
    pub fn new(start: Timestamp, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        Self { start, started: Instant::now(), speed }
    }

    /// Seconds of this clock for each real second.
    #[must_use]
    pub const fn speed(&self) -> f64 {
        self.speed
    }
}

impl Clock for AcceleratedClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::from_secs_f64(self.started.elapsed().as_secs_f64() * self.speed);
        whole_microseconds(self.start.saturating_add(passed).unwrap_or(Timestamp::MAX))
    }

    fn wait_until(&self, instant: Timestamp) -> Option<Duration> {
        Some(positive(instant.duration_since(self.now())).div_f64(self.speed))
    }
}

/// Stored times are whole microseconds: clocks show nothing finer, so that stored and shown times agree.
fn whole_microseconds(instant: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant)
}

fn positive(duration: SignedDuration) -> Duration {
    duration.max(SignedDuration::ZERO).unsigned_abs()
}

#[cfg(test)]
mod tests;
