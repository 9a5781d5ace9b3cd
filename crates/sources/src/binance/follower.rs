//! Following a shard: connecting again whenever it must be, and to a second connection before the first is too old.

use std::collections::HashSet;
use std::pin::Pin;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::{Bar, Remark, Symbol, Timeframe};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::MissedTickBehavior;

use crate::failure::Failure;
use crate::pace::{Patience, sleep, sleep_until};
use crate::source::LiveEvent;

use super::connection::{Connection, Dial, at_least};
use super::message::Refusal;
use super::shard::{Heard, Told};

/// Pauses between attempts: from one second to about a minute, for ever.
const PATIENCE: Patience =
    Patience { first: Duration::from_secs(1), longest: Duration::from_secs(60), times: usize::MAX };

/// The longest pause between attempts, whatever the jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A connection that held for so long is no reason to wait longer the next time.
const HELD: SignedDuration = SignedDuration::from_mins(1);

/// Pings come every 20 s: a connection that says nothing for so long is dead.
const SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// Connections are cut after 24 hours; they are renewed before.
const RENEWED_AFTER: SignedDuration = SignedDuration::from_hours(23);

/// Shards renew their connections so far apart.
const STAGGER: SignedDuration = SignedDuration::from_mins(1);

/// How long two connections are heard at once, so that what was under way on the older arrives.
const OVERLAP: Duration = Duration::from_secs(10);

/// A pause before the next attempt to open a second connection while the first still speaks.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait where no host serves this place, or what answers is not the exchange.
const LONG_PAUSE: Duration = Duration::from_secs(3600);

/// A closed bar is held until it has closed by our clock too, when that is no longer than this; real time.
const CLOCKS_DISAGREE: Duration = Duration::from_secs(5);

/// How often silence and age are looked at; real time, as looking costs nothing.
const LOOK: Duration = Duration::from_millis(500);

/// Follows one shard.
#[derive(Debug)]
pub(super) struct Follower {
    name: String,
    dial: Dial,
    events: Sender<LiveEvent>,
    renewed_after: SignedDuration,
    told: Told,
    /// Kinds of refusals that were warned of.
    warned: HashSet<&'static str>,
}

/// Nobody listens any more.
#[derive(Debug)]
struct Gone;

impl Follower {
    /// `nth` sets shards apart.
    pub(super) fn new(name: String, dial: Dial, events: Sender<LiveEvent>, nth: u32) -> Self {
        let renewed_after = RENEWED_AFTER - STAGGER * i32::try_from(nth % 60).unwrap_or(0);
        Self { name, dial, events, renewed_after, told: Told::default(), warned: HashSet::new() }
    }

    /// Runs until nobody listens any more.
    pub(super) async fn run(mut self, left_out: Vec<Remark>) {
        for remark in left_out {
            if self.tell(LiveEvent::Remark(remark)).await.is_err() {
                return;
            }
        }
        if self.dial.shard.streams.is_empty() {
            return self.events.closed().await;
        }
        let Gone = self.follow().await;
    }

    async fn follow(&mut self) -> Gone {
        let mut pauses = PATIENCE.pauses();
        loop {
            let (reason, least) = match self.dial.clone().open().await {
                Ok(connection) => {
                    tracing::info!(source = %self.name, "{} follows at {}", self.name, connection.host);
                    let since = self.dial.clock.now();
                    if self.tell(LiveEvent::Up).await.is_err() {
                        return Gone;
                    }
                    let Ok(reason) = self.listen(connection).await else { return Gone };
                    if self.dial.clock.now().duration_since(since) >= HELD {
                        pauses = PATIENCE.pauses();
                    }
                    (reason, Duration::ZERO)
                }
                Err(failure) => (failure.in_words(), least_pause(&failure)),
            };
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE).max(least);
            let now = self.dial.clock.now();
            let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
            let until = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
            tracing::debug!(source = %self.name, "{} does not follow: {reason}; tried again at {until}", self.name);
            if self.tell(LiveEvent::Down { reason, until }).await.is_err() {
                return Gone;
            }
            sleep_until(&*self.dial.clock, until).await;
        }
    }

    /// Tells what a connection says, and what those say that take over from it, until one ends before the next has begun.
    /// Why it ended.
    async fn listen(&mut self, mut current: Box<Connection>) -> Result<String, Gone> {
        let mut next = Successor::None;
        let mut renew_at = self.renewal_of(&current);
        let mut suspected = false;
        // Whether the next connection is about to be closed too.
        let mut hurried = false;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = current.next() => match heard {
                    Heard::Ended(reason) => {
                        let Successor::Open { connection, .. } = next else { return Ok(reason) };
                        tracing::debug!(source = %self.name, "the older connection ended: {reason}");
                        (current, next) = (connection, Successor::None);
                        renew_at = self.renewal_of(&current);
                    }
                    Heard::Shutdown if !matches!(next, Successor::Open { .. }) => {
                        tracing::info!(source = %self.name, "{} is about to close this connection", current.host);
                        next = self.succeed();
                    }
                    heard => self.take(heard).await?,
                },
                said = next.next() => match said {
                    Said::Opened(Ok(connection)) => (next, hurried) = (self.overlap(connection), false),
                    Said::Opened(Err(failure)) => {
                        let pause = RENEWAL_PAUSE.max(failure.retry_after().unwrap_or(Duration::ZERO));
                        tracing::warn!(source = %self.name, "no second connection: {}", failure.in_words());
                        next = self.succeed_after(pause);
                    }
                    Said::Heard(Heard::Ended(_)) => next = self.succeed_after(RENEWAL_PAUSE),
                    Said::Heard(Heard::Shutdown) => hurried = true,
                    Said::Heard(heard) => self.take(heard).await?,
                    Said::TookOver => {
                        let Successor::Open { connection, .. } = std::mem::replace(&mut next, Successor::None) else {
                            continue;
                        };
                        std::mem::replace(&mut current, connection).close().await;
                        renew_at = if hurried { self.dial.clock.now() } else { self.renewal_of(&current) };
                        tracing::info!(source = %self.name, "the connection was renewed at {}", current.host);
                    }
                },
                _ = look.tick() => {
                    // Two looks: after the first there is time to read what waited while nobody took what was told.
                    let silent = current.is_silent(SILENCE);
                    if silent && suspected {
                        let Successor::Open { connection, .. } = next else {
                            return Ok(format!("{} said nothing for {SILENCE:#}", current.host));
                        };
                        (current, next) = (connection, Successor::None);
                        renew_at = self.renewal_of(&current);
                    }
                    suspected = silent;
                    if self.dial.clock.now() >= renew_at && matches!(next, Successor::None) {
                        next = self.succeed();
                    }
                }
            }
        }
    }

    fn renewal_of(&self, connection: &Connection) -> Timestamp {
        connection.opened_at.saturating_add(self.renewed_after).unwrap_or(Timestamp::MAX)
    }

    fn succeed(&self) -> Successor {
        Successor::Opening(Box::pin(self.dial.clone().open()))
    }

    fn succeed_after(&self, pause: Duration) -> Successor {
        let dial = self.dial.clone();
        Successor::Opening(Box::pin(async move {
            sleep(&*dial.clock, pause).await;
            dial.open().await
        }))
    }

    fn overlap(&self, connection: Box<Connection>) -> Successor {
        let clock = self.dial.clock.clone();
        let overlap = Box::pin(async move { at_least(&*clock, OVERLAP).await });
        Successor::Open { connection, overlap }
    }

    /// Tells something on.
    async fn take(&mut self, heard: Heard) -> Result<(), Gone> {
        match heard {
            Heard::Event(LiveEvent::Bar { symbol, timeframe, bar }) => self.take_bar(symbol, timeframe, bar).await,
            Heard::Event(price @ LiveEvent::Price(_)) => match self.events.try_send(price) {
                // A newer one follows.
                Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
                Err(TrySendError::Closed(_)) => Err(Gone),
            },
            Heard::Event(event) => self.tell(event).await,
            Heard::Refused(refusal) => self.refuse(refusal).await,
            Heard::Shutdown | Heard::Ended(_) => Ok(()),
        }
    }

    async fn take_bar(&mut self, symbol: Symbol, timeframe: Timeframe, bar: Bar) -> Result<(), Gone> {
        let wait = self.dial.clock.wait_until(bar.close_time);
        if wait.is_none_or(|wait| wait > CLOCKS_DISAGREE) {
            let reason = format!("the {timeframe} bar of {symbol} said to have closed closes at {}", bar.close_time);
            return self.refuse(Refusal { kind: "bar of the future", reason }).await;
        }
        if !self.told.is_news(&symbol, timeframe, &bar) {
            return Ok(());
        }
        // Nothing is known before its close.
        sleep_until(&*self.dial.clock, bar.close_time).await;
        self.tell(LiveEvent::Bar { symbol, timeframe, bar }).await
    }

    async fn refuse(&mut self, Refusal { kind, reason }: Refusal) -> Result<(), Gone> {
        if self.warned.insert(kind) {
            tracing::warn!(source = %self.name, kind, "a message was refused: {reason}; the next of its kind are not warned of");
        } else {
            tracing::debug!(source = %self.name, kind, "a message was refused: {reason}");
        }
        self.tell(LiveEvent::Refused { reason }).await
    }

    async fn tell(&self, event: LiveEvent) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }
}

/// How long to wait at least after a failure.
fn least_pause(failure: &Failure) -> Duration {
    match failure {
        Failure::Restricted { .. } | Failure::Simulated { .. } => LONG_PAUSE,
        failure => failure.retry_after().unwrap_or(Duration::ZERO),
    }
}

/// The connection that will take over.
enum Successor {
    None,
    Opening(Pin<Box<dyn Future<Output = Result<Box<Connection>, Failure>> + Send>>),
    /// Both are heard until the overlap is over.
    Open {
        connection: Box<Connection>,
        overlap: Pin<Box<dyn Future<Output = ()> + Send>>,
    },
}

enum Said {
    Opened(Result<Box<Connection>, Failure>),
    Heard(Heard),
    TookOver,
}

impl Successor {
    /// What comes of it next; never, where there is none. May be dropped while waiting.
    async fn next(&mut self) -> Said {
        match self {
            Self::None => std::future::pending().await,
            Self::Opening(opening) => Said::Opened(opening.await),
            Self::Open { connection, overlap } => tokio::select! {
                heard = connection.next() => Said::Heard(heard),
                () = overlap => Said::TookOver,
            },
        }
    }
}
