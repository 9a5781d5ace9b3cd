//! What must hold, during the storm and after it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::ledger::{Verdict, verify_stored};
use jiff::Timestamp;
use market::{Adjustment, AssetClass, Bar, Calendar, Span};
use storage::{BarQuery, EntryQuery, SeriesKey, Store};

use super::scene::{First, Scene};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts panics from now on, on whatever thread.
pub(super) fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            usual(info);
        }));
    });
}

pub(super) fn n_panics() -> usize {
    PANICS.load(Ordering::Relaxed)
}

/// How long a hole may stand before it is recorded, and a gap after it was filled: storing and recording are two steps.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Looks at everything again and again, and remembers what it saw.
#[derive(Default)]
pub(super) struct Watch {
    /// Every bar as it was read first.
    first_read: HashMap<(SeriesKey, Timestamp), Bar>,
    /// Disorder between bars and gaps, and since when it stands.
    disorder: HashMap<(SeriesKey, String), tokio::time::Instant>,
}

impl Watch {
    pub(super) async fn look(&mut self, scene: &Scene) -> Result<(), String> {
        let mut seen = Vec::new();
        let now = tokio::time::Instant::now();
        for (key, bars, found) in look_at_all(scene).await? {
            let adjusted = key.adjustment != Adjustment::Raw;
            for bar in bars {
                let first = self.first_read.entry((key.clone(), bar.open_time)).or_insert(bar);
                // Prices that are adjusted are restated with every split.
                if *first != bar && !adjusted {
                    return Err(format!("a bar of {key:?} was {first:?} and became {bar:?}"));
                }
            }
            for text in found {
                let since = *self.disorder.entry((key.clone(), text.clone())).or_insert(now);
                if now.duration_since(since) > AT_ONCE {
                    return Err(format!("{key:?}: {text}"));
                }
                seen.push((key.clone(), text));
            }
        }
        self.disorder.retain(|place, _| seen.contains(place));
        Ok(())
    }

    /// The last look, at what changes no more.
    pub(super) async fn finish(mut self, scene: &Scene) -> Result<(), String> {
        self.look(scene).await?;
        match self.disorder.keys().next() {
            Some((key, text)) => Err(format!("in the end, {key:?}: {text}")),
            None => Ok(()),
        }
    }
}

async fn bars(scene: &Scene, key: &SeriesKey) -> Vec<Bar> {
    let query = BarQuery { key, as_of: Timestamp::MAX, from: None, to: None, last: None };
    scene.home.store.bars(&query).await.unwrap()
}

/// Every series with its bars, and what its gaps do not say or say wrongly.
async fn look_at_all(scene: &Scene) -> Result<Vec<(SeriesKey, Vec<Bar>, Vec<String>)>, String> {
    let mut all = Vec::new();
    for info in scene.home.store.series().await.unwrap() {
        let stored = bars(scene, &info.key).await;
        let gaps = scene.home.store.gaps(&info.key).await.unwrap();
        let now = scene.clock.now();
        if let Some(bar) = stored.iter().find(|bar| bar.close_time > now || bar.known_at < bar.close_time) {
            return Err(format!("{:?} holds a bar that has not closed at {now}: {bar:?}", info.key));
        }
        let calendar = Calendar::of(scene.asset(&info.key.symbol).class());
        let open: Vec<_> = gaps.iter().filter(|gap| gap.filled_at.is_none()).collect();
        let within = |span: &Span| open.iter().any(|gap| gap.from <= span.open_time && span.close_time <= gap.to);
        let mut found = Vec::new();
        for pair in stored.windows(2).filter(|pair| pair[0].close_time < pair[1].open_time) {
            let missing = calendar.bars_closing_in(info.key.timeframe, pair[0].close_time, pair[1].open_time);
            for span in missing.filter(|span| !within(span)) {
                found.push(format!("the bar of {} is missing and in no open gap", span.open_time));
            }
        }
        for gap in &open {
            let filled = stored.iter().find(|bar| gap.from <= bar.open_time && bar.close_time <= gap.to);
            found.extend(filled.map(|bar| format!("the bar of {} is stored and in an open gap", bar.open_time)));
        }
        all.push((info.key, stored, found));
    }
    Ok(all)
}

/// What the exchange has told by now of what closed in the storm or before, and is not stored; or is stored otherwise.
pub(super) async fn missing(scene: &Scene) -> Result<Option<String>, String> {
    for first in scene.firsts() {
        let stored = bars(scene, &first.key).await;
        if let Some(what) = missing_of(scene, &first, &stored)? {
            return Ok(Some(format!("{:?} {what}", first.key)));
        }
    }
    Ok(missing_values(scene).await)
}

fn missing_of(scene: &Scene, first: &First, stored: &[Bar]) -> Result<Option<String>, String> {
    let now = scene.clock.now();
    let tape = &scene.exchange.exchange.tape;
    let begins = stored.first().map_or(first.from, |bar| bar.open_time.min(first.from));
    let mut told = tape.bars(first.place, first.key.timeframe, begins, now, now);
    told.retain(|bar| bar.close_time <= scene.storm_ends);
    let stored: BTreeMap<Timestamp, &Bar> = stored.iter().map(|bar| (bar.open_time, bar)).collect();
    let mut missing = Vec::new();
    for bar in &told {
        match stored.get(&bar.open_time) {
            None => missing.push(bar.open_time),
            Some(stored) if !same(stored, bar, first.tolerance) => {
                return Err(format!("{:?} stores {stored:?} where the exchange has {bar:?}", first.key));
            }
            Some(_) => {}
        }
    }
    let made_up = stored
        .values()
        .filter(|bar| bar.close_time <= scene.storm_ends)
        .find(|bar| told.binary_search_by_key(&bar.open_time, |bar| bar.open_time).is_err());
    if let Some(bar) = made_up {
        return Err(format!("{:?} stores {bar:?}, which the exchange does not have", first.key));
    }
    let (Some(from), Some(to)) = (missing.first(), missing.last()) else { return Ok(None) };
    Ok(Some(format!("lacks {} of {} bars, from {from} to {to}", missing.len(), told.len())))
}

fn same(stored: &Bar, told: &Bar, tolerance: f64) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance * a.abs().max(b.abs());
    let prices = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close];
    // A source whose prices are rounded counts whole shares.
    let volume = (stored.volume - told.volume).abs() <= if tolerance > 0.0 { 1.0 } else { 0.0 };
    prices(stored).into_iter().zip(prices(told)).all(|(a, b)| near(a, b))
        && stored.close_time == told.close_time
        && volume
}

/// Values of macro series that were published on the day before the storm or earlier and are not stored.
async fn missing_values(scene: &Scene) -> Option<String> {
    let tape = &scene.exchange.exchange.tape;
    for (place, asset) in tape.assets().iter().enumerate().filter(|(_, asset)| asset.class() == AssetClass::Macro) {
        let stored = scene.home.store.observations(&asset.source_symbol, Timestamp::MAX).await.unwrap();
        for told in tape.observations(place, scene.storm_ends) {
            let same = |row: &&market::Observation| {
                (row.ref_period, row.realtime_start, row.value) == (told.ref_period, told.realtime_start, told.value)
            };
            if stored.iter().find(same).is_none() {
                return Some(format!("{} lacks {told:?}", asset.symbol));
            }
        }
    }
    None
}

/// That no row of raw prices was ever stored twice.
pub(super) async fn no_revisions(scene: &Scene) -> Result<(), String> {
    for info in scene.home.store.series().await.unwrap() {
        if info.key.adjustment != Adjustment::Raw {
            continue;
        }
        let rows = scene.home.store.bars_learnt(&info.key, Timestamp::MIN, Timestamp::MAX).await.unwrap();
        let mut by_open: BTreeMap<Timestamp, Bar> = BTreeMap::new();
        for row in rows {
            if let Some(before) = by_open.insert(row.open_time, row) {
                return Err(format!("{:?}: {before:?} was replaced by {row:?}", info.key));
            }
        }
    }
    Ok(())
}

/// Forecasts that are computed again.
const REDERIVED: usize = 40;

/// That the chain is sound, and every forecast in it follows from what had closed when it was recorded.
pub(super) async fn ledger(scene: &Scene) -> Result<(), String> {
    let (store, chain) = (&**scene.engine.store(), scene.engine.chain());
    if let Verdict::Broken(broken) = verify_stored(store, chain, None).await.map_err(|error| error.to_string())? {
        return Err(broken.to_string());
    }
    let query = EntryQuery { kind: Some("forecast"), limit: 100_000, ..EntryQuery::default() };
    let entries = store.entries(chain, &query).await.unwrap();
    for row in entries.iter().rev().take(REDERIVED) {
        let id = row.entry.hash.to_string();
        let again = scene.engine.rederive(&id).await.map_err(|error| format!("{error}: {}", row.entry.body))?;
        let forecast = &again.issued.forecast;
        let (name, as_of) = (format!("{} {}", forecast.symbol, forecast.timeframe), forecast.as_of);
        if as_of > forecast.issued_at {
            return Err(format!("the forecast of {name} of {as_of} was recorded at {}", forecast.issued_at));
        }
        let calendar = Calendar::of(forecast.asset_class);
        let closes = calendar.last_closed_bar(forecast.timeframe, as_of).is_some_and(|span| span.close_time == as_of);
        if forecast.asset_class != AssetClass::Macro && !closes {
            return Err(format!("the forecast of {name} is as of {as_of}, which is no close"));
        }
        if !again.is_identical() {
            let (stored, computed) = (&again.stored, &again.computed);
            return Err(format!(
                "the forecast of {name} of {as_of}, recorded at {} does not come out again: same data: {}\n{stored}\n{computed}",
                forecast.issued_at, again.same_data
            ));
        }
    }
    Ok(())
}
