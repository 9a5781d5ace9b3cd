//! Bars, as JSON, CSV and Parquet.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use market::{AssetClass, Bar};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Time;

/// A page of closed bars.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BarsPage {
    /// The asset.
    pub symbol: String,
    /// Bar length.
    pub timeframe: &'static str,
    /// `raw`, `split` or `total_return`.
    pub adjustment: &'static str,
    /// What prices are quoted in.
    pub quote: String,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// Where the bars come from.
    pub data_source: String,
    /// The bars are shown as they were known then.
    pub as_of: Time,
    /// Ascending; the newest of the range.
    pub bars: Vec<BarAnswer>,
    /// The `cursor` of the page of older bars; `null` when there is none.
    pub next: Option<String>,
}

/// One closed bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct BarAnswer {
    /// When it opened.
    pub time: Time,
    /// When it closed.
    pub close_time: Time,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume; `null` for macro series.
    pub volume: Option<f64>,
    /// When this row could first have been known.
    pub known_at: Time,
}

impl BarAnswer {
    /// A bar of a class.
    #[must_use]
    pub fn of(bar: &Bar, class: AssetClass) -> Self {
        Self {
            time: bar.open_time.into(),
            close_time: bar.close_time.into(),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: (class != AssetClass::Macro).then_some(bar.volume),
            known_at: bar.known_at.into(),
        }
    }
}

/// Bars as CSV with a header.
///
/// # Errors
/// When a row cannot be written.
pub fn csv(bars: &[BarAnswer]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["time", "close_time", "open", "high", "low", "close", "volume", "known_at"])?;
    for bar in bars {
        let volume = bar.volume.map(|volume| volume.to_string()).unwrap_or_default();
        let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(|price| price.to_string());
        let [time, close_time, known_at] = [bar.time, bar.close_time, bar.known_at].map(|time| time.to_string());
        writer.write_record([time, close_time, open, high, low, close, volume, known_at])?;
    }
    finish(writer)
}

/// Ends a CSV.
pub(crate) fn finish(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
}

/// Bars as Parquet: times in microseconds UTC.
///
/// # Errors
/// When a column cannot be written.
pub fn parquet(bars: &[BarAnswer]) -> Result<Vec<u8>, ArrowError> {
    let prices = |of: fn(&BarAnswer) -> f64| numbers(bars.iter().map(|bar| Some(of(bar))));
    write_parquet(vec![
        ("time", times(bars.iter().map(|bar| bar.time))),
        ("close_time", times(bars.iter().map(|bar| bar.close_time))),
        ("open", prices(|bar| bar.open)),
        ("high", prices(|bar| bar.high)),
        ("low", prices(|bar| bar.low)),
        ("close", prices(|bar| bar.close)),
        ("volume", numbers(bars.iter().map(|bar| bar.volume))),
        ("known_at", times(bars.iter().map(|bar| bar.known_at))),
    ])
}

/// A column of instants.
pub(crate) fn times(values: impl Iterator<Item = Time>) -> ArrayRef {
    let micros = values.map(|time| time.0.as_microsecond());
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

/// A column of numbers.
pub(crate) fn numbers(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

/// A column of words.
pub(crate) fn words<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// A Parquet file of some columns, compressed with zstd.
pub(crate) fn write_parquet(columns: Vec<(&str, ArrayRef)>) -> Result<Vec<u8>, ArrowError> {
    let nullable = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(nullable)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}
