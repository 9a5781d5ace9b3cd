//! Track records: what the scores of the ledger amount to.

use std::collections::BTreeMap;

use forecast::score::{Group, ScoredCase, scoreboard};
use jiff::Timestamp;
use market::{Asset, AssetClass, AssetKind, ChainId, Symbol, Timeframe};
use storage::{ScoreQuery, ScoreRow, Store};

use crate::engine::Engine;
use crate::error::Result;
use crate::views::{ScoreboardRow, TrackRecord};

impl Engine {
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
        let query = ScoreQuery {
            symbol: Some(symbol.clone()),
            timeframe: Some(timeframe),
            horizon: Some(1),
            from: since,
            ..ScoreQuery::default()
        };
        let rows = self.store.scores(&self.settings.chain, &query).await?;
        let cases: Vec<ScoredCase<'_>> = rows.iter().map(case).collect();
        let summary = forecast::score::TrackRecord::of(&cases, 1);
        Ok(TrackRecord { rows, summary })
    }

    /// All classes, timeframes and horizons with scores, each pooled over its assets; stablecoins stand outside.
    ///
    /// The verdicts are adjusted for the number of lines (Benjamini–Hochberg).
    ///
    /// # Errors
    /// As the store's.
    pub async fn scoreboard(
        &self,
        class: Option<AssetClass>,
        timeframe: Option<Timeframe>,
        since: Option<Timestamp>,
    ) -> Result<Vec<ScoreboardRow>> {
        scoreboard_of(&*self.store, &self.settings.chain, &self.assets(), class, timeframe, since).await
    }
}

/// The scoreboard of a stored chain; see [`Engine::scoreboard`].
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
    let query = ScoreQuery { timeframe, from: since, ..ScoreQuery::default() };
    let rows = store.scores(chain, &query).await?;
    let pooled: BTreeMap<&Symbol, AssetClass> = assets
        .iter()
        .filter(|asset| asset.kind != AssetKind::Stable)
        .map(|asset| (&asset.symbol, asset.class()))
        .collect();
    let mut lines: BTreeMap<(AssetClass, Timeframe, u32), Vec<ScoredCase<'_>>> = BTreeMap::new();
    for row in &rows {
        let Some(&of) = pooled.get(&row.symbol) else { continue };
        if class.is_none_or(|wanted| wanted == of) {
            lines.entry((of, row.timeframe, row.horizon)).or_default().push(case(row));
        }
    }
    let keys: Vec<_> = lines.keys().copied().collect();
    let groups: Vec<Group<'_>> = lines.into_iter().map(|((_, _, horizon), cases)| Group { horizon, cases }).collect();
    let board = keys.into_iter().zip(scoreboard(&groups));
    Ok(board
        .map(|((asset_class, timeframe, horizon), line)| ScoreboardRow {
            asset_class,
            timeframe,
            horizon,
            n_assets: line.summary.n_assets,
            summary: line.summary,
            adjusted_p_value: line.adjusted_p_value,
            verdict: line.verdict,
        })
        .collect())
}

fn case(row: &ScoreRow) -> ScoredCase<'_> {
    ScoredCase { symbol: &row.symbol, as_of: row.as_of, score: &row.score }
}
