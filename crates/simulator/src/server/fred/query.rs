//! Parameters that several paths have in common, read with the vendor's defaults and refusals.

use jiff::civil::Date;

use super::answer::{Fields, Refusal};
use super::vintages::{Days, FIRST_DAY, LAST_DAY};
use crate::server::params::Params;

/// A date, where one is given.
pub(super) fn date(params: &Params, name: &str) -> Result<Option<Date>, Refusal> {
    params.get(name).map(|text| parse(text, name)).transpose()
}

/// A list of dates, ascending, each once; `None` when the parameter is not given.
pub(super) fn dates(params: &Params, name: &str) -> Result<Option<Vec<Date>>, Refusal> {
    let Some(text) = params.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let mut dates = text.split(',').map(|text| parse(text.trim(), name)).collect::<Result<Vec<_>, _>>()?;
    dates.sort_unstable();
    dates.dedup();
    Ok(Some(dates))
}

fn parse(text: &str, name: &str) -> Result<Date, Refusal> {
    let refuse = || Refusal::bad_request(&format!("The value for variable {name} is not a YYYY-MM-DD date."));
    if text.len() != 10 { Err(refuse()) } else { text.parse().map_err(|_| refuse()) }
}

/// The days asked for by `realtime_start` and `realtime_end`.
///
/// # Errors
/// When they are no dates, out of order, before there was anything, or in the future.
pub(super) fn realtime(params: &Params, default: Days, today: Date) -> Result<Days, Refusal> {
    let start = date(params, "realtime_start")?.unwrap_or(default.start);
    let end = date(params, "realtime_end")?.unwrap_or(default.end);
    for (name, day) in [("realtime_start", start), ("realtime_end", end)] {
        if day > today && day != LAST_DAY {
            return Err(Refusal::bad_request(&format!(
                "Variable {name} can not be after today's date ({today}) unless it's equal to the real-time max date \
                 {LAST_DAY}."
            )));
        }
        if day < FIRST_DAY {
            return Err(Refusal::bad_request(&format!(
                "Variable {name} can not be before the real-time min date {FIRST_DAY}."
            )));
        }
    }
    if start > end {
        let what = "The date set by variable realtime_start can not be after the date set by variable realtime_end.";
        return Err(Refusal::bad_request(what));
    }
    Ok(Days { start, end })
}

/// Which part of a list is wanted, and from which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) offset: usize,
    pub(super) descending: bool,
}

impl Page {
    /// The page of a request; `most` is the largest and the default limit.
    pub(super) fn of(params: &Params, most: usize, descending: bool) -> Result<Self, Refusal> {
        let refuse = |what: String| Err(Refusal::bad_request(&what));
        let limit = match params.get("limit").map(str::parse::<usize>) {
            None => most,
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => return refuse(format!("The value for variable limit is not between 1 and {most}.")),
        };
        let offset = match params.get("offset").map(str::parse::<usize>) {
            None => 0,
            Some(Ok(offset)) => offset,
            Some(_) => return refuse("The value for variable offset is not a non-negative integer.".to_owned()),
        };
        let descending = match params.get("sort_order") {
            None => descending,
            Some("asc") => false,
            Some("desc") => true,
            Some(_) => return refuse("Value of sort_order is not one of: 'asc', 'desc'.".to_owned()),
        };
        Ok(Self { limit, offset, descending })
    }

    /// The page of a list in ascending order.
    pub(super) fn cut<T>(self, mut list: Vec<T>) -> Vec<T> {
        if self.descending {
            list.reverse();
        }
        list.into_iter().skip(self.offset).take(self.limit).collect()
    }

    /// What an answer says of its order and extent.
    pub(super) fn fields(self, order_by: &str, count: usize) -> Fields {
        vec![
            ("order_by".to_owned(), order_by.into()),
            ("sort_order".to_owned(), if self.descending { "desc" } else { "asc" }.into()),
            ("count".to_owned(), count.into()),
            ("offset".to_owned(), self.offset.into()),
            ("limit".to_owned(), self.limit.into()),
        ]
    }
}

/// The days of an answer, as its first fields.
pub(super) fn realtime_fields(days: Days) -> Fields {
    vec![("realtime_start".to_owned(), days.start.into()), ("realtime_end".to_owned(), days.end.into())]
}
