//! What a store promises; the ledger's part is in [`super::ledger`].

use std::collections::HashMap;
use std::slice::from_ref;

use jiff::Timestamp;
use jiff::civil::Date;
use market::{
    Action, ActionKind, Adjustment, Asset, AssetClass, AssetKind, Bar, Hash, Observation, Remark, RemarkKind, Symbol,
    Timeframe,
};

use super::ledger;
use crate::store::{BarQuery, Gap, ModelRecord, PutSummary, SeriesKey, Store, StoreError};

/// Holds stores to what [`Store`] promises. `make` gives a fresh, empty one each time.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn store<S: Store, F: Future<Output = S>>(make: impl Fn() -> F) {
    keeps_assets_in_their_order(&make().await).await;
    keeps_bars_and_their_revisions(&make().await).await;
    reads_ranges_and_tails_of_bars(&make().await).await;
    puts_all_bars_or_none(&make().await).await;
    lists_series(&make().await).await;
    keeps_vintages(&make().await).await;
    keeps_actions(&make().await).await;
    keeps_gaps(&make().await).await;
    keeps_a_journal(&make().await).await;
    keeps_models(&make().await).await;
    keeps_favourites(&make().await).await;
    checks(&make().await).await;
    ledger::chains_entries(&make().await).await;
    ledger::keeps_chains_apart(&make().await).await;
    ledger::refuses_what_may_not_follow(&make().await).await;
    ledger::finds_entries(&make().await).await;
    ledger::finds_what_is_due(&make().await).await;
    ledger::keeps_scores(&make().await).await;
}

pub(super) fn symbol(text: &str) -> Symbol {
    text.parse().expect("the suites name symbols only")
}

/// So many hours after the epoch.
pub(super) fn hour(n: i64) -> Timestamp {
    Timestamp::from_second(n * 3_600).expect("the suites stay near the epoch")
}

fn day(n: i8) -> Date {
    Date::constant(2024, 5, n)
}

fn series(name: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey { symbol: symbol(name), timeframe, adjustment: Adjustment::Raw, source: "import".to_owned() }
}

/// The hour from `n` with everything at `close`, known `late` hours after its close.
fn bar(n: i64, close: f64, late: i64) -> Bar {
    Bar {
        open_time: hour(n),
        close_time: hour(n + 1),
        open: close,
        high: close,
        low: close,
        close,
        volume: 0.1 + 0.2,
        adj_close: (n % 2 == 0).then_some(close / 3.0),
        known_at: hour(n + 1 + late),
    }
}

fn put(inserted: u64, unchanged: u64, revised: u64) -> PutSummary {
    PutSummary { inserted, unchanged, revised }
}

const fn all_at(key: &SeriesKey, as_of: Timestamp) -> BarQuery<'_> {
    BarQuery { key, as_of, from: None, to: None, last: None }
}

async fn keeps_assets_in_their_order(store: &impl Store) {
    let asset = |name: &str, text: &str| Asset {
        symbol: symbol(name),
        name: text.to_owned(),
        kind: AssetKind::Coin,
        source_symbol: format!("{name}USDT"),
        quote: "USDT".to_owned(),
    };
    assert_eq!(store.assets().await.expect("assets are read"), []);
    let (eth, btc) = (asset("ETH", "Ether"), asset("BTC", "Bitcoin’s \"name\""));
    store.put_assets(&[eth.clone(), btc.clone()]).await.expect("assets are put");
    let renamed = asset("ETH", "Ethereum");
    store.put_assets(from_ref(&renamed)).await.expect("an asset is replaced");
    store.put_assets(&[]).await.expect("no assets are no error");
    assert_eq!(store.assets().await.expect("assets are read"), [renamed, btc], "a replaced asset keeps its place");
}

async fn keeps_bars_and_their_revisions(store: &impl Store) {
    let key = series("BTC", Timeframe::H1);
    let first = [bar(0, 10.0, 0), bar(1, 11.0, 0), bar(2, 12.0, 0)];
    assert_eq!(store.put_bars(&key, &first).await.expect("bars are put"), put(3, 0, 0));
    assert_eq!(store.put_bars(&key, &first).await.expect("bars are put again"), put(0, 3, 0), "idempotent");
    let later = bar(1, 11.0, 9);
    assert_eq!(store.put_bars(&key, &[later]).await.expect("told twice"), put(0, 1, 0), "the same, later, is no news");

    let revised = [bar(1, 11.5, 5), bar(3, 13.0, 0)];
    assert_eq!(store.put_bars(&key, &revised).await.expect("a bar is revised"), put(1, 0, 1));
    let before = store.bars(&all_at(&key, hour(6))).await.expect("bars are read");
    assert_eq!(before, [first[0], first[1], first[2], revised[1]], "a revision is not known before its time");
    let after = store.bars(&all_at(&key, hour(7))).await.expect("bars are read");
    assert_eq!(after, [first[0], revised[0], first[2], revised[1]]);
    let learnt = async |after, through| store.bars_learnt(&key, hour(after), hour(through)).await.expect("read");
    assert_eq!(learnt(-9, 999).await, {
        let mut rows = [first[0], first[1], first[2], revised[0], revised[1]];
        rows.sort_by_key(|bar| (bar.known_at, bar.open_time));
        rows
    });
    let at = |bar: &Bar| (bar.known_at.as_second() - hour(0).as_second()) / 3_600;
    assert_eq!(learnt(at(&revised[0]) - 1, at(&revised[0])).await, [revised[0]], "both ends: after, and through");
    assert_eq!(learnt(at(&revised[0]), 999).await, []);
    let early = store.bars(&all_at(&key, hour(2))).await.expect("bars are read");
    assert_eq!(early, first[..2], "a bar is known from its close on");

    // Revised twice in one batch, out of order, among others.
    let batch = [bar(4, 14.0, 0), bar(2, 12.5, 3), bar(2, 12.6, 4), bar(2, 12.6, 5)];
    assert_eq!(store.put_bars(&key, &batch).await.expect("bars are put"), put(1, 1, 2));
    let closes = |bars: Vec<Bar>| bars.iter().map(|bar| bar.close).collect::<Vec<_>>();
    let at = async |as_of| closes(store.bars(&all_at(&key, as_of)).await.expect("bars are read"));
    assert_eq!(at(hour(6)).await, [10.0, 11.0, 12.5, 13.0, 14.0]);
    assert_eq!(at(hour(9)).await, [10.0, 11.5, 12.6, 13.0, 14.0]);
    assert_eq!(at(hour(0)).await, [] as [f64; 0]);
}

async fn reads_ranges_and_tails_of_bars(store: &impl Store) {
    let key = series("BTC", Timeframe::H1);
    let bars: Vec<Bar> = (0..1_300).map(|n| bar(n, 100.0 + n as f64, 0)).collect();
    let (odd, even): (Vec<Bar>, Vec<Bar>) = bars.iter().partition(|bar| bar.adj_close.is_none());
    assert_eq!(store.put_bars(&key, &odd).await.expect("bars are put"), put(650, 0, 0));
    assert_eq!(store.put_bars(&key, &even).await.expect("bars between are put"), put(650, 0, 0));
    let check = async |from: Option<i64>, to: Option<i64>, last: Option<u32>, expected: std::ops::Range<usize>| {
        let query = BarQuery { from: from.map(hour), to: to.map(hour), last, ..all_at(&key, hour(9_999)) };
        let found = store.bars(&query).await.expect("bars are read");
        assert_eq!(found, bars[expected], "from {from:?} to {to:?} last {last:?}");
    };
    check(None, None, None, 0..1_300).await;
    check(Some(3), None, None, 3..1_300).await;
    check(None, Some(3), None, 0..3).await;
    check(Some(3), Some(5), None, 3..5).await;
    check(Some(5), Some(5), None, 0..0).await;
    check(None, None, Some(2), 1_298..1_300).await;
    check(None, Some(10), Some(3), 7..10).await;
    check(Some(8), Some(10), Some(3), 8..10).await;
    check(None, None, Some(0), 0..0).await;
    let known = BarQuery { last: Some(2), ..all_at(&key, hour(10)) };
    assert_eq!(store.bars(&known).await.expect("bars are read"), bars[8..10], "the last of those known");
    let other = series("ETH", Timeframe::H1);
    assert_eq!(store.bars(&all_at(&other, hour(9_999))).await.expect("bars are read"), [], "no series, no bars");
}

async fn puts_all_bars_or_none(store: &impl Store) {
    let key = series("BTC", Timeframe::H1);
    store.put_bars(&key, &[bar(5, 15.0, 0)]).await.expect("a bar is put");
    for (what, changed) in [("earlier", bar(5, 15.5, -1)), ("at the same time", bar(5, 15.5, 0))] {
        let error = store.put_bars(&key, &[bar(4, 14.0, 0), changed]).await.expect_err("history is not rewritten");
        assert!(matches!(error, StoreError::NotLater { .. }), "known {what}: {error}");
    }
    let found = store.bars(&all_at(&key, hour(99))).await.expect("bars are read");
    assert_eq!(found, [bar(5, 15.0, 0)], "nothing of a refused batch is there");
    assert_eq!(store.put_bars(&key, &[]).await.expect("no bars are no error"), put(0, 0, 0));
}

async fn lists_series(store: &impl Store) {
    let keys = [
        series("BTC", Timeframe::H4),
        series("BTC", Timeframe::D1),
        SeriesKey { adjustment: Adjustment::Split, ..series("BTC", Timeframe::D1) },
        SeriesKey { source: "simulator".to_owned(), ..series("BTC", Timeframe::D1) },
        series("ADA", Timeframe::H1),
    ];
    assert_eq!(store.series().await.expect("series are listed"), []);
    for (n, key) in (1..).zip(&keys) {
        let bars: Vec<Bar> = (0..n).map(|n| bar(10 - n, 5.0, 0)).collect();
        store.put_bars(key, &bars).await.expect("bars are put");
    }
    store.put_bars(&keys[2], &[bar(10, 6.0, 1), bar(20, 6.0, 0)]).await.expect("bars are put");
    let listed = store.series().await.expect("series are listed");
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(listed.iter().map(|info| info.key.clone()).collect::<Vec<_>>(), sorted, "ascending by key");
    let info = listed.iter().find(|info| info.key == keys[2]).expect("it is among them");
    assert_eq!((info.n_bars, info.first_open, info.last_open), (4, hour(8), hour(20)), "revisions are not counted");

    store.join_series(&keys[2], hour(50)).await.expect("it is there already");
    let new = series("DOT", Timeframe::H1);
    store.join_series(&new, hour(40)).await.expect("a series joins");
    store.join_series(&new, hour(41)).await.expect("it has no bars yet");
    let joined = async || {
        let listed = store.series().await.expect("series are listed");
        listed.into_iter().map(|info| (info.key, info.joined_at)).collect::<HashMap<_, _>>()
    };
    assert_eq!(joined().await.get(&new), None, "without bars there is nothing to read");
    store.put_bars(&new, &[bar(10, 5.0, 0)]).await.expect("bars are put");
    store.join_series(&new, hour(60)).await.expect("it is there already");
    let joined = joined().await;
    assert_eq!((joined[&new], joined[&keys[2]]), (Some(hour(41)), None));
}

async fn keeps_vintages(store: &impl Store) {
    let vintage = |period, value, start: i8, end: Option<i8>, known_at| Observation {
        ref_period: day(period),
        value,
        realtime_start: day(start),
        realtime_end: end.map(day),
        known_at,
    };
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let (first, second) = (at("2024-05-03T12:30:00Z"), at("2024-05-10T12:30:00Z"));
    let open = vintage(1, 3.1, 3, None, first);
    let closed = vintage(1, 3.1, 3, Some(10), first);
    let revised = vintage(1, 3.2, 10, None, second);
    let next = vintage(2, 0.1 + 0.2, 10, None, second);
    assert_eq!(store.put_observations("CPI", from_ref(&open)).await.expect("put"), put(1, 0, 0));
    let batch = [next.clone(), revised.clone(), closed.clone()];
    assert_eq!(store.put_observations("CPI", &batch).await.expect("put"), put(2, 0, 1), "an open end is closed");
    assert_eq!(store.put_observations("CPI", &batch).await.expect("put"), put(0, 3, 0), "idempotent");
    assert_eq!(store.put_observations("CPI", from_ref(&open)).await.expect("put"), put(0, 1, 0), "an end stays");

    let read = async |as_of| store.observations("CPI", at(as_of)).await.expect("vintages are read");
    assert_eq!(read("2024-05-03T12:29:59Z").await, [], "not known before its release");
    assert_eq!(read("2024-05-09T00:00:00Z").await, from_ref(&open), "nor is the next vintage, nor that there is one");
    assert_eq!(read("2024-05-10T12:30:00Z").await, [open, revised.clone(), next.clone()]);
    // 04:00Z is midnight in New York.
    assert_eq!(read("2024-05-11T04:00:00Z").await, [closed.clone(), revised.clone(), next.clone()]);

    let wrong = [vintage(3, 1.0, 12, None, second), vintage(1, 9.9, 10, None, second)];
    let error = store.put_observations("CPI", &wrong).await.expect_err("history is not rewritten");
    assert!(matches!(error, StoreError::NotLater { .. }), "{error}");
    let corrected = vintage(1, 3.3, 10, None, at("2024-05-10T18:00:00Z"));
    assert_eq!(store.put_observations("CPI", from_ref(&corrected)).await.expect("put"), put(0, 0, 1));
    assert_eq!(read("2024-05-10T17:00:00Z").await[1], revised);
    assert_eq!(read("2024-06-01T00:00:00Z").await, [closed, corrected, next], "nothing of a refused batch is there");

    store.put_observations("A", &[vintage(1, 1.0, 3, None, first)]).await.expect("put");
    store.put_observations("B", &[]).await.expect("no observations are no error");
    assert_eq!(store.observation_series().await.expect("series are listed"), ["A", "CPI"]);
}

async fn keeps_actions(store: &impl Store) {
    let action = |date, kind, known: i64| Action { ex_date: day(date), kind, known_at: hour(known) };
    let dividend = |amount| ActionKind::Dividend { amount };
    let split = |numerator| ActionKind::Split { numerator, denominator: 2.0 };
    let all = [
        action(2, split(7.0), 10),
        action(3, dividend(0.25), 20),
        action(3, dividend(1.5), 20),
        action(4, ActionKind::Rename { to: symbol("META") }, 30),
        action(5, ActionKind::Delisting, 40),
    ];
    let of = symbol("FB");
    assert_eq!(store.put_actions(&of, &all).await.expect("put"), put(5, 0, 0), "two dividends on one day are two");
    assert_eq!(store.put_actions(&of, &all).await.expect("put"), put(0, 5, 0), "idempotent");
    let read = async |as_of| store.actions(&of, hour(as_of)).await.expect("actions are read");
    assert_eq!(read(9).await, []);
    assert_eq!(read(20).await, all[..3]);
    assert_eq!(read(99).await, all);
    let wrong = [action(6, dividend(1.0), 50), action(2, split(3.0), 10)];
    let error = store.put_actions(&of, &wrong).await.expect_err("history is not rewritten");
    assert!(matches!(error, StoreError::NotLater { .. }), "{error}");
    let corrected = action(2, split(3.0), 15);
    assert_eq!(store.put_actions(&of, from_ref(&corrected)).await.expect("put"), put(0, 0, 1));
    assert_eq!(read(14).await, all[..1]);
    assert_eq!(read(15).await, [corrected], "the newest terms alone, and nothing of a refused batch");
    assert_eq!(store.actions(&symbol("META"), hour(99)).await.expect("actions are read"), []);
}

async fn keeps_gaps(store: &impl Store) {
    let key = series("BTC", Timeframe::H1);
    let gap = |from, to, detected, filled: Option<i64>| Gap {
        from: hour(from),
        to: hour(to),
        n_bars: u32::try_from(to - from).expect("gaps are short"),
        detected_at: hour(detected),
        filled_at: filled.map(hour),
    };
    let read = async || store.gaps(&key).await.expect("gaps are read");
    assert_eq!(read().await, []);
    let put = async |from, to, gaps: &[Gap], now| {
        store.put_gaps(&key, hour(from), hour(to), gaps, hour(now)).await.expect("gaps are put");
    };
    put(0, 100, &[gap(10, 12, 200, None), gap(20, 21, 200, None), gap(90, 95, 200, None)], 200).await;
    // One is still there, one was filled, one is new; the one outside the range is left alone.
    put(0, 50, &[gap(10, 12, 300, None), gap(30, 33, 300, None)], 300).await;
    let expected =
        [gap(10, 12, 200, None), gap(20, 21, 200, Some(300)), gap(30, 33, 300, None), gap(90, 95, 200, None)];
    assert_eq!(read().await, expected);
    put(0, 94, &[gap(10, 12, 400, None), gap(30, 33, 400, None)], 400).await;
    assert_eq!(read().await, expected, "a gap that reaches beyond the range is left alone, a filled one stays filled");
    put(0, 100, &[gap(20, 21, 500, None)], 500).await;
    let expected = [
        gap(10, 12, 200, Some(500)),
        gap(20, 21, 200, Some(300)),
        gap(20, 21, 500, None),
        gap(30, 33, 300, Some(500)),
        gap(90, 95, 200, Some(500)),
    ];
    assert_eq!(read().await, expected, "one that opens again is a new one");
    assert_eq!(store.gaps(&series("ETH", Timeframe::H1)).await.expect("gaps are read"), []);
}

async fn keeps_a_journal(store: &impl Store) {
    let remark = |kind, about: Option<&str>, text: &str| Remark {
        kind,
        symbol: about.map(symbol),
        timeframe: about.map(|_| Timeframe::H1),
        from: about.map(|_| hour(5)),
        to: about.map(|_| hour(6)),
        text: text.to_owned(),
    };
    let put = async |source: &str, remarks: &[Remark], now| {
        store.put_remarks(source, remarks, hour(now)).await.expect("remarks are put");
    };
    let down = remark(RemarkKind::Down, None, "no answer");
    let refused = remark(RemarkKind::Refused, Some("BTC"), "low above high");
    put("binance", &[down.clone(), refused.clone()], 10).await;
    put("binance", &[refused.clone(), remark(RemarkKind::Gap, Some("BTC"), "3 bars")], 12).await;
    put("yahoo", from_ref(&refused), 11).await;
    put("yahoo", &[], 13).await;
    let read = async |about: Option<&str>, limit| {
        let rows = store.remarks(about.map(symbol).as_ref(), limit).await.expect("remarks are read");
        rows.into_iter()
            .map(|row| (row.source, row.remark.kind, row.first_at, row.last_at, row.n_times))
            .collect::<Vec<_>>()
    };
    let row = |source: &str, kind, first, last, n| (source.to_owned(), kind, hour(first), hour(last), n);
    let btc = [
        row("binance", RemarkKind::Gap, 12, 12, 1),
        row("binance", RemarkKind::Refused, 10, 12, 2),
        row("yahoo", RemarkKind::Refused, 11, 11, 1),
    ];
    assert_eq!(read(Some("BTC"), 10).await, btc, "newest first, the same counted");
    assert_eq!(read(Some("BTC"), 1).await, btc[..1]);
    assert_eq!(read(None, 10).await, [row("binance", RemarkKind::Down, 10, 10, 1)]);
    assert_eq!(read(Some("ETH"), 10).await, []);
    let rows = store.remarks(None, 1).await.expect("remarks are read");
    assert_eq!(rows[0].remark, down, "a remark comes back as it was put");
}

async fn keeps_models(store: &impl Store) {
    let model = |bytes: &[u8], trained: i64| ModelRecord {
        id: Hash::of(bytes).short(),
        asset_class: AssetClass::Crypto,
        timeframe: Timeframe::D1,
        name: "ridge".to_owned(),
        trained_at: hour(trained),
        trained_through: hour(trained - 1),
        sha256: Hash::of(bytes),
        manifest: r#"{"rows":"1\u0000"}"#.to_owned(),
        artefact: bytes.to_vec(),
    };
    let (old, new) = (model(&[0, 159, 146, 150], 10), model(&[7; 100_000], 20));
    for model in [&old, &new, &old] {
        store.put_model(model).await.expect("a model is put");
    }
    assert_eq!(store.model(&old.id).await.expect("a model is read"), Some(old.clone()));
    assert_eq!(store.model("0000000000000000").await.expect("a model is read"), None);
    let listed = [&new, &old].map(|model| ModelRecord { artefact: Vec::new(), ..model.clone() });
    assert_eq!(store.models().await.expect("models are listed"), listed, "newest first, without their bytes");
    let forged = ModelRecord { artefact: vec![1], ..old };
    let error = store.put_model(&forged).await.expect_err("bytes must fit their hash");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

async fn keeps_favourites(store: &impl Store) {
    let (btc, ada) = (symbol("BTC"), symbol("ADA"));
    for (owner, symbol) in [("me", &btc), ("me", &ada), ("you", &ada), ("me", &btc)] {
        store.add_favourite(owner, symbol).await.expect("a favourite is added");
    }
    assert_eq!(store.favourites("me").await.expect("read"), [btc.clone(), ada.clone()], "oldest first, each once");
    assert!(store.remove_favourite("me", &btc).await.expect("removed"));
    assert!(!store.remove_favourite("me", &btc).await.expect("nothing to remove"));
    assert_eq!(store.favourites("me").await.expect("read"), from_ref(&ada));
    assert_eq!(store.favourites("you").await.expect("read"), [ada], "each owner has a list");
    assert_eq!(store.favourites("nobody").await.expect("read"), []);
}

async fn checks(store: &impl Store) {
    store.check().await.expect("an open store reads and writes");
    store.check().await.expect("again");
    store.close().await;
    let error = store.check().await.expect_err("a closed one does not");
    assert!(error.is_retryable(), "{error}");
}
