//! The schedule: which slots are due, which are missed, and its own entries in the ledger.
//!
//! A slot is one close of one asset on one timeframe. It is due from the close to the end of its grace; after that it is
//! missed and recorded so. The schedule itself is an entry, so that a verifier knows which slots to expect. A macro
//! series is due at its releases, which no calendar foretells.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use market::{ActionKind, AssetClass, Calendar, Symbol, Timeframe};
use storage::{Draft, EntryQuery, Index};
use tracing::info;

use crate::body::{Body, MissedBody, ScheduleBody, ScheduledAsset};
use crate::desk::Desk;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::settings::Settings;
use crate::shown::forecast_timeframes;
use crate::views::Issued;

/// An asset joins the schedule once its series has so many bars: enough for the naive baseline, which wants a hundred
/// returns over the longest horizon, with seven months of days among the horizons of `1M`.
const fn min_bars(timeframe: Timeframe) -> usize {
    match timeframe {
        Timeframe::Mo1 => 400,
        _ => 250,
    }
}

/// One close that should have a forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) symbol: Symbol,
    pub(crate) timeframe: Timeframe,
    pub(crate) close: Timestamp,
}

/// Slots in a row that have no forecast and get none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MissedRun {
    symbol: Symbol,
    timeframe: Timeframe,
    from: Timestamp,
    to: Timestamp,
    count: u64,
    reason: &'static str,
}

/// The slots that can be issued at `now`: closed, within their grace, with their bar in the panel. At most one an asset
/// and timeframe.
pub(crate) fn due_slots(desk: &Desk, now: Timestamp) -> Vec<Slot> {
    let slot = |(symbol, timeframe): &(Symbol, Timeframe), covered: &Timestamp| {
        let close = match desk.releases.get(symbol) {
            Some(releases) => releases.due_slot(*covered, now)?,
            None => {
                let (sheet, _, line) = desk.line(symbol, *timeframe)?;
                let class = sheet.panel.class();
                let close = Calendar::of(class).bar_closing_after(*timeframe, *covered)?.close_time;
                let open = close <= now && now <= close + timeframe.grace(class);
                // Nothing that became known after the close may have been read: a late or changed row costs the slot.
                let clean = sheet.known_at.is_none_or(|known_at| known_at <= close);
                (open && clean && line.bar_closed_at(close).is_some()).then_some(close)?
            }
        };
        Some(Slot { symbol: symbol.clone(), timeframe: *timeframe, close })
    };
    desk.covered.iter().filter_map(|(key, covered)| slot(key, covered)).collect()
}

/// The slots whose grace is over at `now`.
fn missed_runs(desk: &Desk, now: Timestamp) -> Vec<MissedRun> {
    let mut runs = Vec::new();
    for ((symbol, timeframe), covered) in &desk.covered {
        if let Some(releases) = desk.releases.get(symbol) {
            runs.extend(releases.missed_slot(*covered, now).map(|slot| MissedRun {
                symbol: symbol.clone(),
                timeframe: *timeframe,
                from: slot,
                to: slot,
                count: 1,
                reason: "not issued before the next release was expected",
            }));
            continue;
        }
        let Some(asset) = desk.asset(symbol) else { continue };
        let calendar = Calendar::of(asset.class());
        let Some(horizon) = now.checked_sub(timeframe.grace(asset.class())).ok() else { continue };
        // Strictly before: at the very end of its grace a slot may still be issued.
        let mut closes = calendar
            .bars_closing_in(*timeframe, *covered, horizon)
            .map(|span| span.close_time)
            .filter(|c| *c < horizon);
        let Some(from) = closes.next() else { continue };
        let (to, count) = closes.fold((from, 1), |(_, count), close| (close, count + 1));
        let line = desk.line(symbol, *timeframe).map(|(_, _, line)| line);
        let reason = match line.and_then(|line| line.bar_closed_at(to)) {
            Some(_) => {
                "its bar, or another row it is made from, came or changed after the close, or nobody was there to issue it"
            }
            None => "no bar came within the grace period",
        };
        runs.push(MissedRun { symbol: symbol.clone(), timeframe: *timeframe, from, to, count, reason });
    }
    runs
}

/// What should be scheduled: every covered timeframe of every asset with enough bars that has not left the market.
fn wanted(desk: &Desk, settings: &Settings, now: Timestamp) -> BTreeMap<Symbol, Vec<Timeframe>> {
    let mut wanted = BTreeMap::new();
    for asset in desk.assets.iter() {
        let mut timeframes = forecast_timeframes(desk, asset);
        timeframes.retain(|timeframe| {
            let ready = match desk.releases.get(&asset.symbol) {
                Some(releases) => releases.is_ready(),
                None => desk.line(&asset.symbol, *timeframe).is_some_and(|(_, _, line)| {
                    let gone = |kind: &ActionKind| matches!(kind, ActionKind::Delisting | ActionKind::Rename { .. });
                    line.tail.len() >= min_bars(*timeframe)
                        && !line.actions.iter().any(|action| gone(&action.kind) && action.known_at <= now)
                }),
            };
            ready && settings.covers(&asset.symbol, *timeframe)
        });
        if !timeframes.is_empty() {
            wanted.insert(asset.symbol.clone(), timeframes);
        }
    }
    wanted
}

impl Engine {
    /// Records a new schedule when assets have joined or left.
    pub(crate) async fn ensure_schedule(&self, now: Timestamp) -> Result<()> {
        let body = {
            let desk = self.desk();
            let wanted = wanted(&desk, &self.settings, now);
            let in_force = desk.covered.keys();
            let pairs = wanted.iter().flat_map(|(symbol, timeframes)| timeframes.iter().map(move |tf| (symbol, tf)));
            if desk.scheduled && in_force.map(|(symbol, timeframe)| (symbol, timeframe)).eq(pairs) {
                return Ok(());
            }
            let assets = desk.assets.iter().filter_map(|asset| {
                let timeframes = wanted.get(&asset.symbol)?;
                Some(ScheduledAsset {
                    symbol: asset.symbol.to_string(),
                    asset_class: asset.class().to_string(),
                    kind: asset.kind.to_string(),
                    timeframes: timeframes.iter().map(Timeframe::to_string).collect(),
                })
            });
            ScheduleBody {
                recorded_at: now,
                from: now,
                assets: assets.collect(),
                chain: self.settings.chain.to_string(),
            }
        };
        let pairs = scheduled_pairs(&body).expect("it was made of symbols and timeframes");
        let draft = Draft { recorded_at: now, body: Body::Schedule(body.clone()).to_json(), index: Index::Schedule };
        self.store.append(&self.settings.chain, &[draft]).await?;
        let mut desk = self.desk_mut();
        desk.scheduled = true;
        let before = std::mem::take(&mut desk.covered);
        desk.covered = pairs
            .into_iter()
            .map(|(pair, since)| {
                // A forecast of an earlier schedule still stands.
                let since = desk.issued.get(&pair).map_or(since, |issued| issued.forecast.as_of.max(since));
                let covered = before.get(&pair).copied().unwrap_or(since);
                (pair, covered)
            })
            .collect();
        info!(assets = body.assets.len(), "scheduled {} assets from {}", body.assets.len(), body.from);
        Ok(())
    }

    /// Records slots whose grace is over.
    pub(crate) async fn record_missed(&self, now: Timestamp) -> Result<u64> {
        let runs = missed_runs(&self.desk(), now);
        if runs.is_empty() {
            return Ok(0);
        }
        let drafts: Vec<Draft> = runs
            .iter()
            .map(|run| {
                let body = Body::Missed(MissedBody {
                    recorded_at: now,
                    symbol: run.symbol.to_string(),
                    timeframe: run.timeframe.to_string(),
                    from: run.from,
                    to: run.to,
                    count: run.count,
                    reason: run.reason.to_owned(),
                });
                let (symbol, timeframe) = (run.symbol.clone(), run.timeframe);
                let index = Index::Missed { symbol, timeframe, from: run.from, to: run.to };
                Draft { recorded_at: now, body: body.to_json(), index }
            })
            .collect();
        self.store.append(&self.settings.chain, &drafts).await?;
        let mut desk = self.desk_mut();
        for run in &runs {
            desk.covered.insert((run.symbol.clone(), run.timeframe), run.to);
        }
        Ok(runs.iter().map(|run| run.count).sum())
    }

    /// Where each scheduled slot stands, read from the chain.
    pub(crate) async fn covered_slots(
        &self,
        issued: &HashMap<(Symbol, Timeframe), Arc<Issued>>,
    ) -> Result<BTreeMap<(Symbol, Timeframe), Timestamp>> {
        let mut covered: BTreeMap<(Symbol, Timeframe), Timestamp> = BTreeMap::new();
        let mut query = EntryQuery { kind: Some("schedule"), limit: PAGE, ..EntryQuery::default() };
        self.for_each_body(&mut query, |body| {
            if let Body::Schedule(schedule) = body {
                let before = std::mem::take(&mut covered);
                for (pair, since) in scheduled_pairs(&schedule)? {
                    let since = before.get(&pair).copied().unwrap_or(since);
                    covered.insert(pair, since);
                }
            }
            Ok(())
        })
        .await?;
        for (pair, issued) in issued {
            if let Some(since) = covered.get_mut(pair) {
                *since = issued.forecast.as_of.max(*since);
            }
        }
        let mut query = EntryQuery { kind: Some("missed"), limit: PAGE, ..EntryQuery::default() };
        self.for_each_body(&mut query, |body| {
            if let Body::Missed(missed) = body {
                let symbol = crate::body::symbol(&missed.symbol)?;
                let timeframe = crate::body::word("timeframe", &missed.timeframe)?;
                if let Some(since) = covered.get_mut(&(symbol, timeframe)) {
                    *since = missed.to.max(*since);
                }
            }
            Ok(())
        })
        .await?;
        Ok(covered)
    }

    async fn for_each_body(
        &self,
        query: &mut EntryQuery,
        mut each: impl FnMut(Body) -> Result<(), crate::body::BodyError>,
    ) -> Result<()> {
        loop {
            let rows = self.store.entries(&self.settings.chain, query).await?;
            for row in &rows {
                let seq = row.entry.seq;
                Body::parse(&row.entry.body).and_then(&mut each).map_err(|cause| EngineError::Entry { seq, cause })?;
            }
            match rows.last() {
                Some(last) if rows.len() == PAGE as usize => query.from_seq = Some(last.entry.seq + 1),
                _ => return Ok(()),
            }
        }
    }
}

const PAGE: u32 = 1000;

/// An asset's timeframe, and the close after which its slots are wanted.
type Scheduled = ((Symbol, Timeframe), Timestamp);

/// What a schedule holds. Closes are wanted from its beginning on; a release that came before stays open until the next
/// one does, so that a macro series is forecast at once.
fn scheduled_pairs(schedule: &ScheduleBody) -> Result<Vec<Scheduled>, crate::body::BodyError> {
    let mut pairs = Vec::new();
    for asset in &schedule.assets {
        let symbol = crate::body::symbol(&asset.symbol)?;
        let since = if asset.asset_class == AssetClass::Macro.as_str() { Timestamp::MIN } else { schedule.from };
        for timeframe in &asset.timeframes {
            pairs.push(((symbol.clone(), crate::body::word("timeframe", timeframe)?), since));
        }
    }
    Ok(pairs)
}
