//! Corporate actions: why a price series jumps, ends or goes on under another name.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::calendar::{Calendar, midnight};
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

impl Action {
    /// When prices begin to stand in the new terms: the open of the ex-date's session. `known_at` may be later, for an
    /// action that was told or corrected late.
    #[must_use]
    pub fn effective_at(&self) -> Timestamp {
        let session = Calendar::Nyse.day(self.ex_date);
        self.known_at.min(session.map_or_else(|| midnight(self.ex_date), |session| session.open_time))
    }
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
