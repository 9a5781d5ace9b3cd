//! The file readers, through their public face.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::print_stderr, reason = "a test on real data says what it counted, or that it was skipped")]

mod bad_rows;
mod damage;
mod formats;
mod shapes;

mod actions;
mod observations;

mod binance;

mod properties;
mod real_data;

mod constituents;
mod corpus;
mod daily_csv;
mod fred;
mod fred_archive;
mod fred_fixtures;
mod fred_vintages;
mod loopback;
mod yahoo_chart;
mod yahoo_client;
mod yahoo_faults;

use std::path::Path;

use jiff::Timestamp;
use market::universe::default_universe;
use sources::Error;
use sources::files::{BarBatch, BarFile, BarOptions, Counts, DataFile, Quarantine};

/// A present instant after all data of the tests.
fn now() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn options() -> BarOptions {
    BarOptions::new(default_universe(), now())
}

/// What a file of bars gave.
#[derive(Debug)]
struct Read {
    batches: Vec<BarBatch>,
    refused: Vec<Quarantine>,
    counts: Counts,
}

impl Read {
    /// `line: reason` of every refusal.
    fn reasons(&self) -> Vec<String> {
        self.refused.iter().map(|q| format!("{}: {}", q.line, q.reason)).collect()
    }

    fn n_bars(&self) -> usize {
        self.batches.iter().map(|batch| batch.bars.len()).sum()
    }
}

fn read(path: &Path, options: &BarOptions) -> Result<Read, Error> {
    let mut file = BarFile::open(&DataFile::at(path)?, options)?;
    let (mut batches, mut refused) = (Vec::new(), Vec::new());
    while let Some(batch) = file.next_batch(&mut |quarantine| refused.push(quarantine))? {
        batches.push(batch);
    }
    let read = Read { batches, refused, counts: file.counts() };
    assert_eq!(read.n_bars() as u64, read.counts.kept);
    assert_eq!(read.refused.len() as u64, read.counts.refused);
    let progress = file.progress();
    assert!(progress.read_bytes <= progress.total_bytes);
    Ok(read)
}

/// Reads bytes as a file of that name.
fn read_bytes(name: &str, bytes: &[u8], options: &BarOptions) -> Result<Read, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    read(&path, options)
}
