//! From the store to the desk: everything at the start, and single panels anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use market::{Asset, AssetClass, Origin, Remark, RemarkKind, Symbol, Timeframe};
use storage::SeriesInfo;
use tracing::{debug, info};

use crate::assemble::{Assembled, Walk, assemble};
use crate::desk::{Desk, Line, SHEETS, Sheet, SheetKey, readers};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::issue::issued_from_row;
use crate::release::Releases;

impl Engine {
    /// Reads everything from the store, once.
    pub(crate) async fn load(&self) -> Result<()> {
        let now = self.clock.now();
        let assets: Arc<[Asset]> = self.store.assets().await?.into();
        let releases = self.read_releases(&assets, now).await?;
        let mut issued = HashMap::new();
        for row in self.store.latest_forecasts(&self.settings.chain).await? {
            let entry = issued_from_row(&self.settings.chain, &row)?;
            issued.insert((entry.forecast.symbol.clone(), entry.forecast.timeframe), Arc::new(entry));
        }
        let covered = self.covered_slots(&issued).await?;
        let scheduled = self.store.head(&self.settings.chain).await?.is_some();
        let mut sheets = BTreeMap::new();
        for (class, base) in SHEETS {
            let hours: Option<&Sheet> = sheets.get(&(class, Timeframe::H1));
            let hours_through = hours.and_then(|sheet| sheet.last_step);
            if let Some(assembled) = self.assemble_sheet(&assets, (class, base), now, None, hours_through).await? {
                let model = self.readable_model(class, base, now).await?;
                sheets.insert((class, base), Sheet::new(assembled, model));
            }
        }
        let series = self.store.series().await?;
        *self.desk_mut() = Desk { assets, sheets, releases, issued, covered, scheduled, ..Desk::default() };
        self.expect_joining(&series, now);
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
            self.desk_mut().backlog.read(key, as_of);
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
                // What was there and became known later than this is read again when it counts.
                let held = before.waiting_known_at().chain(before.known_at);
                for known_at in held.filter(|known_at| *known_at > as_of) {
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

    /// Takes up what others put into the store, between two steps: assets, releases, models, and rows of any time. A panel
    /// whose next step can still be taken in time reads what that step may read, and the rest after it.
    ///
    /// # Errors
    /// As [`Engine::open`]'s.
    pub async fn reload(&self) -> Result<()> {
        let _one_at_a_time = self.stepping.lock().await;
        let now = self.clock.now();
        let assets: Arc<[Asset]> = self.store.assets().await?.into();
        let releases = self.read_releases(&assets, now).await?;
        let series = self.store.series().await?;
        {
            let mut desk = self.desk_mut();
            for key in SHEETS {
                desk.backlog.add(key, Timestamp::MIN);
                desk.backlog.add(key, now);
            }
            (desk.assets, desk.releases) = (assets, releases);
        }
        self.expect_joining(&series, now);
        for key in SHEETS {
            let as_of = self.desk().assembles_as_of(key, now);
            if let Some(as_of) = as_of {
                self.assemble_anew(key, as_of).await?;
            }
            let model = self.readable_model(key.0, key.1, now).await?;
            if let (Some(sheet), Some(model)) = (self.desk_mut().sheets.get_mut(&key), model) {
                sheet.model = Some(model);
            }
        }
        Ok(())
    }

    /// Remembers the series that have not joined yet, and when they will.
    fn expect_joining(&self, series: &[SeriesInfo], now: Timestamp) {
        let mut desk = self.desk_mut();
        for info in series {
            let asset = desk.assets.iter().find(|asset| asset.symbol == info.key.symbol);
            let (Some(asset), Some(joined_at)) = (asset, info.joined_at.filter(|at| *at > now)) else { continue };
            for reader in readers(asset, info.key.timeframe) {
                desk.backlog.add(*reader, joined_at);
            }
        }
    }

    async fn read_releases(&self, assets: &[Asset], now: Timestamp) -> Result<HashMap<Symbol, Releases>> {
        let mut releases = HashMap::new();
        for asset in assets.iter().filter(|asset| asset.class() == AssetClass::Macro) {
            let observations = self.store.observations(&asset.source_symbol, now).await?;
            if let Some(series) = Releases::new(asset.clone(), observations) {
                releases.insert(asset.symbol.clone(), series);
            }
        }
        Ok(releases)
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
