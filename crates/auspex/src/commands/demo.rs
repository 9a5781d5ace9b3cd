//! `auspex demo`: a simulated market before one's eyes.
//!
//! A market on loopback speaks the vendors' protocols, the same clients as in life ask it and listen to it, models are
//! trained on what they bring, and a fast clock lets forecasts be issued, mature and be scored. Nothing here is real, and
//! everything says so: the ledger's origin is `simulated`, and so is the source of every price by its name.

mod clock;
mod pacing;
mod plan;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use engine::Engine;
use engine::live::Live;
use jiff::SignedDuration;
use market::{Clock, Timeframe};
use simulator::Tape;
use simulator::server::{Exchange, Faults};
use tokio::net::TcpListener;
use tracing::info;

use super::serve;
use crate::cli::Context;
use crate::feeds::{self, Feeds};
use crate::home::Home;
use crate::screen::{self, count};
use crate::settings::{DailyCsvSettings, ExchangeSettings, FredHosts, SourceSettings, YahooHosts};
use crate::upkeep;

use clock::PacedClock;
use plan::Plan;
pub(crate) use plan::live_start;

/// Any key of the right form opens a simulated FRED.
pub(crate) const FRED_KEY: &str = "simulated0simulated0simulated0si";

const EXAMPLES: &str = "\
Examples:
  auspex demo
  auspex demo --speed 60 --port 9000
  auspex demo --home ~/auspex-demo --seed 7         kept, and continued when started again
  auspex demo --for 2m

While it runs, in another terminal:
  curl http://localhost:8000/api/health
  curl \"http://localhost:8000/api/market/summary?class=crypto&limit=5\"
  curl \"http://localhost:8000/api/asset/BTC/forecast?timeframe=1D\"

Everything is simulated: no network, no keys, no servers. Without --home a temporary folder
is used and removed at the end.";

/// What `demo` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The address to listen on [default: server.host, 127.0.0.1]
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// The port; 0 for any that is free [default: server.port, 8000]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Simulated seconds a second, at most; a slow machine takes its time
    #[arg(long, default_value_t = 600.0, value_name = "N", value_parser = speed)]
    speed: f64,
    /// Everything random follows from it [default: 1, or that of the home]
    #[arg(long)]
    seed: Option<u64>,
    /// End after so long, such as 90s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<Duration>,
}

pub(crate) fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=100_000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 1 to 100000 is expected".to_owned()),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "a duration such as 90s or 5m is expected".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(duration).map_err(|_| expected())
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let (context, _temporary) = at_home(context)?;
    let _lock = context.home.lock()?;
    let listener = serve::listen(&context)?;
    let url = serve::url(listener.local_addr().context("failed to read the port")?);
    screen::say(format!("auspex demo: {url} - everything shown is simulated"))?;
    let started = Instant::now();
    let end = args.length.map(|length| tokio::time::Instant::now() + length);

    let opened = context.open().await?;
    let plan = Plan::take_up(&context, &opened, args.seed).await?;
    let clock = Arc::new(PacedClock::new(plan.begin, args.speed));
    let engine = context.engine(&opened, plan.chain.clone(), Arc::clone(&clock) as Arc<dyn Clock>, adapt).await?;
    let engine = Arc::new(engine);

    // The API answers from the first moment, and says that there is nothing to show yet.
    let mut lifecycle = serve::lifecycle(&context)?;
    serve::spawn_api(&mut lifecycle, listener, &engine, &context);
    let token = lifecycle.token();
    let running = {
        let (engine, clock, settings) = (Arc::clone(&engine), Arc::clone(&clock), context.settings.sources.clone());
        async move {
            let exchange = exchange(&plan, &clock).await?;
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("failed to open the simulated market")?;
            let address = listener.local_addr().context("failed to read its port")?;
            info!(
                "the market opens at {} after {:.1} s, {} times as fast as life; its vendors are at http://{address}",
                plan.begin,
                started.elapsed().as_secs_f64(),
                clock.speed()
            );
            let settings = at_exchange(settings, address);
            let feeds = Feeds::simulated(plan.chain.clone(), Arc::clone(&clock) as Arc<dyn Clock>);
            let live = Live::new(Arc::clone(&engine), feeds.roster(&settings)?, feeds::live_settings(&settings)?);
            let pacing = pacing::run(Arc::clone(&engine), clock, live.progress(), token.clone());
            let serving = simulator::server::serve(listener, exchange, token.clone());
            let (live, training) = (live.run(token.clone()), upkeep::run(engine, token));
            let (lived, served, (), ()) = tokio::join!(live, serving, pacing, training);
            served.context("the simulated market broke off")?;
            lived.context("failed to follow the simulated market")
        }
    };
    lifecycle.spawn("the simulated market", running);
    let finished = async {
        match end {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let ended = lifecycle.run(finished).await;
    let said = last_words(&engine, clock.now()).await;
    opened.store.close().await;
    ended?;
    screen::say(said?)?;
    Ok(ExitCode::SUCCESS)
}

/// The plan's market as a server.
async fn exchange(plan: &Plan, clock: &Arc<PacedClock>) -> anyhow::Result<Arc<Exchange>> {
    let market = plan.market().await?;
    let tape = tokio::task::spawn_blocking(move || Tape::generated(&market)).await;
    Ok(Arc::new(Exchange {
        tape: tape.context("the simulator broke off")?,
        speed: clock.speed(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        run: plan.chain.run_id().unwrap_or("demo").to_owned(),
        faults: Faults::default(),
        ticks_a_second: 1.0,
    }))
}

/// All vendors at one address. A source that is late here has a slow machine under it: the clock waits, and nobody needs to
/// stand in. Minutes would be kept sixty times as often as hours, and nobody looks at them here.
fn at_exchange(settings: SourceSettings, address: SocketAddr) -> SourceSettings {
    let at = |path: &str| format!("http://{address}{path}");
    let exchange = |path: &str| ExchangeSettings { rest: vec![at(path)], streams: Vec::new() };
    SourceSettings {
        enabled: feeds::KNOWN.map(str::to_owned).to_vec(),
        crypto_minutes: Vec::new(),
        failover_s: 150,
        fred_api_key: FRED_KEY.to_owned(),
        binance: exchange(""),
        binanceus: exchange("/binanceus"),
        yahoo: YahooHosts { query: vec![at("")], cookie: String::new(), streamer: String::new() },
        fred: FredHosts { api: at(""), graph: String::new() },
        daily_csv: DailyCsvSettings { url: at(""), ..settings.daily_csv },
        ..settings
    }
}

/// Models that train in seconds.
fn adapt(settings: &mut engine::Settings) {
    settings.max_rows = settings.max_rows.min(4_000);
    settings.gate_months = settings.gate_months.min(3);
}

/// Removes the folder at the end.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("failed to remove {}: {error}", self.0.display());
        }
    }
}

/// The home that was asked for; without one a fresh temporary one.
fn at_home(context: Context) -> anyhow::Result<(Context, Option<Temporary>)> {
    if context.home.is_chosen() {
        return Ok((context, None));
    }
    let path = std::env::temp_dir().join(format!("auspex-demo-{}", std::process::id()));
    std::fs::create_dir_all(&path).with_context(|| format!("failed to create {}", path.display()))?;
    info!("the home is {}, and is removed at the end; choose one with --home to keep it", path.display());
    let home = Home::new(Some(path.clone()))?;
    Ok((Context { home, ..context }, Some(Temporary(path))))
}

async fn last_words(engine: &Engine, now: jiff::Timestamp) -> anyhow::Result<String> {
    let store = engine.store();
    let Some(head) = store.head(engine.chain()).await? else {
        return Ok("ended before the market opened".to_owned());
    };
    let scores = store.scores(engine.chain(), &storage::ScoreQuery::default()).await?;
    let hours = scores.iter().filter(|row| row.timeframe == Timeframe::H1).count();
    Ok(format!(
        "simulated through {now}: {} ledger entries, {} horizons scored, {} of them of 1h forecasts\n  head {} {} of {}",
        count(head.seq + 1),
        count(scores.len() as u64),
        count(hours as u64),
        head.seq,
        head.hash,
        head.chain,
    ))
}
