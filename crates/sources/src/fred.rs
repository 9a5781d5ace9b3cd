//! FRED and ALFRED: macro series with their vintages.
