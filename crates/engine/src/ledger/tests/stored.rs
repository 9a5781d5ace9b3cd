//! Chains in a store: exported and audited there.

use market::ChainId;
use storage::{SqliteStore, Store};

use super::sample::{Plan, Sample, sample};
use super::{export_of, verdict};
use crate::ledger::{Expected, LedgerError, Pages, Verdict, export, verify, verify_stored};

async fn stored(names: &[&str]) -> (tempfile::TempDir, SqliteStore, Vec<(ChainId, Sample)>) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("auspex.db")).await.unwrap();
    let mut chains = Vec::new();
    for name in names {
        let chain: ChainId = name.parse().unwrap();
        let sample = sample(&Plan { hours: 60, ..Plan::small(chain.clone()) });
        assert_eq!(store.append(&chain, &sample.drafts).await.unwrap(), sample.entries);
        chains.push((chain, sample));
    }
    (dir, store, chains)
}

#[tokio::test]
async fn promise_4_an_export_holds_its_own_chain_alone() {
    let (_dir, store, chains) = stored(&["live", "replay/a", "simulated/a"]).await;
    for (chain, sample) in &chains {
        let mut out = Vec::new();
        assert_eq!(export(&store, chain, &mut out).await.unwrap(), sample.entries.len() as u64);
        assert!(out == export_of(&sample.entries));
        let expected = Expected { chain: Some(chain.clone()), checkpoint: None };
        let from_file = verify(&*out, expected).unwrap();
        assert!(matches!(from_file, Verdict::Sound(_)), "{from_file:?}");
        assert_eq!(verify_stored(&store, chain, None).await.unwrap(), from_file);
    }
    let head = super::tampering::checkpoint_of(&chains[1].1.entries);
    let found = verify_stored(&store, &chains[0].0, Some(head)).await.unwrap();
    assert!(matches!(found, Verdict::Broken(broken) if broken.rule.as_str() == "checkpoint"));
    let missing = export(&store, &"replay/b".parse().unwrap(), &mut Vec::new()).await;
    assert!(matches!(missing, Err(LedgerError::EmptyChain { .. })));
}

#[tokio::test]
async fn an_export_ends_at_the_head_it_began_with() {
    let (_dir, store, mut chains) = stored(&["live"]).await;
    let (chain, sample) = chains.remove(0);
    let mut pages = Pages::open(&store, &chain, 0).await.unwrap();
    let (last, index) = (sample.drafts.last().unwrap().clone(), storage::Index::Model);
    store.append(&chain, &[storage::Draft { index, ..last }]).await.unwrap();
    let mut out = Vec::new();
    while let Some(lines) = pages.next_lines().await.unwrap() {
        out.extend_from_slice(&lines);
    }
    assert!(out == export_of(&sample.entries));
    let mut tail = Pages::open(&store, &chain, 3).await.unwrap();
    let tail = tail.next_lines().await.unwrap().unwrap();
    assert!(tail.starts_with(b"{\"seq\":3,"));
    assert_eq!(verdict(&tail, Expected::default()), "broken at 0: seq");
}
