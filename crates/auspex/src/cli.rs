//! What can be asked on the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::commands::{
    backtest, config, demo, doctor, forecast, import, ledger, replay, score, serve, simulate, train, universe,
};
use crate::home::Home;
use crate::logging;
use crate::settings::{self, Overrides, Settings};

const EXAMPLES: &str = "\
Examples:
  auspex demo                                   everything at once, simulated, without network
  auspex import bars ~/bars                     read CSV, CSV.gz and Parquet files
  auspex train                                  fit models and judge them against the baseline
  auspex forecast BTC --timeframe 1D            what the next bars may bring
  auspex serve                                  REST and WebSocket on 127.0.0.1:8000

Exit codes: 0 done, 1 failed (or a broken ledger), 2 wrong usage or unreadable input.";

/// Market forecasts that anyone can audit.
#[derive(Debug, Parser)]
#[command(name = "auspex", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Folder that holds all state [default: the platform's data folder]
    #[arg(long, global = true, display_order = 900, value_name = "DIR", env = "AUSPEX_HOME", hide_env_values = true)]
    home: Option<PathBuf>,
    /// What is logged to stderr: error, warn, info, debug, trace, or directives such as engine=debug
    #[arg(long, global = true, display_order = 901, value_name = "LEVEL")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at once on a simulated market: no network, no keys, no servers
    Demo(demo::Args),
    /// Serve forecasts, track record and charts over REST and WebSocket
    Serve(serve::Args),
    /// Serve a simulated market that speaks the vendors' protocols, for tests and trials
    Simulate(simulate::Args),
    /// Show and extend the assets that are followed
    Universe(universe::Args),
    /// Read bars, observations or corporate actions from files
    Import(import::Args),
    /// Fit models on what is stored, judge them against the baseline, promote or not
    Train(train::Args),
    /// Forecast one asset from its newest closed bars
    Forecast(forecast::Args),
    /// Walk models forward through history and score them
    Backtest(backtest::Args),
    /// Run the live pipeline on recorded history, point in time, into a ledger of its own
    Replay(replay::Args),
    /// Show how the forecasts of a ledger fared
    Score(score::Args),
    /// Verify, export, recompute and publish the ledger
    Ledger(ledger::Args),
    /// Look for what could keep this installation from working
    Doctor(doctor::Args),
    /// Print the settings in force
    Config(config::Args),
}

/// A mistake in what was asked: exit code 2.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Shorthand for a [`Usage`] error.
pub(crate) fn usage<T>(text: impl Into<String>) -> anyhow::Result<T> {
    Err(Usage(text.into()).into())
}

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) home: Home,
    pub(crate) settings: Settings,
}

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // These two work without settings that stand: one prints what could be set, one says what is wrong.
    if let Command::Config(args) = &cli.command
        && args.default
    {
        return config::print_default();
    }
    let home = Home::new(cli.home.clone())?;
    let mut overrides = Overrides { log_level: cli.log, ..Overrides::default() };
    match &cli.command {
        Command::Serve(args) => (overrides.host, overrides.port) = (args.host.clone(), args.port),
        Command::Demo(args) => (overrides.host, overrides.port) = (args.host.clone(), args.port),
        _ => {}
    }
    let settings = settings::load(&home.settings_path(), &overrides);
    if let Command::Doctor(args) = &cli.command {
        return block_on(doctor::run(args, &home, settings));
    }
    let settings = settings.map_err(|complaints| Usage(complaints.to_string()))?;
    let chatty = matches!(cli.command, Command::Serve(_) | Command::Demo(_) | Command::Simulate(_));
    logging::start(&settings.log, chatty)?;
    let context = Context { home, settings };
    match cli.command {
        Command::Demo(args) => block_on(demo::run(args, context)),
        Command::Serve(args) => block_on(serve::run(args, context)),
        Command::Simulate(args) => block_on(simulate::run(args, context)),
        Command::Universe(args) => block_on(universe::run(args, context)),
        Command::Import(args) => block_on(import::run(args, context)),
        Command::Train(args) => block_on(train::run(args, context)),
        Command::Forecast(args) => block_on(forecast::run(args, context)),
        Command::Backtest(args) => block_on(backtest::run(args, context)),
        Command::Replay(args) => block_on(replay::run(args, context)),
        Command::Score(args) => block_on(score::run(args, context)),
        Command::Ledger(args) => block_on(ledger::run(args, context)),
        Command::Doctor(_) => unreachable!("answered above"),
        Command::Config(args) => config::run(&args, &context),
    }
}

fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("failed to start")?;
    let outcome = runtime.block_on(command);
    // Arithmetic that was cut off by a signal cannot be interrupted: do not wait for it.
    runtime.shutdown_background();
    outcome
}

/// A date on the command line, as the instant it begins.
pub(crate) fn start_of(date: Date) -> Timestamp {
    market::calendar::midnight(date)
}

/// The last instant of a date.
pub(crate) fn end_of(date: Date) -> Timestamp {
    let next = date.tomorrow().map_or(Timestamp::MAX, market::calendar::midnight);
    next - jiff::SignedDuration::from_micros(1)
}

/// The date of an instant in UTC.
pub(crate) fn date_of(instant: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(instant).date()
}

/// At least so many sampled rows train a booster.
pub(crate) const MIN_MAX_ROWS: usize = 1000;

/// The rows a booster may train on, as given on the command line.
pub(crate) fn max_rows(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(rows) if rows >= MIN_MAX_ROWS => Ok(rows),
        _ => Err(format!("a number of at least {MIN_MAX_ROWS} is expected")),
    }
}
