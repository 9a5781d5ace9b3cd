//! Files into a home: read on a thread of their own, stored batch by batch.
//!
//! Each batch is one transaction, so that a killed import has kept whole batches; the same files again find them and
//! go on. What is refused goes to a quarantine report, file by file and line by line.

mod quarantine;
mod reader;
mod storing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use market::Asset;
use sources::files::{Counts, DataFile};
use storage::{PutSummary, SeriesKey};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::compose::Opened;
use crate::home::Home;
use crate::screen;

use quarantine::Report;
use reader::Parsed;
pub(crate) use reader::{Kind, Reading};
use storing::Storing;

/// What was brought in.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Files read to their end.
    pub(crate) files: usize,
    /// Files that hold something else than what was asked for.
    pub(crate) skipped_files: Vec<PathBuf>,
    /// Files that could not be read, and why.
    pub(crate) failed: Vec<(PathBuf, String)>,
    /// Rows kept, by what they are.
    pub(crate) kept: BTreeMap<Kind, u64>,
    /// Files of which more rows were refused than kept.
    pub(crate) mostly_refused: Vec<(PathBuf, Counts)>,
    /// Rows refused.
    pub(crate) refused: u64,
    /// Rows of symbols that were not asked for.
    pub(crate) skipped: u64,
    /// What became of the kept rows in the store.
    pub(crate) put: PutSummary,
    /// Series of bars that were touched, with their open gaps.
    pub(crate) series: Vec<(SeriesKey, usize)>,
    /// Assets that were not in the universe before.
    pub(crate) added: Vec<Asset>,
    /// Ids of macro series that no asset stands for.
    pub(crate) unlisted: Vec<String>,
    /// The quarantine report, when something was refused.
    pub(crate) quarantine: Option<PathBuf>,
    /// The first few refusals, in words.
    pub(crate) refusals: Vec<String>,
    /// Whether it was stopped before its end.
    pub(crate) interrupted: bool,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

impl Summary {
    /// Rows kept, of whatever kind.
    pub(crate) fn rows(&self) -> u64 {
        self.kept.values().sum()
    }

    /// Whether nothing at all went wrong enough to say so by the exit code.
    pub(crate) fn went_well(&self) -> bool {
        self.failed.is_empty() && (self.rows() > 0 || self.refused == 0)
    }
}

/// Batches that wait to be stored; with the one being read and the one being written all that is in memory.
const BATCHES: usize = 3;

/// Reads `files` and stores what they hold, up to the batch under way when `stop` is cancelled.
pub(crate) async fn run(
    opened: &mut Opened,
    home: &Home,
    files: Vec<DataFile>,
    reading: Reading,
    quarantine_rows: u64,
    now: Timestamp,
    stop: &CancellationToken,
) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let bar = screen::byte_bar(files.iter().map(|file| file.size_bytes).sum(), "importing");
    let (sender, mut receiver) = mpsc::channel(BATCHES);
    let mut report = Report::new(home.quarantine_path(), now, quarantine_rows);
    let mut storing = Storing::begin(opened, &reading, now).await?;
    let parser = tokio::task::spawn_blocking(move || reader::read_all(&files, &reading, &sender));
    let mut summary = Summary::default();
    loop {
        let parsed = tokio::select! {
            biased;
            () = stop.cancelled() => { summary.interrupted = true; break }
            parsed = receiver.recv() => parsed,
        };
        let Some(parsed) = parsed else { break };
        match parsed {
            Parsed::Batch(batch) => {
                let stored = storing.put(batch, &mut summary).await;
                let before =
                    || format!("the import broke off; {} rows before are stored", screen::count(summary.rows()));
                stored.with_context(before)?;
            }
            Parsed::Refused(rows) => {
                summary.refused += rows.len() as u64;
                report.add(rows);
            }
            Parsed::Progress(bytes) => bar.inc(bytes),
            Parsed::Done { path, kind, counts } => {
                summary.files += 1;
                summary.kept.entry(kind).or_default();
                summary.skipped += counts.skipped;
                if counts.refused > counts.kept {
                    summary.mostly_refused.push((path, counts));
                }
                report.end_of_file()?;
            }
            Parsed::OtherSchema(path) => summary.skipped_files.push(path),
            Parsed::Failed(path, error) => {
                summary.failed.push((path, error));
                report.end_of_file()?;
            }
        }
    }
    // Whoever still reads finds nobody to read for; an archive being checked is not waited for.
    drop(receiver);
    if !summary.interrupted {
        parser.await.context("reading the files broke off")?;
    }
    bar.finish_and_clear();
    let stored = screen::count(summary.rows());
    storing.finish(&mut summary).await.with_context(|| format!("{stored} rows are stored, but not their gaps"))?;
    (summary.quarantine, summary.refusals) = report.finish()?;
    summary.elapsed = started.elapsed();
    Ok(summary)
}
