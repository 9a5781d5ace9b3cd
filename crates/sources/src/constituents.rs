//! The members of an index, read from a table of a page.
