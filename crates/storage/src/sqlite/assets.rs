//! Assets.

use market::Asset;

use super::SqliteStore;
use super::rows::{Bulk, failed, parse};
use crate::store::Result;

static INSERT: Bulk = Bulk::new(
    "INSERT INTO assets (symbol, name, kind, source_symbol, quote) VALUES",
    5,
    " ON CONFLICT (symbol) DO UPDATE SET name = excluded.name, kind = excluded.kind,
      source_symbol = excluded.source_symbol, quote = excluded.quote",
);

pub(super) async fn put(store: &SqliteStore, assets: &[Asset]) -> Result<()> {
    let failed = failed("store assets");
    let mut tx = store.begin("store assets").await?;
    let bind = |query: super::rows::Binding<'static>, asset: &Asset| {
        query
            .bind(asset.symbol.as_str().to_owned())
            .bind(asset.name.clone())
            .bind(asset.kind.as_str())
            .bind(asset.source_symbol.clone())
            .bind(asset.quote.clone())
    };
    INSERT.execute(&mut tx, assets, bind).await.map_err(failed)?;
    tx.commit().await.map_err(failed)
}

pub(super) async fn all(store: &SqliteStore) -> Result<Vec<Asset>> {
    let rows: Vec<(String, String, String, String, String)> =
        sqlx::query_as("SELECT symbol, name, kind, source_symbol, quote FROM assets ORDER BY asset_id")
            .fetch_all(&store.readers)
            .await
            .map_err(failed("read assets"))?;
    rows.into_iter()
        .map(|(symbol, name, kind, source_symbol, quote)| {
            let (symbol, kind) = (parse("asset", &symbol)?, parse("asset", &kind)?);
            Ok(Asset { symbol, name, kind, source_symbol, quote })
        })
        .collect()
}
