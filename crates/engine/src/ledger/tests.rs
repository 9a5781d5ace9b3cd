use market::{ChainId, Entry};

use super::{Expected, Verdict, verify, write_line};
use crate::body;

mod sample;

mod checkpoint;
mod lines;
mod output;
mod python;
mod rules;
mod stored;
mod tampering;

/// The export of some entries.
fn export_of(entries: &[Entry]) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in entries {
        write_line(&mut lines, entry);
    }
    lines
}

/// The chain that holds these bodies, with hashes that fit them.
fn chained<'a>(chain: &ChainId, bodies: impl IntoIterator<Item = &'a str>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for body in bodies {
        let prev = entries.last().map_or(market::Hash::ZERO, |entry| entry.hash);
        entries.push(Entry::new(chain, entries.len() as u64, prev, body.into()));
    }
    entries
}

/// `sound`, `broken at SEQ: RULE` or `unreadable`.
fn verdict(export: &[u8], expected: Expected) -> String {
    match verify(export, expected) {
        Ok(Verdict::Sound(_)) => "sound".to_owned(),
        Ok(Verdict::Broken(broken)) => format!("broken at {}: {}", broken.seq, broken.rule),
        Err(_) => "unreadable".to_owned(),
    }
}
