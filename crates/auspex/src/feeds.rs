//! From settings to the sources that are asked, and whether the market they show is a real one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use engine::live::{LiveSettings, Provider, Roster};
use jiff::SignedDuration;
use market::{AcceleratedClock, Adjustment, AssetClass, ChainId, Clock, Origin, Timeframe};
use sources::binance::{Binance, BinanceSettings};
use sources::daily_csv::{DailyCsv, DailyCsvSettings};
use sources::fred::{Fred, FredSettings, Key};
use sources::http::HttpSettings;
use sources::simulated::{SimulatedRun, probe};
use sources::yahoo::{Yahoo, YahooSettings};
use tracing::{info, warn};
use url::Url;

use crate::compose::system_clock;
use crate::settings::{ExchangeSettings, SourceSettings};

/// What the names of simulated sources begin with.
pub(crate) const SIMULATED: &str = "simulated-";

/// The names that can stand in `sources.enabled`.
pub(crate) const KNOWN: [&str; 5] = ["binance", "binanceus", "yahoo", "daily_csv", "fred"];

/// What is wrong with the settings of the sources, beyond types.
pub(crate) fn check(settings: &SourceSettings) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in settings.enabled.iter().filter(|name| !KNOWN.contains(&name.as_str())) {
        complaints.push(format!("sources.enabled names {name:?}: known are {}", KNOWN.join(", ")));
    }
    for text in &settings.crypto_minutes {
        match text.parse::<Timeframe>() {
            Ok(timeframe) if timeframe < Timeframe::H1 => {}
            Ok(_) => complaints.push(format!("sources.crypto_minutes names {text:?}: it is not shorter than an hour")),
            Err(error) => complaints.push(format!("sources.crypto_minutes: {error}")),
        }
    }
    for (key, text) in addresses(settings) {
        match Url::parse(text) {
            Ok(url) if ["http", "https", "ws", "wss"].contains(&url.scheme()) && url.has_host() => {}
            _ => complaints.push(format!("{key} is {text:?}: an address such as https://example.org is expected")),
        }
    }
    if settings.daily_csv.adjustment.parse::<Adjustment>().is_err() {
        complaints.push(format!(
            "sources.daily_csv.adjustment is {:?}: split or total_return is expected",
            settings.daily_csv.adjustment
        ));
    }
    complaints
}

/// Every address that is set, with its key.
fn addresses(settings: &SourceSettings) -> Vec<(&'static str, &str)> {
    let lists = [
        ("sources.binance.rest", &settings.binance.rest),
        ("sources.binance.streams", &settings.binance.streams),
        ("sources.binanceus.rest", &settings.binanceus.rest),
        ("sources.binanceus.streams", &settings.binanceus.streams),
        ("sources.yahoo.query", &settings.yahoo.query),
    ];
    let single = [
        ("sources.yahoo.cookie", &settings.yahoo.cookie),
        ("sources.yahoo.streamer", &settings.yahoo.streamer),
        ("sources.fred.api", &settings.fred.api),
        ("sources.fred.graph", &settings.fred.graph),
        ("sources.daily_csv.url", &settings.daily_csv.url),
        ("sources.lists.sp500", &settings.lists.sp500),
        ("sources.lists.nasdaq100", &settings.lists.nasdaq100),
    ];
    let lists = lists.into_iter().flat_map(|(key, list)| list.iter().map(move |text| (key, text.as_str())));
    lists
        .chain(single.into_iter().map(|(key, text)| (key, text.as_str())).filter(|(_, text)| !text.is_empty()))
        .collect()
}

/// The market that is followed.
#[derive(Debug, Clone)]
pub(crate) struct Feeds {
    pub(crate) chain: ChainId,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether answers of a simulated market are taken, and of no other.
    simulated: bool,
}

impl Feeds {
    /// The real market; or, where the addresses that are set lead to a simulated one, that one on its own clock, into a
    /// ledger of its own. An address that does not answer is taken for a real one: what it says later is believed only
    /// if it does not call itself simulated.
    pub(crate) async fn find(settings: &SourceSettings) -> anyhow::Result<Self> {
        let mut simulated: Option<SimulatedRun> = None;
        let mut real = None;
        for (key, text) in addresses(settings) {
            if key.starts_with("sources.lists") {
                continue;
            }
            match probe(&Url::parse(text)?).await {
                Ok(Some(run)) => match &simulated {
                    Some(other) if other.run != run.run => {
                        bail!("two simulated markets are named in the settings: {} and {}", other.run, run.run)
                    }
                    _ => simulated = Some(run),
                },
                Ok(None) => real = Some(key),
                Err(failure) => {
                    warn!("{key}: {}", failure.in_words());
                    real = Some(key);
                }
            }
        }
        let Some(run) = simulated else {
            return Ok(Self { chain: ChainId::live(), clock: system_clock(), simulated: false });
        };
        if let Some(key) = real {
            bail!("{key} leads elsewhere than the simulated market {}: a ledger is of one or the other", run.run);
        }
        info!(
            "the market is simulated ({}): its clock shows {}, {} times as fast as life",
            run.run, run.now, run.speed
        );
        Ok(Self {
            chain: ChainId::new(Origin::Simulated, Some(&run.run))?,
            clock: Arc::new(AcceleratedClock::new(run.now, run.speed)),
            simulated: true,
        })
    }

    /// A simulated market in this process.
    pub(crate) fn simulated(chain: ChainId, clock: Arc<dyn Clock>) -> Self {
        Self { chain, clock, simulated: true }
    }

    /// The sources that are enabled. Of a simulated market only those with an address of their own: the others would ask
    /// the real one.
    pub(crate) fn roster(&self, settings: &SourceSettings) -> anyhow::Result<Roster> {
        let mut providers = Vec::new();
        for name in &settings.enabled {
            if let Some(provider) = self.provider(name, settings)? {
                providers.push(provider);
            }
        }
        Ok(Roster::new(providers))
    }

    /// The name that stands beside everything a source tells: nobody takes a simulated one for the vendor.
    fn named(&self, vendor: &str) -> String {
        if self.simulated { format!("{SIMULATED}{vendor}") } else { vendor.to_owned() }
    }

    /// How a vendor is asked.
    pub(crate) fn http(&self, settings: &SourceSettings, usual: HttpSettings) -> HttpSettings {
        let user_agent = Some(settings.user_agent.clone()).filter(|agent| !agent.is_empty());
        HttpSettings {
            user_agent: user_agent.unwrap_or(usual.user_agent),
            timeout: Duration::from_secs(settings.timeout_s),
            simulated: self.simulated,
            ..usual
        }
    }

    fn provider(&self, name: &str, settings: &SourceSettings) -> anyhow::Result<Option<Provider>> {
        let clock = || Arc::clone(&self.clock);
        let one = |text: &str| if text.is_empty() { Ok(None) } else { Url::parse(text).map(Some) };
        let provider = match name {
            "binance" => self.exchange(BinanceSettings::global(), &settings.binance, settings)?,
            "binanceus" => self.exchange(BinanceSettings::us(), &settings.binanceus, settings)?,
            "yahoo" => {
                let usual = YahooSettings::default();
                let hosts = &settings.yahoo;
                let query = hosts.query.iter().map(|text| Url::parse(text)).collect::<Result<Vec<_>, _>>()?;
                if self.simulated && query.is_empty() {
                    return Ok(None);
                }
                let first = query.first().cloned();
                let yahoo = Arc::new(Yahoo::new(
                    YahooSettings {
                        name: self.named(&usual.name),
                        cookie: one(&hosts.cookie)?.or(first.clone()).unwrap_or(usual.cookie),
                        site: first.clone().unwrap_or(usual.site),
                        streamer: one(&hosts.streamer)?.or(first).map(socket).unwrap_or(usual.streamer),
                        query: if query.is_empty() { usual.query } else { query },
                        http: self.http(settings, usual.http),
                        ..YahooSettings::default()
                    },
                    Yahoo::budget(clock()),
                    clock(),
                ));
                let classes = vec![AssetClass::Stocks, AssetClass::Crypto];
                Some(Provider { data: Arc::clone(&yahoo) as _, live: Some(yahoo), classes, parallel: 4 })
            }
            "fred" => {
                let usual = FredSettings::default();
                let (api, graph) = (one(&settings.fred.api)?, one(&settings.fred.graph)?);
                if self.simulated && api.is_none() && graph.is_none() {
                    return Ok(None);
                }
                let key = match settings.fred_api_key.as_str() {
                    "" => None,
                    text => Some(text.parse::<Key>()?),
                };
                let fred = Fred::new(
                    FredSettings {
                        name: self.named(&usual.name),
                        graph: graph.or(api.clone()).unwrap_or(usual.graph),
                        api: api.unwrap_or(usual.api),
                        key,
                        http: self.http(settings, usual.http),
                    },
                    clock(),
                );
                Some(Provider { data: Arc::new(fred), live: None, classes: vec![AssetClass::Macro], parallel: 1 })
            }
            "daily_csv" => {
                let Some(url) = one(&settings.daily_csv.url)? else { return Ok(None) };
                let usual = DailyCsvSettings::default();
                let address = url.as_str().trim_end_matches('/');
                let csv = DailyCsv::new(
                    DailyCsvSettings {
                        name: self.named(name),
                        template: format!("{address}/q/d/l/?s={{symbol}}&i=d&d1={{from}}&d2={{to}}"),
                        adjustment: settings.daily_csv.adjustment.parse()?,
                        http: self.http(settings, usual.http.clone()),
                        ..usual
                    },
                    clock(),
                )?;
                Some(Provider { data: Arc::new(csv), live: None, classes: vec![AssetClass::Stocks], parallel: 1 })
            }
            other => bail!("sources.enabled names {other:?}: known are {}", KNOWN.join(", ")),
        };
        Ok(provider)
    }

    fn exchange(
        &self,
        usual: BinanceSettings,
        hosts: &ExchangeSettings,
        settings: &SourceSettings,
    ) -> anyhow::Result<Option<Provider>> {
        let rest = hosts.rest.iter().map(|text| Url::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let mut streams =
            hosts.streams.iter().map(|text| Url::parse(text).map(socket)).collect::<Result<Vec<_>, _>>()?;
        if self.simulated && rest.is_empty() {
            return Ok(None);
        }
        if streams.is_empty() && self.simulated {
            streams = rest.iter().cloned().map(socket).collect();
        }
        let minutes = settings.crypto_minutes.iter().map(|text| text.parse::<Timeframe>());
        let mut timeframes = minutes.collect::<Result<Vec<_>, _>>()?;
        timeframes.extend([Timeframe::H1, Timeframe::D1]);
        let exchange = Arc::new(Binance::new(
            BinanceSettings {
                name: self.named(&usual.name),
                rest: if rest.is_empty() { usual.rest } else { rest },
                streams: if streams.is_empty() { usual.streams } else { streams },
                timeframes,
                http: self.http(settings, usual.http),
                ..usual
            },
            Arc::clone(&self.clock),
        ));
        let classes = vec![AssetClass::Crypto];
        Ok(Some(Provider { data: Arc::clone(&exchange) as _, live: Some(exchange), classes, parallel: 4 }))
    }
}

/// The same address for sockets.
fn socket(mut url: Url) -> Url {
    let scheme = if matches!(url.scheme(), "https" | "wss") { "wss" } else { "ws" };
    // Between the schemes of the web every change is allowed.
    let _ = url.set_scheme(scheme);
    url
}

/// How much is followed.
pub(crate) fn live_settings(settings: &SourceSettings) -> anyhow::Result<LiveSettings> {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let minutes = settings.crypto_minutes.iter().map(|text| Ok((AssetClass::Crypto, text.parse()?)));
    Ok(LiveSettings {
        minutes: minutes.collect::<anyhow::Result<_>>()?,
        minutes_back: days(settings.minutes_days),
        hours_back: days(settings.hours_days),
        days_back: days(settings.days_days),
        releases_every: SignedDuration::from_secs(settings.releases_s),
        failover_after: SignedDuration::from_secs(settings.failover_s),
        disagreement: f64::from(settings.disagreement_bp) / 10_000.0,
        ..LiveSettings::default()
    })
}
