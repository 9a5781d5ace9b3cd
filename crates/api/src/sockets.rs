//! WebSockets: the same answers as they change.
//!
//! A [`stream`] is what all listeners to one thing (one asset on one timeframe, one class's summary) receive: numbered
//! messages, serialised once, of which each client is given the newest it has not seen. The [`hub`] knows the streams and
//! turns the engine's events into messages; a [`client`] is one connection; [`message`] holds the shapes.

pub mod message;

mod hub;
mod stream;

mod client;
mod command;

pub(crate) use client::{Kind, SocketParams, accept};
pub(crate) use hub::{Hub, run};
