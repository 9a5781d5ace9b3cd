//! The parameters of a request.

use std::cell::Cell;

use jiff::Timestamp;

use super::format::instant;
use super::refusal::Refusal;

/// The parameters of a request, and which of them have been read.
#[derive(Debug)]
pub(crate) struct Query {
    sent: Vec<(String, String, Cell<bool>)>,
}

impl Query {
    /// The parameters of a query string.
    ///
    /// # Errors
    /// When one is there twice or has no value.
    pub(crate) fn parse(uri: &axum::http::Uri) -> Result<Self, Refusal> {
        let sent = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let sent = sent.map(|query| query.0).map_err(|_| Refusal::Combination)?;
        for (index, (name, value)) in sent.iter().enumerate() {
            if sent[..index].iter().any(|(other, _)| other == name) {
                return Err(Refusal::TooMany(sent.len() - 1, sent.len()));
            }
            if value.is_empty() {
                return Err(Refusal::Empty(name.chars().take(40).collect()));
            }
        }
        Ok(Self { sent: sent.into_iter().map(|(name, value)| (name, value, Cell::new(false))).collect() })
    }

    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value, read) = self.sent.iter().find(|(sent, ..)| sent == name)?;
        read.set(true);
        Some(value)
    }

    /// The value of a parameter that must be there.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::Mandatory(name))
    }

    /// Whether a parameter was sent; it is not read by that.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.sent.iter().any(|(sent, ..)| sent == name)
    }

    /// A number of at least zero.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::Characters(name, "^[0-9]{1,20}$"));
        }
        text.parse().ok().filter(|number| *number >= 0).map(Some).ok_or(Refusal::Value(name))
    }

    /// A moment, in either unit.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        Ok(self.number(name)?.map(instant))
    }

    /// How many rows: 1 to 1000, 500 when nothing is said; more than 1000 are 1000.
    pub(crate) fn limit(&self) -> Result<usize, Refusal> {
        match self.number("limit")? {
            None => Ok(500),
            Some(0) => Err(Refusal::Value("limit")),
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX).min(1000)),
        }
    }

    /// One symbol, in the exchange's spelling.
    pub(crate) fn symbol(&self) -> Result<Option<&str>, Refusal> {
        let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        let Some(symbol) = self.get("symbol") else { return Ok(None) };
        if symbol.len() > 20 || !symbol.bytes().all(legal) {
            return Err(Refusal::Characters("symbol", "^[A-Z0-9-_.]{1,20}$"));
        }
        Ok(Some(symbol))
    }

    /// A list of symbols, as a JSON array without blanks.
    pub(crate) fn symbols(&self) -> Result<Option<Vec<String>>, Refusal> {
        let Some(text) = self.get("symbols") else { return Ok(None) };
        let illegal = Refusal::Characters("symbols", r#"^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$"#);
        if text.contains(' ') {
            return Err(illegal);
        }
        let symbols: Vec<String> = serde_json::from_str(text).map_err(|_| illegal.clone())?;
        let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if symbols.iter().any(|symbol| symbol.is_empty() || symbol.len() > 20 || !symbol.bytes().all(legal)) {
            return Err(illegal);
        }
        let repeated = |(index, symbol): (usize, &String)| symbols[..index].contains(symbol);
        if symbols.iter().enumerate().any(repeated) {
            return Err(Refusal::Repeated);
        }
        Ok(Some(symbols))
    }

    /// That everything sent has been read.
    pub(crate) fn finish(&self) -> Result<(), Refusal> {
        let read = self.sent.iter().filter(|(.., read)| read.get()).count();
        if read < self.sent.len() { Err(Refusal::Unread(read, self.sent.len())) } else { Ok(()) }
    }

    /// How many parameters were sent.
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }
}
