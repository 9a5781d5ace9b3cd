//! What must hold of everything the parsers of vendors' answers take, whatever bytes they are given.
//!
//! The fuzz targets call this with bytes nobody thought of; the tests of the crate `sources` include this file and call
//! it with the corpus.

mod binance;
mod fred;
mod tables;
mod yahoo;

use market::{Bar, Calendar, Timeframe};

/// What a target does with bytes; it panics when something does not hold.
pub type Check = fn(&[u8]);

/// The targets, by name.
pub const TARGETS: [(&str, Check); 10] = [
    ("binance_message", binance::message),
    ("binance_klines", binance::klines),
    ("yahoo_chart", yahoo::chart),
    ("yahoo_stream", yahoo::stream),
    ("yahoo_quote", yahoo::quote),
    ("yahoo_repair", yahoo::repair),
    ("fred_answer", fred::answer),
    ("fred_graph", fred::graph),
    ("daily_csv", tables::daily_csv),
    ("constituents", tables::constituents),
];

/// Gives the bytes to a target's parsers.
///
/// # Panics
/// When something does not hold, or there is no such target.
pub fn check(target: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, check) = found.unwrap_or_else(|| panic!("no target is called {target}"));
    check(bytes);
}

/// A bar that a parser gave: one that can be, on the calendar, known when it closed.
fn check_bar(bar: &Bar, calendar: Calendar, timeframe: Timeframe) {
    assert_eq!(bar.checked(), Ok(*bar));
    assert_eq!(bar.known_at, bar.close_time);
    let span = calendar.bar_opening_at(timeframe, bar.open_time);
    assert_eq!(span.map(|span| span.close_time), Some(bar.close_time), "{timeframe} {bar:?}");
}

/// Words for people: there are some, on one line, and they stay short however long what they speak of is.
fn check_text(text: &str) {
    const LONGEST: usize = 1500;
    assert!(!text.is_empty());
    assert!(text.len() <= LONGEST, "{} bytes of words: {text}", text.len());
    assert!(!text.contains(['\n', '\r']), "{text:?}");
}

/// The refusals of an answer with `n_refused` bad rows at most: each in words, the many as a number.
fn check_refusals(refused: &[String], n_refused: usize) {
    assert!(refused.len() <= n_refused.min(51), "{n_refused} rows refused: {refused:?}");
    refused.iter().for_each(|text| check_text(text));
}

fn is_price(value: f64) -> bool {
    value.is_finite() && value > 0.0
}
