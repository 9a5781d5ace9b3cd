//! Waiting: by the engine's clock, so that a source speaks to an accelerated market as often as to a real one, measured
//! in that market's time.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use governor::clock::{Clock as _, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{InsufficientCapacity, Quota, RateLimiter};
use jiff::{SignedDuration, Timestamp};
use market::Clock;

use crate::failure::Failure;

/// Waits on the clock. A clock that stands still is looked at again in a moment.
pub async fn sleep(clock: &dyn Clock, duration: Duration) {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    let until = clock.now().saturating_add(duration).unwrap_or(Timestamp::MAX);
    sleep_until(clock, until).await;
}

/// Waits until the clock shows `until`.
pub async fn sleep_until(clock: &dyn Clock, until: Timestamp) {
    while clock.now() < until {
        // A clock may be held: what it says now of the wait is not final.
        let wait = clock.wait_until(until).unwrap_or(LOOK_AGAIN);
        tokio::time::sleep(wait.clamp(Duration::from_millis(1), LONGEST_SLEEP)).await;
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// How often something is tried again, and after which pauses.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How many times it is tried again.
    pub times: usize,
}

impl Patience {
    /// The pauses: doubling, each with jitter.
    pub fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let builder = ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_jitter()
            .with_max_times(self.times);
        builder.build()
    }
}

/// Tries again while the failure may pass; a source that says how long to leave it alone is left alone for so long, when
/// that is no longer than the longest pause.
///
/// # Errors
/// The last failure.
pub async fn retrying<T, F>(clock: &dyn Clock, patience: Patience, mut attempt: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pauses = patience.pauses();
    loop {
        let failure = match attempt().await {
            Ok(value) => return Ok(value),
            Err(failure) if !failure.is_transient() => return Err(failure),
            Err(failure) => failure,
        };
        let Some(pause) = pauses.next() else { return Err(failure) };
        let pause = match failure.retry_after() {
            Some(asked) if asked > patience.longest => return Err(failure),
            Some(asked) => pause.max(asked),
            None => pause,
        };
        sleep(clock, pause).await;
    }
}

/// A budget of requests shared by everyone who asks one vendor: a token bucket on the engine's clock.
#[derive(Clone)]
pub struct Budget {
    limiter: Arc<RateLimiter<NotKeyed, InMemoryState, VendorClock, NoOpMiddleware<Moment>>>,
    clock: Arc<dyn Clock>,
}

impl Budget {
    /// `burst` at once, and then one every `period`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, period: Duration, burst: NonZeroU32) -> Self {
        let period = period.max(Duration::from_nanos(1));
        let quota = Quota::with_period(period).expect("the period is positive").allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(quota, VendorClock(Arc::clone(&clock)));
        Self { limiter: Arc::new(limiter), clock }
    }

    /// Waits until so much may be spent, and spends it. More than the burst is spent as the burst.
    pub async fn spend(&self, cost: NonZeroU32) {
        let mut cost = cost;
        loop {
            match self.limiter.check_n(cost) {
                Ok(Ok(())) => return,
                Ok(Err(not_until)) => {
                    let wait = not_until.wait_time_from(VendorClock(Arc::clone(&self.clock)).now());
                    sleep(&*self.clock, wait).await;
                }
                Err(InsufficientCapacity(burst)) => cost = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
            }
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").finish_non_exhaustive()
    }
}

/// The engine's clock as the limiter reads it.
#[derive(Debug, Clone)]
struct VendorClock(Arc<dyn Clock>);

/// Microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

impl governor::clock::Clock for VendorClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.0.now().as_microsecond()).unwrap_or(0))
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        Duration::from_micros(self.0.saturating_sub(earlier.0)).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        let micros = Duration::from(duration).as_micros();
        Self(self.0.saturating_sub(u64::try_from(micros).unwrap_or(u64::MAX)))
    }
}

impl std::ops::Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        let micros = Duration::from(duration).as_micros();
        Self(self.0.saturating_add(u64::try_from(micros).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_budget_is_spent_by_the_clock() {
        let start: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(market::AcceleratedClock::new(start, 1000.0));
        let budget = Budget::new(Arc::clone(&clock), Duration::from_millis(500), NonZeroU32::new(2).unwrap());
        for _ in 0..6 {
            budget.spend(NonZeroU32::MIN).await;
        }
        let passed = clock.now().duration_since(start);
        assert!(passed >= SignedDuration::from_secs(2), "two at once and four more after 500 ms each: {passed}");
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        let clock = market::AcceleratedClock::new(Timestamp::UNIX_EPOCH, 1000.0);
        let patience = Patience { first: Duration::from_secs(1), longest: Duration::from_secs(5), times: 3 };
        let host = || "example:1".to_owned();
        let mut asked = 0;
        let answer = retrying(&clock, patience, || {
            asked += 1;
            let now = asked;
            async move {
                if now < 3 { Err(Failure::Server { host: host(), status: 503, said: String::new() }) } else { Ok(now) }
            }
        });
        assert_eq!(answer.await.unwrap(), 3);
        let mut asked = 0;
        let answer = retrying(&clock, patience, || {
            asked += 1;
            async { Err::<(), _>(Failure::Restricted { host: host(), said: String::new() }) }
        });
        assert!(matches!(answer.await, Err(Failure::Restricted { .. })));
        assert_eq!(asked, 1);
    }
}
