//! The suites every implementation of a seam must pass.
//!
//! Each takes a function that makes a fresh, empty one, and panics at the first promise that is not kept; call them from
//! a test of the implementation. They are public so that an implementation elsewhere can be held to them too.

mod ledger;
mod store;

mod cache;
mod events;

pub use cache::cache;
pub use events::events;
pub use store::store;
