//! The contract as a document, made from the code, and its reading room.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{OpenApi as OpenApiDocument, Ref, RefOr};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::{PROBLEM_JSON, ProblemBody};
use crate::routes;
use crate::sockets::message::{ChartUpdate, HistoricalData, MarketSummaryUpdate, RealtimeUpdate, TrendsUpdate};
use crate::state::ApiState;

/// What the document says beside the routes.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Auspex",
        description = "Market forecasts that anyone can audit: issued before the fact, kept in a hash-chained ledger, \
                       scored when their time has come. Every number names its origin (live, replay or simulated); what \
                       is not known is null, with a reason.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(
        ProblemBody, HistoricalData, RealtimeUpdate, TrendsUpdate, MarketSummaryUpdate, ChartUpdate
    )),
    tags(
        (name = "forecasts", description = "What is said about the future"),
        (name = "market", description = "Prices and forecasts at a glance"),
        (name = "track record", description = "How forecasts fared, beside the naive baseline on the same cases"),
        (name = "ledger", description = "The append-only record"),
        (name = "models", description = "What makes the forecasts"),
        (name = "assets", description = "The universe and its bars"),
        (name = "favorites", description = "A list of one's own"),
        (name = "operations", description = "Whether it works"),
        (name = "sockets", description = "The same answers as they change"),
    ),
)]
pub(crate) struct Document;

/// Says of every operation that whatever is refused is a problem.
struct ProblemsEverywhere;

impl Modify for ProblemsEverywhere {
    fn modify(&self, document: &mut OpenApiDocument) {
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().filter_map(Option::as_mut) {
                let responses = &mut operation.responses.responses;
                for (status, response) in responses.iter_mut() {
                    let RefOr::T(response) = response else { continue };
                    if status.starts_with(['4', '5']) && response.content.is_empty() {
                        response.content.insert(PROBLEM_JSON.to_owned(), RefOr::T(problem_content()));
                    }
                }
                let refused = ResponseBuilder::new()
                    .description("Anything that is refused or fails (RFC 9457)")
                    .content(PROBLEM_JSON, problem_content())
                    .build();
                responses.entry("default".to_owned()).or_insert(RefOr::T(refused));
            }
        }
    }
}

fn problem_content() -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build()
}

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> OpenApiDocument {
    let (_, document) = routes::all().split_for_parts();
    complete(document)
}

fn complete(mut document: OpenApiDocument) -> OpenApiDocument {
    ProblemsEverywhere.modify(&mut document);
    document
}

/// The document at `/api/openapi.json` and `/openapi.json`, and a page that shows it at `/docs`. Everything comes from
/// this server.
pub(crate) fn routes(document: OpenApiDocument) -> Router<ApiState> {
    let json = complete(document).to_json().expect("a document of strings can be written");
    let json = Bytes::from(json);
    let answer = move || {
        let json = json.clone();
        async move { ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response() }
    };
    let config = Config::from("/api/openapi.json").validator_url("none").try_it_out_enabled(true);
    Router::new()
        .route("/api/openapi.json", get(answer.clone()))
        .route("/openapi.json", get(answer))
        .merge(SwaggerUi::new("/docs").config(config))
}
