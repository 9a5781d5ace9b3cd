//! What makes a whole file, folder or option unusable. A single bad row is a [`crate::files::Quarantine`] instead.

use std::path::PathBuf;

use thiserror::Error;

/// Why a file or folder cannot be imported at all.
#[derive(Debug, Error)]
pub enum Error {
    /// The path cannot be opened or listed.
    #[error("failed to open {}", path.display())]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The file's first bytes could not be read as what its name says it is.
    #[error("failed to read the header of {}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is cut short, was changed after it was written, or could not be read to its end.
    #[error("{} is damaged or cut short", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A Parquet file packed in a way that is not read here.
    #[error("{} is packed with {codec}; snappy, zstd, gzip, lz4 and unpacked Parquet are understood", path.display())]
    Codec {
        /// The file.
        path: PathBuf,
        /// How it is packed.
        codec: &'static str,
    },
    /// The name does not say which format the file has.
    #[error("{}: files ending in {extension:?} are not understood; known are .csv, .csv.gz and .parquet", path.display())]
    UnknownExtension {
        /// The file.
        path: PathBuf,
        /// What its name ends in.
        extension: String,
    },
    /// A folder without a single file to import.
    #[error("{} holds no .csv, .csv.gz or .parquet file", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A column that cannot be done without is not there.
    #[error("{} has no column {column:?} for {field}; it has {found}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// What the column would have been for.
        field: &'static str,
        /// The header that was looked for.
        column: String,
        /// The headers that are there.
        found: String,
    },
    /// Nothing says whose bars they are.
    #[error("{} has no column of symbols and is not named after one; it has {found}", path.display())]
    NoSymbol {
        /// The file.
        path: PathBuf,
        /// The headers that are there.
        found: String,
    },
    /// A Parquet column has a type its values cannot be read from.
    #[error("{}: column {column:?} has the type {found}, from which no {field} can be read", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// What the column is for.
        field: &'static str,
        /// Its header.
        column: String,
        /// Its type.
        found: String,
    },
    /// A column mapping names a field the schema does not have.
    #[error("a column is mapped to {field:?}, which is no field here; fields are {known}")]
    UnknownField {
        /// The unknown field.
        field: String,
        /// The fields there are.
        known: String,
    },
    /// A column mapping that is not `field=column`.
    #[error("{text:?} maps no column: field=column is expected")]
    Mapping {
        /// What was given.
        text: String,
    },
    /// The bars' spacing is that of no timeframe, or there are too few bars to see one.
    #[error("{}: {reason}; name the timeframe of its bars", path.display())]
    Timeframe {
        /// The file.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// Macro series have observations, not bars.
    #[error("{}: macro series have no bars; import them as observations", path.display())]
    MacroBars {
        /// The file.
        path: PathBuf,
    },
    /// Neither splits nor dividends by its header.
    #[error(
        "{} holds neither splits (symbol, date, numerator, denominator) nor dividends (symbol, date, dividend); it has {found}",
        path.display()
    )]
    NoActions {
        /// The file.
        path: PathBuf,
        /// The headers that are there.
        found: String,
    },
}
