//! Which of the vendors is meant.

/// One of the vendors on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Binance.
    Binance,
    /// The second exchange, under `/binanceus`.
    BinanceUs,
    /// Yahoo.
    Yahoo,
    /// FRED.
    Fred,
    /// Daily bars as CSV.
    Csv,
    /// Pages with index members.
    Pages,
}

impl Service {
    /// The service a name in a plan means; `None` for all of them.
    pub(crate) fn parse(name: &str) -> Result<Option<Self>, String> {
        Ok(Some(match name {
            "all" => return Ok(None),
            "binance" => Self::Binance,
            "binanceus" => Self::BinanceUs,
            "yahoo" => Self::Yahoo,
            "fred" => Self::Fred,
            "csv" => Self::Csv,
            "pages" => Self::Pages,
            _ => {
                let known = "all, binance, binanceus, yahoo, fred, csv, pages";
                return Err(format!("{name:?} is not a service; known are {known}"));
            }
        }))
    }

    /// Whose path this is.
    pub(crate) fn of(path: &str) -> Self {
        let under =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if under("/binanceus") {
            Self::BinanceUs
        } else if under("/api") || under("/ws") || under("/stream") {
            Self::Binance
        } else if under("/fred") || under("/graph") {
            Self::Fred
        } else if under("/q") {
            Self::Csv
        } else if under("/wiki") {
            Self::Pages
        } else {
            Self::Yahoo
        }
    }
}
