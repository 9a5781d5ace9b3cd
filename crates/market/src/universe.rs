//! The default universe: 25 assets in three classes.

use crate::symbol::{Asset, AssetKind, Symbol};

const DEFAULT: [(&str, &str, AssetKind, &str, &str); 25] = {
    use AssetKind::{Coin, Equity, Series, Stable};
    [
        ("BTC", "Bitcoin", Coin, "BTCUSDT", "USDT"),
        ("ETH", "Ethereum", Coin, "ETHUSDT", "USDT"),
        ("USDT", "Tether", Stable, "USDT-USD", "USD"),
        ("XRP", "XRP", Coin, "XRPUSDT", "USDT"),
        ("BNB", "BNB", Coin, "BNBUSDT", "USDT"),
        ("SOL", "Solana", Coin, "SOLUSDT", "USDT"),
        ("USDC", "USD Coin", Stable, "USDCUSDT", "USDT"),
        ("DOGE", "Dogecoin", Coin, "DOGEUSDT", "USDT"),
        ("ADA", "Cardano", Coin, "ADAUSDT", "USDT"),
        ("TRX", "TRON", Coin, "TRXUSDT", "USDT"),
        ("NVDA", "NVIDIA", Equity, "NVDA", "USD"),
        ("MSFT", "Microsoft", Equity, "MSFT", "USD"),
        ("AAPL", "Apple", Equity, "AAPL", "USD"),
        ("GOOGL", "Alphabet", Equity, "GOOGL", "USD"),
        ("AMZN", "Amazon", Equity, "AMZN", "USD"),
        ("META", "Meta Platforms", Equity, "META", "USD"),
        ("AVGO", "Broadcom", Equity, "AVGO", "USD"),
        ("TSLA", "Tesla", Equity, "TSLA", "USD"),
        ("BRK-B", "Berkshire Hathaway B", Equity, "BRK-B", "USD"),
        ("JPM", "JPMorgan Chase", Equity, "JPM", "USD"),
        ("GDP", "Gross domestic product", Series, "GDP", "billions of dollars"),
        ("CPI", "Consumer price index", Series, "CPIAUCSL", "index 1982-84=100"),
        ("UNEMPLOYMENT", "Unemployment rate", Series, "UNRATE", "percent"),
        ("FED_RATE", "Federal funds effective rate", Series, "FEDFUNDS", "percent"),
        ("CONSUMER_CONFIDENCE", "Consumer sentiment", Series, "UMCSENT", "index 1966Q1=100"),
    ]
};

/// The 25 assets every new home starts with, in the order they are listed to people.
#[must_use]
pub fn default_universe() -> Vec<Asset> {
    DEFAULT
        .iter()
        .map(|&(symbol, name, kind, source_symbol, quote)| Asset {
            symbol: parse(symbol),
            name: name.to_owned(),
            kind,
            source_symbol: source_symbol.to_owned(),
            quote: quote.to_owned(),
        })
        .collect()
}

fn parse(symbol: &str) -> Symbol {
    symbol.parse().expect("the table above holds symbols only")
}

/// The asset an imported spelling stands for: one of `known` by either spelling; else, when it ends in `USDT`, a
/// coin quoted in USDT; else an equity quoted in dollars.
///
/// # Errors
/// When the spelling is not a symbol.
pub fn asset_for_source_symbol(spelling: &str, known: &[Asset]) -> Result<Asset, crate::symbol::SymbolError> {
    let whole: Symbol = spelling.parse()?;
    if let Some(asset) = known.iter().find(|a| a.source_symbol.eq_ignore_ascii_case(spelling) || a.symbol == whole) {
        return Ok(asset.clone());
    }
    let (symbol, kind, quote) = match whole.as_str().strip_suffix("USDT") {
        Some(base) if !base.is_empty() => (base.trim_end_matches(['-', '_']).parse()?, AssetKind::Coin, "USDT"),
        _ => (whole.clone(), AssetKind::Equity, "USD"),
    };
    Ok(Asset {
        name: symbol.to_string(),
        symbol,
        kind,
        source_symbol: spelling.to_ascii_uppercase(),
        quote: quote.to_owned(),
    })
}

#[cfg(test)]
mod tests;
