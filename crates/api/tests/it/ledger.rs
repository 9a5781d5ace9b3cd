use serde_json::Value;

use crate::app::TestApp;

#[tokio::test]
async fn the_ledger_is_paged_both_ways_without_holes() {
    let app = TestApp::seeded().await;
    let head = app.json("/api/ledger?limit=1").await["head"]["seq"].as_u64().unwrap();
    for order in ["newest", "oldest"] {
        let (mut seqs, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.json(&format!("/api/ledger?order={order}&limit=100{cursor}")).await;
            seqs.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut expected: Vec<u64> = (0..=head).collect();
        if order == "newest" {
            expected.reverse();
        }
        assert_eq!(seqs, expected, "{order}");
    }
}

#[tokio::test]
async fn entries_are_found_by_what_they_are_about() {
    let app = TestApp::seeded().await;
    let page = app.json("/api/ledger?kind=forecast&symbol=BTC&timeframe=1D&limit=3").await;
    let entries = page["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    for entry in entries {
        assert_eq!((&entry["kind"], &entry["body"]["symbol"]), (&Value::from("forecast"), &Value::from("BTC")));
        assert_eq!(entry["body"]["timeframe"], "1D");
    }
}

#[tokio::test]
async fn promise_3_what_is_exported_verifies() {
    let app = TestApp::seeded().await;
    let export = app.get("/api/ledger/export").await;
    assert_eq!(export.headers["content-type"], "application/x-ndjson");
    assert_eq!(app.get("/api/ledger/export?origin=simulated").await.body, export.body);
    assert_eq!(app.get("/api/ledger/export?chain=simulated/test").await.body, export.body);
    let verdict = engine::ledger::verify(export.body.as_slice(), engine::ledger::Expected::default()).unwrap();
    assert!(matches!(verdict, engine::ledger::Verdict::Sound(_)), "{verdict:?}");
    let heads = app.json("/api/ledger/checkpoints").await["heads"].clone();
    let last: Value = serde_json::from_str(export.text().lines().last().unwrap()).unwrap();
    assert_eq!((&heads[0]["seq"], &heads[0]["hash"]), (&last["seq"], &last["hash"]));
    // One changed byte shows.
    let mut tampered = export.body.clone();
    let at = export.text().find("prob_up").unwrap() + 10;
    tampered[at] = if tampered[at] == b'1' { b'2' } else { b'1' };
    let verdict = engine::ledger::verify(tampered.as_slice(), engine::ledger::Expected::default()).unwrap();
    assert!(matches!(verdict, engine::ledger::Verdict::Broken(_)), "{verdict:?}");
}

#[tokio::test]
async fn an_empty_ledger_is_shown_as_one() {
    let app = TestApp::empty().await;
    assert_eq!(app.get("/api/ledger").await.status, 200);
    assert_eq!(app.get("/api/ledger?chain=replay/none").await.status, 404);
    assert_eq!(app.get("/api/ledger/export?origin=live").await.status, 404);
}
