//! From a chart to facts: closed bars on the calendar, raw prices, actions in the terms of their day.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use market::calendar::Span;
use market::{Action, ActionKind, Asset, AssetClass, AssetKind, Bar, Calendar, Remark, RemarkKind, Timeframe};

use super::chart::{Cells, Chart};
use super::faults::{self, Beside, Payout, Ratio, Row};
use super::place::{Place, Places};
use crate::failure::Failure;
use crate::http::in_short;
use crate::source::{Fetched, Request};

/// How long after a bar's close its row may still change.
pub(super) fn margin(class: AssetClass, timeframe: Timeframe) -> SignedDuration {
    match (class, timeframe) {
        // The closing auction is told minutes after the bell, and quotes of some exchanges are 15 minutes late.
        (AssetClass::Stocks, Timeframe::D1) => SignedDuration::from_mins(15),
        _ => SignedDuration::from_mins(1),
    }
}

/// Where quotes are late at all, they are so by a quarter of an hour.
const LATE: SignedDuration = SignedDuration::from_mins(20);

/// Bars that closed by then are final at `now`: their margin has passed, and the vendor has seen trades since. One that
/// has seen none is late, or nobody trades: then a little more time must have passed.
fn settled(chart: &Chart, request: &Request<'_>, now: Timestamp) -> Timestamp {
    let before = |span: SignedDuration| now.saturating_sub(span).unwrap_or(Timestamp::MIN);
    let margin = before(margin(request.asset.class(), request.timeframe));
    match chart.meta.regular_market_time.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
        Some(last_trade) => margin.min(last_trade.max(before(LATE))),
        None => margin,
    }
}

/// How Yahoo names a bar length; `None` for those that are not asked for.
pub(super) const fn interval(timeframe: Timeframe) -> Option<&'static str> {
    Some(match timeframe {
        Timeframe::M1 => "1m",
        Timeframe::M5 => "5m",
        Timeframe::M15 => "15m",
        Timeframe::M30 => "30m",
        Timeframe::H1 => "1h",
        Timeframe::D1 => "1d",
        _ => return None,
    })
}

/// What a chart tells of what was asked, at `now`. The chart reaches to `now`, so that it holds every split that its
/// prices are adjusted for; rows before the asked ones help to judge these and are not given.
///
/// Prices come adjusted for splits and as 32-bit floats; here the splits are undone and seven digits kept, which is what
/// such a float holds: rounding gives the same raw price before and after a further split. Adjusted closes are not given,
/// as every later dividend changes them. A coin's volume is in dollars of no one price, from which no count of coins can
/// be had: it is given as 0, and a remark says so.
///
/// # Errors
/// [`Failure::Malformed`], [`Failure::Refused`] when the bars have another length than was asked for,
/// [`Failure::Unknown`] for the stub that stands for a dead series, [`Failure::NotOffered`] for another currency.
pub fn read_chart(chart: &Chart, request: &Request<'_>, now: Timestamp, host: &str) -> Result<Fetched, Failure> {
    let asset = request.asset;
    let mut fetched = Fetched::default();
    let mut notes = Vec::new();
    if chart.cells.is_empty() && chart.meta.exchange_name.as_deref() == Some("YHD") {
        return Err(Failure::Unknown { host: host.to_owned(), spelling: in_short(&chart.meta.symbol) });
    }
    check_granularity(chart, request.timeframe, host)?;
    let told = chart.meta.currency.as_deref();
    let unit = unit(told, request.asset).ok_or_else(|| {
        let (asset, told) = (request.asset, in_short(told.unwrap_or_default()));
        let what = format!("{} in {}: its prices are in {told}", asset.symbol, asset.quote);
        Failure::NotOffered { source_name: "Yahoo".to_owned(), what }
    })?;
    let zone = TimeZone::get(&chart.meta.exchange_timezone_name).map_err(|_| Failure::Malformed {
        host: host.to_owned(),
        reason: format!("{:?} is no time zone", in_short(&chart.meta.exchange_timezone_name)),
    })?;
    let places = Places {
        calendar: Calendar::of(asset.class()),
        timeframe: request.timeframe,
        zone: &zone,
        last_trade: chart.meta.regular_market_time,
    };
    let beside = beside(chart, &places, now, request.timeframe);
    let mut taken = take(chart, &places, asset.kind, &mut notes);
    faults::repair(&mut taken.rows, &beside);

    let settled = settled(chart, request, now);
    let asked = |at: Timestamp| request.from <= at && at < request.to;
    for (span, row) in taken.spans.iter().zip(&taken.rows) {
        let Some(span) = span.filter(|span| span.close_time <= settled && asked(span.open_time)) else { continue };
        if let Some(finding) = &row.finding {
            notes.push(Note { span: Some(span), kind: finding.kind, text: finding.text.clone() });
            if finding.kind == RemarkKind::Quarantined {
                continue;
            }
        }
        match raw_bar(row, span, &beside.splits, unit, asset.kind).checked() {
            Ok(bar) => fetched.bars.push(bar),
            Err(error) => notes.push(Note { span: Some(span), kind: RemarkKind::Refused, text: error.to_string() }),
        }
    }
    notes.retain(|note| note.span.is_none_or(|span| span.close_time <= settled && asked(span.open_time)));
    if asset.class() == AssetClass::Stocks {
        actions(chart, (request, now), &places, &beside, &taken.rows, unit, (&mut fetched, &mut notes));
    }
    if asset.class() == AssetClass::Crypto
        && let (Some(first), Some(last)) = (fetched.bars.first(), fetched.bars.last())
    {
        let span = Span { open_time: first.open_time, close_time: last.close_time };
        let text = format!(
            "prices are in USD ({} is quoted in {}); volumes, in USD too, are left out",
            asset.symbol, asset.quote
        );
        notes.push(Note { span: Some(span), kind: RemarkKind::Quarantined, text });
    }
    if chart.n_bad_events > 0 {
        let text = format!("{} splits or dividends have no readable date or numbers", chart.n_bad_events);
        notes.push(Note { span: None, kind: RemarkKind::Refused, text });
    }
    if chart.cells.is_empty() && chart.meta.currency.is_none() {
        let text =
            format!("{host} tells neither rows nor a currency of {}: it may be dead", in_short(&chart.meta.symbol));
        notes.push(Note { span: None, kind: RemarkKind::Refused, text });
    }
    fetched.remarks = in_runs(notes, request);
    Ok(fetched)
}

fn check_granularity(chart: &Chart, timeframe: Timeframe, host: &str) -> Result<(), Failure> {
    let refused = |said: String| Err(Failure::Refused { host: host.to_owned(), status: 200, said });
    let asked = interval(timeframe).unwrap_or_default();
    if let Some(given) = chart.meta.data_granularity.as_deref()
        && given != asked
        && !(asked == "1h" && given == "60m")
    {
        return refused(format!("bars of {} were given where {asked} was asked for", in_short(given)));
    }
    // Half hours have been answered with hours under the name of half hours.
    let stamps: Vec<i64> = chart.cells.iter().filter_map(|cells| cells.stamp).collect();
    let hours = stamps.windows(2).all(|pair| (pair[1].saturating_sub(pair[0])) % 3600 == 0);
    if timeframe == Timeframe::M30 && stamps.len() >= 4 && hours {
        return refused("bars of an hour were given where 30m was asked for".to_owned());
    }
    Ok(())
}

/// Hundredths in which prices are quoted, and the currency they are hundredths of.
const HUNDREDTHS: [(&str, &str); 4] = [("GBp", "GBP"), ("GBX", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS")];

/// What prices told in a currency are multiplied by to stand in the asset's: a hundredth where they are told in pence and
/// the asset is quoted in pounds. Where no currency is told the asset's is believed. `None` for another one.
pub(super) fn unit(told: Option<&str>, asset: &Asset) -> Option<f64> {
    let Some(told) = told.filter(|told| !told.is_empty()) else { return Some(1.0) };
    if asset.class() == AssetClass::Crypto && told == "USD" || told == asset.quote || asset.kind == AssetKind::Index {
        return Some(1.0);
    }
    HUNDREDTHS.contains(&(told, asset.quote.as_str())).then_some(0.01)
}

/// The events, in terms of the calendar. What takes effect after today changes no price yet.
fn beside(chart: &Chart, places: &Places<'_>, now: Timestamp, timeframe: Timeframe) -> Beside {
    let today = places.calendar.trading_date(now);
    let splits = chart.splits.iter().filter_map(|event| {
        let ex_date = places.ex_date(event.date)?;
        Some(Ratio { ex_date, shares: event.numerator / event.denominator })
    });
    let mut splits: Vec<Ratio> = splits.filter(|split| split.ex_date <= today).collect();
    splits.sort_by_key(|split| split.ex_date);
    splits.dedup();
    let dividends = chart
        .dividends
        .iter()
        .filter_map(|event| Some(Payout { ex_date: places.ex_date(event.date)?, amount: event.amount, finding: None }));
    let mut dividends: Vec<Payout> = dividends.filter(|paid| paid.ex_date <= today).collect();
    dividends.sort_by_key(|paid| paid.ex_date);
    dividends.dedup();
    let currency = chart.meta.currency.as_deref().unwrap_or_default();
    let hundredths = HUNDREDTHS.iter().any(|(small, large)| [*small, *large].contains(&currency));
    // A dividend is told by days; within a day its step is at the first bar.
    let dividends = if timeframe == Timeframe::D1 { dividends } else { Vec::new() };
    Beside { splits, dividends, hundredths }
}

/// Rows that are complete, and the bar each is of; `None` for the running one, which is only looked at.
struct Taken {
    spans: Vec<Option<Span>>,
    rows: Vec<Row>,
}

fn take(chart: &Chart, places: &Places<'_>, kind: AssetKind, notes: &mut Vec<Note>) -> Taken {
    let mut cells: Vec<(i64, &Cells)> = Vec::with_capacity(chart.cells.len());
    for row in &chart.cells {
        match row.stamp {
            Some(stamp) => cells.push((stamp, row)),
            None => {
                let text = "a row has no readable time".to_owned();
                notes.push(Note { span: None, kind: RemarkKind::Refused, text });
            }
        }
    }
    cells.sort_by_key(|(stamp, _)| *stamp);
    let mut taken = Taken { spans: Vec::with_capacity(cells.len()), rows: Vec::with_capacity(cells.len()) };
    let n = cells.len();
    for (at, (stamp, cells)) in cells.into_iter().enumerate() {
        let mut refuse = |span: Option<Span>, text: String| {
            notes.push(Note { span, kind: RemarkKind::Refused, text });
        };
        let (date, span) = match places.place(stamp, at + 1 == n) {
            Place::Bar(date, span) => (date, Some(span)),
            Place::Running(date) => (date, None),
            Place::Artefact => continue,
            Place::Nowhere(instant, text) => {
                let moment = instant.map(|at| Span { open_time: at, close_time: at });
                refuse(moment, text);
                continue;
            }
        };
        let row = match complete(cells, kind) {
            Ok(Some(row)) => Row { date, ..row },
            // A minute without trades; a day without them is worth saying.
            Ok(None) if places.timeframe != Timeframe::D1 || span.is_none() => continue,
            Ok(None) => {
                refuse(span, "the row is empty".to_owned());
                continue;
            }
            Err(text) => {
                if span.is_some() {
                    refuse(span, text);
                }
                continue;
            }
        };
        let last = taken.spans.last().copied().zip(taken.rows.last());
        match (span, last) {
            (Some(span), Some((Some(before), other))) if before.open_time == span.open_time => {
                if *other != row {
                    refuse(Some(span), "a second row of the same bar".to_owned());
                }
                continue;
            }
            // While the running row of a day stands beside its own with another close, the day is not final.
            (None, Some((Some(_), other)))
                if places.timeframe == Timeframe::D1
                    && other.date == row.date
                    && (other.close / row.close - 1.0).abs() > 1e-6 =>
            {
                taken.spans.pop();
                taken.rows.pop();
            }
            _ => {}
        }
        taken.spans.push(span);
        taken.rows.push(row);
    }
    taken
}

/// The cells as a row without a date; nothing when all are empty.
fn complete(cells: &Cells, kind: AssetKind) -> Result<Option<Row>, String> {
    let prices = [("open", cells.open), ("high", cells.high), ("low", cells.low), ("close", cells.close)];
    if prices.iter().all(|(_, price)| price.is_none()) {
        return Ok(None);
    }
    let mut checked = [0.0; 4];
    for ((field, price), slot) in prices.into_iter().zip(&mut checked) {
        *slot = match price {
            Some(price) if price.is_finite() && price > 0.0 => price,
            Some(price) => return Err(format!("{field} is {price}: a positive finite price is expected")),
            None => return Err(format!("{field} is missing")),
        };
    }
    let volume = match (kind, cells.volume) {
        // Dollars, not coins.
        (AssetKind::Coin | AssetKind::Stable, _) => 0.0,
        // Nobody trades an index.
        (AssetKind::Index, None) => 0.0,
        (_, Some(volume)) if volume.is_finite() && volume >= 0.0 => volume,
        (_, Some(volume)) => return Err(format!("volume is {volume}: a finite number of at least zero is expected")),
        (_, None) => return Err("volume is missing".to_owned()),
    };
    let [open, high, low, close] = checked;
    let adjusted = cells.adjusted.filter(|price| price.is_finite() && *price > 0.0);
    let date = jiff::civil::Date::MIN;
    Ok(Some(Row { date, open, high, low, close, volume, adjusted, finding: None }))
}

/// The row as a bar of its day: what later splits did to it undone.
fn raw_bar(row: &Row, span: Span, splits: &[Ratio], unit: f64, kind: AssetKind) -> Bar {
    let shares = shares_since(splits, row.date);
    let raw = |price: f64| seven_digits(price * shares * unit);
    let volume = if kind.class() == AssetClass::Stocks { (row.volume / shares).round() } else { row.volume };
    Bar {
        open_time: span.open_time,
        close_time: span.close_time,
        open: raw(row.open),
        high: raw(row.high),
        low: raw(row.low),
        close: raw(row.close),
        volume,
        adj_close: None,
        known_at: span.close_time,
    }
}

/// How many shares one share of that day has become by splits since.
fn shares_since(splits: &[Ratio], date: jiff::civil::Date) -> f64 {
    splits.iter().filter(|split| split.ex_date > date).map(|split| split.shares).product()
}

/// Seven significant digits: all that a 32-bit float holds.
pub(super) fn seven_digits(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

fn actions(
    chart: &Chart,
    (request, now): (&Request<'_>, Timestamp),
    places: &Places<'_>,
    beside: &Beside,
    rows: &[Row],
    unit: f64,
    (fetched, notes): (&mut Fetched, &mut Vec<Note>),
) {
    let action = |ex_date, kind| {
        let session = places.calendar.day(ex_date)?;
        let asked = request.from <= session.open_time && session.open_time < request.to;
        (asked && session.open_time <= now).then_some(Action { ex_date, kind, known_at: session.open_time })
    };
    for event in &chart.splits {
        let (numerator, denominator) = (event.numerator, event.denominator);
        let Some(ex_date) = places.ex_date(event.date) else { continue };
        if beside.splits.iter().any(|split| split.ex_date == ex_date) {
            fetched.actions.extend(action(ex_date, ActionKind::Split { numerator, denominator }));
        }
    }
    // Only days tell whether a dividend can be true.
    let mut dividends = beside.dividends.clone();
    faults::check_dividends(&mut dividends, rows);
    for paid in dividends {
        let amount = seven_digits(paid.amount * shares_since(&beside.splits, paid.ex_date) * unit);
        let Some(action) = action(paid.ex_date, ActionKind::Dividend { amount }) else { continue };
        if !(amount.is_finite() && amount > 0.0) {
            let text = format!("a dividend of {} is {amount} in the terms of its day", paid.amount);
            notes.push(Note { span: places.calendar.day(action.ex_date), kind: RemarkKind::Refused, text });
            continue;
        }
        let kind = paid.finding.as_ref().map(|finding| finding.kind);
        if let Some(finding) = paid.finding {
            let span = places.calendar.day(action.ex_date);
            notes.push(Note { span, kind: finding.kind, text: finding.text });
        }
        if kind != Some(RemarkKind::Quarantined) {
            fetched.actions.push(action);
        }
    }
    fetched.actions.sort_by_key(|action| action.ex_date);
    fetched.actions.dedup();
}

struct Note {
    span: Option<Span>,
    kind: RemarkKind,
    text: String,
}

/// Remarks of the notes, in order of time; neighbours that say the same become one.
fn in_runs(mut notes: Vec<Note>, request: &Request<'_>) -> Vec<Remark> {
    notes.sort_by_key(|note| note.span.map(|span| span.open_time));
    let mut remarks: Vec<(Remark, usize)> = Vec::new();
    for note in notes {
        let (from, to) = (note.span.map(|span| span.open_time), note.span.map(|span| span.close_time));
        match remarks.last_mut() {
            Some((last, n)) if last.kind == note.kind && last.text == note.text => {
                last.to = to;
                *n += 1;
            }
            _ => {
                let symbol = Some(request.asset.symbol.clone());
                let timeframe = Some(request.timeframe);
                remarks.push((Remark { kind: note.kind, symbol, timeframe, from, to, text: note.text }, 1));
            }
        }
    }
    let counted = |(mut remark, n): (Remark, usize)| {
        if n > 1 {
            remark.text = format!("{} ({n} rows)", remark.text);
        }
        remark
    };
    remarks.into_iter().map(counted).collect()
}
