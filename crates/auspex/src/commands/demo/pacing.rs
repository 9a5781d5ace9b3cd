//! Who moves the clock: it runs as fast as was asked, and waits for data that are on their way and for the engine's step.

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::live::{Progress, Standing};
use jiff::{SignedDuration, Timestamp};
use market::Clock;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::clock::PacedClock;

/// How far the clock may run past a close before the engine has taken its step: well within every grace.
const SLACK: SignedDuration = SignedDuration::from_mins(2);

/// A bar that is so late is waited for no longer: half of the grace of an hour, and a little.
const PATIENCE: SignedDuration = SignedDuration::from_secs(160);

/// While something is waited for the clock goes on a little with each look: what is tried again is so by the clock.
const CREEP: SignedDuration = SignedDuration::from_millis(1_500);

/// How often it is looked around; real time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Lets time pass until the token is cancelled.
pub(super) async fn run(
    engine: Arc<Engine>,
    clock: Arc<PacedClock>,
    progress: Arc<Progress>,
    token: CancellationToken,
) {
    while !token.is_cancelled() {
        step(&engine).await;
        clock.allow(limit(&progress.standing(), clock.now()));
        tokio::select! {
            () = token.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// How far the clock may run.
fn limit(standing: &Standing, now: Timestamp) -> Timestamp {
    let creep = now + CREEP;
    if !standing.begun || standing.backfilling > 0 {
        return creep;
    }
    match standing.overdue.filter(|close| now < *close + PATIENCE) {
        Some(close) if standing.asking > 0 => (close + SLACK).max(creep),
        Some(close) => creep.max((close + SignedDuration::from_secs(10)).min(close + SLACK)),
        None => standing.next_close.map_or(creep, |close| (close + SLACK).max(creep)),
    }
}

async fn step(engine: &Engine) {
    match engine.run_once().await {
        Ok(step) if step.missed > 0 => info!(
            "{}: {} slots missed, {} forecasts issued, {} horizons scored",
            engine.clock().now(),
            step.missed,
            step.issued,
            step.resolved
        ),
        Ok(step) if step.issued > 0 => {
            info!("{}: {} forecasts issued, {} horizons scored", engine.clock().now(), step.issued, step.resolved);
        }
        Ok(_) => {}
        Err(error) => warn!("a step failed: {:#}", anyhow::Error::from(error)),
    }
}
