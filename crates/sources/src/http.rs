//! One polite way to ask over HTTP.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use url::Url;

use crate::failure::Failure;
use crate::pace::Budget;
pub(crate) use crate::simulated::SIMULATED;

/// How requests are made.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// A request that is not answered whole by then is given up; real time.
    pub timeout: Duration,
    /// Longer answers are refused.
    pub body_limit: usize,
    /// Whether answers of a simulated market are taken.
    pub simulated: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("auspex/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: Duration::from_secs(20),
            body_limit: 32 << 20,
            simulated: false,
        }
    }
}

/// Asks over HTTP, within a budget.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    budget: Budget,
    settings: HttpSettings,
}

/// An answer of whatever status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Host and port of who gave it.
    pub host: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Redirects that are followed of one request.
const MOST_REDIRECTS: usize = 5;

/// Whatever a vendor asks for, it is asked again after so long.
const LONGEST_REST: Duration = Duration::from_secs(3 * 24 * 3600);

impl Http {
    /// A client that keeps cookies, follows redirects within one host and scheme alone, and tells nobody where it came
    /// from: an address may hold a key.
    ///
    /// # Panics
    /// When TLS cannot be set up at all: the machine has no roots to trust and no way to find any.
    #[must_use]
    pub fn new(settings: HttpSettings, budget: Budget) -> Self {
        let within_the_host = reqwest::redirect::Policy::custom(|attempt| {
            let origin = attempt.previous().last().map(Url::origin);
            let stays = origin.is_some_and(|origin| origin == attempt.url().origin());
            if stays && attempt.previous().len() < MOST_REDIRECTS { attempt.follow() } else { attempt.stop() }
        });
        Self::with_redirects(settings, budget, within_the_host)
    }

    /// The same, except that redirects are answers: for whoever must see where they lead.
    ///
    /// # Panics
    /// As [`Http::new`].
    #[must_use]
    pub fn without_redirects(settings: HttpSettings, budget: Budget) -> Self {
        Self::with_redirects(settings, budget, reqwest::redirect::Policy::none())
    }

    fn with_redirects(settings: HttpSettings, budget: Budget, redirects: reqwest::redirect::Policy) -> Self {
        // The first to come chooses ring; to come second is no failure.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout.min(Duration::from_secs(10)))
            .cookie_store(true)
            .redirect(redirects)
            .referer(false)
            .gzip(true)
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .expect("a client without options that can fail");
        Self { client, budget, settings }
    }

    /// Asks once; every status is an answer.
    ///
    /// # Errors
    /// [`Failure::Unreachable`], [`Failure::TooLong`], [`Failure::Simulated`].
    pub async fn get(&self, url: Url, headers: &[(&'static str, &str)], cost: NonZeroU32) -> Result<Answer, Failure> {
        self.send(host_of(&url), self.client.get(url), headers, cost).await
    }

    /// Sends a form once, already encoded; every status is an answer.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub async fn post_form(
        &self,
        url: Url,
        form: String,
        headers: &[(&'static str, &str)],
        cost: NonZeroU32,
    ) -> Result<Answer, Failure> {
        let request =
            self.client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        self.send(host_of(&url), request, headers, cost).await
    }

    async fn send(
        &self,
        host: String,
        mut request: reqwest::RequestBuilder,
        headers: &[(&'static str, &str)],
        cost: NonZeroU32,
    ) -> Result<Answer, Failure> {
        self.budget.spend(cost).await;
        let unreachable = |cause: reqwest::Error| Failure::Unreachable {
            host: host.clone(),
            // The address may hold a key.
            cause: Box::new(cause.without_url()),
        };
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                request = request.header(*name, value);
            }
        }
        let mut response = request.send().await.map_err(unreachable)?;
        if response.headers().contains_key(SIMULATED) && !self.settings.simulated {
            return Err(Failure::Simulated { host });
        }
        let limit = self.settings.body_limit;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > limit {
                return Err(Failure::TooLong { host, limit });
            }
            body.extend_from_slice(&chunk);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { host, status, headers, body: body.freeze() })
    }
}

impl Answer {
    /// The beginning of the body, for messages: one line, no control characters.
    #[must_use]
    pub fn excerpt(&self) -> String {
        excerpt(&self.body)
    }

    /// `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }

    /// What a status that is no success means, for vendors that say nothing special: 429 and 418 are limits, 451 a
    /// restricted place, 408 and 5xx trouble, everything else a refusal.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (host, status, said) = (self.host.clone(), self.status, self.excerpt());
        match status {
            429 | 418 => Failure::Limited { host, status, retry_after: self.retry_after() },
            451 => Failure::Restricted { host, said },
            408 | 500.. => Failure::Server { host, status, said },
            _ => Failure::Refused { host, status, said },
        }
    }

    /// This answer as one that is not understood.
    #[must_use]
    pub fn malformed(&self, reason: impl std::fmt::Display) -> Failure {
        Failure::Malformed { host: self.host.clone(), reason: format!("{reason}, in {:?}", self.excerpt()) }
    }
}

/// `Retry-After` of some headers in seconds, three days at most; `None` where it is not there, or is no number.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_REST))
}

/// Host and port of an address, without anything secret in it.
#[must_use]
pub fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("nowhere");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The beginning of a vendor's words, or of an error that repeats them, for messages: on one line, and never as long as
/// the answer.
pub(crate) fn in_short(words: impl std::fmt::Display) -> String {
    excerpt(words.to_string().as_bytes())
}

/// The beginning of some bytes, for messages.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 160;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * LONGEST)]);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    line.trim().to_owned()
}
