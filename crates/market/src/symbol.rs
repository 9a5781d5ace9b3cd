//! What is traded: symbols, classes, kinds, assets.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A product symbol such as `BTC`, `BRK-B` or `FED_RATE`: upper case, 1 to 24 of `A-Z 0-9 - _ .` and `^` or `=`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(Box<str>);

/// A text that is not a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a symbol: 1 to 24 letters, digits or any of - _ . ^ = are expected")]
pub struct SymbolError {
    text: String,
}

impl Symbol {
    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.^=".contains(&b);
        if text.is_empty() || text.len() > 24 || !text.bytes().all(known) {
            let text = text.chars().take(48).collect();
            return Err(SymbolError { text });
        }
        Ok(Self(text.to_ascii_uppercase().into_boxed_str()))
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The three classes of the product; models are pooled within a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AssetClass {
    /// Coins, priced around the clock.
    Crypto,
    /// Equities, funds and indices of the US session.
    Stocks,
    /// Published series, forecast for their next releases.
    Macro,
}

/// A refinement of the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AssetKind {
    /// A coin with a floating price.
    Coin,
    /// A coin meant to hold a price; priced from real pairs, outside pooled class figures, always HOLD.
    Stable,
    /// A listed company.
    Equity,
    /// A listed fund.
    Etf,
    /// Reference data such as VIX; never forecast unless added.
    Index,
    /// A macro series.
    Series,
}

macro_rules! text_enum {
    ($name:ident, $what:literal, { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// All values, in their canonical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The canonical text, as in JSON, SQL, logs and metric labels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::symbol::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|v| v.as_str().eq_ignore_ascii_case(text))
                    .ok_or_else(|| $crate::symbol::UnknownName::new($what, text, &[$($text),+]))
            }
        }
    };
}
pub(crate) use text_enum;

text_enum!(AssetClass, "asset class", { Crypto = "crypto", Stocks = "stocks", Macro = "macro" });
text_enum!(AssetKind, "kind of asset", {
    Coin = "coin", Stable = "stable", Equity = "equity", Etf = "etf", Index = "index", Series = "series",
});

impl AssetKind {
    /// The class this kind belongs to.
    #[must_use]
    pub const fn class(self) -> AssetClass {
        match self {
            Self::Coin | Self::Stable => AssetClass::Crypto,
            Self::Equity | Self::Etf | Self::Index => AssetClass::Stocks,
            Self::Series => AssetClass::Macro,
        }
    }
}

/// A word that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a known {what}; known are {known}")]
pub struct UnknownName {
    what: &'static str,
    text: String,
    known: String,
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, text: &str, known: &[&str]) -> Self {
        let text = text.chars().take(48).collect();
        Self { what, text, known: known.join(", ") }
    }
}

/// Something Auspex can forecast or use as reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asset {
    /// The product symbol.
    pub symbol: Symbol,
    /// A name for people.
    pub name: String,
    /// The kind, and through it the class.
    pub kind: AssetKind,
    /// The vendor's spelling, as in imported files and in the backtest's CSV (`BTCUSDT`, `CPIAUCSL`).
    pub source_symbol: String,
    /// The currency prices are quoted in (`USD`, `USDT`); for macro series their unit.
    pub quote: String,
}

impl Asset {
    /// The class of the asset's kind.
    #[must_use]
    pub const fn class(&self) -> AssetClass {
        self.kind.class()
    }
}

#[cfg(test)]
mod tests;
