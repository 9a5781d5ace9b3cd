//! The exchange's REST paths.

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::format::TimeUnit;
use super::query::Query;
use super::refusal::Refusal;
use super::venue::Venue;
use super::{info, klines, ticker, trades};

/// What can be asked.
#[derive(Debug, Clone, Copy)]
enum Endpoint {
    Ping,
    Time,
    Info,
    Klines,
    Day,
    Price,
    Book,
    Trades,
    Average,
}

const PATHS: [(&str, Endpoint); 10] = [
    ("/api/v3/ping", Endpoint::Ping),
    ("/api/v3/time", Endpoint::Time),
    ("/api/v3/exchangeInfo", Endpoint::Info),
    ("/api/v3/klines", Endpoint::Klines),
    ("/api/v3/uiKlines", Endpoint::Klines),
    ("/api/v3/ticker/24hr", Endpoint::Day),
    ("/api/v3/ticker/price", Endpoint::Price),
    ("/api/v3/ticker/bookTicker", Endpoint::Book),
    ("/api/v3/aggTrades", Endpoint::Trades),
    ("/api/v3/avgPrice", Endpoint::Average),
];

/// The REST paths of an exchange.
pub(super) fn router(venue: &Arc<Venue>) -> Router {
    PATHS.into_iter().fold(Router::new(), |router, (path, endpoint)| {
        let handler = move |State(venue): State<Arc<Venue>>, OriginalUri(uri): OriginalUri, headers: HeaderMap| {
            std::future::ready(answer(&venue, endpoint, &uri, &headers))
        };
        router.route(path, get(handler).with_state(Arc::clone(venue)))
    })
}

fn answer(venue: &Venue, endpoint: Endpoint, uri: &Uri, headers: &HeaderMap) -> Response {
    let query = Query::parse(uri);
    let (used, allowed) = venue.limits.spend(endpoint.weight(query.as_ref().ok()), venue.now());
    let body = allowed.and(query).and_then(|query| {
        let unit = match headers.get("x-mbx-time-unit") {
            None => TimeUnit::Milliseconds,
            Some(value) => value.to_str().ok().and_then(TimeUnit::parse).ok_or(Refusal::TimeUnit)?,
        };
        endpoint.body(venue, &query, unit, uri.path())
    });
    let mut response = match body {
        Ok(body) => ([(CONTENT_TYPE, "application/json;charset=UTF-8")], body).into_response(),
        Err(refusal) => refusal.into_response(),
    };
    for name in ["x-mbx-used-weight", "x-mbx-used-weight-1m"] {
        response.headers_mut().insert(name, HeaderValue::from(used));
    }
    response
}

impl Endpoint {
    fn weight(self, query: Option<&Query>) -> u32 {
        let one = query.is_some_and(|query| query.has("symbol"));
        match self {
            Self::Ping | Self::Time => 1,
            Self::Info => 20,
            Self::Klines | Self::Average => 2,
            Self::Trades => 4,
            Self::Price | Self::Book => {
                if one {
                    2
                } else {
                    4
                }
            }
            Self::Day if one => 2,
            Self::Day => match query.and_then(|query| query.symbols().ok().flatten()).map(|symbols| symbols.len()) {
                Some(0..=20) => 2,
                Some(21..=100) => 40,
                _ => 80,
            },
        }
    }

    fn body(self, venue: &Venue, query: &Query, unit: TimeUnit, path: &str) -> Result<String, Refusal> {
        match self {
            Self::Ping | Self::Time if query.len() > 0 => Err(Refusal::TooMany(0, query.len())),
            Self::Ping => Ok("{}".to_owned()),
            Self::Time => Ok(format!(r#"{{"serverTime":{}}}"#, unit.of(venue.shown_now()))),
            Self::Info => info::answer(venue, query, unit),
            Self::Klines => klines::answer(venue, query, unit, path),
            Self::Day => ticker::day(venue, query, unit),
            Self::Price => ticker::price(venue, query),
            Self::Book => ticker::book(venue, query),
            Self::Trades => trades::aggregated(venue, query, unit),
            Self::Average => trades::average(venue, query, unit),
        }
    }
}
