//! WebSockets: the same answers as they change.
//!
//! A `stream` is what all listeners to one thing (one asset on one timeframe, one class's summary) receive: numbered
//! messages, serialised once, of which each client is given the newest it has not seen. The `hub` knows the streams and
//! hears the engine's events; an `update` is a message made from what the engine holds then. A `client` is one
//! connection, a `command` what it says; [`message`] holds the shapes.

pub mod message;

mod hub;
mod stream;
mod update;

mod client;
mod command;

pub(crate) use client::{Kind, SocketParams, accept};
pub(crate) use hub::{Hub, run};
