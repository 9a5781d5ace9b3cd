//! Gaps in series of bars.

use std::collections::HashSet;

use jiff::Timestamp;

use super::SqliteStore;
use super::bars::series_id;
use super::rows::{failed, micros, timestamp, unsigned};
use crate::store::{Gap, Result, SeriesKey};

pub(super) async fn put(
    store: &SqliteStore,
    key: &SeriesKey,
    from: Timestamp,
    to: Timestamp,
    gaps: &[Gap],
    now: Timestamp,
) -> Result<()> {
    let operation = "store gaps";
    let failed = failed(operation);
    if gaps.is_empty() && all(store, key).await?.iter().all(|gap| gap.filled_at.is_some()) {
        // The common case in an import of many files costs no transaction.
        return Ok(());
    }
    let mut tx = store.begin(operation).await?;
    let series_id = series_id(&mut tx, key).await.map_err(failed)?;
    let open: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT from_time, to_time FROM gaps
         WHERE series_id = $1 AND from_time >= $2 AND to_time <= $3 AND filled_at IS NULL",
    )
    .bind(series_id)
    .bind(micros(from))
    .bind(micros(to))
    .fetch_all(&mut *tx)
    .await
    .map_err(failed)?;
    let seen: HashSet<(i64, i64)> = gaps.iter().map(|gap| (micros(gap.from), micros(gap.to))).collect();
    for (from_time, to_time) in open.iter().filter(|gap| !seen.contains(gap)) {
        sqlx::query(
            "UPDATE gaps SET filled_at = $4
             WHERE series_id = $1 AND from_time = $2 AND to_time = $3 AND filled_at IS NULL",
        )
        .bind(series_id)
        .bind(from_time)
        .bind(to_time)
        .bind(micros(now))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    }
    let open: HashSet<(i64, i64)> = open.into_iter().collect();
    for gap in gaps.iter().filter(|gap| !open.contains(&(micros(gap.from), micros(gap.to)))) {
        sqlx::query(
            "INSERT INTO gaps (series_id, from_time, to_time, detected_at, n_bars, filled_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (series_id, from_time, to_time, detected_at)
             DO UPDATE SET n_bars = excluded.n_bars, filled_at = excluded.filled_at",
        )
        .bind(series_id)
        .bind(micros(gap.from))
        .bind(micros(gap.to))
        .bind(micros(gap.detected_at))
        .bind(i64::from(gap.n_bars))
        .bind(gap.filled_at.map(micros))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    }
    tx.commit().await.map_err(failed)
}

pub(super) async fn all(store: &SqliteStore, key: &SeriesKey) -> Result<Vec<Gap>> {
    let rows: Vec<(i64, i64, i64, i64, Option<i64>)> = sqlx::query_as(
        "SELECT from_time, to_time, detected_at, n_bars, filled_at FROM gaps
         WHERE series_id = (
             SELECT series_id FROM series WHERE symbol = $1 AND timeframe = $2 AND adjustment = $3 AND source = $4
         )
         ORDER BY from_time, to_time, detected_at",
    )
    .bind(key.symbol.as_str())
    .bind(key.timeframe.as_str())
    .bind(key.adjustment.as_str())
    .bind(&key.source)
    .fetch_all(&store.readers)
    .await
    .map_err(failed("read gaps"))?;
    rows.into_iter()
        .map(|(from, to, detected_at, n_bars, filled_at)| {
            Ok(Gap {
                from: timestamp("gap", from)?,
                to: timestamp("gap", to)?,
                n_bars: unsigned("gap", n_bars)?,
                detected_at: timestamp("gap", detected_at)?,
                filled_at: filled_at.map(|at| timestamp("gap", at)).transpose()?,
            })
        })
        .collect()
}
