//! The real binary on real folders: what people and scripts see.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bench;
mod market;

mod backtest;
mod config;
mod crashes;
mod damage;
mod demo;
mod follow;
mod help;
mod import;
mod ledger;
mod replay;
mod serve;
mod simulate;
