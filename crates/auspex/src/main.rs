//! Auspex: market forecasts that anyone can audit.
//!
//! This crate is the binary: read [`cli`] for what can be asked, then one file per command in [`commands`]. [`compose`]
//! is the only place that knows every concrete type; [`settings`], [`home`] and [`logging`] are what a process needs
//! before it does anything, [`lifecycle`] how a long one ends. [`intake`] brings files into a home, [`upkeep`] keeps
//! models trained, [`screen`] draws bars and tables.

mod cli;
mod commands;

mod compose;
mod feeds;
mod home;
mod settings;

mod intake;
mod recording;
mod upkeep;

mod lifecycle;
mod logging;
mod screen;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Usage};

fn main() -> ExitCode {
    let outcome = load_dotenv().and_then(|()| cli::run(Cli::parse()));
    outcome.unwrap_or_else(|error| {
        // A reader that closed our output early (`| head`) got what it wanted.
        if is_broken_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::from(if is_usage(&error) { 2 } else { 1 })
    })
}

/// Reads a `.env` file of the working folder or one above it, before anything looks at the environment.
fn load_dotenv() -> anyhow::Result<()> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        Err(error) => Err(Usage(format!("the .env file cannot be read: {error}")).into()),
    }
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(<dyn std::error::Error + 'static>::is::<Usage>)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}
