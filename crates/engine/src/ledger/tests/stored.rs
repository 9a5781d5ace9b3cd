//! Chains in a store: exported and audited there.

use market::ChainId;
use storage::{Index, SqliteStore, Store};

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

/// A change of what is written beside the first entry that is so.
type Change = (&'static str, fn(&Index) -> bool, fn(&mut Index));

#[tokio::test]
async fn promise_3_the_scores_table_says_what_the_outcomes_say() {
    let chain = ChainId::live();
    let sample = sample(&Plan { hours: 24 * 7, ..Plan::small(chain.clone()) });
    fn score(index: &mut Index) -> &mut market::Score {
        let Index::Outcome { score, .. } = index else { unreachable!() };
        score
    }
    let is_outcome = |index: &Index| matches!(index, Index::Outcome { .. });
    let is_hit = |index: &Index| matches!(index, Index::Outcome { score, .. } if score.hit == Some(false));
    let is_void = |index: &Index| matches!(index, Index::Void { .. });
    let changes: [Change; 7] = [
        ("as it should be", is_outcome, |_| ()),
        ("another crps", is_outcome, |index| score(index).crps /= 100.0),
        ("another median", is_outcome, |index| score(index).median += 1e-6),
        ("a hit", is_hit, |index| score(index).hit = Some(true)),
        ("another price", is_outcome, |index| {
            let Index::Outcome { price, .. } = index else { unreachable!() };
            *price += 0.01;
        }),
        ("no row", is_outcome, |index| *index = Index::Model),
        ("a row of what is no outcome", is_void, |index| {
            let Index::Void { forecast_seq, horizon } = *index else { unreachable!() };
            *index = Index::Outcome { forecast_seq, horizon, price: 1.0, score: A_SCORE };
        }),
    ];
    for (name, is, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("auspex.db")).await.unwrap();
        let mut drafts = sample.drafts.clone();
        let at = 40 + drafts[40..].iter().position(|draft| is(&draft.index)).unwrap();
        change(&mut drafts[at].index);
        assert_eq!(store.append(&chain, &drafts).await.unwrap(), sample.entries);
        match verify_stored(&store, &chain, None).await.unwrap() {
            Verdict::Sound(_) => assert_eq!(name, "as it should be"),
            Verdict::Broken(broken) => {
                assert_eq!((broken.seq, broken.rule.as_str()), (at as u64, "scores_table"), "{name}");
            }
        }
    }
}

const A_SCORE: market::Score = market::Score {
    reference_price: 1.0,
    change: 0.0,
    median: 0.0,
    low_80: 0.0,
    high_80: 0.0,
    prob_up: 0.5,
    crps: 0.0,
    crps_baseline: 0.0,
    pinball: 0.0,
    brier: None,
    brier_baseline: None,
    covered_80: true,
    covered_95: true,
    direction: market::Direction::Hold,
    hit: None,
    baseline_hit: None,
};

#[tokio::test]
async fn an_export_ends_at_the_head_it_began_with() {
    let (_dir, store, mut chains) = stored(&["live"]).await;
    let (chain, sample) = chains.remove(0);
    let mut pages = Pages::open(&store, &chain, 0).await.unwrap();
    let (last, index) = (sample.drafts.last().unwrap().clone(), Index::Model);
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
