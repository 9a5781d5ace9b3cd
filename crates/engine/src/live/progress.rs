//! How far the sources have been followed: for whoever moves the clock and must not run ahead of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

/// What is known of all tasks together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Whether every task has begun.
    pub begun: bool,
    /// Series whose past has not been asked for yet.
    pub backfilling: usize,
    /// Questions that are open.
    pub asking: usize,
    /// The earliest close whose bar should be there and is not.
    pub overdue: Option<Timestamp>,
    /// The earliest close that is still to come.
    pub next_close: Option<Timestamp>,
}

impl Standing {
    fn and(self, other: Self) -> Self {
        let earlier = |a: Option<Timestamp>, b: Option<Timestamp>| a.into_iter().chain(b).min();
        Self {
            begun: self.begun && other.begun,
            backfilling: self.backfilling + other.backfilling,
            asking: self.asking + other.asking,
            overdue: earlier(self.overdue, other.overdue),
            next_close: earlier(self.next_close, other.next_close),
        }
    }
}

/// Where each task says how far it is.
#[derive(Debug, Default)]
pub struct Progress(Mutex<BTreeMap<usize, Standing>>);

impl Progress {
    /// All tasks together; nothing has begun where there is none.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let tasks = self.tasks();
        tasks.values().copied().reduce(Standing::and).unwrap_or_default()
    }

    /// A place for one more task, which has not begun.
    pub(super) fn join(&self) -> usize {
        let mut tasks = self.tasks();
        let place = tasks.len();
        tasks.insert(place, Standing::default());
        place
    }

    pub(super) fn say(&self, place: usize, standing: Standing) {
        self.tasks().insert(place, standing);
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<usize, Standing>> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}
