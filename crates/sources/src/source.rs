//! The seams: what every source can be asked, whoever it is.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use market::{Action, Adjustment, Asset, Bar, Observation, Remark, Symbol, Timeframe};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// What is asked of a source: everything of one series whose bars open in `[from, to)`, or, of a macro series, every value
/// that became known in `[from, to)`.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The asset.
    pub asset: &'a Asset,
    /// Bar length; the release period of a macro series.
    pub timeframe: Timeframe,
    /// The first instant of interest.
    pub from: Timestamp,
    /// The first instant that is not of interest.
    pub to: Timestamp,
}

/// What a source told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fetched {
    /// Closed bars, ascending by `open_time`, none twice, each [`Bar::checked`]; prices are adjusted as the source says.
    /// `known_at` is the close.
    pub bars: Vec<Bar>,
    /// Corporate actions, ascending, amounts in the terms of their ex-date.
    pub actions: Vec<Action>,
    /// Vintages, ascending by (`ref_period`, `realtime_start`).
    pub observations: Vec<Observation>,
    /// What was noticed on the way: rows refused, set aside or put right.
    pub remarks: Vec<Remark>,
}

/// Gives history when it is asked.
///
/// A source is polite by itself: it keeps its vendor's limits, tries again what may pass, and gives up after a bounded
/// time. It can be asked many things at once.
#[async_trait]
pub trait DataSource: Send + Sync + Debug {
    /// What stands beside every bar it gives.
    fn name(&self) -> &str;

    /// How far back it can be asked for an asset's series; `None` when it does not have it. [`SignedDuration::MAX`] when
    /// it has everything there is.
    fn reach(&self, asset: &Asset, timeframe: Timeframe) -> Option<SignedDuration>;

    /// The largest relative difference of two prices that are the same price to it: what its number format loses.
    fn tolerance(&self) -> f64 {
        0.0
    }

    /// How its prices are adjusted for corporate actions. Bars that are not raw are not stored as if they were: they serve
    /// to compare closes, and to stand in for days since which nothing was adjusted.
    fn adjustment(&self) -> Adjustment {
        Adjustment::Raw
    }

    /// How long after its close a bar can be expected to be final.
    fn delay(&self, asset: &Asset, timeframe: Timeframe) -> SignedDuration;

    /// When news of a series without bars can be expected next after an instant; `None` when nothing is announced.
    async fn next_release(&self, asset: &Asset, after: Timestamp) -> Option<Timestamp> {
        let _ = (asset, after);
        None
    }

    /// What is asked.
    ///
    /// # Errors
    /// [`Failure`], after all trying again. Nothing is told by halves: what came before the failure is not given.
    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, Failure>;
}

/// The newest price of an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// The asset.
    pub symbol: Symbol,
    /// The price.
    pub price: f64,
    /// When the source says it was so.
    pub event_time: Timestamp,
}

/// What a live source tells.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveEvent {
    /// It is connected and follows its assets. What happened while it was not must be asked for.
    Up,
    /// It is not connected any more, or cannot be.
    Down {
        /// Why, in words.
        reason: String,
        /// When it tries again, on the clock.
        until: Timestamp,
    },
    /// A bar has closed.
    Bar {
        /// The asset.
        symbol: Symbol,
        /// Bar length.
        timeframe: Timeframe,
        /// The bar; raw prices.
        bar: Bar,
    },
    /// A price.
    Price(Price),
    /// A message that became no event: counted, and why.
    Refused {
        /// What was wrong.
        reason: String,
    },
    /// Something noticed.
    Remark(Remark),
}

/// Tells what happens while it happens.
#[async_trait]
pub trait LiveSource: Send + Sync + Debug {
    /// What stands beside everything it tells.
    fn name(&self) -> &str;

    /// Whether it can follow an asset.
    fn follows(&self, asset: &Asset) -> bool;

    /// The lengths of the bars it tells of them.
    fn timeframes(&self) -> &[Timeframe];

    /// Follows assets until the token is cancelled, connecting again whenever it must, after growing pauses.
    ///
    /// Prices may be dropped when `events` is full (a newer one follows); nothing else is.
    async fn follow(&self, assets: &[Asset], events: mpsc::Sender<LiveEvent>, token: CancellationToken);
}
