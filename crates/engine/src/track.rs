//! Track records: what the scores of the ledger amount to.

use std::collections::BTreeMap;

use forecast::score::{ScoredCase, adjusted_verdicts};
use jiff::Timestamp;
use market::{Adjustment, Asset, AssetClass, AssetKind, ChainId, Symbol, Timeframe};
use storage::{ScoreQuery, ScoreRow, Store};

use crate::engine::Engine;
use crate::error::Result;
use crate::issue::blocking;
use crate::views::{PooledRecord, ScoreboardRow, TrackRecord};

impl Engine {
    /// The scored cases of an asset on a timeframe one step ahead, over forecasts made at or after `since`, ascending by
    /// `as_of`. Prices stand in the terms of their target time.
    ///
    /// # Errors
    /// As the store's.
    pub async fn scored_cases(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        since: Option<Timestamp>,
    ) -> Result<Vec<ScoreRow>> {
        let query = ScoreQuery {
            symbol: Some(symbol.clone()),
            timeframe: Some(timeframe),
            horizon: Some(1),
            from: since,
            ..ScoreQuery::default()
        };
        Ok(self.store.scores(&self.settings.chain, &query).await?)
    }

    /// The track record of an asset on a timeframe one step ahead, over forecasts made at or after `since`.
    ///
    /// # Errors
    /// As the store's.
    pub async fn track_record(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        since: Option<Timestamp>,
    ) -> Result<TrackRecord> {
        let rows = self.scored_cases(symbol, timeframe, since).await?;
        blocking("sum up a track record", move || {
            let cases: Vec<ScoredCase<'_>> = rows.iter().map(case).collect();
            let summary = forecast::score::TrackRecord::of(&cases, 1);
            let n_hits = rows.iter().filter(|row| row.score.hit == Some(true)).count();
            Ok(TrackRecord { rows, n_hits, summary })
        })
        .await
    }

    /// All classes, timeframes and horizons with scores of forecasts made at or after `since`, each pooled over its assets;
    /// stablecoins stand outside. [`scoreboard`] says which of them one may rely on.
    ///
    /// # Errors
    /// As the store's.
    pub async fn pooled_records(&self, since: Option<Timestamp>) -> Result<Vec<PooledRecord>> {
        let wanted = Wanted { since, ..Wanted::default() };
        pooled_records_of(&*self.store, &self.settings.chain, &self.assets(), &wanted).await
    }

    /// How the bars behind a timeframe of an asset are stored; `None` while there are none, and for a macro series.
    #[must_use]
    pub fn stored_adjustment(&self, symbol: &Symbol, timeframe: Timeframe) -> Option<Adjustment> {
        self.desk().line(symbol, timeframe).map(|(_, _, line)| line.key.adjustment)
    }
}

/// The scoreboard of a stored chain; see [`Engine::pooled_records`] and [`scoreboard`].
///
/// # Errors
/// As the store's.
pub async fn scoreboard_of(
    store: &dyn Store,
    chain: &ChainId,
    assets: &[Asset],
    wanted: &Wanted,
) -> Result<Vec<ScoreboardRow>> {
    let records = pooled_records_of(store, chain, assets, wanted).await?;
    Ok(scoreboard(&records, wanted.class, wanted.timeframe))
}

/// Which scores go into a scoreboard; all that are not excluded.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only this asset: its own track record, horizon by horizon.
    pub symbol: Option<Symbol>,
    /// Only this class.
    pub class: Option<AssetClass>,
    /// Only this timeframe.
    pub timeframe: Option<Timeframe>,
    /// Only forecasts made at or after this.
    pub since: Option<Timestamp>,
}

/// The lines of a class and timeframe (all when absent), in their order, with verdicts that are adjusted for their number
/// (Benjamini–Hochberg).
#[must_use]
pub fn scoreboard(
    records: &[PooledRecord],
    class: Option<AssetClass>,
    timeframe: Option<Timeframe>,
) -> Vec<ScoreboardRow> {
    let wanted = |record: &&PooledRecord| {
        class.is_none_or(|class| record.asset_class == class)
            && timeframe.is_none_or(|timeframe| record.timeframe == timeframe)
    };
    let lines: Vec<&PooledRecord> = records.iter().filter(wanted).collect();
    let verdicts = adjusted_verdicts(&lines.iter().map(|line| &line.summary).collect::<Vec<_>>());
    let rows = lines.into_iter().zip(verdicts).map(|(line, (adjusted_p_value, verdict))| ScoreboardRow {
        asset_class: line.asset_class,
        timeframe: line.timeframe,
        horizon: line.summary.horizon,
        n_assets: line.summary.n_assets,
        adjusted_p_value,
        verdict,
        summary: line.summary.clone(),
    });
    rows.collect()
}

async fn pooled_records_of(
    store: &dyn Store,
    chain: &ChainId,
    assets: &[Asset],
    wanted: &Wanted,
) -> Result<Vec<PooledRecord>> {
    let Wanted { symbol, class, timeframe, since } = wanted.clone();
    let query = ScoreQuery { symbol, timeframe, from: since, ..ScoreQuery::default() };
    let rows = store.scores(chain, &query).await?;
    let pooled: BTreeMap<Symbol, AssetClass> = assets
        .iter()
        .filter(|asset| asset.kind != AssetKind::Stable && class.is_none_or(|class| asset.class() == class))
        .map(|asset| (asset.symbol.clone(), asset.class()))
        .collect();
    blocking("sum up a ledger's scores", move || {
        let mut lines: BTreeMap<(AssetClass, Timeframe, u32), Vec<ScoredCase<'_>>> = BTreeMap::new();
        for row in &rows {
            if let Some(&class) = pooled.get(&row.symbol) {
                lines.entry((class, row.timeframe, row.horizon)).or_default().push(case(row));
            }
        }
        let records = lines.into_iter().map(|((asset_class, timeframe, horizon), cases)| PooledRecord {
            asset_class,
            timeframe,
            summary: forecast::score::TrackRecord::of(&cases, horizon),
        });
        Ok(records.collect())
    })
    .await
}

fn case(row: &ScoreRow) -> ScoredCase<'_> {
    ScoredCase { symbol: &row.symbol, as_of: row.as_of, score: &row.score }
}
