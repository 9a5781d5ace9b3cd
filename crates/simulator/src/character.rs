//! What the simulated assets are like: levels, volatilities, volumes, dividends. Round figures, in the range of the assets
//! whose names they bear.

use market::{Asset, AssetKind};

use crate::noise::Stream;

/// What one asset is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Character {
    /// Raw price at the start of the live feed.
    pub(crate) level: f64,
    /// Standard deviation of log returns over a year.
    pub(crate) annual_volatility: f64,
    /// Traded value of a day, in the quote currency.
    pub(crate) daily_value: f64,
    /// Share of the price paid out over a year; zero for none.
    pub(crate) dividend_yield: f64,
}

/// Symbol, level, volatility, value in millions, dividend yield in percent.
const TABLE: [(&str, f64, f64, f64, f64); 22] = [
    ("BTC", 64_000.0, 0.55, 1_900.0, 0.0),
    ("ETH", 3_200.0, 0.70, 1_200.0, 0.0),
    ("USDT", 1.0, 0.0, 90.0, 0.0),
    ("XRP", 0.58, 0.80, 260.0, 0.0),
    ("BNB", 560.0, 0.60, 190.0, 0.0),
    ("SOL", 145.0, 0.95, 420.0, 0.0),
    ("USDC", 1.0, 0.0, 700.0, 0.0),
    ("DOGE", 0.145, 0.95, 240.0, 0.0),
    ("ADA", 0.44, 0.80, 70.0, 0.0),
    ("TRX", 0.125, 0.60, 40.0, 0.0),
    ("NVDA", 1_180.0, 0.46, 42_000.0, 0.03),
    ("MSFT", 425.0, 0.25, 8_500.0, 0.7),
    ("AAPL", 192.0, 0.27, 11_000.0, 0.5),
    ("GOOGL", 172.0, 0.29, 4_700.0, 0.5),
    ("AMZN", 182.0, 0.32, 7_200.0, 0.0),
    ("META", 478.0, 0.37, 6_800.0, 0.4),
    ("AVGO", 1_420.0, 0.38, 3_600.0, 1.5),
    ("TSLA", 178.0, 0.55, 14_500.0, 0.0),
    ("BRK-B", 412.0, 0.16, 1_400.0, 0.0),
    ("JPM", 198.0, 0.24, 1_800.0, 2.3),
    ("SPY", 528.0, 0.17, 32_000.0, 1.3),
    ("QQQ", 452.0, 0.21, 17_000.0, 0.6),
];

/// Splits before the live feed begins: symbol, sessions before its start, new shares for one old.
pub(crate) const PAST_SPLITS: [(&str, i32, f64); 3] = [("AAPL", 430, 4.0), ("TSLA", 300, 3.0), ("AMZN", 520, 20.0)];

/// The stock that splits soon after the live feed has begun, when it is there; else the first equity does.
pub(crate) const COMING_SPLIT: (&str, f64) = ("NVDA", 10.0);

impl Character {
    /// The asset's line of the table; for one that has none, a character drawn from seed and symbol.
    pub(crate) fn of(asset: &Asset, seed: u64) -> Self {
        let name = asset.symbol.as_str();
        if let Some(&(_, level, annual_volatility, millions, percent)) = TABLE.iter().find(|row| row.0 == name) {
            let (daily_value, dividend_yield) = (millions * 1e6, percent / 100.0);
            return Self { level, annual_volatility, daily_value, dividend_yield };
        }
        let stream = Stream::new(seed, name);
        let draw = |lane, low: f64, high: f64| (low.ln() + stream.uniform(0, lane) * (high / low).ln()).exp();
        let (level, annual_volatility) = match asset.kind {
            AssetKind::Stable => (1.0, 0.0),
            AssetKind::Coin => (draw(0, 0.02, 200.0), draw(1, 0.6, 1.2)),
            AssetKind::Etf => (draw(0, 30.0, 300.0), draw(1, 0.1, 0.25)),
            AssetKind::Equity | AssetKind::Index | AssetKind::Series => (draw(0, 20.0, 500.0), draw(1, 0.2, 0.5)),
        };
        Self { level, annual_volatility, daily_value: draw(2, 2e7, 2e9), dividend_yield: 0.0 }
    }
}
