//! What goes wrong, on demand.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::Exchange;

/// What shall go wrong, as a file says it.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {}

/// What goes wrong in a running market.
#[derive(Debug, Default)]
pub struct Faults {}

/// Lets a request fail as planned.
pub(crate) async fn inject(State(_exchange): State<Arc<Exchange>>, request: Request, next: Next) -> Response {
    next.run(request).await
}
