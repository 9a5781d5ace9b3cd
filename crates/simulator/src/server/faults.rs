//! What goes wrong, on demand.
//!
//! A [`FaultPlan`] says what, where, how often and when. Whether an event is struck follows from the plan's seed, the
//! fault's place in the plan and how many such events there have been: the same requests in the same order meet the same
//! faults. Requests are struck in [`inject`], frames where they are sent.

mod inject;
mod plan;
mod service;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::noise::Stream;

pub(crate) use inject::inject;
use plan::Fault;
pub use plan::FaultPlan;
pub(crate) use plan::Kind;
pub use service::Service;

/// What goes wrong in a running market.
#[derive(Debug, Default)]
pub struct Faults {
    seed: u64,
    start: Timestamp,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    fault: Fault,
    /// Events that could have been struck.
    events: AtomicU64,
    /// Those that were.
    struck: AtomicU64,
}

/// What happens to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameFault {
    Cut,
    Half,
    Truncated,
    Garbage,
}

impl Faults {
    /// A plan that begins to run at `start`, on the exchange's clock.
    #[must_use]
    pub fn new(plan: FaultPlan, start: Timestamp) -> Self {
        let running = |fault| Running { fault, events: AtomicU64::new(0), struck: AtomicU64::new(0) };
        Self { seed: plan.seed, start, running: plan.faults.into_iter().map(running).collect() }
    }

    /// How many events each kind of fault has struck; kinds of the plan only.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for running in &self.running {
            *counts.entry(running.fault.kind.name()).or_default() += running.struck.load(Ordering::Relaxed);
        }
        counts
    }

    /// The first fault of those picked that strikes this event.
    pub(crate) fn strike<T>(
        &self,
        service: Service,
        path: &str,
        now: Timestamp,
        pick: impl Fn(&Kind) -> Option<T>,
    ) -> Option<T> {
        self.strike_with(service, path, now, |kind, _| pick(kind))
    }

    /// The same, with a random number in (0, 1) for whatever is picked.
    fn strike_with<T>(
        &self,
        service: Service,
        path: &str,
        now: Timestamp,
        pick: impl Fn(&Kind, f64) -> Option<T>,
    ) -> Option<T> {
        for (index, running) in self.matching(service, path, now) {
            if pick(&running.fault.kind, 0.5).is_none() {
                continue;
            }
            let stream = Stream::new(self.seed, "faults");
            let event = running.events.fetch_add(1, Ordering::Relaxed);
            let lane = 2 * index as u64;
            if stream.uniform(event, lane) < running.fault.share {
                running.struck.fetch_add(1, Ordering::Relaxed);
                return pick(&running.fault.kind, stream.uniform(event, lane + 1));
            }
        }
        None
    }

    /// What happens to the next frame of a socket.
    pub(crate) fn frame(&self, service: Service, path: &str, now: Timestamp) -> Option<FrameFault> {
        self.strike(service, path, now, |kind| match kind {
            Kind::Cut => Some(FrameFault::Cut),
            Kind::HalfFrame => Some(FrameFault::Half),
            Kind::Truncated => Some(FrameFault::Truncated),
            Kind::Garbage => Some(FrameFault::Garbage),
            _ => None,
        })
    }

    /// Whether something that lasts is so now; events are neither counted nor drawn.
    pub(crate) fn lasting<T>(
        &self,
        service: Service,
        path: &str,
        now: Timestamp,
        pick: impl Fn(&Kind) -> Option<T>,
    ) -> Option<T> {
        self.matching(service, path, now).find_map(|(_, running)| pick(&running.fault.kind))
    }

    /// By how much a service's clock is wrong.
    pub(crate) fn skew(&self, service: Service, now: Timestamp) -> SignedDuration {
        let skew = |kind: &Kind| if let Kind::Skew { ms } = kind { Some(*ms) } else { None };
        let all = self.matching(service, "", now).filter_map(|(_, running)| skew(&running.fault.kind));
        SignedDuration::from_millis(all.sum())
    }

    fn matching(&self, service: Service, path: &str, now: Timestamp) -> impl Iterator<Item = (usize, &Running)> {
        let since = now.duration_since(self.start);
        self.running.iter().enumerate().filter(move |(_, running)| {
            let fault = &running.fault;
            fault.service.is_none_or(|only| only == service)
                && path.starts_with(&fault.path)
                && fault.window.contains(&since)
        })
    }
}

/// A fault that strikes a connection once for as long as it is planned.
#[derive(Debug)]
pub(crate) struct Spell<T> {
    drawn: bool,
    pub(crate) struck: Option<T>,
}

impl<T> Default for Spell<T> {
    fn default() -> Self {
        Self { drawn: false, struck: None }
    }
}

impl<T: Copy> Spell<T> {
    /// Whether the connection is struck, and by what.
    pub(crate) fn look(
        &mut self,
        faults: &Faults,
        service: Service,
        path: &str,
        now: Timestamp,
        pick: impl Fn(&Kind) -> Option<T>,
    ) -> Option<T> {
        if faults.lasting(service, path, now, &pick).is_none() {
            *self = Self::default();
        } else if !std::mem::replace(&mut self.drawn, true) {
            self.struck = faults.strike(service, path, now, pick);
        }
        self.struck
    }
}

/// What is left of a text that ends too early.
pub(crate) fn truncated(text: &str) -> &str {
    let middle = (text.len() / 2..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..middle]
}

/// What is no JSON.
pub(crate) const GARBAGE: &str = "\u{0}\u{1}}{;;not what was asked for";

#[cfg(test)]
mod tests;
