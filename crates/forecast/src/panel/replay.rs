//! Rebuilding a panel from what was pushed, whole, cut, or corrupted after an instant.

use jiff::Timestamp;
use market::Bar;

use super::{Panel, PanelBar, instant};

/// What to do with everything that closes after an instant. Used by the leak gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corruption {
    /// It never happened.
    Cut,
    /// Prices, volumes, split ratios, volatility index and hours are replaced by nonsense, bars go missing, and of each
    /// kind an asset appears that was not there before, all drawn from a seed.
    Nonsense {
        /// The seed.
        seed: u64,
    },
}

impl Panel {
    /// The same panel with everything that closed after `as_of` cut or corrupted, rebuilt bar by bar.
    #[must_use]
    pub fn corrupted_after(&self, as_of: Timestamp, corruption: Corruption) -> Self {
        let mut rebuilt = Self::new(self.class, self.base).expect("a panel of this kind exists");
        for series in &self.series {
            rebuilt.add_asset(series.symbol.clone(), series.kind).expect("these assets were listed before");
        }
        let mut noise = match corruption {
            Corruption::Cut => None,
            Corruption::Nonsense { seed } => Some(Noise(seed | 1)),
        };
        let mut newcomers = Vec::new();
        if noise.is_some() {
            for pool in &self.pools {
                let symbol = format!("NEW-{}", pool.kind).parse().expect("kinds are short words");
                newcomers.push(rebuilt.add_asset(symbol, pool.kind).expect("no listed asset has such a name"));
            }
        }
        for bar in &self.volatility_index.bars {
            // What became known later may still describe an earlier day.
            if bar.known_at <= as_of {
                rebuilt.push_volatility_index(bar).expect("it was pushed in this order");
            } else if let Some(noise) = &mut noise {
                rebuilt.push_volatility_index(&noise.bar(bar)).expect("times are kept");
            }
        }
        for (asset, series) in self.series.iter().enumerate() {
            for bar in &series.hours.bars {
                if bar.known_at <= as_of {
                    rebuilt.push_hour(asset, bar).expect("it was pushed in this order");
                } else if let Some(noise) = &mut noise {
                    rebuilt.push_hour(asset, &noise.bar(bar)).expect("times are kept");
                }
            }
        }
        let mut next_row = vec![0; self.series.len()];
        for (step, close_us) in self.step_close.iter().enumerate() {
            let later = instant(*close_us) > as_of;
            if later && noise.is_none() {
                break;
            }
            let mut bars = Vec::new();
            for (asset, series) in self.series.iter().enumerate() {
                if series.step.get(next_row[asset]).is_some_and(|s| *s as usize == step) {
                    bars.push((asset, series.bar(next_row[asset]), series.raw[next_row[asset]].split_ratio));
                    next_row[asset] += 1;
                }
            }
            if let Some(noise) = noise.as_mut().filter(|_| later) {
                if let Some((_, bar, split_ratio)) = bars.first().copied() {
                    bars.extend(newcomers.iter().map(|newcomer| (*newcomer, bar, split_ratio)));
                }
                bars.retain(|_| noise.next() > 0.2);
                for (_, bar, split_ratio) in &mut bars {
                    *bar = noise.bar(bar);
                    *split_ratio = 0.5 + noise.next();
                }
            }
            let step_bars: Vec<PanelBar<'_>> =
                bars.iter().map(|(asset, bar, ratio)| PanelBar { asset: *asset, bar, split_ratio: *ratio }).collect();
            rebuilt.push_step(instant(*close_us), &step_bars).expect("these steps were pushed in this order");
        }
        rebuilt
    }
}

impl super::Series {
    /// A row as the bar it came from; `known_at` is its close.
    pub(super) fn bar(&self, row: usize) -> Bar {
        let raw = self.raw[row];
        let close_time = instant(self.close_us[row]);
        Bar {
            open_time: instant(self.open_us[row]),
            close_time,
            open: raw.open,
            high: raw.high,
            low: raw.low,
            close: raw.close,
            volume: raw.volume,
            adj_close: None,
            known_at: close_time,
        }
    }
}

/// A small seeded generator (xorshift64*); its only use is to spoil data.
struct Noise(u64);

impl Noise {
    /// The next number in [0, 1).
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A possible bar with the times of `bar` and nothing else of it.
    fn bar(&mut self, bar: &Bar) -> Bar {
        let open = 1.0 + 99.0 * self.next();
        let close = open * (0.5 + self.next());
        let high = open.max(close) * (1.0 + self.next());
        let low = open.min(close) * (0.1 + 0.9 * self.next());
        Bar { open, high, low, close, volume: 1e6 * self.next(), adj_close: None, ..*bar }
    }
}
