//! The rules of the ledger.

use std::fmt;

/// What must hold of every entry, in the order of checking. [`Rule::as_str`] is its stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A line is an entry as the ledger writes it, byte for byte.
    Line,
    /// Positions count up from 0.
    Seq,
    /// `prev` is the hash of the entry before.
    Prev,
    /// The first entry is a schedule that names its chain.
    ScheduleFirst,
    /// The chain is one, and the one that was expected.
    Chain,
    /// `hash` is the hash of the entry.
    Hash,
    /// The entry a checkpoint names is there and has its hash.
    Checkpoint,
    /// The body can be read.
    Body,
    /// `recorded_at` never decreases.
    RecordedAtOrder,
    /// A later schedule takes effect after what is recorded already.
    ScheduleFrom,
    /// A forecast is recorded before each of its target times.
    IssuedBeforeTarget,
    /// A forecast is recorded between its information cut and the end of the slot's grace.
    IssuedInGrace,
    /// A forecast is for a slot of the schedule.
    SlotUnscheduled,
    /// A slot has one forecast.
    SlotOnce,
    /// No horizon is still open a month after its target time when its asset and timeframe are forecast.
    OutcomeMissing,
    /// A `missed` covers past slots that were open, and counts them.
    MissedSlots,
    /// A horizon is resolved once.
    OutcomeOnce,
    /// An outcome or void names an earlier forecast, by position and hash, and one of its horizons.
    OutcomeRefers,
    /// An outcome or void is recorded at or after its target time.
    OutcomeMaturity,
    /// The scores follow from the forecast and the price.
    OutcomeScores,
    /// The scores table of a store says of every outcome what the outcome says.
    ScoresTable,
    /// A `checkpoint` entry names an entry before it, by position and hash.
    CheckpointRefers,
    /// Every scheduled slot has a forecast or lies in a `missed`.
    SlotUnexplained,
}

impl Rule {
    /// All rules, in the order of checking.
    pub const ALL: [Self; 23] = [
        Self::Line,
        Self::Seq,
        Self::Prev,
        Self::ScheduleFirst,
        Self::Chain,
        Self::Hash,
        Self::Checkpoint,
        Self::Body,
        Self::RecordedAtOrder,
        Self::ScheduleFrom,
        Self::IssuedBeforeTarget,
        Self::IssuedInGrace,
        Self::SlotUnscheduled,
        Self::SlotOnce,
        Self::OutcomeMissing,
        Self::MissedSlots,
        Self::OutcomeOnce,
        Self::OutcomeRefers,
        Self::OutcomeMaturity,
        Self::OutcomeScores,
        Self::ScoresTable,
        Self::CheckpointRefers,
        Self::SlotUnexplained,
    ];

    /// Its name, as printed and as in `docs/ledger.md`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Seq => "seq",
            Self::Prev => "prev",
            Self::ScheduleFirst => "schedule_first",
            Self::Chain => "chain",
            Self::Hash => "hash",
            Self::Checkpoint => "checkpoint",
            Self::Body => "body",
            Self::RecordedAtOrder => "recorded_at_order",
            Self::ScheduleFrom => "schedule_from",
            Self::IssuedBeforeTarget => "issued_before_target",
            Self::IssuedInGrace => "issued_in_grace",
            Self::SlotUnscheduled => "slot_unscheduled",
            Self::SlotOnce => "slot_once",
            Self::OutcomeMissing => "outcome_missing",
            Self::MissedSlots => "missed_slots",
            Self::OutcomeOnce => "outcome_once",
            Self::OutcomeRefers => "outcome_refers",
            Self::OutcomeMaturity => "outcome_maturity",
            Self::OutcomeScores => "outcome_scores",
            Self::ScoresTable => "scores_table",
            Self::CheckpointRefers => "checkpoint_refers",
            Self::SlotUnexplained => "slot_unexplained",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A broken rule, not yet located.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) rule: Rule,
    /// What was found, for people.
    pub(super) detail: String,
}

pub(super) fn fault(rule: Rule, detail: impl Into<String>) -> Fault {
    Fault { rule, detail: detail.into() }
}
