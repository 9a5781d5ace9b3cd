//! Writing a chain as JSON lines.

use std::io::Write;

use bytes::Bytes;
use market::{ChainId, Entry};
use storage::{EntryQuery, Store, StoreError};

use super::LedgerError;

/// How many entries are read from the store at once: some megabytes.
const PAGE_ENTRIES: u32 = 1000;

/// Appends the line of an entry, with its newline.
pub fn write_line(out: &mut Vec<u8>, entry: &Entry) {
    write!(out, r#"{{"seq":{},"prev":"{}","hash":"{}","body":"#, entry.seq, entry.prev, entry.hash)
        .expect("a Vec takes every byte");
    serde_json::to_writer(&mut *out, &*entry.body).expect("a text is always JSON, and a Vec takes every byte");
    out.extend_from_slice(b"}\n");
}

/// A chain's lines, page by page: all entries up to the head at the time of opening.
#[derive(Debug)]
pub struct Pages<'a> {
    store: &'a dyn Store,
    chain: &'a ChainId,
    next_seq: u64,
    end_seq: u64,
}

impl<'a> Pages<'a> {
    /// The lines from entry `from_seq` on; 0 for a whole export, which alone can be verified.
    ///
    /// # Errors
    /// When the store fails, or the chain has no entry.
    pub async fn open(store: &'a dyn Store, chain: &'a ChainId, from_seq: u64) -> Result<Self, LedgerError> {
        let head = store.head(chain).await?.ok_or_else(|| LedgerError::EmptyChain { chain: chain.clone() })?;
        Ok(Self { store, chain, next_seq: from_seq, end_seq: head.seq + 1 })
    }

    /// The next entries, ascending; empty after the last.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next_entries(&mut self) -> Result<Vec<Entry>, StoreError> {
        if self.next_seq >= self.end_seq {
            return Ok(Vec::new());
        }
        let query = EntryQuery {
            from_seq: Some(self.next_seq),
            to_seq: Some(self.end_seq),
            limit: PAGE_ENTRIES,
            ..EntryQuery::default()
        };
        let rows = self.store.entries(self.chain, &query).await?;
        self.next_seq = rows.last().map_or(self.end_seq, |row| row.entry.seq + 1);
        Ok(rows.into_iter().map(|row| row.entry).collect())
    }

    /// The next lines, for a body that is streamed; `None` after the last.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn next_lines(&mut self) -> Result<Option<Bytes>, StoreError> {
        let entries = self.next_entries().await?;
        let mut lines = Vec::with_capacity(entries.iter().map(|entry| entry.body.len() * 5 / 4 + 200).sum());
        for entry in &entries {
            write_line(&mut lines, entry);
        }
        Ok((!lines.is_empty()).then(|| lines.into()))
    }
}

/// Writes a whole chain and gives the number of entries.
///
/// # Errors
/// When the store or the output fails, or the chain has no entry.
pub async fn export(store: &dyn Store, chain: &ChainId, out: &mut (dyn Write + Send)) -> Result<u64, LedgerError> {
    let mut pages = Pages::open(store, chain, 0).await?;
    while let Some(lines) = pages.next_lines().await? {
        out.write_all(&lines).map_err(LedgerError::Write)?;
    }
    out.flush().map_err(LedgerError::Write)?;
    Ok(pages.end_seq)
}
