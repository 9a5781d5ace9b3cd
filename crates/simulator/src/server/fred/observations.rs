//! `/fred/series/observations`.

use jiff::civil::{Date, date};

use super::Request;
use super::answer::{Answer, Fields, Item, Refusal, Value};
use super::query::{self, Page, realtime_fields};
use super::units::Units;
use super::vintages::{Archive, Days, LAST_DAY, Vintage};

/// The most vintages that one answer may draw on.
const MOST_VINTAGES: usize = 2000;

const MOST_ROWS: usize = 100_000;

/// What the start of the observations is echoed as when none is asked for.
const DEFAULT_START: Date = date(1600, 1, 1);

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// A value with the days on which it was current.
    Periods,
    /// A period, with one column for each vintage.
    Vintages,
    /// Likewise, with what was new or changed alone.
    News,
    /// The first value of each period.
    Initial,
}

impl Output {
    fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        match text {
            None | Some("1") => Ok(Self::Periods),
            Some("2") => Ok(Self::Vintages),
            Some("3") => Ok(Self::News),
            Some("4") => Ok(Self::Initial),
            Some(_) => Err(Refusal::bad_request("Value of output_type is not one of: '1', '2', '3', '4'.")),
        }
    }

    fn number(self) -> usize {
        self as usize + 1
    }
}

/// What is asked for.
struct Question {
    realtime: Days,
    /// Days asked for one by one.
    dates: Option<Vec<Date>>,
    observed: Days,
    units: Units,
    output: Output,
    page: Page,
}

impl Question {
    fn of(request: &Request<'_>, archive: &Archive) -> Result<Self, Refusal> {
        let (params, today) = (request.params, request.today);
        let dates = query::dates(params, "vintage_dates")?;
        let realtime = match dates.as_deref() {
            Some([first, .., last]) => Days { start: *first, end: *last },
            Some([only]) => Days { start: *only, end: *only },
            _ => query::realtime(params, Days { start: today, end: today }, today)?,
        };
        if dates.is_some() && realtime.end > today {
            let what = format!("Variable vintage_dates can not be after today's date ({today}).");
            return Err(Refusal::bad_request(&what));
        }
        let start = query::date(params, "observation_start")?.unwrap_or(DEFAULT_START);
        let end = query::date(params, "observation_end")?.unwrap_or(LAST_DAY);
        if start > end {
            let what = "The date set by variable observation_start can not be after the date set by variable \
                        observation_end.";
            return Err(Refusal::bad_request(what));
        }
        let units = params.get("units").unwrap_or("lin");
        let units = Units::parse(units)
            .ok_or_else(|| Refusal::bad_request(&format!("Value of units is not one of: {}.", Units::names())))?;
        let native = archive.facts.frequency.short().to_ascii_lowercase();
        if params.get("frequency").is_some_and(|frequency| frequency != native) {
            return Err(Refusal::bad_request(&format!("Value of frequency is not one of: '{native}'.")));
        }
        let (output, page) = (Output::parse(params.get("output_type"))?, Page::of(params, MOST_ROWS, false)?);
        Ok(Self { realtime, dates, observed: Days { start, end }, units, output, page })
    }

    /// Refuses days before there was an archive, and more vintages than one answer may draw on.
    fn within_archive(&self, archive: &Archive) -> Result<(), Refusal> {
        let dates = archive.vintage_dates();
        let begins = dates.first().copied().unwrap_or(LAST_DAY);
        let asked_first = if self.dates.is_some() { self.realtime.start } else { self.realtime.end };
        if asked_first < begins {
            return Err(Refusal::bad_request(
                "The series does not exist in ALFRED but may exist in FRED.  Try setting realtime_start and \
                 realtime_end to today's date or removing the realtime_start and realtime_end variables.",
            ));
        }
        let Days { start, end } = self.realtime;
        let n = match &self.dates {
            Some(dates) => dates.len(),
            None => dates.iter().filter(|day| self.realtime.contains(**day)).count(),
        };
        if n > MOST_VINTAGES {
            return Err(Refusal::bad_request(&format!(
                "There are {n} vintage dates in the specified real-time period: {start} to {end}.  This exceeds the \
                 maximum number of vintage dates allowed for this file type ({MOST_VINTAGES})."
            )));
        }
        Ok(())
    }

    fn wants(&self, vintage: &Vintage) -> bool {
        self.observed.contains(vintage.period)
    }

    /// The rows of values with their days.
    fn periods(&self, vintages: &[Vintage], text: &dyn Fn(Option<f64>) -> String) -> Vec<Item> {
        let asked = |days: &Days| self.dates.as_ref().is_none_or(|dates| dates.iter().any(|day| days.contains(*day)));
        let mut last_period = None;
        let mut rows = Vec::new();
        for vintage in vintages {
            let initial = last_period != Some(vintage.period);
            last_period = Some(vintage.period);
            let skipped = self.output == Output::Initial && !(initial && self.realtime.contains(vintage.from));
            let Some(days) = vintage.within(self.realtime).filter(asked) else { continue };
            if skipped || !self.wants(vintage) {
                continue;
            }
            let mut fields = realtime_fields(days);
            fields.push(("date".to_owned(), vintage.period.into()));
            fields.push(("value".to_owned(), text(vintage.value).into()));
            rows.push(Item::Fields(fields));
        }
        rows
    }

    /// The days that have columns: those asked for; else those on which something was published, and the first where
    /// something was current already.
    fn columns(&self, archive: &Archive) -> Vec<Date> {
        if let Some(dates) = &self.dates {
            return dates.clone();
        }
        let published = archive.vintage_dates();
        let mut columns: Vec<Date> = published.iter().copied().filter(|day| self.realtime.contains(*day)).collect();
        let start = self.realtime.start;
        if published.first().is_some_and(|first| *first < start) && columns.first() != Some(&start) {
            columns.insert(0, start);
        }
        columns
    }

    /// The rows of periods with columns for vintages.
    fn table(&self, archive: &Archive, vintages: &[Vintage], text: &dyn Fn(Option<f64>) -> String) -> Vec<Item> {
        let columns = self.columns(archive);
        let named = |day: &Date| format!("{}_{}", archive.facts.id, day.strftime("%Y%m%d"));
        let mut rows = Vec::new();
        for period in vintages.chunk_by(|a, b| a.period == b.period).filter(|period| self.wants(&period[0])) {
            let mut fields: Fields = vec![("date".to_owned(), period[0].period.into())];
            for day in &columns {
                let current = |vintage: &&Vintage| match self.output {
                    Output::News => vintage.from == *day,
                    _ => vintage.from <= *day && *day <= vintage.to,
                };
                if let Some(vintage) = period.iter().find(current) {
                    fields.push((named(day), text(vintage.value).into()));
                }
            }
            if fields.len() > 1 {
                rows.push(Item::Fields(fields));
            }
        }
        rows
    }
}

/// The observations of a series.
pub(super) fn observations(request: &Request<'_>) -> Result<Answer, Refusal> {
    let archive = request.archive()?;
    let question = Question::of(request, &archive)?;
    question.within_archive(&archive)?;
    let decimals = archive.facts.decimals;
    let text = |value: Option<f64>| match question.units {
        Units::Levels => value_text(value, decimals),
        _ => value.map_or_else(|| ".".to_owned(), |value| format!("{value:.5}")),
    };
    let vintages = question.units.transform(&archive.vintages, archive.facts.frequency);
    let rows = match question.output {
        Output::Periods | Output::Initial => question.periods(&vintages, &text),
        Output::Vintages | Output::News => question.table(&archive, &vintages, &text),
    };
    let mut head = realtime_fields(question.realtime);
    let fields: [(&str, Value); 5] = [
        ("observation_start", question.observed.start.into()),
        ("observation_end", question.observed.end.into()),
        ("units", question.units.as_str().into()),
        ("output_type", question.output.number().into()),
        ("file_type", request.format.as_str().into()),
    ];
    head.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    head.extend(question.page.fields("observation_date", rows.len()));
    Ok(Answer { list: "observations", item: "observation", head, items: question.page.cut(rows) })
}

/// A value as it is published: with the decimals of its series, as long as they tell it whole.
pub(super) fn value_text(value: Option<f64>, decimals: Option<usize>) -> String {
    let Some(value) = value else { return ".".to_owned() };
    let usual = decimals.map(|decimals| format!("{value:.decimals$}"));
    usual.filter(|text| text.parse() == Ok(value)).unwrap_or_else(|| value.to_string())
}
