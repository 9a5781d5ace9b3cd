//! Forecasts are scored: once, at maturity, against a closed bar.

use forecast::score::score_case;
use jiff::Timestamp;
use market::forecast::DIRECTION_RULE;
use market::{AssetClass, AssetKind, Bar, Forecast, Hash, HorizonForecast, Score};
use storage::{BarQuery, Draft, DueOutcome, EventKind, Index};

use crate::body::{Body, EntryRef, OutcomeBody, ScoresBody, VoidBody};
use crate::engine::Engine;
use crate::error::Result;
use crate::issue::issued_from_row;
use crate::views::Issued;

/// At most so many forecasts are resolved in one transaction.
const BATCH: u32 = 5000;

/// What a target is judged by.
struct Actual {
    /// The close or value.
    price: f64,
    /// What the reference price is multiplied by to stand in the same terms.
    reference_factor: f64,
    /// Hash of the bar or vintage.
    hash: Hash,
}

impl Engine {
    /// Scores what has matured and has its bar; gives the numbers of horizons scored and voided.
    pub(crate) async fn resolve_due(&self, now: Timestamp) -> Result<(usize, usize)> {
        let chain = &self.settings.chain;
        let due = self.store.due_outcomes(chain, now, BATCH).await?;
        let mut drafts = Vec::new();
        let mut scored = Vec::new();
        for due in &due {
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
            } else if now > target_time + self.void_after(forecast.asset_class) {
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

    /// A release can be months late (a shutdown of the agency); a bar cannot.
    fn void_after(&self, class: AssetClass) -> jiff::SignedDuration {
        match class {
            AssetClass::Macro => self.settings.void_after * 60,
            _ => self.settings.void_after,
        }
    }

    /// The bar that closed at the target, or the first release of the period; `None` while there is none.
    async fn actual(&self, forecast: &Forecast, at: &HorizonForecast, now: Timestamp) -> Result<Option<Actual>> {
        let close_time = at.target_time;
        let query = {
            let desk = self.desk();
            if let Some(releases) = desk.releases.get(&forecast.symbol) {
                let release = releases.first_release(forecast.as_of, at.horizon, now);
                return Ok(release.map(|(price, hash)| Actual { price, reference_factor: 1.0, hash }));
            }
            let Some((_, _, line)) = desk.line(&forecast.symbol, forecast.timeframe) else { return Ok(None) };
            if let Some(bar) = line.bar_closed_at(close_time) {
                let factor = match line.key.adjustment {
                    market::Adjustment::Raw => {
                        market::adjustment::split_factor(&line.actions, forecast.as_of, close_time)
                    }
                    _ => 1.0,
                };
                return Ok(Some(Actual { price: bar.close, reference_factor: factor, hash: bar_hash(bar) }));
            }
            if line.tail.first().is_none_or(|first| first.close_time < close_time) {
                return Ok(None);
            }
            line.key.clone()
        };
        // Older than what is in memory: a long time has passed since the last step.
        let from = close_time - query.timeframe.nominal() * 5;
        let bars = BarQuery { key: &query, as_of: now, from: Some(from), to: Some(close_time), last: None };
        let bars = self.store.bars(&bars).await?;
        let Some(bar) = bars.iter().find(|bar| bar.close_time == close_time) else { return Ok(None) };
        let actions = self.store.actions(&forecast.symbol, now).await?;
        let factor = market::adjustment::split_factor(&actions, forecast.as_of, close_time);
        let raw = query.adjustment == market::Adjustment::Raw;
        Ok(Some(Actual { price: bar.close, reference_factor: if raw { factor } else { 1.0 }, hash: bar_hash(bar) }))
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
        let reference_price = forecast.reference_price * actual.reference_factor;
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
