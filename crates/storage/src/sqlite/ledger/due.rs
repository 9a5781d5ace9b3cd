//! What is due: horizons whose target time has come and that have neither outcome nor void.

use jiff::Timestamp;
use market::ChainId;

use super::super::SqliteStore;
use super::super::rows::{Bulk, failed, micros, timestamp, unsigned};
use super::{ENTRY, Row, bounded, entry_row};
use crate::store::{DueOutcome, Result};

// A join and not IN: SQLite would walk over the whole ledger for a list of pairs.
static SELECT: Bulk = Bulk::new(
    "WITH wanted (chain_id, seq) AS (VALUES",
    2,
    ") SELECT ledger.seq, prev, hash, kind, recorded_at, symbol, timeframe, as_of, body
       FROM wanted JOIN ledger ON ledger.chain_id = wanted.chain_id AND ledger.seq = wanted.seq
       ORDER BY ledger.seq",
);

pub(in super::super) async fn due_outcomes(
    store: &SqliteStore,
    chain: &ChainId,
    through: Timestamp,
    after_seq: Option<u64>,
    limit: u32,
) -> Result<Vec<DueOutcome>> {
    let failed = failed("find due forecasts");
    let due: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
        "WITH due AS (
             SELECT chain_id, forecast_seq, horizon, target_time FROM ledger_horizons
             WHERE chain_id = (SELECT chain_id FROM chains WHERE chain = $1)
                 AND outcome_seq IS NULL AND target_time <= $2
                 AND ($4 IS NULL OR forecast_seq > $4)
         )
         SELECT chain_id, forecast_seq, horizon, target_time FROM due
         WHERE forecast_seq IN (SELECT DISTINCT forecast_seq FROM due ORDER BY forecast_seq LIMIT $3)
         ORDER BY forecast_seq, horizon",
    )
    .bind(chain.to_string())
    .bind(micros(through))
    .bind(i64::from(limit))
    .bind(after_seq.map(bounded))
    .fetch_all(&store.readers)
    .await
    .map_err(failed)?;

    // The entries in a second question: a body would otherwise come once a horizon.
    let mut seqs: Vec<(i64, i64)> = due.iter().map(|&(chain_id, seq, ..)| (chain_id, seq)).collect();
    seqs.dedup();
    let mut outcomes: Vec<DueOutcome> = Vec::with_capacity(seqs.len());
    for query in SELECT.statements(&seqs, |query, (chain_id, seq)| query.bind(*chain_id).bind(*seq)) {
        let rows = query.try_map(|row| <Row as sqlx::FromRow<_>>::from_row(&row));
        for row in rows.fetch_all(&store.readers).await.map_err(failed)? {
            outcomes.push(DueOutcome { forecast: entry_row(row)?, due: Vec::new() });
        }
    }
    // Both lists ascend by seq.
    let mut at = outcomes.iter_mut().peekable();
    for (_, seq, horizon, target_time) in due {
        while at.peek().is_some_and(|outcome| outcome.forecast.entry.seq < seq.cast_unsigned()) {
            at.next();
        }
        if let Some(outcome) = at.peek_mut() {
            outcome.due.push((unsigned(ENTRY, horizon)?, timestamp(ENTRY, target_time)?));
        }
    }
    Ok(outcomes)
}

pub(in super::super) async fn next_due(store: &SqliteStore, chain: &ChainId) -> Result<Option<Timestamp>> {
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT min(target_time) FROM ledger_horizons
         WHERE chain_id = (SELECT chain_id FROM chains WHERE chain = $1) AND outcome_seq IS NULL",
    )
    .bind(chain.to_string())
    .fetch_one(&store.readers)
    .await
    .map_err(failed("find the next due forecast"))?;
    next.map(|at| timestamp(ENTRY, at)).transpose()
}
