//! Keeping models trained: what has none is trained, each month they are refitted, now and then trained anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use engine::train::{Trained, TrainingJob};
use engine::{Engine, EngineError};
use forecast::ForecastError;
use jiff::{SignedDuration, Timestamp};
use market::{AssetClass, Timeframe};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What came of a training.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is a model.
    Trained(Trained),
    /// There is too little history yet, and why.
    NotEnough(String),
}

/// How long a class that could not be trained waits for more history.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How often it is looked at what is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Trains from scratch.
pub(crate) async fn train(engine: &Engine, class: AssetClass, base: Timeframe) -> Result<Outcome, EngineError> {
    told(engine.train(class, base).await)
}

fn told(trained: Result<Trained, EngineError>) -> Result<Outcome, EngineError> {
    match trained {
        Ok(trained) => Ok(Outcome::Trained(trained)),
        Err(EngineError::Forecast { cause: ForecastError::NotEnoughHistory(reason), .. }) => {
            Ok(Outcome::NotEnough(reason))
        }
        Err(error) => Err(error),
    }
}

/// Trains what is due until the token is cancelled. What fails is tried again a day later, on the engine's clock.
pub(crate) async fn run(engine: Arc<Engine>, token: CancellationToken) {
    let mut not_before: HashMap<(AssetClass, Timeframe), Timestamp> = HashMap::new();
    while !token.is_cancelled() {
        for (class, base) in engine.trainable() {
            let now = engine.clock().now();
            let waits = not_before.get(&(class, base)).is_some_and(|instant| now < *instant);
            let Some(job) = engine.training_due(class, base).filter(|_| !waits && !token.is_cancelled()) else {
                continue;
            };
            info!(
                "training {class} {base} ({})",
                if job == TrainingJob::Train { "from scratch" } else { "linear stages" }
            );
            // Whoever ends does not wait for a training: nothing of it is written before its end.
            let outcome = tokio::select! {
                () = token.cancelled() => return,
                trained = engine.run_training(job, class, base) => told(trained),
            };
            match outcome {
                Ok(Outcome::Trained(_)) => {}
                Ok(Outcome::NotEnough(reason)) => {
                    info!("no model of {class} {base} yet, the baseline is served: {reason}");
                    not_before.insert((class, base), now + AGAIN_AFTER);
                }
                Err(error) => {
                    warn!("training {class} {base} failed: {:#}", anyhow::Error::from(error));
                    not_before.insert((class, base), now + AGAIN_AFTER);
                }
            }
        }
        tokio::select! {
            () = token.cancelled() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
