//! A market that never was: seeded, plausible, and labelled `simulated` by whoever shows it.
//!
//! [`Market`] is the plan: which assets, from when, with which corporate actions, releases and faults. A [`Feed`] walks
//! through it in order of time and gives [`Step`]s: closed bars, actions and observations at the moment they become known.
//! History and live feed are one and the same walk; between closes [`Feed::price_at`] tells where prices stand.
//!
//! Everything follows from the seed: a step, a bar, a tick is the same however and how often it is asked for. Random
//! numbers are functions of (seed, stream, index), see `noise`; the state that runs through time (volatilities, levels)
//! always starts at the same instant. Same build, same seed, same setup: same bytes.
//!
//! How it moves: `panel` (volatility in two time scales, common and own; jumps; leverage), `shape` (a bar's high and low),
//! `path` (prices within it), `coins`, `sessions` (stocks and their volatility index), `economy` (macro series, their
//! releases and revisions).
//!
//! A [`Tape`] holds what such a market, or a recorded one, has to tell, and [`server`] tells it over the vendors' protocols
//! on loopback, on any clock, with faults on demand.
//!
//! This crate knows neither databases nor models, and reads no clock of its own.

mod setup;

mod plan;

mod feed;

mod character;
mod coins;
mod economy;
mod panel;
mod path;
mod sessions;
mod shape;

mod noise;

pub mod server;
mod tape;

mod error;

pub use error::Error;
pub use feed::{Feed, Quote, Step, StepBar};
pub use plan::{Planned, PlannedKind};
pub use setup::{Market, Setup};
pub use tape::{Reel, Tape};
