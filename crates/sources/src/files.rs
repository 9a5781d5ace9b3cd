//! Bars, observations and corporate actions from files.
//!
//! [`find`] turns the paths a person names into [`DataFile`]s; [`BarFile`], [`ObservationFile`] and [`ActionFile`] read
//! one each, in batches, and hand every row they refuse to a callback as a [`Quarantine`]. Memory is bounded by the
//! batch, whatever the file's size. CSV (plain or gzipped, several members allowed) and Parquet give the same rows to the
//! same checks.
//!
//! In CSV one line is one row: a quoted field may hold commas and doubled quotes, never a line break, so that a stray
//! quote costs its own line and not the rest of the file.

mod bars;
mod observations;

mod actions;

mod options;
mod quarantine;
mod walk;

mod moment;
mod place;
mod table;

mod delimited;
mod parquet;

pub use actions::{ActionBatch, ActionFile, ActionOptions};
pub use bars::{BarBatch, BarFile, BarOptions};
pub use observations::{ObservationBatch, ObservationFile, ObservationOptions};
pub use options::ColumnMap;
pub use quarantine::{Counts, Progress, Quarantine, QuarantineLog, Reason};
pub use walk::{DataFile, Format, find};

/// Most rows a batch can hold.
pub const BATCH_ROWS: usize = 20_000;
