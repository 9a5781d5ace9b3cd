//! Cookies and crumbs: who wants quotes shows both, and they must belong together.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use jiff::{SignedDuration, Timestamp};

use super::answer::Refusal;
use crate::noise::Stream;
use crate::server::params::Params;

/// Both live for so long.
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./";

/// A cookie, the one a client shows or a new one, as two headers: the vendor's own, and one for clients that know this host
/// by its loopback address alone, to whom the vendor's domain is foreign.
pub(super) fn set_cookies(run: &str, headers: &HeaderMap, now: Timestamp) -> [String; 2] {
    let expires = now.saturating_add(YEAR).unwrap_or(now).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let microsecond = now.as_microsecond().unsigned_abs();
    let data = letters(&format!("cookie of {run}"), microsecond, 24);
    let fresh = || format!("d={data}&S={}", signature(run, &data));
    let value = cookie(run, headers).unwrap_or_else(fresh);
    let lives = format!("Expires={expires}; Max-Age={}", YEAR.as_secs());
    [
        format!("A3={value}; {lives}; Domain=.yahoo.com; Path=/; SameSite=None; Secure; HttpOnly"),
        format!("A3={value}; {lives}; Path=/; HttpOnly"),
    ]
}

/// The crumb of a cookie: eleven characters. Who has no cookie gets one that fits nothing.
pub(super) fn crumb(run: &str, headers: &HeaderMap) -> String {
    let cookie = cookie(run, headers).unwrap_or_default();
    letters(&format!("crumb of {run} for {cookie}"), 0, 11)
}

/// Whether a request shows a cookie of this run, and the crumb that goes with it.
pub(super) fn check(run: &str, headers: &HeaderMap, params: &Params) -> Result<(), Refusal> {
    let shown = params.get("crumb").unwrap_or_default();
    let known = cookie(run, headers).is_some();
    if known && shown == crumb(run, headers) { Ok(()) } else { Err(Refusal::invalid_crumb()) }
}

/// The cookie of a request, when it was given out here.
fn cookie(run: &str, headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let values = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().strip_prefix("A3="));
    let genuine = |value: &&str| {
        let parts = value.strip_prefix("d=").and_then(|rest| rest.split_once("&S="));
        parts.is_some_and(|(data, shown)| shown == signature(run, data))
    };
    values.map(|value| value.trim_matches('"')).find(genuine).map(str::to_owned)
}

fn signature(run: &str, data: &str) -> String {
    letters(&format!("signature of {run} under {data}"), 0, 20)
}

fn letters(name: &str, index: u64, count: u64) -> String {
    let stream = Stream::new(0, name);
    (0..count).map(|lane| char::from(LETTERS[(stream.bits(index, lane) % 64) as usize])).collect()
}
