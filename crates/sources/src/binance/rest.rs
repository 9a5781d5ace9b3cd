//! Asking over REST: which host, how often, and what its refusals mean.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::Clock;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::failure::Failure;
use crate::http::{Answer, Http};
use crate::pace::{Budget, Patience, sleep, sleep_until};

use super::allowance::Allowance;
use super::candle::instant;
use super::hosts::{HOST_REST, Hosts, under};
use super::reference::parse_time;
use super::settings::BinanceSettings;

/// How often a host in trouble is asked before the next one is.
const TRIES_A_HOST: usize = 3;

/// Requests of whatever weight are counted too: 61,000 in five minutes at least are allowed.
const REQUEST_PERIOD: Duration = Duration::from_millis(10);

/// Pauses between tries; on the clock.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Whoever asks waits so long for limits to pass, and is then told of them.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(2);

/// The firewall's counts are not told; it is left alone for so long.
const FIREWALL_REST: SignedDuration = SignedDuration::from_mins(5);

/// The exchange's clock is read anew after so long.
const CLOCK_HOLDS: SignedDuration = SignedDuration::from_mins(10);

/// A clock that is further off than this is told of.
const CLOCK_OFF: SignedDuration = SignedDuration::from_secs(30);

/// One exchange over REST.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) settings: BinanceSettings,
    pub(super) clock: Arc<dyn Clock>,
    http: Http,
    weight: Budget,
    hosts: Hosts,
    allowance: Arc<Allowance>,
    /// How far the exchange's clock is ahead of ours at least, in microseconds.
    ahead: AtomicI64,
    /// When that was measured.
    measured: Mutex<Option<Timestamp>>,
}

impl Rest {
    pub(super) fn new(settings: &BinanceSettings, clock: Arc<dyn Clock>) -> Self {
        // In one minute at most the burst and four fifths of the limit are spent, which together is less than the limit.
        let limit = settings.weight_a_minute.clamp(8, 1_000_000);
        let burst = NonZeroU32::new(limit / 8).unwrap_or(NonZeroU32::MIN);
        let weight = Budget::new(Arc::clone(&clock), Duration::from_secs(60) * 5 / (limit * 4), burst);
        let requests = Budget::new(Arc::clone(&clock), REQUEST_PERIOD, NonZeroU32::new(100).expect("not zero"));
        Self {
            settings: settings.clone(),
            http: Http::new(settings.http.clone(), requests),
            weight,
            hosts: Hosts::new(settings.rest.clone()),
            allowance: Arc::new(Allowance::new(limit)),
            clock,
            ahead: AtomicI64::new(0),
            measured: Mutex::new(None),
        }
    }

    /// What streams share with it.
    pub(super) fn allowance(&self) -> Arc<Allowance> {
        Arc::clone(&self.allowance)
    }

    /// The present by the exchange's clock: no later than it shows, and earlier by as long as an answer takes.
    pub(super) async fn exchange_now(&self) -> Result<Timestamp, Failure> {
        // Whoever comes while another reads the exchange's clock waits for what it reads.
        let mut measured = self.measured.lock().await;
        if measured.is_none_or(|at| self.clock.now().duration_since(at) >= CLOCK_HOLDS) {
            match self.measure().await {
                Ok(ahead) => {
                    *measured = Some(self.clock.now());
                    self.ahead.store(ahead.as_micros().try_into().unwrap_or(0), Ordering::Relaxed);
                    if ahead.abs() > CLOCK_OFF {
                        let name = &self.settings.name;
                        tracing::warn!(source = %name, "the clock of {name} is {ahead:#} ahead of ours");
                    }
                }
                // An old measurement is better than none: clocks drift slowly.
                Err(failure) if measured.is_some() => {
                    tracing::debug!(source = %self.settings.name, "the exchange's clock is not told: {failure}");
                }
                Err(failure) => return Err(failure),
            }
        }
        drop(measured);
        Ok(self.clock.now().saturating_add(self.ahead()).unwrap_or(Timestamp::MAX))
    }

    async fn measure(&self) -> Result<SignedDuration, Failure> {
        self.ask("/api/v3/time", &[], 1, "", |answer, answered| {
            let there = parse_time(&answer.body).map_err(|reason| answer.malformed(reason))?;
            // When it looked at its clock is not known. To be late is harmless; to be early would close bars that run.
            Ok(there.duration_since(answered))
        })
        .await
    }

    fn ahead(&self) -> SignedDuration {
        SignedDuration::from_micros(self.ahead.load(Ordering::Relaxed))
    }

    /// Asks for so much weight; again after growing pauses, and at the next host, while that may help. `spelling` is the
    /// pair that is asked for. `understand` is given the answer and, on the clock, when it came.
    pub(super) async fn ask<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        weight: u32,
        spelling: &str,
        understand: impl Fn(&Answer, Timestamp) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let times = (TRIES_A_HOST * self.hosts.len()).saturating_sub(1);
        let mut pauses = Patience { first: FIRST_PAUSE, longest: LONGEST_PAUSE, times }.pauses();
        let mut tries_here = (usize::MAX, 0);
        loop {
            self.turn(weight).await?;
            let Some((at, base)) = self.hosts.pick(self.clock.now()) else { return Err(self.nowhere()) };
            let mut url = under(base, path);
            if !query.is_empty() {
                url.query_pairs_mut().extend_pairs(query);
            }
            let failure = match self.ask_once(url, spelling, &understand).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let now = self.clock.now();
            let after = |rest: SignedDuration| now.saturating_add(rest).unwrap_or(Timestamp::MAX);
            match &failure {
                Failure::Restricted { .. } => {
                    tracing::warn!(source = %self.settings.name, "{failure}; it is passed over");
                    self.hosts.restrict(at, now);
                    continue;
                }
                Failure::Refused { status: 403, .. } => {
                    self.hosts.rest(at, after(FIREWALL_REST));
                    if !self.hosts.any_awake(now) {
                        return Err(failure);
                    }
                }
                // The next turn waits, or gives up.
                Failure::Limited { .. } => {}
                failure if failure.is_transient() => {
                    tries_here = if tries_here.0 == at { (at, tries_here.1 + 1) } else { (at, 1) };
                    if tries_here.1 >= TRIES_A_HOST {
                        self.hosts.rest(at, after(HOST_REST));
                    }
                }
                _ => return Err(failure),
            }
            let Some(pause) = pauses.next() else { return Err(failure) };
            tracing::debug!(source = %self.settings.name, "{}; asked again after {pause:?}", failure.in_words());
            sleep(&*self.clock, pause).await;
        }
    }

    async fn ask_once<T>(
        &self,
        url: Url,
        spelling: &str,
        understand: impl Fn(&Answer, Timestamp) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let answer = self.http.get(url, &[], NonZeroU32::MIN).await?;
        let answered = self.clock.now();
        self.note(&answer, answered);
        self.judge(&answer, spelling)?;
        understand(&answer, answered)
    }

    /// Waits until so much weight may be asked for.
    async fn turn(&self, weight: u32) -> Result<(), Failure> {
        self.weight.spend(NonZeroU32::new(weight).unwrap_or(NonZeroU32::MIN)).await;
        while let Some(until) = self.allowance.not_before(self.clock.now(), self.ahead(), weight) {
            let now = self.clock.now();
            if until.duration_since(now) > LONGEST_WAIT
                && let Some(limited) = self.allowance.left_alone(now, &self.settings.name)
            {
                return Err(limited);
            }
            sleep_until(&*self.clock, until).await;
        }
        Ok(())
    }

    fn note(&self, answer: &Answer, now: Timestamp) {
        let used = answer.headers.get("x-mbx-used-weight-1m").or_else(|| answer.headers.get("x-mbx-used-weight"));
        if let Some(used) = used.and_then(|used| used.to_str().ok()?.trim().parse().ok()) {
            self.allowance.used(now, self.ahead(), used);
        }
    }

    /// What the status and the words of an error mean.
    fn judge(&self, answer: &Answer, spelling: &str) -> Result<(), Failure> {
        let now = self.clock.now();
        if (200..300).contains(&answer.status) {
            self.allowance.served(now);
            return Ok(());
        }
        let (host, status) = (answer.host.clone(), answer.status);
        let said = serde_json::from_slice::<Said>(&answer.body).ok();
        let (code, words) = match said {
            Some(said) => (Some(said.code), said.msg),
            None => (None, answer.excerpt()),
        };
        Err(match (status, code) {
            (418 | 429, _) | (_, Some(-1003)) => {
                let status = if status == 418 { 418 } else { 429 };
                let retry_after = answer.retry_after().or_else(|| banned_for(&words, now, self.ahead()));
                self.allowance.refused(now, self.ahead(), status, retry_after);
                Failure::Limited { host, status, retry_after }
            }
            (451, _) => Failure::Restricted { host, said: words },
            (403, None) => {
                let said = format!("its firewall let the request not through: {words}");
                Failure::Refused { host, status, said }
            }
            (_, Some(-1121)) => Failure::Unknown { host, spelling: spelling.to_owned() },
            (_, Some(-1000 | -1001 | -1007 | -1008 | -1016)) | (408 | 500.., _) => {
                Failure::Server { host, status, said: words }
            }
            (_, Some(code)) => Failure::Refused { host, status, said: format!("{words} (code {code})") },
            (_, None) => answer.failure(),
        })
    }

    fn nowhere(&self) -> Failure {
        if self.hosts.len() == 0 {
            let what = "address of its REST interface".to_owned();
            return Failure::NotOffered { source_name: self.settings.name.clone(), what };
        }
        Failure::Restricted { host: self.hosts.names(), said: RESTRICTED.to_owned() }
    }
}

/// What can be done about status 451.
pub(super) const RESTRICTED: &str = "the exchange serves no requests from this place. The hosts of market data only \
    (data-api.binance.vision, data-stream.binance.vision) answer from most places; in the United States the source \
    binanceus stands for it; or take coins from another source";

/// The body of an error.
#[derive(Deserialize)]
struct Said {
    code: i64,
    #[serde(default)]
    msg: String,
}

/// What is left of a ban whose end is told in words only: `... IP banned until 1783000120000. ...`.
fn banned_for(words: &str, now: Timestamp, ahead: SignedDuration) -> Option<Duration> {
    let (_, rest) = words.split_once("banned until ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let until = instant(digits.parse().ok()?)?.saturating_sub(ahead).ok()?;
    Some(until.duration_since(now).max(SignedDuration::ZERO).unsigned_abs())
}
