//! Asking: one gate for everything that goes to Yahoo, closed for a while when Yahoo says it was asked too often.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::Clock;
use tokio::sync::Semaphore;
use url::Url;

use super::YahooSettings;
use super::chart::{Chart, ChartError, parse_chart};
use super::crumb::Pass;
use super::spelling::percent_encoded;
use crate::failure::Failure;
use crate::http::{Answer, Http, host_of};
use crate::pace::{Budget, retrying};

/// Requests under way at once; the others wait before they join the budget's queue, where a rest cannot stop them.
const AT_ONCE: usize = 4;

/// Everything that goes to Yahoo goes through here.
#[derive(Debug)]
pub(super) struct Client {
    settings: YahooSettings,
    http: Http,
    clock: Arc<dyn Clock>,
    gate: Semaphore,
    rest: Mutex<Rest>,
    /// The query host that answered last.
    host: AtomicUsize,
    pub(super) pass: tokio::sync::Mutex<Option<Pass>>,
}

/// Since when and for how long Yahoo is left alone.
#[derive(Debug)]
struct Rest {
    until: Timestamp,
    next: Duration,
}

impl Client {
    pub(super) fn new(settings: YahooSettings, budget: Budget, clock: Arc<dyn Clock>) -> Self {
        let http = Http::without_redirects(settings.http.clone(), budget);
        let rest = Mutex::new(Rest { until: Timestamp::MIN, next: settings.rest });
        let gate = Semaphore::new(AT_ONCE);
        let pass = tokio::sync::Mutex::new(None);
        Self { settings, http, clock, gate, rest, host: AtomicUsize::new(0), pass }
    }

    pub(super) const fn settings(&self) -> &YahooSettings {
        &self.settings
    }

    /// The query host in use.
    pub(super) fn host(&self) -> String {
        self.query().map_or_else(|| "nowhere".to_owned(), |url| host_of(&url))
    }

    fn query(&self) -> Option<Url> {
        let hosts = &self.settings.query;
        hosts.get(self.host.load(Ordering::Relaxed) % hosts.len().max(1)).cloned()
    }

    /// An address of the query host in use; `path` is percent-encoded and begins without a slash.
    pub(super) fn query_url(&self, path: &str) -> Result<Url, Failure> {
        let mut url = self.query().ok_or_else(|| Failure::NotOffered {
            source_name: self.settings.name.clone(),
            what: "host to ask".to_owned(),
        })?;
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        Ok(url)
    }

    /// The chart of a series; nothing where there is none in the window.
    pub(super) async fn chart(
        &self,
        spelling: &str,
        interval: &str,
        (from, to): (i64, i64),
    ) -> Result<Option<Chart>, Failure> {
        retrying(&*self.clock, self.settings.patience, || async move {
            let mut url = self.query_url(&format!("v8/finance/chart/{}", percent_encoded(spelling)))?;
            url.query_pairs_mut()
                .append_pair("period1", &from.to_string())
                .append_pair("period2", &to.to_string())
                .append_pair("interval", interval)
                .append_pair("includePrePost", "false")
                .append_pair("events", "div,splits");
            self.with_failover(async {
                let answer = self.get(url, &[]).await?;
                let outcome = read_answer(&answer, spelling);
                if let Err(Failure::Limited { host, status, retry_after: None }) = outcome {
                    let retry_after = Some(self.begin_rest(None));
                    return Err(Failure::Limited { host, status, retry_after });
                }
                outcome
            })
            .await
        })
        .await
    }

    /// Goes to the next host after a failure that may be the host's own.
    pub(super) async fn with_failover<T>(
        &self,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let host = self.host.load(Ordering::Relaxed);
        let outcome = attempt.await;
        if let Err(Failure::Unreachable { .. } | Failure::Server { .. } | Failure::Malformed { .. }) = outcome {
            // Others may have gone on already.
            let _ = self.host.compare_exchange(host, host.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        outcome
    }

    /// Asks once, when Yahoo may be asked at all. Answers that it was asked too often are failures and begin a rest;
    /// every other answer ends it.
    pub(super) async fn get(&self, url: Url, headers: &[(&'static str, &str)]) -> Result<Answer, Failure> {
        self.guarded(host_of(&url), self.http.get(url, headers, NonZeroU32::MIN)).await
    }

    /// Sends a form, likewise.
    pub(super) async fn post_form(
        &self,
        url: Url,
        form: String,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, Failure> {
        self.guarded(host_of(&url), self.http.post_form(url, form, headers, NonZeroU32::MIN)).await
    }

    async fn guarded(
        &self,
        host: String,
        request: impl Future<Output = Result<Answer, Failure>>,
    ) -> Result<Answer, Failure> {
        let _permit = self.gate.acquire().await;
        let limited = |rest| Failure::Limited { host: host.clone(), status: 429, retry_after: Some(rest) };
        if let Some(rest) = self.resting() {
            return Err(limited(rest));
        }
        let answer = request.await?;
        let plain =
            answer.body.starts_with(b"Too Many Requests") || answer.body.starts_with(b"Edge: Too Many Requests");
        if answer.status == 429 || plain {
            return Err(limited(self.begin_rest(answer.retry_after())));
        }
        self.end_rest();
        Ok(answer)
    }

    /// How long Yahoo is to be left alone still.
    pub(super) fn resting(&self) -> Option<Duration> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let left = rest.until.duration_since(self.clock.now());
        left.is_positive().then(|| left.unsigned_abs())
    }

    /// Leaves Yahoo alone from now on, twice as long as the last time.
    pub(super) fn begin_rest(&self, asked: Option<Duration>) -> Duration {
        let now = self.clock.now();
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        // Of requests that were under way together only the first lengthens the rest.
        if rest.until <= now {
            let pause = rest.next.max(asked.unwrap_or_default()).min(self.settings.longest_rest);
            let span = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
            rest.until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
            rest.next = pause.saturating_mul(2).min(self.settings.longest_rest);
        }
        rest.until.duration_since(now).unsigned_abs()
    }

    fn end_rest(&self) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.until <= self.clock.now() {
            rest.next = self.settings.rest;
        }
    }
}

/// What a chart answer means. An `error` in the body counts for more than the status.
fn read_answer(answer: &Answer, spelling: &str) -> Result<Option<Chart>, Failure> {
    let (host, status) = (answer.host.clone(), answer.status);
    if is_page(answer) {
        return Err(Failure::Server { host, status, said: answer.excerpt() });
    }
    match parse_chart(&answer.body) {
        Ok(chart) if (200..300).contains(&status) => Ok(Some(chart)),
        Ok(_) => Err(answer.failure()),
        Err(ChartError::Malformed(reason)) if (200..300).contains(&status) => Err(answer.malformed(reason)),
        Err(ChartError::Malformed(_)) => Err(answer.failure()),
        Err(ChartError::Said { code, description }) => {
            let said = format!("{code}: {description}");
            match code.as_str() {
                "Not Found" => Err(Failure::Unknown { host, spelling: spelling.to_owned() }),
                _ if description.starts_with("Data doesn't exist") => Ok(None),
                "Too Many Requests" => Err(Failure::Limited { host, status, retry_after: None }),
                _ if status >= 500 || status == 408 => Err(Failure::Server { host, status, said }),
                "Internal Server Error" | "Service Unavailable" => Err(Failure::Server { host, status, said }),
                _ => Err(Failure::Refused { host, status, said }),
            }
        }
    }
}

/// Whether a page came where data were asked for: that is how Yahoo says that it is out of order.
pub(super) fn is_page(answer: &Answer) -> bool {
    answer.body.trim_ascii_start().starts_with(b"<")
}
