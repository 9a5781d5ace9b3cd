//! How Yahoo spells what we call by other names.

use market::{Asset, AssetKind};

/// Yahoo's spelling of an asset: class shares with a dash (`BRK-B`), indices with a caret (`^VIX`), coins against the
/// dollar (`BTC-USD`). `None` for macro series.
#[must_use]
pub fn spelling(asset: &Asset) -> Option<String> {
    let source = asset.source_symbol.to_ascii_uppercase();
    Some(match asset.kind {
        AssetKind::Series => return None,
        AssetKind::Index if source.starts_with('^') => source,
        AssetKind::Index => format!("^{source}"),
        AssetKind::Coin | AssetKind::Stable if source.ends_with("-USD") => source,
        AssetKind::Coin | AssetKind::Stable if DOLLARS.contains(&asset.quote.as_str()) => {
            format!("{}-USD", asset.symbol)
        }
        // Yahoo tells coins in dollars.
        AssetKind::Coin | AssetKind::Stable => return None,
        AssetKind::Equity | AssetKind::Etf if asset.quote == "USD" => dashed(source),
        AssetKind::Equity | AssetKind::Etf => source,
    })
}

/// Dollars, and coins that stand for one.
const DOLLARS: [&str; 4] = ["USD", "USDT", "USDC", "FDUSD"];

/// `BRK.B` and `BRK/B` as `BRK-B`. Only of shares in dollars: elsewhere a dot and a letter name the exchange (`VOD.L`).
fn dashed(source: String) -> String {
    match source.as_bytes() {
        [.., b'.' | b'/', class] if class.is_ascii_alphabetic() => source.replace(['.', '/'], "-"),
        _ => source,
    }
}

/// A spelling as one segment of a path.
pub(super) fn percent_encoded(spelling: &str) -> String {
    let mut text = String::with_capacity(spelling.len());
    for byte in spelling.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
