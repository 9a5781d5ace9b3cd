//! Which market is simulated: kept in the home, so that the same goes on when the demo is started again.

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use market::{Asset, ChainId, Origin, universe};
use serde::{Deserialize, Serialize};
use simulator::{Market, Setup};

use crate::cli::Context;
use crate::compose::Opened;

/// When the live feed begins: a Monday, half an hour before New York closes, so that within a simulated evening hours,
/// a session and a day come to their end.
const LIVE_START: &str = "2025-01-06T20:30:00Z";

/// When the live feed of a simulated market begins.
pub(crate) fn live_start() -> anyhow::Result<Timestamp> {
    LIVE_START.parse().context("the start is a time")
}

/// What a home holds changes with the way a demo is made; this one is fed through the vendors' protocols.
const LAYOUT: u32 = 2;

/// What is simulated, and from where on.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    kept: Kept,
    pub(super) chain: ChainId,
    /// Where the clock begins: the start of the live feed, or where the ledger ended.
    pub(super) begin: Timestamp,
    universe: Vec<Asset>,
}

/// `demo.json` in the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    layout: u32,
    seed: u64,
    live_start: Timestamp,
    run_id: String,
    /// The simulated market is another in another version of the code.
    code_version: String,
}

impl Plan {
    /// The plan of a home, made where there is none.
    pub(super) async fn take_up(context: &Context, opened: &Opened, seed: Option<u64>) -> anyhow::Result<Self> {
        let path = context.home.path().join("demo.json");
        let kept = match read(&path)? {
            Some(kept) => kept,
            None if !opened.store.series().await?.is_empty() => {
                bail!("{} holds bars that are not a demo's: choose another --home", context.home.path().display())
            }
            None => {
                let seed = seed.unwrap_or(1);
                let kept = Kept {
                    layout: LAYOUT,
                    seed,
                    live_start: live_start()?,
                    run_id: format!("demo-{seed}"),
                    code_version: env!("CARGO_PKG_VERSION").to_owned(),
                };
                std::fs::write(&path, serde_json::to_string_pretty(&kept)? + "\n")
                    .with_context(|| format!("failed to write {}", path.display()))?;
                kept
            }
        };
        if kept.layout != LAYOUT {
            bail!("the demo in {} is of layout {}, not {LAYOUT}: choose another --home", path.display(), kept.layout);
        }
        if kept.code_version != env!("CARGO_PKG_VERSION") {
            bail!("the demo in {} is of version {}: choose another --home", path.display(), kept.code_version);
        }
        if let Some(seed) = seed.filter(|seed| *seed != kept.seed) {
            bail!("the demo in {} has seed {}, not {seed}: choose another --home", path.display(), kept.seed);
        }
        let chain = ChainId::new(Origin::Simulated, Some(&kept.run_id)).context("demo.json names no run")?;
        let head = opened.store.head(&chain).await?;
        let begin = head.map_or(kept.live_start, |head| head.recorded_at.max(kept.live_start));
        Ok(Self { kept, chain, begin, universe: universe::default_universe() })
    }

    /// The market; walks once through its history.
    pub(super) async fn market(&self) -> anyhow::Result<Market> {
        let setup = Setup::new(self.kept.seed, self.universe.clone(), self.kept.live_start);
        let market =
            tokio::task::spawn_blocking(move || Market::new(setup)).await.context("the simulator broke off")?;
        market.context("failed to simulate a market")
    }
}

fn read(path: &Path) -> anyhow::Result<Option<Kept>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
    };
    serde_json::from_str(&text).map(Some).with_context(|| format!("{} is not what a demo writes", path.display()))
}
