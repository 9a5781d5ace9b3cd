//! Track records: what the scores of the ledger amount to.

use std::collections::BTreeMap;

use forecast::score::{ScoredCase, benjamini_hochberg, verdict};
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
        pooled_records_of(&*self.store, &self.settings.chain, &self.assets(), None, None, since).await
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
    class: Option<AssetClass>,
    timeframe: Option<Timeframe>,
    since: Option<Timestamp>,
) -> Result<Vec<ScoreboardRow>> {
    Ok(scoreboard(&pooled_records_of(store, chain, assets, class, timeframe, since).await?, class, timeframe))
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
    let p_values: Vec<f64> = lines.iter().filter_map(|line| line.summary.p_value()).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    let rows = lines.into_iter().map(|line| {
        let summary = line.summary.clone();
        let adjusted_p_value = summary.p_value().and_then(|_| adjusted.next());
        ScoreboardRow {
            asset_class: line.asset_class,
            timeframe: line.timeframe,
            horizon: summary.horizon,
            n_assets: summary.n_assets,
            adjusted_p_value,
            verdict: verdict(summary.n, summary.diebold_mariano.as_ref(), adjusted_p_value),
            summary,
        }
    });
    rows.collect()
}

async fn pooled_records_of(
    store: &dyn Store,
    chain: &ChainId,
    assets: &[Asset],
    class: Option<AssetClass>,
    timeframe: Option<Timeframe>,
    since: Option<Timestamp>,
) -> Result<Vec<PooledRecord>> {
    let query = ScoreQuery { timeframe, from: since, ..ScoreQuery::default() };
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
