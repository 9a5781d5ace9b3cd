//! History: `klines` in pages, and what else is asked over REST.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use market::{Asset, Calendar, Remark, RemarkKind, Span};

use crate::failure::Failure;
use crate::http::Answer;
use crate::source::{Fetched, Request};

use super::Binance;
use super::klines::{KlineRow, RefusedRow, parse_klines};
use super::reference::{Listing, Ticker, parse_listing, parse_tickers};
use super::rest::Rest;

/// Rows a page has at most.
const PAGE: &str = "1000";

/// Rows a request gives at most: two years of minutes. Longer windows are asked for in parts.
const MOST_ROWS: usize = 1_100_000;

/// The exchange may finish a row late: it is believed to have closed so long after its close, by its clock and by ours.
const ALLOWANCE: SignedDuration = SignedDuration::from_secs(3);

/// Pairs that one request for tickers names, at the lowest price.
const TICKERS_A_REQUEST: usize = 20;

impl Rest {
    /// Closed bars that open in the window.
    pub(super) async fn klines(&self, pair: &str, interval: &str, request: &Request<'_>) -> Result<Fetched, Failure> {
        let mut fetched = Fetched::default();
        // Both ends are of open times and inclusive, in whole milliseconds.
        let last = milliseconds(request.to) - 1;
        let mut from = milliseconds(request.from).max(0);
        let mut n_rows = 0;
        while from <= last {
            let exchange_now = self.exchange_now().await?;
            let end = last.min(exchange_now.as_millisecond());
            if from > end {
                break;
            }
            let (start, end) = (from.to_string(), end.to_string());
            let query =
                [("symbol", pair), ("interval", interval), ("startTime", &start), ("endTime", &end), ("limit", PAGE)];
            let asked_at = self.clock.now();
            let (mut rows, answer) = self
                .ask("/api/v3/klines", &query, 2, pair, |answer, _| {
                    let rows = parse_klines(&answer.body, request.timeframe);
                    Ok((rows.map_err(|reason| answer.malformed(reason))?, answer.clone()))
                })
                .await?;
            n_rows += rows.len();
            if n_rows > MOST_ROWS {
                let what = format!("more than {MOST_ROWS} {} bars of {pair} in one answer", request.timeframe);
                return Err(Failure::NotOffered { source_name: self.settings.name.clone(), what });
            }
            // Rows may stand in any order; those that cannot be placed are refused wherever they stand.
            rows.sort_by_key(|row| match row {
                Ok(row) => Some(row.bar.open_time),
                Err(refused) => refused.open_time,
            });
            let (is_empty, before) = (rows.is_empty(), from);
            let final_at = exchange_now.min(asked_at);
            let mut page = Page { request, answer: &answer, final_at, fetched: &mut fetched, next: from };
            let running = rows.into_iter().any(|row| page.take(row));
            from = page.next;
            if is_empty || running {
                break;
            }
            if from == before {
                return Err(answer.malformed(format!("no row of {pair} opens where it was asked for")));
            }
        }
        Ok(fetched)
    }
}

/// One page being read.
struct Page<'a> {
    request: &'a Request<'a>,
    answer: &'a Answer,
    /// When it was asked for, by the exchange's clock or ours, whichever is behind.
    final_at: Timestamp,
    fetched: &'a mut Fetched,
    /// The first open time, in milliseconds, after all that were seen.
    next: i64,
}

impl Page<'_> {
    /// Takes a row that belongs to the window and has closed. Whether it is one that has not, after which none has.
    fn take(&mut self, row: Result<KlineRow, RefusedRow>) -> bool {
        let open_time = match &row {
            Ok(row) => Some(row.bar.open_time),
            Err(refused) => refused.open_time,
        };
        let Request { from, to, .. } = *self.request;
        let expected = open_time
            .is_none_or(|open_time| open_time >= from && open_time < to && open_time.as_millisecond() >= self.next);
        if let Some(open_time) = open_time.filter(|_| expected) {
            let end = self.span(open_time).map(|span| span.close_time);
            self.next = end.map_or(open_time.as_millisecond() + 1, Timestamp::as_millisecond);
        }
        match row {
            Err(refused) => {
                let text = format!("row {}: {}; it was not taken", refused.row_idx, refused.reason);
                self.remark(RemarkKind::Refused, open_time, text);
            }
            Ok(row) if !expected => {
                let text = format!("a row of {} came twice or was not asked for; it was not taken", row.bar.open_time);
                self.remark(RemarkKind::Refused, open_time, text);
            }
            Ok(KlineRow { bar, repaired }) => {
                // A row that ran when it was asked for is not final, although it may have closed since.
                let closed = bar.close_time.saturating_add(ALLOWANCE).is_ok_and(|closed_at| closed_at <= self.final_at);
                if !closed {
                    return true;
                }
                if let Some(text) = repaired {
                    self.remark(RemarkKind::Repaired, open_time, text);
                }
                self.fetched.bars.push(bar);
            }
        }
        false
    }

    fn span(&self, open_time: Timestamp) -> Option<Span> {
        Calendar::Continuous.bar_opening_at(self.request.timeframe, open_time)
    }

    fn remark(&mut self, kind: RemarkKind, open_time: Option<Timestamp>, text: String) {
        let Request { asset, timeframe, .. } = *self.request;
        let span = open_time.and_then(|open_time| self.span(open_time));
        self.fetched.remarks.push(Remark {
            kind,
            symbol: Some(asset.symbol.clone()),
            timeframe: Some(timeframe),
            from: open_time,
            to: span.map(|span| span.close_time),
            text: format!("{} {timeframe} from {}: {text}", asset.symbol, self.answer.host),
        });
    }
}

impl Binance {
    /// How an asset is listed.
    ///
    /// # Errors
    /// [`Failure::Unknown`] when it is not, [`Failure::NotOffered`] when it has no pair here, and whatever asking may fail by.
    pub async fn listing(&self, asset: &Asset) -> Result<Listing, Failure> {
        let pair = self.settings.pair(asset).ok_or_else(|| Failure::NotOffered {
            source_name: self.settings.name.clone(),
            what: format!("pair that prices {} in {}", asset.symbol, asset.quote),
        })?;
        let symbols = list(&[&pair]);
        self.rest
            .ask("/api/v3/exchangeInfo", &[("symbols", &symbols)], 20, &pair, |answer, _| {
                let listing = parse_listing(&answer.body, &pair).map_err(|reason| answer.malformed(reason))?;
                listing.ok_or_else(|| Failure::Unknown { host: answer.host.clone(), spelling: pair.clone() })
            })
            .await
    }

    /// The last 24 hours of assets that have a pair here, and remarks on those whose numbers cannot be.
    ///
    /// # Errors
    /// [`Failure::Unknown`] when one is not listed, and whatever asking may fail by.
    pub async fn tickers(&self, assets: &[Asset]) -> Result<(Vec<Ticker>, Vec<Remark>), Failure> {
        let pairs: HashMap<String, &Asset> =
            assets.iter().filter_map(|asset| Some((self.settings.pair(asset)?, asset))).collect();
        let mut spellings: Vec<&str> = pairs.keys().map(String::as_str).collect();
        spellings.sort_unstable();
        let (mut tickers, mut remarks) = (Vec::new(), Vec::new());
        for spellings in spellings.chunks(TICKERS_A_REQUEST) {
            let query = [("symbols", &*list(spellings)), ("type", "MINI")];
            let symbol = |pair: &str| pairs.get(pair).map(|asset| asset.symbol.clone());
            let rows = self
                .rest
                .ask("/api/v3/ticker/24hr", &query, 2, &spellings.join(", "), |answer, _| {
                    parse_tickers(&answer.body, symbol).map_err(|reason| answer.malformed(reason))
                })
                .await?;
            for row in rows {
                match row {
                    Ok(ticker) => tickers.push(ticker),
                    Err(text) => remarks.push(Remark {
                        kind: RemarkKind::Refused,
                        symbol: None,
                        timeframe: None,
                        from: None,
                        to: None,
                        text: format!("ticker of {}: {text}; it was not taken", self.settings.name),
                    }),
                }
            }
        }
        Ok((tickers, remarks))
    }
}

/// A parameter that is a list, without blanks as the exchange wants it. Pairs are letters and digits.
fn list(pairs: &[&str]) -> String {
    format!("[\"{}\"]", pairs.join("\",\""))
}

/// Whole milliseconds since the epoch, rounded up: the first that is not before an instant.
fn milliseconds(instant: Timestamp) -> i64 {
    // Rounding is towards zero, which is down for all instants that are asked for.
    let whole = instant.as_millisecond();
    if instant.subsec_nanosecond() % 1_000_000 > 0 { whole + 1 } else { whole }
}
