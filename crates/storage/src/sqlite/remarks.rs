//! The quality journal.

use jiff::Timestamp;
use market::{Remark, Symbol};

use super::SqliteStore;
use super::rows::{failed, micros, parse, timestamp, unsigned};
use crate::store::{RemarkRow, Result};

pub(super) async fn put(store: &SqliteStore, source: &str, remarks: &[Remark], now: Timestamp) -> Result<()> {
    let operation = "write the quality journal";
    let failed = failed(operation);
    if remarks.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin(operation).await?;
    for remark in remarks {
        sqlx::query(
            "INSERT INTO remarks (source, kind, symbol, timeframe, from_time, to_time, text, first_at, last_at, n_times)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 1)
             ON CONFLICT (symbol, source, kind, timeframe, coalesce(from_time, -9223372036854775808), text)
             DO UPDATE SET last_at = excluded.last_at, to_time = excluded.to_time, n_times = remarks.n_times + 1",
        )
        .bind(source)
        .bind(remark.kind.as_str())
        .bind(remark.symbol.as_ref().map_or("", Symbol::as_str))
        .bind(remark.timeframe.map_or("", market::Timeframe::as_str))
        .bind(remark.from.map(micros))
        .bind(remark.to.map(micros))
        .bind(&remark.text)
        .bind(micros(now))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    }
    tx.commit().await.map_err(failed)
}

type Row = (String, String, String, String, Option<i64>, Option<i64>, String, i64, i64, i64);

pub(super) async fn select(store: &SqliteStore, symbol: Option<&Symbol>, limit: u32) -> Result<Vec<RemarkRow>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT source, kind, symbol, timeframe, from_time, to_time, text, first_at, last_at, n_times FROM remarks
         WHERE symbol = $1 ORDER BY last_at DESC, remark_id DESC LIMIT $2",
    )
    .bind(symbol.map_or("", Symbol::as_str))
    .bind(i64::from(limit))
    .fetch_all(&store.readers)
    .await
    .map_err(failed("read the quality journal"))?;
    let what = "remark";
    let present = |text: String| Some(text).filter(|text| !text.is_empty());
    let row = |(source, kind, symbol, timeframe, from, to, text, first_at, last_at, n_times): Row| {
        let remark = Remark {
            kind: parse(what, &kind)?,
            symbol: present(symbol).map(|text| parse(what, &text)).transpose()?,
            timeframe: present(timeframe).map(|text| parse(what, &text)).transpose()?,
            from: from.map(|from| timestamp(what, from)).transpose()?,
            to: to.map(|to| timestamp(what, to)).transpose()?,
            text,
        };
        let (first_at, last_at) = (timestamp(what, first_at)?, timestamp(what, last_at)?);
        Ok(RemarkRow { source, remark, first_at, last_at, n_times: unsigned(what, n_times)? })
    };
    rows.into_iter().map(row).collect()
}
