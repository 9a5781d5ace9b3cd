use jiff::civil::date;
use jiff::{SignedDuration, ToSpan};

use super::*;
use crate::calendar::midnight;

/// Daily bars from the first of June 2020 with these closes and a volume of 100.
fn bars(closes: &[f64]) -> Vec<Bar> {
    let day = |i: usize| midnight(date(2020, 6, 1) + i64::try_from(i).unwrap().days());
    let bar = |(i, close): (usize, &f64)| Bar {
        open_time: day(i),
        close_time: day(i + 1),
        open: *close,
        high: close * 1.1,
        low: close * 0.9,
        close: *close,
        volume: 100.0,
        adj_close: None,
        known_at: day(i + 1),
    };
    closes.iter().enumerate().map(bar).collect()
}

/// An action with its ex-date on the `day`-th of June 2020.
fn action(day: i8, kind: ActionKind) -> Action {
    let ex_date = date(2020, 6, day);
    Action { ex_date, kind, known_at: midnight(ex_date) }
}

fn split(day: i8, numerator: f64, denominator: f64) -> Action {
    action(day, ActionKind::Split { numerator, denominator })
}

fn dividend(day: i8, amount: f64) -> Action {
    action(day, ActionKind::Dividend { amount })
}

/// Closes and volumes of the view as of the end of the `through`-th of June 2020.
fn seen(
    closes: &[f64],
    stored: Adjustment,
    wanted: Adjustment,
    actions: &[Action],
    through: i8,
) -> (Vec<f64>, Vec<f64>) {
    let mut bars = bars(closes);
    let as_of = midnight(date(2020, 6, through)) + SignedDuration::from_hours(24);
    view(&mut bars, stored, wanted, actions, as_of).unwrap();
    let rounded = |value: f64| (value * 1e9).round() / 1e9;
    bars.iter().map(|bar| (rounded(bar.close), rounded(bar.volume))).unzip()
}

use Adjustment::{Raw, Split, TotalReturn};

#[test]
fn a_split_scales_what_came_before() {
    let (closes, volumes) = seen(&[700.0, 707.0, 101.0, 102.0], Raw, Split, &[split(3, 7.0, 1.0)], 4);
    assert_eq!(closes, [100.0, 101.0, 101.0, 102.0], "no return on the day of the split");
    assert_eq!(volumes, [700.0, 700.0, 100.0, 100.0]);
    let (closes, _) = seen(&[1.0, 1.0, 10.0], Raw, Split, &[split(3, 1.0, 10.0)], 3);
    assert_eq!(closes, [10.0, 10.0, 10.0], "a reverse split");
    let twice = [split(2, 2.0, 1.0), split(4, 3.0, 1.0)];
    let (closes, volumes) = seen(&[60.0, 30.0, 30.0, 10.0], Raw, Split, &twice, 4);
    assert_eq!((closes, volumes), (vec![10.0; 4], vec![600.0, 300.0, 300.0, 100.0]), "two splits");
}

#[test]
fn dividends_count_in_a_total_return_alone() {
    let actions = [dividend(3, 2.0)];
    let closes = [100.0, 100.0, 98.0, 98.0];
    assert_eq!(seen(&closes, Raw, Split, &actions, 4).0, closes);
    let (adjusted, volumes) = seen(&closes, Raw, TotalReturn, &actions, 4);
    assert_eq!(adjusted, [98.0, 98.0, 98.0, 98.0], "the fall of the ex-date was paid out");
    assert_eq!(volumes, [100.0; 4], "no share was added");
    assert_eq!(seen(&closes, Split, TotalReturn, &actions, 4).0, adjusted);
}

#[test]
fn splits_are_not_removed_twice() {
    let actions = [split(3, 7.0, 1.0), dividend(4, 1.01)];
    let (closes, volumes) = seen(&[100.0, 101.0, 101.0, 99.99], Split, TotalReturn, &actions, 4);
    assert_eq!(closes, [99.0, 99.99, 99.99, 99.99]);
    assert_eq!(volumes, [100.0; 4]);
}

#[test]
fn promise_2_an_action_is_not_seen_before_its_ex_date() {
    let (actions, closes) = ([split(3, 7.0, 1.0)], [700.0, 707.0]);
    // The ex-date opens on the 3rd, at the very end of the 2nd: from that instant the terms are new.
    let mut known = bars(&closes);
    let open = midnight(date(2020, 6, 3));
    view(&mut known, Raw, Split, &actions, open).unwrap();
    assert_eq!(known[1].close, 101.0);
    let mut before = bars(&closes);
    view(&mut before, Raw, Split, &actions, open - SignedDuration::from_micros(1)).unwrap();
    assert_eq!(before, bars(&closes), "a microsecond earlier it is not known");
}

#[test]
fn a_vendors_adjusted_close_is_taken_when_every_bar_has_one() {
    let mut with = bars(&[700.0, 707.0, 101.0]);
    for (bar, adjusted) in with.iter_mut().zip([98.0, 98.98, 101.0]) {
        bar.adj_close = Some(adjusted);
    }
    let as_of = midnight(date(2020, 6, 10));
    let mut seen = with.clone();
    view(&mut seen, Raw, TotalReturn, &[split(3, 7.0, 1.0)], as_of).unwrap();
    for (bar, raw) in seen.iter().zip(&with) {
        assert!((bar.close - raw.adj_close.unwrap()).abs() < 1e-12);
        assert!((bar.high / bar.close - 1.1).abs() < 1e-12, "the whole bar moves");
    }
    let volumes: Vec<f64> = seen.iter().map(|bar| bar.volume.round()).collect();
    assert_eq!(volumes, [700.0, 700.0, 100.0], "volumes follow the splits, not the dividends");

    with[1].adj_close = None;
    view(&mut with, Raw, TotalReturn, &[split(3, 7.0, 1.0)], as_of).unwrap();
    assert_eq!((with[0].close.round(), with[1].close.round()), (100.0, 101.0), "else the actions are");
}

#[test]
fn adjustments_are_not_undone() {
    let check = |stored, wanted, expected: Option<&str>| {
        let found = view(&mut bars(&[1.0]), stored, wanted, &[], midnight(date(2021, 1, 1)));
        assert_eq!(found.err().map(|error| error.to_string()).as_deref(), expected, "{stored} {wanted}");
    };
    for adjustment in Adjustment::ALL {
        check(*adjustment, *adjustment, None);
    }
    check(Raw, TotalReturn, None);
    check(Split, Raw, Some("a raw view cannot be derived from split bars"));
    check(TotalReturn, Split, Some("a split view cannot be derived from total_return bars"));
}

#[test]
fn endings_and_new_names_leave_prices_alone() {
    let actions = [action(2, ActionKind::Rename { to: "META".parse().unwrap() }), action(3, ActionKind::Delisting)];
    assert_eq!(seen(&[1.0, 2.0, 3.0], Raw, TotalReturn, &actions, 3).0, [1.0, 2.0, 3.0]);
}

#[test]
fn a_reference_price_is_brought_to_the_terms_of_its_target() {
    let actions = [split(3, 7.0, 1.0), dividend(4, 1.0), split(5, 2.0, 1.0)];
    let at = |day| midnight(date(2020, 6, day));
    for (from, to, expected) in [(1, 2, 1.0), (2, 3, 1.0 / 7.0), (3, 4, 1.0), (1, 9, 1.0 / 14.0), (5, 9, 1.0)] {
        let factor = split_factor(&actions, at(from), at(to));
        assert!((factor - expected).abs() < 1e-15, "from {from} to {to}: {factor}");
    }
}
