//! The simulated market as a server: the vendors' protocols on one loopback port.
//!
//! Routes follow the vendors' paths, so a client needs no more than another base address: `/api/v3/...`, `/ws`, `/stream`
//! (Binance, and under `/binanceus` a second exchange), `/v8/finance/...`, `/v7/...`, `/v1/...`, `/` (Yahoo), `/fred/...`,
//! `/graph/fredgraph.csv` (FRED), `/q/d/l/` (daily CSV), `/wiki/...` (index constituents).
//!
//! Every answer carries the header `x-auspex-simulated`: nobody can take this market for a real one.

pub(crate) mod binance;
pub(crate) mod daily_csv;
pub(crate) mod faults;
pub(crate) mod fred;
mod fuse;
pub(crate) mod pages;
pub(crate) mod params;
mod running;
pub(crate) mod yahoo;

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::{Extension, Router};
use jiff::Timestamp;
use market::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::tape::Tape;

pub use faults::{FaultPlan, Faults, Service};
use fuse::{Fuse, Fused};
pub use running::{Running, start};

/// The header by which every answer says that it is simulated: `RUN;NOW;SPEED`, the clock in microseconds since the epoch.
pub const SIMULATED: HeaderName = HeaderName::from_static("x-auspex-simulated");

/// A market that answers like its vendors.
#[derive(Debug)]
pub struct Exchange {
    /// What there is to tell.
    pub tape: Tape,
    /// What time it is there.
    pub clock: Arc<dyn Clock>,
    /// How many of its seconds pass in a real one.
    pub speed: f64,
    /// Names the run; part of the ledger's name where forecasts are made of this market.
    pub run: String,
    /// What goes wrong, and when.
    pub faults: Faults,
    /// Prices of each asset a second of its own time that go out on streams; at least one.
    pub ticks_a_second: f64,
}

impl Exchange {
    /// The present there.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The present as a service shows it, whose clock may be wrong.
    #[must_use]
    pub fn shown_now(&self, service: Service) -> Timestamp {
        let now = self.now();
        now.saturating_add(self.faults.skew(service, now)).unwrap_or(now)
    }
}

/// All vendors on one router.
pub fn router(exchange: Arc<Exchange>) -> Router {
    let label = {
        let exchange = Arc::clone(&exchange);
        move |mut response: Response| {
            let text = format!("{};{};{}", exchange.run, exchange.now().as_microsecond(), exchange.speed);
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(SIMULATED, value);
            }
            std::future::ready(response)
        }
    };
    Router::new()
        .merge(binance::router(Arc::clone(&exchange)))
        .merge(yahoo::router(Arc::clone(&exchange)))
        .merge(fred::router(Arc::clone(&exchange)))
        .merge(daily_csv::router(Arc::clone(&exchange)))
        .merge(pages::router(Arc::clone(&exchange)))
        .layer(axum::middleware::from_fn_with_state(exchange, faults::inject))
        .layer(axum::middleware::map_response(label))
}

/// Serves until the token is cancelled, and ends all sockets with it. Handlers find the token as an [`Extension`].
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, exchange: Arc<Exchange>, token: CancellationToken) -> std::io::Result<()> {
    let router = router(exchange).layer(Extension(token.clone()));
    let service = router.into_make_service_with_connect_info::<Fuse>();
    axum::serve(Fused::new(listener), service).with_graceful_shutdown(token.cancelled_owned()).await
}
