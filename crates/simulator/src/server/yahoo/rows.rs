//! The rows of a chart: bars in the terms of the present, grouped, stamped, the unfinished one last.

use jiff::{SignedDuration, Timestamp};
use market::Bar;

use super::book::Book;
use super::interval::{Interval, Step, Window, midnight};
use crate::server::Exchange;

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// Seconds: the start of the bar, for the unfinished one the last trade.
    pub(super) stamp: i64,
    /// The first bar's open.
    pub(super) open_time: Timestamp,
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: f64,
    /// From a day up.
    pub(super) adjusted_close: Option<f64>,
    /// Bars in it so far.
    n_bars: u32,
}

impl Row {
    fn new(stamp: i64, bar: &Bar, adjusted_close: Option<f64>) -> Self {
        let Bar { open_time, open, high, low, close, volume, .. } = *bar;
        Self { stamp, open_time, open, high, low, close, volume, adjusted_close, n_bars: 1 }
    }

    fn add(&mut self, bar: &Bar, adjusted_close: Option<f64>) {
        self.high = self.high.max(bar.high);
        self.low = self.low.min(bar.low);
        self.close = bar.close;
        self.volume += bar.volume;
        self.adjusted_close = adjusted_close;
        self.n_bars += 1;
    }
}

/// The rows stamped within the window, ascending; where the window touches today, the unfinished one too.
pub(super) fn rows(exchange: &Exchange, book: &Book, interval: Interval, window: &Window) -> Vec<Row> {
    let today = midnight(&book.listing.zone(), book.listing.zone().to_datetime(book.now).date());
    let live = window.end >= today.as_second() && window.start <= book.now.as_second();
    if interval.is_intraday() {
        intraday(exchange, book, interval, window, live)
    } else {
        daily(book, interval, window, live)
    }
}

fn intraday(exchange: &Exchange, book: &Book, interval: Interval, window: &Window, live: bool) -> Vec<Row> {
    let (place, now) = (book.listing.place, book.now);
    let until = if live { now } else { instant(window.end).saturating_add(length(interval)).unwrap_or(Timestamp::MAX) };
    let mut bars = exchange.tape.bars(place, interval.base, instant(window.start), until, now);
    let running = if live { exchange.tape.running(place, interval.base, now) } else { None };
    bars.extend(running);
    bars.iter_mut().for_each(|bar| *bar = book.listing.quoted(*bar));
    book.split_adjusted(&mut bars);
    let mut rows: Vec<Row> = Vec::with_capacity(bars.len());
    for bar in &bars {
        let stamp = interval.stamp(&book.listing, bar.open_time);
        match rows.last_mut().filter(|row| row.stamp == stamp) {
            Some(row) => row.add(bar, None),
            None => rows.push(Row::new(stamp, bar, None)),
        }
    }
    let last = if running.is_some() { rows.pop() } else { None };
    rows.retain(|row| (window.start..=window.end).contains(&row.stamp));
    rows.extend(last.map(|row| Row { stamp: book.last_second().max(row.stamp), ..row }));
    rows
}

/// Days and what is made of them. The running day always stands for itself, whatever its week or month holds already.
fn daily(book: &Book, interval: Interval, window: &Window, live: bool) -> Vec<Row> {
    let mut bars: Vec<Bar> = book.days.iter().chain(&book.running).copied().collect();
    let adjusted = book.adjusted_closes(&bars);
    book.split_adjusted(&mut bars);
    let first = bars.partition_point(|bar| bar.open_time.as_second() < window.start);
    let mut rows: Vec<Row> = Vec::with_capacity(bars.len() - first);
    for (index, bar) in bars.iter().enumerate().skip(first) {
        let adjusted = Some(adjusted[index]);
        if index == book.days.len() {
            if live {
                rows.push(Row::new(book.last_second(), bar, adjusted));
            }
            continue;
        }
        let stamp = interval.stamp(&book.listing, bar.open_time);
        let joins = |row: &&mut Row| match interval.step {
            Step::Days(days) => row.n_bars < days,
            _ => row.stamp == stamp,
        };
        match rows.last_mut().filter(joins) {
            Some(row) => row.add(bar, adjusted),
            None if (window.start..=window.end).contains(&stamp) => rows.push(Row::new(stamp, bar, adjusted)),
            None => {}
        }
    }
    rows
}

fn length(interval: Interval) -> SignedDuration {
    SignedDuration::from_secs(interval.seconds())
}

/// The instant of a second, at most the first or last there is.
pub(super) fn instant(second: i64) -> Timestamp {
    let end = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(second).unwrap_or(end)
}
