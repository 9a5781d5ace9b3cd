//! Macro series of the Federal Reserve Bank of St. Louis: FRED, and the vintages of ALFRED.
//!
//! With a key every value comes with the days on which it was the current one, so that it is known when it could first
//! have been known. Without a key there is only the table of today: its values count as known from the moment they were
//! fetched, and nothing is said about first releases and revisions.
//!
//! Read in the order of the `mod` lines: what an answer says ([`answer`], [`graph`]), what vintages are and how they are
//! put together ([`vintages`]), when values are published ([`release`]), what of it is new ([`mod@news`]), and which series
//! are of use ([`panel`]).

pub mod answer;
pub mod graph;
pub mod vintages;

pub mod news;
pub mod panel;
pub mod release;

mod client;
mod key;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use market::{Asset, AssetClass, Calendar, Clock, Observation, Remark, RemarkKind, Timeframe};
use url::Url;

use crate::failure::Failure;
use crate::http::HttpSettings;
use crate::source::{DataSource, Fetched, Request};
use client::{Archived, Client, Values};
use vintages::{FIRST_DAY, Row};

pub use key::{Key, KeyError};
pub use news::news;
pub use panel::{PANEL, PanelSeries};

/// Where and how FRED is asked.
#[derive(Debug, Clone)]
pub struct FredSettings {
    /// What stands beside every value it gives.
    pub name: String,
    /// Address of the keyed service, without `/fred`.
    pub api: Url,
    /// Address of the keyless table, without `/graph`.
    pub graph: Url,
    /// The key; without one only today's values are known.
    pub key: Option<Key>,
    /// How requests are made.
    pub http: HttpSettings,
}

impl Default for FredSettings {
    fn default() -> Self {
        let url = |text: &str| text.parse().expect("the address above is one");
        Self {
            name: "fred".to_owned(),
            api: url("https://api.stlouisfed.org/"),
            graph: url("https://fred.stlouisfed.org/"),
            key: None,
            // What stands before the keyless table is known to be slow.
            http: HttpSettings { timeout: Duration::from_secs(30), ..HttpSettings::default() },
        }
    }
}

/// FRED as a source. Clones share one budget: two requests a second, one at a time.
#[derive(Debug, Clone)]
pub struct Fred {
    name: String,
    has_key: bool,
    client: Client,
    clock: Arc<dyn Clock>,
    announced: Arc<Mutex<Announced>>,
}

/// The announced dates of each series, and when they were asked for.
type Announced = HashMap<String, (Timestamp, Arc<[Date]>)>;

/// Announced dates are asked for again after so long.
const ANNOUNCED_FOR: SignedDuration = SignedDuration::from_hours(24);

impl Fred {
    /// A source that asks as the settings say.
    #[must_use]
    pub fn new(settings: FredSettings, clock: Arc<dyn Clock>) -> Self {
        let FredSettings { name, api, graph, key, http } = settings;
        let has_key = key.is_some();
        let client = Client::new(api, graph, key, http, Arc::clone(&clock));
        Self { name, has_key, client, clock, announced: Arc::default() }
    }

    /// Whether it can tell when values were first known.
    #[must_use]
    pub const fn has_vintages(&self) -> bool {
        self.has_key
    }

    /// The days on which the series' release came out or is announced to come out, ascending; the newest thousand.
    /// [`release::next_poll`] says when to ask for what they bring.
    ///
    /// # Errors
    /// [`Failure::NotOffered`] without a key or for what is no macro series, [`Failure::Unknown`], and what a network does.
    pub async fn release_dates(&self, asset: &Asset) -> Result<Vec<Date>, Failure> {
        self.check(asset)?;
        if !self.has_key {
            return Err(self.not_offered("release dates without a key"));
        }
        let release = self.client.release(&asset.source_symbol).await?;
        self.client.release_dates(release).await
    }

    fn announced(&self) -> MutexGuard<'_, Announced> {
        self.announced.lock().expect("no holder of this lock can panic")
    }

    fn check(&self, asset: &Asset) -> Result<(), Failure> {
        match asset.class() {
            AssetClass::Macro => Ok(()),
            class => Err(self.not_offered(&format!("series of {class}, such as {}", asset.symbol))),
        }
    }

    fn not_offered(&self, what: &str) -> Failure {
        Failure::NotOffered { source_name: self.name.clone(), what: what.to_owned() }
    }

    /// Everything the archive has of vintages that began on or after `first`.
    async fn archived(&self, request: &Request<'_>, first: Date) -> Result<Fetched, Failure> {
        // One day more: a row that begins with the window may have begun before it, one that begins later did not.
        let start = first.yesterday().unwrap_or(FIRST_DAY).max(FIRST_DAY);
        let series = &request.asset.source_symbol;
        let Archived::Vintages { rows, mut refusals } = self.client.vintages(series, start).await? else {
            let values = self.client.current(series).await?;
            return Ok(self.known_from_now(request, values, "is not in the archive of vintages"));
        };
        let is_new = |row: &Row| start == FIRST_DAY || row.realtime_start > start;
        // What came before its usual time, or before the day it is dated by was over, is known since it came.
        let now = self.clock.now();
        let observation = |row: Row| row.into_observation(release::released_at(series, row.realtime_start).min(now));
        let last = Calendar::Nyse.trading_date(request.to.min(now));
        let (rows, refused) = vintages::merge(rows);
        refused.into_iter().for_each(|text| refusals.push(format!("{series}, {text}")));
        let observations =
            rows.into_iter().filter(|row| is_new(row) && row.realtime_start <= last).filter_map(observation).collect();
        let remarks = refusals.into_remarks(request.asset, request.timeframe);
        Ok(Fetched { observations, remarks, ..Fetched::default() })
    }

    /// Today's values, known from now on; `why` tells people what stands in the way of more.
    fn known_from_now(&self, request: &Request<'_>, (values, mut refusals): Values, why: &str) -> Fetched {
        let series = &request.asset.source_symbol;
        let known_at = self.clock.now();
        let realtime_start = Calendar::Nyse.trading_date(known_at);
        let mut observations: Vec<Observation> = Vec::with_capacity(values.len());
        for (ref_period, value) in values {
            if ref_period > realtime_start {
                refusals.push(format!("{series} for {ref_period}: a period that begins after it was fetched"));
                continue;
            }
            observations.push(Observation { ref_period, value, realtime_start, realtime_end: None, known_at });
        }
        let mut remarks = refusals.into_remarks(request.asset, request.timeframe);
        remarks.push(Remark {
            kind: RemarkKind::Repaired,
            symbol: Some(request.asset.symbol.clone()),
            timeframe: Some(request.timeframe),
            from: None,
            to: None,
            text: format!(
                "{series} {why}: its values count as known from {known_at} on, and first releases and revisions are not \
                 known"
            ),
        });
        Fetched { observations, remarks, ..Fetched::default() }
    }
}

#[async_trait]
impl DataSource for Fred {
    fn name(&self) -> &str {
        &self.name
    }

    fn reach(&self, asset: &Asset, _timeframe: Timeframe) -> Option<SignedDuration> {
        (asset.class() == AssetClass::Macro).then_some(SignedDuration::MAX)
    }

    /// None: a release is awaited by its announced date, see [`Fred::release_dates`].
    fn delay(&self, _asset: &Asset, _timeframe: Timeframe) -> SignedDuration {
        SignedDuration::ZERO
    }

    /// The next poll of an announced release, with the dates as they were announced within the last day.
    async fn next_release(&self, asset: &Asset, after: Timestamp) -> Option<Timestamp> {
        let (series, now) = (&asset.source_symbol, self.clock.now());
        let kept = self.announced().get(series).filter(|(at, _)| now < *at + ANNOUNCED_FOR).cloned();
        let dates = match kept {
            Some((_, dates)) => dates,
            None => {
                let dates: Arc<[Date]> = self.release_dates(asset).await.ok()?.into();
                self.announced().insert(series.clone(), (now, Arc::clone(&dates)));
                dates
            }
        };
        release::next_poll(series, &dates, None, after)
    }

    /// Every vintage that began on a day of the window: from the day before that of `from` in New York through that of
    /// `to`. Whole days and the day of overlap are on purpose: FRED's days are those of Chicago, and a value is loaded some
    /// time after the release it counts as known from, so what came between two requests must not fall between them.
    /// [`news()`] and the store know what they have.
    ///
    /// The first vintage of an archive says that values of long ago were known on that day at the latest, and no more:
    /// nobody may take the distance between their period and that day for a publication lag.
    ///
    /// Without a key, and for a series that has no vintages, all of today's values come, known from now on, whatever the
    /// window.
    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, Failure> {
        self.check(request.asset)?;
        if !self.has_key {
            let values = self.client.graph(&request.asset.source_symbol).await?;
            return Ok(self.known_from_now(request, values, "was fetched without a key"));
        }
        self.archived(request, first_vintage(request.from)).await
    }
}

/// The first day whose vintages are wanted of a request that begins at `from`.
fn first_vintage(from: Timestamp) -> Date {
    // Before any archive all instants are the same; arithmetic at the edge of the calendar is avoided.
    if from < market::calendar::midnight(date(1900, 1, 1)) {
        return FIRST_DAY;
    }
    Calendar::Nyse.trading_date(from).saturating_sub(1.day())
}
