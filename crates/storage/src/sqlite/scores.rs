//! Scores: the numbers of every outcome.

use market::{ChainId, Score};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::SqliteStore;
use super::ledger::{Horizon, bounded};
use super::rows::{Binding, Bulk, failed, micros, parse, timestamp, unsigned};
use crate::store::{Result, ScoreQuery, ScoreRow};

static INSERT: Bulk = Bulk::new(
    "INSERT INTO scores (chain_id, seq, forecast_seq, symbol, timeframe, horizon, as_of, issued_at, target_time, price,
         reference_price, change, median, low_80, high_80, prob_up, crps, crps_baseline, pinball, brier,
         brier_baseline, covered_80, covered_95, direction, hit, baseline_hit) VALUES",
    26,
    "",
);

/// A score about to be written, with the horizon it belongs to.
pub(super) struct New<'a> {
    pub(super) seq: i64,
    pub(super) forecast_seq: u64,
    pub(super) horizon: u32,
    pub(super) at: &'a Horizon,
    pub(super) price: f64,
    pub(super) score: &'a Score,
}

pub(super) async fn insert(connection: &mut SqliteConnection, chain_id: i64, rows: &[New<'_>]) -> sqlx::Result<()> {
    let bind = |query: Binding<'static>, row: &New<'_>| {
        let (at, score) = (row.at, row.score);
        query
            .bind(chain_id)
            .bind(row.seq)
            .bind(bounded(row.forecast_seq))
            .bind(at.symbol.clone())
            .bind(at.timeframe.clone())
            .bind(i64::from(row.horizon))
            .bind(at.as_of)
            .bind(at.issued_at)
            .bind(at.target_time)
            .bind(row.price)
            .bind(score.reference_price)
            .bind(score.change)
            .bind(score.median)
            .bind(score.low_80)
            .bind(score.high_80)
            .bind(score.prob_up)
            .bind(score.crps)
            .bind(score.crps_baseline)
            .bind(score.pinball)
            .bind(score.brier)
            .bind(score.brier_baseline)
            .bind(score.covered_80)
            .bind(score.covered_95)
            .bind(score.direction.as_str())
            .bind(score.hit)
            .bind(score.baseline_hit)
    };
    INSERT.execute(connection, rows, bind).await
}

pub(super) async fn select(store: &SqliteStore, chain: &ChainId, query: &ScoreQuery) -> Result<Vec<ScoreRow>> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT seq, forecast_seq, symbol, timeframe, horizon, as_of, issued_at, target_time, price, reference_price,
             change, median, low_80, high_80, prob_up, crps, crps_baseline, pinball, brier, brier_baseline, covered_80,
             covered_95, direction, hit, baseline_hit
         FROM scores WHERE chain_id = (SELECT chain_id FROM chains WHERE chain = ",
    );
    sql.push_bind(chain.to_string()).push(")");
    if let Some(symbol) = &query.symbol {
        sql.push(" AND symbol = ").push_bind(symbol.as_str().to_owned());
    }
    if let Some(timeframe) = query.timeframe {
        sql.push(" AND timeframe = ").push_bind(timeframe.as_str());
    }
    if let Some(horizon) = query.horizon {
        sql.push(" AND horizon = ").push_bind(i64::from(horizon));
    }
    if let Some(from) = query.from {
        sql.push(" AND as_of >= ").push_bind(micros(from));
    }
    if let Some(after) = query.after_seq {
        sql.push(" AND seq > ").push_bind(bounded(after));
    }
    if let Some(through) = query.through_seq {
        sql.push(" AND seq <= ").push_bind(bounded(through));
    }
    match query.last {
        Some(last) => {
            sql.push(" ORDER BY as_of DESC, symbol DESC, horizon DESC LIMIT ").push_bind(i64::from(last));
        }
        None => {
            sql.push(" ORDER BY as_of, symbol, horizon");
        }
    }
    let rows = sql.build_query_as::<Columns>().fetch_all(&store.readers).await.map_err(failed("read scores"))?;
    rows.into_iter().map(score_row).collect()
}

/// A row as the columns have it.
struct Columns {
    seq: i64,
    forecast_seq: i64,
    symbol: String,
    timeframe: String,
    horizon: i64,
    times: [i64; 3],
    price: f64,
    numbers: [f64; 9],
    briers: [Option<f64>; 2],
    covered: [bool; 2],
    direction: String,
    hits: [Option<bool>; 2],
}

impl FromRow<'_, SqliteRow> for Columns {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let mut numbers = [0.0; 9];
        for (column, number) in (9..).zip(&mut numbers) {
            *number = row.try_get(column)?;
        }
        Ok(Self {
            seq: row.try_get(0)?,
            forecast_seq: row.try_get(1)?,
            symbol: row.try_get(2)?,
            timeframe: row.try_get(3)?,
            horizon: row.try_get(4)?,
            times: [row.try_get(5)?, row.try_get(6)?, row.try_get(7)?],
            price: row.try_get(8)?,
            numbers,
            briers: [row.try_get(18)?, row.try_get(19)?],
            covered: [row.try_get(20)?, row.try_get(21)?],
            direction: row.try_get(22)?,
            hits: [row.try_get(23)?, row.try_get(24)?],
        })
    }
}

fn score_row(row: Columns) -> Result<ScoreRow> {
    let what = "score";
    let [reference_price, change, median, low_80, high_80, prob_up, crps, crps_baseline, pinball] = row.numbers;
    Ok(ScoreRow {
        seq: unsigned(what, row.seq)?,
        forecast_seq: unsigned(what, row.forecast_seq)?,
        symbol: parse(what, &row.symbol)?,
        timeframe: parse(what, &row.timeframe)?,
        horizon: unsigned(what, row.horizon)?,
        as_of: timestamp(what, row.times[0])?,
        issued_at: timestamp(what, row.times[1])?,
        target_time: timestamp(what, row.times[2])?,
        price: row.price,
        score: Score {
            reference_price,
            change,
            median,
            low_80,
            high_80,
            prob_up,
            crps,
            crps_baseline,
            pinball,
            brier: row.briers[0],
            brier_baseline: row.briers[1],
            covered_80: row.covered[0],
            covered_95: row.covered[1],
            direction: parse(what, &row.direction)?,
            hit: row.hits[0],
            baseline_hit: row.hits[1],
        },
    })
}
