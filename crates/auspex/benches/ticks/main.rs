//! Live prices from the exchange's socket to those of our clients: how late they come, and what they cost.
//!
//! Everything runs on loopback within this process, in rooms of their own threads: the exchange, our server, and those who
//! listen to it. All read the same clock. An exchange stamps its prices with whole milliseconds, rounded down: every delay
//! here is up to one millisecond too long.
//!
//! - Tick to socket: the simulated exchange, its real client, the engine, the API, and listeners to one asset each; beside
//!   a bare fan-out of one ready frame a price to as many listeners.
//! - Intake: thousands of prices a second into one thread; beside a client that reads the same frames and does nothing.

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

mod bare;
mod exchange;
mod frames;
mod listeners;
mod room;
mod service;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use market::{AcceleratedClock, Asset, Clock};

use listeners::{Delays, Listeners};
use room::Room;
use service::Service;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Symbols, and listeners: eight to each symbol.
const SYMBOLS: usize = 25;
const LISTENERS: usize = 200;
/// Prices of each symbol a second; as often as a stream may say something.
const PRICES: f64 = 10.0;
/// Prices of each symbol a second where the intake is measured.
const MANY_PRICES: u32 = 200;

const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(15);

fn main() -> Outcome<()> {
    // `cargo bench` hands its own flags on; there is nothing to choose here.
    let universe = exchange::universe(SYMBOLS)?;
    let bytes = tick_to_socket(&universe)?;
    bare_fan_out(bytes)?;
    intake(&universe)
}

/// Gives the length of the messages that were heard.
fn tick_to_socket(universe: &[Asset]) -> Outcome<usize> {
    println!(
        "tick to socket: {SYMBOLS} symbols, {PRICES} prices a second each, {LISTENERS} listeners to one each, {} s",
        MEASURED.as_secs()
    );
    let clock = clock()?;
    let (outside, inside, hall) = (Room::open("exchange", 1)?, Room::open("server", 2)?, Room::open("listeners", 1)?);
    let market = outside.run(exchange::open(universe.to_vec(), Arc::clone(&clock), PRICES))?;
    let (rest, streams) = (market.http(), market.ws());
    let service = inside.run(Service::start(universe.to_vec(), Arc::clone(&clock), rest, streams))?;
    let paths = (0..LISTENERS).map(|n| service.path(&universe[n % SYMBOLS])).collect();
    let listeners = hall.run(Listeners::open(paths, Arc::clone(&clock)))?;
    let ticks = hall.enter(|| service.count_ticks());
    std::thread::sleep(WARM_UP);
    let (before, cpu) = (ticks.count(), inside.cpu()?);
    listeners.begin();
    std::thread::sleep(MEASURED);
    let heard = hall.run(listeners.end())?;
    let (taken, cpu) = (ticks.count() - before, inside.cpu()? - cpu);
    let due = taken * (LISTENERS / SYMBOLS) as u64;
    println!("  {taken} prices came of {:.0} due", SYMBOLS as f64 * PRICES * MEASURED.as_secs_f64());
    tell("exchange to listener", &heard.delays, due, cpu);
    Ok(heard.bytes)
}

fn bare_fan_out(bytes: usize) -> Outcome<()> {
    let clock = clock()?;
    let (inside, hall) = (Room::open("bare", 2)?, Room::open("listeners", 1)?);
    let period = Duration::from_secs_f64(1.0 / PRICES);
    let address = inside.run(bare::fan_out(SYMBOLS, bytes, period, Arc::clone(&clock)))?;
    let paths = (0..LISTENERS).map(|n| format!("ws://{address}/{}", n % SYMBOLS)).collect();
    let listeners = hall.run(Listeners::open(paths, clock))?;
    std::thread::sleep(WARM_UP);
    let cpu = inside.cpu()?;
    listeners.begin();
    std::thread::sleep(MEASURED);
    let heard = hall.run(listeners.end())?;
    let cpu = inside.cpu()? - cpu;
    let due = LISTENERS as f64 * PRICES * MEASURED.as_secs_f64();
    tell("bare fan-out", &heard.delays, due as u64, cpu);
    Ok(())
}

fn intake(universe: &[Asset]) -> Outcome<()> {
    println!(
        "intake: {SYMBOLS} symbols, {MANY_PRICES} prices a second each, one thread, a listener to each, {} s",
        MEASURED.as_secs()
    );
    let clock = clock()?;
    let (outside, inside, hall) = (Room::open("exchange", 1)?, Room::open("server", 1)?, Room::open("listeners", 1)?);
    let market = outside.run(exchange::open(universe.to_vec(), Arc::clone(&clock), 1.0))?;
    let frames = outside.run(frames::open(universe, MANY_PRICES, Arc::clone(&clock)))?;
    let service = inside.run(Service::start(universe.to_vec(), Arc::clone(&clock), market.http(), frames.ws()))?;
    let paths = universe.iter().map(|asset| service.path(asset)).collect();
    let listeners = hall.run(Listeners::open(paths, Arc::clone(&clock)))?;
    let ticks = hall.enter(|| service.count_ticks());
    std::thread::sleep(WARM_UP);
    let (sent, before, cpu) = (frames.sent(), ticks.count(), inside.cpu()?);
    ticks.forget();
    listeners.begin();
    std::thread::sleep(MEASURED);
    let heard = hall.run(listeners.end())?;
    let (sent, taken, cpu) = (frames.sent() - sent, ticks.count() - before, inside.cpu()? - cpu);
    println!("  {sent} prices sent, {taken} taken, {} lost on the way to the counter", ticks.lost());
    let ours = tell("exchange to engine", &ticks.delays_so_far(), sent, cpu);
    tell("exchange to listener", &heard.delays, 0, Duration::ZERO);
    println!("  {:.0} prices a second of CPU", 1e6 / ours);

    let reader = Room::open("reader", 1)?;
    let read = reader.run(bare::read(frames.ws()))?;
    std::thread::sleep(WARM_UP);
    let (before, cpu) = (read.count(), reader.cpu()?);
    std::thread::sleep(MEASURED);
    let (read, cpu) = (read.count() - before, reader.cpu()? - cpu);
    let bare = cpu.as_secs_f64() * 1e6 / read as f64;
    println!("  reading the frames alone: {bare:.1} µs of CPU each, ratio {:.2}", ours / bare);
    Ok(())
}

/// Prints a line and gives the microseconds of CPU for each that was delivered.
fn tell(what: &str, delays: &Delays, due: u64, cpu: Duration) -> f64 {
    let each = cpu.as_secs_f64() * 1e6 / delays.len() as f64;
    let [p50, p99, most] = [delays.quantile(0.5), delays.quantile(0.99), delays.quantile(1.0)];
    print!("  {what}: p50 {p50:.1} ms, p99 {p99:.1} ms, most {most:.1} ms, {} delivered", delays.len());
    if due > 0 {
        print!(" of {due}, {each:.1} µs of CPU each");
    }
    println!();
    each
}

/// A clock that shows a quarter of a minute before the hour: the first forecasts are made when it is full.
fn clock() -> Outcome<Arc<dyn Clock>> {
    Ok(Arc::new(AcceleratedClock::new(exchange::START.parse()?, 1.0)))
}
