//! Promises of the product that the database itself keeps.

use market::Origin;
use market::ledger::entry_hash;
use sqlx::AssertSqlSafe;

use super::*;
use crate::store::{ChainInfo, EntryQuery, EntryRow, ScoreQuery, ScoreRow, Store};

/// A ledger with a forecast, its two outcomes, and a forecast still open.
async fn ledger(store: &SqliteStore) {
    let drafts = [forecast(1), forecast(2), outcome(3, 0, 1), outcome(3, 0, 2)];
    store.append(&live(), &drafts).await.unwrap();
}

async fn contents(store: &SqliteStore) -> (Vec<ChainInfo>, Vec<EntryRow>, Vec<ScoreRow>) {
    let query = EntryQuery { limit: 99, ..EntryQuery::default() };
    (
        store.chains().await.unwrap(),
        store.entries(&live(), &query).await.unwrap(),
        store.scores(&live(), &ScoreQuery::default()).await.unwrap(),
    )
}

/// The columns of a ledger row that would follow as number 4, with some of them replaced.
fn row(verb: &str, changed: &[(&str, &str)]) -> String {
    let columns = [
        ("entry_id", "NULL"),
        ("chain_id", "1"),
        ("seq", "4"),
        ("prev", "zeroblob(32)"),
        ("hash", "randomblob(32)"),
        ("kind", "'outcome'"),
        ("recorded_at", "1"),
        ("forecast_seq", "1"),
        ("horizon", "1"),
        ("body", "'{}'"),
    ];
    let value = |name: &str, usual| changed.iter().find(|(changed, _)| *changed == name).map_or(usual, |(_, new)| *new);
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<&str> = columns.iter().map(|(name, usual)| value(name, usual)).collect();
    format!("{verb} INTO ledger ({}) VALUES ({})", names.join(", "), values.join(", "))
}

#[tokio::test]
async fn promise_3_the_database_itself_refuses_to_change_the_ledger() {
    let (_folder, store) = fresh().await;
    ledger(&store).await;
    let before = contents(&store).await;
    let stolen_hash = "(SELECT hash FROM ledger WHERE seq = 2)";
    let mut attempts: Vec<String> = [
        "UPDATE ledger SET body = '{}' WHERE seq = 0",
        "UPDATE ledger SET recorded_at = recorded_at - 1",
        "UPDATE ledger SET seq = seq + 10",
        "UPDATE OR REPLACE ledger SET seq = 0 WHERE seq = 1",
        "DELETE FROM ledger WHERE seq = 3",
        "DELETE FROM ledger",
        "UPDATE scores SET hit = 1",
        "DELETE FROM scores",
        "REPLACE INTO scores SELECT * FROM scores",
        "UPDATE chains SET chain = 'replay/x'",
        "DELETE FROM chains",
        "UPDATE ledger_horizons SET outcome_seq = NULL WHERE forecast_seq = 0",
        "UPDATE ledger_horizons SET outcome_seq = 9 WHERE forecast_seq = 0",
        "UPDATE ledger_horizons SET target_time = 0 WHERE forecast_seq = 1",
    ]
    .map(str::to_owned)
    .into();
    for verb in ["INSERT", "REPLACE", "INSERT OR IGNORE"] {
        attempts.push(row(verb, &[("seq", "2")]));
        attempts.push(row(verb, &[("seq", "5")]));
        attempts.push(row(verb, &[("hash", stolen_hash)]));
        attempts.push(row(verb, &[("entry_id", "1")]));
        attempts.push(row(verb, &[("forecast_seq", "0")]));
    }
    for attempt in attempts {
        let error = sqlx::query(AssertSqlSafe(attempt.clone())).execute(&store.writer).await.expect_err(&attempt);
        let sqlx::Error::Database(error) = error else { panic!("{attempt}: {error}") };
        assert!(error.message().contains("append-only"), "{attempt}: {error}");
        assert_eq!(contents(&store).await, before, "{attempt}");
    }
    // The row itself would do: what is refused above is refused for the one thing that was wrong with it.
    sqlx::query(AssertSqlSafe(row("INSERT", &[]))).execute(&store.writer).await.unwrap();
}

#[tokio::test]
async fn promise_3_a_forecast_precedes_its_target_and_its_outcome_follows_it() {
    let (_folder, store) = fresh().await;
    let mut late = forecast(5);
    late.recorded_at = hour(6);
    store.append(&live(), &[late]).await.expect_err("its first target time is hour 6");
    store.append(&live(), &[forecast(5), outcome(5, 0, 1)]).await.expect_err("it has not matured");
    assert_eq!(store.chains().await.unwrap(), []);
}

#[tokio::test]
async fn promise_3_two_writers_cannot_fork_a_chain() {
    let (folder, first) = fresh().await;
    // Another process has its own connections, as this second handle has.
    let second = SqliteStore::open(&folder.path().join("auspex.db")).await.unwrap();
    let write = |store: SqliteStore| {
        tokio::spawn(async move {
            for _ in 0..40 {
                store.append(&live(), &[draft(1, Index::Model), draft(1, Index::Schedule)]).await.unwrap();
            }
        })
    };
    let writers = [write(first.clone()), write(second)];
    for writer in writers {
        writer.await.unwrap();
    }
    let rows = first.entries(&live(), &EntryQuery { limit: 999, ..EntryQuery::default() }).await.unwrap();
    assert_eq!(rows.len(), 160);
    let mut prev = market::Hash::ZERO;
    for (seq, EntryRow { entry, .. }) in (0..).zip(&rows) {
        assert_eq!((entry.seq, entry.prev), (seq, prev));
        assert_eq!(entry.hash, entry_hash(&live(), seq, &prev, &entry.body));
        prev = entry.hash;
    }
}

#[tokio::test]
async fn promise_4_predictions_name_their_origin() {
    type Prediction = (String, String, String, i64, String, String, String, String);
    let (_folder, store) = fresh().await;
    for (origin, run) in [(Origin::Live, None), (Origin::Replay, Some("r1")), (Origin::Simulated, Some("s1"))] {
        let at = 400_000 + origin as i64;
        store.append(&ChainId::new(origin, run).unwrap(), &[draft(at, Index::Schedule), forecast(at)]).await.unwrap();
    }
    let found: Vec<Prediction> = sqlx::query_as(
        "SELECT timestamp, origin, chain, seq, symbol, timeframe, as_of, id FROM predictions
         ORDER BY timestamp DESC LIMIT 10",
    )
    .fetch_all(&store.readers)
    .await
    .unwrap();
    let told: Vec<_> = found.iter().map(|p| (p.0.as_str(), p.1.as_str(), p.2.as_str(), p.3)).collect();
    let expected = [
        ("2015-08-19T18:00:00.000000Z", "simulated", "simulated/s1", 1),
        ("2015-08-19T17:00:00.000000Z", "replay", "replay/r1", 1),
        ("2015-08-19T16:00:00.000000Z", "live", "live", 1),
    ];
    assert_eq!(told, expected);
    let (_, row) = store.entries_by_hash(&found[0].7).await.unwrap().remove(0);
    assert_eq!((found[0].4.as_str(), found[0].5.as_str()), ("BTC", "1h"));
    assert_eq!((row.entry.seq, found[0].6.as_str()), (1, "2015-08-19T18:00:00.000000Z"));
}
