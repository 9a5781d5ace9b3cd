//! What the fuzz targets check, of inputs worth keeping: each of them found something once, or shows a shape.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[expect(unreachable_pub, reason = "it is also a crate of its own, for the fuzz targets")]
#[path = "../../../../fuzz/src/lib.rs"]
mod fuzz;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// What stands in a folder, by name.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[track_caller]
fn check(target: &str) {
    let corpus = folder().join("corpus").join(target);
    let inputs = names(&corpus);
    assert!(!inputs.is_empty());
    for input in inputs {
        let bytes = fs::read(corpus.join(&input)).unwrap();
        let outcome = std::panic::catch_unwind(|| fuzz::check(target, &bytes));
        assert!(outcome.is_ok(), "{target}/{input} does not pass: its panic is above");
    }
}

#[test]
fn the_corpus_passes() {
    fuzz::TARGETS.iter().for_each(|(target, _)| check(target));
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
    let targets: BTreeSet<String> = fuzz::TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    assert_eq!(names(&folder().join("corpus")), targets);
    let programs: BTreeSet<String> = targets.iter().map(|target| format!("{target}.rs")).collect();
    assert_eq!(names(&folder().join("fuzz_targets")), programs);
}
