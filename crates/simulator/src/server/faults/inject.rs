//! Requests that fail as planned.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};

use super::{GARBAGE, Kind, Service};
use crate::server::Exchange;

/// Bodies are read whole to be cut; longer ones than this are not sent.
const LONGEST_BODY: usize = 32 << 20;

/// What happens to a request.
enum Fate {
    Status(u16, Option<u64>),
    OutagePage,
    Crumb,
    Cut,
    Half,
    Truncated,
    Garbage,
}

/// Lets a request fail as planned.
pub(crate) async fn inject(State(exchange): State<Arc<Exchange>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let (service, now) = (Service::of(&path), exchange.now());
    let faults = &exchange.faults;
    let latency = faults.strike_with(service, &path, now, |kind, random| match kind {
        Kind::Latency { ms, jitter } => Some(Duration::from_millis(ms + (*jitter as f64 * random) as u64)),
        _ => None,
    });
    if let Some(latency) = latency {
        tokio::time::sleep(latency).await;
    }
    // On a socket the rest strikes its frames.
    let upgrades = request.headers().contains_key(UPGRADE);
    let has_crumb = request.uri().query().is_some_and(|query| query.split('&').any(|part| part.starts_with("crumb=")));
    let fate = faults.strike(service, &path, now, |kind| match kind {
        Kind::Status { status, retry_after } => Some(Fate::Status(*status, *retry_after)),
        Kind::OutagePage => Some(Fate::OutagePage),
        Kind::Crumb if has_crumb && service == Service::Yahoo => Some(Fate::Crumb),
        Kind::Cut if !upgrades => Some(Fate::Cut),
        Kind::HalfFrame if !upgrades => Some(Fate::Half),
        Kind::Truncated if !upgrades => Some(Fate::Truncated),
        Kind::Garbage if !upgrades => Some(Fate::Garbage),
        _ => None,
    });
    match fate {
        None => next.run(request).await,
        Some(Fate::Status(status, retry_after)) => refusal(&exchange, service, status, retry_after),
        Some(Fate::OutagePage) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/html; charset=utf-8")], OUTAGE_PAGE).into_response()
        }
        Some(Fate::Crumb) => json(401, INVALID_CRUMB.to_owned()),
        Some(Fate::Cut) => Response::new(hanging_up(Bytes::new())),
        Some(Fate::Half) => {
            rewritten(next.run(request).await, |whole| hanging_up(whole.slice(..whole.len() / 2))).await
        }
        Some(Fate::Truncated) => {
            let cut = |whole: Bytes| Body::from(whole.slice(..whole.len() / 2));
            without_length(rewritten(next.run(request).await, cut).await)
        }
        Some(Fate::Garbage) => without_length(rewritten(next.run(request).await, |_| Body::from(GARBAGE)).await),
    }
}

/// A body that ends in an error, at which the connection is dropped; without any bytes before anything is sent.
fn hanging_up(bytes: Bytes) -> Body {
    let error = || Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
    if bytes.is_empty() {
        return Body::from_stream(futures::stream::iter([error()]));
    }
    let first = futures::stream::iter([Ok::<_, Infallible>(bytes)]).map(|chunk| chunk.map_err(|never| match never {}));
    // What came before must have left when the connection is dropped.
    let then = futures::stream::once(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        error()
    });
    Body::from_stream(first.chain(then))
}

async fn rewritten(response: Response, body: impl FnOnce(Bytes) -> Body) -> Response {
    let (mut parts, whole) = response.into_parts();
    let Ok(whole) = axum::body::to_bytes(whole, LONGEST_BODY).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    Response::from_parts(parts, body(whole))
}

fn without_length(mut response: Response) -> Response {
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

fn json(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json;charset=UTF-8")], body).into_response()
}

const OUTAGE_PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en-us\"><head><meta http-equiv=\"content-type\" \
content=\"text/html; charset=UTF-8\"><title>Temporarily unavailable</title></head>\
<body><h1>Will be right back...</h1><p>Thank you for your patience.</p></body></html>\n";

const INVALID_CRUMB: &str =
    r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#;

const RESTRICTED: &str = "Service unavailable from a restricted location according to 'b. Eligibility' in \
https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.";

/// A status in the words of the service.
fn refusal(exchange: &Exchange, service: Service, status: u16, retry_after: Option<u64>) -> Response {
    let mut response = match service {
        Service::Binance | Service::BinanceUs => exchange_refusal(exchange, service, status, retry_after),
        Service::Yahoo if status == 429 => {
            (StatusCode::TOO_MANY_REQUESTS, [(CONTENT_TYPE, "text/plain")], "Too Many Requests\r\n").into_response()
        }
        Service::Fred => {
            let said = match status {
                429 => "Too Many Requests.  Exceeded Rate Limit",
                _ => "Internal Server Error",
            };
            json(status, format!(r#"{{"error_code":{status},"error_message":"{said}"}}"#))
        }
        Service::Yahoo | Service::Csv | Service::Pages => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(CONTENT_TYPE, "text/html")], OUTAGE_PAGE).into_response()
        }
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn exchange_refusal(exchange: &Exchange, service: Service, status: u16, retry_after: Option<u64>) -> Response {
    let say = |code: i32, said: &str| json(status, format!(r#"{{"code":{code},"msg":"{said}"}}"#));
    match status {
        403 => {
            let page = "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1>\
                        </center>\r\n</body>\r\n</html>\r\n";
            (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "text/html")], page).into_response()
        }
        418 => {
            let wait = SignedDuration::from_secs(retry_after.and_then(|wait| i64::try_from(wait).ok()).unwrap_or(120));
            let until = exchange.shown_now(service).saturating_add(wait).map_or(i64::MAX, Timestamp::as_millisecond);
            say(-1003, &crate::server::binance::limits::banned_until(until))
        }
        429 => say(-1003, crate::server::binance::limits::TOO_MUCH),
        451 => say(0, RESTRICTED),
        503 => say(-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
        _ => say(-1000, "An unknown error occurred while processing the request."),
    }
}
