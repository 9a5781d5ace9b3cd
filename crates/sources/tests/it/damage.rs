//! Files that are damaged, cut short or not what their name says.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sources::files::{QuarantineLog, find};

use super::{options, read_bytes};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Hourly bars whose prices repeat as little as real ones, so that a cut archive still holds many whole lines.
fn rows(n: usize) -> String {
    let day = |i: usize| 1 + i / 24 % 28;
    let line = |i: usize| {
        let price = 1000.0 + ((i * 7919) % 997) as f64 / 7.0;
        format!("BTCUSDT,2020-01-{:02}T{:02}:00:00Z,{price},{price},{price},{price},{}\n", day(i), i % 24, i * 31 % 89)
    };
    let lines: String = (0..n).map(line).collect();
    format!("symbol,timestamp,open,high,low,close,volume\n{lines}")
}

/// A coin's hours in several members, as appending with `gzip >>` leaves them.
fn members() -> Vec<u8> {
    let text = rows(100);
    let (head, tail) = text.split_at(text.len() / 3);
    [gzip(head.as_bytes()), gzip(tail.as_bytes())].concat()
}

#[test]
fn an_archive_of_several_members_is_one_file() {
    let read = read_bytes("bars.csv.gz", &members(), &options()).unwrap();
    assert_eq!((read.n_bars(), read.refused.len()), (100, 0));
}

#[test]
fn nothing_of_a_cut_or_lengthened_archive_is_kept() {
    let whole = members();
    let first = gzip(&rows(100).as_bytes()[..rows(100).len() / 3]).len();
    // Between its members nothing tells that there was a second one; the half line is then the only trace.
    for length in (0..whole.len()).filter(|length| *length != first) {
        assert!(read_bytes("bars.csv.gz", &whole[..length], &options()).is_err(), "{length} of {}", whole.len());
    }
    for tail in [&b"and then something else"[..], b"\0", b"\x1f\x8b"] {
        check("bars.csv.gz", &[&whole[..], tail].concat(), "is damaged or cut short");
    }
}

#[test]
fn nothing_of_an_archive_with_one_flipped_bit_is_kept() {
    let whole = gzip(rows(300).as_bytes());
    // What a member's first ten bytes say about its making is not covered by the checksum.
    for at in (10..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(read_bytes("bars.csv.gz", &bytes, &options()).is_err(), "byte {at}");
    }
}

#[test]
fn nothing_of_a_cut_or_changed_parquet_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.parquet");
    super::formats::write_sample(&path);
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(13) {
        assert!(read_bytes("bars.parquet", &whole[..length], &options()).is_err(), "{length}");
    }
    for at in (4..1000).step_by(200) {
        let mut bytes = whole.clone();
        bytes[at..at + 200].fill(0xff);
        assert!(read_bytes("bars.parquet", &bytes, &options()).is_err(), "{at}");
    }
}

/// A whole file is refused, and its error says why.
fn check(name: &str, bytes: &[u8], reason: &str) {
    let error = read_bytes(name, bytes, &options()).map(|read| read.refused).unwrap_err();
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(&error) {
        text = format!("{text}: {cause}");
    }
    assert!(text.contains(reason), "{text}");
}

#[test]
fn what_is_no_file_of_bars_is_refused_whole() {
    check("bars.csv", b"", "has no column \"timestamp\" for timestamp; it has no header at all");
    check("bars.csv", b"symbol,timestamp,open,high,low,close\n", "has no column \"volume\" for volume");
    check("bars.csv", b"\xff\xfe,b\n", "invalid utf-8");
    check("bars.csv", b"\"symbol,timestamp\n", "a quoted field does not end where it should");
    check("bars.csv", &[b'x'; 100_000], "too long");
    check("bars.csv.gz", b"symbol,timestamp\n", "gzip");
    check("bars.parquet", b"PAR1 and nothing else", "header");
    check("bars.parquet", b"", "header");
    check("bars.xlsx", b"", "files ending in \".xlsx\" are not understood");
    check("bars", b"", "files ending in \"\" are not understood");
    let one = "symbol,timestamp,open,high,low,close,volume\nX,2020-01-02,1,1,1,1,1\n";
    check("bars.csv", one.as_bytes(), "no two bars follow each other; name the timeframe");
    let odd = format!("{one}X,2020-01-02T00:00:17Z,1,1,1,1,1\n");
    check("bars.csv", odd.as_bytes(), "most bars are 17s apart; name the timeframe");
}

#[test]
fn a_header_alone_is_an_empty_file() {
    let read = read_bytes("bars.csv", b"symbol,timestamp,open,high,low,close,volume", &options()).unwrap();
    assert_eq!((read.n_bars(), read.refused.len()), (0, 0));
}

#[test]
fn paths_are_found_in_order_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("b/deep")).unwrap();
    std::fs::create_dir_all(root.join("empty")).unwrap();
    for name in ["c.csv", "b/deep/x.CSV.GZ", "a.parquet", "b/notes.txt", "b/a.csv"] {
        std::fs::write(root.join(name), b"1234").unwrap();
    }
    let found = find(&[root]).unwrap();
    let names: Vec<_> = found.iter().map(|f| f.path.strip_prefix(root).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.parquet", "b/a.csv", "b/deep/x.CSV.GZ", "c.csv"]);
    assert!(found.iter().all(|file| file.size_bytes == 4));
    for (path, reason) in [
        ("b/notes.txt", "\".txt\" are not understood"),
        ("empty", "holds no .csv, .csv.gz or .parquet file"),
        ("nowhere", "failed to open"),
    ] {
        let error = find(&[root.join(path)]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_log_of_refusals_is_bounded_and_counts_on() {
    let text = format!("{}{}", rows(2), "BTCUSDT,never,1,1,1,1,1\n".repeat(50));
    let read = read_bytes("bars.csv", text.as_bytes(), &options()).unwrap();
    let mut log = QuarantineLog::new(7);
    read.refused.into_iter().for_each(|quarantine| log.push(quarantine));
    assert_eq!((log.entries().len(), log.total()), (7, 50));
    assert_eq!(log.entries()[0].line, 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_hides_no_file() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"bt\xff.csv"));
    std::fs::write(&path, rows(3)).unwrap();
    assert_eq!(find(&[folder.path()]).unwrap()[0].path, path);
    assert_eq!(super::read(&path, &options()).unwrap().n_bars(), 3);
}
