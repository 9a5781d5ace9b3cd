//! Reads as of a time against the plainest model there is: all rows in a list.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::store::{BarQuery, EntryQuery, PutSummary, Store, StoreError};

/// All rows of one series of bars.
#[derive(Debug, Default)]
struct Rows(Vec<Bar>);

impl Rows {
    fn newest(rows: &[Bar], open_time: Timestamp, as_of: Timestamp) -> Option<Bar> {
        let known = |bar: &&Bar| bar.open_time == open_time && bar.known_at <= as_of;
        rows.iter().filter(known).max_by_key(|bar| bar.known_at).copied()
    }

    fn put(&mut self, bars: &[Bar]) -> Option<PutSummary> {
        let mut rows = self.0.clone();
        let mut summary = PutSummary::default();
        for bar in bars {
            match Self::newest(&rows, bar.open_time, Timestamp::MAX) {
                None => summary.inserted += 1,
                Some(old) if Bar { known_at: bar.known_at, ..old } == *bar => {
                    summary.unchanged += 1;
                    continue;
                }
                Some(old) if bar.known_at <= old.known_at => return None,
                Some(_) => summary.revised += 1,
            }
            rows.push(*bar);
        }
        self.0 = rows;
        Some(summary)
    }

    fn select(&self, query: &BarQuery<'_>) -> Vec<Bar> {
        let mut times: Vec<Timestamp> = self.0.iter().map(|bar| bar.open_time).collect();
        times.sort();
        times.dedup();
        times.retain(|time| query.from.is_none_or(|from| *time >= from) && query.to.is_none_or(|to| *time < to));
        let found: Vec<Bar> = times.into_iter().filter_map(|time| Self::newest(&self.0, time, query.as_of)).collect();
        let last = query.last.map_or(found.len(), |last| last as usize);
        found[found.len().saturating_sub(last)..].to_vec()
    }
}

fn batches() -> impl Strategy<Value = Vec<Vec<Bar>>> {
    let bar = (0..6_i64, 0..3_u8, 0..5_i64).prop_map(|(n, price, late)| bar(n, 10.0 + f64::from(price), late));
    prop::collection::vec(prop::collection::vec(bar, 0..6), 1..8)
}

fn check_bars(batches: &[Vec<Bar>], from: Option<i64>, to: Option<i64>, last: Option<u32>) {
    Runtime::new().unwrap().block_on(async {
        let store = SqliteStore::open_in_memory().await.unwrap();
        let (key, mut rows) = (series(), Rows::default());
        for batch in batches {
            match (store.put_bars(&key, batch).await, rows.put(batch)) {
                (Ok(done), Some(expected)) => assert_eq!(done, expected),
                (Err(StoreError::NotLater { .. }), None) => {}
                (done, expected) => panic!("{done:?} instead of {expected:?}"),
            }
        }
        for as_of in 0..14 {
            let query = BarQuery { key: &key, as_of: hour(as_of), from: from.map(hour), to: to.map(hour), last };
            assert_eq!(store.bars(&query).await.unwrap(), rows.select(&query), "{query:?}");
        }
        let n_bars = store.series().await.unwrap().first().map_or(0, |info| info.n_bars);
        let all = BarQuery { key: &key, as_of: Timestamp::MAX, from: None, to: None, last: None };
        assert_eq!(n_bars, rows.select(&all).len() as u64);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn promise_2_bars_are_read_as_they_were_known(
        batches in batches(),
        from in prop::option::of(0..6_i64),
        to in prop::option::of(0..7_i64),
        last in prop::option::of(0..4_u32),
    ) {
        check_bars(&batches, from, to, last);
    }

    #[test]
    fn promise_2_what_becomes_known_later_changes_no_earlier_read(before in batches(), after in batches()) {
        Runtime::new().unwrap().block_on(async {
            let store = SqliteStore::open_in_memory().await.unwrap();
            let key = series();
            for batch in &before {
                // A batch that would rewrite history is refused, which is fine here.
                let _ = store.put_bars(&key, batch).await;
            }
            let cut = hour(12);
            let query = BarQuery { key: &key, as_of: cut, from: None, to: None, last: None };
            let then = store.bars(&query).await.unwrap();
            for batch in &after {
                let later: Vec<Bar> =
                    batch.iter().map(|bar| Bar { known_at: hour(13 + bar.known_at.as_second() / 3_600), ..*bar }).collect();
                let _ = store.put_bars(&key, &later).await;
            }
            prop_assert_eq!(store.bars(&query).await.unwrap(), then);
            Ok(())
        })?;
    }

    #[test]
    fn a_ledger_is_the_same_however_it_is_cut_into_batches(
        times in prop::collection::vec(0..3_i64, 1..20),
        cuts in prop::collection::vec(1..5_usize, 20),
    ) {
        let mut drafts = Vec::new();
        let mut now = 0;
        for (seq, step) in (0_u64..).step_by(2).zip(times) {
            now += step;
            drafts.push(forecast(now));
            now += 1;
            drafts.push(outcome(now, seq, 1));
        }
        Runtime::new().unwrap().block_on(async {
            let [whole, cut] = [SqliteStore::open_in_memory().await.unwrap(), SqliteStore::open_in_memory().await.unwrap()];
            let entries = whole.append(&live(), &drafts).await.unwrap();
            let mut rest = drafts.as_slice();
            for n in cuts {
                let (batch, after) = rest.split_at(n.min(rest.len()));
                cut.append(&live(), batch).await.unwrap();
                rest = after;
            }
            cut.append(&live(), rest).await.unwrap();
            let all = EntryQuery { limit: 999, ..EntryQuery::default() };
            let rows = cut.entries(&live(), &all).await.unwrap();
            prop_assert_eq!(&rows, &whole.entries(&live(), &all).await.unwrap());
            prop_assert_eq!(rows.into_iter().map(|row| row.entry).collect::<Vec<_>>(), entries);
            let due = whole.due_outcomes(&live(), hour(999), None, 999).await.unwrap();
            prop_assert_eq!(cut.due_outcomes(&live(), hour(999), None, 999).await.unwrap(), due);
            Ok(())
        })?;
    }
}
