//! The composition root: the only place that knows every concrete type.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use engine::Engine;
use market::{Asset, ChainId, Clock, Origin, SystemClock};
use storage::{ChainInfo, Events, LocalEvents, SqliteStore, Store};

use crate::cli::{Context, Usage, usage};

/// The store of a home with the assets it knows.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) assets: Vec<Asset>,
}

/// How far behind a listener may be before it loses events: some seconds of ticks of every asset.
const EVENTS: usize = 4096;

impl Context {
    /// Where the database is.
    pub(crate) fn database_path(&self) -> anyhow::Result<PathBuf> {
        let path = self.settings.storage.path().map_err(Usage)?;
        Ok(path.unwrap_or_else(|| self.home.database_path()))
    }

    /// Opens the home's store, and makes both where they are not there yet. A new home knows the default universe.
    pub(crate) async fn open(&self) -> anyhow::Result<Opened> {
        self.home.create()?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&self.database_path()?).await?);
        let mut assets = store.assets().await?;
        if assets.is_empty() {
            assets = market::universe::default_universe();
            store.put_assets(&assets).await.context("failed to store the default universe")?;
        }
        Ok(Opened { store, assets })
    }

    /// Opens the home's store, which must be there.
    pub(crate) async fn open_existing(&self) -> anyhow::Result<Opened> {
        let path = self.database_path()?;
        if !path.exists() {
            bail!(
                "there is no database at {}: import something first (`auspex import bars PATH`), see it all at once with \
                 `auspex demo`, or say where with --home",
                path.display()
            );
        }
        self.open().await
    }

    /// Opens the engine on a chain.
    pub(crate) async fn engine(
        &self,
        opened: &Opened,
        chain: ChainId,
        clock: Arc<dyn Clock>,
        adapt: impl FnOnce(&mut engine::Settings),
    ) -> anyhow::Result<Engine> {
        let mut settings = self.settings.engine(chain);
        for text in &self.settings.engine.symbols {
            settings.symbols.push(opened.asset(text)?.symbol.clone());
        }
        adapt(&mut settings);
        let engine = Engine::open(Arc::clone(&opened.store), events(), clock, settings).await;
        engine.context("failed to open the engine")
    }
}

impl Opened {
    /// An asset by either spelling.
    pub(crate) fn asset(&self, text: &str) -> anyhow::Result<&Asset> {
        let named = |asset: &&Asset| {
            text.eq_ignore_ascii_case(asset.symbol.as_str()) || text.eq_ignore_ascii_case(&asset.source_symbol)
        };
        match self.assets.iter().find(named) {
            Some(asset) => Ok(asset),
            None => usage(format!("{text} is not in the universe of this home")),
        }
    }

    /// Assets by either spelling, in the order asked; none twice.
    pub(crate) fn assets_named(&self, texts: &[String]) -> anyhow::Result<Vec<&Asset>> {
        let mut assets: Vec<&Asset> = Vec::with_capacity(texts.len());
        for text in texts {
            let asset = self.asset(text)?;
            if !assets.contains(&asset) {
                assets.push(asset);
            }
        }
        Ok(assets)
    }

    /// The chain that is meant: the one of `origin` and `run` (the latest run when not said); without an origin the live
    /// chain, else the only one there is.
    pub(crate) async fn chain(&self, origin: Option<Origin>, run: Option<&str>) -> anyhow::Result<ChainInfo> {
        let chains = self.store.chains().await?;
        let names = || {
            let names: Vec<String> = chains.iter().map(|info| info.chain.to_string()).collect();
            match names.is_empty() {
                true => "this home has no ledger yet".to_owned(),
                false => format!("this home has {}", names.join(", ")),
            }
        };
        if origin.is_none() && run.is_some() {
            return usage("--run needs --origin replay or --origin simulated");
        }
        if origin == Some(Origin::Live) && run.is_some() {
            return usage("the live chain has no runs");
        }
        let mut meant = chains.iter().rev().filter(|info| {
            origin.is_none_or(|origin| info.chain.origin() == origin)
                && run.is_none_or(|run| info.chain.run_id() == Some(run))
        });
        match origin {
            Some(origin) => match meant.next() {
                Some(info) => Ok(info.clone()),
                None => bail!(
                    "there is no {origin} ledger{}: {}",
                    run.map(|r| format!(" {r}")).unwrap_or_default(),
                    names()
                ),
            },
            None if chains.is_empty() => bail!("{}", names()),
            None => match (chains.iter().find(|info| info.chain.origin() == Origin::Live), chains.as_slice()) {
                (Some(live), _) => Ok(live.clone()),
                (None, [only]) => Ok(only.clone()),
                (None, _) => usage(format!("which ledger? {}; say --origin and --run", names())),
            },
        }
    }
}

/// The machine's clock.
pub(crate) fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn events() -> Arc<dyn Events> {
    Arc::new(LocalEvents::new(EVENTS))
}
