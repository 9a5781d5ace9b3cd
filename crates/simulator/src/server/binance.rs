//! Binance's paths: REST and streams. The same under `/binanceus` is a second exchange.
//!
//! Read [`rest`] and [`socket`] first: who asks, and who listens. A [`venue`] has what is listed and at what prices; the
//! [`hub`] watches the clock and writes every message once for all who listen.

mod rest;
mod socket;

mod venue;

mod info;
mod klines;
mod ticker;
mod trades;

mod control;
mod hub;
mod payload;
mod streams;

mod format;
mod interval;
pub(crate) mod limits;
mod query;
mod refusal;

use std::sync::Arc;

use axum::Router;

use super::{Exchange, Service};
use venue::Venue;

/// Both exchanges' routes.
pub(crate) fn router(exchange: Arc<Exchange>) -> Router {
    let first = venue_router(Venue::new(Arc::clone(&exchange), Service::Binance));
    let second = venue_router(Venue::new(exchange, Service::BinanceUs));
    first.nest("/binanceus", second)
}

fn venue_router(venue: Venue) -> Router {
    let venue = Arc::new(venue);
    rest::router(&venue).merge(socket::router(&venue))
}
