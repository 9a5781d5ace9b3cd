//! Our side: the exchange's client, the engine, the API.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::ApiSettings;
use engine::live::{Live, LiveSettings, Provider, Roster};
use engine::{Engine, Settings};
use jiff::SignedDuration;
use market::{Asset, AssetClass, ChainId, Clock, Origin, Timeframe};
use sources::binance::{Binance, BinanceSettings};
use sources::http::HttpSettings;
use storage::{EventKind, LocalEvents, Received, SqliteStore, Store};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::listeners::{Delays, delay_ms};

/// As many as `auspex serve` lets its listeners be behind.
const EVENTS: usize = 4096;

/// A server that follows an exchange.
pub(crate) struct Service {
    address: SocketAddr,
    engine: Arc<Engine>,
    token: CancellationToken,
    _folder: TempDir,
}

impl Service {
    /// Starts with an empty home, asks for the past, and waits for the first forecast of every asset.
    pub(crate) async fn start(
        universe: Vec<Asset>,
        clock: Arc<dyn Clock>,
        rest: String,
        streams: String,
    ) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let store = Arc::new(SqliteStore::open(&folder.path().join("auspex.db")).await?);
        store.put_assets(&universe).await?;
        let settings = Settings::new(ChainId::new(Origin::Simulated, Some("bench"))?);
        let events = Arc::new(LocalEvents::new(EVENTS));
        let engine = Arc::new(Engine::open(store, events, Arc::clone(&clock), settings).await?);

        let usual = BinanceSettings::global();
        let binance = Arc::new(Binance::new(
            BinanceSettings {
                name: "simulated-binance".to_owned(),
                rest: vec![rest.parse()?],
                streams: vec![streams.parse()?],
                timeframes: vec![Timeframe::H1, Timeframe::D1],
                http: HttpSettings { simulated: true, ..usual.http.clone() },
                ..usual
            },
            clock,
        ));
        let classes = vec![AssetClass::Crypto];
        let provider = Provider { data: Arc::clone(&binance) as _, live: Some(binance), classes, parallel: 4 };
        let settings = LiveSettings {
            minutes: Vec::new(),
            days_back: SignedDuration::from_hours(24 * 365),
            hours_back: SignedDuration::from_hours(24 * 60),
            ..LiveSettings::default()
        };
        let token = CancellationToken::new();
        let live = Live::new(Arc::clone(&engine), Roster::new(vec![provider]), settings);
        tokio::spawn(live.run(token.clone()));
        tokio::spawn(Arc::clone(&engine).run(token.clone()));

        let settings = ApiSettings::default();
        let listener = api::bind("127.0.0.1:0".parse()?, &settings)?;
        let address = listener.local_addr()?;
        tokio::spawn(api::serve(listener, Arc::clone(&engine), settings, token.clone()));

        let forecast = |asset: &Asset| engine.issued(&asset.symbol, Timeframe::H1).is_ok();
        let all = async {
            while !universe.iter().all(forecast) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let patience = Duration::from_secs(120);
        tokio::time::timeout(patience, all).await.map_err(|_| "not every asset has a forecast in two minutes")?;
        Ok(Self { address, engine, token, _folder: folder })
    }

    /// Where prices and forecasts of an asset are told.
    pub(crate) fn path(&self, asset: &Asset) -> String {
        format!("ws://{}/ws/asset/{}/forecast?timeframe=1h", self.address, asset.symbol)
    }

    /// Counts the engine's prices from now on, on a task of the present runtime.
    pub(crate) fn count_ticks(&self) -> Arc<Ticks> {
        let ticks = Arc::new(Ticks::default());
        let mut subscription = self.engine.events().subscribe();
        let (counting, clock) = (Arc::clone(&ticks), Arc::clone(self.engine.clock()));
        tokio::spawn(async move {
            while let Some(received) = subscription.recv().await {
                match received {
                    Received::Event(event) => {
                        if let EventKind::Tick { event_time, .. } = event.kind {
                            counting.count.fetch_add(1, Ordering::Relaxed);
                            counting.delays().push(delay_ms(clock.now(), event_time.as_microsecond()));
                        }
                    }
                    Received::Lagged(n) => {
                        counting.lost.fetch_add(n, Ordering::Relaxed);
                    }
                }
            }
        });
        ticks
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// Prices that the engine took.
#[derive(Default)]
pub(crate) struct Ticks {
    count: AtomicU64,
    lost: AtomicU64,
    delays: Mutex<Vec<f64>>,
}

impl Ticks {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Events that were overwritten before they were counted.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Forgets how late the prices came so far.
    pub(crate) fn forget(&self) {
        self.delays().clear();
    }

    /// How late they came.
    pub(crate) fn delays_so_far(&self) -> Delays {
        Delays::of(self.delays().clone())
    }

    fn delays(&self) -> std::sync::MutexGuard<'_, Vec<f64>> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
