//! Stocks and their volatility index: session by session, hour by hour within.

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetClass, AssetKind, Calendar, Span, Timeframe};

use crate::character::Character;
use crate::noise::Stream;
use crate::panel::{Draw, Manners, Panel, Swing};
use crate::shape::{Frame, Price, Rounding, Shaped};

/// Sessions a year, for the scale of a day.
const DAYS_A_YEAR: f64 = 252.0;

/// Steps of a day: the night and seven bars.
const STEPS: f64 = 8.0;

/// Share of a day's variance that falls into the night before it.
const NIGHT: f64 = 0.25;

/// Shares of the session's variance by bar; the last one is half an hour.
const HOURS: [f64; 7] = [0.31, 0.16, 0.12, 0.10, 0.10, 0.12, 0.09];

/// Nights between an equity's surprises (its results, a bid), and their size in usual nights.
const SURPRISE_EVERY: f64 = 63.0;
const SURPRISE: f64 = 4.0;

fn manners() -> Manners {
    Manners {
        slow: Swing::new(0.36, STEPS * 28.0),
        fast: Swing::new(0.36, STEPS * 3.0),
        own: Swing::new(0.22, STEPS * 12.0),
        flicker: 0.15,
        leverage: -0.75,
        common: 0.42,
        jump_every: STEPS * 120.0,
        own_jump_every: STEPS * 250.0,
    }
}

/// What happens to a stock on the morning of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Term {
    /// Shares are split.
    Split {
        /// New shares for one old.
        ratio: f64,
    },
    /// A dividend is paid.
    Dividend {
        /// As a share of the last close.
        share: f64,
        /// In money; known once the last close is.
        amount: f64,
    },
}

/// The stocks of a universe, walking.
#[derive(Debug, Clone)]
pub(crate) struct Stocks {
    /// Places of the panel's stocks in the universe.
    assets: Vec<usize>,
    kinds: Vec<AssetKind>,
    panel: Panel,
    stocks: Vec<Stock>,
    /// Place of the volatility index, and its price.
    index: Option<(usize, Price, Stream)>,
    /// The running session and the bar within it that comes next.
    session: Span,
    slot: usize,
    next: Span,
}

#[derive(Debug, Clone)]
struct Stock {
    price: Price,
    daily_value: f64,
    stream: Stream,
}

impl Stocks {
    /// All stocks of the universe from the first session that opens at or after `start`; `None` without any.
    pub(crate) fn new(seed: u64, universe: &[Asset], start: Timestamp) -> Option<Self> {
        let of_class = |index: &usize| universe[*index].class() == AssetClass::Stocks;
        let (indices, assets): (Vec<usize>, Vec<usize>) =
            (0..universe.len()).filter(of_class).partition(|&index| universe[index].kind == AssetKind::Index);
        if assets.is_empty() && indices.is_empty() {
            return None;
        }
        let session = first_session(start)?;
        let next = Calendar::Nyse.bar_opening_at(Timeframe::H1, session.open_time)?;
        let character = |index: usize| Character::of(&universe[index], seed);
        let daily_sd = |index: usize| character(index).annual_volatility / DAYS_A_YEAR.sqrt();
        let members: Vec<(&str, f64)> =
            assets.iter().map(|&index| (universe[index].symbol.as_str(), daily_sd(index))).collect();
        let stream = |index: usize| Stream::new(seed, &format!("bars {}", universe[index].symbol));
        let stock = |&index: &usize| Stock {
            price: Price { log: 0.0, last: 1.0 },
            daily_value: character(index).daily_value,
            stream: stream(index),
        };
        Some(Self {
            panel: Panel::new(seed, "stocks", manners(), &members),
            kinds: assets.iter().map(|&index| universe[index].kind).collect(),
            stocks: assets.iter().map(stock).collect(),
            index: indices.first().map(|&index| (index, Price { log: 20.0_f64.ln(), last: 20.0 }, stream(index))),
            assets,
            session,
            slot: 0,
            next,
        })
    }

    /// When the next bar opens.
    pub(crate) fn next_open(&self) -> Timestamp {
        self.next.open_time
    }

    /// The session that opens next, when the next bar is its first.
    pub(crate) fn opening_session(&self) -> Option<Span> {
        (self.slot == 0).then_some(self.session)
    }

    /// The session the next bar belongs to.
    pub(crate) fn session(&self) -> Span {
        self.session
    }

    /// Shifts the stocks so that a walk that leads them to where `end` stands leads to these prices instead.
    pub(crate) fn lift(&mut self, end: &Self, level_of: impl Fn(usize) -> f64) {
        for (index, stock) in self.stocks.iter_mut().enumerate() {
            let log = level_of(self.assets[index]).ln() - end.stocks[index].price.log;
            stock.price = Price { log, last: crate::shape::round(log.exp(), 2) };
        }
    }

    /// Walks one bar without shaping it.
    pub(crate) fn skip(&mut self, terms: &mut [(usize, Term)]) {
        if self.slot == 0 {
            self.night(terms);
        }
        let share = self.share();
        for (stock, draw) in self.stocks.iter_mut().zip(self.panel.step(share)) {
            stock.price.log += draw.log_return;
        }
        self.turn();
    }

    /// The next bar of every stock, each with its asset's place in the universe. Where it is a session's first, `terms`
    /// (asset and what happens) take effect before it opens, and amounts are filled in.
    pub(crate) fn bar(&mut self, terms: &mut [(usize, Term)], give: &mut dyn FnMut(usize, Shaped)) {
        if self.slot == 0 {
            self.night(terms);
        }
        let Span { open_time, close_time } = self.next;
        let share = self.share();
        let draws = self.panel.step(share);
        let rounding = Rounding::Decimals(2);
        for (index, (stock, draw)) in self.stocks.iter_mut().zip(draws).enumerate() {
            let busy = draw.relative.powf(0.8) * draw.interest.exp() * (share / 0.75).sqrt() / HOURS_ROOT_SUM;
            let volume = (stock.daily_value * busy / stock.price.last).round();
            let frame = Frame { open_time, close_time, volume, rounding, stream: stock.stream };
            give(self.assets[index], stock.price.trade(draw, &frame));
        }
        let expected = self.expected_index().ln();
        if let Some((index, price, stream)) = &mut self.index {
            // The index follows the volatility expected at the bar's end, and trembles a little around it.
            let target = expected + 0.01 * stream.normal(open_time.as_second() as u64, 40);
            let draw = Draw { log_return: target - price.log, sd: 0.008, ..Draw::default() };
            let frame = Frame { open_time, close_time, volume: 0.0, rounding, stream: *stream };
            give(*index, price.trade(&draw, &frame));
        }
        self.turn();
    }

    /// From the last close to the open: the night's news and the morning's terms.
    fn night(&mut self, terms: &mut [(usize, Term)]) {
        let step = self.panel.steps();
        let draws = self.panel.step(NIGHT);
        for (index, (stock, draw)) in self.stocks.iter_mut().zip(draws).enumerate() {
            let surprised =
                self.kinds[index] == AssetKind::Equity && stock.stream.uniform(step, 50) * SURPRISE_EVERY < 1.0;
            let news = if surprised { SURPRISE * draw.sd * stock.stream.normal(step, 26) } else { 0.0 };
            stock.price.log += draw.log_return + news;
            for (_, term) in terms.iter_mut().filter(|(asset, _)| *asset == self.assets[index]) {
                match term {
                    Term::Split { ratio } => stock.price.log -= ratio.ln(),
                    Term::Dividend { share, amount } => {
                        *amount = crate::shape::round(*share * stock.price.last, 4);
                        stock.price.log += (1.0 - *share).ln();
                    }
                }
            }
            stock.price.last = crate::shape::round(stock.price.log.exp(), 2);
        }
        let expected = self.expected_index();
        if let Some((_, price, _)) = &mut self.index {
            *price = Price { log: expected.ln(), last: crate::shape::round(expected, 2) };
        }
    }

    /// The volatility expected over the next 21 sessions, in percent a year, with what insurance against it costs.
    fn expected_index(&self) -> f64 {
        100.0 * 0.165 * self.panel.expected_common_variance(21 * STEPS as u32).sqrt() * 1.12
    }

    fn share(&self) -> f64 {
        let length = self.next.close_time.duration_since(self.next.open_time);
        let whole = if self.slot == 6 || length == SignedDuration::from_hours(1) { 1.0 } else { 0.5 };
        (1.0 - NIGHT) * HOURS[self.slot.min(6)] * whole
    }

    fn turn(&mut self) {
        let next = Calendar::Nyse.bar_closing_after(Timeframe::H1, self.next.close_time);
        let next = next.expect("the calendar goes on beyond any simulated year");
        self.slot += 1;
        if next.open_time >= self.session.close_time {
            let session = Calendar::Nyse.bar_closing_after(Timeframe::D1, self.next.close_time);
            self.session = session.expect("the calendar goes on beyond any simulated year");
            self.slot = 0;
        }
        self.next = next;
    }
}

/// Sum of the roots of [`HOURS`]: a day's value is traded in proportion to volatility.
const HOURS_ROOT_SUM: f64 = 2.582;

/// The first session that opens at or after an instant.
pub(crate) fn first_session(start: Timestamp) -> Option<Span> {
    let span = Calendar::Nyse.bar_closing_after(Timeframe::D1, start)?;
    if span.open_time >= start { Some(span) } else { Calendar::Nyse.bar_closing_after(Timeframe::D1, span.close_time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_a_session_are_whole() {
        assert!((HOURS.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((HOURS.iter().map(|share| share.sqrt()).sum::<f64>() - HOURS_ROOT_SUM).abs() < 1e-3);
    }
}
