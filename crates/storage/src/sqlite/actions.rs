//! Corporate actions.

use jiff::Timestamp;
use market::{Action, ActionKind, Symbol};

use super::SqliteStore;
use super::rows::{failed, micros, parse, timestamp};
use crate::store::{PutSummary, Result, StoreError};

/// Whether `new` speaks of the same event as `old`. A share may pay two dividends on one day (an ordinary and a special
/// one), so that dividends are the same only with the same amount; of the other kinds there is one a day.
fn same_event(old: &Action, new: &Action) -> bool {
    old.ex_date == new.ex_date
        && match (&old.kind, &new.kind) {
            (ActionKind::Dividend { .. }, ActionKind::Dividend { .. }) => old.kind == new.kind,
            (old, new) => word(old) == word(new),
        }
}

const fn word(kind: &ActionKind) -> &'static str {
    match kind {
        ActionKind::Split { .. } => "split",
        ActionKind::Dividend { .. } => "dividend",
        ActionKind::Delisting => "delisting",
        ActionKind::Rename { .. } => "rename",
    }
}

pub(super) async fn put(store: &SqliteStore, symbol: &Symbol, actions: &[Action]) -> Result<PutSummary> {
    let operation = "store corporate actions";
    let failed = failed(operation);
    let mut tx = store.begin(operation).await?;
    let mut known = read(&mut *tx, symbol, i64::MAX).await?;
    let mut summary = PutSummary::default();
    for action in actions {
        match known.iter().rev().find(|old| same_event(old, action)) {
            Some(old) if old.kind == action.kind => {
                summary.unchanged += 1;
                continue;
            }
            Some(old) if action.known_at <= old.known_at => {
                let what = format!("the {} of {symbol} on {}", word(&action.kind), action.ex_date);
                return Err(StoreError::NotLater { what });
            }
            Some(_) => summary.revised += 1,
            None => summary.inserted += 1,
        }
        let (mut numerator, mut denominator, mut amount, mut renamed_to) = (None, None, None, None);
        match &action.kind {
            ActionKind::Split { numerator: new, denominator: old } => (numerator, denominator) = (Some(new), Some(old)),
            ActionKind::Dividend { amount: paid } => amount = Some(paid),
            ActionKind::Delisting => {}
            ActionKind::Rename { to } => renamed_to = Some(to.as_str()),
        }
        sqlx::query(
            "INSERT INTO actions (symbol, ex_date, known_at, kind, numerator, denominator, amount, renamed_to)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(symbol.as_str())
        .bind(action.ex_date.to_string())
        .bind(micros(action.known_at))
        .bind(word(&action.kind))
        .bind(numerator)
        .bind(denominator)
        .bind(amount)
        .bind(renamed_to)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        known.push(action.clone());
    }
    tx.commit().await.map_err(failed)?;
    Ok(summary)
}

pub(super) async fn select(store: &SqliteStore, symbol: &Symbol, as_of: Timestamp) -> Result<Vec<Action>> {
    let mut actions: Vec<Action> = Vec::new();
    for action in read(&store.readers, symbol, micros(as_of)).await? {
        actions.retain(|old| !same_event(old, &action));
        actions.push(action);
    }
    Ok(actions)
}

/// All rows known at `as_of`, revisions too, ascending by `known_at`.
async fn read<'e>(executor: impl sqlx::SqliteExecutor<'e>, symbol: &Symbol, as_of: i64) -> Result<Vec<Action>> {
    type Row = (String, i64, String, Option<f64>, Option<f64>, Option<f64>, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT ex_date, known_at, kind, numerator, denominator, amount, renamed_to FROM actions
         WHERE symbol = $1 AND known_at <= $2 ORDER BY known_at, action_id",
    )
    .bind(symbol.as_str())
    .bind(as_of)
    .fetch_all(executor)
    .await
    .map_err(failed("read corporate actions"))?;
    let what = "corporate action";
    rows.into_iter()
        .map(|(ex_date, known_at, kind, numerator, denominator, amount, renamed_to)| {
            let kind = match (kind.as_str(), numerator, denominator, amount, renamed_to) {
                ("split", Some(numerator), Some(denominator), ..) => ActionKind::Split { numerator, denominator },
                ("dividend", _, _, Some(amount), _) => ActionKind::Dividend { amount },
                ("delisting", ..) => ActionKind::Delisting,
                ("rename", .., Some(to)) => ActionKind::Rename { to: parse(what, &to)? },
                _ => {
                    let reason = format!("a {kind} of {symbol} on {ex_date} lacks what makes it one");
                    return Err(StoreError::Corrupt { what: what.to_owned(), reason });
                }
            };
            Ok(Action { ex_date: parse(what, &ex_date)?, kind, known_at: timestamp(what, known_at)? })
        })
        .collect()
}
