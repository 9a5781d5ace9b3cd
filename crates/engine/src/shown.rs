//! What the engine shows of what it holds: prices, bars, forecasts in force, and how it is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetClass, AssetKind, Bar, Calendar, Forecast, Symbol, Timeframe};
use storage::{BarQuery, EntryQuery};

use crate::desk::{Desk, Line, Sheet};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::issue::issued_from_row;
use crate::release::Releases;
use crate::resample::resample;
use crate::views::{
    BarsAnswer, BarsRequest, ChangeBasis, Health, Issued, NoForecast, Quote, ServedModel, SourceStatus, Status,
};

impl Engine {
    /// The timeframes an asset is forecast on: those of its class; of a macro series its release period alone; none for
    /// an index or an unknown symbol.
    #[must_use]
    pub fn forecast_timeframes(&self, symbol: &Symbol) -> Vec<Timeframe> {
        let desk = self.desk();
        desk.asset(symbol).map(|asset| forecast_timeframes(&desk, asset)).unwrap_or_default()
    }

    /// The timeframe an asset is asked about when none is named: one day; for a macro series its release period.
    #[must_use]
    pub fn default_timeframe(&self, symbol: &Symbol) -> Timeframe {
        let desk = self.desk();
        desk.releases.get(symbol).map_or(Timeframe::D1, Releases::timeframe)
    }

    /// The newest price of an asset, or the newest value of a macro series.
    #[must_use]
    pub fn quote(&self, symbol: &Symbol) -> Option<Quote> {
        let now = self.clock.now();
        let desk = self.desk();
        if let Some(releases) = desk.releases.get(symbol) {
            return releases.quote(now);
        }
        let (sheet, line) = desk.freshest(symbol)?;
        let last = line.tail.last()?;
        let tick = self.tick(symbol).filter(|tick| tick.event_time > last.close_time);
        let (price, event_time) = tick.map_or((last.close, last.close_time), |tick| (tick.price, tick.event_time));
        let class = line.asset.class();
        let base = sheet.panel.base();
        let (basis, before) = change_reference(&desk, line, class, event_time);
        let due = Calendar::of(class).bar_closing_after(base, last.close_time)?.close_time;
        Some(Quote {
            price,
            event_time,
            change_24h: before.map(|before| 100.0 * (price / before - 1.0)),
            change_basis: basis,
            volume: volume(&desk, line, class, event_time),
            data_source: line.key.source.clone(),
            stale: now > due.max(event_time) + self.settings.stale_after,
        })
    }

    /// The newest forecast of an asset on a timeframe, from memory.
    ///
    /// # Errors
    /// When there is none to show, with the reason.
    pub fn issued(&self, symbol: &Symbol, timeframe: Timeframe) -> Result<Arc<Issued>, NoForecast> {
        let desk = self.desk();
        if let Some(issued) = desk.issued.get(&(symbol.clone(), timeframe)) {
            return Ok(Arc::clone(issued));
        }
        let reason = match desk.asset(symbol) {
            None => format!("{symbol} is not in the universe"),
            Some(asset) if asset.class() == AssetClass::Macro && !desk.releases.contains_key(symbol) => {
                format!("no values of {symbol} are stored")
            }
            Some(asset) if asset.class() != AssetClass::Macro && desk.line(symbol, timeframe).is_none() => {
                format!("no {} bars of {symbol} are stored", timeframe.base())
            }
            Some(_) => {
                format!("no {timeframe} forecast of {symbol} has been issued yet: the first is due at the next close")
            }
        };
        let now = self.clock.now();
        let next = desk
            .asset(symbol)
            .and_then(|asset| Calendar::of(asset.class()).bar_closing_after(timeframe, now))
            .map_or(SignedDuration::from_mins(1), |span| span.close_time.duration_since(now));
        Err(NoForecast { reason, retry_after: next.max(SignedDuration::from_secs(1)) })
    }

    /// Whether a newer forecast should have been issued by now.
    #[must_use]
    pub fn is_stale(&self, forecast: &Forecast) -> bool {
        let now = self.clock.now();
        match forecast.asset_class {
            AssetClass::Macro => forecast.horizons.first().is_none_or(|first| first.target_time < now),
            class => Calendar::of(class)
                .bar_closing_after(forecast.timeframe, forecast.as_of)
                .is_none_or(|next| now > next.close_time + forecast.timeframe.grace(class) + self.settings.stale_after),
        }
    }

    /// The forecast that was current at an instant.
    ///
    /// # Errors
    /// As the store's.
    pub async fn issued_at(&self, symbol: &Symbol, timeframe: Timeframe, as_of: Timestamp) -> Result<Option<Issued>> {
        let query = EntryQuery {
            kind: Some("forecast"),
            symbol: Some(symbol.clone()),
            timeframe: Some(timeframe),
            as_of_through: Some(as_of),
            newest_first: true,
            // The newest one or two may have been issued a little later than asked.
            limit: 8,
            ..EntryQuery::default()
        };
        let rows = self.store.entries(&self.settings.chain, &query).await?;
        let current = rows.iter().find(|row| row.recorded_at <= as_of);
        current.map(|row| issued_from_row(&self.settings.chain, row)).transpose()
    }

    /// The last bars in memory, at most `n`, ascending, splits removed; for a macro series one flat bar a period.
    #[must_use]
    pub fn recent_bars(&self, symbol: &Symbol, timeframe: Timeframe, n: usize) -> Vec<Bar> {
        let desk = self.desk();
        if let Some(releases) = desk.releases.get(symbol) {
            return releases.bars(n);
        }
        let Some((_, _, line)) = desk.line(symbol, timeframe) else { return Vec::new() };
        let mut bars = match timeframe == line.key.timeframe {
            true => line.tail[line.tail.len().saturating_sub(n)..].to_vec(),
            false => line.tail.clone(),
        };
        let viewed =
            market::adjustment::view(&mut bars, line.key.adjustment, line.adjustment, &line.actions, self.clock.now());
        debug_assert!(viewed.is_ok(), "the natural view can always be derived");
        if timeframe != line.key.timeframe {
            bars = resample(Calendar::of(line.asset.class()), timeframe, &bars);
            bars.drain(..bars.len().saturating_sub(n));
        }
        bars
    }

    /// Stored bars.
    ///
    /// # Errors
    /// [`EngineError::UnknownSymbol`], [`EngineError::NoBars`], [`EngineError::View`], and the store's.
    pub async fn bars(&self, request: &BarsRequest) -> Result<BarsAnswer> {
        let asset = self.asset(&request.symbol);
        let asset = asset.ok_or_else(|| EngineError::UnknownSymbol { symbol: request.symbol.clone() })?;
        let as_of = request.as_of.unwrap_or_else(|| self.clock.now());
        let missing = || EngineError::NoBars { symbol: request.symbol.clone(), timeframe: request.timeframe };
        if asset.class() == AssetClass::Macro {
            let observations = self.store.observations(&asset.source_symbol, as_of).await?;
            let releases = Releases::new(asset, observations).ok_or_else(missing)?;
            let from = request.from.unwrap_or(Timestamp::MIN);
            let to = request.to.unwrap_or(Timestamp::MAX);
            let mut bars = releases.bars(usize::MAX);
            bars.retain(|bar| bar.open_time >= from && bar.open_time < to);
            bars.drain(..bars.len().saturating_sub(request.limit as usize));
            return Ok(BarsAnswer { bars, adjustment: market::Adjustment::Raw, data_source: "vintages".to_owned() });
        }
        let series = self.store.series().await?;
        let stored = |timeframe| crate::ingest::primary(&series, &request.symbol, timeframe, as_of);
        let info = stored(request.timeframe).or_else(|| stored(request.timeframe.base())).ok_or_else(missing)?;
        let derived = info.key.timeframe != request.timeframe;
        let last = (!derived && request.from.is_none()).then_some(request.limit);
        let query = BarQuery { key: &info.key, as_of, from: request.from, to: request.to, last };
        let mut bars = self.store.bars(&query).await?;
        let actions = self.store.actions(&request.symbol, as_of).await?;
        let natural = crate::assemble::Column {
            asset: asset.clone(),
            key: info.key.clone(),
            bars: Vec::new(),
            actions: Vec::new(),
        };
        let wanted = request.adjustment.unwrap_or_else(|| natural.adjustment());
        if asset.class() == AssetClass::Stocks {
            market::adjustment::view(&mut bars, info.key.adjustment, wanted, &actions, as_of)?;
        }
        if derived {
            bars = resample(Calendar::of(asset.class()), request.timeframe, &bars);
        }
        bars.drain(..bars.len().saturating_sub(request.limit as usize));
        Ok(BarsAnswer { bars, adjustment: wanted, data_source: info.key.source.clone() })
    }

    /// What an empty home is waiting for, or what to do about it.
    fn first_run(&self) -> String {
        let import = "import some with `auspex import bars PATH`, or see it all at once with `auspex demo`";
        match self.sources.statuses().as_slice() {
            [] => format!("no bars are stored yet: {import}"),
            sources if sources.iter().all(|source| source.health == Health::Unhealthy) => {
                format!("no bars are stored yet, and no source can be reached: {import}")
            }
            _ => "no bars are stored yet: the sources are being asked for their history".to_owned(),
        }
    }

    /// What the home holds and whether it works, from state already known.
    #[must_use]
    pub fn status(&self) -> Status {
        let detail = self.database.lock().expect("no holder of this lock can panic").clone();
        let now = self.clock.now();
        let desk = self.desk();
        let models = desk.sheets.iter().map(|(&(asset_class, timeframe), sheet)| served(asset_class, timeframe, sheet));
        Status {
            database: if detail.is_none() { Health::Healthy } else { Health::Unhealthy },
            database_detail: detail,
            models: models.collect(),
            sources: source_statuses(&desk, self.sources.statuses(), now, self.settings.stale_after),
            first_run: (desk.sheets.is_empty() && desk.releases.is_empty()).then(|| self.first_run()),
            started_at: self.started_at,
            jobs: self.jobs.counts(),
        }
    }
}

/// See [`Engine::forecast_timeframes`].
pub(crate) fn forecast_timeframes(desk: &Desk, asset: &Asset) -> Vec<Timeframe> {
    match asset.class() {
        AssetClass::Macro => desk.releases.get(&asset.symbol).map(Releases::timeframe).into_iter().collect(),
        _ if asset.kind == AssetKind::Index => Vec::new(),
        class => Timeframe::forecast_for(class).to_vec(),
    }
}

/// The price a change is measured against: 24 hours before (coins), the close of the session before (stocks).
fn change_reference(desk: &Desk, line: &Line, class: AssetClass, at: Timestamp) -> (ChangeBasis, Option<f64>) {
    let close_by = |line: &Line, instant: Timestamp, reach: SignedDuration| {
        let upto = line.tail.partition_point(|bar| bar.close_time <= instant);
        let bar = line.tail[..upto].last()?;
        let factor = market::adjustment::split_factor(&line.actions, bar.close_time, at);
        (instant.duration_since(bar.close_time) <= reach).then_some(bar.close * factor)
    };
    match class {
        AssetClass::Crypto => {
            let hours = SignedDuration::from_hours(1);
            (ChangeBasis::Rolling24h, close_by(line, at - SignedDuration::from_hours(24), hours))
        }
        _ => {
            let session = Calendar::Nyse.last_closed_bar(Timeframe::D1, at);
            // At or after today's close the change is today's, against the close before.
            let today = Calendar::Nyse.trading_date(at);
            let before = session.and_then(|session| {
                let same_day = Calendar::Nyse.trading_date(session.open_time) == today || session.close_time == at;
                match same_day {
                    true => Calendar::Nyse.last_closed_bar(Timeframe::D1, session.open_time),
                    false => Some(session),
                }
            });
            let days = desk.sheets.get(&(class, Timeframe::D1)).and_then(|sheet| sheet.line(&line.asset.symbol));
            let line = days.map_or(line, |(_, line)| line);
            (ChangeBasis::PreviousClose, before.and_then(|b| close_by(line, b.close_time, SignedDuration::ZERO)))
        }
    }
}

/// Volume of the last 24 hours (coins) or of the last session (stocks); `None` where its bars are not all there.
fn volume(desk: &Desk, line: &Line, class: AssetClass, at: Timestamp) -> Option<f64> {
    if class == AssetClass::Crypto && line.key.timeframe == Timeframe::H1 {
        let from = at - SignedDuration::from_hours(25);
        let bars = line.tail.iter().rev().take_while(|bar| bar.close_time > from).take(24);
        let (n, sum) = bars.fold((0, 0.0), |(n, sum), bar| (n + 1, sum + bar.volume));
        return (n == 24).then_some(sum);
    }
    let days = desk.sheets.get(&(class, Timeframe::D1))?.line(&line.asset.symbol)?.1;
    days.tail.last().map(|bar| bar.volume)
}

fn served(asset_class: AssetClass, timeframe: Timeframe, sheet: &Sheet) -> ServedModel {
    let model = sheet.model.as_ref();
    ServedModel {
        asset_class,
        timeframe,
        model_id: model.filter(|model| model.promoted).map(|model| model.id.clone()),
        trained_at: model.map(|model| model.trained_at),
        trained_through: model.map(|model| model.trained_through),
        reason: model.map_or_else(|| "not trained yet: the naive baseline is served".to_owned(), |m| m.reason.clone()),
    }
}

/// The sources whose bars are shown, and those that are followed; what a followed one said of itself comes first.
fn source_statuses(
    desk: &Desk,
    mut followed: Vec<SourceStatus>,
    now: Timestamp,
    stale_after: SignedDuration,
) -> Vec<SourceStatus> {
    let mut newest: std::collections::BTreeMap<&str, (Timestamp, bool)> = std::collections::BTreeMap::new();
    for sheet in desk.sheets.values() {
        let calendar = Calendar::of(sheet.panel.class());
        for line in &sheet.lines {
            let Some(last) = line.tail.last() else { continue };
            let due = calendar.bar_closing_after(sheet.panel.base(), last.close_time);
            let late = due.is_none_or(|due| now > due.close_time + stale_after);
            let state = newest.entry(&line.key.source).or_insert((last.close_time, late));
            *state = (state.0.max(last.close_time), state.1 && late);
        }
    }
    for (source, (last_event, late)) in newest {
        let status = followed.iter_mut().find(|status| status.source == source);
        let detail = "no closed bar came when one was due".to_owned();
        match status {
            Some(status) if late && status.health == Health::Healthy => {
                (status.health, status.detail) = (Health::Degraded, detail);
            }
            Some(status) => status.last_event = status.last_event.max(Some(last_event)),
            None => followed.push(SourceStatus {
                source: source.to_owned(),
                health: if late { Health::Degraded } else { Health::Healthy },
                last_event: Some(last_event),
                detail: if late { detail } else { "delivering".to_owned() },
            }),
        }
    }
    followed
}
