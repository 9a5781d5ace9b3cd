//! The reading side: files into batches, on a blocking thread.

use std::path::PathBuf;

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use sources::files::{
    ActionBatch, ActionFile, ActionOptions, BarBatch, BarFile, BarOptions, Counts, DataFile, ObservationBatch,
    ObservationFile, ObservationOptions, Progress, Quarantine,
};
use tokio::sync::mpsc::Sender;

/// What a file's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Bars,
    Observations,
    Actions,
}

/// How to read the files.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// What they hold; told by the header of each where it is not said.
    pub(crate) kind: Option<Kind>,
    pub(crate) bars: BarOptions,
    pub(crate) observations: ObservationOptions,
    /// When files without vintages were fetched; else each file's modification time.
    pub(crate) fetched_at: Option<Timestamp>,
    pub(crate) actions: ActionOptions,
    /// The source that is named with the bars.
    pub(crate) source: String,
    /// Whether macro series that no asset stands for become assets.
    pub(crate) add_series: bool,
}

/// What reading gives.
#[derive(Debug)]
pub(super) enum Parsed {
    Batch(Batch),
    Refused(Vec<Quarantine>),
    /// Bytes read since the last one.
    Progress(u64),
    Done {
        path: PathBuf,
        kind: Kind,
        counts: Counts,
    },
    /// A file whose header is that of nothing we know.
    OtherSchema(PathBuf),
    Failed(PathBuf, String),
}

/// Rows of one series.
#[derive(Debug)]
pub(super) enum Batch {
    Bars(BarBatch),
    Observations(ObservationBatch),
    Actions(ActionBatch),
}

impl Batch {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Bars(_) => Kind::Bars,
            Self::Observations(_) => Kind::Observations,
            Self::Actions(_) => Kind::Actions,
        }
    }

    pub(super) const fn n_rows(&self) -> usize {
        match self {
            Self::Bars(batch) => batch.bars.len(),
            Self::Observations(batch) => batch.observations.len(),
            Self::Actions(batch) => batch.actions.len(),
        }
    }
}

/// The other side is gone: there is nobody to read for.
#[derive(Debug)]
struct Gone;

/// Reads all files, one after the other.
pub(super) fn read_all(files: &[DataFile], reading: &Reading, sender: &Sender<Parsed>) {
    for file in files {
        let mut outbox = Outbox { sender, refused: Vec::new(), read_bytes: 0 };
        let outcome = match reading.kind {
            Some(kind) => read(kind, file, reading, &mut outbox),
            None => read_any(file, reading, &mut outbox),
        };
        let sent = match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                outbox.send(Parsed::Failed(file.path.clone(), format!("{:#}", anyhow::Error::from(error))))
            }
            Err(Gone) => Err(Gone),
        };
        if sent.and_then(|()| outbox.progress(file.size_bytes)).is_err() {
            return;
        }
    }
}

/// What can go wrong with the file, inside what can go wrong with the listener.
type Outcome = Result<Result<(), sources::Error>, Gone>;

/// Reads a file as what its header says it is.
fn read_any(file: &DataFile, reading: &Reading, outbox: &mut Outbox<'_>) -> Outcome {
    for kind in [Kind::Bars, Kind::Actions, Kind::Observations] {
        match read(kind, file, reading, outbox)? {
            Err(
                sources::Error::MissingColumn { .. }
                | sources::Error::NoSymbol { .. }
                | sources::Error::NoActions { .. },
            ) => {}
            done => return Ok(done),
        }
    }
    outbox.send(Parsed::OtherSchema(file.path.clone()))?;
    Ok(Ok(()))
}

fn read(kind: Kind, file: &DataFile, reading: &Reading, outbox: &mut Outbox<'_>) -> Outcome {
    let counts = match kind {
        Kind::Bars => read_bars(file, &reading.bars, outbox)?,
        Kind::Observations => read_observations(file, reading, outbox)?,
        Kind::Actions => read_actions(file, &reading.actions, outbox)?,
    };
    match counts {
        Ok(counts) => outbox.send(Parsed::Done { path: file.path.clone(), kind, counts }).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

type Counted = Result<Result<Counts, sources::Error>, Gone>;

fn read_bars(file: &DataFile, options: &BarOptions, outbox: &mut Outbox<'_>) -> Counted {
    let mut reader = match BarFile::open(file, options) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        match reader.next_batch(&mut |row| outbox.refused.push(row)) {
            Ok(Some(batch)) => outbox.batch(Batch::Bars(batch), reader.progress())?,
            Ok(None) => break,
            Err(error) => {
                outbox.flush()?;
                return Ok(Err(error));
            }
        }
    }
    outbox.flush()?;
    Ok(Ok(reader.counts()))
}

fn read_actions(file: &DataFile, options: &ActionOptions, outbox: &mut Outbox<'_>) -> Counted {
    let mut reader = match ActionFile::open(file, options) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        match reader.next_batch(&mut |row| outbox.refused.push(row)) {
            Ok(Some(batch)) => outbox.batch(Batch::Actions(batch), reader.progress())?,
            Ok(None) => break,
            Err(error) => {
                outbox.flush()?;
                return Ok(Err(error));
            }
        }
    }
    outbox.flush()?;
    Ok(Ok(reader.counts()))
}

fn read_observations(file: &DataFile, reading: &Reading, outbox: &mut Outbox<'_>) -> Counted {
    let mut options = reading.observations.clone();
    match ObservationFile::open(file, &options) {
        Ok(reader) if reader.has_vintages() => return read_series(reader, outbox),
        Ok(_) => {}
        Err(error) => return Ok(Err(error)),
    }
    // Nothing in a file without vintages tells when its values were known, but the file itself was there by then: the
    // same file again gives the same rows.
    let modified = std::fs::metadata(&file.path).and_then(|metadata| metadata.modified()).ok();
    let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
    if let Some(fetched_at) = reading.fetched_at.or(modified) {
        options.fetched_at = fetched_at.min(options.fetched_at);
    }
    match ObservationFile::open(file, &options) {
        Ok(reader) => read_series(reader, outbox),
        Err(error) => Ok(Err(error)),
    }
}

fn read_series(mut reader: ObservationFile<'_>, outbox: &mut Outbox<'_>) -> Counted {
    loop {
        match reader.next_batch(&mut |row| outbox.refused.push(row)) {
            Ok(Some(batch)) => outbox.batch(Batch::Observations(batch), reader.progress())?,
            Ok(None) => break,
            Err(error) => {
                outbox.flush()?;
                return Ok(Err(error));
            }
        }
    }
    outbox.flush()?;
    Ok(Ok(reader.counts()))
}

/// Sends, and collects refusals on the way.
struct Outbox<'a> {
    sender: &'a Sender<Parsed>,
    refused: Vec<Quarantine>,
    read_bytes: u64,
}

impl Outbox<'_> {
    fn send(&self, parsed: Parsed) -> Result<(), Gone> {
        self.sender.blocking_send(parsed).map_err(|_| Gone)
    }

    fn batch(&mut self, batch: Batch, progress: Progress) -> Result<(), Gone> {
        self.flush()?;
        self.send(Parsed::Batch(batch))?;
        self.progress(progress.read_bytes)
    }

    fn flush(&mut self) -> Result<(), Gone> {
        if self.refused.is_empty() {
            return Ok(());
        }
        let refused = std::mem::take(&mut self.refused);
        self.send(Parsed::Refused(refused))
    }

    fn progress(&mut self, read_bytes: u64) -> Result<(), Gone> {
        let news = read_bytes.saturating_sub(self.read_bytes);
        self.read_bytes = self.read_bytes.max(read_bytes);
        self.send(Parsed::Progress(news))
    }
}

impl std::str::FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "bars" => Ok(Self::Bars),
            "observations" => Ok(Self::Observations),
            "actions" => Ok(Self::Actions),
            _ => bail!("bars, observations or actions are expected"),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Bars => "bars",
            Self::Observations => "observations",
            Self::Actions => "corporate actions",
        })
    }
}
