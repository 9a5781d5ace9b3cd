//! A page as a list of members.

use std::collections::HashSet;
use std::rc::Rc;

use market::Symbol;
use scraper::{Html, Selector};
use thiserror::Error;

use super::grid::grid;
use super::{Column, List, Member, Members};
use crate::refusals::Refusals;

/// A longer page is not read, in bytes.
const LONGEST_PAGE: usize = 8 << 20;

/// Elements within elements deeper than this are no page of a table; the parser takes time with the square of it.
const DEEPEST: usize = 512;

/// So many tags may be judged wrongly.
const UNSURE: usize = 20_000;

/// A longer name is no company's, in bytes.
const LONGEST_NAME: usize = 200;

/// The header stands among so many rows from the top.
const HEADER_ROWS: usize = 5;

/// A page that is not what the list says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PageError {
    /// Too long to be read.
    #[error("the page of {list} has {length} bytes: {LONGEST_PAGE} at most are read")]
    TooLong {
        /// The list.
        list: String,
        /// Its length.
        length: usize,
    },
    /// Nested too deeply to be read.
    #[error("the page of {list} nests elements more than {DEEPEST} deep")]
    TooDeep {
        /// The list.
        list: String,
    },
    /// The list's selector is none.
    #[error("{selector:?} of the list {list} is not a CSS selector")]
    Selector {
        /// The list.
        list: String,
        /// The selector.
        selector: String,
    },
    /// No such table.
    #[error("the page of {list} has no table {selector:?}")]
    NoTable {
        /// The list.
        list: String,
        /// The selector.
        selector: String,
    },
    /// The table has other columns.
    #[error("the table of {list} has no column {column}; its first rows are {found}")]
    NoColumn {
        /// The list.
        list: String,
        /// What was looked for.
        column: String,
        /// What stood there.
        found: String,
    },
    /// Fewer or more members than the index can have.
    #[error("the table of {list} has {n_members} members, {least} to {most} are expected{refused}")]
    Count {
        /// The list.
        list: String,
        /// How many there were.
        n_members: usize,
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
        /// The first row that was refused, where one was.
        refused: String,
    },
}

/// Reads a page.
///
/// # Errors
/// [`PageError`]; single rows are refused by themselves, and count as missing.
pub fn parse(html: &str, list: &List) -> Result<Members, PageError> {
    let name = || list.name.clone();
    if html.len() > LONGEST_PAGE {
        return Err(PageError::TooLong { list: name(), length: html.len() });
    }
    if depth(html) > DEEPEST {
        return Err(PageError::TooDeep { list: name() });
    }
    let selector =
        Selector::parse(&list.table).map_err(|_| PageError::Selector { list: name(), selector: list.table.clone() })?;
    let document = Html::parse_document(html);
    let mut error = PageError::NoTable { list: name(), selector: list.table.clone() };
    for table in document.select(&selector) {
        let rows = grid(table);
        match columns(&rows, list) {
            Ok(columns) => return members(&rows, columns, list),
            Err(other) => error = other,
        }
    }
    Err(error)
}

/// Where the columns are, and the first row below their headers.
struct Columns {
    symbol: usize,
    company: usize,
    first_row: usize,
}

fn columns(rows: &[Vec<Rc<str>>], list: &List) -> Result<Columns, PageError> {
    let top = &rows[..rows.len().min(HEADER_ROWS)];
    let mut first_row = 0;
    let mut find = |column: &Column| match column {
        Column::At(at) => Some(*at),
        Column::Headed(texts) => {
            let is_header = |cell: &Rc<str>| texts.iter().any(|text| text.eq_ignore_ascii_case(cell));
            let (row, at) =
                top.iter().enumerate().find_map(|(row, cells)| Some((row, cells.iter().position(is_header)?)))?;
            first_row = first_row.max(row + 1);
            Some(at)
        }
    };
    let missing = |column: &Column| PageError::NoColumn {
        list: list.name.clone(),
        column: match column {
            Column::At(at) => format!("{at}"),
            Column::Headed(texts) => format!("{texts:?}"),
        },
        found: crate::http::excerpt(format!("{top:?}").as_bytes()),
    };
    let symbol = find(&list.symbol).ok_or_else(|| missing(&list.symbol))?;
    let company = find(&list.company).ok_or_else(|| missing(&list.company))?;
    Ok(Columns { symbol, company, first_row })
}

fn members(rows: &[Vec<Rc<str>>], columns: Columns, list: &List) -> Result<Members, PageError> {
    let Columns { symbol, company, first_row } = columns;
    let (mut members, mut seen, mut refusals) = (Vec::new(), HashSet::new(), Refusals::default());
    for (row_idx, cells) in rows.iter().enumerate().skip(first_row) {
        let cell = |at: usize| cells.get(at).map(|cell| &**cell).unwrap_or_default();
        let member = member(cell(symbol), cell(company)).and_then(|member| match seen.insert(member.symbol.clone()) {
            true => Ok(member),
            false => Err(format!("{} stands in the table twice", member.symbol)),
        });
        match member {
            Ok(member) => members.push(member),
            Err(reason) => refusals.push(format!("{}, row {}: {reason}", list.name, row_idx + 1)),
        }
    }
    let refused = refusals.into_texts();
    if !list.n_members.contains(&members.len()) {
        return Err(PageError::Count {
            list: list.name.clone(),
            n_members: members.len(),
            least: *list.n_members.start(),
            most: *list.n_members.end(),
            refused: refused.first().map(|first| format!("; refused: {first}")).unwrap_or_default(),
        });
    }
    Ok(Members { list: list.name.clone(), members, refused })
}

fn member(symbol: &str, company: &str) -> Result<Member, String> {
    let spelling = symbol.replace('.', "-");
    let (root, class) = spelling.split_once('-').unwrap_or((&spelling, "A"));
    let is_word = |text: &str, longest| {
        (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    // A listed symbol begins with a letter; what else stands in such a column is a note, a number or a name.
    let begins = root.starts_with(|c: char| c.is_ascii_uppercase());
    if !(begins && is_word(root, 6) && is_word(class, 2)) {
        return Err(format!("{:?} is not a symbol", crate::http::excerpt(symbol.as_bytes())));
    }
    let symbol: Symbol = spelling.parse().map_err(|error: market::symbol::SymbolError| error.to_string())?;
    if company.is_empty() {
        return Err(format!("{symbol} has no name"));
    }
    if company.len() > LONGEST_NAME {
        return Err(format!("the name of {symbol} has {} bytes", company.len()));
    }
    Ok(Member { symbol, name: company.to_owned() })
}

/// How deep elements of a page are nested at most, judged by its tags alone and never too low, but for [`UNSURE`] of
/// them. Ends of paragraphs, rows, cells and the like may be left out; they close each other and are not counted.
fn depth(html: &str) -> usize {
    const NOT_COUNTED: [&str; 30] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
        "p", "li", "dt", "dd", "tr", "td", "th", "tbody", "thead", "tfoot", "caption", "colgroup", "option", "html",
        "head", "body",
    ];
    let (mut open, mut deepest, mut n_unsure): (Vec<&str>, usize, usize) = (Vec::new(), 0, 0);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let (ends, tag) = rest.strip_prefix('/').map_or((false, rest), |tag| (true, tag));
        let length = tag.bytes().take(16).take_while(u8::is_ascii_alphanumeric).count();
        let name = &tag[..length];
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        if name.is_empty() || NOT_COUNTED.iter().any(|other| is(other)) {
            continue;
        }
        // What stands in scripts and styles is no element, nor does one that ends itself hold another; in drawings, or
        // outside of them, it may be otherwise.
        let in_text =
            open.last().is_some_and(|open| ["script", "style"].iter().any(|text| open.eq_ignore_ascii_case(text)));
        match ends {
            true if open.last().is_some_and(|open| is(open)) => {
                open.pop();
            }
            true => {}
            false if in_text || ends_itself(tag) => n_unsure += 1,
            false => open.push(name),
        }
        deepest = deepest.max(open.len()).max(n_unsure / UNSURE * (DEEPEST + 1));
        if deepest > DEEPEST {
            break;
        }
    }
    deepest
}

fn ends_itself(tag: &str) -> bool {
    const LONGEST_TAG: usize = 2048;
    let tag = &tag.as_bytes()[..tag.len().min(LONGEST_TAG)];
    tag.iter().position(|b| *b == b'>').is_some_and(|end| tag[..end].ends_with(b"/"))
}
