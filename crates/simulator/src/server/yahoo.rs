//! Yahoo's paths: chart, quote, search, crumb, stream.

mod answer;
mod book;
mod chart;
mod interval;
pub(crate) mod listing;
mod meta;
mod pricing;
mod quote;
mod rows;
mod search;
mod session;
mod stream;
mod subscriptions;

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use tokio_util::sync::CancellationToken;

use self::pricing::Version;
use self::stream::Connection;
use super::Exchange;
use super::fuse::Fuse;
use super::params::Params;

/// What its handlers share.
#[derive(Debug)]
pub(crate) struct Yahoo {
    exchange: Arc<Exchange>,
}

/// Its routes.
pub(crate) fn router(exchange: Arc<Exchange>) -> Router {
    Router::new()
        .route("/", get(root))
        .route("/v1/test/getcrumb", get(crumb))
        .route("/v8/finance/chart/{symbol}", get(chart::chart))
        .route("/v7/finance/quote", get(quote::quote))
        .route("/v10/finance/quoteSummary/{symbol}", get(quote::summary))
        .route("/v1/finance/search", get(search::search))
        .route("/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}", get(quote::fundamentals))
        .with_state(Arc::new(Yahoo { exchange }))
}

/// One path, two hosts of the vendor's: the one that streams, and the one that gives out cookies and has no page.
async fn root(
    State(yahoo): State<Arc<Yahoo>>,
    fuse: Option<Extension<ConnectInfo<Fuse>>>,
    token: Option<Extension<CancellationToken>>,
    params: Params,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Ok(upgrade) = upgrade {
        let version = if params.get("version") == Some("2") { Version::Enveloped } else { Version::Bare };
        let upgrade = upgrade.max_message_size(stream::MESSAGE_LIMIT);
        let token = token.map(|Extension(token)| token).unwrap_or_default();
        return upgrade.on_upgrade(async move |socket| {
            let fuse = fuse.map(|Extension(ConnectInfo(fuse))| fuse);
            token.run_until_cancelled(Connection { yahoo, socket, version, fuse }.run()).await;
        });
    }
    let cookies = session::set_cookies(&yahoo.exchange.run, &headers, yahoo.exchange.now());
    let cookies = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::NOT_FOUND, cookies, html, "<html><body>Page not found</body></html>").into_response()
}

async fn crumb(State(yahoo): State<Arc<Yahoo>>, headers: HeaderMap) -> Response {
    let crumb = session::crumb(&yahoo.exchange.run, &headers);
    let headers = [
        (header::CONTENT_TYPE, "text/plain;charset=utf-8"),
        (header::CACHE_CONTROL, "private, max-age=60, stale-while-revalidate=30"),
    ];
    (headers, crumb).into_response()
}
