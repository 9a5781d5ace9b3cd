//! What the stored prices of an asset are like: where they come from, what is missing, what was done to the shares.

use engine::ingest::primary;
use jiff::Timestamp;
use market::{Action, ActionKind, Asset};
use serde::Serialize;
use storage::{Gap, RemarkRow, SeriesInfo};
use utoipa::ToSchema;

use crate::time::Time;

/// What is stored of an asset.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct QualityAnswer {
    /// The asset.
    pub symbol: String,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// Its series, shortest bars first. Several of one timeframe are of several sources or adjustments.
    pub series: Vec<SeriesQuality>,
    /// Corporate actions, ascending.
    pub actions: Vec<ActionAnswer>,
    /// What was noticed about its data, newest first, at most [`JOURNAL`]: rows refused or put right, corrections, sources
    /// that disagree or took each other's place.
    pub journal: Vec<JournalAnswer>,
    /// Why something is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// At most so many notices are told of an asset.
pub const JOURNAL: u32 = 200;

/// One notice of the quality journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct JournalAnswer {
    /// `refused`, `quarantined`, `repaired`, `revised`, `disagrees`, `gap`, `filled`, `switched`, `action`, `down` or `up`.
    pub kind: &'static str,
    /// Whose data.
    pub data_source: String,
    /// The bar length, where it is about bars.
    pub timeframe: Option<&'static str>,
    /// The first instant it is about.
    pub from: Option<Time>,
    /// The first instant after.
    pub to: Option<Time>,
    /// In words.
    pub text: String,
    /// When it was first noticed.
    pub first_at: Time,
    /// When it was last noticed.
    pub last_at: Time,
    /// How often.
    pub n_times: u64,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SeriesQuality {
    /// Bar length.
    pub timeframe: &'static str,
    /// `raw`, `split` or `total_return`: how it is stored.
    pub adjustment: &'static str,
    /// Where it comes from.
    pub data_source: String,
    /// Whether it stands for the asset: of several the one that reaches furthest.
    pub in_use: bool,
    /// Bars, revisions not counted.
    pub n_bars: u64,
    /// When the first one opened.
    pub from: Time,
    /// When the last one opened.
    pub through: Time,
    /// Bars that are missing now.
    pub n_missing: u64,
    /// Every hole that was ever seen, ascending.
    pub gaps: Vec<GapAnswer>,
}

/// Bars that the calendar expects and nobody gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GapAnswer {
    /// When the first of them opened.
    pub from: Time,
    /// When the last of them closed.
    pub to: Time,
    /// How many.
    pub n_bars: u32,
    /// When it was seen.
    pub detected_at: Time,
    /// When it was found filled; `null` while it is open.
    pub filled_at: Option<Time>,
}

/// One corporate action.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionAnswer {
    /// `split`, `dividend`, `delisting` or `rename`.
    pub kind: &'static str,
    /// The first day under the new terms.
    pub ex_date: String,
    /// When it could first have been known.
    pub known_at: Time,
    /// New shares for old ones, of a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<[f64; 2]>,
    /// Per share, of a dividend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// The new symbol, of a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl QualityAnswer {
    /// The answer; each series of the asset stands beside its gaps.
    #[must_use]
    pub fn of(
        asset: &Asset,
        origin: market::Origin,
        series: Vec<(SeriesInfo, Vec<Gap>)>,
        actions: &[Action],
        journal: Vec<RemarkRow>,
        now: Timestamp,
    ) -> Self {
        let infos: Vec<SeriesInfo> = series.iter().map(|(info, _)| info.clone()).collect();
        let reason = series.is_empty().then(|| format!("no bars of {} are stored", asset.symbol));
        let series = series.into_iter().map(|(info, gaps)| SeriesQuality {
            timeframe: info.key.timeframe.as_str(),
            adjustment: info.key.adjustment.as_str(),
            in_use: primary(&infos, &asset.symbol, info.key.timeframe, now).is_some_and(|used| used.key == info.key),
            n_bars: info.n_bars,
            from: info.first_open.into(),
            through: info.last_open.into(),
            n_missing: gaps.iter().filter(|gap| gap.filled_at.is_none()).map(|gap| u64::from(gap.n_bars)).sum(),
            gaps: gaps.iter().map(GapAnswer::of).collect(),
            data_source: info.key.source,
        });
        let series = series.collect();
        let actions = actions.iter().map(ActionAnswer::of).collect();
        let journal = journal.into_iter().map(JournalAnswer::of).collect();
        Self { symbol: asset.symbol.to_string(), origin: origin.as_str(), series, actions, journal, reason }
    }
}

impl GapAnswer {
    fn of(gap: &Gap) -> Self {
        Self {
            from: gap.from.into(),
            to: gap.to.into(),
            n_bars: gap.n_bars,
            detected_at: gap.detected_at.into(),
            filled_at: gap.filled_at.map(Time),
        }
    }
}

impl JournalAnswer {
    fn of(row: RemarkRow) -> Self {
        let RemarkRow { source, remark, first_at, last_at, n_times } = row;
        Self {
            kind: remark.kind.as_str(),
            data_source: source,
            timeframe: remark.timeframe.map(market::Timeframe::as_str),
            from: remark.from.map(Time),
            to: remark.to.map(Time),
            text: remark.text,
            first_at: first_at.into(),
            last_at: last_at.into(),
            n_times,
        }
    }
}

impl ActionAnswer {
    fn of(action: &Action) -> Self {
        let (kind, ratio, amount, to) = match &action.kind {
            ActionKind::Split { numerator, denominator } => ("split", Some([*numerator, *denominator]), None, None),
            ActionKind::Dividend { amount } => ("dividend", None, Some(*amount), None),
            ActionKind::Delisting => ("delisting", None, None, None),
            ActionKind::Rename { to } => ("rename", None, None, Some(to.to_string())),
        };
        let (ex_date, known_at) = (action.ex_date.to_string(), action.known_at.into());
        Self { kind, ex_date, known_at, ratio, amount, to }
    }
}
