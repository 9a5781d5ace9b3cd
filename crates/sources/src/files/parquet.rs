//! Parquet files, one record batch in memory at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use ::parquet::basic::Compression;
use ::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use jiff::Timestamp;

use super::quarantine::Progress;
use super::table::{Cause, Cell, Content, Field, Next};
use super::walk::DataFile;
use crate::Error;

const ROWS_AT_ONCE: usize = 8192;

/// A Parquet file being read row by row.
#[derive(Debug)]
pub(super) struct Columns {
    file: DataFile,
    header: Vec<String>,
    metadata: ArrowReaderMetadata,
    reader: Option<ParquetRecordBatchReader>,
    fields: &'static [Field],
    /// For each field the position of its column within a batch.
    projected: Vec<Option<usize>>,
    columns: Vec<Column>,
    n_rows: usize,
    at: usize,
    row: u64,
    total_rows: u64,
}

/// A field's values in the present batch.
#[derive(Debug)]
enum Column {
    Absent,
    Text(StringArray),
    Number(Float64Array),
    Time(TimestampMicrosecondArray),
}

impl Columns {
    pub(super) fn open(file: &DataFile) -> Result<Self, Error> {
        let opened = open(file)?;
        let metadata = contained(|| ArrowReaderMetadata::load(&opened, ArrowReaderOptions::new()))
            .map_err(|cause| Error::Header { path: file.path.clone(), cause })?;
        let header = metadata.schema().fields().iter().map(|field| field.name().trim().to_owned()).collect();
        let total_rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
        Ok(Self {
            file: file.clone(),
            header,
            metadata,
            reader: None,
            fields: &[],
            projected: Vec::new(),
            columns: Vec::new(),
            n_rows: 0,
            at: 0,
            row: 0,
            total_rows,
        })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Reads only these fields' columns from here on; to be called before the first row. Their values are all unpacked
    /// once first, so that a damaged file gives none of its rows.
    pub(super) fn select(&mut self, fields: &'static [Field], positions: &[Option<usize>]) -> Result<(), Error> {
        let path = || self.file.path.clone();
        for (field, position) in fields.iter().zip(positions) {
            let Some(position) = *position else { continue };
            let found = self.metadata.schema().field(position).data_type();
            if !readable(found, field.content) {
                let (column, found) = (self.header[position].clone(), found.to_string());
                return Err(Error::ColumnType { path: path(), field: field.name, column, found });
            }
        }
        if let Some(codec) = self.unknown_codec() {
            return Err(Error::Codec { path: path(), codec });
        }
        let mut wanted: Vec<usize> = positions.iter().flatten().copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        self.projected =
            positions.iter().map(|position| position.and_then(|p| wanted.binary_search(&p).ok())).collect();
        let damaged = |cause| Error::Damaged { path: path(), cause };
        let mut trial = self.reader(&wanted)?;
        while contained(|| trial.next().transpose()).map_err(damaged)?.is_some() {}
        self.reader = Some(self.reader(&wanted)?);
        self.fields = fields;
        Ok(())
    }

    /// All rows, of the wanted columns.
    fn reader(&self, wanted: &[usize]) -> Result<ParquetRecordBatchReader, Error> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(open(&self.file)?, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
        let batches = builder.with_projection(mask).with_batch_size(ROWS_AT_ONCE);
        contained(|| batches.build()).map_err(|cause| Error::Header { path: self.file.path.clone(), cause })
    }

    fn unknown_codec(&self) -> Option<&'static str> {
        let columns = self.metadata.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
        columns.map(ColumnChunkMetaData::compression).find_map(|codec| match codec {
            Compression::BROTLI(_) => Some("brotli"),
            Compression::LZO => Some("lzo"),
            _ => None,
        })
    }

    pub(super) fn next(&mut self) -> Next {
        while self.at >= self.n_rows {
            let Some(reader) = &mut self.reader else { return Next::End };
            match contained(|| reader.next().transpose()) {
                Ok(None) => self.reader = None,
                Ok(Some(batch)) => {
                    if let Err(cause) = self.load(&batch) {
                        self.reader = None;
                        return self.damaged(cause.into());
                    }
                }
                Err(cause) => {
                    self.reader = None;
                    return self.damaged(cause);
                }
            }
        }
        self.at += 1;
        self.row += 1;
        Next::Row
    }

    fn damaged(&mut self, cause: Cause) -> Next {
        self.columns.clear();
        (self.n_rows, self.at) = (0, 0);
        self.row += 1;
        Next::Damaged(cause)
    }

    fn load(&mut self, batch: &RecordBatch) -> Result<(), arrow::error::ArrowError> {
        self.columns.clear();
        (self.n_rows, self.at) = (0, 0);
        for (field, projected) in self.fields.iter().zip(&self.projected) {
            let column = match projected {
                Some(position) => Column::read(batch.column(*position), field.content)?,
                None => Column::Absent,
            };
            self.columns.push(column);
        }
        self.n_rows = batch.num_rows();
        Ok(())
    }

    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// Renders the chosen fields of the present row, comma-separated.
    pub(super) fn raw(&self, raw: &mut Vec<u8>) {
        for field in 0..self.columns.len() {
            if field > 0 {
                raw.push(b',');
            }
            match self.cell(field) {
                Cell::Missing => {}
                Cell::Text(text) => raw.extend_from_slice(text),
                Cell::Number(value) => raw.extend_from_slice(value.to_string().as_bytes()),
                Cell::Time(instant) => raw.extend_from_slice(instant.to_string().as_bytes()),
            }
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let total_bytes = self.file.size_bytes;
        let share = if self.total_rows == 0 { 1.0 } else { (self.row as f64 / self.total_rows as f64).min(1.0) };
        Progress { read_bytes: (total_bytes as f64 * share) as u64, total_bytes, rows: self.row }
    }

    /// The present row's value of a field, named by its place among the chosen ones.
    pub(super) fn cell(&self, field: usize) -> Cell<'_> {
        let Some(index) = self.at.checked_sub(1) else { return Cell::Missing };
        match self.columns.get(field) {
            Some(Column::Text(values)) if values.is_valid(index) => match values.value(index).trim() {
                "" => Cell::Missing,
                text => Cell::Text(text.as_bytes()),
            },
            Some(Column::Number(values)) if values.is_valid(index) => Cell::Number(values.value(index)),
            Some(Column::Time(values)) if values.is_valid(index) => {
                Timestamp::from_microsecond(values.value(index)).map_or(Cell::Missing, Cell::Time)
            }
            _ => Cell::Missing,
        }
    }
}

fn open(file: &DataFile) -> Result<File, Error> {
    File::open(&file.path).map_err(|cause| Error::Open { path: file.path.clone(), cause })
}

/// Does one step of the parquet library, which panics on some damaged files where it should give an error: a bad file
/// must not take the import of the others with it. What panicked is not used again.
fn contained<T, E: Into<Cause>>(step: impl FnOnce() -> Result<T, E>) -> Result<T, Cause> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(Into::into),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Err(said.unwrap_or("the file's structure is damaged").into())
        }
    }
}

fn is_text(found: &DataType) -> bool {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn is_number(found: &DataType) -> bool {
    found.is_numeric()
}

fn is_time(found: &DataType) -> bool {
    matches!(found, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
}

fn readable(found: &DataType, content: Content) -> bool {
    match content {
        Content::Text => is_text(found) || found.is_integer(),
        Content::Number => is_text(found) || is_number(found),
        Content::Time => is_text(found) || is_time(found) || found.is_integer(),
    }
}

impl Column {
    /// Text stays text and passes the same parsers as CSV; so do integers where a text or a time is wanted.
    fn read(values: &ArrayRef, content: Content) -> Result<Self, arrow::error::ArrowError> {
        let found = values.data_type();
        if is_time(found) {
            let values = cast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            return Ok(values.as_any().downcast_ref().cloned().map_or(Self::Absent, Self::Time));
        }
        if is_number(found) && content == Content::Number {
            let values = cast(values, &DataType::Float64)?;
            return Ok(values.as_any().downcast_ref().cloned().map_or(Self::Absent, Self::Number));
        }
        let values = cast(values, &DataType::Utf8)?;
        Ok(values.as_any().downcast_ref().cloned().map_or(Self::Absent, Self::Text))
    }
}
