//! Opening what is there, and refusing what cannot be served.

use super::*;
use crate::store::{Store, StoreError};

#[tokio::test]
async fn a_store_is_found_again_as_it_was_left() {
    let (folder, store) = fresh().await;
    let path = folder.path().join("auspex.db");
    assert_eq!(store.path(), path);
    store.put_bars(&series(), &bars(3)).await.unwrap();
    let entries = store.append(&live(), &[forecast(1)]).await.unwrap();
    store.close().await;
    assert!(!folder.path().join("auspex.db-wal").exists(), "closing leaves one file");

    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.series().await.unwrap()[0].n_bars, 3);
    assert_eq!(store.head(&live()).await.unwrap().unwrap().hash, entries[0].hash);
}

#[tokio::test]
async fn a_database_from_a_newer_version_is_refused_and_left_alone() {
    let (folder, store) = fresh().await;
    let path = folder.path().join("auspex.db");
    let known: i64 =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&store.readers).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ($1, 'from the future', TRUE, x'00', 0)",
    )
    .bind(known + 1)
    .execute(&store.writer)
    .await
    .unwrap();
    store.close().await;
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).await.expect_err("it is newer");
    assert!(matches!(&error, StoreError::Newer { found, known: ours, .. } if *found == known + 1 && *ours == known));
    let text = error.to_string();
    assert!(text.contains("auspex.db") && text.contains("use a newer auspex"), "{text}");
    assert!(!error.is_retryable());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let notes = "not a database ".repeat(1_000);
    std::fs::write(&path, &notes).unwrap();
    for path in [&path, folder.path(), &folder.path().join("no/such/folder.db")] {
        let error = SqliteStore::open(path).await.expect_err("it is no database");
        assert!(matches!(error, StoreError::Open { .. }), "{}: {error}", path.display());
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), notes);
}

#[tokio::test]
async fn a_model_whose_bytes_were_changed_is_not_served() {
    let (_folder, store) = fresh().await;
    let artefact = vec![7; 5_000];
    let sha256 = market::Hash::of(&artefact);
    let model = crate::store::ModelRecord {
        id: sha256.short(),
        asset_class: market::AssetClass::Stocks,
        timeframe: Timeframe::D1,
        name: "ridge".to_owned(),
        trained_at: hour(2),
        trained_through: hour(1),
        sha256,
        manifest: "{}".to_owned(),
        artefact,
    };
    store.put_model(&model).await.unwrap();
    for damage in ["zeroblob(5000)", "substr(artefact, 1, 4999)"] {
        let sql = sqlx::AssertSqlSafe(format!("UPDATE models SET artefact = {damage}"));
        sqlx::query(sql).execute(&store.writer).await.unwrap();
        let error = store.model(&model.id).await.expect_err("its hash is another");
        assert!(matches!(error, StoreError::Corrupt { .. }), "{damage}: {error}");
    }
}

#[tokio::test]
async fn the_writes_of_another_process_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auspex.db");
    let (ours, theirs) = (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
    let before = ours.foreign_writes().await.unwrap();
    ours.add_favourite("me", &"BTC".parse().unwrap()).await.unwrap();
    ours.check().await.unwrap();
    assert_eq!(ours.foreign_writes().await.unwrap(), before, "our own writes are none of others");
    theirs.add_favourite("you", &"BTC".parse().unwrap()).await.unwrap();
    assert_ne!(ours.foreign_writes().await.unwrap(), before);
    ours.close().await;
    theirs.close().await;
}
