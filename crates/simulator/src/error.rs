//! What cannot be simulated.

use jiff::Timestamp;
use market::Symbol;
use thiserror::Error;

/// Why there is no such market.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// A macro series whose economy the simulator does not have.
    #[error(
        "there is no simulated economy for {symbol} ({source_symbol}); known are GDP, CPIAUCSL, UNRATE, FEDFUNDS, UMCSENT"
    )]
    UnknownSeries {
        /// The series.
        symbol: Symbol,
        /// Its spelling.
        source_symbol: String,
    },
    /// An index other than VIX.
    #[error("there is no simulated index {symbol}; known is VIX")]
    UnknownIndex {
        /// The index.
        symbol: Symbol,
    },
    /// The same symbol twice.
    #[error("{symbol} is in the universe twice")]
    Twice {
        /// The symbol.
        symbol: Symbol,
    },
    /// The starts are out of order, or outside the years the calendar knows.
    #[error("history from {daily_from} cannot lead to {live_start}: it must begin before, and between 1991 and 2090")]
    Times {
        /// Start of the bars.
        daily_from: Timestamp,
        /// Start of the live feed.
        live_start: Timestamp,
    },
    /// A plan of faults that cannot be read.
    #[error("line {line} of the plan of faults: {what}")]
    FaultPlan {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}
