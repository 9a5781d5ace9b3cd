//! FRED's answers as they are documented, when their folder is there.

use std::path::PathBuf;

use jiff::civil::date;
use sources::fred::answer::{Complaint, complaint, observations, release_dates, releases, vintage_dates};
use sources::fred::graph;

fn folder() -> Option<PathBuf> {
    let wire = std::env::var_os("AUSPEX_WIRE").map(|wire| PathBuf::from(wire).join("fixtures/fred"));
    if wire.is_none() {
        eprintln!("skipped: AUSPEX_WIRE does not name the folder of the wire specifications");
    }
    wire
}

#[test]
fn every_documented_answer_is_understood() {
    let Some(folder) = folder() else { return };
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let body = std::fs::read(&path).unwrap();
        n_files += 1;
        match name.as_str() {
            // Nothing is asked for in XML: it is told from an answer.
            name if name.ends_with(".xml") => assert!(observations(&body).is_err() && vintage_dates(&body).is_err()),
            name if name.starts_with("err_") => {
                let (expected, begins) = match name.trim_start_matches("err_").trim_end_matches(".json") {
                    "400_future_realtime" => (Complaint::Other, "Bad Request.  Variable realtime_end"),
                    "400_key_format" => (Complaint::KeyFormat, "Bad Request.  The value for variable api_key is not a"),
                    "400_key_missing" => (Complaint::KeyMissing, "Bad Request.  Variable api_key is not set."),
                    "400_key_unregistered" => (Complaint::KeyUnregistered, "Bad Request.  The value for variable"),
                    "400_no_series" => (Complaint::NoSeries, "Bad Request.  The series does not exist."),
                    "400_not_in_alfred" => {
                        (Complaint::NotInArchive, "Bad Request.  The series does not exist in ALFRED")
                    }
                    "400_too_many_vintages" => (Complaint::TooManyVintages, "Bad Request.  There are 2345 vintage"),
                    "429" => (Complaint::Other, "Too Many Requests.  Exceeded Rate Limit"),
                    "500" => (Complaint::Other, "Internal Server Error"),
                    other => panic!("{other}"),
                };
                let (found, said) = complaint(&body);
                assert_eq!(found, expected, "{name}");
                assert!(said.starts_with(begins), "{name}: {said}");
            }
            "fredgraph_DGS10.csv" => {
                let table = graph::parse(&body, "DGS10").unwrap();
                assert_eq!(table.values, [(date(2024, 12, 31), 4.58), (date(2025, 1, 2), 4.57)]);
                assert_eq!(table.refused, [""; 0]);
            }
            "fredgraph_UNRATE_old.csv" => {
                assert_eq!(graph::parse(&body, "UNRATE").unwrap().values, [(date(2024, 1, 1), 3.7)]);
            }
            "observations_GDP_2014Q1_output_type2.json" => {
                let page = observations(&body).unwrap();
                assert_eq!((page.rows.len(), page.refused.len()), (0, 1), "another form, never asked for");
            }
            name if name.starts_with("observations_") => {
                let page = observations(&body).unwrap();
                assert_eq!(page.refused, [""; 0], "{name}");
                let n_values = match name {
                    "observations_UMCSENT_missing.json" | "observations_DGS10_holiday.json" => 2,
                    _ => page.n_rows,
                };
                assert_eq!(page.rows.len(), n_values, "{name}");
                let is_whole = name != "observations_GDPC1_latest.json";
                assert_eq!(page.count == page.n_rows, is_whole, "{name}");
            }
            name if name.starts_with("series_") => assert!(observations(&body).is_err() && releases(&body).is_err()),
            "vintagedates_GNPCA.json" => {
                let days = [date(1958, 12, 21), date(1959, 2, 19), date(1959, 7, 19)];
                assert_eq!(vintage_dates(&body).unwrap().days, days);
            }
            name if name.starts_with("release") => assert_eq!(release_dates(&body).unwrap().days.len(), 3, "{name}"),
            other => panic!("{other} is not expected"),
        }
    }
    eprintln!("{n_files} answers of FRED");
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = (complaint(&bytes), observations(&bytes), vintage_dates(&bytes), release_dates(&bytes), releases(&bytes));
        let _ = graph::parse(&bytes, "GDP");
        let table = [b"observation_date,GDP\n".as_slice(), &bytes].concat();
        let _ = graph::parse(&table, "GDP");
        let _ = sources::daily_csv::parse(&[b"Date,Open,High,Low,Close,Volume\n".as_slice(), &bytes].concat());
    }
}
