//! Prices as text for people, and what is not known of them.

use engine::views::Quote;
use market::{Asset, AssetClass, AssetKind};

/// How many decimals an asset's price is shown with: four for a stablecoin, two from 1 up, four significant digits below.
#[must_use]
pub fn decimals(kind: AssetKind, price: f64) -> usize {
    let size = price.abs();
    if kind == AssetKind::Stable {
        return 4;
    }
    if size >= 1.0 || size == 0.0 || !size.is_finite() {
        return 2;
    }
    // 0.05 has its first digit at the second decimal: three more are shown.
    let first_digit = (-size.log10().floor()).clamp(1.0, 12.0);
    first_digit as usize + 3
}

/// An interval in words: `$low–$high` for dollars, else with the unit behind it.
#[must_use]
pub fn range(asset: &Asset, low: f64, high: f64) -> String {
    let decimals = decimals(asset.kind, high);
    match (asset.quote.as_str(), asset.class()) {
        ("USD", AssetClass::Crypto | AssetClass::Stocks) => {
            let dollars = |price: f64| format!("{}${:.decimals$}", if price < 0.0 { "-" } else { "" }, price.abs());
            format!("{}–{}", dollars(low), dollars(high))
        }
        (unit, _) => format!("{low:.decimals$}–{high:.decimals$} {unit}"),
    }
}

/// Why something about an asset's price is not known, in words; empty when all is.
#[must_use]
pub fn unknown(asset: &Asset, quote: Option<&Quote>) -> Vec<String> {
    let Some(quote) = quote else { return vec![format!("no price of {} is known", asset.symbol)] };
    let mut missing = Vec::new();
    if quote.change_24h.is_none() {
        missing.push("no price is stored that the change could be measured against".to_owned());
    }
    if quote.volume.is_none() {
        missing.push(match asset.class() {
            AssetClass::Macro => "a macro series has no volume".to_owned(),
            AssetClass::Crypto | AssetClass::Stocks => "not all bars of the volume's period are stored".to_owned(),
        });
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_precise_as_the_asset_needs() {
        let asset = |kind, quote: &str| Asset {
            symbol: "X".parse().unwrap(),
            name: String::new(),
            kind,
            source_symbol: "X".to_owned(),
            quote: quote.to_owned(),
        };
        let cases = [
            (AssetKind::Equity, "USD", 182.314, 190.0, "$182.31–$190.00"),
            (AssetKind::Coin, "USDT", 41_234.5, 43_210.128, "41234.50–43210.13 USDT"),
            (AssetKind::Coin, "USD", 0.051_234, 0.058_888, "$0.05123–$0.05889"),
            (AssetKind::Coin, "USD", 0.000_012_34, 0.000_013_56, "$0.00001234–$0.00001356"),
            (AssetKind::Stable, "USD", 0.9991, 1.0009, "$0.9991–$1.0009"),
            (AssetKind::Series, "percent", 3.9, 4.25, "3.90–4.25 percent"),
        ];
        for (kind, quote, low, high, expected) in cases {
            assert_eq!(range(&asset(kind, quote), low, high), expected);
        }
    }
}
