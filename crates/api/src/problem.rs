//! What went wrong, for clients: `application/problem+json` (RFC 9457).

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use engine::EngineError;
use engine::views::NoForecast;
use market::{Symbol, Timeframe};
use serde::Serialize;
use storage::StoreError;
use tracing::error;
use utoipa::ToSchema;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The header that repeats a problem's `request_id`.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident = $status:literal $slug:literal $title:literal;)+) => {
        /// Each problem there is; its `type` never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])+ $name),+ }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its `type`, a URI relative to the server.
            #[must_use]
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/problems/", $slug)),+ }
            }

            /// Its status code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// Its title.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

kinds! {
    /// A parameter that cannot be understood.
    InvalidParameter = 400 "invalid-parameter" "Invalid parameter";
    /// A timeframe that does not exist.
    UnknownTimeframe = 400 "unknown-timeframe" "Unknown timeframe";
    /// A host the server does not answer for.
    Host = 400 "host" "Untrusted host";
    /// A request that is malformed in another way.
    BadRequest = 400 "bad-request" "Bad request";
    /// A symbol outside the universe.
    UnknownSymbol = 404 "unknown-symbol" "Unknown symbol";
    /// An asset that is never forecast on that timeframe, or was not yet at that time.
    NoSuchForecast = 404 "no-such-forecast" "No such forecast";
    /// No bars of that asset and timeframe.
    NoBars = 404 "no-bars" "No bars";
    /// No ledger entry of that id.
    UnknownEntry = 404 "unknown-entry" "Unknown ledger entry";
    /// No chain of that name.
    UnknownChain = 404 "unknown-chain" "Unknown chain";
    /// No model of that id.
    UnknownModel = 404 "unknown-model" "Unknown model";
    /// No such route.
    NotFound = 404 "not-found" "Not found";
    /// A route that does not know the method.
    MethodNotAllowed = 405 "method-not-allowed" "Method not allowed";
    /// None of the accepted media types can be given.
    NotAcceptable = 406 "not-acceptable" "Not acceptable";
    /// An id that several ledger entries begin with.
    AmbiguousEntry = 409 "ambiguous-entry" "Ambiguous ledger entry";
    /// A body larger than the server takes.
    BodyTooLarge = 413 "body-too-large" "Body too large";
    /// A body of a media type the route does not take.
    UnsupportedMediaType = 415 "unsupported-media-type" "Unsupported media type";
    /// A body or view that is well-formed and cannot be processed.
    Unprocessable = 422 "unprocessable" "Unprocessable";
    /// A socket's route without a socket's handshake.
    UpgradeRequired = 426 "upgrade-required" "Upgrade required";
    /// More requests than one client may make.
    TooManyRequests = 429 "too-many-requests" "Too many requests";
    /// A bug.
    Internal = 500 "internal" "Internal error";
    /// No forecast to show now.
    NoForecast = 503 "no-forecast" "No forecast";
    /// The database does not answer.
    Unavailable = 503 "unavailable" "Temporarily unavailable";
    /// The server is not ready yet.
    NotReady = 503 "not-ready" "Not ready";
    /// The answer took too long.
    Timeout = 503 "timeout" "Timed out";
    /// As many sockets as the server takes are open.
    TooManySockets = 503 "too-many-sockets" "Too many sockets";
}

/// What went wrong. Its JSON is [`ProblemBody`].
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<ProblemBody>);

/// A problem in JSON (RFC 9457), `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Which problem; stable, relative to the server.
    #[serde(rename = "type")]
    #[schema(example = "/problems/unknown-symbol")]
    uri: &'static str,
    /// The problem in words, the same for every occurrence.
    title: &'static str,
    /// The status code.
    status: u16,
    /// This occurrence in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Why there is nothing to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The parameter it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'static str>,
    /// The symbol it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// The timeframe it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeframe: Option<String>,
    /// Seconds after which it is worth asking again, as in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// Names the request in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A problem without particulars.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self(Box::new(ProblemBody {
            uri: kind.uri(),
            title: kind.title(),
            status: kind.status(),
            detail: None,
            reason: None,
            parameter: None,
            symbol: None,
            timeframe: None,
            retry_after: None,
            request_id: None,
        }))
    }

    /// The same with words about this occurrence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same, worth asking again after so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Whether it is of a kind.
    #[must_use]
    pub fn is(&self, kind: Kind) -> bool {
        self.0.uri == kind.uri()
    }

    /// Its `type`.
    #[must_use]
    pub fn uri(&self) -> &'static str {
        self.0.uri
    }

    /// What it says in one sentence.
    #[must_use]
    pub fn message(&self) -> String {
        let body = &self.0;
        body.detail.clone().or_else(|| body.reason.clone()).unwrap_or_else(|| body.title.to_owned())
    }

    /// A parameter that cannot be understood.
    #[must_use]
    pub fn parameter(parameter: &'static str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Kind::InvalidParameter).detail(detail);
        problem.0.parameter = Some(parameter);
        problem
    }

    /// A symbol outside the universe, as it was given.
    #[must_use]
    pub fn unknown_symbol(text: &str) -> Self {
        let mut problem = Self::new(Kind::UnknownSymbol);
        let text: String = text.chars().take(48).collect();
        problem.0.detail = Some(format!("{text:?} is not in the universe; /api/assets lists what is"));
        problem.0.symbol = Some(text);
        problem
    }

    /// A timeframe that does not exist, as it was given.
    #[must_use]
    pub fn unknown_timeframe(text: &str, cause: &impl std::fmt::Display) -> Self {
        let mut problem = Self::new(Kind::UnknownTimeframe).detail(cause.to_string());
        problem.0.timeframe = Some(text.chars().take(48).collect());
        problem
    }

    /// A timeframe an asset is never forecast on.
    #[must_use]
    pub fn no_such_forecast(symbol: &Symbol, timeframe: Timeframe, known: &[Timeframe]) -> Self {
        let mut detail = format!("{symbol} is not forecast on {timeframe}");
        if let Some((first, rest)) = known.split_first() {
            let _ = write!(detail, ": {first}");
            rest.iter().for_each(|timeframe| {
                let _ = write!(detail, ", {timeframe}");
            });
            detail.push_str(if rest.is_empty() { " is" } else { " are" });
        }
        Self::about(Kind::NoSuchForecast, symbol, timeframe).detail(detail)
    }

    /// No forecast to show now.
    #[must_use]
    pub fn no_forecast(symbol: &Symbol, timeframe: Timeframe, cause: NoForecast) -> Self {
        let mut problem = Self::about(Kind::NoForecast, symbol, timeframe);
        problem.0.reason = Some(cause.reason);
        problem.retry_after(cause.retry_after.as_secs().unsigned_abs().max(1))
    }

    /// A problem about one asset and timeframe.
    #[must_use]
    pub fn about(kind: Kind, symbol: &Symbol, timeframe: Timeframe) -> Self {
        let mut problem = Self::new(kind);
        problem.0.symbol = Some(symbol.to_string());
        problem.0.timeframe = Some(timeframe.to_string());
        problem
    }

    /// Something that should not happen: logged with its causes, shown as a request id.
    #[must_use]
    pub fn internal(operation: &str, cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut problem = Self::new(Kind::Internal);
        problem.log(operation, &chain(cause));
        problem
    }

    /// A panic in a handler: logged, shown as a request id.
    #[must_use]
    pub fn panicked(message: &str) -> Self {
        let mut problem = Self::new(Kind::Internal);
        problem.log("answer a request: the handler panicked", message);
        problem
    }

    /// The problem that stands for a bare status code.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let kind = match status.as_u16() {
            404 => Kind::NotFound,
            405 => Kind::MethodNotAllowed,
            406 => Kind::NotAcceptable,
            413 => Kind::BodyTooLarge,
            415 => Kind::UnsupportedMediaType,
            422 => Kind::Unprocessable,
            426 => Kind::UpgradeRequired,
            429 => Kind::TooManyRequests,
            503 => Kind::Unavailable,
            400..=499 => Kind::BadRequest,
            _ => Kind::Internal,
        };
        let mut problem = Self::new(kind);
        if kind == Kind::Internal {
            problem.log("answer a request", status.as_str());
        }
        problem
    }

    fn log(&mut self, operation: &str, cause: &str) {
        let id = request_id();
        error!(request.id = %id, cause, "failed to {operation}: {cause}");
        self.0.request_id = Some(id);
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::UnknownSymbol { symbol } => Self::unknown_symbol(symbol.as_str()),
            EngineError::NoSuchForecast { symbol, timeframe } => Self::no_such_forecast(&symbol, timeframe, &[]),
            EngineError::NoBars { symbol, timeframe } => {
                let detail = format!("no {timeframe} bars of {symbol} are stored");
                Self::about(Kind::NoBars, &symbol, timeframe).detail(detail)
            }
            EngineError::View(cause) => Self::new(Kind::Unprocessable).detail(cause.to_string()),
            EngineError::Store(cause) => Self::from(cause),
            other => Self::internal("answer a request", &other),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(cause: StoreError) -> Self {
        if !cause.is_retryable() {
            return Self::internal("read or write the store", &cause);
        }
        let mut problem = Self::new(Kind::Unavailable).retry_after(5);
        problem.log("read or write the store", &chain(&cause));
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        let body = serde_json::to_vec(&self.0).expect("a problem holds only strings and numbers");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.0.status).expect("the table above holds status codes");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.0.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(id) = self.0.request_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }
}

/// The same problem as a response that keeps the methods another response allowed.
pub(crate) fn respond_keeping_allow(problem: Problem, allow: Option<HeaderValue>) -> axum::response::Response {
    let mut response = problem.into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// An error with its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

/// Names a request: the same for no two, and not telling how many there were before the start.
fn request_id() -> String {
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("auspex"));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:08x}-{:06x}", *START >> 32, NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_its_own_type_and_a_status_of_an_error() {
        let types: HashSet<_> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(types.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| (400..600).contains(&kind.status())));
    }

    #[test]
    fn a_server_error_shows_a_request_id_and_not_its_cause() {
        let cause = std::io::Error::other("/secret/path is on fire");
        let body = serde_json::to_string(&*Problem::internal("do something", &cause).0).unwrap();
        assert!(body.contains("request_id"), "{body}");
        assert!(!body.contains("secret"), "{body}");
    }
}
