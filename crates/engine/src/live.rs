//! Data come in by themselves: every source is asked and listened to, each by tasks of its own.
//!
//! Of the sources that have an asset the first stands for it; those behind it are asked now and then, so that their
//! closes can be compared, and at once when the first does not tell a bar that is due. What a source tells is stored
//! under its name. [`Live::run`] owns all tasks and starts a task again that has broken off.
//!
//! `roster` says who is asked for what; a `follower` knows where one series stands and what to ask next; a `keeper` is
//! the task that asks and listens for its followers; `reconcile` compares what came with what is stored.

mod follower;
mod keeper;
mod progress;
mod reconcile;
mod roster;
mod states;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use market::{Asset, AssetClass, AssetKind, Symbol, Timeframe};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::engine::Engine;
use crate::error::Result;

pub use progress::{Progress, Standing};
pub use roster::{Provider, Roster};
pub(crate) use states::SourceStates;

use keeper::Keeper;
use roster::{Board, Duty};

/// How much is followed.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Bar lengths that are kept beside those that forecasts are made from, by class.
    pub minutes: Vec<(AssetClass, Timeframe)>,
    /// How far back days are asked for at first.
    pub days_back: SignedDuration,
    /// How far back hours are asked for at first.
    pub hours_back: SignedDuration,
    /// How far back shorter bars are asked for at first.
    pub minutes_back: SignedDuration,
    /// How often macro series are asked for.
    pub releases_every: SignedDuration,
    /// How long after it was due a bar is asked of the next source.
    pub failover_after: SignedDuration,
    /// Closes of two sources that differ by more than this share are noted.
    pub disagreement: f64,
    /// Assets a task follows.
    pub shard_size: usize,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            minutes: vec![(AssetClass::Crypto, Timeframe::M1)],
            days_back: SignedDuration::from_hours(24 * 366 * 20),
            hours_back: SignedDuration::from_hours(24 * 729),
            minutes_back: SignedDuration::from_hours(24),
            releases_every: SignedDuration::from_mins(30),
            failover_after: SignedDuration::from_secs(30),
            disagreement: 0.01,
            shard_size: 200,
        }
    }
}

/// Brings data in until it is told to stop.
#[derive(Debug)]
pub struct Live {
    engine: Arc<Engine>,
    roster: Roster,
    settings: Arc<LiveSettings>,
    board: Arc<Board>,
    progress: Arc<Progress>,
}

/// The tasks of all shards; each gives back what it takes to start it again.
type Tasks = JoinSet<(Provider, Vec<Duty>, usize)>;

/// How often it is looked whether assets were listed; real time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A task that broke off is started again after so long.
const RESTART: Duration = Duration::from_secs(5);

impl Live {
    /// Everything needed to bring data in; nothing is asked yet.
    #[must_use]
    pub fn new(engine: Arc<Engine>, roster: Roster, settings: LiveSettings) -> Self {
        for provider in roster.providers() {
            engine.sources.expect(provider.data.name());
        }
        Self { engine, roster, settings: Arc::new(settings), board: Arc::default(), progress: Arc::default() }
    }

    /// Where it can be seen how far everything is.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Asks and listens until the token is cancelled; then ends what is under way.
    ///
    /// # Errors
    /// As the store's, when the universe cannot be read at the start.
    pub async fn run(self, token: CancellationToken) -> Result<()> {
        self.list_reference_assets().await?;
        let mut followed: HashSet<Symbol> = HashSet::new();
        let mut tasks = JoinSet::new();
        loop {
            // Assets may be listed while this runs.
            let assets = self.engine.assets();
            let new: Vec<Asset> = assets.iter().filter(|asset| !followed.contains(&asset.symbol)).cloned().collect();
            if !new.is_empty() {
                self.follow(&mut tasks, &new, &token);
                followed.extend(new.into_iter().map(|asset| asset.symbol));
            }
            tokio::select! {
                () = token.cancelled() => break,
                Some(ended) = tasks.join_next() => match ended {
                    Ok((provider, shard, place)) => self.spawn(&mut tasks, &provider, shard, place, &token),
                    Err(broken) => error!("a task that follows a source broke off for good: {broken}"),
                },
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
    }

    /// Starts the tasks of some assets.
    fn follow(&self, tasks: &mut Tasks, assets: &[Asset], token: &CancellationToken) {
        for (place, provider) in self.roster.providers().iter().enumerate() {
            let duties = self.roster.duties(place, assets, &self.settings);
            let (name, n_series) = (provider.data.name(), duties.len());
            for shard in shards(duties, self.settings.shard_size) {
                self.spawn(tasks, provider, shard, self.progress.join(), token);
            }
            info!(source = name, "{name} is asked for {n_series} series");
        }
    }

    /// Starts the task of a shard, which tells its progress at `place`. It gives both back when it has broken off.
    fn spawn(&self, tasks: &mut Tasks, provider: &Provider, shard: Vec<Duty>, place: usize, token: &CancellationToken) {
        let (engine, settings, board) = (Arc::clone(&self.engine), Arc::clone(&self.settings), Arc::clone(&self.board));
        let (provider, progress, token) = (provider.clone(), Arc::clone(&self.progress), token.clone());
        tasks.spawn(async move {
            let keeper = Keeper::new(engine, provider.clone(), shard.clone(), settings, board, (progress, place));
            let ended = tokio::spawn(keeper.run(token.clone())).await;
            if !token.is_cancelled() {
                let reason = ended.err().map_or_else(|| "its stream ended".to_owned(), |broken| broken.to_string());
                error!(source = provider.data.name(), "following {} broke off: {reason}", provider.data.name());
                tokio::select! {
                    () = token.cancelled() => {}
                    () = tokio::time::sleep(RESTART) => {}
                }
            }
            (provider, shard, place)
        });
    }

    /// Lists what forecasts read but nobody forecasts: the volatility index, where stocks are followed.
    async fn list_reference_assets(&self) -> Result<()> {
        let assets = self.engine.assets();
        let listed = assets.iter().any(|asset| asset.kind == AssetKind::Index);
        let stocks = assets.iter().any(|asset| asset.class() == AssetClass::Stocks);
        if listed || !stocks {
            return Ok(());
        }
        let vix = Asset {
            symbol: "VIX".parse().expect("it is a symbol"),
            name: "CBOE volatility index".to_owned(),
            kind: AssetKind::Index,
            source_symbol: "^VIX".to_owned(),
            quote: "points".to_owned(),
        };
        self.engine.list(&vix).await
    }
}

/// Duties in parts of so many assets; those of one asset stay together.
fn shards(duties: Vec<Duty>, size: usize) -> Vec<Vec<Duty>> {
    let mut shards: Vec<Vec<Duty>> = Vec::new();
    let mut symbols: Vec<Symbol> = Vec::new();
    for duty in duties {
        let known = symbols.iter().position(|symbol| *symbol == duty.asset.symbol);
        let at = known.unwrap_or_else(|| {
            symbols.push(duty.asset.symbol.clone());
            symbols.len() - 1
        });
        let shard = at / size.max(1);
        if shards.len() <= shard {
            shards.resize_with(shard + 1, Vec::new);
        }
        shards[shard].push(duty);
    }
    shards
}
