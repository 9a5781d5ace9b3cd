//! `/fred/series`, `/fred/series/vintagedates` and `/fred/series/release`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Request;
use super::answer::{Answer, Fields, Item, Refusal, Value};
use super::query::{self, Page, realtime_fields};
use super::vintages::{Days, FIRST_DAY, LAST_DAY};

const MOST_DATES: usize = 10_000;

/// What is said about a series.
pub(super) fn series(request: &Request<'_>) -> Result<Answer, Refusal> {
    let archive = request.archive()?;
    let today = Days { start: request.today, end: request.today };
    let days = query::realtime(request.params, today, request.today)?;
    let facts = &archive.facts;
    let first = archive.vintages.first().map_or(FIRST_DAY, |vintage| vintage.period);
    let last = archive.vintages.last().map_or(LAST_DAY, |vintage| vintage.period);
    let mut fields: Fields = vec![("id".to_owned(), facts.id.clone().into())];
    fields.extend(realtime_fields(days));
    let rest: [(&str, Value); 12] = [
        ("title", facts.title.clone().into()),
        ("observation_start", first.into()),
        ("observation_end", last.into()),
        ("frequency", facts.frequency.name().into()),
        ("frequency_short", facts.frequency.short().into()),
        ("units", facts.units.clone().into()),
        ("units_short", facts.units_short.clone().into()),
        ("seasonal_adjustment", facts.adjustment.0.into()),
        ("seasonal_adjustment_short", facts.adjustment.1.into()),
        ("last_updated", updated(archive.updated, request.zone).into()),
        ("popularity", 1_usize.into()),
        ("notes", "A simulated series.".into()),
    ];
    fields.extend(rest.map(|(name, value)| (name.to_owned(), value)));
    let items = vec![Item::Fields(fields)];
    Ok(Answer { list: "seriess", item: "series", head: realtime_fields(days), items })
}

/// A moment as it is told: local, with the hours of its offset alone.
fn updated(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let hours = local.offset().seconds() / 3600;
    format!("{}{}{:02}", local.strftime("%Y-%m-%d %H:%M:%S"), if hours < 0 { '-' } else { '+' }, hours.abs())
}

/// The days on which values of a series were published or revised.
pub(super) fn vintage_dates(request: &Request<'_>) -> Result<Answer, Refusal> {
    let archive = request.archive()?;
    let days = query::realtime(request.params, Days { start: FIRST_DAY, end: LAST_DAY }, request.today)?;
    let page = Page::of(request.params, MOST_DATES, false)?;
    let dates: Vec<_> = archive.vintage_dates().into_iter().filter(|day| days.contains(*day)).collect();
    let mut head = realtime_fields(days);
    head.extend(page.fields("vintage_date", dates.len()));
    let items = page.cut(dates).into_iter().map(|day| Item::Text(day.to_string())).collect();
    Ok(Answer { list: "vintage_dates", item: "vintage_date", head, items })
}

/// The release a series belongs to.
pub(super) fn release(request: &Request<'_>) -> Result<Answer, Refusal> {
    let archive = request.archive()?;
    let today = Days { start: request.today, end: request.today };
    let days = query::realtime(request.params, today, request.today)?;
    let item = |release: &super::catalogue::Release| {
        let mut fields: Fields = vec![("id".to_owned(), release.id.into())];
        fields.extend(realtime_fields(days));
        fields.push(("name".to_owned(), release.name.into()));
        fields.push(("press_release".to_owned(), release.press_release.into()));
        fields.push(("link".to_owned(), release.link.into()));
        Item::Fields(fields)
    };
    let items = archive.facts.release.into_iter().map(item).collect();
    Ok(Answer { list: "releases", item: "release", head: realtime_fields(days), items })
}
