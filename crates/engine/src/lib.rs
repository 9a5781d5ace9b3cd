//! What happens over time: data come in, models are trained, forecasts are issued, matured and scored.
//!
//! Read [`engine`] first: it holds the state and the one step ([`Engine::run_once`]) that everything repeats. Then the
//! parts of that step, in the order of the flow: `load` and `receive` (what is and what comes), [`assemble`] and [`ingest`]
//! (bars into panels), [`train`], [`issue`], [`resolve`], [`schedule`]; what comes out of it: [`body`] and [`ledger`] (what
//! is kept), [`track`] (what it amounts to), `shown` and [`views`] (what others may see); and [`replay`], which drives the
//! step through recorded history.
//!
//! This crate knows no HTTP status codes and no command line. All time comes through [`market::Clock`].

pub mod engine;

pub mod assemble;
mod desk;
pub mod ingest;
pub mod issue;
pub mod live;
mod load;
mod receive;
mod release;
mod resolve;
mod schedule;
pub mod train;

pub mod body;
pub mod ledger;
pub mod rederive;

mod shown;
pub mod track;
pub mod views;

pub mod replay;
pub mod resample;

mod error;
mod settings;

pub use engine::{Engine, Step};
pub use error::{EngineError, Result};
pub use settings::Settings;
