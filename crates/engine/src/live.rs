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
mod reconcile;
mod roster;
mod states;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use market::{Asset, AssetClass, AssetKind, Timeframe};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::engine::Engine;
use crate::error::Result;

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
}

/// A task that broke off is started again after so long.
const RESTART: Duration = Duration::from_secs(5);

impl Live {
    /// Everything needed to bring data in; nothing is asked yet.
    #[must_use]
    pub fn new(engine: Arc<Engine>, roster: Roster, settings: LiveSettings) -> Self {
        for provider in roster.providers() {
            engine.sources.expect(provider.data.name());
        }
        Self { engine, roster, settings: Arc::new(settings), board: Arc::default() }
    }

    /// Asks and listens until the token is cancelled; then ends what is under way.
    ///
    /// # Errors
    /// As the store's, when the universe cannot be read at the start.
    pub async fn run(self, token: CancellationToken) -> Result<()> {
        self.list_reference_assets().await?;
        let assets = self.engine.assets();
        let mut tasks = JoinSet::new();
        for (place, provider) in self.roster.providers().iter().enumerate() {
            let duties = self.roster.duties(place, &assets, &self.settings);
            let mut n_shards = 0;
            for shard in shards(duties, self.settings.shard_size) {
                n_shards += 1;
                self.spawn(&mut tasks, provider, shard, &token);
            }
            info!(source = provider.data.name(), "{} is asked by {n_shards} tasks", provider.data.name());
        }
        while let Some(ended) = tasks.join_next().await {
            if token.is_cancelled() {
                continue;
            }
            match ended {
                Ok((provider, shard)) => self.spawn(&mut tasks, &provider, shard, &token),
                Err(broken) => error!("a task that follows a source broke off for good: {broken}"),
            }
        }
        Ok(())
    }

    /// Starts the task of a shard. It gives the shard back when it has broken off.
    fn spawn(
        &self,
        tasks: &mut JoinSet<(Provider, Vec<Duty>)>,
        provider: &Provider,
        shard: Vec<Duty>,
        token: &CancellationToken,
    ) {
        let (engine, settings, board) = (Arc::clone(&self.engine), Arc::clone(&self.settings), Arc::clone(&self.board));
        let (provider, token) = (provider.clone(), token.clone());
        tasks.spawn(async move {
            let keeper = Keeper::new(engine, provider.clone(), shard.clone(), settings, board);
            let ended = tokio::spawn(keeper.run(token.clone())).await;
            if let Err(broken) = ended {
                error!(source = provider.data.name(), "following {} broke off: {broken}", provider.data.name());
                tokio::select! {
                    () = token.cancelled() => {}
                    () = tokio::time::sleep(RESTART) => {}
                }
            }
            (provider, shard)
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
    let mut symbols: Vec<market::Symbol> = Vec::new();
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
