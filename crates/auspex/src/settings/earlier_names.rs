//! Environment variables of the earlier service that keep working.

use super::layers::{From, Leaves, truth};

/// Names that were understood and mean nothing here, or nothing yet.
const UNUSED: [&str; 9] = [
    "REDIS_URL",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_PASSWORD",
    "REDIS_DB",
    "REDIS_PREDICTION_DB",
    "PREDICTION_CACHE_TTL",
    "CHART_CACHE_TTL",
    "MODEL_CACHE_TTL",
];

/// Overrides by the earlier names, and tells which are set in vain.
pub(super) fn add(
    leaves: &mut Leaves,
    environment: &[(String, String)],
    complaints: &mut Vec<String>,
) -> Vec<&'static str> {
    let get = |name: &str| {
        let found = environment.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.trim().is_empty())
    };
    let mut set = |key: &str, name: &str, text: &str, complaints: &mut Vec<String>| {
        leaves.set_text(key, text, From::Environment(name.to_owned()), complaints);
    };
    if get("DEBUG").and_then(truth) == Some(true) {
        set("log.level", "DEBUG", "debug", complaints);
    }
    // Of two names for one thing the later here wins.
    let plain = [
        ("API_HOST", "server.host"),
        ("API_PORT", "server.port"),
        ("PORT", "server.port"),
        ("DATABASE_URL", "storage.url"),
        ("FRED_API_KEY", "sources.fred_api_key"),
        ("BINANCE_API_URL", "sources.binance.rest"),
        ("RATE_LIMIT_REQUESTS", "api.rates.requests"),
        ("RATE_LIMIT_WINDOW", "api.rates.window_s"),
    ];
    for (name, key) in plain {
        if let Some(text) = get(name) {
            set(key, name, text, complaints);
        }
    }
    if let Some(text) = get("LOG_LEVEL") {
        // Python's names for what tracing calls warn and error.
        let level = match text.trim().to_ascii_lowercase().as_str() {
            "warning" => "warn".to_owned(),
            "critical" | "fatal" => "error".to_owned(),
            _ => text.trim().to_ascii_lowercase(),
        };
        set("log.level", "LOG_LEVEL", &level, complaints);
    }
    let seconds = [("CACHE_TTL", "api.ready_max_age_ms"), ("WS_HEARTBEAT_INTERVAL", "api.sockets.heartbeat_ms")];
    for (name, key) in seconds {
        let Some(text) = get(name) else { continue };
        match text.trim().parse::<f64>().ok().filter(|seconds| (0.0..=1e6).contains(seconds)) {
            Some(seconds) => set(key, name, &format!("{:.0}", seconds * 1000.0), complaints),
            None => complaints.push(format!("{key} ({name}) is {text:?}: a number of seconds is expected")),
        }
    }
    UNUSED.into_iter().filter(|name| get(name).is_some()).collect()
}
