//! How assets and bar lengths are spelt here.

use market::{Asset, AssetClass, Timeframe};

use super::settings::BinanceSettings;

/// The spelling of a bar length; `None` for those that are not asked for. Weeks and months are built from days.
pub(super) const fn interval(timeframe: Timeframe) -> Option<&'static str> {
    Some(match timeframe {
        Timeframe::M1 => "1m",
        Timeframe::M5 => "5m",
        Timeframe::M15 => "15m",
        Timeframe::M30 => "30m",
        Timeframe::H1 => "1h",
        Timeframe::H4 => "4h",
        Timeframe::D1 => "1d",
        Timeframe::W1 | Timeframe::Mo1 | Timeframe::Q1 => return None,
    })
}

/// The bar length of a spelling, where it is one of ours.
pub(super) fn timeframe(interval: &str) -> Option<Timeframe> {
    Timeframe::ALL.into_iter().find(|timeframe| self::interval(*timeframe) == Some(interval))
}

impl BinanceSettings {
    /// The pair that prices an asset here: its vendor's spelling when that is base and quote without a separator, else
    /// symbol and quote. `None` for what is no coin, for a quote that is not asked for here, and for a currency in itself.
    pub(super) fn pair(&self, asset: &Asset) -> Option<String> {
        let quote = self.quotes.iter().find(|quote| quote.eq_ignore_ascii_case(&asset.quote))?;
        if asset.class() != AssetClass::Crypto {
            return None;
        }
        if is_pair(&asset.source_symbol, quote) {
            return Some(asset.source_symbol.clone());
        }
        let pair = format!("{}{quote}", asset.symbol);
        (asset.symbol.as_str() != quote && is_pair(&pair, quote)).then_some(pair)
    }
}

fn is_pair(spelling: &str, quote: &str) -> bool {
    let ours = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    spelling.len() <= 20
        && spelling.bytes().all(ours)
        && spelling.strip_suffix(quote).is_some_and(|base| !base.is_empty() && base != quote)
}
