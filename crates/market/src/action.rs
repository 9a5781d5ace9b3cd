//! Corporate actions: why a price series jumps, ends or goes on under another name.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::symbol::Symbol;

/// One corporate action.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The ex-date: the first session that trades under the new terms.
    pub ex_date: Date,
    /// What happened.
    pub kind: ActionKind,
    /// The open of the ex-date's session.
    pub known_at: Timestamp,
}

/// What a corporate action does.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionKind {
    /// `numerator` new shares for `denominator` old ones (7:1 is 7 and 1).
    Split {
        /// New shares.
        numerator: f64,
        /// Old shares.
        denominator: f64,
    },
    /// A cash dividend per share, in the terms of the ex-date.
    Dividend {
        /// Amount per share.
        amount: f64,
    },
    /// The last session; the series ends.
    Delisting,
    /// The series goes on under another symbol.
    Rename {
        /// The new symbol.
        to: Symbol,
    },
}
