//! Where data come from: the words of others turned into ours.
//!
//! [`files`] reads bars, observations and corporate actions from CSV, gzipped CSV and Parquet files. [`binance`],
//! [`yahoo`], [`fred`] and [`daily_csv`] ask vendors over the network, behind two seams: [`DataSource`] gives history when
//! it is asked, [`LiveSource`] tells what happens while it happens. [`constituents`] reads the members of an index from a
//! page. Every row passes the same door: what is not a fact the rest of the house could trust is refused there, with
//! place and reason, and the rest is kept.
//!
//! This crate knows neither databases nor models. Nothing here reads the system's clock: what needs the present instant is
//! given it, or a clock.

pub mod files;

pub mod binance;
pub mod daily_csv;
pub mod fred;
pub mod yahoo;

pub mod constituents;

pub mod http;
pub mod pace;
pub mod simulated;

mod error;
mod failure;
mod refusals;
mod source;

pub use error::Error;
pub use failure::Failure;
pub use source::{DataSource, Fetched, LiveEvent, LiveSource, Price, Request};
