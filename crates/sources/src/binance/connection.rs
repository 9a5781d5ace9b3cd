//! One connection: opened, subscribed, heard until it ends.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use market::Clock;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use url::Url;

use crate::failure::Failure;
use crate::http::{HttpSettings, SIMULATED, excerpt, host_of, retry_after};
use crate::pace::{Budget, sleep};
use crate::source::LiveEvent;

use super::allowance::Allowance;
use super::hosts::{HOST_REST, Hosts, under};
use super::message::Refusal;
use super::rest::RESTRICTED;
use super::shard::{Heard, Inbox, Shard};

/// Longer messages are refused, and with them the connection: nothing that is followed comes near it.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Streams that one request names.
const STREAMS_A_REQUEST: usize = 200;

/// Requests go out no faster than this: five messages a second are allowed, and answers to pings are among them.
const REQUEST_PERIOD: Duration = Duration::from_millis(350);

/// A request is answered within this; on the clock, and never less than [`LEAST_PATIENCE`].
const REPLY_WITHIN: Duration = Duration::from_secs(10);

/// However fast the clock runs, so much real time is given to networks and machines.
const LEAST_PATIENCE: Duration = Duration::from_secs(3);

/// Events that are held while a connection is being subscribed. Prices beyond it are dropped.
const HELD_WHILE_SUBSCRIBING: usize = 20_000;

/// Everything needed to open a connection for a shard, as often as it must be.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    pub(super) hosts: Arc<Hosts>,
    pub(super) allowance: Arc<Allowance>,
    pub(super) attempts: Budget,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shard: Arc<Shard>,
    pub(super) http: HttpSettings,
}

impl Dial {
    /// A connection that follows everything the shard does, at the preferred host that serves this place.
    pub(super) async fn open(self) -> Result<Box<Connection>, Failure> {
        loop {
            self.attempts.spend(NonZeroU32::MIN).await;
            let now = self.clock.now();
            if let Some(limited) = self.allowance.left_alone(now, &self.hosts.names()) {
                return Err(limited);
            }
            let Some((at, base)) = self.hosts.pick(now) else {
                return Err(Failure::Restricted { host: self.hosts.names(), said: RESTRICTED.to_owned() });
            };
            match self.open_at(base).await {
                Ok(connection) => return Ok(connection),
                Err(failure @ Failure::Restricted { .. }) => {
                    tracing::warn!("{failure}; it is passed over");
                    self.hosts.restrict(at, self.clock.now());
                }
                Err(failure) => {
                    let until = self.clock.now().saturating_add(HOST_REST).unwrap_or(Timestamp::MAX);
                    self.hosts.rest(at, until);
                    return Err(failure);
                }
            }
        }
    }

    async fn open_at(&self, base: &Url) -> Result<Box<Connection>, Failure> {
        let host = host_of(base);
        let socket = tokio::time::timeout(self.http.timeout, self.upgrade(base, &host));
        let socket = socket.await.map_err(|_| unreachable(&host, "no answer in time"))??;
        let heard_at = (self.clock.now(), Instant::now());
        let mut connection = Box::new(Connection {
            socket,
            host,
            shard: Arc::clone(&self.shard),
            clock: Arc::clone(&self.clock),
            inbox: Inbox::default(),
            heard_at,
            opened_at: heard_at.0,
        });
        connection.subscribe(self.http.timeout).await?;
        Ok(connection)
    }

    async fn upgrade(&self, base: &Url, host: &str) -> Result<Socket, Failure> {
        let mut request = under(base, "/stream").as_str().into_client_request().map_err(|error| broken(host, error))?;
        if let Ok(agent) = HeaderValue::from_str(&self.http.user_agent) {
            request.headers_mut().insert(header::USER_AGENT, agent);
        }
        let config =
            WebSocketConfig::default().max_message_size(Some(LONGEST_MESSAGE)).max_frame_size(Some(LONGEST_MESSAGE));
        let (socket, response) = match connect_async_with_config(request, Some(config), true).await {
            Ok(opened) => opened,
            Err(Error::Http(response)) => return Err(self.refusal(host, &response.map(Option::unwrap_or_default))),
            Err(error) => return Err(broken(host, error)),
        };
        if response.headers().contains_key(SIMULATED) && !self.http.simulated {
            return Err(Failure::Simulated { host: host.to_owned() });
        }
        Ok(socket)
    }

    /// What a status other than the upgrade's means.
    fn refusal(&self, host: &str, response: &tungstenite::http::Response<Vec<u8>>) -> Failure {
        let (host, status, said) = (host.to_owned(), response.status().as_u16(), excerpt(response.body()));
        if response.headers().contains_key(SIMULATED) && !self.http.simulated {
            return Failure::Simulated { host };
        }
        match status {
            418 | 429 => {
                let retry_after = retry_after(response.headers());
                self.allowance.refused(self.clock.now(), SignedDuration::ZERO, status, retry_after);
                Failure::Limited { host, status, retry_after }
            }
            451 => Failure::Restricted { host, said },
            408 | 500.. => Failure::Server { host, status, said },
            _ => Failure::Refused { host, status, said },
        }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection that follows its shard.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    pub(super) host: String,
    shard: Arc<Shard>,
    clock: Arc<dyn Clock>,
    inbox: Inbox,
    /// When anything was heard last: on the clock, and really.
    heard_at: (Timestamp, Instant),
    /// When it was opened; on the clock.
    pub(super) opened_at: Timestamp,
}

#[derive(Serialize)]
struct Subscribe<'a> {
    method: &'static str,
    params: &'a [String],
    id: usize,
}

impl Connection {
    /// Asks for the shard's streams. What is told meanwhile is held.
    async fn subscribe(&mut self, timeout: Duration) -> Result<(), Failure> {
        let shard = Arc::clone(&self.shard);
        let pace = Budget::new(Arc::clone(&self.clock), REQUEST_PERIOD, NonZeroU32::MIN);
        for (id, params) in (1..).zip(shard.streams.chunks(STREAMS_A_REQUEST)) {
            pace.spend(NonZeroU32::MIN).await;
            let request = serde_json::to_string(&Subscribe { method: "SUBSCRIBE", params, id });
            let request = request.map_err(|error| unreachable(&self.host, error))?;
            let sent = tokio::time::timeout(timeout, self.socket.send(tungstenite::Message::text(request))).await;
            sent.map_err(|_| unreachable(&self.host, "a request could not be sent in time"))?
                .map_err(|error| broken(&self.host, error))?;
            let clock = Arc::clone(&self.clock);
            tokio::select! {
                answered = self.reply(i64::try_from(id).unwrap_or(0)) => answered?,
                () = at_least(&*clock, REPLY_WITHIN) => {
                    return Err(unreachable(&self.host, "a request to subscribe was not answered in time"));
                }
            }
        }
        Ok(())
    }

    /// Waits for the answer to a request.
    async fn reply(&mut self, id: i64) -> Result<(), Failure> {
        loop {
            while let Some(reply) = self.inbox.replies.pop_front() {
                let ours = reply.id.is_none_or(|named| named == id);
                match reply.complaint {
                    Some(said) if ours => {
                        return Err(Failure::Refused { host: self.host.clone(), status: 101, said });
                    }
                    None if reply.id == Some(id) => return Ok(()),
                    _ => {}
                }
            }
            if let Some(reason) = self.read().await {
                return Err(unreachable(&self.host, reason));
            }
            // Prices that come before the answer are worth little, and may be many.
            if self.inbox.heard.len() > HELD_WHILE_SUBSCRIBING {
                self.inbox.heard.retain(|heard| !matches!(heard, Heard::Event(LiveEvent::Price(_))));
                if self.inbox.heard.len() > HELD_WHILE_SUBSCRIBING / 2 {
                    return Err(unreachable(&self.host, "it tells more than can be held"));
                }
            }
        }
    }

    /// What it says next. May be dropped while waiting without losing anything.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            if let Some(reply) = self.inbox.replies.pop_front()
                && let Some(reason) = reply.complaint
            {
                return Heard::Refused(Refusal { kind: "complaint", reason });
            }
            if let Some(heard) = self.inbox.heard.pop_front() {
                return heard;
            }
            if let Some(reason) = self.read().await {
                return Heard::Ended(reason);
            }
        }
    }

    /// Reads one frame into the inbox; why the connection ended, when it did. Pings are answered by the library, with what
    /// they carry.
    async fn read(&mut self) -> Option<String> {
        let frame = match self.socket.next().await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Some(format!("the connection broke: {error}")),
            None => return Some("the connection ended without a word".to_owned()),
        };
        self.heard_at = (self.clock.now(), Instant::now());
        match frame {
            tungstenite::Message::Text(text) => self.shard.hear(text.as_bytes(), &mut self.inbox),
            tungstenite::Message::Binary(bytes) => {
                let reason = format!("{} bytes that are no text", bytes.len());
                self.inbox.heard.push_back(Heard::Refused(Refusal { kind: "not understood", reason }));
            }
            tungstenite::Message::Close(None) => return Some("it was closed".to_owned()),
            tungstenite::Message::Close(Some(frame)) => {
                let code = u16::from(frame.code);
                return Some(format!("it was closed with {code} ({})", excerpt(frame.reason.as_bytes())));
            }
            tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_) | tungstenite::Message::Frame(_) => {}
        }
        None
    }

    /// Whether nothing at all was heard for so long on the clock, and long enough in real time.
    pub(super) fn is_silent(&self, longest: SignedDuration) -> bool {
        let (at, really) = self.heard_at;
        self.clock.now().duration_since(at) > longest && really.elapsed() > LEAST_PATIENCE
    }

    /// Says goodbye, briefly.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.close(None)).await;
    }
}

/// Waits for a duration on the clock, and for [`LEAST_PATIENCE`] in any case.
pub(super) async fn at_least(clock: &dyn Clock, duration: Duration) {
    tokio::join!(sleep(clock, duration), tokio::time::sleep(LEAST_PATIENCE));
}

fn broken(host: &str, error: Error) -> Failure {
    Failure::Unreachable { host: host.to_owned(), cause: Box::new(error) }
}

fn unreachable(host: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::Unreachable { host: host.to_owned(), cause: cause.into() }
}
