//! Yahoo's known faults: put right, set aside, and above all not seen where there are none.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use market::RemarkKind;
use sources::yahoo::faults::{Beside, Payout, Ratio, Row, check_dividends, repair};

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Days from 2 January 2024 on, weekends or not: the detectors do not ask for sessions.
fn rows(closes: &[f64]) -> Vec<Row> {
    let mut date = day("2024-01-02");
    let mut next = || {
        let today = date;
        date = date.tomorrow().unwrap();
        today
    };
    let row = |close: &f64| {
        let (high, low) = (close * 1.01, close * 0.99);
        let adjusted = Some(*close);
        Row { date: next(), open: *close, high, low, close: *close, volume: 1000.0, adjusted, finding: None }
    };
    closes.iter().map(row).collect()
}

/// The closes after repair, each with `=` when untouched, `!` when put right, `?` when set aside.
fn verdicts(rows: &[Row]) -> String {
    let verdict = |row: &Row| {
        let mark = match row.finding.as_ref().map(|finding| finding.kind) {
            None => '=',
            Some(RemarkKind::Repaired) => '!',
            Some(_) => '?',
        };
        format!("{mark}{}", (row.close * 1000.0).round() / 1000.0)
    };
    rows.iter().map(verdict).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(closes: &[f64], beside: &Beside, expected: &str) {
    let mut rows = rows(closes);
    repair(&mut rows, beside);
    assert_eq!(verdicts(&rows), expected);
}

fn split(ex_date: &str, shares: f64) -> Beside {
    let splits = vec![Ratio { ex_date: day(ex_date), shares }];
    Beside { splits, ..Beside::default() }
}

#[test]
fn good_rows_are_left_alone() {
    check(&[10.0, 11.0, 9.0, 12.0, 7.0, 13.0], &Beside::default(), "=10 =11 =9 =12 =7 =13");
    check(&[10.0, 11.0, 9.0, 12.0], &split("2024-01-04", 2.0), "=10 =11 =9 =12");
    check(&[], &Beside::default(), "");
    check(&[1.0], &split("2024-01-02", 2.0), "=1");
}

#[test]
fn a_hundred_times_too_much_is_divided_where_neighbours_agree() {
    let dollars = Beside::default();
    let pence = Beside { hundredths: true, ..Beside::default() };
    check(&[10.0, 1010.0, 10.2, 10.1], &dollars, "=10 !10.1 =10.2 =10.1");
    check(&[10.0, 0.101, 10.2, 10.1], &dollars, "=10 !10.1 =10.2 =10.1");
    check(&[10.0, 1010.0, 1020.0, 10.3, 10.1, 10.2], &dollars, "=10 !10.1 !10.2 =10.3 =10.1 =10.2");
    // A step that stays may be anything in dollars; where prices are quoted in pence it is a change of unit.
    check(&[1000.0, 1010.0, 10.2, 10.3, 10.1], &dollars, "?1000 ?1010 =10.2 =10.3 =10.1");
    check(&[1000.0, 1010.0, 10.2, 10.3, 10.1], &pence, "!10 !10.1 =10.2 =10.3 =10.1");
    // The newest row alone may be the beginning of something.
    check(&[10.0, 10.1, 10.2, 1030.0], &pence, "=10 =10.1 =10.2 ?1030");
}

#[test]
fn rows_that_jump_all_the_time_are_judged_once_each() {
    let closes: Vec<f64> = (0..40_000).map(|at| if at % 4 < 2 { 10.0 } else { 1000.0 }).collect();
    let mut rows = rows(&closes);
    repair(&mut rows, &Beside::default());
    // The newest level is right, whatever is between rows of it is put right; what came first stays in doubt.
    assert_eq!(verdicts(&rows[..5]), "?10 ?10 =1000 =1000 !1000");
    assert!(rows[2..].iter().all(|row| (row.close - 1000.0).abs() < 1e-6));
}

#[test]
fn a_single_wrong_price_of_a_row_is_put_right() {
    let mut rows = rows(&[58.0, 58.5, 58.1]);
    rows[1].open = 58.5;
    rows[1].high = 61.5;
    (rows[1].low, rows[1].close) = (0.6, 0.6);
    repair(&mut rows, &Beside::default());
    let row = &rows[1];
    assert_eq!((row.open, row.high, row.low, row.close), (58.5, 61.5, 58.5, 60.0));
    assert_eq!(row.finding.as_ref().unwrap().kind, RemarkKind::Repaired);
}

#[test]
fn rows_before_a_split_that_was_not_applied_are_put_in_its_terms() {
    check(&[40.0, 41.0, 40.5, 10.2, 10.1], &split("2024-01-05", 4.0), "!10 !10.25 !10.125 =10.2 =10.1");
    check(&[4.0, 4.1, 4.05, 40.2, 41.0], &split("2024-01-06", 0.1), "!40 !41 !40.5 =40.2 =41");
    check(&[10.0, 41.0, 10.2, 10.1], &split("2024-01-04", 4.0), "=10 !10.25 =10.2 =10.1");
    check(&[10.0, 2.5, 10.2, 10.1], &split("2024-01-04", 4.0), "=10 !10 =10.2 =10.1");
    // An open-ended fall by a reverse split's size may have happened.
    check(&[40.0, 41.0, 40.5, 4.0, 4.1], &split("2024-01-05", 0.1), "?40 ?41 ?40.5 =4 =4.1");
    // Nobody can tell yet.
    check(&[40.0, 41.0], &split("2024-01-05", 4.0), "?40 ?41");
    // Far from the split a step of its size is something else.
    let far = Beside { splits: vec![Ratio { ex_date: day("2024-03-01"), shares: 4.0 }], ..Beside::default() };
    let mut long = rows(&[[40.0; 10].as_slice(), &[10.0; 80]].concat());
    repair(&mut long, &far);
    assert!(long.iter().all(|row| row.finding.is_none()));
}

#[test]
fn a_split_that_was_not_applied_changes_volumes_too() {
    let mut rows = rows(&[40.0, 41.0, 10.2, 10.1]);
    repair(&mut rows, &split("2024-01-04", 4.0));
    let volumes: Vec<f64> = rows.iter().map(|row| row.volume).collect();
    assert_eq!(volumes, [4000.0, 4000.0, 1000.0, 1000.0]);
}

#[test]
fn what_a_dividend_explains_is_no_split() {
    let mut beside = split("2024-01-04", 0.5);
    beside.dividends = vec![Payout { ex_date: day("2024-01-04"), amount: 5.0, finding: None }];
    check(&[10.0, 10.0, 5.0, 5.1], &beside, "=10 =10 =5 =5.1");
}

#[test]
fn prices_that_contradict_each_other_are_set_aside() {
    let mut rows = rows(&[10.0, 10.1, 10.2]);
    rows[1].high = 10.0;
    rows[2].high = 10.2 * (1.0 - 1e-7);
    repair(&mut rows, &Beside::default());
    assert_eq!(verdicts(&rows), "=10 ?10.1 =10.2");
    assert!(rows[2].high >= rows[2].close);
}

#[track_caller]
fn check_paid(rows: &[Row], amounts: &[(&str, f64)], expected: &str) {
    let payout = |(ex_date, amount): &(&str, f64)| Payout { ex_date: day(ex_date), amount: *amount, finding: None };
    let mut paid: Vec<Payout> = amounts.iter().map(payout).collect();
    check_dividends(&mut paid, rows);
    let verdict = |paid: &Payout| match paid.finding.as_ref().map(|finding| finding.kind) {
        None => format!("={}", paid.amount),
        Some(RemarkKind::Repaired) => format!("!{}", paid.amount),
        Some(_) => format!("?{}", paid.amount),
    };
    assert_eq!(paid.iter().map(verdict).collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn dividends_are_held_against_prices_and_adjusted_closes() {
    let mut adjusted = rows(&[100.0, 100.0, 99.0, 99.0]);
    for row in &mut adjusted[..2] {
        row.adjusted = Some(99.0);
    }
    check_paid(&adjusted, &[("2024-01-04", 1.0)], "=1");
    check_paid(&adjusted, &[("2024-01-04", 100.0)], "!1");
    check_paid(&adjusted, &[("2024-01-04", 0.01)], "!1");
    check_paid(&adjusted, &[("2024-01-04", 150.0)], "?150");
    check_paid(&adjusted, &[("2024-01-04", 40.0)], "?40");
    // Nothing was taken off the adjusted closes: the dividend stands, and it is said.
    check_paid(&rows(&[100.0, 100.0, 99.0, 99.0]), &[("2024-01-04", 1.0)], "!1");
    // Told twice: the one whose session fell stands.
    check_paid(&adjusted, &[("2024-01-04", 1.0), ("2024-01-05", 1.05)], "=1 ?1.05");
    check_paid(&[], &[("2024-01-04", 1.0)], "=1");
}

fn data() -> Option<PathBuf> {
    let data = std::env::var_os("AUSPEX_DATA").map(PathBuf::from);
    if data.is_none() {
        eprintln!("skipped: AUSPEX_DATA does not name the folder of the development data");
    }
    data
}

/// A file as Yahoo's clients keep it, ascending by stamp; rows without prices are left out.
struct Series {
    rows: Vec<(String, Row)>,
    splits: Vec<Ratio>,
    dividends: Vec<Payout>,
}

fn series(path: &Path) -> Series {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |names: &[&str]| headers.iter().position(|header| names.contains(&header));
    let columns = [
        column(&["Open", "open"]).unwrap(),
        column(&["High", "high"]).unwrap(),
        column(&["Low", "low"]).unwrap(),
        column(&["Close", "close"]).unwrap(),
        column(&["Volume", "volume"]).unwrap(),
        column(&["Adj Close", "adj_close"]).unwrap(),
    ];
    let stamp = column(&["Date", "Datetime", "timestamp"]).unwrap();
    let events = [column(&["Stock Splits"]), column(&["Dividends"])];
    let mut series = Series { rows: Vec::new(), splits: Vec::new(), dividends: Vec::new() };
    for record in reader.records() {
        let record = record.unwrap();
        let number = |at: usize| record[at].parse().unwrap_or(f64::NAN);
        let [open, high, low, close, volume, adjusted] = columns.map(number);
        let date = day(&record[stamp][..10]);
        let [shares, amount] = events.map(|at| at.map_or(0.0, number));
        if shares > 0.0 {
            series.splits.push(Ratio { ex_date: date, shares });
        }
        if amount > 0.0 {
            series.dividends.push(Payout { ex_date: date, amount, finding: None });
        }
        if [open, high, low, close].iter().all(|price| *price > 0.0) {
            let adjusted = Some(adjusted).filter(|adjusted| *adjusted > 0.0);
            let volume = if volume.is_finite() { volume } else { 0.0 };
            let row = Row { date, open, high, low, close, volume, adjusted, finding: None };
            series.rows.push((record[stamp].to_owned(), row));
        }
    }
    series.rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    series.splits.sort_by_key(|split| split.ex_date);
    series.dividends.sort_by_key(|paid| paid.ex_date);
    series
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-3 * a.abs().max(b.abs())
}

fn same_prices(a: &Row, b: &Row) -> bool {
    same(a.open, b.open) && same(a.high, b.high) && same(a.low, b.low) && same(a.close, b.close)
}

/// Of rows of prices, or of dividends.
#[derive(Debug, Default, PartialEq, Clone, Copy)]
struct Tally {
    /// Those that differ from the good ones.
    differ: usize,
    /// Those put right as the good ones.
    repaired: usize,
    /// Those that differ and were set aside.
    aside: usize,
    /// Those that differ and were left, or put right differently.
    missed: usize,
    /// Good ones that were changed.
    false_repairs: usize,
    /// Good ones that were set aside.
    false_asides: usize,
}

impl Tally {
    fn count(&mut self, differed: bool, is_same: bool, is_aside: bool) {
        self.differ += usize::from(differed);
        self.repaired += usize::from(differed && is_same && !is_aside);
        self.aside += usize::from(differed && is_aside);
        self.missed += usize::from(differed && !is_same && !is_aside);
        self.false_repairs += usize::from(!differed && !is_same && !is_aside);
        self.false_asides += usize::from(!differed && is_aside);
    }
}

fn is_aside(finding: Option<&sources::yahoo::faults::Finding>) -> bool {
    finding.is_some_and(|finding| finding.kind == RemarkKind::Quarantined)
}

fn tally(faulty: &Series, good: &Series, hundredths: bool) -> (Tally, Tally) {
    let mut rows: Vec<Row> = faulty.rows.iter().map(|(_, row)| row.clone()).collect();
    let (splits, dividends) = (faulty.splits.clone(), faulty.dividends.clone());
    repair(&mut rows, &Beside { splits, dividends, hundredths });
    let good_rows: BTreeMap<&String, &Row> = good.rows.iter().map(|(stamp, row)| (stamp, row)).collect();
    let mut prices = Tally::default();
    for ((stamp, before), after) in faulty.rows.iter().zip(&rows) {
        let Some(good) = good_rows.get(stamp) else { continue };
        let volume = |a: &Row, b: &Row| same(a.volume, b.volume) || (a.volume - b.volume).abs() <= 1.0;
        let is_same = same_prices(after, good) && (volume(after, good) || volume(after, before));
        prices.count(!same_prices(before, good), is_same, is_aside(after.finding.as_ref()));
    }
    let mut paid = Tally::default();
    let mut checked = faulty.dividends.clone();
    check_dividends(&mut checked, &rows);
    for (before, after) in faulty.dividends.iter().zip(&checked) {
        let good = good.dividends.iter().find(|good| good.ex_date == before.ex_date).map_or(0.0, |good| good.amount);
        let is_same = same(after.amount, good);
        paid.count(!same(before.amount, good), is_same, is_aside(after.finding.as_ref()));
    }
    (prices, paid)
}

/// Of each recorded file: rows that differ from those put right by others, how many of them are put right here and how
/// many set aside; the same of its dividends.
const RECORDED: [(&str, [usize; 3], [usize; 3]); 15] = [
    ("4063-T-1d-bad-stock-split", [9, 9, 0], [0, 0, 0]),
    ("8TRA-DE-1d-missing-div-adjust", [0, 0, 0], [0, 0, 0]),
    ("AET-L-1d-100x-error", [14, 14, 0], [0, 0, 0]),
    ("ALPHA-PA-1d-bad-stock-split", [1, 1, 0], [0, 0, 0]),
    ("ASAI-L-1h-bad-unit", [1, 1, 0], [0, 0, 0]),
    // Weeks are never asked for: a dividend and a small split in one row cannot be told apart.
    ("AV-L-1wk-bad-stock-split", [1, 0, 0], [0, 0, 0]),
    ("CNE-L-1d-bad-stock-split", [1, 1, 0], [0, 0, 0]),
    ("DEX-AX-1d-bad-stock-split", [15, 15, 0], [0, 0, 0]),
    ("EA-15m-no-bad-divs", [0, 0, 0], [0, 0, 0]),
    ("KAP-IL-1d-bad-div", [0, 0, 0], [1, 0, 1]),
    ("LA-V-1d-bad-stock-split", [1, 1, 0], [0, 0, 0]),
    ("MOB-ST-1d-bad-stock-split", [1, 1, 0], [0, 0, 0]),
    // One dividend has no adjusted closes around it to say what was meant.
    ("REL-L-1d-bad-div", [0, 0, 0], [6, 5, 1]),
    // A fall by the size of the split a week after it: by the prices alone it could have happened.
    ("SPM-MI-1d-bad-stock-split", [13, 0, 13], [0, 0, 0]),
    // Four rows are a hundred times off and contradict themselves too.
    ("SSW-JO-1d-100x-error", [22, 18, 4], [0, 0, 0]),
];

/// Known faults, recorded, each beside the same rows put right by others.
#[test]
fn recorded_faults_are_found() {
    let Some(data) = data() else { return };
    let n_files = std::fs::read_dir(data.join("faults")).unwrap().count();
    assert_eq!(n_files, 29, "each file is in the table, and all but one have a twin");
    for (name, rows, dividends) in RECORDED {
        let file = |name: &str| data.join(format!("faults/{name}.csv.gz"));
        let faulty = series(&file(name));
        let twin = file(&format!("{name}-fixed"));
        let good = if twin.exists() { series(&twin) } else { series(&file(name)) };
        let hundredths = ["-L-", "-JO-"].iter().any(|market| name.contains(market));
        let (prices, paid) = tally(&faulty, &good, hundredths);
        eprintln!("{name}: rows {prices:?}; dividends {paid:?}");
        assert_eq!([prices.differ, prices.repaired, prices.aside], rows, "{name}");
        assert_eq!([paid.differ, paid.repaired, paid.aside], dividends, "{name}");
        assert_eq!((prices.false_repairs, paid.false_repairs, paid.false_asides), (0, 0, 0), "{name}");
        // Of good rows, and of all rows of the twin, those alone are set aside that contradict themselves.
        let (clean, clean_paid) = tally(&good, &good, hundredths);
        assert_eq!((clean.false_repairs, clean_paid), (0, Tally::default()), "{name}");
        let contradicts = |row: &Row| row.high.max(row.close).max(row.open) > row.high * (1.0 + 1e-5);
        let n_contradict =
            good.rows.iter().filter(|(_, row)| contradicts(row) || row.low > row.open.min(row.close) * (1.0 + 1e-5));
        assert_eq!(clean.false_asides, n_contradict.count(), "{name}");
    }
}

fn shared_splits(data: &Path) -> BTreeMap<String, Vec<Ratio>> {
    let text = std::fs::read_to_string(data.join("corporate_actions/splits.csv")).unwrap();
    let mut splits: BTreeMap<String, Vec<Ratio>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let shares: f64 = fields[2].parse::<f64>().unwrap() / fields[3].parse::<f64>().unwrap();
        splits.entry(fields[0].to_owned()).or_default().push(Ratio { ex_date: day(fields[1]), shares });
    }
    splits
}

/// Two decades of good series, adjusted for splits: nothing is found in them, whether splits are known or not.
#[test]
fn good_series_are_left_alone() {
    let Some(data) = data() else { return };
    let splits = shared_splits(&data);
    let (mut n_rows, mut found) = (0, Vec::new());
    for folder in ["stocks_daily_with_adj", "stocks_daily", "etf_daily", "crypto_1d"] {
        for entry in std::fs::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let symbol = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".csv.gz").to_owned();
            let mut rows: Vec<Row> = series(&path).rows.into_iter().map(|(_, row)| row).collect();
            let mut splits = splits.get(&symbol).cloned().unwrap_or_default();
            splits.retain(|split| split.ex_date > rows[0].date);
            let before = rows.clone();
            repair(&mut rows, &Beside { splits, hundredths: true, ..Beside::default() });
            n_rows += rows.len();
            let touched = rows.iter().zip(&before).filter(|(after, before)| after != before);
            found.extend(touched.map(|(after, _)| format!("{folder}/{symbol} {}: {:?}", after.date, after.finding)));
        }
    }
    eprintln!("{n_rows} good rows, {} touched", found.len());
    assert!(found.is_empty(), "{found:#?}");
}

/// Series as traded, told together with their splits: exactly as if the splits had not been applied.
#[test]
fn splits_in_raw_series_are_all_found() {
    let Some(data) = data() else { return };
    let splits = shared_splits(&data);
    let mut n_splits = 0;
    for entry in std::fs::read_dir(data.join("stocks_daily_raw")).unwrap() {
        let path = entry.unwrap().path();
        let symbol = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".csv.gz").to_owned();
        let before: Vec<Row> = series(&path).rows.into_iter().map(|(_, row)| row).collect();
        let mut rows = before.clone();
        let (first, last) = (rows[0].date, rows[rows.len() - 1].date);
        let mut splits = splits.get(&symbol).cloned().unwrap_or_default();
        splits.retain(|split| first < split.ex_date && split.ex_date <= last);
        n_splits += splits.len();
        repair(&mut rows, &Beside { splits: splits.clone(), ..Beside::default() });
        for (after, before) in rows.iter().zip(&before) {
            let shares: f64 =
                splits.iter().filter(|split| split.ex_date > before.date).map(|split| split.shares).product();
            assert!(same(after.close * shares, before.close), "{symbol} {}: {after:?}", before.date);
            assert!(!is_aside(after.finding.as_ref()), "{symbol} {}: {after:?}", before.date);
        }
    }
    eprintln!("{n_splits} splits found");
    assert_eq!(n_splits, 10);
}
