//! The checks, each one line of the report.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use jiff::Timestamp;
use jiff::civil::Date;
use market::{Asset, AssetClass, AssetKind, Calendar, Timeframe};
use storage::{BarQuery, SeriesInfo, Store};
use tokio::net::TcpListener;

use super::Finding;
use crate::cli::{Context, date_of};
use crate::compose::{Opened, system_clock};
use crate::home::Home;
use crate::screen::count;
use crate::settings::Settings;

/// Whether the home folder is there and can be written.
pub(super) fn home(home: &Home) -> Finding {
    let path = home.path();
    let shown = path.display();
    if !path.exists() {
        return Finding::warn("home", format!("{shown} is not there yet"), "the first import, demo or serve makes it");
    }
    let probe = path.join(format!(".doctor-{}", std::process::id()));
    let written = fs::write(&probe, b"probe").and_then(|()| fs::remove_file(&probe));
    match written {
        Err(error) => Finding::fail("home", format!("{shown} cannot be written: {error}"), "check its owner and mode"),
        Ok(()) if open_to_all(home) => {
            Finding::warn("home", format!("{shown} can be written by everyone"), format!("chmod o-w {shown}"))
        }
        Ok(()) => Finding::ok("home", shown.to_string()),
    }
}

#[cfg(unix)]
fn open_to_all(home: &Home) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(home.path()).is_ok_and(|metadata| metadata.permissions().mode() & 0o002 != 0)
}

#[cfg(not(unix))]
fn open_to_all(_: &Home) -> bool {
    false
}

/// Below this a long import may not fit.
const LITTLE_SPACE_MIB: u64 = 1024;
/// Below this nothing fits.
const NO_SPACE_MIB: u64 = 64;

/// Whether there is space for more.
pub(super) fn disk(home: &Home) -> Finding {
    // The nearest folder that is there stands for one that is still to be made.
    let there = home.path().ancestors().find(|path| path.exists());
    let free = there.and_then(|path| {
        // POSIX prints one line per file system with -P, in units of 1024 bytes with -k.
        let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let kib: u64 = text.lines().nth(1)?.split_ascii_whitespace().nth(3)?.parse().ok()?;
        Some(kib / 1024)
    });
    match free {
        None => Finding::warn("disk", "the free space could not be read", "`df` was not understood"),
        Some(mib) if mib < NO_SPACE_MIB => {
            Finding::fail("disk", format!("{mib} MiB free"), "make room, or move the home")
        }
        Some(mib) if mib < LITTLE_SPACE_MIB => {
            Finding::warn("disk", format!("{mib} MiB free"), "a year of hourly bars of 100 assets takes about 100 MiB")
        }
        Some(mib) => Finding::ok("disk", format!("{} MiB free", count(mib))),
    }
}

/// Whether the port is free.
pub(super) async fn port(settings: &Settings) -> Finding {
    let host = match settings.host() {
        Ok(host) => host,
        Err(error) => return Finding::fail("port", error.to_string(), "server.host is an IP address or localhost"),
    };
    let address = SocketAddr::new(host, settings.server.port);
    match TcpListener::bind(address).await {
        Ok(_) => Finding::ok("port", format!("{address} is free")),
        Err(error) => Finding::fail(
            "port",
            format!("{address} cannot be listened on: {error}"),
            "another serve may run already; choose another port with --port, PORT or server.port",
        ),
    }
}

/// Whether New York's clock is known: sessions follow its daylight saving time.
pub(super) fn time_zone() -> Finding {
    let open =
        |year, month, day| Calendar::Nyse.day(Date::constant(year, month, day)).map(|span| span.open_time.to_string());
    let (winter, summer) = (open(2024, 1, 2), open(2024, 7, 1));
    match (winter.as_deref(), summer.as_deref()) {
        (Some("2024-01-02T14:30:00Z"), Some("2024-07-01T13:30:00Z")) => {
            Finding::ok("calendar", "New York's clock is known")
        }
        _ => Finding::fail(
            "calendar",
            "New York's clock is not known",
            "the time-zone database is damaged: update tzdata",
        ),
    }
}

/// Whether the database opens, reads and writes, and makes sense.
pub(super) async fn database(context: &Context) -> Vec<Finding> {
    let path = match context.database_path() {
        Ok(path) => path,
        Err(error) => return vec![Finding::fail("database", format!("{error:#}"), "see storage.url")],
    };
    if !path.exists() {
        let hint = "`auspex import bars PATH`, or `auspex demo` to see it all at once";
        return vec![Finding::warn("database", "there is none yet", hint)];
    }
    let opened = match context.open().await {
        Ok(opened) => opened,
        Err(error) => {
            let hint = "the file stays as it is; a newer auspex, or a backup, may open it";
            return vec![Finding::fail("database", format!("{error:#}"), hint)];
        }
    };
    let mut findings = vec![match opened.store.check().await {
        Ok(()) => Finding::ok("database", format!("{} reads and writes", path.display())),
        Err(error) => {
            Finding::fail("database", format!("{:#}", anyhow::Error::from(error)), "check the disk and the file's mode")
        }
    }];
    match inside(&opened).await {
        Ok(more) => findings.extend(more),
        Err(error) => findings.push(Finding::fail("database", format!("{error:#}"), "restore it from a backup")),
    }
    opened.store.close().await;
    findings
}

async fn inside(opened: &Opened) -> anyhow::Result<Vec<Finding>> {
    let now = system_clock().now();
    let series = opened.store.series().await?;
    let chains = opened.store.chains().await?;
    let mut findings = vec![data(&series)];
    findings.push(sessions(&*opened.store, &opened.assets, &series).await?);
    findings.push(clock(
        now,
        &series,
        chains.iter().filter(|info| info.chain.run_id().is_none()).map(|i| i.recorded_at).max(),
    ));
    findings.push(models(&*opened.store).await?);
    let names: Vec<String> = chains.iter().map(|info| format!("{} ({})", info.chain, count(info.seq + 1))).collect();
    findings.push(match names.is_empty() {
        true => Finding::ok("ledger", "none yet"),
        false => Finding::ok("ledger", format!("{}; `auspex ledger verify` checks them", names.join(", "))),
    });
    Ok(findings)
}

fn data(series: &[SeriesInfo]) -> Finding {
    let bars: u64 = series.iter().map(|info| info.n_bars).sum();
    match series.iter().map(|info| info.last_open).max() {
        None => Finding::warn("data", "no bars are stored", "`auspex import bars PATH`"),
        Some(newest) => {
            let detail = format!("{} bars of {} series, the newest of {}", count(bars), series.len(), date_of(newest));
            Finding::ok("data", detail)
        }
    }
}

/// Compares the exchange's calendar with the sessions that stocks have: days on which none of several traded were no
/// sessions, whatever the rules say.
async fn sessions(store: &dyn Store, assets: &[Asset], series: &[SeriesInfo]) -> anyhow::Result<Finding> {
    let stock = |info: &&SeriesInfo| {
        info.key.timeframe == Timeframe::D1
            && assets.iter().any(|asset| {
                asset.symbol == info.key.symbol && asset.class() == AssetClass::Stocks && asset.kind != AssetKind::Index
            })
    };
    let daily: Vec<&SeriesInfo> = series.iter().filter(stock).collect();
    let (Some(from), Some(to)) =
        (daily.iter().map(|info| info.first_open).min(), daily.iter().map(|info| info.last_open).max())
    else {
        return Ok(Finding::ok("sessions", "no daily bars of stocks to compare the calendar with"));
    };
    let mut traded: BTreeSet<Timestamp> = BTreeSet::new();
    for info in &daily {
        let query = BarQuery { key: &info.key, as_of: Timestamp::MAX, from: None, to: None, last: None };
        traded.extend(store.bars(&query).await?.iter().map(|bar| bar.open_time));
    }
    let expected = || Calendar::Nyse.bars_closing_in(Timeframe::D1, from, to);
    let silent: Vec<Timestamp> = expected().map(|span| span.open_time).filter(|open| !traded.contains(open)).collect();
    let n_expected = expected().count();
    match silent.as_slice() {
        [] => {
            Ok(Finding::ok("sessions", format!("{} sessions of the calendar all have bars", count(n_expected as u64))))
        }
        [first, ..] => {
            let detail = format!(
                "{} of {n_expected} sessions have no bar of any stock, first {}",
                silent.len(),
                date_of(*first)
            );
            let hint = match daily.len() {
                1 | 2 => "too few stocks to tell holes in the data from errors of the calendar",
                _ => "import what is missing; if the exchange was closed then, the calendar errs: please report it",
            };
            Ok(Finding::warn("sessions", detail, hint))
        }
    }
}

/// Whether the machine's clock can be right: nothing live may lie in its future.
fn clock(now: Timestamp, series: &[SeriesInfo], recorded: Option<Timestamp>) -> Finding {
    let newest_bar = series
        .iter()
        .filter(|info| !info.key.source.starts_with(crate::feeds::SIMULATED))
        .map(|info| info.last_open)
        .max();
    let hint = "set the machine's clock; forecasts cannot be dated without it";
    match recorded.into_iter().chain(newest_bar).max() {
        Some(newest) if newest > now => {
            Finding::fail("clock", format!("it is {now}, but what is stored was known at {newest}"), hint)
        }
        _ => Finding::ok("clock", format!("{now}")),
    }
}

/// Whether the newest model of each kind can be read.
async fn models(store: &dyn Store) -> anyhow::Result<Finding> {
    let models = store.models().await?;
    let mut seen = BTreeSet::new();
    for record in &models {
        if !seen.insert((record.asset_class, record.timeframe)) {
            continue;
        }
        if let Err(error) = store.model(&record.id).await {
            let detail = format!("{} {}: {:#}", record.asset_class, record.timeframe, anyhow::Error::from(error));
            return Ok(Finding::fail("models", detail, "restore the database, or train into a new home"));
        }
    }
    Ok(match models.len() {
        0 => Finding::ok("models", "none yet: baselines are served until `auspex train` or `auspex serve` has trained"),
        n => Finding::ok("models", format!("{n} stored, the newest of each kind are whole")),
    })
}
