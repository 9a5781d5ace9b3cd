//! Laws that hold for all files.

use jiff::SignedDuration;
use market::{Bar, Timeframe};
use proptest::prelude::*;
use sources::files::{ActionFile, ActionOptions, BarOptions, ColumnMap, DataFile, ObservationFile, ObservationOptions};

use super::{at, now, options, read, read_bytes};

/// Hours of a coin, with gaps, ascending.
fn bars() -> impl Strategy<Value = Vec<Bar>> {
    let price = 1e-6..1e6_f64;
    let row = (1..50_i32, price.clone(), price.clone(), price.clone(), price, 0.0..1e12_f64, any::<bool>());
    prop::collection::vec(row, 1..60).prop_map(|rows| {
        let mut open_time = at("2019-01-01T00:00:00Z");
        let mut bars = Vec::new();
        for (hours, a, b, c, d, volume, adjusted) in rows {
            open_time += SignedDuration::from_hours(hours.into());
            let close_time = open_time + SignedDuration::from_hours(1);
            let (high, low) = (a.max(b).max(c).max(d), a.min(b).min(c).min(d));
            let adj_close = adjusted.then_some(c);
            bars.push(Bar {
                open_time,
                close_time,
                open: a,
                high,
                low,
                close: b,
                volume,
                adj_close,
                known_at: close_time,
            });
        }
        bars
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bars_come_back_as_they_were_written(bars in bars()) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["symbol", "timestamp", "open", "high", "low", "close", "adj_close", "volume"]).unwrap();
        for bar in &bars {
            let number = |value: f64| value.to_string();
            writer
                .write_record([
                    "ETHUSDT".to_owned(),
                    bar.open_time.to_string(),
                    number(bar.open),
                    number(bar.high),
                    number(bar.low),
                    number(bar.close),
                    bar.adj_close.map(number).unwrap_or_default(),
                    number(bar.volume),
                ])
                .unwrap();
        }
        let options = BarOptions { timeframe: Some(Timeframe::H1), ..options() };
        let read = read_bytes("bars.csv", &writer.into_inner().unwrap(), &options).unwrap();
        prop_assert_eq!(read.refused.len(), 0);
        prop_assert_eq!(&read.batches[0].bars, &bars);
    }

    #[test]
    fn no_bytes_make_the_readers_panic_or_let_a_bad_bar_through(
        tail in prop::collection::vec(prop_oneof![
            any::<u8>(),
            prop::sample::select(b"0123456789,,,,\n\n\"-.:TZ BTCUSD".to_vec()),
        ], 0..600),
        headed in any::<bool>(),
        name in prop::sample::select(vec!["x.csv", "x.csv.gz", "x.parquet"]),
    ) {
        let mut bytes = Vec::new();
        if headed {
            bytes.extend_from_slice(b"symbol,timestamp,open,high,low,close,volume\n");
        }
        bytes.extend_from_slice(&tail);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(read) = read(&path, &options()) {
            for bar in read.batches.iter().flat_map(|batch| &batch.bars) {
                prop_assert!(bar.checked().is_ok());
            }
        }
        let file = DataFile::at(&path).unwrap();
        let known = options().known;
        let columns = ColumnMap::default();
        let observations = ObservationOptions { series: Vec::new(), columns: columns.clone(), fetched_at: now() };
        if let Ok(mut file) = ObservationFile::open(&file, &observations) {
            while let Ok(Some(_)) = file.next_batch(&mut |_| {}) {}
        }
        let actions = ActionOptions { known, symbols: Vec::new(), columns, now: now() };
        if let Ok(mut file) = ActionFile::open(&file, &actions) {
            while let Ok(Some(_)) = file.next_batch(&mut |_| {}) {}
        }
    }

    #[test]
    fn a_damaged_parquet_file_makes_no_reader_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bars.parquet");
        super::formats::write_sample(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, byte) in damage {
            *place.get_mut(&mut bytes) = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(read) = read(&path, &options()) {
            for bar in read.batches.iter().flat_map(|batch| &batch.bars) {
                prop_assert!(bar.checked().is_ok());
            }
        }
    }

    #[test]
    fn a_damaged_row_costs_no_more_than_itself_and_its_line(
        bars in bars(), place in any::<prop::sample::Index>(), byte in any::<u8>(), seat in any::<prop::sample::Index>(),
    ) {
        let mut lines: Vec<Vec<u8>> = bars
            .iter()
            .map(|b| {
                let (o, h, l, c, v) = (b.open, b.high, b.low, b.close, b.volume);
                format!("ETHUSDT,{},{o},{h},{l},{c},{v}", b.open_time).into_bytes()
            })
            .collect();
        let line = place.get_mut(&mut lines);
        let seat = seat.index(line.len());
        line[seat] = byte;
        let mut bytes = b"symbol,timestamp,open,high,low,close,volume\n".to_vec();
        bytes.extend(lines.join(&b'\n'));
        let options = BarOptions { timeframe: Some(Timeframe::H1), ..options() };
        let read = read_bytes("bars.csv", &bytes, &options).unwrap();
        // A line break within a row makes two bad lines of one; a changed time can displace one neighbour.
        prop_assert!(read.refused.len() <= 3, "{:?}", read.reasons());
        prop_assert!(read.n_bars() + 2 >= bars.len());
    }
}
