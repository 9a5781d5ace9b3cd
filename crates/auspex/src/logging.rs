//! Logs go to stderr, so that stdout stays machine-readable.

use std::io::{self, IsTerminal, Write};

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::screen;
use crate::settings::{LogFormat, LogSettings};

/// Whether the level can be understood.
pub(crate) fn check(settings: &LogSettings) -> Result<(), String> {
    filter(settings, true).map(|_| ())
}

/// Starts logging. `chatty` decides what `auto` is: long-running commands tell what they do, others only what is wrong.
pub(crate) fn start(settings: &LogSettings, chatty: bool) -> anyhow::Result<()> {
    let filter = filter(settings, chatty).map_err(|error| anyhow!("log.level: {error}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(BesideBars)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let started = match settings.format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow!("failed to start logging: {error}"))
}

fn filter(settings: &LogSettings, chatty: bool) -> Result<EnvFilter, String> {
    let level = match settings.level.trim() {
        "auto" | "" if chatty => "info,sqlx=warn",
        "auto" | "" => "warn",
        level => level,
    };
    // A lone word that is no level would be taken for the name of a module, and silence everything else.
    let plain = level.bytes().all(|byte| byte.is_ascii_alphabetic());
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    if plain && !known.contains(&level.to_ascii_lowercase().as_str()) {
        return Err(format!("one of {} is expected", known.join(", ")));
    }
    EnvFilter::try_new(level).map_err(|error| error.to_string())
}

/// Writes lines without tearing the progress bars.
#[derive(Debug, Clone, Copy)]
struct BesideBars;

impl MakeWriter<'_> for BesideBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        screen::beside_bars(|| io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
