//! The path of prices within a bar.
//!
//! A bar says where prices began, how far they went and where they ended; a path says when. It is drawn once from the
//! bar's own random numbers: through both extremes, each reached at one instant only, and never beyond them. Shorter bars
//! are cut from it, so that together they are the bar again.

use jiff::Timestamp;
use market::Bar;

use crate::noise::Stream;
use crate::shape::round;

/// The way from the open to the close.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    bar: Bar,
    decimals: i32,
    volume_decimals: i32,
    stream: Stream,
    /// Where prices stay between the extremes: one step of the price inside them, where there is room.
    inside: (f64, f64),
    /// From the open to the close, ascending by time. Between two of them prices move one way only, so that no price that
    /// was seen lies outside the extremes of the knots around it.
    knots: Vec<Knot>,
}

#[derive(Debug, Clone, Copy)]
struct Knot {
    /// Microseconds since the epoch.
    at: i64,
    price: f64,
    /// The share of the bar's volume that has been traded.
    traded: f64,
}

/// What happened in a part of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    pub(crate) volume: f64,
}

/// In microseconds.
const SECOND: i64 = 1_000_000;

/// Knots lie about this far apart.
const APART: i64 = 10 * SECOND;

/// There are about so many at most.
const MOST: i64 = 2048;

/// Halvings between two knots: finer than anyone looks.
const FINE: u32 = 5;

/// Lanes of random numbers: turns, knots, volume, and between knots.
const TURNS: u64 = 22;
const KNOTS: u64 = 64;
const VOLUME: u64 = 1 << 40;
const BETWEEN: u64 = 1 << 41;

impl Path {
    /// The path of any bar; prices are quoted as finely as the bar's own.
    pub(crate) fn of(bar: Bar, stream: Stream) -> Self {
        let decimals = [bar.open, bar.high, bar.low, bar.close].map(decimals_of).into_iter().max().unwrap_or(0);
        Self::with_decimals(bar, decimals, stream)
    }

    /// The path of a bar whose prices are quoted so finely.
    pub(crate) fn with_decimals(bar: Bar, decimals: i32, stream: Stream) -> Self {
        let step = 10_f64.powi(-decimals);
        let (low, high) = (round(bar.low + step, decimals), round(bar.high - step, decimals));
        let inside = if low <= high { (low, high) } else { (bar.low, bar.high) };
        let mut path =
            Self { bar, decimals, volume_decimals: decimals_of(bar.volume), stream, inside, knots: Vec::new() };
        let turns = path.turns();
        for (leg, turn) in turns.windows(2).enumerate() {
            let length = turn[1].0 - turn[0].0;
            let apart = APART.max(path.length() / MOST);
            let halvings = (length / apart).max(1).ilog2();
            path.knots.push(Knot { at: turn[0].0, price: turn[0].1, traded: 0.0 });
            // Roots 4 to 7 of one tree, so that no two legs share random numbers.
            path.halve(turn[0], turn[1], 4 + leg as u64, halvings);
        }
        path.knots.push(Knot { at: turns[turns.len() - 1].0, price: bar.close, traded: 0.0 });
        path.trade();
        path
    }

    /// The price at an instant; before the bar its open, after it its close.
    pub(crate) fn price_at(&self, instant: Timestamp) -> f64 {
        let at = instant.as_microsecond();
        let next = self.knots.partition_point(|knot| knot.at <= at);
        let Some(from) = next.checked_sub(1).map(|index| self.knots[index]) else { return self.bar.open };
        let Some(to) = self.knots.get(next).copied().filter(|_| from.at < at) else { return from.price };
        let (mut left, mut right) = ((0.0, from.price), (1.0, to.price));
        let share = (at - from.at) as f64 / (to.at - from.at) as f64;
        let mut node = 1;
        for _ in 0..FINE {
            let middle = f64::midpoint(left.0, right.0);
            let width: f64 = right.0 - left.0;
            let stray = 0.5 * (to.price - from.price) * width.sqrt() * self.normal(BETWEEN + next as u64 * 64 + node);
            let (low, high) = (left.1.min(right.1), left.1.max(right.1));
            let price = (f64::midpoint(left.1, right.1) + stray).max(low).min(high);
            node *= 2;
            if share < middle {
                right = (middle, price);
            } else {
                left = (middle, price);
                node += 1;
            }
        }
        let price = left.1 + (share - left.0) / (right.0 - left.0) * (right.1 - left.1);
        let price = round(price, self.decimals);
        let (first, last) = (self.knots[0].at, self.knots[self.knots.len() - 1].at);
        if at - first < SECOND || last - at < SECOND {
            // So near to the open or the close the price is theirs, which may be an extreme.
            return price;
        }
        price.max(self.inside.0).min(self.inside.1)
    }

    /// What has been traded from the open to an instant.
    pub(crate) fn volume_at(&self, instant: Timestamp) -> f64 {
        let at = instant.as_microsecond();
        let next = self.knots.partition_point(|knot| knot.at <= at);
        let Some(from) = next.checked_sub(1).map(|index| self.knots[index]) else { return 0.0 };
        let Some(to) = self.knots.get(next) else { return self.bar.volume };
        let share = (at - from.at) as f64 / (to.at - from.at) as f64;
        let traded = from.traded + share * (to.traded - from.traded);
        to_decimals(self.bar.volume * traded, self.volume_decimals)
    }

    /// What happens from one instant to another; the whole bar when they enclose it.
    pub(crate) fn part(&self, from: Timestamp, to: Timestamp) -> Part {
        let bar = &self.bar;
        if from <= bar.open_time && bar.close_time <= to {
            return Part { open: bar.open, high: bar.high, low: bar.low, close: bar.close, volume: bar.volume };
        }
        let (open, close) = (self.price_at(from), self.price_at(to));
        let first = self.knots.partition_point(|knot| knot.at <= from.as_microsecond());
        let last = self.knots.partition_point(|knot| knot.at < to.as_microsecond()).max(first);
        let prices = || self.knots[first..last].iter().map(|knot| knot.price);
        Part {
            open,
            high: prices().fold(open.max(close), f64::max),
            low: prices().fold(open.min(close), f64::min),
            close,
            volume: to_decimals(self.volume_at(to) - self.volume_at(from), self.volume_decimals),
        }
    }

    /// Where the path turns, from the open to the close: an extreme that is not one of these is reached in between.
    fn turns(&self) -> Vec<(i64, f64)> {
        let bar = &self.bar;
        let uniform = |lane| self.stream.uniform(self.index(), lane);
        let low_first = uniform(TURNS + 2) < if bar.close >= bar.open { 0.75 } else { 0.25 };
        let extremes = if low_first { [bar.low, bar.high] } else { [bar.high, bar.low] };
        let within: Vec<f64> =
            extremes.into_iter().filter(|extreme| *extreme != bar.open && *extreme != bar.close).collect();
        let places: &[(f64, f64)] = if within.len() == 2 { &[(0.08, 0.45), (0.5, 0.95)] } else { &[(0.1, 0.9)] };
        let mut turns = vec![(bar.open_time.as_microsecond(), bar.open)];
        for (lane, (price, (low, high))) in within.into_iter().zip(places).enumerate() {
            let share = low + uniform(TURNS + lane as u64) * (high - low);
            // On a half second: never on the edge of a shorter bar, which would belong to two of them.
            let seconds = (share * self.length() as f64 / 1e6).floor();
            turns.push((bar.open_time.as_microsecond() + (seconds * 1e6) as i64 + 500_000, price));
        }
        turns.push((bar.close_time.as_microsecond(), bar.close));
        turns
    }

    /// Halves a leg; each midpoint strays from the straight line as a Brownian bridge would.
    fn halve(&mut self, from: (i64, f64), to: (i64, f64), node: u64, halvings: u32) {
        if halvings == 0 {
            return;
        }
        let share = (to.0 - from.0) as f64 / self.length() as f64;
        let stray = 0.25 * (self.bar.high - self.bar.low) * share.sqrt() * self.normal(KNOTS + node);
        let price = round(f64::midpoint(from.1, to.1) + stray, self.decimals).max(self.inside.0).min(self.inside.1);
        let middle = (i64::midpoint(from.0, to.0), price);
        self.halve(from, middle, 2 * node, halvings - 1);
        self.knots.push(Knot { at: middle.0, price, traded: 0.0 });
        self.halve(middle, to, 2 * node + 1, halvings - 1);
    }

    /// Spreads the volume over the path, unevenly.
    fn trade(&mut self) {
        let (index, stream) = (self.index(), self.stream);
        let mut sum = 0.0;
        for place in 1..self.knots.len() {
            let length = (self.knots[place].at - self.knots[place - 1].at) as f64;
            sum += length * (0.3 + 1.4 * stream.uniform(index, VOLUME + place as u64));
            self.knots[place].traded = sum;
        }
        for knot in &mut self.knots {
            knot.traded /= sum;
        }
    }

    fn length(&self) -> i64 {
        (self.bar.close_time.as_microsecond() - self.bar.open_time.as_microsecond()).max(1)
    }

    fn index(&self) -> u64 {
        self.bar.open_time.as_second() as u64
    }

    fn normal(&self, lane: u64) -> f64 {
        self.stream.normal(self.index(), lane)
    }
}

/// The fewest decimals, through eight, that say a number in full; eight where none do.
pub(crate) fn decimals_of(value: f64) -> i32 {
    (0..8).find(|&decimals| to_decimals(value, decimals) == value).unwrap_or(8)
}

/// Rounds to decimals.
pub(crate) fn to_decimals(value: f64, decimals: i32) -> f64 {
    // Division by a power of ten gives the double nearest to the decimal, which multiplication by its inverse does not.
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn bar(prices: [i64; 4], minutes: i64, volume: i64) -> Bar {
        let open_time: Timestamp = "2024-03-04T14:30:00Z".parse().unwrap();
        let close_time = open_time + SignedDuration::from_mins(minutes);
        let price = |cents: i64| cents as f64 / 100.0;
        let (high, low) = (prices.iter().max().unwrap(), prices.iter().min().unwrap());
        Bar {
            open_time,
            close_time,
            open: price(prices[0]),
            high: price(*high),
            low: price(*low),
            close: price(prices[1]),
            volume: volume as f64 / 1000.0,
            adj_close: None,
            known_at: close_time,
        }
    }

    /// The minutes of a bar.
    fn minutes(path: &Path, n: i64) -> Vec<Part> {
        let at = |minute| path.bar.open_time + SignedDuration::from_mins(minute);
        (0..n).map(|minute| path.part(at(minute), at(minute + 1))).collect()
    }

    proptest! {
        #[test]
        fn the_minutes_of_a_bar_are_the_bar(
            seed in any::<u64>(), prices in prop::array::uniform4(1_i64..200_000), length in 1_i64..1500,
            volume in 0_i64..1_000_000_000,
        ) {
            let bar = bar(prices, length, volume);
            let path = Path::of(bar, Stream::new(seed, "path"));
            let minutes = minutes(&path, length);
            let high = minutes.iter().map(|part| part.high).fold(f64::MIN, f64::max);
            let low = minutes.iter().map(|part| part.low).fold(f64::MAX, f64::min);
            let (first, last) = (minutes[0], minutes[minutes.len() - 1]);
            prop_assert_eq!((first.open, high, low, last.close), (bar.open, bar.high, bar.low, bar.close));
            let sum: f64 = minutes.iter().map(|part| part.volume).sum();
            prop_assert!((sum - bar.volume).abs() < 1e-6, "{} of {}", sum, bar.volume);
            for part in &minutes {
                prop_assert!(part.volume >= 0.0);
                prop_assert!(part.low <= part.open.min(part.close) && part.high >= part.open.max(part.close));
            }
            for pair in minutes.windows(2) {
                prop_assert_eq!(pair[0].close, pair[1].open);
            }
            if bar.high - bar.low > 0.025 {
                let ends = |extreme| usize::from(bar.open == extreme) + usize::from(bar.close == extreme);
                let at_high = minutes.iter().filter(|part| part.high == bar.high).count();
                let at_low = minutes.iter().filter(|part| part.low == bar.low).count();
                let once = |n: usize, extreme| n == ends(extreme).max(1) || (n == 1 && minutes.len() == 1);
                prop_assert!(once(at_high, bar.high) && once(at_low, bar.low), "{at_high}, {at_low}");
            }
        }

        #[test]
        fn a_running_bar_grows_into_the_bar(seed in any::<u64>(), prices in prop::array::uniform4(1_i64..200_000)) {
            let bar = bar(prices, 60, 7_654_321);
            let path = Path::of(bar, Stream::new(seed, "path"));
            let mut before = path.part(bar.open_time, bar.open_time);
            prop_assert_eq!((before.high, before.low, before.volume), (bar.open, bar.open, 0.0));
            for seconds in 1..=3600 {
                let now = bar.open_time + SignedDuration::from_secs(seconds);
                let part = path.part(bar.open_time, now);
                prop_assert_eq!(part.close, path.price_at(now));
                prop_assert!(part.high >= before.high && part.low <= before.low && part.volume >= before.volume);
                prop_assert!(part.high >= part.close && part.low <= part.close);
                before = part;
            }
            let whole = Part { open: bar.open, high: bar.high, low: bar.low, close: bar.close, volume: bar.volume };
            prop_assert_eq!(before, whole);
        }
    }
}
