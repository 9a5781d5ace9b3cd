//! What the world sees: REST, WebSockets, problem details, the OpenAPI document.
//!
//! Read [`serve`] and [`router`] first, then [`settings`]. A request passes the `door` (host, time limit, panics, problems)
//! and reaches one of the `routes`; what they say is shaped in [`answers`], and kept as finished bytes in `ready`
//! until an event says that the data changed. [`sockets`] send the same answers as they change. [`problem`] is the one
//! shape of everything that goes wrong.
//!
//! This crate knows neither vendors nor SQL nor signals: the listener and the end come from outside, data from the
//! engine.

mod connection;
mod serve;
pub mod settings;
mod state;

mod door;
mod extract;
mod openapi;
mod rate;
mod routes;

pub mod answers;
mod compose;
mod ready;
mod time;

pub mod sockets;

pub mod problem;

pub use openapi::document;
pub use problem::Problem;
pub use serve::{bind, router, serve, serve_while};
pub use settings::{ApiSettings, RateSettings, SocketSettings};
pub use state::ApiState;
