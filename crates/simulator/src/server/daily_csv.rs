//! Daily bars as CSV, as Stooq-like services give them.

use std::sync::Arc;

use axum::Router;

use super::Exchange;

/// Its routes.
pub(crate) fn router(_exchange: Arc<Exchange>) -> Router {
    Router::new()
}
