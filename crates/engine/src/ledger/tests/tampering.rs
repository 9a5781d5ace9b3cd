//! Tampered exports, and what an audit says of them. The verifier in `docs/ledger.md` is held to the same table.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use market::{ChainId, Checkpoint, Entry, Hash};
use proptest::prelude::*;

use super::sample::{Plan, sample};
use super::{chained, export_of, verdict};
use crate::body::Body;
use crate::ledger::Expected;

/// Bodies with the position they had.
pub(super) type Bodies = Vec<(u64, Body)>;

/// A tampered export.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) export: Vec<u8>,
    pub(super) checkpoint: Option<Checkpoint>,
    /// As [`verdict`] says it.
    pub(super) verdict: String,
}

impl Case {
    pub(super) fn expected(&self) -> Expected {
        Expected { checkpoint: self.checkpoint.clone(), ..Expected::default() }
    }
}

/// The sample, live.
pub(super) fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| sample(&Plan::small(ChainId::live())).entries)
}

/// The head of some entries.
pub(super) fn checkpoint_of(entries: &[Entry]) -> Checkpoint {
    let head = entries.last().unwrap();
    Checkpoint { chain: ChainId::live(), seq: head.seq, hash: head.hash, time: Timestamp::UNIX_EPOCH }
}

/// What a forger with the whole chain in hand writes: other bodies, and every hash and reference computed anew.
pub(super) fn forged(entries: &[Entry], change: impl FnOnce(&mut Bodies)) -> Vec<Entry> {
    let mut bodies: Bodies = entries.iter().map(|e| (e.seq, Body::parse(&e.body).unwrap())).collect();
    change(&mut bodies);
    let mut moved = std::collections::HashMap::new();
    let mut forged: Vec<Entry> = Vec::new();
    for (was, mut body) in bodies {
        let (seq, hash) = match &mut body {
            Body::Outcome(body) => (&mut body.forecast.seq, &mut body.forecast.hash),
            Body::Void(body) => (&mut body.forecast.seq, &mut body.forecast.hash),
            Body::Checkpoint(body) => (&mut body.seq, &mut body.hash),
            _ => (&mut 0, &mut String::new()),
        };
        // A reference whose hash was changed on purpose stays wrong.
        if let Some((old_hash, new_seq, new_hash)) = moved.get(seq)
            && old_hash == hash
        {
            (*seq, *hash) = (*new_seq, String::clone(new_hash));
        }
        let prev = forged.last().map_or(Hash::ZERO, |entry| entry.hash);
        let entry = Entry::new(&ChainId::live(), forged.len() as u64, prev, body.to_json());
        if let Some(old) = entries.get(was as usize) {
            moved.insert(was, (old.hash.to_string(), entry.seq, entry.hash.to_string()));
        }
        forged.push(entry);
    }
    forged
}

/// Position of the first body after `from` that is so.
pub(super) fn find(bodies: &[(u64, Body)], from: usize, is: impl Fn(&Body) -> bool) -> usize {
    from + bodies[from..].iter().position(|(_, body)| is(body)).unwrap()
}

pub(super) fn is_forecast(body: &Body) -> bool {
    matches!(body, Body::Forecast(_))
}

pub(super) fn is_outcome(body: &Body) -> bool {
    matches!(body, Body::Outcome(_))
}

/// The position of the outcome of a forecast's first horizon, and that of the forecast.
fn outcome_and_forecast(bodies: &[(u64, Body)]) -> (usize, usize) {
    let outcome = find(bodies, 20, is_outcome);
    let Body::Outcome(body) = &bodies[outcome].1 else { unreachable!() };
    (outcome, usize::try_from(body.forecast.seq).unwrap())
}

/// An export with one line changed as text.
fn edited(entries: &[Entry], line: usize, edit: impl Fn(&str) -> String) -> Vec<u8> {
    let export = String::from_utf8(export_of(entries)).unwrap();
    let lines = export.split_inclusive('\n').enumerate();
    let edited: String = lines.map(|(at, text)| if at == line { edit(text) } else { text.to_owned() }).collect();
    assert_ne!(edited, export);
    edited.into_bytes()
}

/// The table. `N` is a forecast in the middle.
pub(super) fn cases() -> Vec<Case> {
    let entries = entries();
    let n_entries = entries.len();
    let bodies: Bodies = entries.iter().map(|e| (e.seq, Body::parse(&e.body).unwrap())).collect();
    let n = find(&bodies, n_entries / 2, is_forecast);
    let head = checkpoint_of(entries);
    let mut cases = Vec::new();
    let mut case = |name, export, checkpoint: Option<&Checkpoint>, verdict: String| {
        cases.push(Case { name, export, checkpoint: checkpoint.cloned(), verdict });
    };
    let broken = |seq: usize, rule: &str| format!("broken at {seq}: {rule}");
    let edit = |line, from: &'static str, to: &'static str| edited(entries, line, move |t| t.replacen(from, to, 1));

    case("untouched", export_of(entries), None, "sound".into());
    case("untouched, with its checkpoint", export_of(entries), Some(&head), "sound".into());

    // One byte.
    case("a byte of a body", edit(n, "ensemble", "ensembla"), None, broken(n, "hash"));
    case("a digit of a quantile", edit(n, ",0.", ",1."), None, broken(n, "hash"));
    case("a byte of the first body", edit(0, "crypto", "crypta"), None, broken(0, "hash"));
    case("a brace of the first body", edit(0, r#""body":"{"#, r#""body":"["#), None, broken(0, "body"));
    case("a key of the first body", edit(0, r#"\"kind"#, r#"\"kinf"#), None, broken(0, "schedule_first"));
    case("the chain's name", edit(0, r#"\"live"#, r#"\"livf"#), None, broken(0, "chain"));
    case("a brace of the first line", edit(0, "{", "["), None, broken(0, "line"));
    case("a key", edit(n, "prev", "perv"), None, broken(n, "line"));
    case("an escape", edit(n, r#":\""#, r":\/"), None, broken(n, "line"));
    case("a newline", edit(n, "\n", " "), None, broken(n, "line"));
    case("the last newline", edit(n_entries - 1, "\n", " "), None, broken(n_entries - 1, "line"));
    case("a hash", edited(entries, n, |t| other_digit(t, "\"hash\":\"")), None, broken(n, "hash"));
    case("a prev", edited(entries, n, |t| other_digit(t, "\"prev\":\"")), None, broken(n, "prev"));
    case("a seq", edited(entries, n, |t| other_digit(t, "{\"seq\":")), None, broken(n, "seq"));
    let mut bytes = export_of(entries);
    let at = bytes.len() / 2;
    bytes[at] = 0xff;
    let line = bytes[..at].iter().filter(|b| **b == b'\n').count();
    case("a byte that is no UTF-8", bytes, None, broken(line, "line"));

    // Whole entries.
    let without = |at: usize| [&entries[..at], &entries[at + 1..]].concat();
    case("an entry is deleted", export_of(&without(n)), None, broken(n, "seq"));
    case("the first entry is deleted", export_of(&without(0)), None, broken(0, "seq"));
    let mut renumbered = without(n);
    renumbered[n..].iter_mut().for_each(|entry| entry.seq -= 1);
    case("an entry is deleted, the rest renumbered", export_of(&renumbered), None, broken(n, "prev"));
    let mut swapped = entries.to_vec();
    swapped.swap(n, n + 1);
    case("two entries are swapped", export_of(&swapped), None, broken(n, "seq"));
    let mut doubled = entries.to_vec();
    doubled.insert(n, entries[n].clone());
    case("an entry is doubled", export_of(&doubled), None, broken(n + 1, "seq"));
    let rehashed = |at: usize, body: &str| {
        let mut entries = entries.to_vec();
        let Entry { seq, prev, .. } = entries[at];
        entries[at] = Entry::new(&ChainId::live(), seq, prev, body.into());
        export_of(&entries)
    };
    let other = entries[n].body.replace("ensemble", "oracle");
    case("a body is changed and hashed anew", rehashed(n, &other), None, broken(n + 1, "prev"));

    // The whole chain computed anew.
    let forge = |change: &dyn Fn(&mut Bodies)| forged(entries, |bodies| change(bodies));
    let backdate = |bodies: &mut Bodies| {
        let Body::Forecast(forecast) = &mut bodies[n].1 else { unreachable!() };
        forecast.recorded_at -= SignedDuration::from_hours(3);
    };
    let backdated = entries[n].body.replacen(r#""recorded_at":"2024"#, r#""recorded_at":"2023"#, 1);
    case("an entry is back-dated", rehashed(n, &backdated), None, broken(n, "recorded_at_order"));
    case("an entry is back-dated, all anew", export_of(&forge(&backdate)), None, broken(n, "recorded_at_order"));
    let late = |bodies: &mut Bodies| {
        let Body::Forecast(forecast) = &mut bodies[n].1 else { unreachable!() };
        forecast.recorded_at = forecast.horizons[0].target_time;
    };
    case("a forecast at its target time", export_of(&forge(&late)), None, broken(n, "issued_before_target"));
    let (outcome, forecast) = outcome_and_forecast(&bodies);
    let early = |bodies: &mut Bodies| {
        let (was, mut body) = bodies.remove(outcome);
        let Body::Outcome(early) = &mut body else { unreachable!() };
        early.recorded_at = bodies[forecast].1.recorded_at();
        bodies.insert(forecast + 1, (was, body));
    };
    case("an outcome too early", export_of(&forge(&early)), None, broken(forecast + 1, "outcome_maturity"));
    let twice = |bodies: &mut Bodies| bodies.insert(outcome + 1, bodies[outcome].clone());
    case("an outcome twice", export_of(&forge(&twice)), None, broken(outcome + 1, "outcome_once"));
    let void_too = |bodies: &mut Bodies| {
        let void = find(bodies, 0, |body| matches!(body, Body::Void(_)));
        bodies.insert(void + 1, bodies[void].clone());
    };
    let void = find(&bodies, 0, |body| matches!(body, Body::Void(_)));
    case("a void twice", export_of(&forge(&void_too)), None, broken(void + 1, "outcome_once"));
    for (name, change) in [
        (
            "an outcome of another hash",
            (|o| o.forecast.hash = Hash::ZERO.to_string()) as fn(&mut crate::body::OutcomeBody),
        ),
        ("an outcome of no forecast", |o| (o.forecast.seq, o.forecast.hash) = (1, "0".repeat(64))),
        ("an outcome of a later entry", |o| (o.forecast.seq, o.forecast.hash) = (1 << 60, "0".repeat(64))),
        ("an outcome of no horizon", |o| o.horizon = 99),
        ("an outcome of another target", |o| o.target_time += SignedDuration::from_secs(1)),
    ] {
        let forged = forged(entries, |bodies| {
            let Body::Outcome(body) = &mut bodies[outcome].1 else { unreachable!() };
            change(body);
        });
        case(name, export_of(&forged), None, broken(outcome, "outcome_refers"));
    }
    for (name, change) in [
        ("an outcome of another asset", (|o| o.symbol = "ETH".to_owned()) as fn(&mut crate::body::OutcomeBody)),
        ("an outcome on another timeframe", |o| o.timeframe = "1W".to_owned()),
        ("an outcome of another time", |o| o.as_of -= SignedDuration::from_hours(4)),
    ] {
        let forged = forged(entries, |bodies| {
            let Body::Outcome(body) = &mut bodies[outcome].1 else { unreachable!() };
            change(body);
        });
        case(name, export_of(&forged), None, broken(outcome, "outcome_refers"));
    }
    let published = find(&bodies, 0, |body| matches!(body, Body::Checkpoint(_)));
    let recorded = |seq: usize, hash: String| {
        export_of(&forge(&|bodies| {
            let Body::Checkpoint(body) = &mut bodies[published].1 else { unreachable!() };
            (body.seq, body.hash) = (seq as u64, hash.clone());
        }))
    };
    case("a checkpoint of an older entry", recorded(5, entries[5].hash.to_string()), None, "sound".into());
    for (seq, hash) in [(5, Hash::ZERO.to_string()), (5, entries[6].hash.to_string()), (published, "0".repeat(64))] {
        case("a checkpoint of no entry", recorded(seq, hash), None, broken(published, "checkpoint_refers"));
    }
    let headless = forge(&|bodies| drop(bodies.remove(0)));
    case("no schedule first", export_of(&headless), None, broken(0, "schedule_first"));
    let texts = |from: &str, to: &str| {
        let bodies: Vec<String> = entries.iter().map(|entry| entry.body.replace(from, to)).collect();
        export_of(&chained(&ChainId::live(), bodies.iter().map(String::as_str)))
    };
    case("a kind there is not", texts(r#"{"kind":"model""#, r#"{"kind":"modal""#), None, broken(1, "body"));
    case("a time in another zone", texts(r#"00Z","decision"#, r#"00+01:00","decision"#), None, broken(1, "body"));
    case(
        "a time that is no text",
        texts(r#""recorded_at":"2024-01-03T12:00:00Z","decision"#, r#""recorded_at":0,"decision"#),
        None,
        broken(1, "body"),
    );

    // Bodies that say what cannot be, in a chain computed anew.
    let respelt = |at: usize, from: &str, to: &str| {
        let mut bodies: Vec<String> = entries.iter().map(|entry| entry.body.to_string()).collect();
        bodies[at] = bodies[at].replacen(from, to, 1);
        assert_ne!(*bodies[at], *entries[at].body, "{from}");
        export_of(&chained(&ChainId::live(), bodies.iter().map(String::as_str)))
    };
    for (name, from, to) in [
        ("a probability above 1", r#""prob_up":"#, r#""prob_up":1"#),
        ("a probability that is text", r#""prob_up":"#, r#""prob_up":"0.5","was":"#),
        ("no probability", r#""prob_up":"#, r#""prob_up":null,"was":"#),
        ("a probability that is no number", r#""prob_up":"#, r#""prob_up":NaN,"was":"#),
        ("a number too large", r#""baseline_prob_up":"#, r#""baseline_prob_up":1e999,"was":"#),
        ("a probability told twice", r#""prob_up":"#, r#""prob_up":0.5,"prob_up":"#),
        ("a quantile too many", r#""quantiles":["#, r#""quantiles":[-9.5,"#),
        ("quantiles that cross", r#""baseline":["#, r#""baseline":[9"#),
        ("other levels", r#""levels":[0.025"#, r#""levels":[0.03"#),
        ("a unit there is not", r#""log_return""#, r#""Log_return""#),
        ("an adjustment there is not", r#""adjustment":""#, r#""adjustment":"un"#),
        ("a class there is not", r#""asset_class":""#, r#""asset_class":"x"#),
        ("a price below 0", r#""reference_price":"#, r#""reference_price":-"#),
        ("a kind of model there is not", r#""boosted""#, r#""oracle""#),
        ("a model of the future", r#""trained_through":null"#, r#""trained_through":"2034-01-01T00:00:00Z""#),
        ("a hash that is none", r#""data_hash":""#, r#""data_hash":"Z"#),
        ("a kind told twice", r#""unit":"#, r#""kind":"void","unit":"#),
        ("a time told twice", r#""unit":"#, r#""recorded_at":"2022-01-01T00:00:00Z","unit":"#),
        ("a kind that is not told first", r#"{"kind":"#, r#"{"first":0,"kind":"#),
    ] {
        case(name, respelt(n, from, to), None, broken(n, "body"));
    }
    for (name, from, to) in [
        ("a decision there is not", r#""promoted""#, r#""praised""#),
        ("a hash of another length", r#""sha256":""#, r#""sha256":"00"#),
        ("a hash in other digits", r#""sha256":""#, r#""sha256":"G"#),
        ("a model trained in the future", r#""trained_through":"2024"#, r#""trained_through":"2034"#),
        ("a time with zeros at its end", "12:00:00Z", "12:00:00.000Z"),
        ("a time with a dot", "12:00:00Z", "12:00:00.Z"),
        ("a 61st second", "12:00:00Z", "12:00:60Z"),
        ("a 25th hour", "T12:00:00Z", "T24:00:00Z"),
        ("a 13th month", "2024-01", "2024-13"),
        ("digits of another script", "2024-01", "٢٠٢٤-01"),
        ("a time of day apart", "T12:00:00Z", " 12:00:00Z"),
        ("a zone in small letters", "12:00:00Z", "12:00:00z"),
        ("a zone in digits", "12:00:00Z", "12:00:00+00:00"),
    ] {
        case(name, respelt(1, from, to), None, broken(1, "body"));
    }
    let deep = "[".repeat(100_000);
    let nested = respelt(1, r#""recorded_at":"#, &format!(r#""recorded_at":{deep},"was":"#));
    case("a body nested too deep", nested, None, broken(1, "body"));
    let mut nested = export_of(&entries[..3]);
    nested.extend_from_slice(deep.as_bytes());
    case("a line nested too deep", nested, None, broken(3, "line"));

    // What only a checkpoint shows.
    let cut = export_of(&entries[..n_entries - 3]);
    case("the tail is cut", cut.clone(), None, "sound".into());
    case("the tail is cut, with a checkpoint", cut, Some(&head), broken(n_entries - 3, "checkpoint"));
    let anew = forge(&|bodies| {
        let Body::Forecast(forecast) = &mut bodies[n].1 else { unreachable!() };
        forecast.data_source = "elsewhere".to_owned();
    });
    case("all is computed anew", export_of(&anew), None, "sound".into());
    case("all anew, with a checkpoint", export_of(&anew), Some(&head), broken(n_entries - 1, "checkpoint"));
    let first_share = find(&bodies, 0, |body| matches!(body, Body::Forecast(f) if f.symbol == "AAPL"));
    let slightly = forge(&|bodies| {
        let Body::Forecast(forecast) = &mut bodies[first_share].1 else { unreachable!() };
        forecast.recorded_at -= SignedDuration::from_secs(1);
    });
    case("back-dated within the order of time, all anew", export_of(&slightly), None, "sound".into());
    let found = broken(n_entries - 1, "checkpoint");
    case("back-dated within the order of time, with a checkpoint", export_of(&slightly), Some(&head), found);
    let middle = checkpoint_of(&entries[..=n]);
    case("all anew, with an older checkpoint", export_of(&anew), Some(&middle), broken(n, "checkpoint"));
    case("grown since the checkpoint", export_of(entries), Some(&middle), "sound".into());
    case("nothing, with a checkpoint", Vec::new(), Some(&head), broken(0, "checkpoint"));
    let replay = Checkpoint { chain: "replay/one".parse().unwrap(), ..head };
    case("the checkpoint of another chain", export_of(entries), Some(&replay), broken(0, "chain"));

    // No exports.
    case("nothing", Vec::new(), None, "unreadable".into());
    case("another file", b"symbol,open,close\nBTC,1,2\n".to_vec(), None, "unreadable".into());
    case("other JSON lines", b"{\"a\":1}\n{\"a\":2}\n".to_vec(), None, "unreadable".into());
    cases
}

/// Changes the digit after `key` to another.
fn other_digit(text: &str, key: &str) -> String {
    let at = text.find(key).unwrap() + key.len();
    let other = if text.as_bytes()[at] == b'1' { "2" } else { "1" };
    [&text[..at], other, &text[at + 1..]].concat()
}

#[test]
fn promise_3_tampering_is_located_by_seq_and_rule() {
    for case in cases() {
        assert_eq!(verdict(&case.export, case.expected()), case.verdict, "{}", case.name);
    }
}

#[test]
fn promise_4_a_chain_verifies_under_its_own_name_alone() {
    let names = ["live", "replay/a", "replay/b", "simulated/a"];
    for own in names {
        let chain: ChainId = own.parse().unwrap();
        let entries = sample(&Plan { hours: 10, ..Plan::small(chain.clone()) }).entries;
        for other in names {
            let expected = Expected { chain: Some(other.parse().unwrap()), checkpoint: None };
            let found = verdict(&export_of(&entries), expected);
            assert_eq!(found, if own == other { "sound" } else { "broken at 0: chain" }, "{own} as {other}");
            // Renamed as well: the name is part of every hash.
            let mut renamed = entries.clone();
            renamed[0].body = renamed[0].body.replace(&format!("\"{own}\""), &format!("\"{other}\"")).into();
            let found = verdict(&export_of(&renamed), Expected::default());
            assert_eq!(found, if own == other { "sound" } else { "broken at 0: hash" }, "{own} renamed to {other}");
            // Hashed anew, the next schedule still tells.
            let rehashed = chained(&other.parse().unwrap(), [&*renamed[0].body, &*entries[0].body]);
            let found = verdict(&export_of(&rehashed), Expected::default());
            assert_eq!(found, if own == other { "sound" } else { "broken at 1: chain" }, "{own} forged as {other}");
        }
    }
}

#[test]
fn promise_3_no_byte_around_the_bodies_can_change() {
    let export = export_of(&sample(&Plan { hours: 5, ..Plan::small(ChainId::live()) }).entries[..3]);
    let mut at = 0;
    let mut n_flipped = 0;
    for line in export.split_inclusive(|b| *b == b'\n') {
        let body = line.windows(8).position(|w| w == b"\"body\":\"").unwrap() + 8;
        for i in (0..body + 2).chain(line.len() - 4..line.len()) {
            for mask in [0x01, 0x20, 0x80] {
                let mut flipped = export.clone();
                flipped[at + i] ^= mask;
                assert!(verdict(&flipped, Expected::default()).starts_with("broken at "), "byte {} by {mask}", at + i);
                n_flipped += 1;
            }
        }
        at += line.len();
    }
    assert!(n_flipped > 1000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn promise_3_no_byte_can_change(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        static EXPORT: OnceLock<Vec<u8>> = OnceLock::new();
        let plan = || Plan { hours: 20, ..Plan::small(ChainId::live()) };
        let export = EXPORT.get_or_init(|| export_of(&sample(&plan()).entries));
        let at = at.index(export.len());
        prop_assume!(export[at] != byte);
        let mut flipped = export.clone();
        flipped[at] = byte;
        let found = verdict(&flipped, Expected::default());
        prop_assert!(found.starts_with("broken at "), "byte {at} to {byte}: {found}");
    }
}
