//! Which column holds which field.

use std::collections::BTreeMap;

use crate::Error;

/// Names the columns of a file that are not called like our fields. A field that is not mapped is looked for under its
/// own name; headers are compared without regard to case and surrounding blanks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnMap(BTreeMap<String, String>);

impl ColumnMap {
    /// The mapping said by `field=column` texts, such as `timestamp=Date`. A later one replaces an earlier one.
    ///
    /// # Errors
    /// When a text has no `=` or nothing on either side of it.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, Error> {
        let mut map = BTreeMap::new();
        for text in texts {
            let text = text.as_ref();
            match text.split_once('=').map(|(field, column)| (field.trim(), column.trim())) {
                Some((field, column)) if !field.is_empty() && !column.is_empty() => {
                    map.insert(field.to_ascii_lowercase(), column.to_owned());
                }
                _ => return Err(Error::Mapping { text: text.chars().take(80).collect() }),
            }
        }
        Ok(Self(map))
    }

    /// The header a field is looked for under.
    pub(super) fn column<'a>(&'a self, field: &'a str) -> &'a str {
        self.0.get(field).map_or(field, String::as_str)
    }

    /// Whether a column is named for the field.
    pub(super) fn maps(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// # Errors
    /// When a field is mapped that is not among `known`.
    pub(super) fn check(&self, known: &[&'static str]) -> Result<(), Error> {
        match self.0.keys().find(|field| !known.contains(&field.as_str())) {
            Some(field) => Err(Error::UnknownField { field: field.clone(), known: known.join(", ") }),
            None => Ok(()),
        }
    }
}
