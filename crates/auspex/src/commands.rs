//! One file per command: its flags, its examples, what it does and what it prints.

pub(crate) mod demo;
pub(crate) mod serve;
pub(crate) mod simulate;

pub(crate) mod import;
pub(crate) mod train;
pub(crate) mod universe;

pub(crate) mod backtest;
pub(crate) mod forecast;

pub(crate) mod replay;
pub(crate) mod score;

pub(crate) mod ledger;

pub(crate) mod config;
pub(crate) mod doctor;
