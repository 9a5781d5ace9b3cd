//! The verifier printed in `docs/ledger.md` says the same as ours.

use std::fs;
use std::process::Command;

use super::tampering::{self, cases, checkpoint_of};
use super::{export_of, verdict};
use crate::ledger::{CheckpointFile, Expected};

const MANUAL: &str = include_str!("../../../../../docs/ledger.md");

/// Runs the verifier many times in one process: starting Python is what takes time. Reads a line of arguments for each
/// run, and answers with the exit code and what was printed first.
const DRIVER: &str = r#"
import contextlib, io, runpy, sys
for arguments in sys.stdin.read().splitlines():
    sys.argv = ["verify.py"] + arguments.split("\t")
    said, code = io.StringIO(), 0
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path("verify.py", run_name="__main__")
    except SystemExit as end:
        code = end.code
    print(code, said.getvalue().splitlines()[0])
"#;

/// What the manual's verifier says of each export, against the text of a checkpoint file where there is one, as
/// [`verdict`] says it; `None` where there is no Python.
fn verdicts<'a>(exports: impl Iterator<Item = (&'a [u8], Option<String>)>) -> Option<Vec<String>> {
    let program = MANUAL.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("verify.py"), program).unwrap();
    fs::write(path("driver.py"), DRIVER).unwrap();
    let mut runs = String::new();
    for (at, (export, checkpoint)) in exports.enumerate() {
        fs::write(path(&format!("{at}.jsonl")), export).unwrap();
        runs += &format!("{at}.jsonl");
        if let Some(checkpoint) = checkpoint {
            fs::write(path(&format!("{at}.json")), checkpoint).unwrap();
            runs += &format!("\t{at}.json");
        }
        runs += "\n";
    }
    fs::write(path("runs"), runs).unwrap();
    let output = Command::new("python3")
        .arg("driver.py")
        .current_dir(dir.path())
        .stdin(fs::File::open(path("runs")).unwrap())
        .output()
        .ok()
        .filter(|output| output.status.success() || !output.stderr.is_empty());
    let Some(output) = output else {
        println!("skipped: python3 is not there");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(said).collect())
}

/// The exit code must say the same as the words.
fn said(line: &str) -> String {
    let (code, said) = line.split_once(' ').unwrap();
    match (code, said.split(':').next().unwrap()) {
        ("0", "sound") => "sound".to_owned(),
        ("1", _) => said.replace("at seq ", "at "),
        ("2", "unreadable") => "unreadable".to_owned(),
        _ => panic!("exit code {code}: {said}"),
    }
}

#[test]
fn promise_3_the_manuals_verifier_agrees_on_every_tampering() {
    let cases = cases();
    let file = |checkpoint: &market::Checkpoint| CheckpointFile::unsigned(checkpoint.clone()).to_json();
    let exports = cases.iter().map(|case| (&*case.export, case.checkpoint.as_ref().map(file)));
    let Some(verdicts) = verdicts(exports) else { return };
    assert_eq!(verdicts.len(), cases.len());
    for (case, said) in cases.iter().zip(verdicts) {
        assert_eq!(said, case.verdict, "{}", case.name);
    }
}

#[test]
fn promise_3_the_manuals_verifier_agrees_on_any_changed_byte() {
    let export = export_of(&tampering::entries()[..12]);
    // Spread over the export by a step that meets lines and bodies alike.
    let flipped = |i: usize| {
        let mut flipped = export.clone();
        flipped[(i * 7919 + 13) % export.len()] ^= [0x01, 0x02, 0x20][i % 3];
        flipped
    };
    let exports: Vec<Vec<u8>> = (0..500).map(flipped).collect();
    let Some(verdicts) = verdicts(exports.iter().map(|export| (&**export, None))) else { return };
    assert_eq!(verdicts.len(), exports.len());
    for (export, said) in exports.iter().zip(verdicts) {
        assert!(said.starts_with("broken at "), "{said}");
        assert_eq!(said, verdict(export, Expected::default()));
    }
}

#[test]
fn the_manuals_verifier_agrees_on_what_is_a_checkpoint() {
    let entries = &tampering::entries()[..12];
    let export = export_of(entries);
    let head = checkpoint_of(entries);
    let whole = CheckpointFile::unsigned(head.clone()).to_json();
    let hash = head.hash.to_string();
    let edits = [
        ("\"seq\":11", "\"seq\":-1"),
        ("\"seq\":11", "\"seq\":\"11\""),
        ("\"seq\":11", "\"seq\":11.0"),
        ("\"seq\":11", "\"seq\":null"),
        ("\"seq\":11", "\"seq\":11,\"seq\":11"),
        ("\"seq\":11,", ""),
        ("\"live\"", "\"alive\""),
        ("\"live\"", "1"),
        ("{", "{\"more\":1,"),
        ("1970", "19:70"),
        ("00Z", "00.0Z"),
        ("T00", "T24"),
        (&*hash, &*hash.to_uppercase()),
        (&*hash, &hash[1..]),
    ];
    let mut texts: Vec<String> = edits.iter().map(|(from, to)| whole.replacen(from, to, 1)).collect();
    let deep = "[".repeat(100_000);
    texts.extend(["", "{}", "[]", "null", "junk", &deep].map(str::to_owned));
    for text in &texts {
        assert!(CheckpointFile::parse(text).is_err(), "{text}");
    }
    let files = std::iter::once(&whole).chain(&texts).map(|text| (&*export, Some(text.clone())));
    let Some(verdicts) = verdicts(files) else { return };
    assert_eq!(verdicts[0], "sound");
    for (text, said) in texts.iter().zip(&verdicts[1..]) {
        assert_eq!(said, "unreadable", "{text}");
    }
}
