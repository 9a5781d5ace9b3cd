//! From the store to the desk: everything at the start, and single panels anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use market::{Asset, AssetClass, Origin, Remark, RemarkKind, Timeframe};
use storage::EventKind;
use tracing::{debug, info};

use crate::assemble::{Assembled, Walk, assemble};
use crate::desk::{Desk, Line, Sheet, SheetKey};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::issue::issued_from_row;
use crate::release::Releases;

impl Engine {
    /// Reads everything from the store anew.
    pub(crate) async fn load(&self) -> Result<()> {
        let now = self.clock.now();
        let assets: Arc<[Asset]> = self.store.assets().await?.into();
        let mut releases = HashMap::new();
        for asset in assets.iter().filter(|asset| asset.class() == AssetClass::Macro) {
            let observations = self.store.observations(&asset.source_symbol, now).await?;
            if let Some(series) = Releases::new(asset.clone(), observations) {
                releases.insert(asset.symbol.clone(), series);
            }
        }
        let mut issued = HashMap::new();
        for row in self.store.latest_forecasts(&self.settings.chain).await? {
            let entry = issued_from_row(&self.settings.chain, &row)?;
            issued.insert((entry.forecast.symbol.clone(), entry.forecast.timeframe), Arc::new(entry));
        }
        let covered = self.covered_slots(&issued).await?;
        let scheduled = self.store.head(&self.settings.chain).await?.is_some();
        let mut sheets = BTreeMap::new();
        for class in [AssetClass::Crypto, AssetClass::Stocks] {
            for base in [Timeframe::H1, Timeframe::D1] {
                let hours: Option<&Sheet> = sheets.get(&(class, Timeframe::H1));
                let hours_through = hours.and_then(|sheet| sheet.last_step);
                if let Some(assembled) = self.assemble_sheet(&assets, (class, base), now, None, hours_through).await? {
                    let model = self.readable_model(class, base, now).await?;
                    sheets.insert((class, base), Sheet::new(assembled, model));
                }
            }
        }
        let mut switches = Vec::new();
        {
            let mut desk = self.desk_mut();
            for (key, sheet) in &sheets {
                switches.extend(desk.sheets.get(key).into_iter().flat_map(|before| switched(*key, before, sheet)));
            }
            let backlog = Default::default();
            *desk = Desk { assets, sheets, releases, issued, covered, scheduled, backlog };
        }
        self.note_switches(switches).await;
        Ok(())
    }

    /// Assembles a panel anew as of an instant. It stands at the step where it stood: bars of later ones wait on.
    pub(crate) async fn assemble_anew(&self, key: SheetKey, as_of: Timestamp) -> Result<()> {
        let (class, base) = key;
        let (assets, is_there, through, hours_through) = {
            let desk = self.desk();
            let last_step = |key| desk.sheets.get(&key).and_then(|sheet| sheet.last_step);
            let is_there = desk.sheets.contains_key(&key);
            (Arc::clone(&desk.assets), is_there, last_step(key), last_step((class, Timeframe::H1)))
        };
        let started = std::time::Instant::now();
        let Some(assembled) = self.assemble_sheet(&assets, key, as_of, through, hours_through).await? else {
            self.desk_mut().backlog.read(key, Timestamp::MAX);
            return Ok(());
        };
        let model = if is_there { None } else { self.readable_model(class, base, as_of).await? };
        let mut switches = Vec::new();
        let closed = {
            let mut desk = self.desk_mut();
            let before = desk.sheets.remove(&key);
            let mut sheet = Sheet::new(assembled, model);
            if let Some(before) = before {
                switches.extend(switched(key, &before, &sheet));
                for known_at in before.waiting_known_at().filter(|known_at| *known_at > as_of) {
                    desk.backlog.add(key, known_at);
                }
                sheet.model = before.model;
            }
            desk.backlog.read(key, as_of);
            let closed = sheet.newest_closes();
            desk.sheets.insert(key, sheet);
            closed
        };
        debug!(%class, timeframe = %base, %as_of, took = ?started.elapsed(), "assembled a panel anew");
        self.note_switches(switches).await;
        for kind in closed {
            self.events.publish(kind);
        }
        Ok(())
    }

    /// What a class at a base timeframe is made of, where it is wanted and anything is stored.
    async fn assemble_sheet(
        &self,
        assets: &[Asset],
        key: SheetKey,
        now: Timestamp,
        through: Option<Timestamp>,
        hours_through: Option<Timestamp>,
    ) -> Result<Option<Assembled>> {
        let (class, base) = key;
        if !self.settings.classes.is_empty() && !self.settings.classes.contains(&class) {
            return Ok(None);
        }
        let walk = Walk { since_joined: self.settings.chain.origin() != Origin::Replay, through, hours_through };
        match assemble(&*self.store, assets, class, base, now, &walk, None).await {
            Ok(assembled) => Ok(Some(assembled)),
            Err(EngineError::NothingToTrain { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn note_switches(&self, switches: Vec<(String, Remark)>) {
        for (source, remark) in switches {
            info!(source, "{}: {}", source, remark.text);
            self.note(&source, &[remark]).await;
        }
    }

    /// Reads everything from the store anew, between two steps: after rows came past this engine.
    ///
    /// # Errors
    /// As [`Engine::open`]'s.
    pub async fn reload(&self) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        self.load().await?;
        self.tell_all();
        Ok(())
    }

    /// Tells everyone of every series anew, so that no answer made before stays.
    fn tell_all(&self) {
        let closed: Vec<EventKind> = self.desk().sheets.values().flat_map(Sheet::newest_closes).collect();
        for kind in closed {
            self.events.publish(kind);
        }
    }
}

/// The series of a sheet in which another source stands for an asset than before.
fn switched((_, base): SheetKey, before: &Sheet, after: &Sheet) -> Vec<(String, Remark)> {
    let switch = |line: &Line| {
        let (_, was) = before.line(&line.asset.symbol).filter(|(_, was)| was.key.source != line.key.source)?;
        let remark = Remark {
            kind: RemarkKind::Switched,
            symbol: Some(line.asset.symbol.clone()),
            timeframe: Some(base),
            from: line.tail.last().map(|bar| bar.open_time),
            to: None,
            text: format!("{} stands for it now, in the place of {}", line.key.source, was.key.source),
        };
        Some((line.key.source.clone(), remark))
    };
    after.lines.iter().filter_map(switch).collect()
}
