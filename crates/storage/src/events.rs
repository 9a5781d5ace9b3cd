//! The seam that tells the other rooms what happened.

mod local;

pub use local::LocalEvents;

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use market::{Symbol, Timeframe};

/// Something that happened. Numbered from 1 without holes, so that a listener sees what it missed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number.
    pub number: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A price moved.
    Tick {
        /// Of what.
        symbol: Symbol,
        /// The price.
        price: f64,
        /// When the exchange says it traded.
        event_time: Timestamp,
    },
    /// A bar closed and is stored.
    BarClosed {
        /// Of what.
        symbol: Symbol,
        /// Its length.
        timeframe: Timeframe,
        /// When it closed.
        close_time: Timestamp,
    },
    /// A forecast is in the ledger.
    Issued {
        /// Of what.
        symbol: Symbol,
        /// On which timeframe.
        timeframe: Timeframe,
        /// Its place in the ledger.
        seq: u64,
    },
    /// A forecast was scored.
    Scored {
        /// Of what.
        symbol: Symbol,
        /// On which timeframe.
        timeframe: Timeframe,
        /// Its place in the ledger.
        forecast_seq: u64,
    },
    /// A model was promoted or demoted.
    ModelChanged {
        /// Its id.
        model_id: String,
    },
    /// A source came or went.
    SourceChanged {
        /// Which.
        source: String,
    },
}

/// What a listener receives.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// The next event.
    Event(Event),
    /// The listener was too slow: so many events were dropped. It should read the state afresh.
    Lagged(u64),
}

/// Carries events to everyone who listens. Lossy for slow listeners, never blocking for the publisher.
pub trait Events: Send + Sync + Debug {
    /// Tells everyone; gives the event's number.
    fn publish(&self, kind: EventKind) -> u64;
    /// Listens from now on.
    fn subscribe(&self) -> Box<dyn Subscription>;
}

/// One listener's end.
#[async_trait]
pub trait Subscription: Send + Debug {
    /// The next event, or how many were lost; `None` when the publisher is gone.
    async fn recv(&mut self) -> Option<Received>;
}
