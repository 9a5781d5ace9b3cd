//! Forecasts are scored: once, at maturity, against a closed bar.

use forecast::score::score_case;
use jiff::Timestamp;
use market::forecast::DIRECTION_RULE;
use market::{Action, ActionKind, Adjustment, AssetKind, Bar, Forecast, Hash, HorizonForecast, Score};
use storage::{BarQuery, Draft, DueOutcome, EventKind, Index, SeriesKey};

use crate::assemble::natural_view;
use crate::body::{Body, EntryRef, OutcomeBody, ScoresBody, VoidBody};
use crate::engine::Engine;
use crate::error::Result;
use crate::issue::issued_from_row;
use crate::ledger::MAX_OPEN;
use crate::views::Issued;

/// At most so many forecasts are read, and resolved in one transaction.
const BATCH: u32 = 5000;

/// What a target is judged by.
struct Actual {
    /// The close or value.
    price: f64,
    /// The price the forecast started from, in the same terms.
    reference_price: f64,
    /// Hash of the bar or vintage.
    hash: Hash,
}

impl Engine {
    /// Scores what has matured and has its bar; gives the numbers of horizons scored and voided.
    pub(crate) async fn resolve_due(&self, now: Timestamp) -> Result<(usize, usize)> {
        let (mut scored, mut voided) = (0, 0);
        let mut after_seq = None;
        loop {
            // Those that wait for a bar must not keep later ones from their turn.
            let due = self.store.due_outcomes(&self.settings.chain, now, after_seq, BATCH).await?;
            let done = self.resolve_batch(&due, now).await?;
            (scored, voided) = (scored + done.0, voided + done.1);
            match due.last() {
                Some(last) if due.len() == BATCH as usize => after_seq = Some(last.forecast.entry.seq),
                _ => return Ok((scored, voided)),
            }
        }
    }

    async fn resolve_batch(&self, due: &[DueOutcome], now: Timestamp) -> Result<(usize, usize)> {
        let chain = &self.settings.chain;
        let mut drafts = Vec::new();
        let mut scored = Vec::new();
        for due in due {
            let issued = issued_from_row(chain, &due.forecast)?;
            let before = drafts.len();
            self.resolve_forecast(&issued, due, now, &mut drafts).await?;
            if drafts.len() > before {
                scored.push(issued);
            }
        }
        if drafts.is_empty() {
            return Ok((0, 0));
        }
        self.store.append(chain, &drafts).await?;
        for issued in scored {
            let Forecast { symbol, timeframe, .. } = issued.forecast;
            self.events.publish(EventKind::Scored { symbol, timeframe, forecast_seq: issued.seq });
        }
        let voided = drafts.iter().filter(|draft| matches!(draft.index, Index::Void { .. })).count();
        Ok((drafts.len() - voided, voided))
    }

    async fn resolve_forecast(
        &self,
        issued: &Issued,
        due: &DueOutcome,
        now: Timestamp,
        drafts: &mut Vec<Draft>,
    ) -> Result<()> {
        let forecast = &issued.forecast;
        let reference = EntryRef { seq: issued.seq, hash: issued.hash.to_string() };
        for &(horizon, target_time) in &due.due {
            let Some(at) = forecast.horizons.iter().find(|h| h.horizon == horizon) else { continue };
            if let Some(actual) = self.actual(forecast, at, now).await? {
                drafts.push(self.outcome(issued, reference.clone(), at, &actual, now));
            } else if self.has_gone_on(forecast, at) {
                let body = Body::Void(VoidBody {
                    recorded_at: now,
                    forecast: reference.clone(),
                    horizon,
                    target_time,
                    reason: "no closed bar came to judge it by".to_owned(),
                });
                let index = Index::Void { forecast_seq: issued.seq, horizon };
                drafts.push(Draft { recorded_at: now, body: body.to_json(), index });
            }
        }
        Ok(())
    }

    /// Whether the series has gone on so long past the target without its bar that none will come, or has ended. A home
    /// that was away is no reason: what it missed may still be brought.
    fn has_gone_on(&self, forecast: &Forecast, at: &HorizonForecast) -> bool {
        let desk = self.desk();
        if let Some(releases) = desk.releases.get(&forecast.symbol) {
            return releases.has_gone_on(forecast.as_of, at.horizon);
        }
        let Some((_, _, line)) = desk.line(&forecast.symbol, forecast.timeframe) else { return false };
        let left = |action: &Action| matches!(action.kind, ActionKind::Delisting | ActionKind::Rename { .. });
        let newest = line.tail.last().map(|bar| bar.close_time);
        // However long a home likes to wait, its ledger must not leave a horizon open for ever.
        let wait = self.settings.void_after.min(MAX_OPEN);
        newest.is_some_and(|newest| newest > at.target_time + wait)
            || line.actions.iter().any(|action| left(action) && action.effective_at() < at.target_time)
    }

    /// The bar that closed at the target, or the first release of the period; `None` while there is none.
    async fn actual(&self, forecast: &Forecast, at: &HorizonForecast, now: Timestamp) -> Result<Option<Actual>> {
        {
            let desk = self.desk();
            if let Some(releases) = desk.releases.get(&forecast.symbol) {
                let release = releases.first_release(forecast.as_of, at.horizon, now);
                return Ok(release.map(|(price, hash)| Actual {
                    price,
                    reference_price: forecast.reference_price,
                    hash,
                }));
            }
            if let Some((_, _, line)) = desk.line(&forecast.symbol, forecast.timeframe)
                && line.key.source == forecast.data_source
                && line.adjustment == forecast.adjustment
                && line.tail.first().is_some_and(|first| first.close_time <= forecast.as_of)
            {
                let [before, bar] = [forecast.as_of, at.target_time].map(|close| line.bar_closed_at(close));
                return Ok(judged(forecast, &line.key, before, bar, &line.actions));
            }
        }
        // Older than what is in memory, or of a series that another stands in front of now.
        let class = forecast.asset_class;
        let series = self.store.series().await?;
        let key = series.into_iter().map(|info| info.key).find(|key| {
            key.symbol == forecast.symbol
                && key.timeframe == forecast.timeframe.base()
                && key.source == forecast.data_source
                && natural_view(key, class) == forecast.adjustment
        });
        let Some(key) = key else { return Ok(None) };
        let actions = self.store.actions(&forecast.symbol, now).await?;
        let before = self.bar_closed_at(&key, forecast.as_of, now).await?;
        let bar = self.bar_closed_at(&key, at.target_time, now).await?;
        Ok(judged(forecast, &key, before.as_ref(), bar.as_ref(), &actions))
    }

    async fn bar_closed_at(&self, key: &SeriesKey, close_time: Timestamp, now: Timestamp) -> Result<Option<Bar>> {
        let from = close_time - key.timeframe.nominal() * 5;
        let query = BarQuery { key, as_of: now, from: Some(from), to: Some(close_time), last: None };
        Ok(self.store.bars(&query).await?.into_iter().find(|bar| bar.close_time == close_time))
    }

    fn outcome(
        &self,
        issued: &Issued,
        reference: EntryRef,
        at: &HorizonForecast,
        actual: &Actual,
        now: Timestamp,
    ) -> Draft {
        let forecast = &issued.forecast;
        let kind = self.asset(&forecast.symbol).map_or(AssetKind::Coin, |asset| asset.kind);
        let reference_price = actual.reference_price;
        let change = forecast.unit.between(reference_price, actual.price);
        let score: Score = score_case(at, reference_price, change, kind);
        let body = Body::Outcome(OutcomeBody {
            recorded_at: now,
            forecast: reference,
            symbol: forecast.symbol.to_string(),
            timeframe: forecast.timeframe.to_string(),
            horizon: at.horizon,
            as_of: forecast.as_of,
            target_time: at.target_time,
            reference_price,
            price: actual.price,
            change,
            scores: ScoresBody::from(&score),
            rule: DIRECTION_RULE.to_owned(),
            bar_hash: actual.hash.to_string(),
        });
        let index = Index::Outcome { forecast_seq: issued.seq, horizon: at.horizon, price: actual.price, score };
        Draft { recorded_at: now, body: body.to_json(), index }
    }
}

/// What a target's bar says, in its own terms: splits since are applied to a raw price; an adjusted series may have been
/// re-based since, so that the start is read from it again.
fn judged(
    forecast: &Forecast,
    key: &SeriesKey,
    before: Option<&Bar>,
    bar: Option<&Bar>,
    actions: &[Action],
) -> Option<Actual> {
    let bar = bar?;
    let split = market::adjustment::split_factor(actions, forecast.as_of, bar.close_time);
    let reference_price = match key.adjustment {
        Adjustment::Raw => forecast.reference_price * split,
        Adjustment::Split | Adjustment::TotalReturn => before?.close,
    };
    Some(Actual { price: bar.close, reference_price, hash: bar_hash(bar) })
}

/// SHA-256 over a bar's little-endian columns: `open_time` and `close_time` in microseconds, open, high, low, close, volume.
pub(crate) fn bar_hash(bar: &Bar) -> Hash {
    let mut bytes = Vec::with_capacity(56);
    for time in [bar.open_time, bar.close_time] {
        bytes.extend(time.as_microsecond().to_le_bytes());
    }
    for value in [bar.open, bar.high, bar.low, bar.close, bar.volume] {
        bytes.extend(value.to_le_bytes());
    }
    Hash::of(&bytes)
}
