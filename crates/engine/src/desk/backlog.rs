//! Rows that stand in the store and in no panel yet: they came for steps that have been taken, or for series that no panel
//! reads. Their panels are assembled anew before the first step that could know them, and not before the steps that could
//! not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::SheetKey;

/// Nobody is waited for longer than this.
const HELD: SignedDuration = SignedDuration::from_secs(15);

/// The rows, by the sheets whose panels read them.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    sheets: BTreeMap<SheetKey, Rows>,
}

/// Of one sheet.
#[derive(Debug, Default)]
struct Rows {
    /// The instants at which they became known.
    known_at: BTreeSet<Timestamp>,
    /// Since when it is waited for whoever put them there and may put more.
    held_since: Option<Timestamp>,
}

impl Backlog {
    /// Adds rows that became known at an instant.
    pub(crate) fn add(&mut self, key: SheetKey, known_at: Timestamp) {
        self.sheets.entry(key).or_default().known_at.insert(known_at);
    }

    /// Waits for more of what was added.
    pub(crate) fn hold(&mut self, key: SheetKey, now: Timestamp) {
        if let Some(rows) = self.sheets.get_mut(&key) {
            rows.held_since.get_or_insert(now);
        }
    }

    /// Waits no longer.
    pub(crate) fn let_go(&mut self, key: SheetKey) {
        if let Some(rows) = self.sheets.get_mut(&key) {
            rows.held_since = None;
        }
    }

    /// Waits no longer, for anyone.
    pub(crate) fn let_all_go(&mut self) {
        for rows in self.sheets.values_mut() {
            rows.held_since = None;
        }
    }

    /// The instant from which on steps of a sheet must read what is here; `None` when there is nothing.
    pub(crate) fn since(&self, key: SheetKey) -> Option<Timestamp> {
        self.sheets.get(&key)?.known_at.first().copied()
    }

    /// Whether more is waited for. Where nothing is forecast yet nothing is late: it begins when all has come that was
    /// asked for.
    pub(crate) fn is_held(&self, key: SheetKey, is_new: bool, now: Timestamp) -> bool {
        let held_since = self.sheets.get(&key).and_then(|rows| rows.held_since);
        held_since.is_some_and(|since| is_new || now.duration_since(since) < HELD)
    }

    /// Takes out what became known by `as_of`: a panel reads it now.
    pub(crate) fn read(&mut self, key: SheetKey, as_of: Timestamp) {
        let Some(rows) = self.sheets.get_mut(&key) else { return };
        rows.known_at = rows.known_at.split_off(&as_of);
        rows.known_at.remove(&as_of);
        if rows.known_at.is_empty() {
            self.sheets.remove(&key);
        }
    }
}
