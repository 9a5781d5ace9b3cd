//! Models: artefact bytes with their manifest.

use market::Hash;

use super::SqliteStore;
use super::rows::{failed, hash, parse, timestamp};
use crate::store::{ModelRecord, Result, StoreError};

type Row = (String, String, String, String, i64, i64, Vec<u8>, String);

fn record(row: Row, artefact: Vec<u8>) -> Result<ModelRecord> {
    let (id, asset_class, timeframe, name, trained_at, trained_through, sha256, manifest) = row;
    let what = format!("model {id}");
    Ok(ModelRecord {
        asset_class: parse(&what, &asset_class)?,
        timeframe: parse(&what, &timeframe)?,
        name,
        trained_at: timestamp(&what, trained_at)?,
        trained_through: timestamp(&what, trained_through)?,
        sha256: hash(&what, &sha256)?,
        manifest,
        artefact,
        id,
    })
}

/// The model, when its id, hash and bytes agree.
fn checked(model: &ModelRecord) -> Result<()> {
    let actual = Hash::of(&model.artefact);
    let reason = if actual != model.sha256 {
        format!("its hash should be {} and is {actual}", model.sha256)
    } else if actual.short() != model.id {
        format!("a model with the hash {actual} is named {}", actual.short())
    } else {
        return Ok(());
    };
    Err(StoreError::Corrupt { what: format!("model {}", model.id), reason })
}

pub(super) async fn put(store: &SqliteStore, model: &ModelRecord) -> Result<()> {
    checked(model)?;
    sqlx::query(
        "INSERT INTO models
             (model_id, asset_class, timeframe, name, trained_at, trained_through, sha256, manifest, artefact)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         -- The same bytes again change nothing, but mend a row that was damaged.
         ON CONFLICT (model_id) DO UPDATE
             SET sha256 = excluded.sha256, manifest = excluded.manifest, artefact = excluded.artefact
             WHERE (models.sha256, models.manifest, models.artefact)
                 IS NOT (excluded.sha256, excluded.manifest, excluded.artefact)",
    )
    .bind(&model.id)
    .bind(model.asset_class.as_str())
    .bind(model.timeframe.as_str())
    .bind(&model.name)
    .bind(super::rows::micros(model.trained_at))
    .bind(super::rows::micros(model.trained_through))
    .bind(model.sha256.0.as_slice())
    .bind(&model.manifest)
    .bind(model.artefact.as_slice())
    .execute(&store.writer)
    .await
    .map_err(failed("store a model"))?;
    Ok(())
}

pub(super) async fn get(store: &SqliteStore, id: &str) -> Result<Option<ModelRecord>> {
    let failed = failed("read a model");
    let row: Option<Row> = sqlx::query_as(
        "SELECT model_id, asset_class, timeframe, name, trained_at, trained_through, sha256, manifest
         FROM models WHERE model_id = $1",
    )
    .bind(id)
    .fetch_optional(&store.readers)
    .await
    .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let artefact = sqlx::query_scalar("SELECT artefact FROM models WHERE model_id = $1").bind(id);
    let model = record(row, artefact.fetch_one(&store.readers).await.map_err(failed)?)?;
    checked(&model)?;
    Ok(Some(model))
}

pub(super) async fn all(store: &SqliteStore) -> Result<Vec<ModelRecord>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT model_id, asset_class, timeframe, name, trained_at, trained_through, sha256, manifest
         FROM models ORDER BY trained_at DESC, model_id",
    )
    .fetch_all(&store.readers)
    .await
    .map_err(failed("list models"))?;
    rows.into_iter().map(|row| record(row, Vec::new())).collect()
}
