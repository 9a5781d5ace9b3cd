//! The engine as a whole, on a real SQLite store and clocks moved by hand.

mod home;

mod ingest;
mod promises;
mod replay;
