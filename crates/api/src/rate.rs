//! How often one client may ask.
//!
//! A client is an address (of IPv6 its network of 64 bits). Each class of routes has a quota for a window of time that
//! begins with the client's first request.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::settings::RateSettings;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const FORWARDED_FOR: &str = "x-forwarded-for";

/// So many clients are known at once; when more come, those whose window is over are forgotten, or else all.
const MAX_CLIENTS: usize = 65_536;

/// The other end of a connection; an extension of each request that came over one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Routes that share a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    Requests,
    Exports,
    Sockets,
}

impl Class {
    /// The class of a path; probes are never limited.
    fn of(path: &str) -> Option<Self> {
        match path {
            "/livez" | "/readyz" => None,
            _ if path.starts_with("/ws/") => Some(Self::Sockets),
            _ if path.ends_with("/export") => Some(Self::Exports),
            _ => Some(Self::Requests),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Exports => "exports",
            Self::Sockets => "sockets",
        }
    }
}

/// What the clients have asked.
#[derive(Debug)]
pub(crate) struct Rates {
    settings: RateSettings,
    spent: Mutex<HashMap<(IpAddr, Class), Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    since: Instant,
    n: u32,
}

/// What a client still may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    class: Class,
    most: u32,
    window: Duration,
    /// `None` when nothing was left for this request.
    left: Option<u32>,
    /// Until the window is over.
    reset: Duration,
}

impl Rates {
    pub(crate) fn new(settings: &RateSettings) -> Self {
        Self { settings: settings.clone(), spent: Mutex::default() }
    }

    /// Counts a request; `None` where there is no limit.
    pub(crate) fn count(&self, path: &str, peer: Option<Peer>, headers: &HeaderMap, now: Instant) -> Option<Quota> {
        let class = Class::of(path)?;
        let client = self.client(peer?.0, headers);
        if client.is_loopback() && !self.settings.limit_loopback {
            return None;
        }
        let (most, window) = (self.most(class), Duration::from_secs(self.settings.window_s));
        let mut clients = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MAX_CLIENTS {
            clients.retain(|_, spent| now.duration_since(spent.since) < window);
            if clients.len() >= MAX_CLIENTS {
                clients.clear();
            }
        }
        let spent = clients.entry((network(client), class)).or_insert(Spent { since: now, n: 0 });
        if now.duration_since(spent.since) >= window {
            *spent = Spent { since: now, n: 0 };
        }
        let left = most.checked_sub(spent.n + 1);
        spent.n += u32::from(left.is_some());
        Some(Quota { class, most, window, left, reset: window - now.duration_since(spent.since) })
    }

    const fn most(&self, class: Class) -> u32 {
        match class {
            Class::Requests => self.settings.requests,
            Class::Exports => self.settings.exports,
            Class::Sockets => self.settings.sockets,
        }
    }

    /// Who asks: the peer, or behind a listed proxy the last address that is not one of the listed.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_proxy = |address: &IpAddr| self.settings.trusted_proxies.contains(address);
        let peer = peer.to_canonical();
        if !is_proxy(&peer) {
            return peer;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|line| line.to_str().ok());
        let forwarded = lines.flat_map(|line| line.rsplit(',')).map(|address| address.trim().parse::<IpAddr>());
        // What cannot be read ends the chain that can be trusted.
        let mut known = forwarded.map_while(Result::ok).map(|address| address.to_canonical());
        known.find(|address| !is_proxy(address)).unwrap_or(peer)
    }
}

impl Quota {
    /// Seconds after which it is worth asking again, when nothing was left.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.left.is_none().then(|| seconds(self.reset))
    }

    /// The limit in words.
    pub(crate) fn words(&self) -> String {
        format!("{} {} in {} seconds are answered", self.most, self.class.as_str(), self.window.as_secs())
    }

    /// Says on an answer what is left.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let class = self.class.as_str();
        let policy = format!("\"{class}\";q={};w={}", self.most, self.window.as_secs());
        let left = format!("\"{class}\";r={};t={}", self.left.unwrap_or(0), seconds(self.reset));
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Whom an address stands for: the holder of an IPv6 network has as many addresses as it likes.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let trusted_proxies = vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        Rates::new(&RateSettings { requests: 2, exports: 1, trusted_proxies, ..RateSettings::default() })
    }

    fn peer(text: &str) -> Option<Peer> {
        Some(Peer(text.parse().unwrap()))
    }

    #[test]
    fn a_quota_is_one_of_a_client_a_class_and_a_window() {
        let (rates, start, none) = (rates(), Instant::now(), HeaderMap::new());
        let ask = |path: &str, from: &str, after_s: u64| {
            rates.count(path, peer(from), &none, start + Duration::from_secs(after_s)).map(|quota| quota.left)
        };
        let (forecast, export) = ("/api/asset/BTC/forecast", "/api/asset/BTC/export");
        let cases = [
            (forecast, "1.2.3.4", 0, Some(Some(1))),
            (forecast, "1.2.3.4", 1, Some(Some(0))),
            (forecast, "1.2.3.4", 59, Some(None)),
            (export, "1.2.3.4", 59, Some(Some(0))),
            (forecast, "1.2.3.5", 59, Some(Some(1))),
            (forecast, "1.2.3.4", 60, Some(Some(1))),
            (forecast, "2001:db8::1", 60, Some(Some(1))),
            (forecast, "2001:db8::2", 60, Some(Some(0))),
            (forecast, "::ffff:1.2.3.4", 60, Some(Some(0))),
            ("/livez", "1.2.3.4", 60, None),
            (forecast, "127.0.0.1", 60, None),
            (forecast, "::ffff:127.0.0.1", 60, None),
        ];
        for (path, from, after_s, left) in cases {
            assert_eq!(ask(path, from, after_s), left, "{path} {from} {after_s}");
        }
    }

    #[test]
    fn only_listed_proxies_are_believed() {
        let cases = [
            ("1.2.3.4", "9.9.9.9", "1.2.3.4"),
            ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
            ("10.0.0.1", "8.8.8.8, 9.9.9.9", "9.9.9.9"),
            ("10.0.0.1", "9.9.9.9, 10.0.0.2", "9.9.9.9"),
            ("10.0.0.1", "9.9.9.9, unknown", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ];
        for (from, forwarded, client) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, forwarded.parse().unwrap());
            let found = rates().client(from.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{from} {forwarded}");
        }
    }
}
