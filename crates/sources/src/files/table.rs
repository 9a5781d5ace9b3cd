//! Rows of named fields, whatever the format they were written in.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::delimited::Delimited;
use super::moment;
use super::options::ColumnMap;
use super::parquet::Columns;
use super::quarantine::{Progress, Quarantine, Reason};
use super::walk::{DataFile, Format};
use crate::Error;

/// What kind of value a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Text,
    Number,
    Time,
}

/// A field of a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) content: Content,
    pub(super) required: bool,
    /// Other headers it goes by, where no column is mapped to it.
    aliases: &'static [&'static str],
}

impl Field {
    pub(super) const fn required(name: &'static str, content: Content) -> Self {
        Self { name, content, required: true, aliases: &[] }
    }

    pub(super) const fn optional(name: &'static str, content: Content) -> Self {
        Self { required: false, ..Self::required(name, content) }
    }

    pub(super) const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

/// One value of one row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Missing,
    Text(&'a [u8]),
    Number(f64),
    Time(Timestamp),
}

/// Why a file could not be read on.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What reading on gave.
#[derive(Debug)]
pub(super) enum Next {
    /// A row; its cells can be read until the next one is asked for.
    Row,
    /// A row that cannot be taken apart.
    Bad(Reason),
    /// Nothing more can be read.
    Damaged(Cause),
    End,
}

/// A file opened for reading rows.
#[derive(Debug)]
pub(super) struct Table {
    file: Arc<Path>,
    rows: Rows,
    fields: &'static [Field],
    /// Position of each field's column; `None` where an optional one is not there.
    positions: Vec<Option<usize>>,
}

#[derive(Debug)]
enum Rows {
    Csv(Box<Delimited>),
    Parquet(Box<Columns>),
}

impl Table {
    /// Opens the file without asking for fields; see [`Table::select`].
    pub(super) fn open(file: &DataFile) -> Result<Self, Error> {
        let rows = match file.format {
            Format::Csv | Format::CsvGz => Rows::Csv(Box::new(Delimited::open(file)?)),
            Format::Parquet => Rows::Parquet(Box::new(Columns::open(file)?)),
        };
        Ok(Self { file: Arc::from(file.path.as_path()), rows, fields: &[], positions: Vec::new() })
    }

    fn header(&self) -> &[String] {
        match &self.rows {
            Rows::Csv(rows) => rows.header(),
            Rows::Parquet(rows) => rows.header(),
        }
    }

    /// The headers, for an error message; bounded.
    pub(super) fn found(&self) -> String {
        let shown: Vec<String> = self.header().iter().take(30).map(|h| h.chars().take(40).collect()).collect();
        if shown.is_empty() { "no header at all".to_owned() } else { shown.join(", ") }
    }

    fn position(&self, column: &str) -> Option<usize> {
        self.header().iter().position(|header| header.eq_ignore_ascii_case(column))
    }

    /// Whether the file has the column a field is looked for under.
    pub(super) fn has(&self, field: &str, map: &ColumnMap) -> bool {
        self.position(map.column(field)).is_some()
    }

    /// The error of a file without the column of a field.
    pub(super) fn missing(&self, field: &'static str, map: &ColumnMap) -> Error {
        let (path, column) = (self.file.to_path_buf(), map.column(field).to_owned());
        Error::MissingColumn { path, field, column, found: self.found() }
    }

    /// Chooses the fields whose cells will be read, named by their place in `fields`.
    pub(super) fn select(&mut self, fields: &'static [Field], map: &ColumnMap) -> Result<(), Error> {
        let mut positions = Vec::with_capacity(fields.len());
        for field in fields {
            let aliases = if map.maps(field.name) { &[] } else { field.aliases };
            let mut headers = std::iter::once(map.column(field.name)).chain(aliases.iter().copied());
            let position = headers.find_map(|header| self.position(header));
            if position.is_none() && field.required {
                return Err(self.missing(field.name, map));
            }
            positions.push(position);
        }
        if let Rows::Parquet(rows) = &mut self.rows {
            rows.select(fields, &positions)?;
        }
        self.fields = fields;
        self.positions = positions;
        Ok(())
    }

    pub(super) fn next(&mut self) -> Next {
        match &mut self.rows {
            Rows::Csv(rows) => rows.next(),
            Rows::Parquet(rows) => rows.next(),
        }
    }

    /// The line or row last read.
    pub(super) fn line(&self) -> u64 {
        match &self.rows {
            Rows::Csv(rows) => rows.line(),
            Rows::Parquet(rows) => rows.row(),
        }
    }

    /// Appends the row last read, as it stood, to `raw`.
    pub(super) fn raw(&self, raw: &mut Vec<u8>) {
        match &self.rows {
            Rows::Csv(rows) => raw.extend_from_slice(rows.raw()),
            Rows::Parquet(rows) => rows.raw(raw),
        }
    }

    pub(super) fn progress(&self) -> Progress {
        match &self.rows {
            Rows::Csv(rows) => rows.progress(),
            Rows::Parquet(rows) => rows.progress(),
        }
    }

    pub(super) fn file(&self) -> &Arc<Path> {
        &self.file
    }

    /// The error of a file that cannot be read on.
    pub(super) fn damaged(&self, cause: Cause) -> Error {
        Error::Damaged { path: self.file.to_path_buf(), cause }
    }

    /// The refusal of the row last read.
    pub(super) fn refusal(&self, reason: Reason) -> Quarantine {
        let mut raw = Vec::new();
        self.raw(&mut raw);
        Quarantine::new(&self.file, self.line(), reason, &raw)
    }

    fn cell(&self, field: usize) -> Cell<'_> {
        let Some(position) = self.positions[field] else { return Cell::Missing };
        match &self.rows {
            Rows::Csv(rows) => match rows.field(position).trim_ascii() {
                b"" => Cell::Missing,
                text => Cell::Text(text),
            },
            Rows::Parquet(rows) => rows.cell(field),
        }
    }

    /// The text of a field.
    pub(super) fn text(&self, field: usize) -> Result<&str, Reason> {
        let name = self.fields[field].name;
        match self.cell(field) {
            Cell::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| Reason::Utf8 { field: name }),
            _ => Err(Reason::Missing { field: name }),
        }
    }

    /// A field's number, whatever its sign; `None` where it is empty.
    pub(super) fn optional_number(&self, field: usize) -> Result<Option<f64>, Reason> {
        let name = self.fields[field].name;
        match self.cell(field) {
            Cell::Missing | Cell::Time(_) => Ok(None),
            Cell::Number(value) => Ok(Some(value)),
            Cell::Text(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| Reason::Utf8 { field: name })?;
                text.parse().map(Some).map_err(|_| Reason::Number { field: name, text: bounded(text) })
            }
        }
    }

    /// A field's number, whatever its sign.
    pub(super) fn number(&self, field: usize) -> Result<f64, Reason> {
        self.optional_number(field)?.ok_or(Reason::Missing { field: self.fields[field].name })
    }

    /// A field's number, when it is finite and above zero.
    pub(super) fn positive(&self, field: usize) -> Result<f64, Reason> {
        let value = self.number(field)?;
        if value.is_finite() && value > 0.0 {
            return Ok(value);
        }
        Err(Reason::NotPositive { field: self.fields[field].name, value })
    }

    /// A field's instant.
    pub(super) fn instant(&self, field: usize) -> Result<Timestamp, Reason> {
        if let Cell::Time(instant) = self.cell(field) {
            return Ok(instant);
        }
        let text = self.text(field)?;
        moment::parse_instant(text).ok_or_else(|| Reason::Time { field: self.fields[field].name, text: bounded(text) })
    }

    /// A field's date.
    pub(super) fn date(&self, field: usize) -> Result<Date, Reason> {
        let name = self.fields[field].name;
        if let Cell::Time(instant) = self.cell(field) {
            return moment::date_of(instant).ok_or_else(|| Reason::Date { field: name, text: instant.to_string() });
        }
        let text = self.text(field)?;
        moment::parse_date(text).ok_or_else(|| Reason::Date { field: name, text: bounded(text) })
    }

    /// A field's date, `None` where it is empty.
    pub(super) fn optional_date(&self, field: usize) -> Result<Option<Date>, Reason> {
        match self.cell(field) {
            Cell::Missing => Ok(None),
            _ => self.date(field).map(Some),
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(48).collect()
}
