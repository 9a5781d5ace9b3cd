//! Observations, with vintages and without.

use jiff::civil::date;
use sources::files::{ColumnMap, DataFile, ObservationBatch, ObservationFile, ObservationOptions};

use super::at;

fn read(text: &str, series: &[&str]) -> (Vec<ObservationBatch>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("observations.csv");
    std::fs::write(&path, text).unwrap();
    let series = series.iter().map(|&id| id.to_owned()).collect();
    let options = ObservationOptions { series, columns: ColumnMap::default(), fetched_at: at("2020-06-15T12:00:00Z") };
    let mut file = ObservationFile::open(&DataFile::at(&path).unwrap(), &options).unwrap();
    let (mut batches, mut refused) = (Vec::new(), Vec::new());
    while let Some(batch) = file.next_batch(&mut |q| refused.push(format!("{}: {}", q.line, q.reason))).unwrap() {
        batches.push(batch);
    }
    let kept: usize = batches.iter().map(|batch| batch.observations.len()).sum();
    assert_eq!((file.counts().kept, file.counts().refused), (kept as u64, refused.len() as u64));
    assert_eq!(file.progress().read_bytes, text.len() as u64);
    (batches, refused)
}

const VINTAGES: &str = "series_id,date,value,realtime_start,realtime_end\n";

#[test]
fn promise_2_a_vintage_is_known_at_the_end_of_its_day_in_new_york() {
    let (batches, refused) = read(
        &format!(
            "{VINTAGES}GDP,2019-10-01,21734.3,2020-01-30,2020-02-27\nGDP,2019-10-01,21729.1,2020-02-27,9999-12-31\nUNRATE,2020-01-01,3.6,2020-02-07,\n"
        ),
        &[],
    );
    assert_eq!(refused, [""; 0]);
    let ids: Vec<&str> = batches.iter().map(|batch| batch.series_id.as_str()).collect();
    assert_eq!(ids, ["GDP", "UNRATE"]);
    let [first, revised] = batches[0].observations.as_slice() else { panic!("two vintages") };
    assert_eq!((first.realtime_end, revised.realtime_end), (Some(date(2020, 2, 27)), None));
    assert_eq!(first.known_at, at("2020-01-31T05:00:00Z"));
    assert_eq!((revised.ref_period, revised.value), (date(2019, 10, 1), 21729.1));
    assert!(batches.iter().all(|batch| batch.has_vintages));
}

#[test]
fn promise_2_a_value_without_vintage_is_known_from_the_fetch_on() {
    let (batches, refused) = read("series_id,date,value\nDGS10,2020-06-11,0.66\nDGS10,2020-06-12,0.71\n", &[]);
    assert_eq!(refused, [""; 0]);
    assert!(!batches[0].has_vintages);
    for observation in &batches[0].observations {
        assert_eq!(observation.known_at, at("2020-06-15T12:00:00Z"));
        assert_eq!((observation.realtime_start, observation.realtime_end), (date(2020, 6, 15), None));
    }
}

/// One row between two good ones is refused for that reason.
fn check(row: &str, reason: &str) {
    let text = format!("{VINTAGES}GDP,2019-07-01,1.5,2019-10-30,\n{row}\nGDP,2020-01-01,1.7,2020-04-29,\n");
    let (batches, refused) = read(&text, &[]);
    assert_eq!(refused, [format!("3: {reason}")], "{row}");
    assert_eq!(batches.iter().map(|batch| batch.observations.len()).sum::<usize>(), 2, "{row}");
}

#[test]
fn bad_observations_are_refused_and_named() {
    check("GDP,2019-10-01,.,2020-01-30,", "value is missing");
    check("GDP,2019-10-01,,2020-01-30,", "value is missing");
    check("GDP,2019-10-01,high,2020-01-30,", "value is \"high\": a number is expected");
    check("GDP,2019-10-01,NaN,2020-01-30,", "value is NaN: a finite number is expected");
    check("GDP,2019-10-32,1.6,2020-01-30,", "date is \"2019-10-32\": a date such as 2020-01-02 is expected");
    check("GDP,2019-10-01,1.6,,", "realtime_start is missing");
    check(
        "GDP,2019-10-01,1.6,2020-01-30,2020-01-30",
        "the vintage ends on 2020-01-30, not after it began on 2020-01-30",
    );
    check(
        "GDP,2019-10-01,1.6,2019-09-30,",
        "the value of 2019-10-01 is said to have been known on 2019-09-30, before the period began",
    );
    check("GDP,2019-10-01,1.6,2020-06-15,", "2020-06-15 lies in the future of 2020-06-15T12:00:00Z");
    check("GDP,2019-07-01,1.5,2019-10-30,", "the same as line 2");
    check("GDP,2019-07-01,1.6,2019-10-30,", "the same time as line 2, with other content");
    check(
        "GÖP,2019-10-01,1.6,2020-01-30,",
        "\"GÖP\" is not the id of a series: 1 to 64 printable ASCII characters are expected",
    );
    check("GDP,2019-10-01,1.6", "3 fields where the header has 5");
}

#[test]
fn only_the_series_asked_for_are_read() {
    let (batches, refused) = read(
        &format!("{VINTAGES}GDP,2019-07-01,1.5,2019-10-30,\nCPIAUCSL,2019-07-01,256,2019-08-13,\n"),
        &["cpiaucsl"],
    );
    assert_eq!(refused, [""; 0]);
    assert_eq!(batches.iter().map(|batch| batch.series_id.as_str()).collect::<Vec<_>>(), ["CPIAUCSL"]);
}
