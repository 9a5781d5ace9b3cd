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
use sources::files::DataFile;
use storage::{PutSummary, SeriesKey};
use tokio::sync::mpsc;

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

/// Reads `files` and stores what they hold.
pub(crate) async fn run(
    opened: &mut Opened,
    home: &Home,
    files: Vec<DataFile>,
    reading: Reading,
    quarantine_rows: u64,
    now: Timestamp,
) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let bar = screen::byte_bar(files.iter().map(|file| file.size_bytes).sum(), "importing");
    let (sender, mut receiver) = mpsc::channel(BATCHES);
    let mut report = Report::new(home.quarantine_path(), now, quarantine_rows);
    let mut storing = Storing::new(opened, &reading, now);
    let parser = tokio::task::spawn_blocking(move || reader::read_all(&files, &reading, &sender));
    let mut summary = Summary::default();
    while let Some(parsed) = receiver.recv().await {
        match parsed {
            Parsed::Batch(batch) => storing.put(batch, &mut summary).await?,
            Parsed::Refused(rows) => report.add(rows)?,
            Parsed::Progress(bytes) => bar.inc(bytes),
            Parsed::Done { kind, counts } => {
                summary.files += 1;
                *summary.kept.entry(kind).or_default() += counts.kept;
                summary.refused += counts.refused;
                summary.skipped += counts.skipped;
            }
            Parsed::OtherSchema(path) => summary.skipped_files.push(path),
            Parsed::Failed(path, error) => summary.failed.push((path, error)),
        }
    }
    parser.await.context("reading the files broke off")?;
    bar.finish_and_clear();
    storing.finish(&mut summary).await?;
    (summary.quarantine, summary.refusals) = report.finish()?;
    summary.elapsed = started.elapsed();
    Ok(summary)
}
