//! Comma-separated lines, plain or gzipped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::quarantine::{Progress, Reason};
use super::table::Next;
use super::walk::{DataFile, Format};
use crate::Error;

/// The longest line that is read; no row of market data comes near it, and what does is not one.
const MAX_LINE_BYTES: usize = 64 * 1024;

const BUFFER_BYTES: usize = 128 * 1024;

/// A CSV file being read line by line.
pub(super) struct Delimited {
    reader: Box<dyn BufRead + Send>,
    read_bytes: Arc<AtomicU64>,
    total_bytes: u64,
    header: Vec<String>,
    /// The line as it stood, without its end.
    raw: Vec<u8>,
    /// The fields of a line with quotes, unquoted.
    unquoted: Vec<u8>,
    quoted: bool,
    fields: Vec<Range<usize>>,
    line: u64,
    ended: bool,
}

impl std::fmt::Debug for Delimited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delimited").field("header", &self.header).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Delimited {
    /// Opens a file and reads its header. An archive is read to its end first: only its checksum, which comes last, tells
    /// a changed price from a true one.
    pub(super) fn open(file: &DataFile) -> Result<Self, Error> {
        if file.format == Format::CsvGz {
            check_archive(file)?;
        }
        let opened = File::open(&file.path).map_err(|cause| Error::Open { path: file.path.clone(), cause })?;
        let read_bytes = Arc::new(AtomicU64::new(0));
        let counted =
            BufReader::with_capacity(BUFFER_BYTES, Counted { inner: opened, read_bytes: Arc::clone(&read_bytes) });
        let reader: Box<dyn BufRead + Send> = match file.format {
            Format::CsvGz => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(counted))),
            _ => Box::new(counted),
        };
        let mut lines = Self {
            reader,
            read_bytes,
            total_bytes: file.size_bytes,
            header: Vec::new(),
            raw: Vec::new(),
            unquoted: Vec::new(),
            quoted: false,
            fields: Vec::new(),
            line: 0,
            ended: false,
        };
        let unreadable = |cause| Error::Header { path: file.path.clone(), cause };
        match lines.read_line().map_err(|e| unreadable(e.into()))? {
            Line::Whole => {}
            Line::TooLong => return Err(unreadable("its first line is no header: it is too long".into())),
            Line::End => return Ok(lines),
        }
        if lines.raw.starts_with(b"\xef\xbb\xbf") {
            lines.raw.drain(..3);
        }
        lines.split().map_err(|reason| unreadable(reason.into()))?;
        for index in 0..lines.fields.len() {
            let text = std::str::from_utf8(lines.field(index)).map_err(|e| unreadable(e.into()))?;
            lines.header.push(text.trim().to_owned());
        }
        Ok(lines)
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(super) fn field(&self, index: usize) -> &[u8] {
        let text = if self.quoted { &self.unquoted } else { &self.raw };
        &text[self.fields[index].clone()]
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            read_bytes: self.read_bytes.load(Ordering::Relaxed).min(self.total_bytes),
            total_bytes: self.total_bytes,
            rows: self.line.saturating_sub(1),
        }
    }

    /// The next line that is not blank.
    pub(super) fn next(&mut self) -> Next {
        while !self.ended {
            match self.read_line() {
                Ok(Line::End) => self.ended = true,
                Ok(Line::TooLong) => return Next::Bad(Reason::TooLong { limit: MAX_LINE_BYTES }),
                Ok(Line::Whole) if self.raw.trim_ascii().is_empty() => {}
                Ok(Line::Whole) => {
                    return match self.split() {
                        Err(reason) => Next::Bad(reason),
                        Ok(()) if self.fields.len() != self.header.len() => {
                            Next::Bad(Reason::Fields { found: self.fields.len(), expected: self.header.len() })
                        }
                        Ok(()) => Next::Row,
                    };
                }
                Err(cause) => {
                    // The half line before the damage is no row: its last number may be cut.
                    self.ended = true;
                    return Next::Damaged(cause.into());
                }
            }
        }
        Next::End
    }

    fn read_line(&mut self) -> io::Result<Line> {
        self.raw.clear();
        self.line += 1;
        let limit = MAX_LINE_BYTES as u64 + 1;
        let read = (&mut self.reader).take(limit).read_until(b'\n', &mut self.raw)?;
        if read == 0 {
            self.line -= 1;
            return Ok(Line::End);
        }
        if self.raw.last() == Some(&b'\n') {
            self.raw.pop();
        } else if self.raw.len() > MAX_LINE_BYTES {
            self.reader.skip_until(b'\n')?;
            return Ok(Line::TooLong);
        }
        if self.raw.last() == Some(&b'\r') {
            self.raw.pop();
        }
        Ok(Line::Whole)
    }

    fn split(&mut self) -> Result<(), Reason> {
        self.fields.clear();
        self.quoted = self.raw.contains(&b'"');
        if self.quoted {
            return self.split_quoted();
        }
        let mut start = 0;
        for (at, byte) in self.raw.iter().enumerate() {
            if *byte == b',' {
                self.fields.push(start..at);
                start = at + 1;
            }
        }
        self.fields.push(start..self.raw.len());
        Ok(())
    }

    /// A field that starts with a quote ends with one; within it, two stand for one (RFC 4180).
    fn split_quoted(&mut self) -> Result<(), Reason> {
        self.unquoted.clear();
        let mut rest = self.raw.iter().copied().peekable();
        loop {
            let start = self.unquoted.len();
            let mut more = false;
            if rest.next_if_eq(&b'"').is_some() {
                loop {
                    match rest.next() {
                        Some(b'"') if rest.next_if_eq(&b'"').is_some() => self.unquoted.push(b'"'),
                        Some(b'"') => break,
                        Some(byte) => self.unquoted.push(byte),
                        None => return Err(Reason::Quote),
                    }
                }
                match rest.next() {
                    Some(b',') => more = true,
                    Some(_) => return Err(Reason::Quote),
                    None => {}
                }
            } else {
                for byte in rest.by_ref() {
                    if byte == b',' {
                        more = true;
                        break;
                    }
                    self.unquoted.push(byte);
                }
            }
            self.fields.push(start..self.unquoted.len());
            if !more {
                return Ok(());
            }
        }
    }
}

/// Unpacks every member of an archive, which checks their checksums and lengths, and that nothing follows them.
fn check_archive(file: &DataFile) -> Result<(), Error> {
    let opened = File::open(&file.path).map_err(|cause| Error::Open { path: file.path.clone(), cause })?;
    let mut text = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, opened));
    match io::copy(&mut text, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(cause) => Err(Error::Damaged { path: file.path.clone(), cause: cause.into() }),
    }
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// Counts the bytes read from the disk, beneath any decompression.
struct Counted {
    inner: File,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.read_bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}
