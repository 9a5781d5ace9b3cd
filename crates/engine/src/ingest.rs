//! Data come in: closed bars, vintages and actions go to the store, holes are recorded.

use std::cmp::Reverse;

use jiff::Timestamp;
use market::{Asset, AssetKind, Calendar, Span, Symbol, Timeframe};
use storage::{BarQuery, EntryQuery, EntryRow, Gap, SeriesInfo, SeriesKey, Store};

use crate::body::Body;
use crate::error::{EngineError, Result};

/// The series whose bars stand for an asset at an instant: the one that reaches furthest; of several that do the least
/// adjusted, then the one that has been there longest, and then the first by name of its source.
#[must_use]
pub fn primary<'a>(
    series: &'a [SeriesInfo],
    symbol: &Symbol,
    timeframe: Timeframe,
    as_of: Timestamp,
) -> Option<&'a SeriesInfo> {
    let begun =
        |info: &&SeriesInfo| info.key.symbol == *symbol && info.key.timeframe == timeframe && info.first_open <= as_of;
    let order = |info: &&'a SeriesInfo| {
        (info.last_open.min(as_of), Reverse((info.key.adjustment, info.joined_at, &info.key.source)))
    };
    series.iter().filter(begun).max_by_key(order)
}

/// Adds an asset to the universe, or changes what is said of it; `listed` is what stood there before.
///
/// # Errors
/// [`EngineError::KindChange`] when a ledger has forecasts of it that would be scored otherwise: of another class, or
/// called by another rule of direction. As the store's otherwise.
pub async fn list_asset(store: &dyn Store, listed: Option<&Asset>, asset: &Asset) -> Result<()> {
    let rule = |asset: &Asset| (asset.class(), asset.kind == AssetKind::Stable);
    if let Some(listed) = listed.filter(|listed| rule(listed) != rule(asset)) {
        for info in store.chains().await? {
            let forecast = EntryQuery { symbol: Some(asset.symbol.clone()), limit: 1, ..EntryQuery::default() };
            let schedule = EntryQuery { kind: Some("schedule"), newest_first: true, limit: 1, ..EntryQuery::default() };
            let scheduled = |row: &EntryRow| match Body::parse(&row.entry.body) {
                Ok(Body::Schedule(body)) => body.assets.iter().any(|other| other.symbol == asset.symbol.as_str()),
                _ => false,
            };
            if !store.entries(&info.chain, &forecast).await?.is_empty()
                || store.entries(&info.chain, &schedule).await?.iter().any(scheduled)
            {
                let (symbol, chain) = (asset.symbol.clone(), info.chain);
                return Err(EngineError::KindChange { symbol, listed: listed.kind, said: asset.kind, chain });
            }
        }
    }
    Ok(store.put_assets(std::slice::from_ref(asset)).await?)
}

/// Compares a stored series with the calendar and records its holes: those seen before and filled since are marked so.
///
/// Looks from the first stored bar to `through`; with `through` at the last bar's close only holes inside are found, with
/// `through` at the present also the missing end. Gives the number of open gaps.
///
/// # Errors
/// As the store's.
pub async fn record_gaps(
    store: &dyn Store,
    key: &SeriesKey,
    asset: &Asset,
    through: Timestamp,
    now: Timestamp,
) -> Result<usize> {
    let query = BarQuery { key, as_of: now, from: None, to: None, last: None };
    let bars = store.bars(&query).await?;
    let spans: Vec<Span> =
        bars.iter().map(|bar| Span { open_time: bar.open_time, close_time: bar.close_time }).collect();
    record_gaps_of(store, key, asset, &spans, through, now).await
}

/// As [`record_gaps`], by someone who knows all stored bars of the series without reading them: ascending.
///
/// # Errors
/// As the store's.
pub async fn record_gaps_of(
    store: &dyn Store,
    key: &SeriesKey,
    asset: &Asset,
    bars: &[Span],
    through: Timestamp,
    now: Timestamp,
) -> Result<usize> {
    let Some(first) = bars.first() else { return Ok(0) };
    let calendar = Calendar::of(asset.class());
    let gaps = find_gaps(calendar, key.timeframe, bars, through, now);
    let to = bars.last().map_or(through, |bar| bar.close_time.max(through));
    store.put_gaps(key, first.open_time, to, &gaps, now).await?;
    Ok(gaps.len())
}

/// The holes of ascending `bars` up to `through`, each as long as it goes.
pub(crate) fn find_gaps(
    calendar: Calendar,
    timeframe: Timeframe,
    bars: &[Span],
    through: Timestamp,
    now: Timestamp,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut hole = |after: Timestamp, before: Timestamp| {
        let mut missing = calendar.bars_closing_in(timeframe, after, before);
        let Some(first) = missing.next() else { return };
        let (last, n_bars) = missing.fold((first, 1), |(_, n), span| (span, n + 1));
        gaps.push(Gap { from: first.open_time, to: last.close_time, n_bars, detected_at: now, filled_at: None });
    };
    for pair in bars.windows(2) {
        if pair[0].close_time < pair[1].open_time {
            hole(pair[0].close_time, pair[1].open_time);
        }
    }
    if let Some(last) = bars.last() {
        hole(last.close_time, through);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(index: i32) -> Span {
        let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
        let open_time = start + jiff::SignedDuration::from_hours(1) * index;
        Span { open_time, close_time: open_time + jiff::SignedDuration::from_hours(1) }
    }

    #[test]
    fn the_series_that_stands_for_an_asset() {
        let info = |source: &str, adjustment, first: i32, last: i32| {
            let (symbol, source) = ("BTC".parse().unwrap(), source.to_owned());
            let key = SeriesKey { symbol, timeframe: Timeframe::H1, adjustment, source };
            let (first_open, last_open) = (hour(first).open_time, hour(last).open_time);
            SeriesInfo { key, n_bars: 1, first_open, last_open, joined_at: None }
        };
        let check = |series: &[SeriesInfo], at: i32, expected: Option<&str>| {
            let found = primary(series, &"BTC".parse().unwrap(), Timeframe::H1, hour(at).open_time);
            assert_eq!(found.map(|info| info.key.source.as_str()), expected, "at {at}");
        };
        let (raw, split) = (market::Adjustment::Raw, market::Adjustment::Split);
        let turns = [info("a", raw, 0, 99), info("b", raw, 0, 100)];
        check(&turns, 200, Some("b"));
        check(&turns, 99, Some("a"));
        check(&turns, 50, Some("a"));
        check(&[info("a", raw, 60, 99), info("b", raw, 0, 70)], 50, Some("b"));
        check(&[info("a", split, 0, 99), info("b", raw, 0, 99)], 99, Some("b"));
        check(&[info("a", split, 0, 99), info("b", raw, 0, 98)], 99, Some("a"));
        check(&turns, -1, None);
        let joined = |info: SeriesInfo, at: i32| SeriesInfo { joined_at: Some(hour(at).open_time), ..info };
        let [a, b] = [info("a", raw, 0, 99), info("b", raw, 0, 99)];
        check(&[joined(a.clone(), 9), joined(b.clone(), 8)], 99, Some("b"));
        check(&[joined(a, 1), b], 99, Some("b"));
    }

    fn check(hours: &[i32], through: i32, expected: &[(i32, i32, u32)]) {
        let bars: Vec<Span> = hours.iter().map(|&h| hour(h)).collect();
        let through = hour(through).open_time;
        let gaps = find_gaps(Calendar::Continuous, Timeframe::H1, &bars, through, through);
        let expected: Vec<_> = expected.iter().map(|&(a, b, n)| (hour(a).open_time, hour(b).open_time, n)).collect();
        assert_eq!(gaps.iter().map(|g| (g.from, g.to, g.n_bars)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn holes_inside_and_at_the_end() {
        check(&[0, 1, 2], 3, &[]);
        check(&[0, 3, 4], 5, &[(1, 3, 2)]);
        check(&[0, 2, 3, 7], 9, &[(1, 2, 1), (4, 7, 3), (8, 9, 1)]);
    }
}
