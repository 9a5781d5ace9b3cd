//! Generated markets for tests and benches: stochastic volatility that clusters, seeded, never passed off as data.

use forecast::{Panel, PanelBar};
use jiff::Timestamp;
use market::{AssetClass, AssetKind, Bar, Calendar, Symbol, Timeframe};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Steps of a market, ready to be pushed.
pub(crate) struct Market {
    pub(crate) class: AssetClass,
    pub(crate) base: Timeframe,
    pub(crate) kinds: Vec<AssetKind>,
    pub(crate) steps: Vec<(Timestamp, Vec<(usize, Bar)>)>,
}

/// Moves within a bar.
const MOVES: usize = 24;

impl Market {
    /// `n_steps` bars of assets of the given kinds. Log variance is the sum of a common and an own part, each returning
    /// slowly to its mean; falls raise it.
    pub(crate) fn new(class: AssetClass, base: Timeframe, kinds: &[AssetKind], n_steps: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = move || {
            // Twelve uniforms make a normal that is good enough, and the same on every machine.
            (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
        };
        let start: Timestamp = "2015-01-01T00:00:00Z".parse().expect("an instant");
        let calendar = Calendar::of(class);
        let end: Timestamp = "2060-01-01T00:00:00Z".parse().expect("an instant");
        let spans = calendar.bars_closing_in(base, start, end).take(n_steps);
        let mut common = 0.0;
        let mut own = vec![0.0; kinds.len()];
        let mut price = vec![100.0; kinds.len()];
        let mut steps = Vec::with_capacity(n_steps);
        for span in spans {
            let mut bars = Vec::with_capacity(kinds.len());
            common = 0.97 * common + 0.25 * normal();
            let shared = normal();
            for asset in 0..kinds.len() {
                own[asset] = 0.98 * own[asset] + 0.15 * normal();
                let sd = 0.012 * (0.5 * (common + own[asset])).exp() / (MOVES as f64).sqrt();
                let (open, mut high, mut low, mut last) = (price[asset], price[asset], price[asset], price[asset]);
                let drift = 0.3 * shared * sd * (MOVES as f64).sqrt() / MOVES as f64;
                for _ in 0..MOVES {
                    last *= (drift + sd * normal()).exp();
                    high = f64::max(high, last);
                    low = f64::min(low, last);
                }
                if last < open {
                    own[asset] += 0.05;
                }
                price[asset] = last;
                let volume = 1000.0 * (0.5 * own[asset] + 0.3 * normal()).exp();
                let (open_time, close_time) = (span.open_time, span.close_time);
                let known_at = close_time;
                let bar =
                    Bar { open_time, close_time, open, high, low, close: last, volume, adj_close: None, known_at };
                bars.push((asset, bar));
            }
            steps.push((span.close_time, bars));
        }
        Self { class, base, kinds: kinds.to_vec(), steps }
    }

    /// The symbol of an asset.
    pub(crate) fn symbol(&self, asset: usize) -> Symbol {
        let name = if asset == 0 && self.class == AssetClass::Crypto { "BTC".to_owned() } else { format!("S{asset}") };
        name.parse().expect("a symbol")
    }

    /// An empty panel with the assets listed.
    pub(crate) fn listed(&self) -> Panel {
        let mut panel = Panel::new(self.class, self.base).expect("such panels exist");
        for (asset, kind) in self.kinds.iter().enumerate() {
            panel.add_asset(self.symbol(asset), *kind).expect("symbols differ");
        }
        panel
    }

    /// Pushes the steps `from..to`.
    pub(crate) fn push(&self, panel: &mut Panel, from: usize, to: usize) {
        for (close_time, bars) in &self.steps[from..to] {
            let bars: Vec<PanelBar<'_>> =
                bars.iter().map(|(asset, bar)| PanelBar { asset: *asset, bar, split_ratio: 1.0 }).collect();
            panel.push_step(*close_time, &bars).expect("steps ascend");
        }
    }

    /// The whole market as a panel.
    pub(crate) fn panel(&self) -> Panel {
        let mut panel = self.listed();
        self.push(&mut panel, 0, self.steps.len());
        panel
    }
}
