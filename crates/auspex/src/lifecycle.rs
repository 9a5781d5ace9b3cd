//! How a long-running process lives and ends.
//!
//! Whoever spawns, owns: tasks are known by name, all hear one token. The first signal drains, a second one or the time
//! limit cuts; a task that ends unasked ends the process.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The tasks of a process.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    token: CancellationToken,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    drain_timeout: Duration,
    signals: Signals,
}

impl Lifecycle {
    /// No tasks yet; signals are heard from now on. `drain_timeout` is how long tasks may take to end once asked.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub(crate) fn new(drain_timeout: Duration) -> anyhow::Result<Self> {
        let signals = Signals::new()?;
        Ok(Self { token: CancellationToken::new(), tasks: JoinSet::new(), drain_timeout, signals })
    }

    /// Cancelled when the process should end.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// Starts a task. It must not end before the token is cancelled.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (name, task.await) });
    }

    /// Waits for a signal, for `finished`, or for a task to die, and then for the tasks to end.
    ///
    /// # Errors
    /// When a task failed or ended unasked, or the tasks had to be cut off.
    pub(crate) async fn run(mut self, finished: impl Future<Output = ()>) -> anyhow::Result<()> {
        let unasked = tokio::select! {
            name = self.signals.next() => { info!("{name}: ending what is under way, once more to cut it off"); None }
            () = finished => None,
            ended = self.tasks.join_next() => Some(match ended {
                Some(ended) => outcome(ended).and_then(|name| bail!("{name} ended unasked")),
                None => bail!("there was nothing to do"),
            }),
        };
        self.token.cancel();
        let drained = async {
            let mut first = Ok(());
            while let Some(ended) = self.tasks.join_next().await {
                first = first.and(outcome(ended).map(|_| ()));
            }
            first
        };
        let drained = tokio::select! {
            drained = drained => drained,
            name = self.signals.next() => Err(anyhow!("cut off by {name}")),
            () = tokio::time::sleep(self.drain_timeout) => Err(anyhow!("cut off after {:?}", self.drain_timeout)),
        };
        match (unasked, drained) {
            (Some(Err(error)), Err(later)) => {
                warn!("{later:#}");
                Err(error)
            }
            (Some(unasked), _) => unasked,
            (None, drained) => drained,
        }
    }
}

fn outcome(ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Result<&'static str> {
    let (name, outcome) = ended.context("a task panicked")?;
    outcome.with_context(|| format!("{name} failed"))?;
    Ok(name)
}

/// What asks a process to end.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        #[cfg(unix)]
        let heard = |kind| tokio::signal::unix::signal(kind).context("failed to listen for signals");
        Ok(Self {
            #[cfg(unix)]
            interrupt: heard(tokio::signal::unix::SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: heard(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// The next one, by name.
    pub(crate) async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "terminated",
        }
        #[cfg(not(unix))]
        {
            let _ = tokio::signal::ctrl_c().await;
            "interrupted"
        }
    }
}

/// Cancels the token at the first signal; for commands that end by themselves.
pub(crate) fn cancel_on_signal(token: CancellationToken) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        let name = signals.next().await;
        crate::screen::note(format!("{name}: ending after the step under way, once more to cut it off"));
        token.cancel();
        signals.next().await;
        std::process::exit(130);
    });
    Ok(())
}
