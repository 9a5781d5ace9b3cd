//! Finding assets by what people type.

use market::{Asset, AssetClass};
use serde::Serialize;
use utoipa::ToSchema;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SearchAnswer {
    /// What was looked for.
    pub query: String,
    /// Best first.
    pub results: Vec<SearchRow>,
}

/// One asset that was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SearchRow {
    /// The asset.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// `crypto`, `stocks` or `macro`.
    pub class: &'static str,
}

/// How well an asset fits, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Exact,
    Prefix,
    NameWord,
    /// With so many letters changed, added or dropped.
    Fuzzy(usize),
}

impl SearchAnswer {
    /// The assets that fit `query`: the exact symbol, symbols that begin so, names with a word that begins so, then those
    /// that a small slip of the fingers would explain. Within a rank in order of listing; an empty query fits all.
    #[must_use]
    pub fn of(assets: &[Asset], query: &str, class: Option<AssetClass>, limit: usize) -> Self {
        let wanted = query.trim().to_lowercase();
        let fits = assets.iter().filter(|asset| class.is_none_or(|class| asset.class() == class));
        let mut found: Vec<(Rank, &Asset)> = fits.filter_map(|asset| Some((rank(asset, &wanted)?, asset))).collect();
        found.sort_by_key(|(rank, _)| *rank);
        let rows = found.into_iter().take(limit).map(|(_, asset)| SearchRow {
            symbol: asset.symbol.to_string(),
            name: asset.name.clone(),
            class: asset.class().as_str(),
        });
        Self { query: query.to_owned(), results: rows.collect() }
    }
}

fn rank(asset: &Asset, wanted: &str) -> Option<Rank> {
    let symbol = asset.symbol.as_str().to_lowercase();
    let name = asset.name.to_lowercase();
    if symbol == wanted || asset.source_symbol.to_lowercase() == wanted {
        return Some(Rank::Exact);
    }
    if symbol.starts_with(wanted) {
        return Some(Rank::Prefix);
    }
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    if name.starts_with(wanted) || words.clone().any(|word| word.starts_with(wanted)) {
        return Some(Rank::NameWord);
    }
    // One slip in three letters or more, two in six or more.
    let slips = (wanted.chars().count() / 3).min(2);
    let nearest = words.by_ref().chain([symbol.as_str(), name.as_str()]).map(|word| distance(word, wanted)).min()?;
    (nearest <= slips).then_some(Rank::Fuzzy(nearest))
}

/// How many letters must be changed, added, dropped or swapped with their neighbour (optimal string alignment; Damerau
/// 1964) to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let changed = last[j] + usize::from(a[i] != b[j]);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: &[&str]) {
        let assets = market::universe::default_universe();
        let found = SearchAnswer::of(&assets, query, None, 3);
        let symbols: Vec<_> = found.results.iter().map(|row| row.symbol.as_str()).collect();
        assert_eq!(symbols, expected, "{query:?}");
    }

    #[test]
    fn better_fits_come_first() {
        check("btc", &["BTC"]);
        check("BTCUSDT", &["BTC"]);
        check("usd", &["USDT", "USDC"]);
        check("a", &["ADA", "AAPL", "AMZN"]);
        check("bitcoin", &["BTC"]);
        check("hathaway", &["BRK-B"]);
        check("platforms", &["META"]);
        check("bitcion", &["BTC"]);
        check("etherium", &["ETH"]);
        check("nvida", &["NVDA"]);
        check("zzzzzz", &[]);
        check("", &["BTC", "ETH", "USDT"]);
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
