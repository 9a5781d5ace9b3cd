//! The report of refused rows.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use sources::files::Quarantine;

/// Refusals told on screen.
const TOLD: usize = 5;

/// A CSV file `file,line,reason,row`, made with the first refusal.
#[derive(Debug)]
pub(super) struct Report {
    folder: PathBuf,
    now: Timestamp,
    limit: u64,
    rows: u64,
    /// Refusals of the file at hand.
    waiting: Vec<Quarantine>,
    open: Option<(PathBuf, csv::Writer<BufWriter<File>>)>,
    told: Vec<String>,
}

impl Report {
    pub(super) fn new(folder: PathBuf, now: Timestamp, limit: u64) -> Self {
        Self { folder, now, limit, rows: 0, waiting: Vec::new(), open: None, told: Vec::new() }
    }

    /// Takes refusals of one file, in any order.
    pub(super) fn add(&mut self, refused: Vec<Quarantine>) {
        let room = self.limit.max(TOLD as u64).saturating_sub(self.rows + self.waiting.len() as u64);
        self.waiting.extend(refused.into_iter().take(usize::try_from(room).unwrap_or(usize::MAX)));
    }

    /// Writes the refusals of a file that was read to its end, line by line.
    pub(super) fn end_of_file(&mut self) -> anyhow::Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|row| row.line);
        for row in waiting {
            let file = row.file.display().to_string();
            let reason = row.reason.to_string();
            if self.told.len() < TOLD {
                self.told.push(format!("{file}:{}: {reason}", row.line));
            }
            self.rows += 1;
            if self.rows > self.limit {
                continue;
            }
            if self.open.is_none() {
                self.open = Some(self.create().context("failed to create a quarantine report")?);
            }
            let Some((path, writer)) = &mut self.open else { continue };
            let line = row.line.to_string();
            writer
                .write_record([file.as_str(), &line, &reason, &row.raw])
                .with_context(|| format!("failed to write {}", path.display()))?;
        }
        Ok(())
    }

    /// Gives the file, when there is one, and the first refusals in words.
    pub(super) fn finish(mut self) -> anyhow::Result<(Option<PathBuf>, Vec<String>)> {
        self.end_of_file()?;
        let Some((path, mut writer)) = self.open.take() else { return Ok((None, self.told)) };
        writer.flush().with_context(|| format!("failed to write {}", path.display()))?;
        Ok((Some(path), self.told))
    }

    fn create(&self) -> io::Result<(PathBuf, csv::Writer<BufWriter<File>>)> {
        fs::create_dir_all(&self.folder)?;
        let stamp = self.now.strftime("%Y%m%dT%H%M%SZ");
        let mut names = (0..).map(|n| if n == 0 { format!("{stamp}.csv") } else { format!("{stamp}-{n}.csv") });
        let (path, file) = loop {
            let path = self.folder.join(names.next().expect("numbers do not run out"));
            match File::create_new(&path) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        writer.write_record(["file", "line", "reason", "row"])?;
        Ok((path, writer))
    }
}
