//! The members of an index, from the table of a page.
//!
//! Pages are written by people and change. What is expected of one stands in a [`List`], and a page that is not so is
//! refused as a whole, with what was missing; a row that is none of a member is refused by itself.

mod grid;
mod page;

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use market::Symbol;
use url::Url;

use crate::failure::Failure;
use crate::http::Http;

pub use page::{PageError, parse};

/// Where an index's members are listed, and what the page must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Our name of it.
    pub name: String,
    /// The page.
    pub url: Url,
    /// A CSS selector of the table. Of several tables the first that has the columns is read.
    pub table: String,
    /// The column of symbols.
    pub symbol: Column,
    /// The column of companies' names.
    pub company: Column,
    /// So many members there must be.
    pub n_members: RangeInclusive<usize>,
}

/// How a column is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// By its header: one of these texts, whatever the case.
    Headed(Vec<String>),
    /// By its position, from 0.
    At(usize),
}

/// A member of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The symbol in our spelling: `BRK.B` is `BRK-B`.
    pub symbol: Symbol,
    /// The company.
    pub name: String,
}

/// The members of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The list they are of.
    pub list: String,
    /// In the order of the page, no symbol twice.
    pub members: Vec<Member>,
    /// Rows that were not taken: which, and why.
    pub refused: Vec<String>,
}

impl List {
    /// The S&P 500, whose companies have a few more symbols than there are companies.
    #[must_use]
    pub fn sp500() -> Self {
        Self::of("sp500", "https://en.wikipedia.org/wiki/List_of_S%26P_500_companies", 400..=520)
    }

    /// The Nasdaq-100.
    #[must_use]
    pub fn nasdaq100() -> Self {
        Self::of("nasdaq100", "https://en.wikipedia.org/wiki/Nasdaq-100", 95..=110)
    }

    fn of(name: &str, url: &str, n_members: RangeInclusive<usize>) -> Self {
        let headed = |texts: &[&str]| Column::Headed(texts.iter().map(|&text| text.to_owned()).collect());
        Self {
            name: name.to_owned(),
            url: url.parse().expect("the addresses above are addresses"),
            table: "table#constituents".to_owned(),
            symbol: headed(&["Symbol", "Ticker", "Ticker symbol"]),
            company: headed(&["Security", "Company", "Name"]),
            n_members,
        }
    }
}

/// Asks for a page once and reads it.
///
/// # Errors
/// [`Failure::Malformed`] when the page is not as the list says, and what a network does.
pub async fn fetch(list: &List, http: &Http) -> Result<Members, Failure> {
    let answer = http.get(list.url.clone(), &[], NonZeroU32::MIN).await?;
    if answer.status != 200 {
        return Err(answer.failure());
    }
    let html = String::from_utf8_lossy(&answer.body);
    parse(&html, list).map_err(|error| Failure::Malformed { host: answer.host.clone(), reason: error.to_string() })
}
