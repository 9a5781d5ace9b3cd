//! Bars and their series.

use std::cmp::Ordering;

use jiff::Timestamp;
use market::Bar;
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::rows::{Binding, Bulk, failed, micros, parse, timestamp, unsigned};
use crate::store::{BarQuery, PutSummary, Result, SeriesInfo, SeriesKey, StoreError};

static INSERT: Bulk = Bulk::new(
    "INSERT INTO bars
         (series_id, open_time, known_at, close_time, open, high, low, close, volume, adj_close) VALUES",
    10,
    "",
);

/// How many bars are compared with what is stored, and then written, at a time: bounds memory, not the transaction.
const BARS_PER_STEP: usize = 20_000;

type Row = (i64, i64, f64, f64, f64, f64, f64, Option<f64>, i64);

fn bar(row: Row) -> Result<Bar> {
    let (open_time, close_time, open, high, low, close, volume, adj_close, known_at) = row;
    Ok(Bar {
        open_time: timestamp("bar", open_time)?,
        close_time: timestamp("bar", close_time)?,
        open,
        high,
        low,
        close,
        volume,
        adj_close,
        known_at: timestamp("bar", known_at)?,
    })
}

/// Whether two rows of a bar say the same of it, whenever they were known.
fn same_content(old: &Bar, new: &Bar) -> bool {
    let content = |bar: &Bar| {
        let prices = [bar.open, bar.high, bar.low, bar.close, bar.volume];
        (micros(bar.close_time), prices, bar.adj_close)
    };
    content(old) == content(new)
}

/// The id of a series, which is made when it is new.
pub(super) async fn series_id(connection: &mut SqliteConnection, key: &SeriesKey) -> sqlx::Result<i64> {
    sqlx::query(
        "INSERT INTO series (symbol, timeframe, adjustment, source) VALUES ($1, $2, $3, $4)
         ON CONFLICT (symbol, timeframe, adjustment, source) DO NOTHING",
    )
    .bind(key.symbol.as_str())
    .bind(key.timeframe.as_str())
    .bind(key.adjustment.as_str())
    .bind(&key.source)
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar(
        "SELECT series_id FROM series WHERE symbol = $1 AND timeframe = $2 AND adjustment = $3 AND source = $4",
    )
    .bind(key.symbol.as_str())
    .bind(key.timeframe.as_str())
    .bind(key.adjustment.as_str())
    .bind(&key.source)
    .fetch_one(connection)
    .await
}

pub(super) async fn join(store: &SqliteStore, key: &SeriesKey, at: Timestamp) -> Result<()> {
    let operation = "add a series";
    let mut tx = store.begin(operation).await?;
    let failed = failed(operation);
    let series_id = series_id(&mut tx, key).await.map_err(failed)?;
    sqlx::query("UPDATE series SET joined_at = $2 WHERE series_id = $1 AND n_bars = 0")
        .bind(series_id)
        .bind(micros(at))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    tx.commit().await.map_err(failed)
}

pub(super) async fn put(store: &SqliteStore, key: &SeriesKey, bars: &[Bar]) -> Result<PutSummary> {
    let operation = "store bars";
    let failed = failed(operation);
    let mut summary = PutSummary::default();
    if bars.is_empty() {
        return Ok(summary);
    }
    let mut sorted = Vec::new();
    let bars = if bars.is_sorted_by_key(|bar| bar.open_time) {
        bars
    } else {
        sorted.extend_from_slice(bars);
        sorted.sort_by_key(|bar| bar.open_time);
        sorted.as_slice()
    };

    let mut tx = store.begin(operation).await?;
    let series_id = series_id(&mut tx, key).await.map_err(failed)?;
    for step in bars.chunks(BARS_PER_STEP) {
        let stored = newest_rows(&mut tx, series_id, step).await?;
        let news = compare(key, &stored, step, &mut summary)?;
        let bind = |query: Binding<'static>, bar: &&Bar| {
            query
                .bind(series_id)
                .bind(micros(bar.open_time))
                .bind(micros(bar.known_at))
                .bind(micros(bar.close_time))
                .bind(bar.open)
                .bind(bar.high)
                .bind(bar.low)
                .bind(bar.close)
                .bind(bar.volume)
                .bind(bar.adj_close)
        };
        INSERT.execute(&mut tx, &news, bind).await.map_err(failed)?;
    }
    if summary.inserted > 0 {
        sqlx::query(
            "UPDATE series SET n_bars = n_bars + $2,
                 first_open = CASE WHEN first_open < $3 THEN first_open ELSE $3 END,
                 last_open = CASE WHEN last_open > $4 THEN last_open ELSE $4 END
             WHERE series_id = $1",
        )
        .bind(series_id)
        .bind(summary.inserted.cast_signed())
        .bind(micros(bars[0].open_time))
        .bind(micros(bars[bars.len() - 1].open_time))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    }
    tx.commit().await.map_err(failed)?;
    Ok(summary)
}

/// The newest row of every stored bar in the range of `bars`, ascending: one walk over the range instead of a look-up a
/// bar, and nothing at all for a new range.
async fn newest_rows(connection: &mut SqliteConnection, series_id: i64, bars: &[Bar]) -> Result<Vec<Bar>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT open_time, close_time, open, high, low, close, volume, adj_close, known_at FROM bars
         WHERE series_id = $1 AND open_time >= $2 AND open_time <= $3 ORDER BY open_time, known_at",
    )
    .bind(series_id)
    .bind(micros(bars[0].open_time))
    .bind(micros(bars[bars.len() - 1].open_time))
    .fetch_all(connection)
    .await
    .map_err(failed("store bars"))?;
    let mut newest: Vec<Bar> = Vec::with_capacity(rows.len());
    for row in rows {
        let bar = bar(row)?;
        match newest.last_mut() {
            Some(old) if old.open_time == bar.open_time => *old = bar,
            _ => newest.push(bar),
        }
    }
    Ok(newest)
}

/// Those of `bars` that must be written, by merging them with the `stored` ones; both ascend.
fn compare<'a>(key: &SeriesKey, stored: &[Bar], bars: &'a [Bar], summary: &mut PutSummary) -> Result<Vec<&'a Bar>> {
    let mut news: Vec<&Bar> = Vec::with_capacity(bars.len());
    let mut stored = stored.iter().peekable();
    // What is there of the bar at hand: the stored row, or one just taken.
    let mut current: Option<&Bar> = None;
    for bar in bars {
        if current.is_none_or(|old| micros(old.open_time) != micros(bar.open_time)) {
            current = None;
            while let Some(old) = stored.peek() {
                match micros(old.open_time).cmp(&micros(bar.open_time)) {
                    Ordering::Less => {}
                    Ordering::Equal => current = Some(old),
                    Ordering::Greater => break,
                }
                stored.next();
            }
        }
        match current {
            Some(old) if same_content(old, bar) => {
                summary.unchanged += 1;
                continue;
            }
            Some(old) if micros(bar.known_at) <= micros(old.known_at) => {
                let SeriesKey { symbol, timeframe, source, .. } = key;
                let what = format!("the {timeframe} bar of {symbol} from {source} at {}", bar.open_time);
                return Err(StoreError::NotLater { what });
            }
            Some(_) => summary.revised += 1,
            None => summary.inserted += 1,
        }
        current = Some(bar);
        news.push(bar);
    }
    Ok(news)
}

pub(super) async fn select(store: &SqliteStore, query: &BarQuery<'_>) -> Result<Vec<Bar>> {
    // Revisions of a bar lie side by side, so that "is there a newer one" looks at the next row.
    let mut sql = sqlx::QueryBuilder::new(
        "SELECT open_time, close_time, open, high, low, close, volume, adj_close, known_at FROM bars WHERE series_id = (
             SELECT series_id FROM series WHERE symbol = ",
    );
    sql.push_bind(query.key.symbol.as_str().to_owned())
        .push(" AND timeframe = ")
        .push_bind(query.key.timeframe.as_str())
        .push(" AND adjustment = ")
        .push_bind(query.key.adjustment.as_str())
        .push(" AND source = ")
        .push_bind(query.key.source.clone())
        .push(") AND known_at <= ")
        .push_bind(micros(query.as_of));
    if let Some(from) = query.from {
        sql.push(" AND open_time >= ").push_bind(micros(from));
    }
    if let Some(to) = query.to {
        sql.push(" AND open_time < ").push_bind(micros(to));
    }
    sql.push(
        " AND NOT EXISTS (
             SELECT 1 FROM bars AS newer WHERE newer.series_id = bars.series_id AND newer.open_time = bars.open_time
                 AND newer.known_at > bars.known_at AND newer.known_at <= ",
    )
    .push_bind(micros(query.as_of));
    match query.last {
        Some(last) => sql.push(") ORDER BY open_time DESC LIMIT ").push_bind(i64::from(last)),
        None => sql.push(") ORDER BY open_time"),
    };
    let rows: Vec<Row> = sql.build_query_as().fetch_all(&store.readers).await.map_err(failed("read bars"))?;
    let mut bars = rows.into_iter().map(bar).collect::<Result<Vec<_>>>()?;
    if query.last.is_some() {
        bars.reverse();
    }
    Ok(bars)
}

pub(super) async fn learnt(
    store: &SqliteStore,
    key: &SeriesKey,
    after: Timestamp,
    through: Timestamp,
) -> Result<Vec<Bar>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT open_time, close_time, open, high, low, close, volume, adj_close, known_at FROM bars
         WHERE series_id = (
             SELECT series_id FROM series WHERE symbol = $1 AND timeframe = $2 AND adjustment = $3 AND source = $4
         ) AND known_at > $5 AND known_at <= $6
         ORDER BY known_at, open_time",
    )
    .bind(key.symbol.as_str())
    .bind(key.timeframe.as_str())
    .bind(key.adjustment.as_str())
    .bind(&key.source)
    .bind(micros(after))
    .bind(micros(through))
    .fetch_all(&store.readers)
    .await
    .map_err(failed("read bars"))?;
    rows.into_iter().map(bar).collect()
}

pub(super) async fn series(store: &SqliteStore) -> Result<Vec<SeriesInfo>> {
    type Row = (String, String, String, String, i64, i64, i64, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT symbol, timeframe, adjustment, source, n_bars, first_open, last_open, joined_at FROM series
         WHERE n_bars > 0",
    )
    .fetch_all(&store.readers)
    .await
    .map_err(failed("list series"))?;
    let mut series = rows
        .into_iter()
        .map(|(symbol, timeframe, adjustment, source, n_bars, first_open, last_open, joined_at)| {
            let what = "series";
            Ok(SeriesInfo {
                key: SeriesKey {
                    symbol: parse(what, &symbol)?,
                    timeframe: parse(what, &timeframe)?,
                    adjustment: parse(what, &adjustment)?,
                    source,
                },
                n_bars: unsigned(what, n_bars)?,
                first_open: timestamp(what, first_open)?,
                last_open: timestamp(what, last_open)?,
                joined_at: joined_at.map(|at| timestamp(what, at)).transpose()?,
            })
        })
        .collect::<Result<Vec<SeriesInfo>>>()?;
    // Here and not in SQL: timeframes sort by length, not by name.
    series.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(series)
}
