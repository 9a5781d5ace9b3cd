//! Asking FRED: one request at a time, within its limit, and what its refusals mean.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use market::Clock;
use tokio::sync::Mutex;
use url::Url;

use super::answer::{self, Complaint, Days, Page};
use super::graph::{self, GraphError};
use super::key::Key;
use super::vintages::{LAST_DAY, Row, WINDOW_VINTAGES, windows};
use crate::failure::Failure;
use crate::http::{Answer, Http, HttpSettings, host_of, in_short};
use crate::pace::{self, Budget, Patience};
use crate::refusals::Refusals;

/// Two requests a second. The limit is enforced second by second: there is no burst.
const PERIOD: Duration = Duration::from_millis(500);

/// After "too often": half a minute, doubling.
const WHEN_LIMITED: Patience = Patience { first: Duration::from_secs(30), longest: Duration::from_secs(300), times: 4 };

/// After trouble of server, network or answer.
const WHEN_TROUBLED: Patience = Patience { first: Duration::from_secs(2), longest: Duration::from_secs(30), times: 3 };

/// A good key is sometimes said not to be registered, when the service is busy: asked once more.
const WHEN_UNREGISTERED: Patience =
    Patience { first: Duration::from_secs(5), longest: Duration::from_secs(10), times: 1 };

/// The largest pages there are.
const MOST_ROWS_A_PAGE: usize = 100_000;
const MOST_DAYS_A_PAGE: usize = 10_000;

/// More rows than any series has.
const MOST_ROWS: usize = 3_000_000;

/// How often pages are read from the beginning because the table changed while it was read.
const MOST_READINGS: usize = 3;

/// The newest release dates that are asked for; among them all that are announced.
const RELEASE_DATES: &str = "1000";

/// Periods and values as they stand today, and what was refused.
pub(super) type Values = (Vec<(Date, f64)>, Refusals);

/// What the archive has of a series.
pub(super) enum Archived {
    /// Its vintages in the windows asked for, cut by their edges.
    Vintages {
        /// In no order.
        rows: Vec<Row>,
        /// Rows that were not taken.
        refusals: Refusals,
    },
    /// Nothing: it keeps no vintages of this series.
    Nothing,
}

/// Why a request gave nothing.
enum Trouble {
    Failure(Failure),
    Unregistered(Failure),
    NotInArchive(Failure),
    TooManyVintages(Failure),
}

impl Trouble {
    fn into_failure(self) -> Failure {
        match self {
            Self::Failure(failure)
            | Self::Unregistered(failure)
            | Self::NotInArchive(failure)
            | Self::TooManyVintages(failure) => failure,
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    http: Http,
    api: Url,
    graph: Url,
    key: Option<Key>,
    clock: Arc<dyn Clock>,
    /// Held by whoever asks, through all trying again: while one waits because we asked too often, nobody asks.
    turn: Arc<Mutex<()>>,
}

impl Client {
    pub(super) fn new(api: Url, graph: Url, key: Option<Key>, http: HttpSettings, clock: Arc<dyn Clock>) -> Self {
        let http = Http::new(http, Budget::new(Arc::clone(&clock), PERIOD, NonZeroU32::MIN));
        Self { http, api, graph, key, clock, turn: Arc::default() }
    }

    /// Vintages in force on `start` or later.
    pub(super) async fn vintages(&self, series: &str, start: Date) -> Result<Archived, Failure> {
        let mut refusals = Refusals::default();
        match self.window(series, Some((start, LAST_DAY)), &mut refusals).await {
            Ok(rows) => return Ok(Archived::Vintages { rows, refusals }),
            Err(Trouble::NotInArchive(_)) => return Ok(Archived::Nothing),
            Err(Trouble::TooManyVintages(_)) => {}
            Err(trouble) => return Err(trouble.into_failure()),
        }
        let days = self.vintage_dates(series, start).await?;
        let mut rows = Vec::new();
        for window in windows(&days, start, WINDOW_VINTAGES) {
            match self.window(series, Some(window), &mut refusals).await {
                Ok(part) => rows.extend(part),
                // A window may end before the first value came, although vintages of nothing stand in it.
                Err(Trouble::NotInArchive(_)) => {}
                Err(trouble) => return Err(trouble.into_failure()),
            }
            if rows.len() > MOST_ROWS {
                return Err(self.malformed(format!("more than {MOST_ROWS} vintages of {series}")));
            }
        }
        Ok(Archived::Vintages { rows, refusals })
    }

    /// Today's values.
    pub(super) async fn current(&self, series: &str) -> Result<Values, Failure> {
        let mut refusals = Refusals::default();
        let rows = self.window(series, None, &mut refusals).await.map_err(Trouble::into_failure)?;
        let mut values: Vec<(Date, f64)> = Vec::with_capacity(rows.len());
        for Row { ref_period, value, .. } in rows {
            if values.last().is_some_and(|(last, _)| ref_period <= *last) {
                refusals.push(format!("{series}: {ref_period} does not follow the period before it"));
            } else {
                values.push((ref_period, value));
            }
        }
        Ok((values, refusals))
    }

    /// Today's values, without a key.
    pub(super) async fn graph(&self, series: &str) -> Result<Values, Failure> {
        let mut url = below(&self.graph, &["graph", "fredgraph.csv"]);
        url.query_pairs_mut().append_pair("id", series);
        let unknown = |answer: &Answer| Failure::Unknown { host: answer.host.clone(), spelling: series.to_owned() };
        let read = |answer: &Answer| match answer.status {
            200 => graph::parse(&answer.body, series).map_err(|error| match error {
                GraphError::Unknown => unknown(answer).into(),
                other => Failure::Malformed { host: answer.host.clone(), reason: other.to_string() }.into(),
            }),
            404 => Err(unknown(answer).into()),
            _ => Err(answer.failure().into()),
        };
        let table = self.ask(&url, read).await.map_err(Trouble::into_failure)?;
        let mut refusals = Refusals::default();
        table.refused.into_iter().for_each(|refused| refusals.push(refused));
        Ok((table.values, refusals))
    }

    /// The release a series belongs to.
    pub(super) async fn release(&self, series: &str) -> Result<u32, Failure> {
        let read = |answer: &Answer| {
            let releases = answer::releases(&answer.body).map_err(|error| error.to_string())?;
            releases.first().copied().ok_or_else(|| "the series belongs to no release".to_owned())
        };
        let query = [("series_id", series)];
        self.keyed(&["series", "release"], &query, series, read).await.map_err(Trouble::into_failure)
    }

    /// The days of a release, ascending, those announced among them.
    pub(super) async fn release_dates(&self, release: u32) -> Result<Vec<Date>, Failure> {
        let release = release.to_string();
        let query = [
            ("release_id", release.as_str()),
            ("include_release_dates_with_no_data", "true"),
            ("sort_order", "desc"),
            ("limit", RELEASE_DATES),
        ];
        let what = format!("release {release}");
        let read = |answer: &Answer| answer::release_dates(&answer.body).map_err(in_words);
        let Days { mut days, .. } =
            self.keyed(&["release", "dates"], &query, &what, read).await.map_err(Trouble::into_failure)?;
        days.sort_unstable();
        days.dedup();
        Ok(days)
    }

    /// The days from `start` on with which vintages begin, ascending.
    async fn vintage_dates(&self, series: &str, start: Date) -> Result<Vec<Date>, Failure> {
        let (start, end, limit) = (start.to_string(), LAST_DAY.to_string(), MOST_DAYS_A_PAGE.to_string());
        let mut all: Vec<Date> = Vec::new();
        loop {
            let offset = all.len().to_string();
            let query = [
                ("series_id", series),
                ("realtime_start", &start),
                ("realtime_end", &end),
                ("limit", &limit),
                ("offset", &offset),
            ];
            let read = |answer: &Answer| answer::vintage_dates(&answer.body).map_err(in_words);
            let Days { count, days } =
                self.keyed(&["series", "vintagedates"], &query, series, read).await.map_err(Trouble::into_failure)?;
            let is_last = days.is_empty() || all.len() + days.len() >= count;
            all.extend(days);
            if is_last {
                all.sort_unstable();
                all.dedup();
                return Ok(all);
            }
            if all.len() > MOST_ROWS {
                return Err(self.malformed(format!("more than {MOST_ROWS} vintage dates of {series}")));
            }
        }
    }

    /// All rows whose days meet a window of real-time days; today's without one.
    async fn window(
        &self,
        series: &str,
        realtime: Option<(Date, Date)>,
        refusals: &mut Refusals,
    ) -> Result<Vec<Row>, Trouble> {
        for _ in 0..MOST_READINGS {
            if let Some((rows, refused)) = self.pages(series, realtime).await? {
                refused.into_iter().for_each(|refused| refusals.push(format!("{series}, {refused}")));
                return Ok(rows);
            }
        }
        Err(self.malformed(format!("the rows of {series} changed each time while they were read")).into())
    }

    /// One reading of all pages; `None` when there were other rows at the end than at the beginning.
    async fn pages(
        &self,
        series: &str,
        realtime: Option<(Date, Date)>,
    ) -> Result<Option<(Vec<Row>, Vec<String>)>, Trouble> {
        let realtime = realtime.map(|(start, end)| (start.to_string(), end.to_string()));
        let limit = MOST_ROWS_A_PAGE.to_string();
        let (mut rows, mut refused, mut n_read, mut expected) = (Vec::new(), Vec::new(), 0, None);
        loop {
            let offset = n_read.to_string();
            let mut query = vec![("series_id", series), ("limit", &limit), ("offset", &offset)];
            if let Some((start, end)) = &realtime {
                query.extend([("realtime_start", start.as_str()), ("realtime_end", end), ("output_type", "1")]);
            }
            let read = |answer: &Answer| answer::observations(&answer.body).map_err(in_words);
            let page: Page = self.keyed(&["series", "observations"], &query, series, read).await?;
            if page.count > MOST_ROWS {
                return Err(self.malformed(format!("{} rows of {series}", page.count)).into());
            }
            let is_other = expected.is_some_and(|expected| expected != page.count);
            n_read += page.n_rows;
            if is_other || n_read > page.count || (page.n_rows == 0 && n_read < page.count) {
                return Ok(None);
            }
            expected = Some(page.count);
            rows.extend(page.rows);
            refused.extend(page.refused);
            if n_read == page.count {
                return Ok(Some((rows, refused)));
            }
        }
    }

    /// Asks the keyed service; `what` names what is asked about.
    async fn keyed<T>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        what: &str,
        read: impl Fn(&Answer) -> Result<T, String>,
    ) -> Result<T, Trouble> {
        let mut url = below(&self.api, &["fred"]);
        url = below(&url, path);
        url.query_pairs_mut().extend_pairs(query).append_pair("file_type", "json");
        if let Some(key) = &self.key {
            url.query_pairs_mut().append_pair("api_key", key.expose());
        }
        let read = |answer: &Answer| match answer.status {
            200 => read(answer).map_err(|reason| answer.malformed(reason).into()),
            400 | 404 => Err(refusal(answer, what)),
            // Locked for maintenance.
            423 => Err(Failure::Server { host: answer.host.clone(), status: 423, said: answer.excerpt() }.into()),
            _ => Err(answer.failure().into()),
        };
        self.ask(&url, read).await
    }

    /// Asks until there is an answer or no hope of one.
    async fn ask<T>(&self, url: &Url, read: impl Fn(&Answer) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let _turn = self.turn.lock().await;
        let (mut limited, mut troubled) = (WHEN_LIMITED.pauses(), WHEN_TROUBLED.pauses());
        let mut unregistered = WHEN_UNREGISTERED.pauses();
        loop {
            let answer = self.http.get(url.clone(), &[], NonZeroU32::MIN).await;
            let trouble = match answer.map_err(Trouble::from).and_then(|answer| read(&answer)) {
                Ok(told) => return Ok(told),
                Err(trouble) => trouble,
            };
            let pause = match &trouble {
                Trouble::Failure(Failure::Limited { retry_after, .. }) => {
                    let asked = retry_after.unwrap_or_default();
                    limited.next().filter(|_| asked <= WHEN_LIMITED.longest).map(|pause| pause.max(asked))
                }
                Trouble::Failure(failure) if failure.is_transient() => troubled.next(),
                Trouble::Unregistered(_) => unregistered.next(),
                _ => None,
            };
            let Some(pause) = pause else { return Err(self.without_key(trouble)) };
            pace::sleep(&*self.clock, pause).await;
        }
    }

    /// The trouble, in words that do not hold the key: a page of someone in between may repeat the address.
    fn without_key(&self, trouble: Trouble) -> Trouble {
        let hide = |text: String| match &self.key {
            Some(key) => text.replace(key.expose(), "***"),
            None => text,
        };
        let hidden = |failure| match failure {
            Failure::Server { host, status, said } => Failure::Server { host, status, said: hide(said) },
            Failure::Refused { host, status, said } => Failure::Refused { host, status, said: hide(said) },
            Failure::Restricted { host, said } => Failure::Restricted { host, said: hide(said) },
            Failure::Malformed { host, reason } => Failure::Malformed { host, reason: hide(reason) },
            other => other,
        };
        match trouble {
            Trouble::Failure(failure) => Trouble::Failure(hidden(failure)),
            Trouble::Unregistered(failure) => Trouble::Unregistered(hidden(failure)),
            Trouble::NotInArchive(failure) => Trouble::NotInArchive(hidden(failure)),
            Trouble::TooManyVintages(failure) => Trouble::TooManyVintages(hidden(failure)),
        }
    }

    fn malformed(&self, reason: String) -> Failure {
        Failure::Malformed { host: host_of(&self.api), reason }
    }
}

/// What a refusal means.
fn refusal(answer: &Answer, what: &str) -> Trouble {
    let (complaint, said) = answer::complaint(&answer.body);
    let refused =
        |why: &str| Failure::Refused { host: answer.host.clone(), status: answer.status, said: format!("{why}{said}") };
    match complaint {
        Complaint::KeyMissing => Trouble::Failure(refused("the key is missing: ")),
        Complaint::KeyFormat => Trouble::Failure(refused("the key is not one: ")),
        Complaint::KeyUnregistered => Trouble::Unregistered(refused("the key is not registered: ")),
        Complaint::NoSeries => {
            Trouble::Failure(Failure::Unknown { host: answer.host.clone(), spelling: what.to_owned() })
        }
        Complaint::NotInArchive => Trouble::NotInArchive(refused("")),
        Complaint::TooManyVintages => Trouble::TooManyVintages(refused("")),
        Complaint::Other => Trouble::Failure(refused("")),
    }
}

fn in_words(error: answer::AnswerError) -> String {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(&error) {
        text.push_str(": ");
        text.push_str(&in_short(cause));
    }
    text
}

/// An address below a base.
fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url.set_query(None);
    url
}
