//! Where one series of one source stands, and what to ask next. No I/O: the keeper asks and stores.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetClass, Bar, Calendar, Span, Timeframe};
use storage::SeriesKey;

use super::LiveSettings;
use super::roster::{Board, Duty};

/// Bars of a stream that wait for a hole before them to be filled; more are forgotten, oldest first, and asked for.
const MAX_HELD: usize = 500;

/// After bars came in bulk the newest are looked at once more, and after a hole all since: some are finished late.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(60);

/// Second looks at a series go on at least so often.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// The first pause after an answer without the bar that is due, or after none.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// A stream tells a bar by itself: it is asked for only when it has not come so long after it could have.
const STREAM_PATIENCE: SignedDuration = SignedDuration::from_secs(8);

/// A source that stands behind waits so long for the one before it to tell the past, and asks then in its place.
const FIRST_COMES_FIRST: SignedDuration = SignedDuration::from_mins(2);

/// One series of one source.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) asset: Asset,
    pub(super) key: SeriesKey,
    calendar: Calendar,
    /// How long after its close a bar can be had.
    delay: SignedDuration,
    back: SignedDuration,
    releases_every: SignedDuration,
    failover_after: SignedDuration,
    /// The source before this one, and its delay.
    pub(super) stands_behind: Option<(String, SignedDuration)>,
    /// Whether a stream tells its bars.
    pub(super) streamed: bool,
    /// Close of the newest bar that is stored; of a macro series when it was last asked for.
    pub(super) newest: Option<Timestamp>,
    begun_at: Timestamp,
    next_ask: Timestamp,
    next_look: Timestamp,
    look_pause: SignedDuration,
    look_at_all: bool,
    /// Where the first hole begins that was found since the last look: the next one goes back so far.
    hole: Option<Timestamp>,
    /// Questions in a row that did not bring what was due.
    failures: u32,
    /// Whether the last answer said that asking again does not help.
    hopeless: bool,
    pub(super) asking: bool,
    held: BTreeMap<Timestamp, Bar>,
}

/// What to ask: bars that open in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Whether it is the first of its series.
    pub(super) first: bool,
    /// Whether it looks at bars once more that are stored.
    pub(super) look: bool,
}

/// What is missing of a series, as far as a window tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Holes {
    /// Where the first one begins that was not known before.
    pub(super) new: Option<Timestamp>,
    /// Whether there are any.
    pub(super) any: bool,
}

impl Follower {
    pub(super) fn new(
        duty: &Duty,
        key: SeriesKey,
        delay: SignedDuration,
        streamed: bool,
        newest: Option<Timestamp>,
        settings: &LiveSettings,
        now: Timestamp,
    ) -> Self {
        Self {
            asset: duty.asset.clone(),
            key,
            calendar: Calendar::of(duty.asset.class()),
            delay,
            back: duty.back,
            releases_every: settings.releases_every,
            failover_after: settings.failover_after,
            stands_behind: duty.stands_behind.clone(),
            streamed,
            newest,
            begun_at: now,
            next_ask: now,
            next_look: now + SECOND_LOOK,
            look_pause: SECOND_LOOK,
            look_at_all: false,
            hole: None,
            failures: 0,
            hopeless: false,
            asking: false,
            held: BTreeMap::new(),
        }
    }

    fn is_macro(&self) -> bool {
        self.asset.class() == AssetClass::Macro
    }

    /// When it wants to ask next, if it is not asking.
    pub(super) fn wakes_at(&self, board: &Board) -> Option<Timestamp> {
        if self.asking {
            return None;
        }
        if self.newest.is_none() && self.stands_behind.is_some() {
            // The past of the first comes first.
            let begun = board.newest(&self.key.symbol, self.key.timeframe).is_some();
            return Some(if begun { self.next_ask } else { self.next_ask.max(self.begun_at + FIRST_COMES_FIRST) });
        }
        let next = match self.newest {
            Some(_) if self.look_at_all => self.not_before(),
            Some(_) if !self.is_macro() => self.next_ask.min(self.next_look),
            _ => self.next_ask,
        };
        Some(self.alarm(board).map_or(next, |alarm| alarm.max(self.not_before()).min(next)))
    }

    /// When the source before this one is overdue.
    fn alarm(&self, board: &Board) -> Option<Timestamp> {
        let (_, delay) = self.stands_behind.as_ref()?;
        self.newest?;
        let newest = board.newest(&self.key.symbol, self.key.timeframe)?;
        if self.newest.is_some_and(|own| own > newest) {
            // This one is ahead already: the next bar is due like any other.
            return self.due_after(self.newest?);
        }
        let due = self.calendar.bar_closing_after(self.key.timeframe, newest)?;
        // Neither before the first is late, nor before this one can have it.
        Some(due.close_time + (*delay + self.failover_after).max(self.delay))
    }

    /// After a failure even an alarm waits for the pause to be over.
    fn not_before(&self) -> Timestamp {
        if self.failures > 0 { self.next_ask } else { Timestamp::MIN }
    }

    fn due_after(&self, newest: Timestamp) -> Option<Timestamp> {
        let due = self.calendar.bar_closing_after(self.key.timeframe, newest)?;
        Some(due.close_time + self.delay)
    }

    /// What to ask at `now`, if anything.
    pub(super) fn wants(&self, board: &Board, now: Timestamp) -> Option<Window> {
        self.wakes_at(board).filter(|at| *at <= now)?;
        let beginning = now.checked_sub(self.back).unwrap_or(Timestamp::MIN).max(earliest());
        let Some(newest) = self.newest else {
            return Some(Window { from: beginning, to: now, first: true, look: false });
        };
        if self.is_macro() {
            return Some(Window { from: newest, to: now, first: false, look: false });
        }
        let look = self.next_look <= now;
        let from = match (self.look_at_all, look) {
            (true, _) => beginning,
            (false, true) => self.hole.unwrap_or(newest).min(newest - self.look_back()),
            (false, false) => newest,
        };
        Some(Window { from, to: now, first: false, look })
    }

    /// How far back a second look goes.
    fn look_back(&self) -> SignedDuration {
        match self.key.timeframe {
            timeframe if timeframe < Timeframe::H1 => SignedDuration::from_hours(2),
            Timeframe::H1 => SignedDuration::from_hours(72),
            _ => SignedDuration::from_hours(24 * 10),
        }
    }

    /// The answer is stored through `newest`. Gives the held bars that can follow now, in order.
    pub(super) fn answered(
        &mut self,
        window: Window,
        newest: Option<Timestamp>,
        holes: Holes,
        now: Timestamp,
    ) -> Vec<Bar> {
        self.asking = false;
        (self.look_at_all, self.hopeless) = (false, false);
        let before = self.newest;
        self.newest = if self.is_macro() { Some(now) } else { self.newest.max(newest) };
        if self.is_macro() {
            self.failures = 0;
            self.next_ask = now + self.releases_every;
            return Vec::new();
        }
        if window.look {
            // Holes that stay are looked at more often than what is whole, and ever more seldom.
            let longer = if holes.any { 3 } else { 10 };
            self.look_pause = (self.look_pause * longer).min(LONGEST_PAUSE);
            (self.next_look, self.hole) = (now + self.look_pause, None);
        }
        if window.first || holes.new.is_some() {
            self.look_soon(holes.new, now);
        }
        // An answer without news is a failure only when a bar was due.
        let was_due = before.and_then(|before| self.due_after(before)).is_none_or(|due| due <= window.to);
        let progress = self.newest > before;
        self.failures = if progress || !was_due { 0 } else { self.failures.saturating_add(1) };
        self.plan_next(now);
        self.release()
    }

    /// A release is announced: it is asked for then, if not before.
    pub(super) fn expect_release(&mut self, at: Option<Timestamp>) {
        self.next_ask = at.map_or(self.next_ask, |at| at.min(self.next_ask));
    }

    /// The newest are looked at once more soon, and everything from a hole on.
    fn look_soon(&mut self, hole: Option<Timestamp>, now: Timestamp) {
        (self.look_pause, self.next_look) = (SECOND_LOOK, now + SECOND_LOOK);
        self.hole = self.hole.into_iter().chain(hole).min();
    }

    /// What was asked cannot be had, whenever it is asked.
    pub(super) fn give_up(&mut self) {
        self.hopeless = true;
    }

    /// No answer. Gives the held bars: what could not be asked for is a hole now.
    pub(super) fn failed(&mut self, pause: Option<SignedDuration>, now: Timestamp) -> Vec<Bar> {
        self.asking = false;
        self.failures = self.failures.saturating_add(1);
        self.next_ask = now + pause.unwrap_or_else(|| self.pause()).min(LONGEST_PAUSE);
        self.next_look = self.next_look.max(self.next_ask);
        if self.newest.is_none() { Vec::new() } else { self.release() }
    }

    fn plan_next(&mut self, now: Timestamp) {
        let Some(newest) = self.newest else {
            // The source has nothing at all of it: it is asked again now and then.
            self.next_ask = now + self.pause().max(SignedDuration::from_mins(10));
            return;
        };
        if self.stands_behind.is_some() {
            // Once a day, for its closes to be compared.
            let day = self.calendar.bar_closing_after(Timeframe::D1, now).map(|day| day.close_time + self.delay);
            self.next_ask = day.unwrap_or(now + LONGEST_PAUSE) + SignedDuration::from_hours(1);
            if self.failures > 0 {
                self.next_ask = self.next_ask.min(now + self.pause());
            }
            return;
        }
        let patience = if self.streamed { STREAM_PATIENCE } else { SignedDuration::ZERO };
        let due = self.due_after(newest).unwrap_or(now + LONGEST_PAUSE) + patience;
        self.next_ask = if due > now { due } else { now + self.pause() };
    }

    /// Doubling, at most a bar's length and at most an hour.
    fn pause(&self) -> SignedDuration {
        let longest = self.key.timeframe.nominal().min(SignedDuration::from_hours(1));
        (FIRST_PAUSE * (1 << self.failures.min(12).saturating_sub(1))).min(longest)
    }

    /// A bar of the stream. Gives what can be stored now, in order; a hole before it is asked for first.
    pub(super) fn offer(&mut self, bar: Bar, now: Timestamp) -> Vec<Bar> {
        if self.newest.is_some_and(|newest| bar.close_time <= newest) {
            return Vec::new();
        }
        self.held.insert(bar.open_time, bar);
        while self.held.len() > MAX_HELD {
            self.held.pop_first();
        }
        let Some(newest) = self.newest else { return Vec::new() };
        let next = self.calendar.bar_closing_after(self.key.timeframe, newest).map(|span| span.open_time);
        if self.asking || next.is_none_or(|next| bar.open_time > next) {
            if !self.asking {
                self.next_ask = now;
            }
            return Vec::new();
        }
        self.release()
    }

    /// Takes out the held bars that come after the newest stored one.
    fn release(&mut self) -> Vec<Bar> {
        let newest = self.newest;
        let held = std::mem::take(&mut self.held).into_values();
        held.filter(|bar| newest.is_none_or(|newest| bar.close_time > newest)).collect()
    }

    /// Bars of the stream are stored.
    pub(super) fn stored(&mut self, newest: Timestamp, hole: Option<Timestamp>, now: Timestamp) {
        self.newest = self.newest.max(Some(newest));
        self.failures = 0;
        if hole.is_some() {
            self.look_soon(hole, now);
        }
        self.plan_next(now);
    }

    /// The source is there again: what could not be had, or happened meanwhile, is asked for.
    pub(super) fn came_back(&mut self, now: Timestamp) {
        let missing = match self.newest {
            Some(newest) => {
                self.calendar.bar_closing_after(self.key.timeframe, newest).is_some_and(|next| next.close_time <= now)
            }
            None => true,
        };
        if self.hopeless {
            return;
        }
        if self.failures > 0 || (missing && self.stands_behind.is_none()) {
            (self.failures, self.next_ask) = (0, now);
        }
    }

    /// A split was learnt: everything is looked at once more, from the beginning.
    pub(super) fn look_at_all(&mut self) {
        self.look_at_all = true;
    }

    /// The close of the bar that follows the newest; `None` of macro series, and before there is any.
    pub(super) fn next_close(&self) -> Option<Timestamp> {
        let newest = self.newest.filter(|_| !self.is_macro())?;
        self.calendar.bar_closing_after(self.key.timeframe, newest).map(|span| span.close_time)
    }

    /// Whether the source has answered or failed once, though it may have had nothing.
    pub(super) const fn was_answered(&self) -> bool {
        self.failures > 0
    }

    /// When its bars open and close.
    pub(super) fn calendar(&self) -> Calendar {
        self.calendar
    }
}

/// Nobody has bars from before.
fn earliest() -> Timestamp {
    Timestamp::from_second(0).expect("the epoch is an instant")
}

/// Of ascending bars, their spans.
pub(super) fn spans(bars: &[Bar]) -> Vec<Span> {
    bars.iter().map(|bar| Span { open_time: bar.open_time, close_time: bar.close_time }).collect()
}

#[cfg(test)]
mod tests;
