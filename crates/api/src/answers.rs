//! What is said: the shapes of JSON bodies, and how each is made from what the engine shows.
//!
//! Nothing here reads a clock or waits: a body follows from its arguments. Numbers that are not known are `null`, with a
//! `reason` beside them. Percentages: `confidence`, `change_24h`, `accuracy`, `overall_accuracy`, `error_pct`; all other
//! shares and levels are fractions.

pub mod chart;
pub mod forecast;
pub mod summary;

pub mod trends;
pub mod validation;

pub mod scoreboard;

pub mod asset;
pub mod bars;
pub mod quality;
pub mod search;

pub mod export;

pub mod ledger;
pub mod models;

pub mod favorites;
pub mod health;
pub mod sources;
pub mod stats;

pub mod price;
