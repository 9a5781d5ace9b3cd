//! The ledger on the command line: exit codes are what scripts read.

use std::fs;

use crate::bench::Bench;
use crate::replay::replayed;

#[test]
fn verify_tells_sound_broken_and_unreadable_apart() {
    let bench = replayed("audit");
    let out = bench.path("export.jsonl");
    let out = out.to_str().unwrap();
    assert_eq!(bench.run(&["ledger", "export", "--origin", "replay", "--out", out]).code, 0);
    let check = |name: &str, content: &str, code: i32, said: &str| {
        let file = bench.write(name, content);
        let ran = bench.run(&["ledger", "verify", &file]);
        assert_eq!(ran.code, code, "{name}: {}{}", ran.stdout, ran.stderr);
        let told = if code == 2 { &ran.stderr } else { &ran.stdout };
        assert!(told.contains(said), "{name}: {told}");
    };
    let export = fs::read_to_string(out).unwrap();
    let lines: Vec<&str> = export.lines().collect();
    let without = |at: usize| {
        lines.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| format!("{l}\n")).collect::<String>()
    };
    check("sound.jsonl", &export, 0, "sound");
    check("deleted.jsonl", &without(5), 1, "broken at seq 5: seq");
    let tampered = export.replacen("\\\"symbol\\\":\\\"BTC\\\"", "\\\"symbol\\\":\\\"ETH\\\"", 3);
    check("tampered.jsonl", &tampered, 1, "broken at seq");
    check("empty.jsonl", "", 2, "not a ledger export");
    check("other.jsonl", "hello\nworld\n", 2, "not a ledger export");
    assert_eq!(bench.run(&["ledger", "verify", "nowhere.jsonl"]).code, 2);

    let home = bench.json(&["ledger", "verify", "--json"]);
    assert_eq!(home[0]["sound"], true);
    assert_eq!(home[0]["entries"], lines.len());
    let piped = bench.run(&["ledger", "export", "--out", "-"]);
    assert_eq!((piped.code, piped.stdout == export), (0, true));
}

#[test]
fn a_cut_tail_shows_against_a_checkpoint() {
    let bench = replayed("checkpoint");
    let key = bench.write("key.hex", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n");
    let (export, checkpoint) = (bench.path("export.jsonl"), bench.path("checkpoint.json"));
    let (export, checkpoint) = (export.to_str().unwrap(), checkpoint.to_str().unwrap());
    assert_eq!(bench.run(&["ledger", "export", "--out", export]).code, 0);
    let made = bench.run(&["ledger", "checkpoint", "--out", checkpoint, "--sign-key", &key]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert_eq!(bench.run(&["ledger", "verify", export, "--checkpoint", checkpoint]).code, 0);
    assert_eq!(bench.run(&["ledger", "verify", "--checkpoint", checkpoint]).code, 0);

    let text = fs::read_to_string(export).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.truncate(lines.len() - 3);
    let cut = bench.write("cut.jsonl", lines.join("\n") + "\n");
    assert_eq!(bench.run(&["ledger", "verify", &cut]).code, 0, "nothing inside shows that an end is missing");
    let against = bench.run(&["ledger", "verify", &cut, "--checkpoint", checkpoint]);
    assert_eq!(against.code, 1);
    assert!(against.stdout.contains("checkpoint"), "{}", against.stdout);

    // RFC 8032's first test key, and another one.
    let right = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let wrong = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let verify =
        |key: &str| bench.run(&["ledger", "verify", export, "--checkpoint", checkpoint, "--public-key", key]).code;
    assert_eq!((verify(right), verify(wrong)), (0, 2));
}

#[test]
fn scores_that_are_not_the_outcomes_are_noticed() {
    let bench = replayed("scores");
    let verify = || bench.run(&["ledger", "verify"]);
    let sound = verify();
    assert_eq!(sound.code, 0, "{}{}", sound.stdout, sound.stderr);
    let database = fs::read(bench.database()).unwrap();
    for (what, statement) in [
        ("changed", "DROP TRIGGER scores_no_update; UPDATE scores SET crps = crps / 100, hit = 1"),
        ("moved", "DROP TRIGGER scores_no_update; UPDATE scores SET issued_at = issued_at - 1000000"),
        ("deleted", "DROP TRIGGER scores_no_delete; DELETE FROM scores WHERE hit = 0"),
        (
            "given to what is no outcome",
            "DROP TRIGGER scores_no_update; UPDATE scores SET seq = 0 WHERE seq = (SELECT min(seq) FROM scores)",
        ),
        ("given to entries to come", "DROP TRIGGER scores_no_update; UPDATE scores SET seq = seq + 1000000"),
    ] {
        bench.sql(statement);
        let broken = verify();
        assert_eq!(broken.code, 1, "{what}: {}{}", broken.stdout, broken.stderr);
        assert!(broken.stdout.contains(": scores_table: "), "{what}: {}", broken.stdout);
        fs::write(bench.database(), &database).unwrap();
        for rest in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{rest}", bench.database().display()));
        }
    }
    assert_eq!(verify().code, 0);
}

#[test]
fn an_export_that_cannot_be_written_leaves_nothing() {
    let bench = replayed("folder");
    let files = || fs::read_dir(bench.path(".")).unwrap().count();
    let before = files();
    let home = bench.home();
    for what in ["export", "checkpoint"] {
        let ran = bench.run(&["ledger", what, "--out", home.to_str().unwrap()]);
        assert_eq!(ran.code, 1, "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains("failed to write"), "{what}: {}", ran.stderr);
    }
    assert_eq!(files(), before);
}

#[test]
fn a_forecast_can_be_computed_again() {
    let bench = replayed("again");
    let export = bench.run(&["ledger", "export", "--out", "-"]).stdout;
    let forecasts: Vec<serde_json::Value> = export
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["body"].as_str().unwrap().starts_with("{\"kind\":\"forecast\""))
        .collect();
    let last = forecasts.last().unwrap();
    let id = &last["hash"].as_str().unwrap()[..16];
    let again = bench.json(&["ledger", "rederive", id, "--json"]);
    assert_eq!((&again["stands"], &again["identical"]), (&true.into(), &true.into()), "{again}");
    assert_eq!(bench.run(&["ledger", "rederive", "ffffffffffffffff"]).code, 1);
}

#[test]
fn without_a_ledger_it_says_so() {
    let bench = Bench::new();
    let ran = bench.run(&["ledger", "export", "--out", "-"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("import") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    assert_eq!(bench.run(&["ledger", "verify"]).code, 2);
}
