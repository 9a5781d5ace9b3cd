//! The routes, one file a resource.

mod forecast;
mod summary;

mod search;
mod trends;

mod export;
mod validate;

mod assets;
mod bars;

mod scoreboard;

mod ledger;
mod models;

mod favorites;
mod health;
mod stats;

mod sockets;

pub(crate) use health::alive;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::Document;
use crate::state::ApiState;

/// All routes that the OpenAPI document describes.
pub(crate) fn all() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(summary::summary))
        .routes(routes!(forecast::forecast))
        .routes(routes!(forecast::forecasts))
        .routes(routes!(trends::trends))
        .routes(routes!(search::search))
        .routes(routes!(export::export))
        .routes(routes!(export::trends_export))
        .routes(routes!(validate::validate))
        .routes(routes!(favorites::list))
        .routes(routes!(favorites::add, favorites::remove))
        .routes(routes!(assets::assets))
        .routes(routes!(assets::asset))
        .routes(routes!(bars::bars))
        .routes(routes!(assets::quality))
        .routes(routes!(scoreboard::scoreboard))
        .routes(routes!(ledger::entries))
        .routes(routes!(ledger::checkpoints))
        .routes(routes!(ledger::export))
        .routes(routes!(ledger::entry))
        .routes(routes!(models::models))
        .routes(routes!(models::model))
        .routes(routes!(health::health))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(stats::sockets))
        .routes(routes!(stats::system))
        .routes(routes!(stats::sources))
        .routes(routes!(sockets::forecast))
        .routes(routes!(sockets::trends))
        .routes(routes!(sockets::chart))
        .routes(routes!(sockets::summary))
        .routes(routes!(sockets::summary_of_class))
}
