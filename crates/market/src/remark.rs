//! What was noticed about incoming data: the entries of the quality journal.

use jiff::Timestamp;

use crate::symbol::{Symbol, text_enum};
use crate::timeframe::Timeframe;

/// What kind of thing was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RemarkKind {
    /// A row or message could not be understood, or cannot be true, and was not taken.
    Refused,
    /// A row looks wrong and was set aside until another answer of its source, or a person, confirms it.
    Quarantined,
    /// A row was wrong in a known way and was put right before it was taken.
    Repaired,
    /// A source gave other values for a bar it had given before.
    Revised,
    /// Two sources tell different closes.
    Disagrees,
    /// Bars are missing.
    Gap,
    /// Missing bars came.
    Filled,
    /// Another source stands for the asset from now on.
    Switched,
    /// A corporate action was learnt.
    Action,
    /// A source stopped telling.
    Down,
    /// A source tells again.
    Up,
}

text_enum!(RemarkKind, "kind of remark", {
    Refused = "refused", Quarantined = "quarantined", Repaired = "repaired", Revised = "revised",
    Disagrees = "disagrees", Gap = "gap", Filled = "filled", Switched = "switched", Action = "action",
    Down = "down", Up = "up",
});

/// One thing that was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What kind of thing.
    pub kind: RemarkKind,
    /// The asset it is about; `None` when it is about a source as a whole.
    pub symbol: Option<Symbol>,
    /// The bar length, where it is about bars.
    pub timeframe: Option<Timeframe>,
    /// The first instant it is about: for a bar its open.
    pub from: Option<Timestamp>,
    /// The first instant after.
    pub to: Option<Timestamp>,
    /// In words, for people: what was there and what was done.
    pub text: String,
}
