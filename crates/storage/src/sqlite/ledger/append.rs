//! Appending: numbering, chaining, indexing.
//!
//! The whole batch is checked and hashed first and written in few statements: a replay appends tens of thousands of
//! forecasts and ten times as many outcomes.

use std::collections::HashMap;

use market::{ChainId, Entry, Hash};
use sqlx::SqliteConnection;

use super::super::SqliteStore;
use super::super::rows::{Binding, Bulk, failed, hash, micros, timestamp};
use super::super::scores;
use super::{ENTRY, bounded};
use crate::store::{Draft, Index, Result, StoreError};

const OPERATION: &str = "append to the ledger";

static INSERT_ENTRIES: Bulk = Bulk::new(
    "INSERT INTO ledger (chain_id, seq, prev, hash, kind, recorded_at, symbol, timeframe, as_of, forecast_seq, horizon,
         body) VALUES",
    12,
    "",
);
static INSERT_HORIZONS: Bulk =
    Bulk::new("INSERT INTO ledger_horizons (chain_id, forecast_seq, horizon, target_time) VALUES", 4, "");
static INSERT_LATEST: Bulk = Bulk::new(
    "INSERT INTO ledger_latest (chain_id, symbol, timeframe, seq) VALUES",
    4,
    " ON CONFLICT (chain_id, symbol, timeframe) DO UPDATE SET seq = excluded.seq",
);
static SELECT_HORIZONS: Bulk = Bulk::new(
    "WITH wanted (chain_id, forecast_seq, horizon) AS (VALUES",
    3,
    ") SELECT due.forecast_seq, due.horizon, due.target_time, due.outcome_seq,
           ledger.symbol, ledger.timeframe, ledger.as_of, ledger.recorded_at
       FROM wanted
       JOIN ledger_horizons AS due ON due.chain_id = wanted.chain_id AND due.forecast_seq = wanted.forecast_seq
           AND due.horizon = wanted.horizon
       JOIN ledger ON ledger.chain_id = due.chain_id AND ledger.seq = due.forecast_seq",
);
static CLOSE_HORIZONS: Bulk = Bulk::new(
    "WITH closed (chain_id, forecast_seq, horizon, outcome_seq) AS (VALUES",
    4,
    ") UPDATE ledger_horizons SET outcome_seq = closed.outcome_seq FROM closed
       WHERE ledger_horizons.chain_id = closed.chain_id AND ledger_horizons.forecast_seq = closed.forecast_seq
           AND ledger_horizons.horizon = closed.horizon",
);

/// What an outcome needs to know of the horizon it closes. Times in columns' microseconds.
#[derive(Debug, Clone)]
pub(in super::super) struct Horizon {
    pub(in super::super) symbol: String,
    pub(in super::super) timeframe: String,
    pub(in super::super) as_of: i64,
    pub(in super::super) issued_at: i64,
    pub(in super::super) target_time: i64,
    closed: bool,
}

type Horizons = HashMap<(u64, u32), Horizon>;

pub(in super::super) async fn append(store: &SqliteStore, chain: &ChainId, drafts: &[Draft]) -> Result<Vec<Entry>> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let failed = failed(OPERATION);
    let mut tx = store.begin(OPERATION).await?;
    let chain_id = chain_id(&mut tx, chain).await.map_err(failed)?;
    let head: Option<(i64, Vec<u8>, i64)> =
        sqlx::query_as("SELECT seq, hash, recorded_at FROM ledger WHERE chain_id = $1 ORDER BY seq DESC LIMIT 1")
            .bind(chain_id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
    let (first_seq, prev, last) = match head {
        Some((seq, own, recorded_at)) => (seq.cast_unsigned() + 1, hash(ENTRY, &own)?, recorded_at),
        None => (0, Hash::ZERO, i64::MIN),
    };

    let mut horizons = stored_horizons(&mut tx, chain_id, drafts).await?;
    check(chain, first_seq, last, drafts, &mut horizons)?;
    let entries = entries(chain, first_seq, prev, drafts);
    write(&mut tx, chain_id, drafts, &entries, &horizons).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(entries)
}

/// The id of a chain, which is made when it is new.
async fn chain_id(connection: &mut SqliteConnection, chain: &ChainId) -> sqlx::Result<i64> {
    let chain = chain.to_string();
    sqlx::query("INSERT INTO chains (chain) VALUES ($1) ON CONFLICT (chain) DO NOTHING")
        .bind(chain.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar("SELECT chain_id FROM chains WHERE chain = $1").bind(chain).fetch_one(connection).await
}

/// The horizon an outcome or void closes: (`forecast_seq`, `horizon`).
const fn closes(index: &Index) -> Option<(u64, u32)> {
    match *index {
        Index::Outcome { forecast_seq, horizon, .. } | Index::Void { forecast_seq, horizon } => {
            Some((forecast_seq, horizon))
        }
        _ => None,
    }
}

/// The stored horizons that the drafts close.
async fn stored_horizons(connection: &mut SqliteConnection, chain_id: i64, drafts: &[Draft]) -> Result<Horizons> {
    type Row = (i64, i64, i64, Option<i64>, String, String, i64, i64);
    let wanted: Vec<(u64, u32)> = drafts.iter().filter_map(|draft| closes(&draft.index)).collect();
    let mut horizons = Horizons::with_capacity(wanted.len());
    let bind = |query: Binding<'static>, &(forecast_seq, horizon): &(u64, u32)| {
        query.bind(chain_id).bind(bounded(forecast_seq)).bind(i64::from(horizon))
    };
    for query in SELECT_HORIZONS.statements(&wanted, bind) {
        let rows = query.try_map(|row| <Row as sqlx::FromRow<_>>::from_row(&row));
        for row in rows.fetch_all(&mut *connection).await.map_err(failed(OPERATION))? {
            let (forecast_seq, horizon, target_time, outcome_seq, symbol, timeframe, as_of, issued_at) = row;
            let key = (super::unsigned(ENTRY, forecast_seq)?, super::unsigned(ENTRY, horizon)?);
            let closed = outcome_seq.is_some();
            horizons.insert(key, Horizon { symbol, timeframe, as_of, issued_at, target_time, closed });
        }
    }
    Ok(horizons)
}

/// Walks over the drafts in order, as if each were appended alone, and refuses the first that may not follow.
fn check(chain: &ChainId, first_seq: u64, mut last: i64, drafts: &[Draft], horizons: &mut Horizons) -> Result<()> {
    for (seq, draft) in (first_seq..).zip(drafts) {
        let recorded_at = micros(draft.recorded_at);
        if recorded_at < last {
            return Err(StoreError::OutOfOrder {
                chain: chain.clone(),
                last: timestamp(ENTRY, last)?,
                recorded_at: draft.recorded_at,
            });
        }
        last = recorded_at;
        if let Index::Forecast { symbol, timeframe, as_of, targets } = &draft.index {
            for &(horizon, target_time) in targets {
                if micros(target_time) <= recorded_at {
                    let (chain, recorded_at) = (chain.clone(), draft.recorded_at);
                    return Err(StoreError::TooLate { chain, target_time, recorded_at });
                }
                let horizon_at = Horizon {
                    symbol: symbol.to_string(),
                    timeframe: timeframe.to_string(),
                    as_of: micros(*as_of),
                    issued_at: recorded_at,
                    target_time: micros(target_time),
                    closed: false,
                };
                horizons.insert((seq, horizon), horizon_at);
            }
        }
        let Some((forecast_seq, horizon)) = closes(&draft.index) else { continue };
        let chain = || chain.clone();
        let Some(open) = horizons.get_mut(&(forecast_seq, horizon)) else {
            return Err(StoreError::UnknownForecast { chain: chain(), forecast_seq, horizon });
        };
        if open.closed {
            return Err(StoreError::AlreadyResolved { chain: chain(), forecast_seq, horizon });
        }
        if recorded_at < open.target_time && matches!(draft.index, Index::Outcome { .. }) {
            let (target_time, recorded_at) = (timestamp(ENTRY, open.target_time)?, draft.recorded_at);
            return Err(StoreError::TooEarly { chain: chain(), forecast_seq, horizon, target_time, recorded_at });
        }
        open.closed = true;
    }
    Ok(())
}

/// The drafts as entries of the chain.
fn entries(chain: &ChainId, first_seq: u64, mut prev: Hash, drafts: &[Draft]) -> Vec<Entry> {
    let next = |(seq, draft): (u64, &Draft)| {
        let entry = Entry::new(chain, seq, prev, draft.body.clone());
        prev = entry.hash;
        entry
    };
    (first_seq..).zip(drafts).map(next).collect()
}

async fn write(
    connection: &mut SqliteConnection,
    chain_id: i64,
    drafts: &[Draft],
    entries: &[Entry],
    horizons: &Horizons,
) -> sqlx::Result<()> {
    let rows: Vec<(&Draft, &Entry)> = drafts.iter().zip(entries).collect();
    let closed = |index: &Index| closes(index).map(|key| (key, &horizons[&key]));

    let bind = |query: Binding<'static>, (draft, entry): &(&Draft, &Entry)| {
        let (mut symbol, mut timeframe, mut cut) = (None, None, None);
        match &draft.index {
            Index::Forecast { symbol: of, timeframe: on, as_of, .. } => {
                (symbol, timeframe, cut) = (Some(of.to_string()), Some(on.to_string()), Some(micros(*as_of)));
            }
            Index::Missed { symbol: of, timeframe: on, .. } => {
                (symbol, timeframe) = (Some(of.to_string()), Some(on.to_string()));
            }
            index => {
                if let Some((_, horizon)) = closed(index) {
                    (symbol, timeframe) = (Some(horizon.symbol.clone()), Some(horizon.timeframe.clone()));
                }
            }
        }
        let key = closes(&draft.index);
        query
            .bind(chain_id)
            .bind(entry.seq.cast_signed())
            .bind(entry.prev.0.to_vec())
            .bind(entry.hash.0.to_vec())
            .bind(draft.index.kind())
            .bind(micros(draft.recorded_at))
            .bind(symbol)
            .bind(timeframe)
            .bind(cut)
            .bind(key.map(|(forecast_seq, _)| bounded(forecast_seq)))
            .bind(key.map(|(_, horizon)| i64::from(horizon)))
            .bind(entry.body.clone())
    };
    INSERT_ENTRIES.execute(connection, &rows, bind).await?;

    let mut opened: Vec<(i64, u32, i64)> = Vec::new();
    let mut latest: HashMap<(&str, &'static str), i64> = HashMap::new();
    let mut resolved: Vec<(u64, u32, i64)> = Vec::new();
    let mut scored: Vec<scores::New<'_>> = Vec::new();
    for (draft, entry) in rows {
        let seq = entry.seq.cast_signed();
        if let Index::Forecast { symbol, timeframe, targets, .. } = &draft.index {
            latest.insert((symbol.as_str(), timeframe.as_str()), seq);
            opened.extend(targets.iter().map(|(horizon, target_time)| (seq, *horizon, micros(*target_time))));
        }
        let Some(((forecast_seq, horizon), at)) = closed(&draft.index) else { continue };
        resolved.push((forecast_seq, horizon, seq));
        if let Index::Outcome { price, score, .. } = &draft.index {
            scored.push(scores::New { seq, forecast_seq, horizon, at, price: *price, score });
        }
    }
    INSERT_HORIZONS
        .execute(connection, &opened, |query, &(seq, horizon, target_time)| {
            query.bind(chain_id).bind(seq).bind(i64::from(horizon)).bind(target_time)
        })
        .await?;
    let latest: Vec<_> = latest.into_iter().collect();
    INSERT_LATEST
        .execute(connection, &latest, |query, &((symbol, timeframe), seq)| {
            query.bind(chain_id).bind(symbol.to_owned()).bind(timeframe).bind(seq)
        })
        .await?;
    CLOSE_HORIZONS
        .execute(connection, &resolved, |query, &(forecast_seq, horizon, seq)| {
            query.bind(chain_id).bind(bounded(forecast_seq)).bind(i64::from(horizon)).bind(seq)
        })
        .await?;
    scores::insert(connection, chain_id, &scored).await
}
