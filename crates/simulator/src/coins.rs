//! Coins: around the clock, hour by hour.

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetKind, Bar};

use crate::character::Character;
use crate::noise::Stream;
use crate::panel::{Draw, Manners, Panel, Swing};
use crate::shape::{Frame, Price, Rounding, Shaped};

/// Hours a year, for the scale of an hour.
const DAYS_A_YEAR: f64 = 365.25;

fn manners() -> Manners {
    Manners {
        slow: Swing::new(0.40, 24.0 * 22.0),
        fast: Swing::new(0.38, 30.0),
        own: Swing::new(0.24, 24.0 * 5.0),
        flicker: 0.22,
        leverage: -0.15,
        common: 0.55,
        jump_every: 900.0,
        own_jump_every: 1_200.0,
    }
}

/// The coins of a universe, walking. Hours are counted from the start.
#[derive(Debug, Clone)]
pub(crate) struct Coins {
    /// Places of the coins in the universe, the floating ones first, as they stand in the panel.
    assets: Vec<usize>,
    n_floating: usize,
    panel: Panel,
    coins: Vec<Coin>,
    next_open: Timestamp,
}

#[derive(Debug, Clone)]
struct Coin {
    price: Price,
    daily_value: f64,
    stream: Stream,
    rounding: Rounding,
}

impl Coins {
    /// All coins of the universe at `start`, an hour; `None` without any. Their logs stand at zero: see [`Coins::lift`].
    pub(crate) fn new(seed: u64, universe: &[Asset], start: Timestamp) -> Option<Self> {
        let of_kind = |kind| (0..universe.len()).filter(move |&index| universe[index].kind == kind);
        let mut assets: Vec<usize> = of_kind(AssetKind::Coin).collect();
        let n_floating = assets.len();
        assets.extend(of_kind(AssetKind::Stable));
        if assets.is_empty() {
            return None;
        }
        let character = |index: usize| Character::of(&universe[index], seed);
        let daily_sd = |index: usize| character(index).annual_volatility / DAYS_A_YEAR.sqrt();
        let members: Vec<(&str, f64)> =
            assets.iter().map(|&index| (universe[index].symbol.as_str(), daily_sd(index))).collect();
        let coin = |&index: &usize| Coin {
            price: Price { log: 0.0, last: 1.0 },
            daily_value: character(index).daily_value,
            stream: Stream::new(seed, &format!("bars {}", universe[index].symbol)),
            rounding: match universe[index].kind {
                AssetKind::Stable => Rounding::Decimals(5),
                _ => Rounding::Significant(6),
            },
        };
        let coins = assets.iter().map(coin).collect();
        Some(Self {
            panel: Panel::new(seed, "crypto", manners(), &members),
            assets,
            n_floating,
            coins,
            next_open: start,
        })
    }

    /// When the next hour opens.
    pub(crate) fn next_open(&self) -> Timestamp {
        self.next_open
    }

    /// Shifts the coins so that a walk that leads them to where `end` stands leads to these prices instead.
    pub(crate) fn lift(&mut self, end: &Self, level_of: impl Fn(usize) -> f64) {
        for index in 0..self.n_floating {
            let log = level_of(self.assets[index]).ln() - end.coins[index].price.log;
            let last = self.coins[index].rounding.round(log.exp());
            self.coins[index].price = Price { log, last };
        }
    }

    /// Walks one hour without shaping its bars.
    pub(crate) fn skip(&mut self) {
        let draws = self.panel.step(share_of_day(self.next_open));
        for (coin, draw) in self.coins[..self.n_floating].iter_mut().zip(draws) {
            coin.price.log += draw.log_return;
        }
        self.next_open += SignedDuration::from_hours(1);
    }

    /// The next hour's bars, each with its asset's place in the universe.
    pub(crate) fn hour(&mut self, give: &mut dyn FnMut(usize, Shaped)) {
        let (open_time, step) = (self.next_open, self.panel.steps());
        let close_time = open_time + SignedDuration::from_hours(1);
        let share = share_of_day(open_time);
        let draws = self.panel.step(share);
        for (index, (coin, draw)) in self.coins.iter_mut().zip(draws).enumerate() {
            let stable = index >= self.n_floating;
            let draw = if stable { peg(coin, draw, step) } else { *draw };
            let busy = draw.relative.powf(0.9) * draw.interest.exp() * share.sqrt() / 24.0_f64.sqrt();
            let volume = (coin.daily_value * busy / coin.price.last * 1000.0).round() / 1000.0;
            let (rounding, stream) = (coin.rounding, coin.stream);
            let frame = Frame { open_time, close_time, volume, rounding, stream };
            give(self.assets[index], coin.price.trade(&draw, &frame));
        }
        self.next_open = close_time;
    }
}

/// How a stablecoin's pair moves: pulled back to one, disturbed a little more when coins are restless, and now and then
/// by a fright.
fn peg(coin: &Coin, draw: &Draw, step: u64) -> Draw {
    let (shock, fright) = coin.stream.normals(step, 30);
    let sd = 0.000_12 * draw.relative.sqrt();
    let frightened = coin.stream.uniform(step, 70) * 5_000.0 < 1.0;
    let jump = if frightened { -0.002 * fright.abs() } else { 0.0 };
    Draw { log_return: -0.08 * coin.price.log + sd * shock + jump, sd, ..*draw }
}

/// The share of a usual day's variance that falls into the hour: most in the New York morning, least at night in both
/// Europe and America, less at the weekend. On average over a week a 24th.
fn share_of_day(open_time: Timestamp) -> f64 {
    let hours = open_time.as_second() / 3600;
    let of_day = (hours % 24) as f64 / 24.0 * std::f64::consts::TAU;
    let peak = 14.5 / 24.0 * std::f64::consts::TAU;
    let season = 1.0 + 0.42 * (of_day - peak).cos() + 0.16 * (2.0 * (of_day - peak)).cos();
    // 1970-01-01 was a Thursday.
    let weekday = (hours / 24 + 3) % 7;
    let weekend = if weekday >= 5 { 0.58 } else { 1.0 };
    season * weekend / 24.0 * (7.0 / 6.16)
}

/// Adds an hour to its day.
pub(crate) fn add_to_day(day: &mut Option<Bar>, hour: &Bar) {
    match day {
        None => *day = Some(*hour),
        Some(day) => {
            day.high = day.high.max(hour.high);
            day.low = day.low.min(hour.low);
            day.close = hour.close;
            day.volume += hour.volume;
            day.close_time = hour.close_time;
            day.known_at = hour.known_at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_of_hours_holds_seven_days_of_variance() {
        let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
        let hours: Vec<f64> = (0..168).map(|h| share_of_day(start + SignedDuration::from_hours(h))).collect();
        assert!((hours.iter().sum::<f64>() - 7.0).abs() < 1e-9);
        assert!(hours[14] > 2.0 * hours[3], "a Monday's New York morning against its night");
        assert!(hours[5 * 24 + 14] < 0.6 * hours[14], "Saturday against Monday");
    }
}
