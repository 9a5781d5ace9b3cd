//! One stream being followed: what was told last, and what comes next.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use market::Bar;

use super::{FLOOR, Message, Pace, rested};
use crate::noise::Stream;
use crate::server::binance::format::TimeUnit;
use crate::server::binance::interval::Interval;
use crate::server::binance::payload::{self, Event};
use crate::server::binance::streams::{Named, Topic};
use crate::server::binance::ticker::{Day, last_trade};
use crate::server::binance::venue::{Book, Venue};
use crate::server::faults::Kind;
use crate::tape::{Keep, Window};

/// A look at the clock, and what has been worked out at it.
pub(super) struct Moment<'a> {
    venue: &'a Venue,
    pace: &'a Pace,
    now: Timestamp,
    shown: Timestamp,
    days: Vec<Option<Option<Day>>>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(venue: &'a Venue, pace: &'a Pace) -> Self {
        let days = vec![None; venue.listed.len()];
        Self { venue, pace, now: venue.now(), shown: venue.shown_now(), days }
    }

    fn event(&self, place: usize, unit: TimeUnit) -> Event<'a> {
        Event { symbol: &self.venue.listed[place].name, shown: self.shown, now: self.now, unit }
    }

    /// The last 24 hours of a symbol, worked out once a look.
    fn day(&mut self, place: usize) -> Option<Day> {
        let (venue, now) = (self.venue, self.now);
        *self.days[place].get_or_insert_with(|| Day::of(venue, place, now))
    }

    fn strike(&self, pick: impl Fn(&Kind) -> Option<i64>) -> Option<i64> {
        self.venue.exchange.faults.strike(self.venue.service, FRAMES, self.now, pick)
    }
}

/// The path by which a plan of faults means the frames of streams.
const FRAMES: &str = "/ws";

/// Klines are told so often, on the exchange's clock; bars of a second twice as often.
const KLINES: SignedDuration = SignedDuration::from_secs(2);

/// The longest time after its close that a bar's last message comes.
const LAST_MESSAGE: SignedDuration = SignedDuration::from_millis(1900);

/// Closed bars told at one look; the rest follows at the next.
const CLOSED_AT_ONCE: usize = 200;

/// A stream being followed.
#[derive(Debug)]
pub(super) struct Followed {
    name: Arc<str>,
    unit: TimeUnit,
    due: Timestamp,
    told: Option<Instant>,
    what: What,
}

#[derive(Debug)]
enum What {
    Klines(Klines),
    Trades { place: usize, aggregated: bool, last: Option<i64> },
    MiniTicker { place: usize, last: Option<Seen> },
    Ticker { place: usize, last: Option<Seen> },
    Book { place: usize, last: Option<Book> },
    AllMiniTickers { last: Vec<Option<Seen>> },
    Nothing,
}

/// What changes in a ticker when something happens: price, high, low, volume.
type Seen = (f64, f64, f64, f64);

fn seen(day: &Day) -> Seen {
    (day.last, day.bar.high, day.bar.low, day.bar.volume)
}

/// The bars of a stream.
#[derive(Debug)]
struct Klines {
    place: usize,
    interval: Interval,
    /// Bars that open before this have been told to their end.
    from: Timestamp,
    /// When to look for closed bars again.
    look_at: Timestamp,
    /// A bar that has closed, and when its last message is due.
    closing: Option<(Timestamp, Timestamp)>,
    last: Option<Bar>,
    /// The message before, for faults of order.
    before: Option<Message>,
}

impl Followed {
    pub(super) fn new(name: Arc<str>, named: Named, unit: TimeUnit, venue: &Venue) -> Self {
        let now = venue.now();
        let what = match named {
            Named::Of(place, Topic::Kline(interval)) => {
                let running = interval.grid().span(now).map_or(now, |span| span.open_time);
                What::Klines(Klines {
                    place,
                    interval,
                    from: running,
                    look_at: now,
                    closing: None,
                    last: None,
                    before: None,
                })
            }
            Named::Of(place, Topic::Trade) => What::Trades { place, aggregated: false, last: None },
            Named::Of(place, Topic::AggTrade) => What::Trades { place, aggregated: true, last: None },
            Named::Of(place, Topic::MiniTicker) => What::MiniTicker { place, last: None },
            Named::Of(place, Topic::Ticker) => What::Ticker { place, last: None },
            Named::Of(place, Topic::BookTicker) => What::Book { place, last: None },
            Named::AllMiniTickers => What::AllMiniTickers { last: vec![None; venue.listed.len()] },
            Named::Silent => What::Nothing,
        };
        Self { name, unit, due: Timestamp::MIN, told: None, what }
    }

    /// Tells what is new.
    pub(super) fn look(&mut self, moment: &mut Moment<'_>, out: &mut Vec<Message>) {
        let (unit, now, name) = (self.unit, moment.now, &self.name);
        let (period, floor) = match &self.what {
            What::Klines(klines) if klines.interval.name == "1s" => (KLINES / 2, FLOOR),
            What::Klines(_) => (KLINES, FLOOR),
            _ => (moment.pace.ticks, moment.pace.tick_floor),
        };
        if let What::Klines(klines) = &mut self.what {
            klines.close(moment, unit, name, out);
        }
        // Looks come a little early or late: early by a tenth is on time, or every second one would be missed.
        let now_or_soon = now.saturating_add(period / 10).unwrap_or(now);
        if now_or_soon < self.due || !rested(self.told, floor.mul_f64(0.9)) {
            return;
        }
        (self.due, self.told) = (after(now_or_soon, period), Some(Instant::now()));
        let payload = match &mut self.what {
            What::Klines(klines) => {
                klines.update(moment, unit, name, out);
                return;
            }
            What::Trades { place, aggregated, last } => {
                let trade = last_trade(moment.venue, *place, now).filter(|trade| last.is_none_or(|id| id < trade.id));
                *last = trade.map(|trade| trade.id).or(*last);
                let event = moment.event(*place, unit);
                trade.map(|trade| match aggregated {
                    true => payload::agg_trade(&event, &trade),
                    false => payload::trade(&event, &trade),
                })
            }
            What::MiniTicker { place, last } => {
                let day = moment.day(*place).filter(|day| last.replace(seen(day)) != Some(seen(day)));
                day.map(|day| payload::mini_ticker(&moment.event(*place, unit), &day))
            }
            What::Ticker { place, last } => {
                let day = moment.day(*place).filter(|day| last.replace(seen(day)) != Some(seen(day)));
                day.zip(moment.venue.book(*place, now)).map(|(day, book)| {
                    let quantity = last_trade(moment.venue, *place, now).map_or(0.0, |trade| trade.quantity);
                    payload::ticker(&moment.event(*place, unit), &day, &book, quantity)
                })
            }
            What::Book { place, last } => {
                let book = moment.venue.book(*place, now).filter(|book| last.replace(*book) != Some(*book));
                book.map(|book| payload::book_ticker(&moment.event(*place, unit), &book))
            }
            What::AllMiniTickers { last } => {
                let mut changed = Vec::new();
                for (place, last) in last.iter_mut().enumerate() {
                    let day = moment.day(place).filter(|day| last.replace(seen(day)) != Some(seen(day)));
                    changed.extend(day.map(|day| payload::mini_ticker(&moment.event(place, unit), &day)));
                }
                (!changed.is_empty()).then(|| format!("[{}]", changed.join(",")))
            }
            What::Nothing => None,
        };
        out.extend(payload.map(|payload| Message::new(name, payload)));
    }
}

impl Klines {
    /// Tells the end of every bar that has closed, in order, each a moment after its close.
    fn close(&mut self, moment: &Moment<'_>, unit: TimeUnit, name: &Arc<str>, out: &mut Vec<Message>) {
        let now = moment.now;
        if now < self.look_at {
            return;
        }
        let window = Window { from: self.from, to: Timestamp::MAX, now, limit: CLOSED_AT_ONCE, keep: Keep::Oldest };
        let bars = moment.venue.bars(self.place, self.interval, &window);
        let all = bars.len() < CLOSED_AT_ONCE;
        for bar in bars {
            let at = match self.closing {
                Some((open_time, at)) if open_time == bar.open_time => at,
                _ => self.last_message(&bar, moment),
            };
            if now < at {
                (self.closing, self.look_at) = (Some((bar.open_time, at)), at);
                return;
            }
            (self.closing, self.from, self.last) = (None, bar.close_time, None);
            if moment.strike(|kind| (*kind == Kind::LostClose).then_some(0)).is_none() {
                let payload = payload::kline(&moment.event(self.place, unit), self.interval, &bar, true);
                self.tell(moment, Message::new(name, payload), out);
            }
        }
        if all {
            let running = self.interval.grid().span(now).filter(|span| span.open_time >= self.from);
            // In a gap, or when a bar is not known yet, look again soon.
            let soon = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
            self.look_at = running.map_or(soon, |span| span.close_time);
        }
    }

    /// Tells the running bar when it has changed, unless the one before has not been told to its end.
    fn update(&mut self, moment: &Moment<'_>, unit: TimeUnit, name: &Arc<str>, out: &mut Vec<Message>) {
        let running = moment.venue.running(self.place, self.interval, moment.now);
        let Some(bar) = running.filter(|bar| self.closing.is_none() && bar.open_time >= self.from) else { return };
        if self.last.replace(bar) != Some(bar) {
            let payload = payload::kline(&moment.event(self.place, unit), self.interval, &bar, false);
            self.tell(moment, Message::new(name, payload), out);
        }
    }

    /// When a closed bar's last message is due.
    fn last_message(&self, bar: &Bar, moment: &Moment<'_>) -> Timestamp {
        let length = bar.close_time.duration_since(bar.open_time);
        let share = Stream::new(0, "closing").uniform(bar.open_time.as_second() as u64, self.place as u64);
        let delay = LAST_MESSAGE.min(length / 2).as_secs_f64() * share;
        let late = moment.strike(|kind| if let Kind::LateClose { ms } = kind { Some(*ms) } else { None });
        let delay = SignedDuration::from_millis((delay * 1e3) as i64 + late.unwrap_or(0));
        bar.close_time.saturating_add(delay).unwrap_or(bar.close_time)
    }

    fn tell(&mut self, moment: &Moment<'_>, message: Message, out: &mut Vec<Message>) {
        out.push(message.clone());
        if moment.strike(|kind| (*kind == Kind::Duplicate).then_some(0)).is_some() {
            out.push(message.clone());
        }
        let before = self.before.replace(message);
        if moment.strike(|kind| (*kind == Kind::OutOfOrder).then_some(0)).is_some() {
            out.extend(before);
        }
    }
}

/// The next multiple of a period.
fn after(now: Timestamp, period: SignedDuration) -> Timestamp {
    let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
    let next = now.as_microsecond().div_euclid(period).saturating_add(1).saturating_mul(period);
    Timestamp::from_microsecond(next).unwrap_or(Timestamp::MAX)
}
