//! Parquet gives the same bars as CSV, whatever types its columns have.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, DictionaryArray, Float32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::Int32Type;
use market::Timeframe;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::{Read, at, options, read};

fn write(path: &Path, compression: Compression, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Three daily bars of AAPL, stamps and volumes in the given columns.
fn three_days(compression: Compression, symbol: ArrayRef, timestamp: ArrayRef, volume: ArrayRef) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.parquet");
    let price = |values: [f64; 3]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    let columns = vec![
        ("unrelated", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("volume", volume),
        ("Timestamp", timestamp),
        ("symbol", symbol),
        ("open", price([10.0, 11.0, 12.0])),
        ("high", price([12.0, 13.0, 14.0])),
        ("low", price([9.0, 10.0, 11.0])),
        ("close", Arc::new(Float32Array::from(vec![11.0, 12.0, 13.0])) as ArrayRef),
        ("adj_close", Arc::new(Float64Array::from(vec![Some(5.5), None, Some(6.5)])) as ArrayRef),
    ];
    write(&path, compression, columns);
    read(&path, &options()).unwrap()
}

/// Forty days of a coin, as numbers and times.
pub(crate) fn write_sample(path: &Path) {
    let price: ArrayRef = Arc::new(Float64Array::from_iter_values((0..40).map(|i| 100.0 + f64::from(i))));
    let days = Date32Array::from_iter_values((0..40).map(|i| 18_000 + i));
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("symbol", Arc::new(StringArray::from(vec!["BTCUSDT"; 40]))), ("timestamp", Arc::new(days))];
    columns.extend(["open", "high", "low", "close", "volume"].map(|name| (name, Arc::clone(&price))));
    write(path, Compression::SNAPPY, columns);
}

#[test]
fn columns_of_many_types_are_read() {
    let days = [1_577_923_200_i64, 1_578_009_600, 1_578_268_800];
    let texts = ["2020-01-02", "2020-01-03", "2020-01-06"];
    let stamps: [ArrayRef; 5] = [
        Arc::new(TimestampNanosecondArray::from(days.map(|s| s * 1_000_000_000).to_vec()).with_timezone("UTC")),
        Arc::new(TimestampMillisecondArray::from(days.map(|s| s * 1000).to_vec())),
        Arc::new(Date32Array::from(days.map(|s| (s / 86_400) as i32).to_vec())),
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(Int64Array::from(days.to_vec())),
    ];
    let symbols: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec!["AAPL"; 3])),
        Arc::new(LargeStringArray::from(vec!["AAPL"; 3])),
        Arc::new(["AAPL"; 3].into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    let volumes: [ArrayRef; 3] = [
        Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0])),
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec!["1", "2", "3"])),
    ];
    let packings = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4_RAW,
    ];
    for (index, stamp) in stamps.iter().enumerate() {
        let (symbol, volume) = (&symbols[index % 3], &volumes[index % 3]);
        let read = three_days(packings[index], Arc::clone(symbol), Arc::clone(stamp), Arc::clone(volume));
        assert_eq!(read.reasons(), [""; 0], "{index}");
        let batch = &read.batches[0];
        assert_eq!((batch.timeframe, batch.bars.len()), (Timeframe::D1, 3));
        let bar = batch.bars[2];
        assert_eq!(bar.close_time, at("2020-01-06T21:00:00Z"));
        assert_eq!((bar.open, bar.high, bar.low, bar.close, bar.volume), (12.0, 14.0, 11.0, 13.0, 3.0));
        assert_eq!(batch.bars.iter().map(|bar| bar.adj_close).collect::<Vec<_>>(), [Some(5.5), None, Some(6.5)]);
    }
}

#[test]
fn bad_rows_are_refused_by_their_number() {
    let symbol = Arc::new(StringArray::from(vec![Some("AAPL"), None, Some("AAPL")]));
    let stamp = Arc::new(StringArray::from(vec!["2020-01-02", "2020-01-03", "2020-01-06"]));
    let volume = Arc::new(StringArray::from(vec!["1", "2", "many"]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.parquet");
    let price: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 3]));
    let columns = vec![
        ("symbol", symbol as ArrayRef),
        ("timestamp", stamp as ArrayRef),
        ("open", Arc::clone(&price)),
        ("high", Arc::clone(&price)),
        ("low", Arc::clone(&price)),
        ("close", price),
        ("volume", volume as ArrayRef),
    ];
    write(&path, Compression::SNAPPY, columns);
    let daily = sources::files::BarOptions { timeframe: Some(Timeframe::D1), ..options() };
    let read = read(&path, &daily).unwrap();
    assert_eq!(read.reasons(), ["2: symbol is missing", "3: volume is \"many\": a number is expected"]);
    assert_eq!(read.refused[1].raw, "AAPL,2020-01-06,1,1,1,1,many,");
    assert_eq!(read.n_bars(), 1);
}

#[test]
fn a_column_of_another_kind_refuses_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.parquet");
    let number: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let names = ["symbol", "timestamp", "open", "high", "low", "close", "volume"];
    write(&path, Compression::SNAPPY, names.map(|name| (name, Arc::clone(&number))).to_vec());
    let error = read(&path, &options()).unwrap_err().to_string();
    assert!(error.ends_with("column \"symbol\" has the type Float64, from which no symbol can be read"), "{error}");
}

#[test]
fn a_way_of_packing_that_is_not_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.parquet");
    write_sample(&path);
    // The footer says how each column is packed: field 4 of its metadata, 1 for snappy and 4 for brotli, doubled.
    let bytes = std::fs::read(&path).unwrap();
    let packed = |pair: &[u8]| pair == [0x15, 0x02];
    let footer = bytes.len() - 8 - u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let errors: Vec<String> = (footer..bytes.len() - 1)
        .filter(|at| packed(&bytes[*at..*at + 2]))
        .filter_map(|at| {
            let mut bytes = bytes.clone();
            bytes[at + 1] = 0x08;
            std::fs::write(&path, bytes).unwrap();
            read(&path, &options()).err().map(|error| error.to_string())
        })
        .collect();
    let said = "is packed with brotli; snappy, zstd, gzip, lz4 and unpacked Parquet are understood";
    assert!(errors.iter().any(|error| error.ends_with(said)), "{errors:?}");
}
