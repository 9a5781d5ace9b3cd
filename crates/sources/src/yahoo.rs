//! Yahoo: stocks, funds, indices, and coins as a second source.
//!
//! [`Yahoo`] asks and follows. What is said over the wire is read by plain functions, [`parse_chart`] and
//! [`parse_stream_message`]; [`read_chart`] makes facts of a chart, [`faults`] knows what is wrong with Yahoo's rows.
//!
//! Answers are not kept for later: whoever asks the same twice within seconds is the one to remember.

mod chart;
mod history;
mod place;

pub mod faults;

mod client;
mod crumb;
mod quote;

mod poll;
mod pricing;
mod stream;

mod spelling;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetClass, AssetKind, Clock, Timeframe};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::failure::Failure;
use crate::http::HttpSettings;
use crate::pace::{Budget, Patience};
use crate::source::{DataSource, Fetched, LiveEvent, LiveSource, Request};

pub use chart::{Cells, Chart, ChartError, DividendEvent, Meta, SplitEvent, parse_chart};
pub use history::read_chart;
pub use pricing::{PricingData, StreamError, parse_stream_message};
pub use quote::{LastPrice, parse_quotes};
pub use spelling::spelling;

use client::Client;

/// Where Yahoo is and how it is spoken to. Any base address may be plain HTTP on loopback, and may have a path.
#[derive(Debug, Clone)]
pub struct YahooSettings {
    /// What stands beside everything it tells.
    pub name: String,
    /// Hosts that answer queries, the first choice first; at least one.
    pub query: Vec<Url>,
    /// The page that hands out the cookie.
    pub cookie: Url,
    /// A page of the site itself: the way to the cookie through the form of consent, where the law asks for one.
    pub site: Url,
    /// The stream.
    pub streamer: Url,
    /// How requests are made. Yahoo refuses agents that do not look like a browser's.
    pub http: HttpSettings,
    /// How failed requests are tried again.
    pub patience: Patience,
    /// How long the source is left alone when it says that it was asked too often; doubles while it goes on saying so.
    pub rest: Duration,
    /// The longest rest.
    pub longest_rest: Duration,
}

impl Default for YahooSettings {
    fn default() -> Self {
        let url = |text: &str| Url::parse(text).expect("the addresses below are addresses");
        let user_agent = concat!("Mozilla/5.0 (compatible; auspex/", env!("CARGO_PKG_VERSION"), ")").to_owned();
        Self {
            name: "yahoo".to_owned(),
            query: vec![url("https://query2.finance.yahoo.com/"), url("https://query1.finance.yahoo.com/")],
            cookie: url("https://fc.yahoo.com/"),
            site: url("https://finance.yahoo.com/quote/AAPL"),
            streamer: url("wss://streamer.finance.yahoo.com/?version=2"),
            http: HttpSettings { user_agent, ..HttpSettings::default() },
            patience: Patience { first: Duration::from_secs(1), longest: Duration::from_secs(20), times: 3 },
            rest: Duration::from_secs(60),
            longest_rest: Duration::from_secs(3600),
        }
    }
}

/// Yahoo, as a source of history and of live prices.
#[derive(Debug)]
pub struct Yahoo {
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Yahoo {
    /// The budget for everyone who asks Yahoo from this process: two requests a second.
    #[must_use]
    pub fn budget(clock: Arc<dyn Clock>) -> Budget {
        Budget::new(clock, Duration::from_millis(500), NonZeroU32::MIN)
    }

    /// A source that spends of `budget` and waits by `clock`.
    #[must_use]
    pub fn new(settings: YahooSettings, budget: Budget, clock: Arc<dyn Clock>) -> Self {
        Self { client: Client::new(settings, budget, Arc::clone(&clock)), clock }
    }

    /// The chart of `[from, now]`, asked for in parts where one answer may not be longer.
    async fn chart(
        &self,
        spelling: &str,
        timeframe: Timeframe,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Chart>, Failure> {
        let interval = history::interval(timeframe).unwrap_or_default();
        let longest = if timeframe == Timeframe::M1 { LONGEST_OF_MINUTES } else { SignedDuration::MAX };
        let mut whole: Option<Chart> = None;
        let mut start = from;
        while start < now {
            let end = start.saturating_add(longest).map_or(now, |end| end.min(now));
            // Both ends are part of the window. The last one ends in the future: prices are adjusted for every split up to
            // when the answer is made, and it must hold them all.
            let ahead = if end == now { ANSWERED_WITHIN } else { 0 };
            let window = (start.as_second(), end.as_second().saturating_add(ahead));
            if let Some(mut part) = self.client.chart(spelling, interval, window).await? {
                // A window that ends in the past may still be given the running row.
                part.cells.retain(|cells| cells.stamp.is_none_or(|stamp| stamp <= window.1 || end == now));
                match &mut whole {
                    Some(whole) => whole.extend(part),
                    None => whole = Some(part),
                }
            }
            start = end;
        }
        Ok(whole)
    }
}

/// An answer of minutes covers eight calendar days at most; older texts say seven. One of them is the one ahead.
const LONGEST_OF_MINUTES: SignedDuration = SignedDuration::from_hours(6 * 24);

/// Whatever waits and is tried again, within this many seconds an answer is made.
const ANSWERED_WITHIN: i64 = 86_400;

/// The oldest instant that is asked for: 1900.
const BEGINNING: i64 = -2_208_988_800;

/// How far back before now Yahoo has bars of a length. A window that begins a moment earlier is refused as a whole.
const fn look_back(timeframe: Timeframe) -> Option<SignedDuration> {
    let days = match timeframe {
        Timeframe::M1 => 29,
        Timeframe::M5 | Timeframe::M15 | Timeframe::M30 => 59,
        Timeframe::H1 => 729,
        Timeframe::D1 => return Some(SignedDuration::MAX),
        _ => return None,
    };
    Some(SignedDuration::from_hours(24 * days))
}

/// How much more is asked for before what is wanted: what stands beside a row tells whether the row can be true.
const fn context(timeframe: Timeframe) -> SignedDuration {
    SignedDuration::from_hours(match timeframe {
        Timeframe::D1 => 24 * 45,
        Timeframe::H1 => 24 * 10,
        _ => 24 * 4,
    })
}

#[async_trait]
impl DataSource for Yahoo {
    fn name(&self) -> &str {
        &self.client.settings().name
    }

    fn reach(&self, asset: &Asset, timeframe: Timeframe) -> Option<SignedDuration> {
        spelling(asset)?;
        look_back(timeframe)
    }

    /// Prices are 32-bit floats.
    fn tolerance(&self) -> f64 {
        1e-6
    }

    fn delay(&self, asset: &Asset, timeframe: Timeframe) -> SignedDuration {
        history::margin(asset.class(), timeframe)
    }

    /// Splits come with bars of any length, dividends with days, where they can be held against prices.
    async fn fetch(&self, request: &Request<'_>) -> Result<Fetched, Failure> {
        let not_offered = || {
            let what = format!("{} bars of {}", request.timeframe, request.asset.symbol);
            Failure::NotOffered { source_name: self.client.settings().name.clone(), what }
        };
        let spelling = spelling(request.asset).ok_or_else(not_offered)?;
        let look_back = look_back(request.timeframe).ok_or_else(not_offered)?;
        let now = self.clock.now();
        let oldest = now.saturating_sub(look_back).unwrap_or(Timestamp::MIN);
        let oldest = oldest.max(Timestamp::from_second(BEGINNING).unwrap_or(Timestamp::MIN));
        if request.to <= oldest || request.from >= request.to || request.from >= now {
            return Ok(Fetched::default());
        }
        let from = request.from.saturating_sub(context(request.timeframe)).unwrap_or(oldest).max(oldest);
        match self.chart(&spelling, request.timeframe, from, now).await? {
            Some(chart) => read_chart(&chart, request, now, &self.client.host()),
            None => Ok(Fetched::default()),
        }
    }
}

#[async_trait]
impl LiveSource for Yahoo {
    fn name(&self) -> &str {
        &self.client.settings().name
    }

    /// Stocks, funds, indices; and coins that hold a price, where they are quoted in dollars. Other coins have a better
    /// stream elsewhere, and in the currency they are quoted in.
    fn follows(&self, asset: &Asset) -> bool {
        match asset.class() {
            AssetClass::Stocks => true,
            AssetClass::Crypto => asset.kind == AssetKind::Stable && asset.quote == "USD",
            AssetClass::Macro => false,
        }
    }

    fn timeframes(&self) -> &[Timeframe] {
        &[]
    }

    async fn follow(&self, assets: &[Asset], events: mpsc::Sender<LiveEvent>, token: CancellationToken) {
        let followed: Vec<Asset> = assets.iter().filter(|asset| self.follows(asset)).cloned().collect();
        stream::follow(&self.client, &*self.clock, &followed, &events, &token).await;
    }
}
