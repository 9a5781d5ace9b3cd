//! The API as clients see it: a server on a free port, an engine on a real SQLite store, a clock moved by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod app;
mod counting;
mod socket;

mod forecast;
mod summary;
mod track_record;

mod assets;
mod ledger;
mod operations;

mod problems;
mod ready;
mod sockets;

mod openapi;
