//! Answers of `klines`: rows of twelve elements.

use jiff::Timestamp;
use market::{Bar, Timeframe};
use serde_json::value::RawValue;

use crate::http::in_short;

use super::candle::{Candle, instant};

/// A row that tells of a bar: closed or still running.
#[derive(Debug, Clone, PartialEq)]
pub struct KlineRow {
    /// The bar; whether it has closed is for a clock to say.
    pub bar: Bar,
    /// What was wrong with the row in a known way, and was put right.
    pub repaired: Option<String>,
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place, from 0.
    pub row_idx: usize,
    /// When it says that it opens, where that can be read.
    pub open_time: Option<Timestamp>,
    /// What was wrong and in which field.
    pub reason: String,
}

/// The rows of an answer of `klines` in the order they came, each by itself.
///
/// # Errors
/// When the answer is no list at all.
pub fn parse_klines(body: &[u8], timeframe: Timeframe) -> Result<Vec<Result<KlineRow, RefusedRow>>, String> {
    let rows: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| format!("no list of rows: {}", in_short(error)))?;
    Ok(rows.iter().enumerate().map(|(row_idx, row)| parse_row(row_idx, row.get(), timeframe)).collect())
}

fn parse_row(row_idx: usize, text: &str, timeframe: Timeframe) -> Result<KlineRow, RefusedRow> {
    let refused = |open_time, reason| RefusedRow { row_idx, open_time, reason };
    let cells: Vec<&RawValue> = serde_json::from_str(text)
        .map_err(|error| refused(None, format!("no list of elements: {}", in_short(error))))?;
    // Twelve are promised. The last is unused, and more may come; none that is needed may be missing.
    if cells.len() < 11 {
        return Err(refused(None, format!("{} elements: twelve are expected", cells.len())));
    }
    let open_time = number(&cells, 0).map_err(|reason| refused(None, reason))?;
    let candle = || {
        let prices = (text_of(&cells, 1)?, text_of(&cells, 2)?, text_of(&cells, 3)?, text_of(&cells, 4)?);
        let (open, high, low, close) = prices;
        let candle =
            Candle { open_time, close_time: number(&cells, 6)?, open, high, low, close, volume: text_of(&cells, 5)? };
        candle.read(timeframe)
    };
    let (bar, repaired) = candle().map_err(|reason| refused(instant(open_time), reason))?;
    Ok(KlineRow { bar, repaired })
}

const NAMES: [&str; 7] = ["open time", "open", "high", "low", "close", "volume", "close time"];

fn number(cells: &[&RawValue], at: usize) -> Result<i64, String> {
    let cell = cells[at].get();
    cell.parse().map_err(|_| format!("{} is {}: a whole number is expected", NAMES[at], in_short(cell)))
}

/// Prices are strings without escapes: what stands between the quotation marks is what they say.
fn text_of<'a>(cells: &[&'a RawValue], at: usize) -> Result<&'a str, String> {
    let cell = cells[at].get();
    let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.ok_or_else(|| format!("{} is {}: a decimal in quotation marks is expected", NAMES[at], in_short(cell)))
}
