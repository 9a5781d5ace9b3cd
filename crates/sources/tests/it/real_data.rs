//! All of the development data, when its folder is there: every row of its manifest comes in but those known to be wrong,
//! and the calendar has the sessions the data have.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::Date;
use market::{AssetClass, AssetKind, BarError, Calendar, Timeframe};
use sources::files::{
    ActionFile, ActionOptions, BarOptions, ColumnMap, DataFile, ObservationFile, ObservationOptions, Reason, find,
};

use super::{now, options, read};

fn data() -> Option<PathBuf> {
    let data = std::env::var_os("AUSPEX_DATA").map(PathBuf::from);
    if data.is_none() {
        eprintln!("skipped: AUSPEX_DATA does not name the folder of the development data");
    }
    data
}

/// How many rows the manifest counts in files whose path starts with `name`.
fn rows_in_manifest(name: &str) -> usize {
    let manifest = std::fs::read_to_string(data().unwrap().join("MANIFEST.csv")).unwrap();
    let rows = |line: &str| line.split(',').nth(2).unwrap().parse::<usize>().unwrap();
    manifest.lines().filter(|line| line.starts_with(name)).map(rows).sum()
}

/// For each trading date, how many series have a bar.
type Sessions = BTreeMap<Date, usize>;

/// Imports a folder or file of bars, and checks that exactly `n_refused` rows of its manifest were refused.
fn import(name: &str, options: &BarOptions, timeframe: Timeframe, n_refused: usize) -> Option<Sessions> {
    let (mut n_bars, mut refused, mut sessions) = (0, Vec::new(), Sessions::new());
    for file in find(&[data()?.join(name)]).unwrap() {
        let read = read(&file.path, options).unwrap();
        n_bars += read.n_bars();
        refused.extend(read.refused);
        for batch in &read.batches {
            assert_eq!(batch.timeframe, timeframe, "{}", file.path.display());
            let calendar = Calendar::of(batch.asset.class());
            for bar in &batch.bars {
                *sessions.entry(calendar.trading_date(bar.open_time)).or_default() += 1;
            }
        }
    }
    eprintln!("{name}: {n_bars} bars kept, {} refused", refused.len());
    let reasons: Vec<String> = refused.iter().map(|q| format!("{}: {} ({})", q.line, q.reason, q.raw)).collect();
    assert_eq!(refused.len(), n_refused, "{name}: {reasons:#?}");
    assert_eq!(n_bars + refused.len(), rows_in_manifest(name), "{name}");
    Some(sessions)
}

#[test]
fn every_bar_of_the_coins_comes_in() {
    import("crypto_1d", &options(), Timeframe::D1, 0);
    import("crypto_1h", &options(), Timeframe::H1, 0);
    import("crypto_15m", &options(), Timeframe::M15, 0);
    let perpetuals = BarOptions { class: Some(AssetClass::Crypto), ..options() };
    import("crypto_1m", &perpetuals, Timeframe::M1, 0);
    import("crypto_5m", &perpetuals, Timeframe::M5, 0);
}

#[test]
fn every_bar_of_the_stocks_comes_in_and_every_session_has_bars() {
    for name in ["stocks_daily/", "etf_daily/", "stocks_daily_raw/", "stocks_daily_with_adj/"] {
        let Some(sessions) = import(name, &options(), Timeframe::D1, 0) else { return };
        check_sessions(name, &sessions, &[]);
    }
}

/// 47 rows as published have a high or low beyond which other prices lie, and one names 2004-06-11, when the exchange was
/// closed for a day of mourning and the index did not move.
#[test]
fn the_volatility_index_lacks_only_its_published_faults() {
    let Some(data) = data() else { return };
    let index = BarOptions { kind: Some(AssetKind::Index), ..options() };
    let read = read(&data.join("macro/VIX_daily.csv.gz"), &index).unwrap();
    let (prices, closed): (Vec<_>, Vec<_>) = read
        .refused
        .iter()
        .partition(|q| matches!(q.reason, Reason::Bar(BarError::High { .. } | BarError::Low { .. })));
    let closed: Vec<String> = closed.iter().map(|q| q.reason.to_string()).collect();
    assert_eq!((prices.len(), closed.as_slice()), (47, &["2004-06-11 is not a trading day of VIX".to_owned()][..]));
    let mut sessions = Sessions::new();
    for bar in read.batches.iter().flat_map(|batch| &batch.bars) {
        sessions.insert(Calendar::Nyse.trading_date(bar.open_time), 1);
    }
    let never_published = ["1991-03-01", "1997-01-31", "1997-11-26", "1999-12-31"];
    let faulty = prices.iter().map(|q| &q.raw[4..14]);
    let mut absent: Vec<Date> = faulty.chain(never_published).map(|day| day.parse().unwrap()).collect();
    absent.sort_unstable();
    check_sessions("VIX", &sessions, &absent);
}

/// Every session of the calendar, from the first to the last with bars, has a bar of most series that had begun.
fn check_sessions(name: &str, sessions: &Sessions, absent: &[Date]) {
    let mut most = 0;
    let (mut day, last) = (*sessions.keys().next().unwrap(), *sessions.keys().next_back().unwrap());
    let mut missing = Vec::new();
    while day <= last {
        let n = sessions.get(&day).copied().unwrap_or(0);
        if Calendar::Nyse.day(day).is_some() && 2 * n <= most {
            missing.push(day);
        }
        most = most.max(n);
        day = day.tomorrow().unwrap();
    }
    assert_eq!(missing, absent, "{name}");
}

#[test]
fn every_observation_comes_in() {
    for name in ["macro/fred_latest", "macro/fred_md_vintages", "macro/philly_fed_rtdsm_vintages"] {
        let Some(data) = data() else { return };
        let file = DataFile::at(&data.join(format!("{name}.csv.gz"))).unwrap();
        let options = ObservationOptions { series: Vec::new(), columns: ColumnMap::default(), fetched_at: now() };
        let mut reader = ObservationFile::open(&file, &options).unwrap();
        let (mut n, mut refused) = (0, Vec::new());
        while let Some(batch) = reader.next_batch(&mut |q| refused.push(q)).unwrap() {
            assert_eq!(batch.has_vintages, name.ends_with("vintages"));
            n += batch.observations.len();
        }
        eprintln!("{name}: {n} observations kept, {} refused", refused.len());
        assert_eq!((n, refused.as_slice()), (rows_in_manifest(name), &[][..]), "{name}");
    }
}

#[test]
fn every_action_comes_in() {
    let Some(data) = data() else { return };
    for file in find(&[data.join("corporate_actions")]).unwrap() {
        let (known, columns) = (options().known, ColumnMap::default());
        let options = ActionOptions { known, symbols: Vec::new(), columns, now: now() };
        let mut reader = ActionFile::open(&file, &options).unwrap();
        let (mut n, mut refused) = (0, Vec::new());
        while let Some(batch) = reader.next_batch(&mut |q| refused.push(q)).unwrap() {
            n += batch.actions.len();
        }
        let name = format!("corporate_actions/{}", file.path.file_name().unwrap().to_str().unwrap());
        eprintln!("{name}: {n} actions kept, {} refused", refused.len());
        assert_eq!((n, refused.as_slice()), (rows_in_manifest(&name), &[][..]), "{name}");
    }
}
