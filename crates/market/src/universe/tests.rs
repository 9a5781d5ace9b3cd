use std::collections::HashSet;

use super::*;
use crate::symbol::AssetClass;

#[test]
fn the_default_universe_has_25_assets_in_three_classes() {
    let assets = default_universe();
    let count = |class| assets.iter().filter(|asset| asset.class() == class).count();
    assert_eq!([AssetClass::Crypto, AssetClass::Stocks, AssetClass::Macro].map(count), [10, 10, 5]);
    let symbols: HashSet<&Symbol> = assets.iter().map(|asset| &asset.symbol).collect();
    let spellings: HashSet<&str> = assets.iter().map(|asset| asset.source_symbol.as_str()).collect();
    assert_eq!((symbols.len(), spellings.len()), (25, 25), "no name twice");
    let stable: Vec<&str> =
        assets.iter().filter(|asset| asset.kind == AssetKind::Stable).map(|asset| asset.symbol.as_str()).collect();
    assert_eq!(stable, ["USDT", "USDC"]);
}

#[test]
fn imported_spellings() {
    let known = default_universe();
    let check = |spelling: &str, symbol: &str, kind: AssetKind, quote: &str| {
        let asset = asset_for_source_symbol(spelling, &known).unwrap();
        assert_eq!((asset.symbol.as_str(), asset.kind, asset.quote.as_str()), (symbol, kind, quote), "{spelling}");
    };
    check("BTCUSDT", "BTC", AssetKind::Coin, "USDT");
    check("btc", "BTC", AssetKind::Coin, "USDT");
    check("BRK-B", "BRK-B", AssetKind::Equity, "USD");
    check("CPIAUCSL", "CPI", AssetKind::Series, "index 1982-84=100");
    check("USDT-USD", "USDT", AssetKind::Stable, "USD");
    check("LTCUSDT", "LTC", AssetKind::Coin, "USDT");
    check("ltc-usdt", "LTC", AssetKind::Coin, "USDT");
    check("SPY", "SPY", AssetKind::Equity, "USD");
    assert!(asset_for_source_symbol("no symbol", &known).is_err());
}
