//! Daily bars of US stocks as plain CSV, as Stooq and services like it give them.
//!
//! Such prices come adjusted, for splits or for dividends too, and cannot be brought back to raw ones without the actions
//! they were adjusted for. So this source says what its prices are by [`DataSource::adjustment`]: its bars are for comparing
//! closes, and for standing in for the newest days.

mod table;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use market::{Adjustment, Asset, AssetKind, Calendar, Clock, Timeframe};
use thiserror::Error;
use url::Url;

use crate::failure::Failure;
use crate::http::{Answer, Http, HttpSettings};
use crate::pace::{self, Budget, Patience};
use crate::source::{DataSource, Fetched, Request};

pub use table::{DailyRow, DailyTable, TableError, parse};

/// The calendar of sessions begins with this year; so does what is asked.
const FIRST_DAY: Date = date(1990, 1, 1);

/// "No data" is what is said of a symbol nobody knows, and of a window without a bar. A window of more ended sessions than
/// this has bars.
const SESSIONS_WITH_BARS: usize = 10;

/// How long a service that says that the day's requests are used up is left alone.
const UNTIL_ANOTHER_DAY: Duration = Duration::from_secs(3600);

const PATIENCE: Patience = Patience { first: Duration::from_secs(2), longest: Duration::from_secs(60), times: 3 };

/// Where and how daily bars are asked for.
#[derive(Debug, Clone)]
pub struct DailyCsvSettings {
    /// What stands beside every bar it gives.
    pub name: String,
    /// The address, with `{symbol}`, `{from}` and `{to}` in it; the dates as `YYYYMMDD`, both inclusive.
    pub template: String,
    /// What follows the lower-case symbol.
    pub suffix: String,
    /// How the prices are adjusted.
    pub adjustment: Adjustment,
    /// The largest relative difference of two prices that are the same price: what two decimals lose of
    /// five dollars.
    pub tolerance: f64,
    /// How long after the close of a session its bar is there, and final.
    pub delay: SignedDuration,
    /// Time between two requests.
    pub period: Duration,
    /// How requests are made.
    pub http: HttpSettings,
}

impl Default for DailyCsvSettings {
    fn default() -> Self {
        Self {
            name: "stooq".to_owned(),
            template: "https://stooq.com/q/d/l/?s={symbol}&i=d&d1={from}&d2={to}".to_owned(),
            suffix: ".us".to_owned(),
            adjustment: Adjustment::Split,
            tolerance: 1e-3,
            // When such services publish is not documented: the evening is left to them.
            delay: SignedDuration::from_hours(4),
            period: Duration::from_secs(1),
            http: HttpSettings { body_limit: 4 << 20, ..HttpSettings::default() },
        }
    }
}

/// An address pattern that gives no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the address of daily bars must be an http or https address with {{symbol}}, {{from}} and {{to}} in it")]
pub struct TemplateError;

/// Daily bars from CSV. Clones share one budget.
#[derive(Debug, Clone)]
pub struct DailyCsv {
    settings: DailyCsvSettings,
    http: Http,
    clock: Arc<dyn Clock>,
}

impl DailyCsv {
    /// A source that asks as the settings say.
    ///
    /// # Errors
    /// When the template makes no address.
    pub fn new(settings: DailyCsvSettings, clock: Arc<dyn Clock>) -> Result<Self, TemplateError> {
        let has_all = ["{symbol}", "{from}", "{to}"].iter().all(|place| settings.template.contains(place));
        let example = address(&settings.template, "a.us", FIRST_DAY, FIRST_DAY);
        if !has_all || example.is_none() {
            return Err(TemplateError);
        }
        let http = Http::new(settings.http.clone(), Budget::new(Arc::clone(&clock), settings.period, NonZeroU32::MIN));
        Ok(Self { settings, http, clock })
    }

    /// How the service spells an asset: `AAPL` is `aapl.us`, `BRK-B` is `brk-b.us`.
    #[must_use]
    pub fn spelling(&self, asset: &Asset) -> String {
        let symbol = asset.source_symbol.to_ascii_lowercase().replace('.', "-");
        format!("{symbol}{}", self.settings.suffix)
    }

    fn offers(&self, asset: &Asset, timeframe: Timeframe) -> bool {
        matches!(asset.kind, AssetKind::Equity | AssetKind::Etf) && timeframe == Timeframe::D1
    }

    /// One answer: a table, or nothing where the service says that it has no data.
    fn read(&self, answer: &Answer) -> Result<Option<DailyTable>, Failure> {
        if answer.status != 200 {
            return Err(answer.failure());
        }
        match parse(&answer.body) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::NoData) => Ok(None),
            Err(TableError::Limit) => Err(Failure::Limited {
                host: answer.host.clone(),
                status: answer.status,
                retry_after: Some(UNTIL_ANOTHER_DAY),
            }),
            Err(error) => Err(Failure::Malformed { host: answer.host.clone(), reason: error.to_string() }),
        }
    }
}

#[async_trait]
impl DataSource for DailyCsv {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn reach(&self, asset: &Asset, timeframe: Timeframe) -> Option<SignedDuration> {
        self.offers(asset, timeframe).then_some(SignedDuration::MAX)
    }

    fn tolerance(&self) -> f64 {
        self.settings.tolerance
    }

    fn adjustment(&self) -> Adjustment {
        self.settings.adjustment
    }

    fn delay(&self, _asset: &Asset, _timeframe: Timeframe) -> SignedDuration {
        self.settings.delay
    }

    /// Bars of sessions that ended [`delay`](DataSource::delay) ago or longer, adjusted as
    /// [`adjustment`](DataSource::adjustment) says. No actions.
    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, Failure> {
        let Request { asset, timeframe, from, to } = *request;
        if !self.offers(asset, timeframe) {
            let what = format!("{timeframe} bars of {}", asset.symbol);
            return Err(Failure::NotOffered { source_name: self.settings.name.clone(), what });
        }
        let to = to.min(self.clock.now());
        let first_instant = market::calendar::midnight(FIRST_DAY);
        if to <= from || to <= first_instant {
            return Ok(Fetched::default());
        }
        let (first, last) = (Calendar::Nyse.trading_date(from.max(first_instant)), Calendar::Nyse.trading_date(to));
        let spelling = self.spelling(asset);
        let url = address(&self.settings.template, &spelling, first, last).ok_or_else(|| Failure::NotOffered {
            source_name: self.settings.name.clone(),
            what: format!("address for {spelling}"),
        })?;
        let answer = pace::retrying(&*self.clock, PATIENCE, || async {
            let answer = self.http.get(url.clone(), &[], NonZeroU32::MIN).await?;
            Ok((self.read(&answer)?, answer.host))
        });
        let (table, host) = answer.await?;
        let final_until = self.clock.now().saturating_sub(self.settings.delay).unwrap_or(Timestamp::MIN);
        let Some(table) = table else {
            let after = from.max(first_instant);
            let n_ended = Calendar::Nyse.count_bars(Timeframe::D1, after, to.min(final_until));
            return match n_ended > SESSIONS_WITH_BARS {
                true => Err(Failure::Unknown { host, spelling }),
                false => Ok(Fetched::default()),
            };
        };
        let (mut bars, refusals) = table.into_bars(&spelling);
        bars.retain(|bar| from <= bar.open_time && bar.open_time < to && bar.close_time <= final_until);
        Ok(Fetched { bars, remarks: refusals.into_remarks(asset, timeframe), ..Fetched::default() })
    }
}

/// The address for a symbol and a window of dates; `None` when the template makes none.
fn address(template: &str, symbol: &str, from: Date, to: Date) -> Option<Url> {
    let symbol: String = url::form_urlencoded::byte_serialize(symbol.as_bytes()).collect();
    let text = template
        .replace("{symbol}", &symbol)
        .replace("{from}", &from.strftime("%Y%m%d").to_string())
        .replace("{to}", &to.strftime("%Y%m%d").to_string());
    Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
