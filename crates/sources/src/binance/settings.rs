//! Which exchange, and where.

use market::Timeframe;
use url::Url;

use crate::http::HttpSettings;

use super::pairs;

/// Which exchange is asked, and where.
#[derive(Debug, Clone)]
pub struct BinanceSettings {
    /// What stands beside every bar of it.
    pub name: String,
    /// Where REST is asked, the preferred first; a path in them is a prefix.
    pub rest: Vec<Url>,
    /// Where streams are heard, the preferred first; a path in them is a prefix.
    pub streams: Vec<Url>,
    /// The currencies its pairs are quoted in that are asked for: an asset quoted in another one is not had here.
    pub quotes: Vec<String>,
    /// Bar lengths that are followed live; those the exchange is not asked for are left out.
    pub timeframes: Vec<Timeframe>,
    /// Request weight the exchange allows an address in a minute.
    pub weight_a_minute: u32,
    /// How requests are made; `simulated` and `timeout` hold for streams too.
    pub http: HttpSettings,
}

impl BinanceSettings {
    /// The international exchange: the hosts that serve market data only first, as they answer from most places.
    #[must_use]
    pub fn global() -> Self {
        Self {
            name: "binance".to_owned(),
            rest: urls(&["https://data-api.binance.vision", "https://api.binance.com", "https://api-gcp.binance.com"]),
            streams: urls(&["wss://data-stream.binance.vision", "wss://stream.binance.com:9443"]),
            quotes: words(&["USDT", "USDC", "FDUSD", "BTC", "ETH", "BNB", "EUR"]),
            timeframes: vec![Timeframe::M1, Timeframe::H1, Timeframe::D1],
            weight_a_minute: 6000,
            http: HttpSettings::default(),
        }
    }

    /// The exchange for the United States: the same protocol, its own pairs, among them some in dollars.
    #[must_use]
    pub fn us() -> Self {
        Self {
            name: "binanceus".to_owned(),
            rest: urls(&["https://api.binance.us"]),
            streams: urls(&["wss://stream.binance.us:9443"]),
            quotes: words(&["USDT", "USD", "USDC", "BTC"]),
            // The limit the international exchange once had: the cautious choice.
            weight_a_minute: 1200,
            ..Self::global()
        }
    }

    /// The bar lengths that are followed live, with their spelling here.
    pub(super) fn intervals(&self) -> impl Iterator<Item = (Timeframe, &'static str)> + '_ {
        self.timeframes.iter().filter_map(|timeframe| Some((*timeframe, pairs::interval(*timeframe)?)))
    }
}

fn urls(texts: &[&str]) -> Vec<Url> {
    texts.iter().map(|text| Url::parse(text).expect("an address written above")).collect()
}

fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
