//! What can be set: defaults, file, environment, flags, each overriding the one before.
//!
//! The embedded `default.toml` holds every key with its default and is the manual; a value's type is that of its
//! default. Everything that is wrong is said at once, each thing with its key.

mod earlier_names;
mod layers;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use api::ApiSettings;
use jiff::SignedDuration;
use market::{ChainId, Timeframe};
use serde::Deserialize;

use crate::cli::MIN_MAX_ROWS;

pub(crate) use layers::{From, Leaf, Leaves};

/// The defaults, which are also the manual.
pub(crate) const DEFAULT: &str = include_str!("../default.toml");

/// What flags say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) log_level: Option<String>,
}

/// The settings in force.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Settings {
    pub(crate) server: ServerSettings,
    pub(crate) log: LogSettings,
    pub(crate) storage: StorageSettings,
    pub(crate) import: ImportSettings,
    pub(crate) engine: EngineSettings,
    pub(crate) api: ApiSettings,
    pub(crate) sources: SourceSettings,
    bench: BenchSettings,
    /// Every value with where it came from, in the order of the manual.
    #[serde(skip)]
    pub(crate) leaves: Leaves,
    /// Names of the earlier service that are set and do nothing in this version.
    #[serde(skip)]
    pub(crate) unused: Vec<&'static str>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServerSettings {
    pub(crate) host: String,
    pub(crate) port: u16,
    drain_timeout_s: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LogSettings {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StorageSettings {
    url: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ImportSettings {
    pub(crate) quarantine_rows: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EngineSettings {
    pub(crate) symbols: Vec<String>,
    timeframes: Vec<String>,
    seed: u64,
    max_rows: usize,
    booster_refit_months: u32,
    gate_months: u32,
    stale_after_s: i64,
    void_after_s: i64,
    pub(crate) refresh_s: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SourceSettings {
    pub(crate) enabled: Vec<String>,
    pub(crate) crypto_minutes: Vec<String>,
    pub(crate) minutes_days: i64,
    pub(crate) hours_days: i64,
    pub(crate) days_days: i64,
    pub(crate) releases_s: i64,
    pub(crate) failover_s: i64,
    pub(crate) disagreement_bp: u32,
    pub(crate) timeout_s: u64,
    pub(crate) user_agent: String,
    pub(crate) fred_api_key: String,
    pub(crate) binance: ExchangeSettings,
    pub(crate) binanceus: ExchangeSettings,
    pub(crate) yahoo: YahooHosts,
    pub(crate) fred: FredHosts,
    pub(crate) daily_csv: DailyCsvSettings,
    pub(crate) lists: ListPages,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ExchangeSettings {
    pub(crate) rest: Vec<String>,
    pub(crate) streams: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct YahooHosts {
    pub(crate) query: Vec<String>,
    pub(crate) cookie: String,
    pub(crate) streamer: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FredHosts {
    pub(crate) api: String,
    pub(crate) graph: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DailyCsvSettings {
    pub(crate) url: String,
    pub(crate) adjustment: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListPages {
    pub(crate) sp500: String,
    pub(crate) nasdaq100: String,
}

#[derive(Debug, Clone, Deserialize)]
struct BenchSettings {
    recompute: bool,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaints(pub(crate) Vec<String>);

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "{one}"),
            many => {
                write!(f, "{} settings are wrong:", many.len())?;
                many.iter().try_for_each(|complaint| write!(f, "\n  {complaint}"))
            }
        }
    }
}

/// Reads the settings; `file` need not be there.
pub(crate) fn load(file: &Path, overrides: &Overrides) -> Result<Settings, Complaints> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    load_from(file, &environment, overrides)
}

fn load_from(file: &Path, environment: &[(String, String)], overrides: &Overrides) -> Result<Settings, Complaints> {
    let mut complaints = Vec::new();
    let mut leaves = Leaves::defaults();
    leaves.add_file(file, &mut complaints);
    let unused = earlier_names::add(&mut leaves, environment, &mut complaints);
    leaves.add_environment(environment, &mut complaints);
    let flags = [
        ("server.host", overrides.host.clone()),
        ("server.port", overrides.port.map(|port| port.to_string())),
        ("log.level", overrides.log_level.clone()),
    ];
    for (key, value) in flags {
        if let Some(value) = value {
            leaves.set_text(key, &value, From::Flag, &mut complaints);
        }
    }
    // A value of a wrong type has been left at its default, so that the rest can still be looked at.
    match leaves.deserialize::<Settings>() {
        Ok(mut settings) => {
            settings.api.drain_timeout_ms = settings.server.drain_timeout_s.saturating_mul(1000);
            settings.api.recompute = settings.bench.recompute;
            settings.leaves = leaves;
            settings.unused = unused;
            complaints.extend(settings.check());
            if complaints.is_empty() { Ok(settings) } else { Err(Complaints(complaints)) }
        }
        Err(complaint) => {
            complaints.push(complaint);
            Err(Complaints(complaints))
        }
    }
}

impl Settings {
    /// What is wrong beyond types.
    fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.host().is_err() {
            complaints.push(format!("server.host is {:?}: an IP address or localhost is expected", self.server.host));
        }
        if let Err(error) = crate::logging::check(&self.log) {
            complaints.push(format!("log.level is {:?}: {error}", self.log.level));
        }
        if let Err(complaint) = self.storage.path() {
            complaints.push(complaint);
        }
        for (index, text) in self.engine.timeframes.iter().enumerate() {
            if let Err(error) = text.parse::<Timeframe>() {
                complaints.push(format!("engine.timeframes[{index}]: {error}"));
            }
        }
        for (index, text) in self.engine.symbols.iter().enumerate() {
            if let Err(error) = text.parse::<market::Symbol>() {
                complaints.push(format!("engine.symbols[{index}]: {error}"));
            }
        }
        let engine = &self.engine;
        let at_least = [
            ("engine.max_rows", engine.max_rows as u64, MIN_MAX_ROWS as u64),
            ("engine.booster_refit_months", u64::from(engine.booster_refit_months), 1),
            ("engine.gate_months", u64::from(engine.gate_months), 1),
            ("engine.refresh_s", engine.refresh_s, 1),
            ("engine.stale_after_s", u64::try_from(engine.stale_after_s).unwrap_or(0), 1),
            ("engine.void_after_s", u64::try_from(engine.void_after_s).unwrap_or(0), 1),
        ];
        for (key, value, least) in at_least {
            if value < least {
                complaints.push(format!("{key} is {value}: at least {least} is expected"));
            }
        }
        let sources = &self.sources;
        let at_least = [
            ("sources.minutes_days", sources.minutes_days),
            ("sources.hours_days", sources.hours_days),
            ("sources.days_days", sources.days_days),
            ("sources.releases_s", sources.releases_s),
            ("sources.timeout_s", i64::try_from(sources.timeout_s).unwrap_or(i64::MAX)),
            ("sources.disagreement_bp", i64::from(sources.disagreement_bp)),
        ];
        for (key, value) in at_least {
            if value < 1 {
                complaints.push(format!("{key} is {value}: at least 1 is expected"));
            }
        }
        complaints.extend(crate::feeds::check(sources));
        if let Err(api) = self.api.check() {
            complaints.extend(api.into_iter().map(|complaint| format!("api.{complaint}")));
        }
        complaints
    }

    /// The address to listen on.
    pub(crate) fn host(&self) -> Result<IpAddr, std::net::AddrParseError> {
        match self.server.host.as_str() {
            "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
            host => host.parse(),
        }
    }

    /// The engine's settings, writing to `chain`. `engine.symbols` is added by whoever knows the assets.
    pub(crate) fn engine(&self, chain: ChainId) -> engine::Settings {
        let set = &self.engine;
        engine::Settings {
            timeframes: set.timeframes.iter().filter_map(|text| text.parse().ok()).collect(),
            seed: set.seed,
            max_rows: set.max_rows,
            booster_refit_months: set.booster_refit_months,
            gate_months: set.gate_months,
            stale_after: SignedDuration::from_secs(set.stale_after_s),
            void_after: SignedDuration::from_secs(set.void_after_s),
            ..engine::Settings::new(chain)
        }
    }
}

impl StorageSettings {
    /// The database file, when it is not the one in the home folder.
    pub(crate) fn path(&self) -> Result<Option<PathBuf>, String> {
        let url = self.url.trim();
        if url.is_empty() {
            return Ok(None);
        }
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            return match path {
                "" | ":memory:" => Err(format!("storage.url is {url:?}: sqlite:PATH is expected")),
                path => Ok(Some(path.into())),
            };
        }
        let scheme = url.split(':').next().unwrap_or_default();
        Err(match scheme {
            "postgres" | "postgresql" => {
                "storage.url (DATABASE_URL) names a PostgreSQL database, which is not in this \
                                          version: leave it empty for SQLite in the home folder, or give sqlite:PATH"
                    .to_owned()
            }
            _ => format!("storage.url (DATABASE_URL) begins with {scheme:?}: sqlite:PATH is expected"),
        })
    }
}

/// Keys whose values are never shown.
const SECRETS: [&str; 1] = ["sources.fred_api_key"];

/// A value as it may be shown.
pub(crate) fn shown(leaf: &Leaf) -> String {
    let text = leaf.to_toml();
    if SECRETS.contains(&leaf.key.as_str()) && text != "\"\"" {
        return "\"***\"".to_owned();
    }
    text
}

#[cfg(test)]
mod tests;
