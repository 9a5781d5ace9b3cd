//! `auspex serve`: REST and WebSocket over one home.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use engine::Engine;
use market::ChainId;
use storage::{SeriesInfo, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cli::Context;
use crate::compose::system_clock;
use crate::lifecycle::Lifecycle;
use crate::upkeep;

const EXAMPLES: &str = "\
Examples:
  auspex serve
  auspex serve --port 9000 --host 0.0.0.0
  PORT=9000 AUSPEX__LOG__FORMAT=json auspex serve

Serves what is stored; bars imported by another process meanwhile are taken up within
seconds. Models are trained in the background where there is none, and refitted with each
month. The live vendors come with a later version: until then forecasts are issued only for
bars that are imported within the grace of their close. The first interrupt ends what is
under way, a second one cuts it off.";

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
        let engine = context.engine(&opened, ChainId::live(), system_clock(), |_| ()).await?;
        anyhow::Ok((opened, Arc::new(engine)))
    };
    let (opened, engine) = api::serve_while(&listener, &context.settings.api, opening).await?;
    info!("serving {} at {}", context.home.path().display(), url(address));
    if let Some(next) = engine.status().first_run {
        info!("this home is empty: {next}");
    }
    let mut lifecycle = lifecycle(&context);
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
    let refresh = Duration::from_secs(context.settings.engine.refresh_s);
    lifecycle.spawn("watching for imports", watch_imports(Arc::clone(&engine), refresh, token));
    let ended = lifecycle.run(std::future::pending()).await;
    opened.store.close().await;
    drop(lock);
    ended?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
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
pub(crate) fn lifecycle(context: &Context) -> Lifecycle {
    Lifecycle::new(Duration::from_millis(context.settings.api.drain_timeout_ms) + Duration::from_millis(500))
}

/// Serves the API until the end.
pub(crate) fn spawn_api(lifecycle: &mut Lifecycle, listener: TcpListener, engine: &Arc<Engine>, context: &Context) {
    let serving = api::serve(listener, Arc::clone(engine), context.settings.api.clone(), lifecycle.token());
    lifecycle.spawn("the API", async move { serving.await.context("failed to serve") });
}

/// Takes up what other processes import: when what is stored has changed and has come to rest.
async fn watch_imports(engine: Arc<Engine>, every: Duration, token: CancellationToken) -> anyhow::Result<()> {
    let mut seen = stored(&**engine.store()).await.unwrap_or_default();
    let mut taken = seen.clone();
    while !token.is_cancelled() {
        tokio::select! {
            () = token.cancelled() => break,
            () = tokio::time::sleep(every) => {}
        }
        let Some(now) = stored(&**engine.store()).await else { continue };
        if now == seen && now != taken {
            info!("bars were imported: taking them up");
            match engine.reload().await {
                Ok(()) => taken.clone_from(&now),
                Err(error) => warn!("failed to take up what was imported: {:#}", anyhow::Error::from(error)),
            }
        }
        seen = now;
    }
    Ok(())
}

/// What is stored, as far as an import would change it. `None` while the database is away.
async fn stored(store: &dyn Store) -> Option<(Vec<SeriesInfo>, Vec<String>, usize)> {
    let (series, observations) = (store.series().await.ok()?, store.observation_series().await.ok()?);
    Some((series, observations, store.assets().await.ok()?.len()))
}
