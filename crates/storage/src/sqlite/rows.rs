//! Between columns and nouns, and many rows in one statement.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use market::{Hash, Symbol, Timeframe};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use crate::store::{Result, StoreError};

/// `SQLITE_FULL`: no more pages could be had.
const FULL: &str = "13";

/// Says which operation a database error belongs to, and tells a full disk from the rest.
pub(super) fn failed(operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |cause| match &cause {
        sqlx::Error::Database(error) if error.code().as_deref() == Some(FULL) => StoreError::Full { operation },
        _ => StoreError::Database { operation, cause },
    }
}

fn corrupt(what: &str, reason: impl Display) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), reason: reason.to_string() }
}

/// Microseconds since the epoch. Anything finer is cut off.
pub(super) fn micros(instant: Timestamp) -> i64 {
    instant.as_microsecond()
}

/// The instant of a column.
pub(super) fn timestamp(what: &str, micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| corrupt(what, error))
}

/// A word, symbol, date or chain of a column.
pub(super) fn parse<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error| corrupt(what, error))
}

/// The symbol and timeframe of an entry, where it has them.
pub(super) fn subject(
    what: &str,
    symbol: Option<&str>,
    timeframe: Option<&str>,
) -> Result<(Option<Symbol>, Option<Timeframe>)> {
    let symbol = symbol.map(|text| parse(what, text)).transpose()?;
    Ok((symbol, timeframe.map(|text| parse(what, text)).transpose()?))
}

/// The hash of a column.
pub(super) fn hash(what: &str, bytes: &[u8]) -> Result<Hash> {
    let bytes = bytes.try_into().map_err(|_| corrupt(what, format!("a hash of {} bytes", bytes.len())))?;
    Ok(Hash(bytes))
}

/// A count or position of a column; never negative.
pub(super) fn unsigned<T: TryFrom<i64, Error: Display>>(what: &str, value: i64) -> Result<T> {
    value.try_into().map_err(|error| corrupt(what, error))
}

/// A statement over many rows at once: `head (?, …), (?, …), … tail`.
///
/// Hundreds of rows a statement write some forty times as fast as one. The parameters are `?` and not `$1`: SQLite looks
/// up each named one by walking over the others, which is quadratic in so many. PostgreSQL would take arrays here.
pub(super) struct Bulk {
    head: &'static str,
    n_columns: usize,
    tail: &'static str,
    texts: [OnceLock<Arc<str>>; N_RUNGS],
}

/// A query that is being given its values.
pub(super) type Binding<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Statements of a few lengths, each a quarter of the one before and the last of one row, so that any number of rows is
/// written by statements that are prepared already: preparing one takes longer than running it.
const N_RUNGS: usize = 7;

impl Bulk {
    pub(super) const fn new(head: &'static str, n_columns: usize, tail: &'static str) -> Self {
        Self { head, n_columns, tail, texts: [const { OnceLock::new() }; N_RUNGS] }
    }

    /// How many rows go into a statement. The longest takes about 15,000 values, of the 32,766 SQLite takes: fewer cost
    /// more, as each statement keeps a copy of every page it changes, to be able to take itself back.
    const fn rows_on(&self, rung: usize) -> usize {
        let n_rows = (15_000 / self.n_columns) >> (2 * rung);
        if rung + 1 == N_RUNGS || n_rows == 0 { 1 } else { n_rows }
    }

    fn text(&self, n_rows: usize) -> Arc<str> {
        let row = format!("({})", vec!["?"; self.n_columns].join(", "));
        format!("{} {}{}", self.head, vec![row.as_str(); n_rows].join(", "), self.tail).into()
    }

    /// The statements for all of `rows`, each with its share of them; `bind` gives the values of one row in the order of
    /// the columns.
    pub(super) fn statements<T>(
        &'static self,
        rows: &[T],
        bind: impl Fn(Binding<'static>, &T) -> Binding<'static>,
    ) -> impl Iterator<Item = Binding<'static>> {
        let (mut rest, mut rung) = (rows, 0);
        std::iter::from_fn(move || {
            while self.rows_on(rung) > rest.len() {
                rung = (!rest.is_empty()).then_some(rung + 1)?;
            }
            let n_rows = self.rows_on(rung);
            let (share, left) = rest.split_at(n_rows);
            rest = left;
            let text = self.texts[rung].get_or_init(|| self.text(n_rows));
            Some(share.iter().fold(sqlx::query(AssertSqlSafe(Arc::clone(text))), &bind))
        })
    }

    /// Runs the statements over all rows.
    pub(super) async fn execute<T>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(Binding<'static>, &T) -> Binding<'static>,
    ) -> sqlx::Result<()> {
        for statement in self.statements(rows, bind) {
            statement.execute(&mut *connection).await?;
        }
        Ok(())
    }
}
