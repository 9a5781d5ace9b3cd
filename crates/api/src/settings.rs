//! What can be set about the API.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

/// What can be set about the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// Origins whose pages may call from a browser, such as `https://example.org`; `*` for all; none when empty.
    pub cors_origins: Vec<String>,
    /// Hosts that requests may name: `example.org`, `*.example.org`, `any-ip` for every address literal, `*` for all.
    pub trusted_hosts: Vec<String>,
    /// More connections than this wait until another ends; sockets do not count.
    pub max_connections: usize,
    /// A connection on which no request is made for so long, or no part of an answer is taken, is closed.
    pub idle_timeout_ms: u64,
    /// Requests with larger headers are refused.
    pub header_limit_bytes: usize,
    /// Requests with a larger body are refused.
    pub body_limit_bytes: u64,
    /// An answer that has not begun by then is given up.
    pub request_timeout_ms: u64,
    /// How long open requests and sockets may take to end when the server stops.
    pub drain_timeout_ms: u64,
    /// How old a ready answer may get before it is built anew although nothing happened: ages and staleness move on.
    pub ready_max_age_ms: u64,
    /// Whether a request for a forecast with `Cache-Control: no-cache` computes a forecast and discards it; for benches.
    pub recompute: bool,
    /// How often one client may ask.
    pub rates: RateSettings,
    /// Sockets.
    pub sockets: SocketSettings,
}

/// What can be set about how often one client may ask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateSettings {
    /// So many requests a window, but for exports and sockets.
    pub requests: u32,
    /// So many exports a window.
    pub exports: u32,
    /// So many sockets are opened a window.
    pub sockets: u32,
    /// The length of a window.
    pub window_s: u64,
    /// Whether clients on this machine are limited too.
    pub limit_loopback: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// What can be set about WebSockets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketSettings {
    /// More connections than this are refused.
    pub max_connections: usize,
    /// Larger messages from a client end its connection.
    pub max_message_bytes: usize,
    /// Time between two pings.
    pub heartbeat_ms: u64,
    /// A stream says one message in each interval of this length, the first change in it at once.
    pub coalesce_ms: u64,
    /// A client that takes no message for so long is closed.
    pub lag_limit_ms: u64,
    /// Messages of each stream kept for clients that reconnect.
    pub replay_messages: usize,
    /// The kernel's send buffer of a connection made by [`crate::bind`]; small, so that a slow client lags little.
    pub send_buffer_bytes: u32,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            trusted_hosts: vec!["localhost".to_owned(), "any-ip".to_owned()],
            max_connections: 10_000,
            idle_timeout_ms: 30_000,
            header_limit_bytes: 32 * 1024,
            body_limit_bytes: 64 * 1024,
            request_timeout_ms: 30_000,
            drain_timeout_ms: 10_000,
            ready_max_age_ms: 1_000,
            recompute: false,
            rates: RateSettings::default(),
            sockets: SocketSettings::default(),
        }
    }
}

impl Default for RateSettings {
    fn default() -> Self {
        Self {
            requests: 100,
            exports: 10,
            sockets: 60,
            window_s: 60,
            limit_loopback: false,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_message_bytes: 4 * 1024,
            heartbeat_ms: 30_000,
            coalesce_ms: 100,
            lag_limit_ms: 10_000,
            replay_messages: 16,
            send_buffer_bytes: 64 * 1024,
        }
    }
}

impl ApiSettings {
    /// Looks at every value.
    ///
    /// # Errors
    /// All complaints at once, each with its key.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut complaints = Vec::new();
        for origin in &self.cors_origins {
            if origin != "*" && !is_origin(origin) {
                complaints.push(format!("cors_origins: {origin:?} is no origin: scheme://host[:port] is expected"));
            }
        }
        if self.trusted_hosts.is_empty() {
            complaints.push("trusted_hosts is empty: nobody could connect; use \"*\" to trust all".to_owned());
        }
        for host in &self.trusted_hosts {
            let name = host.strip_prefix("*.").unwrap_or(host);
            if host != "*" && (name.is_empty() || name.contains(['/', '*', ' '])) {
                complaints
                    .push(format!("trusted_hosts: {host:?} is no host: a name, *.suffix, any-ip or * is expected"));
            }
        }
        let sockets = &self.sockets;
        let at_least = [
            ("max_connections", self.max_connections as u64, 1),
            ("idle_timeout_ms", self.idle_timeout_ms, 10),
            ("header_limit_bytes", self.header_limit_bytes as u64, 1024),
            ("rates.requests", u64::from(self.rates.requests), 1),
            ("rates.exports", u64::from(self.rates.exports), 1),
            ("rates.sockets", u64::from(self.rates.sockets), 1),
            ("rates.window_s", self.rates.window_s, 1),
            ("request_timeout_ms", self.request_timeout_ms, 1),
            ("sockets.max_connections", sockets.max_connections as u64, 1),
            ("sockets.max_message_bytes", sockets.max_message_bytes as u64, 64),
            ("sockets.heartbeat_ms", sockets.heartbeat_ms, 10),
            ("sockets.lag_limit_ms", sockets.lag_limit_ms, 10),
            ("sockets.send_buffer_bytes", u64::from(sockets.send_buffer_bytes), 4096),
        ];
        for (key, value, least) in at_least {
            if value < least {
                complaints.push(format!("{key} is {value}: at least {least} is expected"));
            }
        }
        if sockets.replay_messages > 1024 {
            complaints
                .push(format!("sockets.replay_messages is {}: at most 1024 is expected", sockets.replay_messages));
        }
        if complaints.is_empty() { Ok(()) } else { Err(complaints) }
    }

    pub(crate) fn ready_max_age(&self) -> Duration {
        Duration::from_millis(self.ready_max_age_ms)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

impl SocketSettings {
    pub(crate) fn coalesce(&self) -> Duration {
        Duration::from_millis(self.coalesce_ms)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    pub(crate) fn lag_limit(&self) -> Duration {
        Duration::from_millis(self.lag_limit_ms)
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    scheme.bytes().all(|b| b.is_ascii_alphanumeric())
        && !scheme.is_empty()
        && !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_accepted() {
        assert_eq!(ApiSettings::default().check(), Ok(()));
    }

    #[test]
    fn all_complaints_come_at_once_with_their_keys() {
        let settings = ApiSettings {
            cors_origins: vec!["example.org".to_owned(), "https://example.org/path".to_owned(), "*".to_owned()],
            trusted_hosts: vec!["*.".to_owned()],
            request_timeout_ms: 0,
            sockets: SocketSettings { lag_limit_ms: 0, replay_messages: 5000, ..SocketSettings::default() },
            ..ApiSettings::default()
        };
        let complaints = settings.check().unwrap_err();
        let keys: Vec<_> = complaints.iter().filter_map(|c| c.split([' ', ':']).next()).collect();
        let expected = [
            "cors_origins",
            "cors_origins",
            "trusted_hosts",
            "request_timeout_ms",
            "sockets.lag_limit_ms",
            "sockets.replay_messages",
        ];
        assert_eq!(keys, expected);
    }
}
