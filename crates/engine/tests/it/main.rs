//! The engine as a whole, on a real SQLite store and clocks moved by hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod home;

mod gate;
mod in_time;
mod ingest;
mod late;
mod leak;
mod live;
mod promises;
mod replay;
mod storm;
