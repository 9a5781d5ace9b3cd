//! What is known of a listing at one moment: its days, its actions, where it stands.

use jiff::{SignedDuration, Timestamp};
use market::adjustment::{Adjustment, split_factor, view};
use market::{Action, ActionKind, Bar, Timeframe};

use super::listing::Listing;
use crate::server::Exchange;

/// The days of a listing as traded, and what was announced.
#[derive(Debug)]
pub(super) struct Book {
    /// The listing.
    pub(super) listing: Listing,
    /// The moment.
    pub(super) now: Timestamp,
    /// Closed days, ascending, in the terms of their own time.
    pub(super) days: Vec<Bar>,
    /// The day that runs.
    pub(super) running: Option<Bar>,
    /// Splits and dividends so far.
    pub(super) actions: Vec<Action>,
    /// When it last traded.
    pub(super) last_trade: Timestamp,
}

impl Book {
    /// The book from `since` on; `None` while nothing has traded since.
    pub(super) fn open(exchange: &Exchange, listing: Listing, since: Timestamp, now: Timestamp) -> Option<Self> {
        let tape = &exchange.tape;
        let mut days = tape.bars(listing.place, Timeframe::D1, since, now, now);
        days.iter_mut().for_each(|bar| *bar = listing.quoted(*bar));
        let running = tape.running(listing.place, Timeframe::D1, now).map(|bar| listing.quoted(bar));
        let actions = tape.actions(listing.place, now);
        let last_close = days.last().map(|bar| bar.close_time);
        let last_trade = if running.is_some() { Some(now) } else { last_close };
        Some(Self { listing, now, days, running, actions, last_trade: last_trade? })
    }

    /// When its first bar opened.
    pub(super) fn first_trade(&self) -> Timestamp {
        self.days.first().or(self.running.as_ref()).map_or(self.now, |bar| bar.open_time)
    }

    /// The last second in which it traded.
    pub(super) fn last_second(&self) -> i64 {
        self.last_trade.as_second()
    }

    /// The day that runs, or the last one.
    pub(super) fn day(&self) -> Option<Bar> {
        self.running.or_else(|| self.days.last().copied()).map(|bar| self.today(bar))
    }

    /// The last price.
    pub(super) fn price(&self) -> Option<f64> {
        self.day().map(|day| day.close)
    }

    /// The close of the day before the one that runs or was the last.
    pub(super) fn previous_close(&self) -> Option<f64> {
        let before = if self.running.is_some() { self.days.last() } else { self.days.iter().nth_back(1) };
        before.map(|bar| self.today(*bar).close)
    }

    /// The close of the last day that ended before `instant`.
    pub(super) fn close_before(&self, instant: Timestamp) -> Option<f64> {
        let after = self.days.partition_point(|bar| bar.open_time < instant && bar.close_time <= instant);
        self.days[..after].last().map(|bar| self.today(*bar).close)
    }

    /// The last `count` days, newest last, the running one among them.
    pub(super) fn recent(&self, count: usize) -> impl Iterator<Item = Bar> {
        let running = self.running.iter();
        let closed = count.saturating_sub(running.len()).min(self.days.len());
        self.days[self.days.len() - closed..].iter().chain(running).map(|bar| self.today(*bar))
    }

    /// The highest and lowest prices of a year.
    pub(super) fn year(&self) -> Option<(f64, f64)> {
        let from = self.now - SignedDuration::from_hours(365 * 24);
        let first = self.days.partition_point(|bar| bar.open_time < from);
        let bars = self.days[first..].iter().chain(&self.running).map(|bar| self.today(*bar));
        bars.map(|bar| (bar.high, bar.low)).reduce(|(high, low), (h, l)| (high.max(h), low.min(l)))
    }

    /// A bar in the terms of this moment.
    pub(super) fn today(&self, bar: Bar) -> Bar {
        bar.scaled(split_factor(&self.actions, bar.open_time, self.now))
    }

    /// Bars in the terms of this moment: splits rewrite all that came before them.
    pub(super) fn split_adjusted(&self, bars: &mut [Bar]) {
        self.adjust(bars, Adjustment::Split);
    }

    /// Closes without splits and dividends: before each ex-date times one less the dividend's share of the close before
    /// it. `bars` reach to this moment.
    pub(super) fn adjusted_closes(&self, bars: &[Bar]) -> Vec<f64> {
        let mut bars = bars.to_vec();
        self.adjust(&mut bars, Adjustment::TotalReturn);
        bars.iter().map(|bar| bar.close).collect()
    }

    fn adjust(&self, bars: &mut [Bar], wanted: Adjustment) {
        // What a recording holds as adjusted knows of actions that are still to come here.
        bars.iter_mut().for_each(|bar| bar.adj_close = None);
        // Raw bars can be shown in any way; were it otherwise, they would stay as they are.
        let _ = view(bars, Adjustment::Raw, wanted, &self.actions, self.now);
    }

    /// The dividends whose ex-dates have opened: the open, and the amount in the terms of this moment.
    pub(super) fn dividends(&self) -> impl Iterator<Item = (Timestamp, f64)> {
        let opened = self.actions.iter().filter(|action| action.effective_at() <= self.now);
        opened.filter_map(|action| match action.kind {
            ActionKind::Dividend { amount } => {
                let at = action.effective_at();
                Some((at, amount * split_factor(&self.actions, at, self.now)))
            }
            _ => None,
        })
    }

    /// The splits whose ex-dates have opened: the open, new shares, old shares.
    pub(super) fn splits(&self) -> impl Iterator<Item = (Timestamp, f64, f64)> {
        let opened = self.actions.iter().filter(|action| action.effective_at() <= self.now);
        opened.filter_map(|action| match action.kind {
            ActionKind::Split { numerator, denominator } => Some((action.effective_at(), numerator, denominator)),
            _ => None,
        })
    }
}

impl Listing {
    /// A bar in this vendor's units: the volume of coins is told in dollars.
    pub(super) fn quoted(&self, bar: Bar) -> Bar {
        let typical = (bar.high + bar.low + bar.close) / 3.0;
        if self.is_coin() { Bar { volume: bar.volume * typical, ..bar } } else { bar }
    }
}
