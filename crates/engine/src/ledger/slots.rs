//! The schedule walked beside the ledger: every slot must have a forecast or lie in a `missed`.
//!
//! A slot is the close of a bar of a scheduled asset's calendar. One pointer a series waits for the next slot; a heap
//! of deadlines tells which pointers are late when time moves on. Slots that went by are kept as ranges until a `missed`
//! explains them. Macro series are due at releases, which no calendar foretells: they have no slots.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use jiff::{SignedDuration, Timestamp};
use market::{AssetClass, AssetKind, Calendar, Symbol, Timeframe};

use super::facts::{self, ForecastFacts, MissedFacts, ScheduleFacts};
use super::rule::{Fault, Rule, fault};

/// The slots of a chain.
#[derive(Debug, Default)]
pub(super) struct Slots {
    series: Vec<Series>,
    by_symbol: HashMap<Box<str>, Vec<(Timeframe, usize)>>,
    /// (slot's close + grace, series), for the slots the pointers stand on; those of pointers that moved on are stale.
    deadlines: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

/// Whose slot a forecast took.
#[derive(Debug)]
pub(super) struct Taken {
    /// The asset and timeframe, as a number counted from 0.
    pub(super) series: usize,
    pub(super) symbol: Symbol,
    pub(super) kind: AssetKind,
}

/// One scheduled asset and timeframe.
#[derive(Debug)]
struct Series {
    symbol: Symbol,
    timeframe: Timeframe,
    kind: AssetKind,
    /// `None` for a macro series.
    calendar: Option<Calendar>,
    grace: SignedDuration,
    /// When it is scheduled, ascending.
    periods: Vec<Period>,
    /// Which period `next` lies in.
    period_idx: usize,
    /// The slot that is waited for.
    next: Option<Timestamp>,
    /// Slots that went by.
    late: Vec<Late>,
    /// `as_of` of the last forecast.
    last_as_of: Option<Timestamp>,
}

/// Slots in `(from, until)`.
#[derive(Debug)]
struct Period {
    from: Timestamp,
    until: Option<Timestamp>,
}

/// Consecutive slots without a forecast.
#[derive(Debug, Clone, Copy)]
struct Late {
    first: Timestamp,
    last: Timestamp,
    /// The first entry recorded after the first slot's grace.
    seq: u64,
}

impl Slots {
    /// Time moves on to `now`, when entry `seq` was recorded: slots whose grace is over are late.
    pub(super) fn pass(&mut self, seq: u64, now: Timestamp) {
        while let Some(&Reverse((deadline, at))) = self.deadlines.peek()
            && deadline < now
        {
            self.deadlines.pop();
            let series = &mut self.series[at];
            if series.deadline() == Some(deadline) {
                series.mark_late(seq);
                self.wait(at);
            }
        }
    }

    /// A new schedule; `last` is when the entry before it was recorded.
    pub(super) fn schedule(&mut self, facts: &ScheduleFacts, last: Option<Timestamp>) -> Result<(), Fault> {
        let from = facts.from.0;
        if let Some(last) = last.filter(|last| from < *last) {
            let detail = format!("slots from {from} on cannot be scheduled anew after {last}");
            return Err(fault(Rule::ScheduleFrom, detail));
        }
        let mut kept = vec![false; self.series.len()];
        let mut added = Vec::new();
        for asset in &facts.assets {
            let unreadable = |what: &str| fault(Rule::Body, format!("{what} of {} is not known", asset.symbol));
            let symbol = asset.symbol.parse().ok().filter(|symbol: &Symbol| symbol.as_str() == asset.symbol);
            let symbol = symbol.ok_or_else(|| fault(Rule::Body, format!("{:?} is no symbol", asset.symbol)))?;
            let kind = facts::kind(&asset.kind).ok_or_else(|| unreadable("the kind"))?;
            if asset.asset_class != kind.class().as_str() {
                return Err(fault(Rule::Body, format!("{} is no {} of {}", asset.symbol, kind, asset.asset_class)));
            }
            for timeframe in &asset.timeframes {
                let timeframe = Timeframe::ALL.into_iter().find(|t| t.as_str() == timeframe);
                let timeframe = timeframe.ok_or_else(|| unreadable("a timeframe"))?;
                match self.find(&asset.symbol, timeframe) {
                    Some(at) if self.series[at].kind.class() != kind.class() => {
                        return Err(fault(Rule::Body, format!("{} was of another class", asset.symbol)));
                    }
                    Some(at) => {
                        self.series[at].kind = kind;
                        kept[at] = true;
                    }
                    None => added.push(Series::new(symbol.clone(), timeframe, kind)),
                }
            }
        }
        for (at, kept) in kept.into_iter().enumerate() {
            self.series[at].reschedule(kept, from);
            self.wait(at);
        }
        for mut series in added {
            if self.find(series.symbol.as_str(), series.timeframe).is_some() {
                return Err(fault(Rule::Body, format!("{} is scheduled twice", series.symbol)));
            }
            series.reschedule(true, from);
            let at = self.series.len();
            self.by_symbol.entry(series.symbol.as_str().into()).or_default().push((series.timeframe, at));
            self.series.push(series);
            self.wait(at);
        }
        Ok(())
    }

    /// A forecast takes its slot.
    pub(super) fn forecast(&mut self, facts: &ForecastFacts<'_>) -> Result<Taken, Fault> {
        let (symbol, timeframe) = (&*facts.symbol, facts.timeframe.0);
        let (as_of, recorded_at) = (facts.as_of.0, facts.recorded_at.0);
        let at = self.scheduled(symbol, timeframe)?;
        let series = &mut self.series[at];
        if series.kind.class() != facts.asset_class.0 {
            let detail =
                format!("{symbol} is scheduled as one of {}, not {}", series.kind.class(), facts.asset_class.0);
            return Err(fault(Rule::SlotUnscheduled, detail));
        }
        if recorded_at < as_of || (series.calendar.is_some() && recorded_at > as_of + series.grace) {
            let detail = format!("recorded at {recorded_at}, outside the {:#} after {as_of}", series.grace);
            return Err(fault(Rule::IssuedInGrace, detail));
        }
        let again = series.last_as_of.is_some_and(|last| as_of <= last);
        if series.calendar.is_some() && series.next != Some(as_of) {
            return Err(match again || series.holds(as_of) {
                true => fault(Rule::SlotOnce, format!("the slot {as_of} of {symbol} {timeframe} is taken")),
                false => fault(Rule::SlotUnscheduled, format!("{symbol} {timeframe} has no slot at {as_of}")),
            });
        }
        if again {
            return Err(fault(Rule::SlotOnce, format!("{symbol} {timeframe} has a forecast as of {as_of} or later")));
        }
        series.last_as_of = Some(as_of);
        let taken = Taken { series: at, symbol: series.symbol.clone(), kind: series.kind };
        series.advance();
        self.wait(at);
        Ok(taken)
    }

    /// Missed slots are explained.
    pub(super) fn missed(&mut self, facts: &MissedFacts<'_>) -> Result<(), Fault> {
        let at = self.scheduled(&facts.symbol, facts.timeframe.0)?;
        let (from, to) = (facts.from.0, facts.to.0);
        let wrong = |detail| Err(fault(Rule::MissedSlots, detail));
        if from > to || to > facts.recorded_at.0 {
            return wrong(format!("{from} to {to} is no past range"));
        }
        let series = &mut self.series[at];
        let explained = series.explain(from, to);
        let taken = series.has_other_slots(from, to, explained);
        self.wait(at);
        // More may be counted than there are: the calendar can learn of a closure later.
        if explained > facts.count {
            return wrong(format!("{explained} slots lie there, not {}", facts.count));
        }
        if taken {
            return wrong(format!(
                "from {from} to {to} lie slots that were not open: forecast, missed before, or not due"
            ));
        }
        Ok(())
    }

    /// The first slot nothing explains: where it should have been explained, and which it is.
    pub(super) fn unexplained(&self) -> Option<(u64, String)> {
        let late = self.series.iter().flat_map(|series| series.late.iter().map(move |late| (late, series)));
        let (late, series) = late.min_by_key(|(late, series)| (late.seq, late.first, &series.symbol))?;
        let detail = format!(
            "the slot {} of {} {} has neither a forecast nor a missed",
            late.first, series.symbol, series.timeframe
        );
        Some((late.seq, detail))
    }

    fn find(&self, symbol: &str, timeframe: Timeframe) -> Option<usize> {
        self.by_symbol.get(symbol)?.iter().find(|(t, _)| *t == timeframe).map(|(_, at)| *at)
    }

    fn scheduled(&self, symbol: &str, timeframe: Timeframe) -> Result<usize, Fault> {
        self.find(symbol, timeframe)
            .ok_or_else(|| fault(Rule::SlotUnscheduled, format!("{symbol} {timeframe} was never scheduled")))
    }

    /// Notes the deadline of a series' next slot.
    fn wait(&mut self, at: usize) {
        if let Some(deadline) = self.series[at].deadline() {
            self.deadlines.push(Reverse((deadline, at)));
        }
    }
}

impl Series {
    fn new(symbol: Symbol, timeframe: Timeframe, kind: AssetKind) -> Self {
        let class = kind.class();
        Self {
            symbol,
            timeframe,
            kind,
            calendar: (class != AssetClass::Macro).then(|| Calendar::of(class)),
            grace: timeframe.grace(class),
            periods: Vec::new(),
            period_idx: 0,
            next: None,
            late: Vec::new(),
            last_as_of: None,
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.next?.checked_add(self.grace).ok()
    }

    /// The schedule from `from` on holds this series, or no longer does.
    fn reschedule(&mut self, scheduled: bool, from: Timestamp) {
        let in_force = self.periods.last_mut().filter(|period| period.until.is_none());
        match (in_force, scheduled) {
            (Some(period), false) => {
                // A slot whose grace was not over may still have been issued, and no longer need be.
                let until = from.checked_sub(self.grace).unwrap_or(Timestamp::MIN);
                period.until = Some(until);
                self.next = self.next.filter(|next| *next < until);
            }
            (None, true) => {
                self.periods.push(Period { from, until: None });
                if self.next.is_none() {
                    self.period_idx = self.periods.len() - 1;
                    self.next = self.slot_after(from);
                }
            }
            _ => {}
        }
    }

    fn slot_after(&self, instant: Timestamp) -> Option<Timestamp> {
        self.calendar?.bar_closing_after(self.timeframe, instant).map(|bar| bar.close_time)
    }

    /// Whether `instant` was or is a slot.
    fn holds(&self, instant: Timestamp) -> bool {
        let is_close = |calendar: Calendar| {
            calendar.last_closed_bar(self.timeframe, instant).is_some_and(|bar| bar.close_time == instant)
        };
        let within = |p: &Period| p.from < instant && p.until.is_none_or(|until| instant < until);
        self.calendar.is_some_and(is_close) && self.periods.iter().any(within)
    }

    /// Waits for the slot after the present one.
    fn advance(&mut self) {
        let Some(present) = self.next else { return };
        self.next = self.slot_after(present);
        while let Some(period) = self.periods.get(self.period_idx)
            && period.until.is_some_and(|until| self.next.is_none_or(|next| next >= until))
        {
            match self.periods.get(self.period_idx + 1) {
                Some(later) => {
                    self.next = self.slot_after(later.from);
                    self.period_idx += 1;
                }
                None => {
                    self.next = None;
                    return;
                }
            }
        }
    }

    fn mark_late(&mut self, seq: u64) {
        let Some(slot) = self.next else { return };
        let before =
            self.calendar.and_then(|c| c.last_closed_bar(self.timeframe, slot - SignedDuration::from_micros(1)));
        match self.late.last_mut() {
            Some(late) if before.is_some_and(|bar| bar.close_time == late.last) => late.last = slot,
            _ => self.late.push(Late { first: slot, last: slot, seq }),
        }
        self.advance();
    }

    /// Whether more slots lie in `[from, to]` than the `explained` ones that were open. Of a macro series: whether a
    /// release from then on has its forecast.
    fn has_other_slots(&self, from: Timestamp, to: Timestamp, explained: u64) -> bool {
        match self.calendar {
            Some(calendar) => {
                let before = from - SignedDuration::from_micros(1);
                calendar.count_bars(self.timeframe, before, to) as u64 > explained
            }
            None => self.last_as_of.is_some_and(|last| from <= last),
        }
    }

    /// Takes the slots in `[from, to]` from those that are late or waited for, and gives their number.
    fn explain(&mut self, from: Timestamp, to: Timestamp) -> u64 {
        let Some(calendar) = self.calendar else { return 0 };
        let just_before = |t: Timestamp| t - SignedDuration::from_micros(1);
        let mut explained = 0;
        let mut left = Vec::new();
        for late in std::mem::take(&mut self.late) {
            let (first, last) = (late.first.max(from), late.last.min(to));
            if first > last {
                left.push(late);
                continue;
            }
            explained += calendar.count_bars(self.timeframe, just_before(first), last) as u64;
            if late.first < from
                && let Some(bar) = calendar.last_closed_bar(self.timeframe, just_before(from))
            {
                left.push(Late { last: bar.close_time, ..late });
            }
            if late.last > to
                && let Some(first) = self.slot_after(to)
            {
                left.push(Late { first, ..late });
            }
        }
        self.late = left;
        while let Some(next) = self.next.filter(|next| (from..=to).contains(next)) {
            explained += 1;
            self.advance();
            debug_assert!(self.next != Some(next), "slots ascend");
        }
        explained
    }
}
