//! The four sockets; `docs/http-api.md` describes what is said on them.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;

use crate::extract::{Params, Segment};
use crate::problem::Problem;
use crate::sockets::{Kind, SocketParams, accept};
use crate::state::ApiState;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// Prices and forecasts of an asset: `historical_data`, then `realtime_update` and `forecast_update`.
#[utoipa::path(
    get, path = "/ws/asset/{symbol}/forecast", tag = "sockets",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), SocketParams),
    responses(
        (status = 101, description = "The connection is a WebSocket now"),
        (status = 426, description = "`/problems/upgrade-required`: not a handshake"),
        (status = 503, description = "`/problems/too-many-sockets`"),
    )
)]
pub(super) async fn forecast(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<SocketParams>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    accept(state, Kind::Forecast, Some(symbol), params, upgrade)
}

/// Scores of an asset: `trends_update` on connect and whenever a forecast is scored.
#[utoipa::path(
    get, path = "/ws/asset/{symbol}/trends", tag = "sockets",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), SocketParams),
    responses(
        (status = 101, description = "The connection is a WebSocket now"),
        (status = 426, description = "`/problems/upgrade-required`: not a handshake"),
        (status = 503, description = "`/problems/too-many-sockets`"),
    )
)]
pub(super) async fn trends(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<SocketParams>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    accept(state, Kind::Trends, Some(symbol), params, upgrade)
}

/// A chart of an asset: `chart_update` on connect and when a bar or the path ahead changes.
#[utoipa::path(
    get, path = "/ws/chart/{symbol}", tag = "sockets",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), SocketParams),
    responses(
        (status = 101, description = "The connection is a WebSocket now"),
        (status = 426, description = "`/problems/upgrade-required`: not a handshake"),
        (status = 503, description = "`/problems/too-many-sockets`"),
    )
)]
pub(super) async fn chart(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<SocketParams>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    accept(state, Kind::Chart, Some(symbol), params, upgrade)
}

/// The market at a glance: `market_summary_update` on connect and when anything in it moves.
#[utoipa::path(
    get, path = "/ws/market/summary", tag = "sockets", params(SocketParams),
    responses(
        (status = 101, description = "The connection is a WebSocket now"),
        (status = 426, description = "`/problems/upgrade-required`: not a handshake"),
        (status = 503, description = "`/problems/too-many-sockets`"),
    )
)]
pub(super) async fn summary(
    State(state): State<ApiState>,
    Params(params): Params<SocketParams>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    accept(state, Kind::Summary, None, params, upgrade)
}

/// The same for one class.
#[utoipa::path(
    get, path = "/ws/market/summary/{class}", tag = "sockets",
    params(("class" = String, Path, description = "crypto, stocks, macro or all"), SocketParams),
    responses(
        (status = 101, description = "The connection is a WebSocket now"),
        (status = 426, description = "`/problems/upgrade-required`: not a handshake"),
        (status = 503, description = "`/problems/too-many-sockets`"),
    )
)]
pub(super) async fn summary_of_class(
    State(state): State<ApiState>,
    Segment(class): Segment,
    Params(params): Params<SocketParams>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    accept(state, Kind::Summary, Some(class), params, upgrade)
}
