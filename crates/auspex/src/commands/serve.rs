//! `auspex serve`: REST and WebSocket over one home.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use engine::Engine;
use engine::live::Live;
use engine::views::{Health, SourceStatus};
use market::Origin;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::Context;
use crate::compose::Opened;
use crate::feeds::{self, Feeds};
use crate::lifecycle::Lifecycle;
use crate::upkeep;

const EXAMPLES: &str = "\
Examples:
  auspex serve
  auspex serve --port 9000 --host 0.0.0.0
  PORT=9000 AUSPEX__LOG__FORMAT=json auspex serve

Asks the sources that are enabled ([sources] of the settings) for history and follows them;
without network it serves what is stored, marked stale, and goes on asking. Rows imported by
another process meanwhile are taken up within seconds. Models are trained in the background
where there is none, and refitted with each month. Addresses that lead to a simulated market
(`auspex simulate`) make a simulated ledger. The first interrupt ends what is under way, a
second one cuts it off.";

/// What `serve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The address to listen on [default: server.host, 127.0.0.1]
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// The port; 0 for any that is free [default: server.port, 8000]
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

pub(crate) async fn run(_args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let lock = context.home.lock()?;
    let listener = listen(&context)?;
    let address = listener.local_addr().context("failed to read the port")?;
    for name in &context.settings.unused {
        info!("{name} is set, and has no effect in this version");
    }
    // Migrating and reading a large home takes a while: until then requests are told to come back.
    let opening = async {
        let opened = context.open().await?;
        let feeds = Feeds::find(&context.settings.sources).await?;
        refuse_other_market(&opened, &feeds).await?;
        refuse_past(&opened, &feeds).await?;
        let engine = context.engine(&opened, feeds.chain.clone(), Arc::clone(&feeds.clock), |_| ()).await?;
        anyhow::Ok((opened, feeds, Arc::new(engine)))
    };
    let (opened, feeds, engine) = api::serve_while(&listener, &context.settings.api, opening).await?;
    let roster = feeds.roster(&context.settings.sources)?;
    let live = (!roster.is_empty()).then(|| feeds::live_settings(&context.settings.sources)).transpose()?;
    let live = live.map(|settings| Live::new(Arc::clone(&engine), roster, settings));
    info!("serving {} at {}", context.home.path().display(), url(address));
    if let Some(next) = engine.status().first_run {
        info!("this home is empty: {next}");
    }
    let mut lifecycle = lifecycle(&context)?;
    spawn_api(&mut lifecycle, listener, &engine, &context);
    let token = lifecycle.token();
    lifecycle.spawn("the engine", {
        let (engine, token) = (Arc::clone(&engine), token.clone());
        async move {
            engine.run(token).await;
            Ok(())
        }
    });
    lifecycle.spawn("training", {
        let (engine, token) = (Arc::clone(&engine), token.clone());
        async move {
            upkeep::run(engine, token).await;
            Ok(())
        }
    });
    if let Some(live) = live {
        let token = token.clone();
        lifecycle.spawn("the sources", async move { live.run(token).await.context("failed to follow the sources") });
        lifecycle.spawn("telling how the sources are", tell_sources(Arc::clone(&engine), lifecycle.token()));
    }
    let refresh = Duration::from_secs(context.settings.engine.refresh_s);
    lifecycle.spawn("watching for imports", watch_imports(Arc::clone(&engine), refresh, token));
    let ended = lifecycle.run(std::future::pending()).await;
    opened.store.close().await;
    drop(lock);
    ended?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// A home is of one market: bars of a real one and of a simulated one, or of two simulated ones, do not stand side by side.
async fn refuse_other_market(opened: &Opened, feeds: &Feeds) -> anyhow::Result<()> {
    let series = opened.store.series().await?;
    let simulated = series.iter().find(|info| info.key.source.starts_with(feeds::SIMULATED));
    let other_run = opened
        .store
        .chains()
        .await?
        .into_iter()
        .find(|info| info.chain.origin() == Origin::Simulated && info.chain != feeds.chain);
    match (feeds.chain.origin(), simulated, series.iter().find(|info| !info.key.source.starts_with(feeds::SIMULATED))) {
        (Origin::Simulated, _, Some(real)) => bail!(
            "this home holds bars of {}, and the market that is set is simulated: serve it from another --home",
            real.key.source
        ),
        (Origin::Simulated, _, None) => match other_run {
            Some(other) => bail!("this home is of {}, not of {}: choose another --home", other.chain, feeds.chain),
            None => Ok(()),
        },
        (_, Some(simulated), _) => {
            bail!("this home holds bars of {}: serve the real market from another --home", simulated.key.source)
        }
        _ => Ok(()),
    }
}

/// A ledger does not go back in time: a simulated market that was started anew is not the one its run was made of.
async fn refuse_past(opened: &Opened, feeds: &Feeds) -> anyhow::Result<()> {
    let (head, now) = (opened.store.head(&feeds.chain).await?, feeds.clock.now());
    match head.filter(|head| head.recorded_at > now) {
        Some(head) => bail!(
            "the ledger {} has come to {} already, and the clock of its market shows {now}: start the market with another \
             --run, or serve from another --home",
            feeds.chain,
            head.recorded_at
        ),
        None => Ok(()),
    }
}

/// Listens where the settings say.
pub(crate) fn listen(context: &Context) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(context.settings.host()?, context.settings.server.port);
    api::bind(address, &context.settings.api)
        .with_context(|| format!("failed to listen on {address}; choose another port with --port"))
}

/// How an address is called from a browser.
pub(crate) fn url(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    }
}

/// The tasks of a server: what it drains for and a little more.
pub(crate) fn lifecycle(context: &Context) -> anyhow::Result<Lifecycle> {
    Lifecycle::new(Duration::from_millis(context.settings.api.drain_timeout_ms) + Duration::from_millis(500))
}

/// Serves the API until the end.
pub(crate) fn spawn_api(lifecycle: &mut Lifecycle, listener: TcpListener, engine: &Arc<Engine>, context: &Context) {
    let serving = api::serve(listener, Arc::clone(engine), context.settings.api.clone(), lifecycle.token());
    lifecycle.spawn("the API", async move { serving.await.context("failed to serve") });
}

/// Says once, when every source has had its time to answer, which did and what is there without the others.
async fn tell_sources(engine: Arc<Engine>, token: CancellationToken) -> anyhow::Result<()> {
    tokio::select! {
        () = token.cancelled() => return Ok(()),
        () = tokio::time::sleep(FIRST_ANSWERS) => {}
    }
    let status = engine.status();
    let (well, ill): (Vec<_>, Vec<_>) = status.sources.iter().partition(|source| source.health == Health::Healthy);
    let names = |sources: &[&SourceStatus]| sources.iter().map(|s| s.source.as_str()).collect::<Vec<_>>().join(", ");
    if !well.is_empty() {
        info!("sources that answer: {}", names(&well));
    }
    if !ill.is_empty() {
        let stored = match engine.store().series().await.map_or(0, |series| series.len()) {
            0 => "nothing is stored yet that could be served".to_owned(),
            n => format!("{n} stored series are served, marked stale where they are"),
        };
        warn!("sources that do not: {}; {stored}; they are asked again, see /api/sources", names(&ill));
    }
    token.cancelled().await;
    Ok(())
}

/// How long sources have to answer before it is told who did.
const FIRST_ANSWERS: Duration = Duration::from_secs(15);

/// Takes up what other processes write: when something was written and it has come to rest.
async fn watch_imports(engine: Arc<Engine>, every: Duration, token: CancellationToken) -> anyhow::Result<()> {
    let mut seen = engine.store().foreign_writes().await.ok();
    let mut taken = seen;
    while !token.is_cancelled() {
        tokio::select! {
            () = token.cancelled() => break,
            () = tokio::time::sleep(every) => {}
        }
        let Ok(now) = engine.store().foreign_writes().await.map(Some) else { continue };
        if now == seen && now != taken {
            info!("another process has written: taking it up");
            match engine.reload().await {
                Ok(()) => taken = now,
                Err(error) => warn!("failed to take up what was written: {:#}", anyhow::Error::from(error)),
            }
        }
        seen = now;
    }
    Ok(())
}
