//! The real binary on real folders: what people and scripts see.

mod bench;
mod market;

mod backtest;
mod config;
mod crashes;
mod damage;
mod demo;
mod help;
mod import;
mod ledger;
mod replay;
mod serve;
