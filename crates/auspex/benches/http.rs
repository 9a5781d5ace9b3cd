//! A cached forecast over HTTP beside a bare axum route that answers the same bytes: server CPU per request.
//!
//! Both servers run in this process, each on a thread of its own with a current-thread runtime; the kernel's account of
//! that thread (`/proc/thread-self/schedstat`) is the figure. Repetitions alternate, so that a machine that slows down
//! slows both.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench tells its figures")]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use api::ApiSettings;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use engine::{Engine, Settings};
use jiff::Timestamp;
use market::{Adjustment, ChainId, Clock, ManualClock, Origin, Symbol, Timeframe};
use storage::{LocalEvents, SeriesKey, SqliteStore, Store};
use tokio_util::sync::CancellationToken;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const PATH: &str = "/api/asset/BTC/forecast?timeframe=1D";
const CONNECTIONS: usize = 16;
const REQUESTS: usize = 40_000;
const REPETITIONS: usize = 7;

fn main() -> Outcome<()> {
    // `cargo bench` hands its own flags on; there is nothing to choose here.
    let folder = tempfile::tempdir()?;
    let (api_address, api_thread) = start("api", {
        let path = folder.path().join("auspex.db");
        move || async move { serve_api(path).await }
    })?;
    let body = fetch(api_address)?;
    let bytes = Bytes::from(body);
    println!("a cached forecast of {} bytes, {CONNECTIONS} connections, {REQUESTS} requests a repetition", bytes.len());
    let (bare_address, bare_thread) = start("bare", move || async move { serve_bare(bytes).await })?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for repetition in 0..=REPETITIONS {
        let a = cpu_per_request(api_address, &api_thread)?;
        let b = cpu_per_request(bare_address, &bare_thread)?;
        // The first repetition warms both up.
        if repetition > 0 {
            ours.push(a);
            bare.push(b);
        }
    }
    let mut ratios: Vec<f64> = ours.iter().zip(&bare).map(|(a, b)| a / b).collect();
    let (a, b, ratio) = (median(&mut ours), median(&mut bare), median(&mut ratios));
    println!("server CPU per request: cached forecast {a:.2} µs, bare axum route {b:.2} µs, ratio {ratio:.2}");
    Ok(())
}

/// Runs a server on a thread of its own; gives its address and the thread's account.
fn start<F, S>(name: &str, serve: F) -> Outcome<(SocketAddr, PathBuf)>
where
    F: FnOnce() -> S + Send + 'static,
    S: Future<Output = Outcome<(SocketAddr, tokio::task::JoinHandle<()>)>>,
{
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let started = || -> Outcome<_> {
            let thread = PathBuf::from("/proc").join(std::fs::read_link("/proc/thread-self")?).join("schedstat");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (address, server) = runtime.block_on(serve())?;
            Ok((runtime, server, address, thread))
        };
        match started() {
            Ok((runtime, server, address, thread)) => {
                if tell.send(Ok((address, thread))).is_ok() {
                    // Ends with the process.
                    let _ = runtime.block_on(server);
                }
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        }
    })?;
    told.recv()?
}

async fn serve_bare(bytes: Bytes) -> Outcome<(SocketAddr, tokio::task::JoinHandle<()>)> {
    let answer = move || {
        let bytes = bytes.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], bytes) }
    };
    let router = axum::Router::new().route("/api/asset/{symbol}/forecast", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            eprintln!("the bare server ended: {error}");
        }
    });
    Ok((address, server))
}

async fn serve_api(path: PathBuf) -> Outcome<(SocketAddr, tokio::task::JoinHandle<()>)> {
    let engine = forecasting_engine(path).await?;
    let settings = ApiSettings::default();
    let listener = api::bind("127.0.0.1:0".parse()?, &settings)?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        if let Err(error) = api::serve(listener, engine, settings, CancellationToken::new()).await {
            eprintln!("the API ended: {error}");
        }
    });
    Ok((address, server))
}

/// An engine that has just issued a daily forecast of BTC on simulated bars.
async fn forecasting_engine(path: PathBuf) -> Outcome<Arc<Engine>> {
    let close: Timestamp = "2025-03-03T00:00:00Z".parse()?;
    let btc: Symbol = "BTC".parse()?;
    let universe: Vec<_> = market::universe::default_universe().into_iter().filter(|a| a.symbol == btc).collect();
    let simulated = simulator::Market::new(simulator::Setup::new(1, universe.clone(), close))?;
    let bars: Vec<_> = simulated
        .history(close)
        .flat_map(|step| step.bars)
        .filter(|bar| bar.timeframe == Timeframe::D1 && simulated.assets()[bar.asset].symbol == btc)
        .map(|bar| bar.bar)
        .collect();
    let store = Arc::new(SqliteStore::open(&path).await?);
    store.put_assets(&universe).await?;
    let key = SeriesKey {
        symbol: btc,
        timeframe: Timeframe::D1,
        adjustment: Adjustment::Raw,
        source: "simulated-binance".to_owned(),
    };
    store.put_bars(&key, &bars).await?;
    let before = bars.iter().rev().nth(1).ok_or("the simulated market has no history")?.close_time;
    let last = bars.last().ok_or("the simulated market has no history")?.close_time;
    let clock = Arc::new(ManualClock::new(before));
    let seam: Arc<dyn Clock> = clock.clone();
    let chain = ChainId::new(Origin::Simulated, Some("bench"))?;
    let engine = Engine::open(store, Arc::new(LocalEvents::default()), seam, Settings::new(chain)).await?;
    engine.run_once().await?;
    clock.set(last);
    engine.reload().await?;
    if engine.run_once().await?.issued == 0 {
        return Err("no forecast was issued".into());
    }
    Ok(Arc::new(engine))
}

fn fetch(address: SocketAddr) -> Outcome<Vec<u8>> {
    let mut connection = Connection::open(address)?;
    connection.ask()?;
    connection.answer()
}

/// Nanoseconds a thread has run, from the kernel.
fn cpu_ns(thread: &PathBuf) -> Outcome<u64> {
    let text = std::fs::read_to_string(thread)?;
    Ok(text.split_ascii_whitespace().next().ok_or("an empty account")?.parse()?)
}

/// Microseconds of server CPU for one request, all connections busy at once.
fn cpu_per_request(address: SocketAddr, thread: &PathBuf) -> Outcome<f64> {
    let mut connections = (0..CONNECTIONS).map(|_| Connection::open(address)).collect::<Outcome<Vec<_>>>()?;
    let before = cpu_ns(thread)?;
    for _ in 0..REQUESTS / CONNECTIONS {
        for connection in &mut connections {
            connection.ask()?;
        }
        for connection in &mut connections {
            connection.answer()?;
        }
    }
    let spent = cpu_ns(thread)? - before;
    Ok(spent as f64 / 1000.0 / (REQUESTS / CONNECTIONS * CONNECTIONS) as f64)
}

/// A kept-alive connection.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    fn ask(&mut self) -> Outcome<()> {
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        Ok(self.stream.write_all(request.as_bytes())?)
    }

    /// Reads one answer and gives its body.
    fn answer(&mut self) -> Outcome<Vec<u8>> {
        self.buffer.clear();
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.buffer[..end])?.to_ascii_lowercase();
                if !head.starts_with("http/1.1 200") {
                    return Err(format!("the server said {head}").into());
                }
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                let length: usize = length.ok_or("an answer without content-length")?.parse()?;
                let body = end + 4;
                while self.buffer.len() < body + length {
                    let n = self.stream.read(&mut chunk)?;
                    self.buffer.extend(&chunk[..n]);
                    if n == 0 {
                        return Err("the server closed the connection".into());
                    }
                }
                return Ok(self.buffer[body..body + length].to_vec());
            }
            let n = self.stream.read(&mut chunk)?;
            if n == 0 {
                return Err("the server closed the connection".into());
            }
            self.buffer.extend(&chunk[..n]);
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
