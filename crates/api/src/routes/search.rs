//! Finding assets.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::search::SearchAnswer;
use crate::extract::{self, Asked, Params};
use crate::problem::Problem;
use crate::ready::Answer;
use crate::state::ApiState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParams {
    /// What to look for in symbols and names; all assets when empty.
    query: Option<String>,
    /// The same as `query`.
    q: Option<String>,
    /// `crypto`, `stocks`, `macro` or `all` (when absent).
    class: Option<String>,
    /// At most so many results: 1 to 500, 10 when absent.
    limit: Option<String>,
}

/// A longer query is refused: no symbol or name comes near.
const MAX_QUERY_CHARS: usize = 64;

/// Assets by symbol or name, best fit first.
#[utoipa::path(
    get, path = "/api/assets/search", tag = "assets", params(SearchParams),
    responses(
        (status = 200, description = "Exact symbols first, then those that begin so, words of names, small slips", body = SearchAnswer),
        (status = 400, description = "`/problems/invalid-parameter`"),
    )
)]
pub(super) async fn search(
    State(state): State<ApiState>,
    RawQuery(raw): RawQuery,
    Params(params): Params<SearchParams>,
    asked: Asked,
) -> Result<Response, Problem> {
    let (raw, assets) = (raw.unwrap_or_default(), state.engine().assets());
    if let Some(answer) = state.ready().searches.get(&raw, &assets) {
        state.ready().hit();
        return Ok(answer.respond(asked));
    }
    let query = params.query.or(params.q).unwrap_or_default();
    if query.chars().count() > MAX_QUERY_CHARS {
        return Err(Problem::parameter("query", format!("at most {MAX_QUERY_CHARS} characters are taken")));
    }
    let class = params.class.as_deref().filter(|class| !class.is_empty());
    let class = class.map_or(Ok(None), |class| extract::class("class", class))?;
    let limit = extract::bounded("limit", params.limit.as_deref(), 10, 500)?;
    state.ready().miss();
    let answer = Answer::json(&SearchAnswer::of(&assets, &query, class, limit as usize))?;
    state.ready().searches.put(&raw, &assets, &answer);
    Ok(answer.respond(asked))
}
