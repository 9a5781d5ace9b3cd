//! Where data come from: the words of others turned into ours.
//!
//! [`files`] reads bars, observations and corporate actions from CSV, gzipped CSV and Parquet files. Every row passes the
//! same door: what is not a fact the rest of the house could trust is refused there, with file, line and reason, and the
//! rest is kept.
//!
//! This crate knows neither databases nor models. Nothing here reads the clock: what needs the present instant is given it.

pub mod files;

mod error;

pub use error::Error;
