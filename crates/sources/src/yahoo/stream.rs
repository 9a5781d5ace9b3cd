//! Following: the stream, connected again whenever it is lost, and prices asked for while it cannot be had.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use market::{Asset, AssetClass, Calendar, Clock, Remark, RemarkKind, Timeframe};
use reqwest::header::{HeaderValue, ORIGIN, USER_AGENT};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::history::{seven_digits, unit};
use super::poll::Poll;
use super::pricing::{PricingData, parse_stream_message};
use super::spelling::spelling;
use crate::failure::Failure;
use crate::http::{SIMULATED, host_of};
use crate::pace::{self, Patience};
use crate::source::{LiveEvent, Price};

/// The subscription is said again so often; without it the stream falls silent.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream that says nothing for so long while one of its markets is open is taken for lost.
const SILENCE: SignedDuration = SignedDuration::from_mins(2);

/// Never so soon in real time, however fast the clock.
const REAL_SILENCE: Duration = Duration::from_secs(10);

/// Pauses before the stream is tried again.
const AGAIN: Patience =
    Patience { first: Duration::from_secs(2), longest: Duration::from_secs(300), times: usize::MAX };

/// After so many failures in a row prices are asked for instead.
const POLL_AFTER: u32 = 3;

const MARKET_HOURS_REGULAR: i32 = 1;
const QUOTE_TYPE_HEARTBEAT: i32 = 7;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where events go, until the token is cancelled or nobody listens.
struct Listener<'a> {
    events: &'a mpsc::Sender<LiveEvent>,
    token: &'a CancellationToken,
}

/// Nobody listens any more.
struct Gone;

impl Listener<'_> {
    async fn tell(&self, event: LiveEvent) -> Result<(), Gone> {
        tokio::select! {
            () = self.token.cancelled() => Err(Gone),
            sent = self.events.send(event) => sent.map_err(|_| Gone),
        }
    }

    /// A price may be lost where there is no room for it: a newer one follows.
    fn tell_price(&self, price: Price) -> Result<(), Gone> {
        match self.events.try_send(LiveEvent::Price(price)) {
            Err(TrySendError::Closed(_)) => Err(Gone),
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
        }
    }

    async fn remark(&self, kind: RemarkKind, text: String) -> Result<(), Gone> {
        let remark = Remark { kind, symbol: None, timeframe: None, from: None, to: None, text };
        self.tell(LiveEvent::Remark(remark)).await
    }

    async fn unless_gone<T>(&self, future: impl Future<Output = T>) -> Result<T, Gone> {
        tokio::select! {
            () = self.token.cancelled() => Err(Gone),
            () = self.events.closed() => Err(Gone),
            value = future => Ok(value),
        }
    }
}

/// Follows until the token is cancelled.
pub(super) async fn follow(
    client: &Client,
    clock: &dyn Clock,
    assets: &[Asset],
    events: &mpsc::Sender<LiveEvent>,
    token: &CancellationToken,
) {
    let followed: BTreeMap<String, Asset> =
        assets.iter().filter_map(|asset| Some((spelling(asset)?, asset.clone()))).collect();
    if followed.is_empty() {
        return token.cancelled().await;
    }
    let listener = Listener { events, token };
    let follower = Follower { client, clock, followed: &followed, listener: &listener };
    // Gone is the only end.
    let Err(Gone) = follower.run().await;
}

struct Follower<'a> {
    client: &'a Client,
    clock: &'a dyn Clock,
    followed: &'a BTreeMap<String, Asset>,
    listener: &'a Listener<'a>,
}

enum Never {}

impl Follower<'_> {
    async fn run(&self) -> Result<Never, Gone> {
        let mut pauses = AGAIN.pauses();
        let mut n_failures = 0;
        let mut poll = Poll::default();
        let mut is_polling = false;
        loop {
            let mut heard = false;
            let failure = match self.listener.unless_gone(self.connect()).await? {
                Ok(socket) => {
                    if std::mem::take(&mut is_polling) {
                        let text = "the stream is back: prices are not asked for any more".to_owned();
                        self.listener.remark(RemarkKind::Up, text).await?;
                    }
                    self.listen(socket, &mut heard).await?
                }
                Err(failure) => failure,
            };
            if heard {
                (pauses, n_failures) = (AGAIN.pauses(), 0);
            }
            n_failures += 1;
            let mut pause = pauses.next().unwrap_or(AGAIN.longest);
            pause = pause.max(failure.retry_after().unwrap_or_default());
            if !failure.is_transient() {
                pause = pause.max(AGAIN.longest);
            }
            let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
            let until = self.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
            self.listener.tell(LiveEvent::Down { reason: failure.in_words(), until }).await?;
            let is_simulated = matches!(failure, Failure::Simulated { .. });
            if n_failures >= POLL_AFTER && !is_simulated {
                if !std::mem::replace(&mut is_polling, true) {
                    let text = "the stream cannot be had: last prices are asked for instead".to_owned();
                    self.listener.remark(RemarkKind::Down, text).await?;
                }
                self.poll(&mut poll, until).await?;
            }
            // However fast the clock, nobody is called many times a second.
            let wait = async { tokio::join!(pace::sleep_until(self.clock, until), tokio::time::sleep(SOON)) };
            self.listener.unless_gone(wait).await?;
        }
    }

    async fn connect(&self) -> Result<Socket, Failure> {
        let settings = self.client.settings();
        let host = host_of(&settings.streamer);
        if let Some(rest) = self.client.resting() {
            return Err(Failure::Limited { host, status: 429, retry_after: Some(rest) });
        }
        let failure = |cause: SocketError| match cause {
            SocketError::Http(response) if response.status() == 429 => {
                let retry_after = Some(self.client.begin_rest(None));
                Failure::Limited { host: host.clone(), status: 429, retry_after }
            }
            SocketError::Http(response) => {
                let (host, status) = (host.clone(), response.status().as_u16());
                Failure::Server { host, status, said: "no stream".to_owned() }
            }
            cause => Failure::Unreachable { host: host.clone(), cause: Box::new(cause) },
        };
        let mut request = settings.streamer.as_str().into_client_request().map_err(failure)?;
        let headers = request.headers_mut();
        if let Ok(agent) = HeaderValue::from_str(&settings.http.user_agent) {
            headers.insert(USER_AGENT, agent);
        }
        headers.insert(ORIGIN, HeaderValue::from_static("https://finance.yahoo.com"));
        let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
        let connecting = connect_async_with_config(request, Some(config), true);
        let connected = tokio::time::timeout(settings.http.timeout, connecting).await;
        let (socket, response) = connected
            .map_err(|elapsed| Failure::Unreachable { host: host.clone(), cause: Box::new(elapsed) })?
            .map_err(failure)?;
        if response.headers().contains_key(SIMULATED) && !settings.http.simulated {
            return Err(Failure::Simulated { host });
        }
        Ok(socket)
    }

    /// Listens until the stream is lost, and says why it was.
    async fn listen(&self, mut socket: Socket, heard: &mut bool) -> Result<Failure, Gone> {
        let settings = self.client.settings();
        let host = host_of(&settings.streamer);
        let lost = |reason: &str| Failure::Unreachable { host: host.clone(), cause: reason.into() };
        let symbols: Vec<&String> = self.followed.keys().collect();
        let subscription = serde_json::json!({ "subscribe": symbols }).to_string();
        let mut last_heard = (self.clock.now(), Instant::now());
        let mut is_up = false;
        loop {
            let sending = socket.send(Message::text(subscription.clone()));
            match self.listener.unless_gone(tokio::time::timeout(settings.http.timeout, sending)).await? {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Ok(Failure::Unreachable { host, cause: Box::new(error) }),
                Err(_) => return Ok(lost("the subscription could not be sent in time")),
            }
            if !std::mem::replace(&mut is_up, true) {
                self.listener.tell(LiveEvent::Up).await?;
            }
            let beat = async { tokio::join!(pace::sleep(self.clock, HEARTBEAT), tokio::time::sleep(SOON)) };
            tokio::pin!(beat);
            loop {
                let frame = tokio::select! {
                    _ = &mut beat => break,
                    frame = self.listener.unless_gone(socket.next()) => frame?,
                };
                last_heard = (self.clock.now(), Instant::now());
                match frame {
                    Some(Ok(Message::Text(text))) => *heard |= self.read(text.as_bytes()).await?,
                    Some(Ok(Message::Close(_))) | None => return Ok(lost("the stream was closed")),
                    Some(Ok(Message::Binary(_))) => {
                        self.listener.tell(LiveEvent::Refused { reason: "a binary message".to_owned() }).await?;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Ok(Failure::Unreachable { host, cause: Box::new(error) }),
                }
            }
            let (at, instant) = last_heard;
            let Some(open) = self.open_since() else {
                // Between sessions there is nothing to say: to be connected is all that can be asked of a stream.
                *heard = true;
                continue;
            };
            if self.clock.now().duration_since(open.max(at)) > SILENCE && instant.elapsed() > REAL_SILENCE {
                return Ok(lost("the stream fell silent"));
            }
        }
    }

    /// Since when the longest open of the followed markets is open; `None` while all are closed.
    fn open_since(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        let running = |asset: &Asset| Calendar::of(asset.class()).bar_closing_after(Timeframe::D1, now);
        let opened = self.followed.values().filter_map(running).map(|span| span.open_time);
        opened.filter(|open| *open <= now).min()
    }

    /// Tells what a message says; whether it said anything.
    async fn read(&self, text: &[u8]) -> Result<bool, Gone> {
        let said = parse_stream_message(text).map_err(|error| error.to_string());
        match said.and_then(|data| self.price(&data)) {
            Ok(Some(price)) => self.listener.tell_price(price).map(|()| true),
            Ok(None) => Ok(true),
            Err(reason) => self.listener.tell(LiveEvent::Refused { reason }).await.map(|()| false),
        }
    }

    /// The price in a message. Prices of stocks count in regular hours alone: bars are made of these, and thin trades
    /// before and after the session are no closes. Coins have no hours.
    fn price(&self, data: &PricingData) -> Result<Option<Price>, String> {
        if data.quote_type == QUOTE_TYPE_HEARTBEAT {
            return Ok(None);
        }
        let id: String = data.id.chars().take(40).collect();
        let asset = self.followed.get(&data.id).ok_or_else(|| format!("{id:?} is not followed"))?;
        let unit = unit(Some(&data.currency), asset);
        let unit = unit.ok_or_else(|| format!("{id}: its prices are not in {}", asset.quote))?;
        let price = f64::from(data.price);
        if !(price.is_finite() && price > 0.0) {
            return Err(format!("{id}: {price} is no price"));
        }
        let event_time = Timestamp::from_millisecond(data.time).ok().filter(|_| data.time > 0);
        let event_time = event_time.ok_or_else(|| format!("{id}: {} is no time", data.time))?;
        if asset.class() == AssetClass::Stocks && data.market_hours != MARKET_HOURS_REGULAR {
            return Ok(None);
        }
        Ok(Some(Price { symbol: asset.symbol.clone(), price: seven_digits(price) * unit, event_time }))
    }

    /// Asks for prices until the stream is to be tried again, while there are any to ask for.
    async fn poll(&self, poll: &mut Poll, until: Timestamp) -> Result<(), Gone> {
        while poll.next() < until && self.open_since().is_some() {
            let wait = async { tokio::join!(pace::sleep_until(self.clock, poll.next()), tokio::time::sleep(SOON)) };
            self.listener.unless_gone(wait).await?;
            let asked = poll.once(self.client, self.clock, self.followed);
            match self.listener.unless_gone(asked).await? {
                Ok(prices) => {
                    for price in prices {
                        self.listener.tell_price(price)?;
                    }
                }
                Err(failure) => {
                    let reason = format!("no prices: {}", failure.in_words());
                    return self.listener.tell(LiveEvent::Refused { reason }).await;
                }
            }
        }
        Ok(())
    }
}

/// The shortest real pause between things that are sent.
const SOON: Duration = Duration::from_secs(1);

/// The longest message that is taken from the socket.
const LONGEST: usize = 1 << 20;
