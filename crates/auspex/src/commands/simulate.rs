//! `auspex simulate`: a market that answers like its vendors, on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use market::{AcceleratedClock, Adjustment, ChainId, Clock, Origin};
use simulator::server::{Exchange, FaultPlan, Faults};
use simulator::{Market, Setup, Tape};
use tokio::net::TcpListener;
use tracing::info;

use super::demo;
use crate::cli::{Context, start_of, usage};
use crate::compose::system_clock;
use crate::lifecycle::Lifecycle;
use crate::recording;
use crate::screen;

const EXAMPLES: &str = "\
Examples:
  auspex simulate                                   a generated market at the speed of life
  auspex simulate --data ~/bars --speed 60          recorded bars, sixty times as fast
  auspex simulate --data ~/bars --from 2019-06-03T13:00:00Z --faults plan.toml

It speaks the protocols of Binance, Yahoo and FRED on one port of this machine; every answer
says that it is simulated. What it prints at its start points `auspex serve` at it: the ledger
made of it is of the origin `simulated`. A plan of faults is TOML, see docs/data-sources.md.";

/// What `simulate` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A folder of recorded bars, observations and corporate actions; without one a market is generated
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How the recorded prices are adjusted: raw, split or total_return
    #[arg(long, default_value_t = Adjustment::Raw, value_name = "VIEW")]
    adjustment: Adjustment,
    /// Simulated seconds a second
    #[arg(long, default_value_t = 1.0, value_name = "N", value_parser = demo::speed)]
    speed: f64,
    /// What its clock shows at the start, such as 2019-06-03T13:00:00Z or 2019-06-03 [default: thirty days before the
    /// end of what is recorded, or its middle]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// What goes wrong, and when: a TOML file
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// The port; 0 for any that is free
    #[arg(long, default_value_t = 9100)]
    port: u16,
    /// Prices an asset a simulated second on streams
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    ticks: f64,
    /// Everything random in a generated market follows from it
    #[arg(long, default_value_t = 1, conflicts_with = "data")]
    seed: u64,
    /// Names the run, and with it the ledger that is made of it [default: another each time]
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    run: Option<String>,
    /// End after so long, such as 90s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = demo::duration)]
    length: Option<Duration>,
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    if !(args.ticks.is_finite() && (0.01..=1000.0).contains(&args.ticks)) {
        return usage("--ticks is a number from 0.01 to 1000");
    }
    let plan = match &args.faults {
        Some(path) => Some(fault_plan(path)?),
        None => None,
    };
    let (tape, start, end) = match &args.data {
        Some(folder) => recorded(folder, &args, &context).await?,
        None => generated(args.seed, args.from).await?,
    };
    let address = SocketAddr::from(([127, 0, 0, 1], args.port));
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("failed to listen on {address}; choose another --port"))?;
    let address = listener.local_addr().context("failed to read the port")?;
    let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(start, args.speed));
    let exchange = Arc::new(Exchange {
        tape,
        speed: args.speed,
        // A clock that starts anew must not go on with a ledger that knows how it went on.
        run: args.run.unwrap_or_else(|| system_clock().now().strftime("sim-%Y%m%dT%H%M%SZ").to_string()),
        faults: plan.map_or_else(Faults::default, |plan| Faults::new(plan, start)),
        ticks_a_second: args.ticks,
        clock,
    });
    let mut lifecycle = Lifecycle::new(Duration::from_secs(2))?;
    screen::say(format!(
        "a simulated market at http://{address}, from {start}, {}\n{}\
         to follow it, in another terminal:\n{}\n  auspex serve",
        if args.speed == 1.0 {
            "at the speed of life".to_owned()
        } else {
            format!("{} times as fast as life", args.speed)
        },
        end.map(|end| format!("what is recorded ends at {end}; nothing trades after that\n")).unwrap_or_default(),
        exports(address)
    ))?;
    let token = lifecycle.token();
    let serving = Arc::clone(&exchange);
    lifecycle.spawn("the simulated market", async move {
        simulator::server::serve(listener, serving, token).await.context("failed to serve")
    });
    let finished = async {
        match args.length {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    };
    lifecycle.run(finished).await?;
    for (fault, count) in exchange.faults.counts() {
        info!("{fault}: {count} times");
    }
    Ok(ExitCode::SUCCESS)
}

/// An instant, or the first one of a date in UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let date = || text.parse::<Date>().map(start_of);
    text.parse().or_else(|_| date()).map_err(|_| "a time such as 2019-06-03T13:00:00Z or a date is expected".to_owned())
}

/// What can be part of a ledger's name.
fn run_name(text: &str) -> Result<String, String> {
    ChainId::new(Origin::Simulated, Some(text)).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn fault_plan(path: &Path) -> anyhow::Result<FaultPlan> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return usage(format!("failed to read {}: {error}", path.display())),
    };
    match FaultPlan::parse(&text) {
        Ok(plan) => Ok(plan),
        Err(error) => usage(format!("{}: {error}", path.display())),
    }
}

/// What points a `serve` at the simulator.
fn exports(address: SocketAddr) -> String {
    let settings = [
        ("BINANCE__REST", ""),
        ("BINANCEUS__REST", "/binanceus"),
        ("YAHOO__QUERY", ""),
        ("FRED__API", ""),
        ("DAILY_CSV__URL", ""),
    ];
    let line = |(key, path): (&str, &str)| format!("  export AUSPEX__SOURCES__{key}=http://{address}{path}");
    let mut lines: Vec<String> = settings.into_iter().map(line).collect();
    lines.push(format!("  export FRED_API_KEY={}", demo::FRED_KEY));
    lines.join("\n")
}

/// The tape, where it starts and where it ends; a generated one does not end.
type Told = (Tape, Timestamp, Option<Timestamp>);

/// So long before the end a recording is joined when nothing else is said.
const BEFORE_END: SignedDuration = SignedDuration::from_hours(30 * 24);

async fn recorded(folder: &Path, args: &Args, context: &Context) -> anyhow::Result<Told> {
    let reels = recording::read(folder, args.adjustment, context).await?;
    let all = || reels.iter().flat_map(|reel| reel.bars.values());
    let first = all().filter_map(|bars| bars.first()).map(|bar| bar.open_time).min();
    let last = all().filter_map(|bars| bars.last()).map(|bar| bar.close_time).max();
    let Some((first, last)) = first.zip(last) else {
        return usage(format!("{} holds no bars that could be told", folder.display()));
    };
    let middle = first + last.duration_since(first) / 2;
    let start = args.from.unwrap_or((last - BEFORE_END).max(middle));
    if !(first..last).contains(&start) {
        return usage(format!("--from is {start}, but what is recorded goes from {first} to {last}"));
    }
    Ok((Tape::recorded(reels), start, Some(last)))
}

async fn generated(seed: u64, from: Option<Timestamp>) -> anyhow::Result<Told> {
    let start = from.unwrap_or(demo::live_start()?);
    let setup = Setup::new(seed, market::universe::default_universe(), start);
    let tape = tokio::task::spawn_blocking(move || Market::new(setup).map(|market| Tape::generated(&market)));
    let tape = tape.await.context("the simulator broke off")?.context("failed to simulate a market")?;
    Ok((tape, start, None))
}
