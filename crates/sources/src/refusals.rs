//! What an answer held that could not be taken, as remarks.

use market::{Asset, Remark, RemarkKind, Timeframe};

/// So many refusals of one answer are told in words; the others as a number.
const TOLD: usize = 50;

/// Collects the refusals of one answer. An answer may be wrong in every row: what is told of it stays short.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    told: Vec<String>,
    n_more: usize,
}

impl Refusals {
    /// Notes one: what was there, where, and why it was not taken.
    pub(crate) fn push(&mut self, text: String) {
        if self.told.len() < TOLD {
            self.told.push(text);
        } else {
            self.n_more += 1;
        }
    }

    /// All of them in words.
    pub(crate) fn into_texts(self) -> Vec<String> {
        let Self { mut told, n_more } = self;
        if n_more > 0 {
            told.push(format!("{n_more} more rows of the same answer refused"));
        }
        told
    }

    /// As remarks about a series.
    pub(crate) fn into_remarks(self, asset: &Asset, timeframe: Timeframe) -> Vec<Remark> {
        let remark = |text| Remark {
            kind: RemarkKind::Refused,
            symbol: Some(asset.symbol.clone()),
            timeframe: Some(timeframe),
            from: None,
            to: None,
            text,
        };
        self.into_texts().into_iter().map(remark).collect()
    }
}
