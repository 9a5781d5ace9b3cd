//! Corporate actions from files.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use market::universe::asset_for_source_symbol;
use market::{Action, ActionKind, Asset, Symbol};

use super::BATCH_ROWS;
use super::options::ColumnMap;
use super::place::ex_date_open;
use super::quarantine::{Counts, Progress, Quarantine, Reason};
use super::table::{Content, Field, Next, Table};
use super::walk::DataFile;
use crate::Error;

/// How to read files of corporate actions.
#[derive(Debug, Clone)]
pub struct ActionOptions {
    /// Assets whose spellings are known; others are taken by rule.
    pub known: Vec<Asset>,
    /// Only these symbols, in either spelling; all when empty.
    pub symbols: Vec<String>,
    /// Which columns hold `symbol`, `date`, and `numerator` and `denominator` or `dividend`.
    pub columns: ColumnMap,
    /// The present instant: an action whose ex-date has not opened is refused.
    pub now: Timestamp,
}

/// Actions of one asset in the order of the file, at most [`BATCH_ROWS`].
#[derive(Debug, Clone)]
pub struct ActionBatch {
    /// Whose actions.
    pub asset: Asset,
    /// The actions; amounts as the file gives them.
    pub actions: Vec<Action>,
}

const SYMBOL: Field = Field::required("symbol", Content::Text);
const DATE: Field = Field::required("date", Content::Time);
const SPLITS: &[Field] =
    &[SYMBOL, DATE, Field::required("numerator", Content::Number), Field::required("denominator", Content::Number)];
const DIVIDENDS: &[Field] = &[SYMBOL, DATE, Field::required("dividend", Content::Number)];

/// A file of splits or of dividends, told apart by its header. Rows may come in any order.
///
/// An ex-date is a day of the US calendar; one on which the exchange was closed (a foreign listing's) counts as known at
/// the open of the first session after it.
#[derive(Debug)]
pub struct ActionFile<'a> {
    options: &'a ActionOptions,
    table: Table,
    splits: bool,
    /// The line and content of what each asset's days already said.
    seen: HashMap<(Symbol, Date), (u64, ActionKind)>,
    next: Option<(Asset, Action)>,
    counts: Counts,
}

impl<'a> ActionFile<'a> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, or its header is that of neither splits nor dividends.
    pub fn open(file: &DataFile, options: &'a ActionOptions) -> Result<Self, Error> {
        options.columns.check(&["symbol", "date", "numerator", "denominator", "dividend"])?;
        let mut table = Table::open(file)?;
        let has = |field| table.has(field, &options.columns);
        let splits = has("numerator") && has("denominator");
        if !splits && !has("dividend") {
            return Err(Error::NoActions { path: file.path.clone(), found: table.found() });
        }
        table.select(if splits { SPLITS } else { DIVIDENDS }, &options.columns)?;
        Ok(Self { options, table, splits, seen: HashMap::new(), next: None, counts: Counts::default() })
    }

    /// How far the file has been read.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.table.progress()
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The next actions, of one asset; `None` at the end. Refused rows go to `refuse`.
    ///
    /// # Errors
    /// When the file, found whole as it was opened, cannot be read on.
    pub fn next_batch(&mut self, refuse: &mut dyn FnMut(Quarantine)) -> Result<Option<ActionBatch>, Error> {
        let first = match self.next.take() {
            Some(first) => Some(first),
            None => self.next_action(refuse)?,
        };
        let Some((asset, first)) = first else { return Ok(None) };
        let mut actions = vec![first];
        while actions.len() < BATCH_ROWS {
            match self.next_action(refuse)? {
                Some((other, action)) if other.symbol == asset.symbol => actions.push(action),
                other => {
                    self.next = other;
                    break;
                }
            }
        }
        Ok(Some(ActionBatch { asset, actions }))
    }

    fn next_action(&mut self, refuse: &mut dyn FnMut(Quarantine)) -> Result<Option<(Asset, Action)>, Error> {
        loop {
            let reason = match self.table.next() {
                Next::Row => match self.read_row() {
                    Ok(Some(row)) => {
                        self.counts.kept += 1;
                        return Ok(Some(row));
                    }
                    Ok(None) => {
                        self.counts.skipped += 1;
                        continue;
                    }
                    Err(reason) => reason,
                },
                Next::Bad(reason) => reason,
                Next::Damaged(cause) => return Err(self.table.damaged(cause)),
                Next::End => return Ok(None),
            };
            self.counts.refused += 1;
            refuse(self.table.refusal(reason));
        }
    }

    fn read_row(&mut self) -> Result<Option<(Asset, Action)>, Reason> {
        let (table, options) = (&self.table, self.options);
        let asset = asset_for_source_symbol(table.text(0)?, &options.known)?;
        let named = |text: &String| {
            text.eq_ignore_ascii_case(asset.symbol.as_str()) || text.eq_ignore_ascii_case(&asset.source_symbol)
        };
        if !options.symbols.is_empty() && !options.symbols.iter().any(named) {
            return Ok(None);
        }
        let ex_date = table.date(1)?;
        let kind = if self.splits {
            let (numerator, denominator) = (table.positive(2)?, table.positive(3)?);
            if numerator == denominator {
                return Err(Reason::NoSplit(numerator));
            }
            ActionKind::Split { numerator, denominator }
        } else {
            ActionKind::Dividend { amount: table.positive(2)? }
        };
        let known_at =
            ex_date_open(ex_date).ok_or_else(|| Reason::NoSession { date: ex_date, symbol: asset.symbol.clone() })?;
        if known_at > options.now {
            return Err(Reason::Future { date: ex_date, now: options.now });
        }
        match self.seen.entry((asset.symbol.clone(), ex_date)) {
            std::collections::hash_map::Entry::Occupied(first) => {
                let (line, other) = first.get();
                let line = *line;
                return Err(if *other == kind { Reason::Repeated { line } } else { Reason::Contradicts { line } });
            }
            std::collections::hash_map::Entry::Vacant(place) => place.insert((table.line(), kind.clone())),
        };
        Ok(Some((asset, Action { ex_date, kind, known_at })))
    }
}
