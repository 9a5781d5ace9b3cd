//! What a store promises of the ledger.

use jiff::Timestamp;
use market::ledger::entry_hash;
use market::{ChainId, Direction, Entry, Hash, Origin, Score, Timeframe};

use super::store::{hour, symbol};
use crate::store::{Draft, DueOutcome, EntryQuery, Index, ScoreQuery, Store, StoreError};

fn draft(recorded: i64, index: Index) -> Draft {
    // Bodies are text to a store: odd spacing and letters must come back byte for byte.
    let body = format!("{{ \"kind\":\"{}\",\"recorded_at\" : {recorded}, \"note\":\"é\\n\u{1f4c8}\"}}", index.kind());
    Draft { recorded_at: hour(recorded), body: body.into(), index }
}

/// A forecast of `name` recorded at `at`, with one horizon of one hour for each number.
fn forecast(name: &str, at: i64, horizons: &[u32]) -> Draft {
    let target = |horizon: &u32| (*horizon, hour(at + i64::from(*horizon)));
    let (symbol, timeframe) = (symbol(name), Timeframe::H1);
    let targets = horizons.iter().map(target).collect();
    draft(at, Index::Forecast { symbol, timeframe, as_of: hour(at - 1), targets })
}

fn score(change: f64) -> Score {
    let moved = change != 0.0;
    Score {
        reference_price: 100.0 / 3.0,
        change,
        median: 0.001,
        low_80: -0.02,
        high_80: 0.03,
        prob_up: 0.52,
        crps: 0.004,
        crps_baseline: 0.005,
        pinball: 0.002,
        brier: moved.then_some(0.25),
        brier_baseline: moved.then_some(0.26),
        covered_80: change.abs() < 0.02,
        covered_95: true,
        direction: Direction::Up,
        hit: moved.then_some(change > 0.0),
        baseline_hit: None,
    }
}

fn outcome(at: i64, forecast_seq: u64, horizon: u32, change: f64) -> Draft {
    draft(at, Index::Outcome { forecast_seq, horizon, price: 101.0 + change, score: score(change) })
}

fn run(origin: Origin, id: &str) -> ChainId {
    ChainId::new(origin, Some(id)).expect("the suites name chains only")
}

fn every() -> EntryQuery {
    EntryQuery { limit: u32::MAX, ..EntryQuery::default() }
}

async fn append(store: &impl Store, chain: &ChainId, drafts: &[Draft]) -> Vec<Entry> {
    store.append(chain, drafts).await.expect("the drafts may follow")
}

pub(super) async fn chains_entries(store: &impl Store) {
    let chain = ChainId::live();
    assert_eq!(store.head(&chain).await.expect("read"), None);
    assert_eq!(store.entries(&chain, &every()).await.expect("read"), []);
    assert_eq!(append(store, &chain, &[]).await, []);
    assert_eq!(store.chains().await.expect("read"), [], "appending nothing makes no chain");

    let mut drafts = vec![draft(1, Index::Schedule), forecast("BTC", 1, &[1, 2]), draft(1, Index::Model)];
    let mut entries = append(store, &chain, &drafts).await;
    let missed = Index::Missed { symbol: symbol("BTC"), timeframe: Timeframe::D1, from: hour(0), to: hour(1) };
    let more = vec![outcome(2, 1, 1, 0.01), draft(2, Index::Checkpoint), draft(5, missed)];
    entries.extend(append(store, &chain, &more).await);
    drafts.extend(more);

    let mut prev = Hash::ZERO;
    for (seq, (entry, draft)) in (0..).zip(entries.iter().zip(&drafts)) {
        assert_eq!((entry.seq, entry.prev, &entry.body), (seq, prev, &draft.body));
        assert_eq!(entry.hash, entry_hash(&chain, seq, &prev, &draft.body));
        prev = entry.hash;
    }
    let rows = store.entries(&chain, &every()).await.expect("read");
    assert_eq!(rows.iter().map(|row| row.entry.clone()).collect::<Vec<_>>(), entries, "read as they were appended");
    for (row, draft) in rows.iter().zip(&drafts) {
        assert_eq!((row.kind.as_str(), row.recorded_at), (draft.index.kind(), draft.recorded_at));
    }
    let subjects: Vec<_> = rows.iter().map(|row| (row.symbol.clone(), row.timeframe, row.as_of)).collect();
    let (btc, none) = (Some(symbol("BTC")), (None, None, None));
    assert_eq!(subjects[0], none);
    assert_eq!(subjects[1], (btc.clone(), Some(Timeframe::H1), Some(hour(0))));
    assert_eq!(subjects[3], (btc.clone(), Some(Timeframe::H1), None), "an outcome is about its forecast's asset");
    assert_eq!(subjects[4], none);
    assert_eq!(subjects[5], (btc, Some(Timeframe::D1), None));

    let head = store.head(&chain).await.expect("read").expect("there are entries");
    assert_eq!((head.seq, head.hash, head.recorded_at), (5, prev, hour(5)));
    assert_eq!(store.chains().await.expect("read"), [head]);
}

/// Promise 4: what was replayed or simulated never stands among what was live.
pub(super) async fn keeps_chains_apart(store: &impl Store) {
    let chains = [run(Origin::Simulated, "a"), ChainId::live(), run(Origin::Replay, "a"), run(Origin::Replay, "b")];
    for chain in &chains {
        append(store, chain, &[forecast("BTC", 5, &[1])]).await;
    }
    append(store, &chains[1], &[outcome(6, 0, 1, 0.01)]).await;
    let listed: Vec<ChainId> = store.chains().await.expect("read").into_iter().map(|info| info.chain).collect();
    let [simulated, live, first, second] = chains;
    assert_eq!(listed, [simulated.clone(), first.clone(), second, live.clone()], "the one last written to is last");
    let hash = async |chain| store.head(chain).await.expect("read").expect("there are entries").hash;
    assert_ne!(hash(&simulated).await, hash(&first).await, "the same body in two chains has two hashes");
    assert_eq!(store.scores(&live, &ScoreQuery::default()).await.expect("read").len(), 1);
    for other in [&simulated, &first] {
        assert_eq!(store.scores(other, &ScoreQuery::default()).await.expect("read"), []);
        assert_eq!(store.entries(other, &every()).await.expect("read").len(), 1);
        assert_eq!(store.latest_forecasts(other).await.expect("read").len(), 1);
        assert_eq!(store.next_due(other).await.expect("read"), Some(hour(6)));
    }
    assert_eq!(store.next_due(&live).await.expect("read"), None);
}

pub(super) async fn refuses_what_may_not_follow(store: &impl Store) {
    let chain = ChainId::live();
    let (voided, unknown) = (3, 9);
    let void = |at, forecast_seq, horizon| draft(at, Index::Void { forecast_seq, horizon });
    append(store, &chain, &[forecast("BTC", 10, &[1, 2, voided]), draft(10, Index::Model)]).await;
    append(store, &chain, &[outcome(11, 0, 1, 0.01), void(11, 0, voided)]).await;
    let kept = store.entries(&chain, &every()).await.expect("read");

    let check = async |what: &str, refused: Draft, is_it: fn(&StoreError) -> bool| {
        // After one that may follow: it must not be kept either.
        let drafts = [draft(12, Index::Checkpoint), refused];
        let error = store.append(&chain, &drafts).await.expect_err(what);
        assert!(is_it(&error), "{what}: {error}");
        assert_eq!(store.entries(&chain, &every()).await.expect("read"), kept, "{what}: nothing is written");
    };
    let resolved = |error: &StoreError| matches!(error, StoreError::AlreadyResolved { forecast_seq: 0, .. });
    let nothing = |error: &StoreError| matches!(error, StoreError::UnknownForecast { .. });
    check("back-dated", draft(11, Index::Model), |error| matches!(error, StoreError::OutOfOrder { .. })).await;
    check("resolved twice", outcome(12, 0, 1, 0.02), resolved).await;
    check("resolved, then void", void(12, 0, 1), resolved).await;
    check("void, then resolved", outcome(13, 0, voided, 0.02), resolved).await;
    check("another horizon", outcome(19, 0, unknown, 0.02), nothing).await;
    check("not a forecast", outcome(12, 1, 1, 0.02), nothing).await;
    check("not yet there", outcome(12, 77, 1, 0.02), nothing).await;
    check("no such number", void(12, u64::MAX, 1), nothing).await;
    let unlike = Index::Forecast {
        symbol: symbol("BTC"),
        timeframe: Timeframe::H1,
        as_of: hour(12),
        targets: vec![(1, hour(14)), (2, hour(13))],
    };
    check("after the fact", draft(13, unlike), |error| matches!(error, StoreError::TooLate { .. })).await;
    let (early, due) = ([outcome(11, 0, 2, 0.02)], [outcome(12, 0, 2, 0.02), outcome(12, 0, 2, 0.02)]);
    let error = store.append(&chain, &early).await.expect_err("not mature");
    assert!(matches!(error, StoreError::TooEarly { horizon: 2, .. }), "{error}");
    let error = store.append(&chain, &due).await.expect_err("twice in one batch");
    assert!(resolved(&error), "{error}");
    assert_eq!(store.entries(&chain, &every()).await.expect("read"), kept);
    assert_eq!(store.next_due(&chain).await.expect("read"), Some(hour(12)), "still unresolved");
    append(store, &chain, &due[..1]).await;
    // A batch may resolve its own forecasts, as a fast replay does.
    append(store, &chain, &[forecast("BTC", 20, &[1]), outcome(21, 5, 1, 0.01)]).await;
}

pub(super) async fn finds_entries(store: &impl Store) {
    let chain = run(Origin::Replay, "one");
    let daily = |at: i64| {
        let (symbol, timeframe, as_of) = (symbol("BTC"), Timeframe::D1, hour(at));
        draft(at, Index::Forecast { symbol, timeframe, as_of, targets: vec![(1, hour(at + 24))] })
    };
    let mut drafts = vec![draft(1, Index::Schedule)];
    drafts.extend([forecast("BTC", 2, &[1]), forecast("ETH", 2, &[1]), forecast("BTC", 3, &[1]), daily(3)]);
    drafts.extend([outcome(4, 1, 1, 0.01), outcome(4, 2, 1, 0.01), forecast("BTC", 4, &[1]), draft(4, Index::Model)]);
    let entries = append(store, &chain, &drafts).await;

    let check = async |query: EntryQuery, expected: &[u64]| {
        let found = store.entries(&chain, &query).await.expect("read");
        let seqs: Vec<u64> = found.iter().map(|row| row.entry.seq).collect();
        assert_eq!(seqs, expected, "{query:?}");
    };
    let (btc, forecasts) = (Some(symbol("BTC")), Some("forecast"));
    check(every(), &[0, 1, 2, 3, 4, 5, 6, 7, 8]).await;
    check(EntryQuery { newest_first: true, limit: 3, ..every() }, &[8, 7, 6]).await;
    check(EntryQuery { limit: 0, ..every() }, &[]).await;
    check(EntryQuery { from_seq: Some(3), to_seq: Some(5), ..every() }, &[3, 4]).await;
    check(EntryQuery { from_seq: Some(u64::MAX), ..every() }, &[]).await;
    check(EntryQuery { kind: Some("outcome"), ..every() }, &[5, 6]).await;
    check(EntryQuery { kind: Some("void"), ..every() }, &[]).await;
    check(EntryQuery { symbol: btc.clone(), ..every() }, &[1, 3, 4, 5, 7]).await;
    check(EntryQuery { symbol: btc.clone(), kind: forecasts, ..every() }, &[1, 3, 4, 7]).await;
    check(EntryQuery { timeframe: Some(Timeframe::D1), ..every() }, &[4]).await;
    let current = EntryQuery { symbol: btc, kind: forecasts, newest_first: true, limit: 1, ..every() };
    let hourly = EntryQuery { timeframe: Some(Timeframe::H1), ..current };
    check(hourly.clone(), &[7]).await;
    check(EntryQuery { as_of_through: Some(hour(2)), ..hourly.clone() }, &[3]).await;
    check(EntryQuery { as_of_through: Some(hour(0)), ..hourly }, &[]).await;
    check(EntryQuery { as_of_through: Some(hour(2)), ..every() }, &[1, 2, 3]).await;

    let mut latest: Vec<u64> =
        store.latest_forecasts(&chain).await.expect("read").iter().map(|row| row.entry.seq).collect();
    latest.sort_unstable();
    assert_eq!(latest, [2, 4, 7], "one for each asset and timeframe");

    let text = entries[4].hash.to_string();
    for digits in [16, 17, 63, 64] {
        let found = store.entries_by_hash(&text[..digits]).await.expect("read");
        assert_eq!(found.len(), 1, "{digits} digits");
        assert_eq!((&found[0].0, &found[0].1.entry), (&chain, &entries[4]));
    }
    let upper = store.entries_by_hash(&text[..16].to_uppercase()).await.expect("read");
    assert_eq!(upper.len(), 1, "digits in either case");
    let hashes: Vec<String> = entries.iter().map(|entry| entry.hash.to_string()).collect();
    for digit in "0123456789abcdef".chars() {
        let n = hashes.iter().filter(|hash| hash.starts_with(digit)).count();
        let found = store.entries_by_hash(&digit.to_string()).await.expect("read");
        assert_eq!(found.len(), n.min(2), "two are enough to know that {digit} is ambiguous");
    }
    for nothing in ["", "xyz", "é", &format!("{text}0")] {
        assert_eq!(store.entries_by_hash(nothing).await.expect("read"), [], "{nothing:?}");
    }
}

pub(super) async fn finds_what_is_due(store: &impl Store) {
    let chain = ChainId::live();
    let drafts = [forecast("BTC", 10, &[1, 2, 5]), forecast("ETH", 10, &[1, 2]), forecast("BTC", 11, &[1, 2])];
    append(store, &chain, &drafts).await;
    let rows = store.entries(&chain, &every()).await.expect("read");
    let due = async |through: i64, limit| store.due_outcomes(&chain, hour(through), None, limit).await.expect("read");
    let due_after = async |after: u64| store.due_outcomes(&chain, hour(12), Some(after), 1).await.expect("read");
    let expect = |found: Vec<DueOutcome>, expected: &[(usize, &[(u32, i64)])]| {
        let expected: Vec<DueOutcome> = expected
            .iter()
            .map(|(seq, due)| {
                let due = due.iter().map(|&(horizon, at)| (horizon, hour(at))).collect();
                DueOutcome { forecast: rows[*seq].clone(), due }
            })
            .collect();
        assert_eq!(found, expected);
    };
    expect(due(10, 99).await, &[]);
    expect(due(11, 99).await, &[(0, &[(1, 11)]), (1, &[(1, 11)])]);
    expect(due(12, 2).await, &[(0, &[(1, 11), (2, 12)]), (1, &[(1, 11), (2, 12)])]);
    expect(due(12, 0).await, &[]);
    expect(due_after(0).await, &[(1, &[(1, 11), (2, 12)])]);
    expect(due_after(1).await, &[(2, &[(1, 12)])]);
    expect(due_after(2).await, &[]);
    assert_eq!(store.next_due(&chain).await.expect("read"), Some(hour(11)));

    let void = draft(12, Index::Void { forecast_seq: 1, horizon: 2 });
    append(store, &chain, &[outcome(12, 0, 1, 0.01), outcome(12, 1, 1, 0.01), void]).await;
    expect(due(12, 99).await, &[(0, &[(2, 12)]), (2, &[(1, 12)])]);
    assert_eq!(store.next_due(&chain).await.expect("read"), Some(hour(12)));
    append(store, &chain, &[outcome(13, 2, 1, 0.01), outcome(13, 0, 2, 0.01), outcome(13, 2, 2, 0.01)]).await;
    expect(due(13, 99).await, &[]);
    expect(due(15, 99).await, &[(0, &[(5, 15)])]);
    append(store, &chain, &[outcome(15, 0, 5, 0.01)]).await;
    expect(due(99, 99).await, &[]);
    assert_eq!(store.next_due(&chain).await.expect("read"), None);
}

pub(super) async fn keeps_scores(store: &impl Store) {
    let chain = ChainId::live();
    let drafts = [forecast("ETH", 10, &[1, 2]), forecast("BTC", 10, &[1, 2]), forecast("BTC", 11, &[1])];
    append(store, &chain, &drafts).await;
    let void = draft(12, Index::Void { forecast_seq: 0, horizon: 2 });
    let outcomes = [outcome(12, 2, 1, -0.03), void, outcome(12, 1, 2, 0.0), outcome(12, 1, 1, 0.1 + 0.2)];
    append(store, &chain, &outcomes).await;
    append(store, &chain, &[outcome(13, 0, 1, 0.04)]).await;

    let row = store.scores(&chain, &ScoreQuery::default()).await.expect("read").remove(0);
    assert_eq!((row.seq, row.forecast_seq, row.horizon), (6, 1, 1));
    assert_eq!((row.symbol, row.timeframe), (symbol("BTC"), Timeframe::H1));
    let times: [Timestamp; 3] = [row.as_of, row.issued_at, row.target_time];
    assert_eq!(times, [9, 10, 11].map(hour));
    assert_eq!((row.price, row.score), (101.0 + (0.1 + 0.2), score(0.1 + 0.2)), "numbers come back to the last bit");

    let check = async |query: ScoreQuery, expected: &[u64]| {
        let found = store.scores(&chain, &query).await.expect("read");
        let seqs: Vec<u64> = found.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, expected, "{query:?}");
        for row in &found {
            let changes = [(3, -0.03), (5, 0.0), (6, 0.1 + 0.2), (7, 0.04)];
            let (_, change) = changes.into_iter().find(|(seq, _)| *seq == row.seq).expect("one of the four");
            assert_eq!(row.score, score(change));
        }
    };
    let all = ScoreQuery::default;
    check(all(), &[6, 5, 7, 3]).await;
    check(ScoreQuery { last: Some(2), ..all() }, &[3, 7]).await;
    check(ScoreQuery { last: Some(0), ..all() }, &[]).await;
    check(ScoreQuery { symbol: Some(symbol("BTC")), ..all() }, &[6, 5, 3]).await;
    check(ScoreQuery { symbol: Some(symbol("BTC")), horizon: Some(1), last: Some(1), ..all() }, &[3]).await;
    check(ScoreQuery { timeframe: Some(Timeframe::D1), ..all() }, &[]).await;
    check(ScoreQuery { timeframe: Some(Timeframe::H1), horizon: Some(2), ..all() }, &[5]).await;
    check(ScoreQuery { from: Some(hour(10)), ..all() }, &[3]).await;
    check(ScoreQuery { after_seq: Some(6), ..all() }, &[7]).await;
    check(ScoreQuery { after_seq: Some(u64::MAX), ..all() }, &[]).await;
    check(ScoreQuery { after_seq: Some(3), through_seq: Some(6), ..all() }, &[6, 5]).await;
}
