//! Favourites.

use market::Symbol;

use super::SqliteStore;
use super::rows::{failed, parse};
use crate::store::Result;

pub(super) async fn all(store: &SqliteStore, owner: &str) -> Result<Vec<Symbol>> {
    let symbols: Vec<String> =
        sqlx::query_scalar("SELECT symbol FROM favourites WHERE owner = $1 ORDER BY favourite_id")
            .bind(owner)
            .fetch_all(&store.readers)
            .await
            .map_err(failed("read favourites"))?;
    symbols.iter().map(|text| parse("favourite", text)).collect()
}

pub(super) async fn add(store: &SqliteStore, owner: &str, symbol: &Symbol) -> Result<()> {
    sqlx::query("INSERT INTO favourites (owner, symbol) VALUES ($1, $2) ON CONFLICT (owner, symbol) DO NOTHING")
        .bind(owner)
        .bind(symbol.as_str())
        .execute(&store.writer)
        .await
        .map_err(failed("add a favourite"))?;
    Ok(())
}

pub(super) async fn remove(store: &SqliteStore, owner: &str, symbol: &Symbol) -> Result<bool> {
    let done = sqlx::query("DELETE FROM favourites WHERE owner = $1 AND symbol = $2")
        .bind(owner)
        .bind(symbol.as_str())
        .execute(&store.writer)
        .await
        .map_err(failed("remove a favourite"))?;
    Ok(done.rows_affected() > 0)
}
