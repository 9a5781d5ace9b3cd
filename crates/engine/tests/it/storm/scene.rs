//! A market at a moment that matters, and the whole of what follows it.

use std::sync::Arc;
use std::time::Duration;

use engine::live::{Live, LiveSettings, Provider, Roster};
use engine::{Engine, Settings};
use jiff::{SignedDuration, Timestamp};
use market::{AcceleratedClock, Asset, AssetClass, AssetKind, Clock, Symbol, Timeframe};
use simulator::server::{Exchange, FaultPlan, Faults, Running, start};
use simulator::{Market, Setup, Tape};
use sources::binance::{Binance, BinanceSettings};
use sources::daily_csv::{DailyCsv, DailyCsvSettings};
use sources::fred::{Fred, FredSettings};
use sources::http::HttpSettings;
use sources::yahoo::{Yahoo, YahooSettings};
use storage::{LocalEvents, SeriesKey, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::home::{Home, at, settings};

/// When a storm begins, and how fast its clock runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Play {
    pub(super) name: &'static str,
    /// When the simulated market's planned events begin.
    live_start: &'static str,
    begins: &'static str,
    speed: f64,
}

const PLAYS: [Play; 10] = [
    Play {
        name: "a split at the open, after a late hour of a coin",
        live_start: "2024-06-03T12:00:00Z",
        begins: "2024-06-06T13:15:00Z",
        speed: 600.0,
    },
    Play {
        name: "the session closes and the day of the coins ends",
        live_start: "2024-06-03T12:00:00Z",
        begins: "2024-06-04T19:40:00Z",
        speed: 3000.0,
    },
    Play {
        name: "an hour of a coin comes late",
        live_start: "2024-06-11T14:30:00Z",
        begins: "2024-06-12T14:45:00Z",
        speed: 900.0,
    },
    Play {
        name: "a macro value is corrected",
        live_start: "2024-06-03T12:00:00Z",
        begins: "2024-06-10T12:15:00Z",
        speed: 600.0,
    },
    Play {
        name: "the session closes early",
        live_start: "2024-11-25T12:00:00Z",
        begins: "2024-11-29T17:30:00Z",
        speed: 900.0,
    },
    Play {
        name: "daylight saving begins in New York",
        live_start: "2024-03-06T12:00:00Z",
        begins: "2024-03-11T13:15:00Z",
        speed: 1200.0,
    },
    Play {
        name: "daylight saving ends in New York",
        live_start: "2024-10-30T12:00:00Z",
        begins: "2024-11-04T14:10:00Z",
        speed: 1200.0,
    },
    Play { name: "midnight", live_start: "2024-06-03T12:00:00Z", begins: "2024-06-07T23:40:00Z", speed: 300.0 },
    Play { name: "minutes", live_start: "2024-06-03T12:00:00Z", begins: "2024-06-05T15:20:00Z", speed: 120.0 },
    Play {
        name: "a day and a half",
        live_start: "2024-06-03T12:00:00Z",
        begins: "2024-06-05T18:00:00Z",
        speed: 20_000.0,
    },
];

pub(super) fn of(seed: u64) -> Play {
    PLAYS[usize::try_from(seed).unwrap() % PLAYS.len()]
}

const MINUTES_BACK: SignedDuration = SignedDuration::from_hours(6);
const HOURS_BACK: SignedDuration = SignedDuration::from_hours(24 * 50);
const DAYS_BACK: SignedDuration = SignedDuration::from_hours(24 * 390);

pub(super) struct Scene {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) storm_ends: Timestamp,
    /// How long to wait for everything to come after the storm, in real time.
    pub(super) patience: Duration,
    pub(super) home: Home,
    pub(super) engine: Arc<Engine>,
    pub(super) exchange: Running,
    roster: Roster,
    token: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// A series that comes first for its asset.
#[derive(Debug, Clone)]
pub(super) struct First {
    pub(super) key: SeriesKey,
    /// Its asset's place on the tape.
    pub(super) place: usize,
    pub(super) tolerance: f64,
    /// Bars that open from then on were asked for in any case.
    pub(super) from: Timestamp,
}

impl Scene {
    pub(super) async fn open(seed: u64, storm: Duration) -> Self {
        let play = of(seed);
        let (begins, live_start) = (at(play.begins), at(play.live_start));
        let universe = universe();
        let back = |days: i64| live_start - SignedDuration::from_hours(24 * days);
        let setup = Setup {
            macro_from: back(365 * 8),
            daily_from: back(480),
            hourly_from: back(75),
            ..Setup::new(seed, universe.clone(), live_start)
        };
        let tape = Tape::generated(&Market::new(setup).unwrap());
        let home = Home::new().await;
        home.store.put_assets(&universe).await.unwrap();

        let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(begins, play.speed));
        let lasts = SignedDuration::from_secs_f64(storm.as_secs_f64() * play.speed);
        let faults = Faults::new(FaultPlan::storm(seed).until(lasts), begins);
        let (run, ticks_a_second) = (format!("storm-{seed}"), 1.0);
        let exchange = Exchange { tape, clock: Arc::clone(&clock), speed: play.speed, run, faults, ticks_a_second };
        let exchange = start(exchange).await.unwrap();

        let roster = roster(&exchange, &clock, true);
        let store: Arc<dyn Store> = home.store.clone();
        let settings = Settings { timeframes: vec![Timeframe::H1, Timeframe::D1], ..settings() };
        let events = Arc::new(LocalEvents::default());
        let engine = Arc::new(Engine::open(store, events, Arc::clone(&clock), settings).await.unwrap());
        let live = Live::new(Arc::clone(&engine), roster.clone(), live_settings());
        let token = CancellationToken::new();
        let (following, stepping, stepper) = (token.clone(), token.clone(), Arc::clone(&engine));
        let tasks = vec![
            tokio::spawn(async move { live.run(following).await.unwrap() }),
            tokio::spawn(async move { stepper.run(stepping).await }),
        ];
        // Three hours of the market, and never less than half a minute of ours.
        let patience = Duration::from_secs_f64(3.0 * 3600.0 / play.speed).max(Duration::from_secs(30));
        Self { clock, storm_ends: begins + lasts, patience, home, engine, exchange, roster, token, tasks }
    }

    /// Every series that comes first for its asset.
    pub(super) fn firsts(&self) -> Vec<First> {
        let mut firsts = Vec::new();
        let assets = self.engine.assets();
        for (place, on_tape) in self.exchange.exchange.tape.assets().into_iter().enumerate() {
            let Some(asset) = assets.iter().find(|asset| asset.symbol == on_tape.symbol) else { continue };
            let timeframes = match (asset.class(), asset.kind) {
                (AssetClass::Macro, _) => continue,
                (_, AssetKind::Index) => &[Timeframe::D1][..],
                (AssetClass::Stocks, _) => &[Timeframe::H1, Timeframe::D1],
                (AssetClass::Crypto, _) => &[Timeframe::M1, Timeframe::H1, Timeframe::D1],
            };
            for &timeframe in timeframes {
                let source = self.roster.first_for(asset, timeframe).unwrap();
                let (symbol, adjustment) = (asset.symbol.clone(), source.adjustment());
                let back = match timeframe {
                    Timeframe::M1 => MINUTES_BACK,
                    Timeframe::H1 => HOURS_BACK,
                    _ => DAYS_BACK,
                };
                firsts.push(First {
                    key: SeriesKey { symbol, timeframe, adjustment, source: source.name().to_owned() },
                    place,
                    tolerance: source.tolerance(),
                    from: self.storm_ends - back,
                });
            }
        }
        firsts
    }

    pub(super) fn asset(&self, symbol: &Symbol) -> Asset {
        self.engine.asset(symbol).unwrap()
    }

    /// Ends everything; all must have ended within seconds.
    pub(super) async fn close(&mut self) -> Result<(), String> {
        self.token.cancel();
        for task in self.tasks.drain(..) {
            let ended = tokio::time::timeout(Duration::from_secs(5), task).await;
            ended
                .map_err(|_| "a task did not end within five seconds".to_owned())?
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn universe() -> Vec<Asset> {
    let known = market::universe::default_universe();
    let wanted = ["BTC", "ETH", "DOGE", "NVDA", "AAPL", "CPI", "UNEMPLOYMENT"];
    wanted.map(|name| known.iter().find(|asset| asset.symbol.as_str() == name).unwrap().clone()).to_vec()
}

pub(super) fn live_settings() -> LiveSettings {
    LiveSettings {
        minutes_back: MINUTES_BACK,
        hours_back: HOURS_BACK,
        days_back: DAYS_BACK,
        releases_every: SignedDuration::from_mins(10),
        ..LiveSettings::default()
    }
}

/// All clients, at an exchange of this process; `simulated` says whether they take its word.
pub(super) fn roster(exchange: &Running, clock: &Arc<dyn Clock>, simulated: bool) -> Roster {
    let url = |path: &str| Url::parse(&format!("{}{path}", exchange.http())).unwrap();
    let socket = |path: &str| Url::parse(&format!("{}{path}", exchange.ws())).unwrap();
    let http = |usual: HttpSettings| HttpSettings { simulated, timeout: Duration::from_secs(5), ..usual };
    let clock = || Arc::clone(clock);
    let coins = |settings: BinanceSettings, path: &str| {
        let http = http(settings.http.clone());
        let (rest, streams) = (vec![url(path)], vec![socket(path)]);
        Arc::new(Binance::new(BinanceSettings { rest, streams, http, ..settings }, clock()))
    };
    let binance = coins(BinanceSettings::global(), "/");
    let us = coins(BinanceSettings::us(), "/binanceus");
    let usual = YahooSettings::default();
    let yahoo = YahooSettings {
        query: vec![url("/")],
        cookie: url("/"),
        site: url("/"),
        streamer: socket("/?version=2"),
        http: http(usual.http.clone()),
        ..usual
    };
    let yahoo = Arc::new(Yahoo::new(yahoo, Yahoo::budget(clock()), clock()));
    let usual = FredSettings::default();
    let key = Some("abcdefghijklmnopqrstuvwxyz012345".parse().unwrap());
    let fred = FredSettings { api: url("/"), graph: url("/"), key, http: http(usual.http.clone()), ..usual };
    let usual = DailyCsvSettings::default();
    let template = format!("{}/q/d/l/?s={{symbol}}&i=d&d1={{from}}&d2={{to}}", exchange.http());
    let csv = DailyCsvSettings { template, http: http(usual.http.clone()), ..usual };
    let one = |data: Arc<dyn sources::DataSource>, classes| Provider { data, live: None, classes, parallel: 1 };
    let crypto = || vec![AssetClass::Crypto];
    Roster::new(vec![
        Provider { data: binance.clone(), live: Some(binance), classes: crypto(), parallel: 4 },
        Provider { data: us.clone(), live: Some(us), classes: crypto(), parallel: 4 },
        Provider {
            data: yahoo.clone(),
            live: Some(yahoo),
            classes: vec![AssetClass::Stocks, AssetClass::Crypto],
            parallel: 4,
        },
        one(Arc::new(Fred::new(fred, clock())), vec![AssetClass::Macro]),
        one(Arc::new(DailyCsv::new(csv, clock()).unwrap()), vec![AssetClass::Stocks]),
    ])
}
