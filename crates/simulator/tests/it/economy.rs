//! Macro series: releases, vintages, revisions.

use std::collections::BTreeMap;

use jiff::civil::Date;
use market::{AssetKind, Observation};
use simulator::PlannedKind;

use super::{days, of_kind, place, sample};

/// All rows of a series in order of release.
fn rows(symbol: &str) -> Vec<Observation> {
    let (market, steps) = sample();
    let asset = place(market, symbol);
    steps.iter().flat_map(|step| &step.observations).filter(|row| row.0 == asset).map(|row| row.1.clone()).collect()
}

/// What was known of each period, at each moment only one value.
#[test]
fn vintages_follow_each_other_without_gap_or_overlap() {
    let (market, _) = sample();
    for asset in of_kind(market, &[AssetKind::Series]) {
        let symbol = market.assets()[asset].symbol.as_str();
        let mut current: BTreeMap<Date, Observation> = BTreeMap::new();
        let rows = rows(symbol);
        for row in &rows {
            assert!(row.realtime_start > row.ref_period, "{symbol} {row:?}");
            match (current.get(&row.ref_period), row.realtime_end) {
                // The end of the current vintage is said just before the next one begins.
                (Some(old), Some(end)) => {
                    assert_eq!(*row, Observation { realtime_end: Some(end), ..old.clone() }, "{symbol}");
                    current.insert(row.ref_period, row.clone());
                }
                (Some(old), None) => {
                    assert_eq!(old.realtime_end, Some(row.realtime_start), "{symbol}");
                    assert!(old.known_at < row.known_at && old.value != row.value, "{symbol} {old:?} {row:?}");
                    current.insert(row.ref_period, row.clone());
                }
                (None, end) => {
                    assert_eq!(end, None, "{symbol} {row:?}");
                    current.insert(row.ref_period, row.clone());
                }
            }
        }
        assert!(current.values().all(|row| row.realtime_end.is_none()), "{symbol}");
        let n_months = if symbol == "GDP" { 75 } else { 235 };
        assert!(current.len() > n_months, "{symbol}: {} periods", current.len());
        let periods: Vec<&Date> = current.keys().collect();
        let step = if symbol == "GDP" { 3 } else { 1 };
        for pair in periods.windows(2) {
            assert_eq!(*pair[1], pair[0].checked_add(jiff::Span::new().months(step)).unwrap(), "{symbol}");
        }
    }
}

#[test]
fn first_releases_come_with_their_lag_at_their_hour() {
    for (symbol, least, most, hours) in [
        ("GDP", 27 + 89, 35 + 92, ["12:30", "13:30"]),
        ("CPI", 11 + 28, 16 + 31, ["12:30", "13:30"]),
        ("UNEMPLOYMENT", 28, 10 + 31, ["12:30", "13:30"]),
        ("FED_RATE", 28, 5 + 31, ["20:15", "21:15"]),
        ("CONSUMER_CONFIDENCE", 7, 17, ["14:00", "15:00"]),
    ] {
        let rows = rows(symbol);
        // The first period was first published before the series begins here.
        let mut seen = std::collections::BTreeSet::from([rows[0].ref_period]);
        for row in rows.iter().filter(|row| seen.insert(row.ref_period)) {
            let lag = row.realtime_start.since(row.ref_period).unwrap().get_days();
            assert!((least..=most).contains(&lag), "{symbol} {lag} {row:?}");
            let hour = row.known_at.to_string()[11..16].to_owned();
            // On half days the session's close moves the rate's hour.
            assert!(
                hours.contains(&hour.as_str()) || hour.as_str() < "19:00" && symbol == "FED_RATE",
                "{symbol} {hour}"
            );
        }
    }
}

#[test]
fn values_stay_plausible() {
    for (symbol, low, high) in [
        ("GDP", 8_000.0, 60_000.0),
        ("CPI", 150.0, 600.0),
        ("UNEMPLOYMENT", 1.5, 20.0),
        ("FED_RATE", 0.0, 15.0),
        ("CONSUMER_CONFIDENCE", 40.0, 120.0),
    ] {
        let rows = rows(symbol);
        assert!(rows.iter().all(|row| (low..high).contains(&row.value)), "{symbol}");
        let distinct: std::collections::BTreeSet<u64> = rows.iter().map(|row| row.value.to_bits()).collect();
        assert!(distinct.len() > 20, "{symbol}: {}", distinct.len());
    }
}

#[test]
fn a_value_is_revised_in_the_first_live_month() {
    let (market, steps) = sample();
    let event = market.planned().iter().find(|event| event.kind == PlannedKind::Revision).unwrap();
    assert!(market.live_start() < event.at && event.at < market.live_start() + days(30));
    let step = steps.iter().find(|step| step.at == event.at).unwrap();
    let [(a, old), (b, new)] = step.observations.as_slice() else { panic!("one revision: {:?}", step.observations) };
    assert_eq!((*a, *b, old.ref_period), (event.asset, event.asset, new.ref_period));
    assert_eq!((old.realtime_end, new.realtime_end), (Some(new.realtime_start), None));
    assert!(old.value != new.value && old.known_at < new.known_at);
}
