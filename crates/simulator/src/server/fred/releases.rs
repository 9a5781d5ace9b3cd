//! `/fred/release/dates` and `/fred/releases/dates`: when something was published, and when it will be.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use market::AssetKind;

use super::Request;
use super::answer::{Answer, Fields, Item, Refusal};
use super::catalogue::{Facts, RELEASES, Release};
use super::query::{self, Page, realtime_fields};
use super::vintages::{Days, FIRST_DAY, LAST_DAY};

/// How far ahead sources announce their dates here.
const ANNOUNCED: SignedDuration = SignedDuration::from_hours(24 * 45);

const MOST_OF_ONE: usize = 10_000;
const MOST_OF_ALL: usize = 1_000;

/// The dates of one release.
pub(super) fn of_one(request: &Request<'_>) -> Result<Answer, Refusal> {
    let params = request.params;
    let refuse = |what: &str| Err(Refusal::bad_request(what));
    let Some(id) = params.get("release_id").filter(|text| !text.is_empty()) else {
        return refuse("Variable release_id is not set.");
    };
    let Some(release) = id.parse().ok().and_then(|id: usize| RELEASES.iter().find(|release| release.id == id)) else {
        return refuse("The release does not exist.");
    };
    let days = query::realtime(params, Days { start: FIRST_DAY, end: LAST_DAY }, request.today)?;
    let page = Page::of(params, MOST_OF_ONE, false)?;
    let of_release = |known: &&Release| known.id == release.id;
    let dates: Vec<_> = dates(request, days)?.into_iter().filter(|(_, known)| of_release(known)).collect();
    let mut head = realtime_fields(days);
    head.extend(page.fields("release_date", dates.len()));
    let item = |(day, release): (Date, &Release)| {
        let fields: Fields = vec![("release_id".to_owned(), release.id.into())];
        Item::Dated(fields, day)
    };
    let items = page.cut(dates).into_iter().map(item).collect();
    Ok(Answer { list: "release_dates", item: "release_date", head, items })
}

/// The dates of all releases.
pub(super) fn of_all(request: &Request<'_>) -> Result<Answer, Refusal> {
    let params = request.params;
    let new_year = Date::new(request.today.year(), 1, 1).unwrap_or(request.today);
    let days = query::realtime(params, Days { start: new_year, end: LAST_DAY }, request.today)?;
    let page = Page::of(params, MOST_OF_ALL, true)?;
    let mut dates = dates(request, days)?;
    let order_by = params.get("order_by").unwrap_or("release_date");
    match order_by {
        "release_date" => {}
        "release_id" => dates.sort_by_key(|(day, release)| (release.id, *day)),
        "release_name" => dates.sort_by_key(|(day, release)| (release.name, *day)),
        _ => {
            let what = "Value of order_by is not one of: 'release_date', 'release_id', 'release_name'.";
            return Err(Refusal::bad_request(what));
        }
    }
    let mut head = realtime_fields(days);
    head.extend(page.fields(order_by, dates.len()));
    let item = |(day, release): (Date, &Release)| {
        let id = ("release_id".to_owned(), release.id.into());
        Item::Dated(vec![id, ("release_name".to_owned(), release.name.into())], day)
    };
    let items = page.cut(dates).into_iter().map(item).collect();
    Ok(Answer { list: "release_dates", item: "release_date", head, items })
}

/// The dates within some days, ascending. Those still to come only where they are asked for by
/// `include_release_dates_with_no_data`.
fn dates(request: &Request<'_>, days: Days) -> Result<Vec<(Date, &'static Release)>, Refusal> {
    let announced = match request.params.get("include_release_dates_with_no_data") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            let what = "Value of include_release_dates_with_no_data is not one of: 'true', 'false'.";
            return Err(Refusal::bad_request(what));
        }
    };
    let until = if announced { request.now.saturating_add(ANNOUNCED).unwrap_or(Timestamp::MAX) } else { request.now };
    let tape = &request.exchange.tape;
    let mut dates = BTreeSet::new();
    for (place, asset) in tape.assets().iter().enumerate().filter(|(_, asset)| asset.kind == AssetKind::Series) {
        let Some(release) = Facts::of(asset, &[]).release else { continue };
        // Of what is still to come nothing but the day is looked at.
        let published = tape.observations(place, until).into_iter().map(|row| row.realtime_start);
        dates.extend(published.filter(|day| days.contains(*day)).map(|day| (day, release.id)));
    }
    let release = |(day, id): (Date, usize)| Some((day, RELEASES.iter().find(|release| release.id == id)?));
    Ok(dates.into_iter().filter_map(release).collect())
}
