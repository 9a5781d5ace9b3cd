//! What is bound to happen soon after the live feed has begun, so that a demonstration shows it.

use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetKind, Calendar, Span, Timeframe};

use crate::character::COMING_SPLIT;

/// One planned event.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// When it becomes known.
    pub at: Timestamp,
    /// The asset's place in [`crate::Market::assets`].
    pub asset: usize,
    /// What happens.
    pub kind: PlannedKind,
}

/// What kind of event is planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PlannedKind {
    /// A stock splits; `at` is the open of its ex-date.
    Split {
        /// New shares for one old.
        ratio: f64,
    },
    /// A published macro value is corrected out of turn.
    Revision,
    /// The feed is silent on one asset: quotes stand still from `silent_from`, and the bar of the hour that closes at
    /// `close_time` is delivered only `at`, past the grace in which a forecast could have been issued from it.
    Outage {
        /// The last quote.
        silent_from: Timestamp,
        /// The close of the bar that comes late.
        close_time: Timestamp,
    },
}

/// How long after its close the bar of an outage comes; beyond every grace of an hourly bar.
const OUTAGE: SignedDuration = SignedDuration::from_mins(25);

/// How long before the close quotes stop.
const SILENCE: SignedDuration = SignedDuration::from_mins(12);

/// The split: on the fourth session to open after the live start.
pub(crate) fn split(universe: &[Asset], live_start: Timestamp) -> Option<Planned> {
    let (name, ratio) = COMING_SPLIT;
    let equity = |asset: &Asset| asset.kind == AssetKind::Equity;
    let named = universe.iter().position(|asset| equity(asset) && asset.symbol.as_str() == name);
    let asset = named.or_else(|| universe.iter().position(equity))?;
    let mut session = crate::sessions::first_session(live_start + SignedDuration::from_micros(1))?;
    for _ in 1..4 {
        session = Calendar::Nyse.bar_closing_after(Timeframe::D1, session.close_time)?;
    }
    Some(Planned { at: session.open_time, asset, kind: PlannedKind::Split { ratio } })
}

/// The revision: in the first session at least five days after the live start.
pub(crate) fn revision(universe: &[Asset], live_start: Timestamp) -> Option<Planned> {
    let asset = universe.iter().position(|asset| asset.kind == AssetKind::Series)?;
    let day = Calendar::Continuous.trading_date(live_start + SignedDuration::from_hours(5 * 24));
    let (_, span) = crate::economy::session_from(day);
    Some(Planned { at: span.open_time - SignedDuration::from_hours(1), asset, kind: PlannedKind::Revision })
}

/// The outage: a day after the live start, on the last coin (else the last equity), in an hour on which no longer bar
/// closes.
pub(crate) fn outage(universe: &[Asset], live_start: Timestamp) -> Option<Planned> {
    let last = |kind| universe.iter().rposition(|asset| asset.kind == kind);
    let (asset, calendar) = last(AssetKind::Coin)
        .map(|asset| (asset, Calendar::Continuous))
        .or_else(|| last(AssetKind::Equity).map(|asset| (asset, Calendar::Nyse)))?;
    let from = live_start + SignedDuration::from_hours(24);
    let alone = |span: &Span| {
        let close = |timeframe| calendar.bar_closing_after(timeframe, span.open_time).map(|longer| longer.close_time);
        close(Timeframe::H4) != Some(span.close_time) && close(Timeframe::D1) != Some(span.close_time)
    };
    let span = calendar.bars_closing_in(Timeframe::H1, from, from + SignedDuration::from_hours(24 * 10)).find(alone)?;
    let (silent_from, close_time) = (span.close_time - SILENCE, span.close_time);
    Some(Planned { at: close_time + OUTAGE, asset, kind: PlannedKind::Outage { silent_from, close_time } })
}
