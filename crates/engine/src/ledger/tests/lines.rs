//! Lines: written and read back, and refused when anything is off.

use market::{ChainId, Entry, Hash};
use proptest::prelude::*;

use super::export_of;
use crate::ledger::{Line, Lines, NotALine};

fn read(export: &[u8]) -> Vec<Result<(u64, String), NotALine>> {
    let mut lines = Lines::new(export);
    let mut read = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        read.push(line.map(|Line { seq, body, .. }| (seq, body.to_owned())));
    }
    read
}

fn check(line: &str, expected: Option<&str>) {
    let [line]: [_; 1] = read(line.as_bytes()).try_into().unwrap();
    assert_eq!(line.ok().map(|(_, body)| body).as_deref(), expected);
}

#[test]
fn there_is_one_way_to_write_a_line() {
    let line = |seq: &str, body: &str| format!("{{\"seq\":{seq},\"prev\":\"a\",\"hash\":\"b\",\"body\":\"{body}\"}}\n");
    check(&line("0", ""), Some(""));
    check(&line("7", r#"{\"kind\":\"x\"}"#), Some(r#"{"kind":"x"}"#));
    check(&line("7", r"\\ \b\t\n\f\r \u0000 \u001f é"), Some("\\ \u{8}\t\n\u{c}\r \0 \u{1f} é"));
    // The same texts, written otherwise.
    for body in [r"\/", r"\u0009", r"\u001F", r"\u0041", r"\u00e9", "\t", r"\", r#"""#, r"\x", r"\u00", r"\ud83d\ude00"]
    {
        check(&line("7", body), None);
    }
    for seq in ["", "00", "-1", "1.0", "1e1", " 1", "true", "\"1\""] {
        check(&line(seq, ""), None);
    }
    check(&line("7", "").replace('\n', ""), None);
    check(&line("7", "").replace('\n', " \n"), None);
    check(&line("7", "").replace('\n', "\r\n"), None);
    check(&line("7", "").replace(",\"prev\"", ", \"prev\""), None);
    check(&line("7", "").replace("\"hash\":\"b\",", ""), None);
    check(&line("7", "").replace("\"}", "\",\"more\":0}"), None);
    check("\n", None);
    check("[]\n", None);
}

#[test]
fn a_position_too_large_is_no_panic() {
    let line = "{\"seq\":99999999999999999999999,\"prev\":\"\",\"hash\":\"\",\"body\":\"\"}\n";
    assert_eq!(read(line.as_bytes()), [Ok((u64::MAX, String::new()))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(bodies in prop::collection::vec(any::<String>(), 1..5)) {
        let entries: Vec<Entry> = bodies
            .iter()
            .enumerate()
            .map(|(seq, body)| Entry::new(&ChainId::live(), seq as u64, Hash::ZERO, body.as_str().into()))
            .collect();
        let expected: Vec<_> = bodies.iter().enumerate().map(|(seq, body)| Ok((seq as u64, body.clone()))).collect();
        prop_assert_eq!(read(&export_of(&entries)), expected);
    }

    #[test]
    fn any_bytes_are_lines_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let n_lines = bytes.split_inclusive(|b| *b == b'\n').count();
        prop_assert_eq!(read(&bytes).len(), n_lines);
    }
}
