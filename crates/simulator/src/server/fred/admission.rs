//! Who may ask, and how often: keys, and two requests a second for each.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use super::answer::Refusal;
use crate::server::params::Params;

/// Requests of a key within a second of the exchange's clock.
const PER_SECOND: usize = 2;

/// Keys whose requests are remembered; beyond, the ones that have been silent are forgotten.
const KEYS: usize = 1024;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

const MORE: &str = "Read https://fred.stlouisfed.org/docs/api/api_key.html for more information.";

/// Remembers who asked when.
#[derive(Debug, Default)]
pub(super) struct Admission {
    recent: Mutex<HashMap<String, VecDeque<Timestamp>>>,
}

impl Admission {
    /// Lets a request in.
    ///
    /// # Errors
    /// When its key is missing, malformed or not registered, or has been used too often.
    pub(super) fn admit(&self, params: &Params, now: Timestamp) -> Result<(), Refusal> {
        let key = key(params)?;
        let mut recent = self.recent.lock().expect("no holder of this lock can panic");
        if recent.len() >= KEYS {
            recent.retain(|_, times| times.back().is_some_and(|last| now.duration_since(*last) < SECOND));
        }
        let times = recent.entry(key.to_owned()).or_default();
        while times.front().is_some_and(|first| now.duration_since(*first) >= SECOND) {
            times.pop_front();
        }
        if times.len() >= PER_SECOND {
            return Err(Refusal::too_many_requests());
        }
        times.push_back(now);
        Ok(())
    }
}

/// The key of a request: any that has the form of one, but for the one that is all zeros, is registered.
fn key(params: &Params) -> Result<&str, Refusal> {
    let refuse = |what: &str| Err(Refusal::bad_request(&format!("{what}  {MORE}")));
    let Some(key) = params.get("api_key").filter(|key| !key.is_empty()) else {
        return refuse("Variable api_key is not set.");
    };
    let well_formed = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !well_formed {
        return refuse("The value for variable api_key is not a 32 character alpha-numeric lower-case string.");
    }
    if key.bytes().all(|byte| byte == b'0') {
        return refuse("The value for variable api_key is not registered.");
    }
    Ok(key)
}
