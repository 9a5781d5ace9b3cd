//! Macro observations and their vintages.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use market::Observation;
use market::calendar::end_of_day_new_york;

use super::SqliteStore;
use super::rows::{Bulk, failed, micros, parse, timestamp};
use crate::store::{PutSummary, Result, StoreError};

// A row that is there already is one whose end has become known; nothing else of it changes.
static INSERT: Bulk = Bulk::new(
    "INSERT INTO observations (series_id, ref_period, realtime_start, known_at, value, realtime_end) VALUES",
    6,
    " ON CONFLICT (series_id, ref_period, realtime_start, known_at) DO UPDATE SET realtime_end = excluded.realtime_end",
);

pub(super) async fn put(store: &SqliteStore, series_id: &str, observations: &[Observation]) -> Result<PutSummary> {
    let operation = "store observations";
    let failed = failed(operation);
    let mut tx = store.begin(operation).await?;
    // The newest row of every vintage; ascending by known_at, so that the last one stays.
    let mut stored: HashMap<(Date, Date), Observation> = HashMap::new();
    for observation in read(&mut *tx, series_id, i64::MAX).await? {
        stored.insert((observation.ref_period, observation.realtime_start), observation);
    }
    let mut summary = PutSummary::default();
    let mut written: Vec<Observation> = Vec::new();
    for new in observations {
        let mut new = new.clone();
        match stored.get(&(new.ref_period, new.realtime_start)) {
            None => summary.inserted += 1,
            Some(old) if old.value == new.value => {
                if old.realtime_end.is_some() || new.realtime_end.is_none() {
                    summary.unchanged += 1;
                    continue;
                }
                new.known_at = old.known_at;
                summary.revised += 1;
            }
            Some(old) if micros(new.known_at) <= micros(old.known_at) => {
                let what = format!("the value of {series_id} for {} of {}", new.ref_period, new.realtime_start);
                return Err(StoreError::NotLater { what });
            }
            Some(_) => summary.revised += 1,
        }
        stored.insert((new.ref_period, new.realtime_start), new.clone());
        written.push(new);
    }
    let bind = |query: super::rows::Binding<'static>, new: &Observation| {
        query
            .bind(series_id.to_owned())
            .bind(new.ref_period.to_string())
            .bind(new.realtime_start.to_string())
            .bind(micros(new.known_at))
            .bind(new.value)
            .bind(new.realtime_end.map(|date| date.to_string()))
    };
    INSERT.execute(&mut tx, &written, bind).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(summary)
}

pub(super) async fn select(store: &SqliteStore, series_id: &str, as_of: Timestamp) -> Result<Vec<Observation>> {
    let mut vintages: Vec<Observation> = Vec::new();
    for mut new in read(&store.readers, series_id, micros(as_of)).await? {
        // That a vintage was replaced is itself news: not told before the day of its end is over.
        new.realtime_end = new.realtime_end.filter(|end| end_of_day_new_york(*end) <= as_of);
        match vintages.last_mut() {
            Some(old) if old.ref_period == new.ref_period && old.realtime_start == new.realtime_start => *old = new,
            _ => vintages.push(new),
        }
    }
    Ok(vintages)
}

/// All rows known at `as_of`, ascending by (`ref_period`, `realtime_start`, `known_at`).
async fn read<'e>(executor: impl sqlx::SqliteExecutor<'e>, series_id: &str, as_of: i64) -> Result<Vec<Observation>> {
    let rows: Vec<(String, String, i64, f64, Option<String>)> = sqlx::query_as(
        "SELECT ref_period, realtime_start, known_at, value, realtime_end FROM observations
         WHERE series_id = $1 AND known_at <= $2 ORDER BY ref_period, realtime_start, known_at",
    )
    .bind(series_id)
    .bind(as_of)
    .fetch_all(executor)
    .await
    .map_err(failed("read observations"))?;
    let what = "observation";
    rows.into_iter()
        .map(|(ref_period, realtime_start, known_at, value, realtime_end)| {
            Ok(Observation {
                ref_period: parse(what, &ref_period)?,
                value,
                realtime_start: parse(what, &realtime_start)?,
                realtime_end: realtime_end.map(|date| parse(what, &date)).transpose()?,
                known_at: timestamp(what, known_at)?,
            })
        })
        .collect()
}

pub(super) async fn series(store: &SqliteStore) -> Result<Vec<String>> {
    sqlx::query_scalar("SELECT DISTINCT series_id FROM observations ORDER BY series_id")
        .fetch_all(&store.readers)
        .await
        .map_err(failed("list series of observations"))
}
