//! The nouns of Auspex: what a symbol, a bar, a calendar, a forecast, a ledger entry and a score are.
//!
//! Read in the order of the `mod` lines: what is traded ([`symbol`], [`universe`]), when
//! ([`timeframe`], [`calendar`], [`clock`]), what was measured ([`bar`], [`observation`], [`action`],
//! [`adjustment`], [`remark`]), what was said about the future ([`quantile`], [`forecast`]), how it is kept
//! ([`ledger`]) and how it was judged ([`score`]).
//!
//! This crate does no I/O and knows neither async, SQL nor JSON; every other crate may import it.

pub mod symbol;
pub mod universe;

pub mod calendar;
pub mod clock;
pub mod timeframe;

pub mod action;
pub mod adjustment;
pub mod bar;
pub mod observation;
pub mod remark;

pub mod forecast;
pub mod quantile;

pub mod ledger;
pub mod score;

pub use action::{Action, ActionKind};
pub use adjustment::Adjustment;
pub use bar::{Bar, BarError};
pub use calendar::{Calendar, Span};
pub use clock::{AcceleratedClock, Clock, ManualClock, SystemClock};
pub use forecast::{Direction, Forecast, HorizonForecast, ModelRef, Unit};
pub use ledger::{ChainId, Checkpoint, Entry, Hash, Origin};
pub use observation::Observation;
pub use quantile::{LEVELS, N_LEVELS, Quantiles};
pub use remark::{Remark, RemarkKind};
pub use score::{Score, Verdict};
pub use symbol::{Asset, AssetClass, AssetKind, Symbol};
pub use timeframe::Timeframe;
