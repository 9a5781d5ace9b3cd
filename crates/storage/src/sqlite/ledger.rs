//! The ledger: reading chains and entries. How they are appended: [`append`].

mod append;
mod due;

pub(super) use append::{Horizon, append};
pub(super) use due::{due_outcomes, next_due};

use market::{ChainId, Entry, Hash};
use sqlx::{QueryBuilder, Sqlite};

use super::SqliteStore;
use super::rows::{failed, hash, micros, parse, subject, timestamp, unsigned};
use crate::store::{ChainInfo, EntryQuery, EntryRow, Result};

const ENTRY: &str = "an entry of the ledger";

type Row = (i64, Vec<u8>, Vec<u8>, String, i64, Option<String>, Option<String>, Option<i64>, String);

fn entry_row(row: Row) -> Result<EntryRow> {
    let (seq, prev, own, kind, recorded_at, symbol, timeframe, as_of, body) = row;
    let (symbol, timeframe) = subject(ENTRY, symbol.as_deref(), timeframe.as_deref())?;
    Ok(EntryRow {
        entry: Entry {
            seq: unsigned(ENTRY, seq)?,
            prev: hash(ENTRY, &prev)?,
            hash: hash(ENTRY, &own)?,
            body: body.into_boxed_str(),
        },
        kind,
        recorded_at: timestamp(ENTRY, recorded_at)?,
        symbol,
        timeframe,
        as_of: as_of.map(|at| timestamp(ENTRY, at)).transpose()?,
    })
}

/// The last entry of a chain: `seq`, `hash`, `recorded_at`.
type Head = (i64, Vec<u8>, i64);

fn chain_info(chain: ChainId, (seq, own, recorded_at): Head) -> Result<ChainInfo> {
    Ok(ChainInfo {
        chain,
        seq: unsigned(ENTRY, seq)?,
        hash: hash(ENTRY, &own)?,
        recorded_at: timestamp(ENTRY, recorded_at)?,
    })
}

pub(super) async fn chains(store: &SqliteStore) -> Result<Vec<ChainInfo>> {
    let rows: Vec<(String, i64, Vec<u8>, i64)> = sqlx::query_as(
        "SELECT chains.chain, ledger.seq, ledger.hash, ledger.recorded_at
         FROM chains JOIN ledger ON ledger.entry_id = (
             SELECT entry_id FROM ledger AS own WHERE own.chain_id = chains.chain_id ORDER BY own.seq DESC LIMIT 1
         )
         ORDER BY ledger.entry_id",
    )
    .fetch_all(&store.readers)
    .await
    .map_err(failed("list the ledger's chains"))?;
    rows.into_iter()
        .map(|(chain, seq, own, recorded_at)| chain_info(parse(ENTRY, &chain)?, (seq, own, recorded_at)))
        .collect()
}

pub(super) async fn head(store: &SqliteStore, chain: &ChainId) -> Result<Option<ChainInfo>> {
    let head: Option<Head> = sqlx::query_as(
        "SELECT seq, hash, recorded_at FROM ledger
         WHERE chain_id = (SELECT chain_id FROM chains WHERE chain = $1) ORDER BY seq DESC LIMIT 1",
    )
    .bind(chain.to_string())
    .fetch_optional(&store.readers)
    .await
    .map_err(failed("read the ledger's head"))?;
    head.map(|head| chain_info(chain.clone(), head)).transpose()
}

pub(super) async fn entries(store: &SqliteStore, chain: &ChainId, query: &EntryQuery) -> Result<Vec<EntryRow>> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT seq, prev, hash, kind, recorded_at, symbol, timeframe, as_of, body FROM ledger
         WHERE chain_id = (SELECT chain_id FROM chains WHERE chain = ",
    );
    sql.push_bind(chain.to_string()).push(")");
    match query.kind {
        // In the text, so that the index over forecasts alone can be seen to apply.
        Some("forecast") => {
            sql.push(" AND kind = 'forecast'");
        }
        Some(kind) => {
            sql.push(" AND kind = ").push_bind(kind);
        }
        None => {}
    }
    if let Some(symbol) = &query.symbol {
        sql.push(" AND symbol = ").push_bind(symbol.as_str().to_owned());
    }
    if let Some(timeframe) = query.timeframe {
        sql.push(" AND timeframe = ").push_bind(timeframe.as_str());
    }
    if let Some(through) = query.as_of_through {
        sql.push(" AND as_of <= ").push_bind(micros(through));
    }
    if let Some(from_seq) = query.from_seq {
        sql.push(" AND seq >= ").push_bind(bounded(from_seq));
    }
    if let Some(to_seq) = query.to_seq {
        sql.push(" AND seq < ").push_bind(bounded(to_seq));
    }
    sql.push(if query.newest_first { " ORDER BY seq DESC LIMIT " } else { " ORDER BY seq LIMIT " });
    sql.push_bind(i64::from(query.limit));
    let rows: Vec<Row> =
        sql.build_query_as().fetch_all(&store.readers).await.map_err(failed("read entries of the ledger"))?;
    rows.into_iter().map(entry_row).collect()
}

/// A position as the database counts; one it cannot hold lies beyond every entry.
pub(super) fn bounded(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) async fn entries_by_hash(store: &SqliteStore, prefix: &str) -> Result<Vec<(ChainId, EntryRow)>> {
    let Some((first, last)) = hashes_with(prefix) else { return Ok(Vec::new()) };
    let failed = failed("find an entry of the ledger");
    let found: Vec<(i64, String)> = sqlx::query_as(
        "SELECT ledger.entry_id, chains.chain FROM ledger JOIN chains ON chains.chain_id = ledger.chain_id
         WHERE ledger.hash >= $1 AND ledger.hash <= $2 ORDER BY ledger.hash LIMIT 2",
    )
    .bind(first.0.as_slice())
    .bind(last.0.as_slice())
    .fetch_all(&store.readers)
    .await
    .map_err(failed)?;
    let mut entries = Vec::with_capacity(found.len());
    for (entry_id, chain) in found {
        let row: Row = sqlx::query_as(
            "SELECT seq, prev, hash, kind, recorded_at, symbol, timeframe, as_of, body FROM ledger WHERE entry_id = $1",
        )
        .bind(entry_id)
        .fetch_one(&store.readers)
        .await
        .map_err(failed)?;
        entries.push((parse(ENTRY, &chain)?, entry_row(row)?));
    }
    Ok(entries)
}

/// The first and the last hash that start with some hex digits; `None` for what is not 1 to 64 hex digits.
fn hashes_with(prefix: &str) -> Option<(Hash, Hash)> {
    if prefix.is_empty() || prefix.len() > 64 || !prefix.is_ascii() {
        return None;
    }
    let prefix = prefix.to_ascii_lowercase();
    Some((format!("{prefix:0<64}").parse().ok()?, format!("{prefix:f<64}").parse().ok()?))
}

pub(super) async fn latest_forecasts(store: &SqliteStore, chain: &ChainId) -> Result<Vec<EntryRow>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT ledger.seq, prev, hash, kind, recorded_at, ledger.symbol, ledger.timeframe, as_of, body
         FROM ledger_latest JOIN ledger ON ledger.chain_id = ledger_latest.chain_id AND ledger.seq = ledger_latest.seq
         WHERE ledger_latest.chain_id = (SELECT chain_id FROM chains WHERE chain = $1)",
    )
    .bind(chain.to_string())
    .fetch_all(&store.readers)
    .await
    .map_err(failed("read the latest forecasts"))?;
    rows.into_iter().map(entry_row).collect()
}
