//! The ledger.

use std::sync::Arc;

use ::engine::ledger::write_line;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use market::{ChainId, Origin};
use serde::Deserialize;
use storage::{EntryQuery, Store, StoreError};
use tracing::error;
use utoipa::IntoParams;

use super::export::attachment;
use crate::answers::ledger::{CheckpointsAnswer, EntryAnswer, HeadAnswer, LedgerPage};
use crate::extract::{self, Params, Segment};
use crate::problem::{Kind, Problem};
use crate::state::ApiState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerParams {
    /// `live`, `replay/RUN` or `simulated/RUN`; the chain that is written to when absent.
    chain: Option<String>,
    /// `schedule`, `forecast`, `outcome`, `missed`, `void`, `model` or `checkpoint`.
    kind: Option<String>,
    /// Only entries about this asset.
    symbol: Option<String>,
    /// Only entries about this timeframe.
    timeframe: Option<String>,
    /// `newest` (when absent) or `oldest`: which come first.
    order: Option<String>,
    /// At most so many: 1 to 1000, 100 when absent.
    limit: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Entries of a chain, newest first.
#[utoipa::path(
    get, path = "/api/ledger", tag = "ledger", params(LedgerParams),
    responses(
        (status = 200, description = "A page of entries", body = LedgerPage),
        (status = 400, description = "`/problems/invalid-parameter`, `/problems/unknown-timeframe`"),
        (status = 404, description = "`/problems/unknown-chain`"),
    )
)]
pub(super) async fn entries(
    State(state): State<ApiState>,
    Params(params): Params<LedgerParams>,
) -> Result<Json<LedgerPage>, Problem> {
    let store = state.engine().store();
    let chain = chain(&state, params.chain.as_deref())?;
    let newest_first = match params.order.as_deref() {
        None | Some("" | "newest") => true,
        Some("oldest") => false,
        Some(_) => return Err(Problem::parameter("order", "newest or oldest is expected")),
    };
    let limit = extract::bounded("limit", params.limit.as_deref(), 100, 1000)?;
    let cursor = params.cursor.as_deref().map(str::parse::<u64>).transpose();
    let cursor = cursor.map_err(|_| Problem::parameter("cursor", "the next of a page is expected"))?;
    let symbol = params.symbol.as_deref().filter(|text| !text.is_empty());
    let symbol = symbol.map(|text| text.parse().map_err(|_| Problem::unknown_symbol(text))).transpose()?;
    let timeframe = params.timeframe.as_deref().filter(|text| !text.is_empty());
    let timeframe =
        timeframe.map(|text| text.parse().map_err(|cause| Problem::unknown_timeframe(text, &cause))).transpose()?;
    let query = EntryQuery {
        kind: params.kind.as_deref().filter(|kind| !kind.is_empty()).map(kind).transpose()?,
        symbol,
        timeframe,
        as_of_through: None,
        from_seq: cursor.filter(|_| !newest_first),
        to_seq: cursor.filter(|_| newest_first),
        newest_first,
        limit: limit + 1,
    };
    let head = store.head(&chain).await?;
    if head.is_none() && chain != *state.engine().chain() {
        return Err(Problem::new(Kind::UnknownChain).detail(format!("there is no chain {chain}")));
    }
    let mut rows = store.entries(&chain, &query).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|last| match newest_first {
        true => last.entry.seq,
        false => last.entry.seq + 1,
    });
    let entries: Vec<EntryAnswer> =
        rows.into_iter().map(|row| EntryAnswer::of(&chain, row)).collect::<Result<_, _>>()?;
    Ok(Json(LedgerPage {
        origin: chain.origin().as_str(),
        chain: chain.to_string(),
        head: head.as_ref().map(HeadAnswer::of),
        next: next.map(|next| next.to_string()),
        entries,
    }))
}

/// One entry, by the first digits of its hash.
#[utoipa::path(
    get, path = "/api/ledger/{id}", tag = "ledger",
    params(("id" = String, Path, description = "At least 8 of the hash's hex digits")),
    responses(
        (status = 200, description = "The entry", body = EntryAnswer),
        (status = 400, description = "`/problems/invalid-parameter`: not hex digits"),
        (status = 404, description = "`/problems/unknown-entry`"),
        (status = 409, description = "`/problems/ambiguous-entry`: several entries begin so"),
    )
)]
pub(super) async fn entry(State(state): State<ApiState>, Segment(id): Segment) -> Result<Json<EntryAnswer>, Problem> {
    let id = id.to_ascii_lowercase();
    if !(8..=64).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Problem::parameter("id", "8 to 64 hex digits of an entry's hash are expected"));
    }
    let mut found = state.engine().store().entries_by_hash(&id).await?;
    if found.len() > 1 {
        return Err(Problem::new(Kind::AmbiguousEntry).detail(format!("several entries begin with {id}")));
    }
    let (chain, row) =
        found.pop().ok_or_else(|| Problem::new(Kind::UnknownEntry).detail(format!("no entry begins with {id}")))?;
    Ok(Json(EntryAnswer::of(&chain, row)?))
}

/// The heads of all chains, to be kept elsewhere, and the checkpoints that were recorded.
#[utoipa::path(
    get, path = "/api/ledger/checkpoints", tag = "ledger",
    responses((status = 200, description = "Heads and checkpoints", body = CheckpointsAnswer))
)]
pub(super) async fn checkpoints(State(state): State<ApiState>) -> Result<Json<CheckpointsAnswer>, Problem> {
    let store = state.engine().store();
    let chain = state.engine().chain();
    let heads = store.chains().await?.iter().map(HeadAnswer::of).collect();
    let query = EntryQuery { kind: Some("checkpoint"), newest_first: true, limit: 100, ..EntryQuery::default() };
    let rows = store.entries(chain, &query).await?;
    let recorded = rows.into_iter().map(|row| EntryAnswer::of(chain, row)).collect::<Result<_, _>>()?;
    Ok(Json(CheckpointsAnswer { heads, recorded }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerExportParams {
    /// `live`, `replay/RUN` or `simulated/RUN`; the chain that is written to when absent.
    chain: Option<String>,
    /// `live`, `replay` or `simulated`: its newest chain.
    origin: Option<String>,
}

/// A whole chain as JSON lines, as `auspex ledger verify` and the verifier of `docs/ledger.md` read it.
#[utoipa::path(
    get, path = "/api/ledger/export", tag = "ledger", params(LedgerExportParams),
    responses(
        (status = 200, description = "One entry a line, byte for byte", content((String = "application/x-ndjson"))),
        (status = 400, description = "`/problems/invalid-parameter`"),
        (status = 404, description = "`/problems/unknown-chain`"),
    )
)]
pub(super) async fn export(
    State(state): State<ApiState>,
    Params(params): Params<LedgerExportParams>,
) -> Result<Response, Problem> {
    let store = Arc::clone(state.engine().store());
    let chain = match params.origin.as_deref().filter(|origin| !origin.is_empty()) {
        Some(origin) if params.chain.is_none() => {
            let origin: Origin =
                origin.parse().map_err(|e: market::symbol::UnknownName| Problem::parameter("origin", e.to_string()))?;
            let newest = store.chains().await?.into_iter().rev().find(|info| info.chain.origin() == origin);
            newest.map(|info| info.chain).ok_or_else(|| {
                Problem::new(Kind::UnknownChain).detail(format!("there is no chain of origin {origin}"))
            })?
        }
        _ => chain(&state, params.chain.as_deref())?,
    };
    let Some(head) = store.head(&chain).await? else {
        return Err(Problem::new(Kind::UnknownChain).detail(format!("there is no chain {chain}")));
    };
    let name = format!("ledger_{}.jsonl", chain.to_string().replace('/', "_"));
    let lines = Lines { store, chain, next_seq: 0, end_seq: head.seq + 1 };
    let stream = futures::stream::try_unfold(lines, Lines::page);
    Ok(attachment(Body::from_stream(stream), "application/x-ndjson", &name))
}

/// The rest of an export. A client that is cut off sees that the last line is missing.
struct Lines {
    store: Arc<dyn Store>,
    chain: ChainId,
    next_seq: u64,
    end_seq: u64,
}

impl Lines {
    /// Entries read at once.
    const PAGE: u32 = 1000;

    async fn page(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        if self.next_seq >= self.end_seq {
            return Ok(None);
        }
        let query = EntryQuery {
            from_seq: Some(self.next_seq),
            to_seq: Some(self.end_seq),
            limit: Self::PAGE,
            ..EntryQuery::default()
        };
        let rows = self.store.entries(&self.chain, &query).await.inspect_err(|cause| {
            error!(%cause, chain = %self.chain, "an export of the ledger was cut off");
        })?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.next_seq = last.entry.seq + 1;
        let mut lines = Vec::new();
        rows.iter().for_each(|row| write_line(&mut lines, &row.entry));
        Ok(Some((lines.into(), self)))
    }
}

fn chain(state: &ApiState, text: Option<&str>) -> Result<ChainId, Problem> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(state.engine().chain().clone()),
        Some(text) => {
            text.parse().map_err(|e: market::ledger::ChainIdError| Problem::parameter("chain", e.to_string()))
        }
    }
}

fn kind(text: &str) -> Result<&'static str, Problem> {
    const KINDS: [&str; 7] = ["schedule", "forecast", "outcome", "missed", "void", "model", "checkpoint"];
    let known = KINDS.into_iter().find(|kind| *kind == text);
    known.ok_or_else(|| Problem::parameter("kind", format!("one of {} is expected", KINDS.join(", "))))
}
