//! What every request passes: is the host ours, may the client ask again, is the body small enough, does the answer come in time, did the handler
//! panic, and does every refusal have the one shape.
//!
//! One layer for all of it, because a ready answer is so cheap that the layers around it are what it costs.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use tracing::warn;

use crate::problem::{self, Kind, PROBLEM_JSON, Problem, REQUEST_ID};
use crate::rate::Rates;
use crate::settings::ApiSettings;

/// The rules of the door.
#[derive(Debug)]
pub(crate) struct Door {
    hosts: Vec<HostPattern>,
    rates: Rates,
    body_limit_bytes: u64,
    timeout: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum HostPattern {
    All,
    AnyIp,
    Exact(String),
    /// With its leading dot.
    Suffix(String),
}

impl Door {
    pub(crate) fn new(settings: &ApiSettings) -> Self {
        let hosts = settings.trusted_hosts.iter().map(|host| match (host.as_str(), host.strip_prefix('*')) {
            ("*", _) => HostPattern::All,
            ("any-ip", _) => HostPattern::AnyIp,
            (_, Some(suffix)) => HostPattern::Suffix(suffix.to_ascii_lowercase()),
            (exact, None) => HostPattern::Exact(exact.to_ascii_lowercase()),
        });
        Self {
            hosts: hosts.collect(),
            rates: Rates::new(&settings.rates),
            body_limit_bytes: settings.body_limit_bytes,
            timeout: Duration::from_millis(settings.request_timeout_ms),
        }
    }

    fn trusts(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| match pattern {
            HostPattern::All => true,
            HostPattern::AnyIp => host.parse::<IpAddr>().is_ok(),
            HostPattern::Exact(name) => name.eq_ignore_ascii_case(host),
            HostPattern::Suffix(suffix) => {
                host.len() > suffix.len() && {
                    let (_, end) = host.as_bytes().split_at(host.len() - suffix.len());
                    end.eq_ignore_ascii_case(suffix.as_bytes())
                }
            }
        })
    }

    fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<Problem> {
        let probe = matches!(uri.path(), "/livez" | "/readyz");
        if !probe && self.hosts != [HostPattern::All] {
            let host = host_of(uri, headers);
            if !host.is_some_and(|host| self.trusts(host)) {
                return Some(
                    Problem::new(Kind::Host).detail("this server does not answer for the host of the request"),
                );
            }
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        length.is_some_and(|length| length > self.body_limit_bytes).then(|| {
            Problem::new(Kind::BodyTooLarge).detail(format!("at most {} bytes are taken", self.body_limit_bytes))
        })
    }
}

/// The host a request names, without port and brackets.
fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let host = match uri.host() {
        Some(host) => host,
        None => headers.get(HOST)?.to_str().ok()?,
    };
    if let Some(literal) = host.strip_prefix('[') {
        return literal.split(']').next();
    }
    host.split(':').next()
}

/// The layer.
pub(crate) async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if let Some(problem) = door.refusal(request.uri(), request.headers()) {
        return problem.into_response();
    }
    let peer = request.extensions().get().copied();
    let quota = door.rates.count(request.uri().path(), peer, request.headers(), Instant::now());
    let mut response = match quota.and_then(|quota| Some((quota, quota.retry_after()?))) {
        None => answered(&door, request, next).await,
        Some((quota, seconds)) => {
            Problem::new(Kind::TooManyRequests).detail(quota.words()).retry_after(seconds).into_response()
        }
    };
    if let Some(quota) = quota {
        quota.tell(response.headers_mut());
    }
    response
}

/// What the handler says, in time and in shape.
async fn answered(door: &Door, request: Request, next: Next) -> Response {
    // Kept for the log; a count of references.
    let uri = request.uri().clone();
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(door.timeout, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::panicked(message_of(&*panic)).into_response(),
        Err(_) => {
            let detail = format!("no answer within {} ms", door.timeout.as_millis());
            Problem::new(Kind::Timeout).detail(detail).retry_after(5).into_response()
        }
    };
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let response = shaped(response);
    if let Some(id) = response.headers().get(REQUEST_ID) {
        warn!(request.id = ?id, http.path = uri.path(), "answered {} with {}", uri.path(), response.status());
    }
    response
}

/// A refusal in the one shape: what is not a problem yet (unknown routes, wrong methods, rejected extractors) becomes one.
/// A health report that tells of trouble is JSON of its own and stays.
fn shaped(response: Response) -> Response {
    let (parts, _) = match response.headers().get(CONTENT_TYPE) {
        Some(media) if media == PROBLEM_JSON || media == "application/json" => return response,
        _ => response.into_parts(),
    };
    problem::respond_keeping_allow(Problem::of_status(parts.status), parts.headers.get(ALLOW).cloned())
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked without a message")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Method, StatusCode};
    use axum::routing::{get, post};
    use axum::{Json, Router, middleware};
    use tower::ServiceExt as _;

    use super::*;

    fn door(settings: ApiSettings) -> Router {
        let door = Arc::new(Door::new(&ApiSettings { trusted_hosts: vec!["*".to_owned()], ..settings }));
        Router::new()
            .route("/fine", get(|| async { "fine" }))
            .route("/slow", get(std::future::pending::<()>))
            .route("/broken", get(|| async { panic!("the inside") as &'static str }))
            .route("/json", post(|_: Json<u32>| async {}))
            .layer(middleware::from_fn_with_state(door, pass))
    }

    async fn check(method: Method, path: &str, headers: &[(&str, &str)], body: &str, status: u16, r#type: &str) {
        let settings = ApiSettings { request_timeout_ms: 5, body_limit_bytes: 20, ..ApiSettings::default() };
        let mut request = Request::builder().method(method).uri(path).header(CONTENT_LENGTH, body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = door(settings).oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap(), "{path}");
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON, "{path}");
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.starts_with(&format!("{{\"type\":\"{type}\"")), "{path}: {text}");
        assert!(!text.contains("the inside"), "{text}");
        assert_eq!(text.contains("request_id"), status == 500, "{path}: {text}");
    }

    #[tokio::test]
    async fn every_refusal_is_a_problem() {
        let json = ("content-type", "application/json");
        check(Method::GET, "/nowhere", &[], "", 404, "/problems/not-found").await;
        check(Method::POST, "/fine", &[], "", 405, "/problems/method-not-allowed").await;
        check(Method::GET, "/slow", &[], "", 503, "/problems/timeout").await;
        check(Method::GET, "/broken", &[], "", 500, "/problems/internal").await;
        check(Method::POST, "/json", &[], "1", 415, "/problems/unsupported-media-type").await;
        check(Method::POST, "/json", &[json], "\"x\"", 422, "/problems/unprocessable").await;
        check(Method::POST, "/json", &[json], "]", 400, "/problems/bad-request").await;
        check(Method::POST, "/json", &[json], &" ".repeat(21), 413, "/problems/body-too-large").await;
    }

    #[test]
    fn hosts_are_trusted_by_name_suffix_and_address() {
        let trusting = |hosts: &[&str]| {
            let trusted_hosts = hosts.iter().map(|&host| host.to_owned()).collect();
            Door::new(&ApiSettings { trusted_hosts, ..ApiSettings::default() })
        };
        let cases = [
            (&["localhost", "any-ip"][..], "localhost:8000", true),
            (&["localhost", "any-ip"], "LOCALHOST", true),
            (&["localhost", "any-ip"], "127.0.0.1:8000", true),
            (&["localhost", "any-ip"], "[::1]:8000", true),
            (&["localhost", "any-ip"], "evil.example", false),
            (&["localhost", "any-ip"], "localhost.evil.example", false),
            (&["*.example.org"], "a.example.org", true),
            (&["*.example.org"], "example.org", false),
            (&["*.example.org"], "badexample.org", false),
            (&["*"], "anything", true),
        ];
        for (hosts, host, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            let refused = trusting(hosts).refusal(&Uri::from_static("/api/health"), &headers).is_some();
            assert_eq!(!refused, expected, "{host} for {hosts:?}");
        }
        let probe = trusting(&["localhost"]).refusal(&Uri::from_static("/livez"), &HeaderMap::new());
        assert_eq!(probe, None);
        assert!(trusting(&["localhost"]).refusal(&Uri::from_static("/api/health"), &HeaderMap::new()).is_some());
    }
}
