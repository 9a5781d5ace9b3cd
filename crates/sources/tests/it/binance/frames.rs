//! Recorded frames and answers, when their folders are there: each becomes something, or is refused and counted.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use market::Timeframe;
use sources::binance::{Message, parse_klines, parse_message};

pub(super) fn folder(variable: &str, name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(|folder| PathBuf::from(folder).join(name));
    if folder.is_none() {
        eprintln!("skipped: {variable} does not name a folder");
    }
    folder
}

type Counts = BTreeMap<String, usize>;

fn count(text: &str, counts: &mut Counts) {
    parse_message(text.as_bytes(), |message| {
        let kind = match message {
            Ok(Message::Closed { timeframe, .. }) => format!("closed {timeframe}"),
            Ok(Message::Price { .. }) => "price".to_owned(),
            Ok(Message::Shutdown) => "shutdown".to_owned(),
            Ok(Message::Reply { complaint, .. }) => format!("reply, complains: {}", complaint.is_some()),
            Ok(Message::Ignored(what)) => format!("ignored {what}"),
            Err(refusal) => {
                eprintln!("refused: {}", refusal.reason);
                "refused".to_owned()
            }
        };
        *counts.entry(kind).or_default() += 1;
    });
}

fn check(name: &str, counts: &Counts, expected: &[(&str, usize)]) {
    eprintln!("{name}: {counts:?}");
    let counts: Vec<_> = counts.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(counts, expected, "{name}");
}

#[test]
fn every_recorded_frame_is_understood() {
    let Some(folder) = folder("AUSPEX_DATA", "ws_captures") else { return };
    let count_file = |name: &str| {
        let mut text = String::new();
        MultiGzDecoder::new(std::fs::File::open(folder.join(name)).unwrap()).read_to_string(&mut text).unwrap();
        let mut counts = Counts::new();
        for line in text.lines() {
            // `<unix seconds>: <message>`; the first line is the address.
            if let Some((time, message)) = line.split_once(": ")
                && time.parse::<f64>().is_ok()
            {
                count(message, &mut counts);
            }
        }
        counts
    };
    let spot = count_file("BINANCE.ws.1.0.txt.gz");
    let expected = [("ignored bookTicker", 84), ("ignored depthUpdate", 177), ("ignored running bar", 2), ("price", 2)];
    check("spot", &spot, &expected);
    let futures = count_file("BINANCE_FUTURES.ws.1.0.txt.gz");
    let expected = [
        ("closed 1m", 4),
        ("ignored bookTicker", 613),
        ("ignored depthUpdate", 764),
        ("ignored running bar", 63),
        ("price", 91),
    ];
    check("futures", &futures, &expected);
}

#[test]
fn every_frame_of_the_wire_is_understood() {
    let Some(folder) = folder("AUSPEX_WIRE", "fixtures/binance") else { return };
    let count_file = |name: &str| {
        let mut counts = Counts::new();
        for line in std::fs::read_to_string(folder.join(name)).unwrap().lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            // Pairs of a request and its answer, and messages as they are.
            let message = value.get("recv").or_else(|| value.get("combined_shutdown")).unwrap_or(&value);
            count(&message.to_string(), &mut counts);
        }
        counts
    };
    let expected = [("ignored bookTicker", 3), ("ignored running bar", 2), ("price", 2)];
    check("combined", &count_file("ws_combined_recorded.jsonl"), &expected);
    let expected = [("ignored bookTicker", 1), ("ignored running bar", 1), ("price", 5), ("shutdown", 1)];
    check("raw", &count_file("ws_raw_documented.jsonl"), &expected);
    let expected = [("reply, complains: false", 5), ("reply, complains: true", 6), ("shutdown", 1)];
    check("control", &count_file("ws_control_pairs.jsonl"), &expected);
    check("us", &count_file("ws_kline_us_with_close.jsonl"), &[("closed 1m", 1), ("ignored running bar", 4)]);
}

#[test]
fn every_recorded_row_comes_in() {
    let Some(folder) = folder("AUSPEX_WIRE", "fixtures/binance") else { return };
    let check = |name: &str, n_rows: usize| {
        let rows = parse_klines(&std::fs::read(folder.join(name)).unwrap(), Timeframe::M1).unwrap();
        assert_eq!(rows.iter().filter(|row| row.as_ref().is_ok_and(|row| row.repaired.is_none())).count(), n_rows);
        assert_eq!(rows.len(), n_rows, "{name}");
        eprintln!("{name}: {n_rows} rows");
    };
    check("rest_klines_1m_BTCUSDT.json", 10);
    check("rest_klines_gap_2020-11-30.json", 2);
    check("rest_klines_zero_volume.json", 1);
}
