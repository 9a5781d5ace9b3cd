//! What the exchange says of its pairs: whether they trade, and the last day's prices.

use jiff::Timestamp;
use market::Symbol;
use serde::Deserialize;

use crate::http::in_short;

use super::candle::{decimal, instant};

/// How a pair is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The pair, such as `BTCUSDT`.
    pub pair: String,
    /// Its state: `TRADING`, or `HALT`, `BREAK` and others.
    pub status: String,
    /// What is traded.
    pub base: String,
    /// What it is paid in.
    pub quote: String,
}

impl Listing {
    /// Whether it trades now.
    #[must_use]
    pub fn is_trading(&self) -> bool {
        self.status == "TRADING"
    }
}

/// The last 24 hours of an asset; not a day of the calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticker {
    /// The asset.
    pub symbol: Symbol,
    /// The last price.
    pub price: f64,
    /// The price 24 hours before.
    pub open: f64,
    /// The highest.
    pub high: f64,
    /// The lowest.
    pub low: f64,
    /// Base asset traded.
    pub volume: f64,
    /// The end of the 24 hours.
    pub close_time: Timestamp,
}

#[derive(Deserialize)]
struct ExchangeInfo {
    symbols: Vec<SymbolInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolInfo {
    symbol: String,
    status: String,
    base_asset: String,
    quote_asset: String,
}

/// The listing of a pair in an answer of `exchangeInfo`; `None` when it is not in there.
pub(super) fn parse_listing(body: &[u8], pair: &str) -> Result<Option<Listing>, String> {
    let info: ExchangeInfo = serde_json::from_slice(body).map_err(in_short)?;
    let listing = |info: SymbolInfo| Listing {
        pair: info.symbol,
        status: info.status,
        base: info.base_asset,
        quote: info.quote_asset,
    };
    Ok(info.symbols.into_iter().find(|info| info.symbol == pair).map(listing))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TickerRow {
    symbol: String,
    last_price: String,
    open_price: String,
    high_price: String,
    low_price: String,
    volume: String,
    close_time: i64,
}

/// The rows of an answer of `ticker/24hr` for a list of pairs, each by itself: a pair that has not traded has no price.
///
/// # Errors
/// When the answer is no list of tickers at all.
pub(super) fn parse_tickers(
    body: &[u8],
    symbol: impl Fn(&str) -> Option<Symbol>,
) -> Result<Vec<Result<Ticker, String>>, String> {
    let rows: Vec<TickerRow> = serde_json::from_slice(body).map_err(in_short)?;
    Ok(rows.iter().map(|row| row.read(&symbol)).collect())
}

impl TickerRow {
    fn read(&self, symbol: impl Fn(&str) -> Option<Symbol>) -> Result<Ticker, String> {
        let price = |name: &str, text: &str| {
            let price = decimal(text).filter(|price| *price > 0.0);
            price.ok_or_else(|| format!("{name} of {} is {text:?}: a price is expected", self.symbol))
        };
        Ok(Ticker {
            symbol: symbol(&self.symbol).ok_or_else(|| format!("{} was not asked for", self.symbol))?,
            price: price("lastPrice", &self.last_price)?,
            open: price("openPrice", &self.open_price)?,
            high: price("highPrice", &self.high_price)?,
            low: price("lowPrice", &self.low_price)?,
            volume: decimal(&self.volume).ok_or_else(|| format!("volume of {} is {:?}", self.symbol, self.volume))?,
            close_time: instant(self.close_time)
                .ok_or_else(|| format!("closeTime of {} is {}", self.symbol, self.close_time))?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerTime {
    server_time: i64,
}

/// The answer of `time`.
pub(super) fn parse_time(body: &[u8]) -> Result<Timestamp, String> {
    let time: ServerTime = serde_json::from_slice(body).map_err(in_short)?;
    instant(time.server_time).ok_or_else(|| format!("serverTime is {}", time.server_time))
}
