use super::*;

/// A fresh store in a file, with the folder that goes when it goes.
async fn fresh() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("auspex.db")).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn passes_the_contract_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let n = std::sync::atomic::AtomicU32::new(0);
    crate::contract::store(|| async {
        let n = n.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        SqliteStore::open(&folder.path().join(format!("{n}.db"))).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn passes_the_contract_in_memory() {
    crate::contract::store(|| async { SqliteStore::open_in_memory().await.unwrap() }).await;
}

#[tokio::test]
async fn fresh_is_used() {
    fresh().await.1.check().await.unwrap();
}
