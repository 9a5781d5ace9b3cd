//! One connection.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use market::Asset;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::debug;
use utoipa::IntoParams;

use super::command::{Allowance, Command};

use super::message::{Conflated, ErrorBody, Heading, Nothing, Resync};
use super::stream::{AssetTopic, Numbered, Published, Stream, Topic};
use super::update::{heading, historical_data, opening};
use crate::extract;
use crate::problem::{Kind as ProblemKind, Problem};
use crate::state::ApiState;

/// Which of the four sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Forecast,
    Trends,
    Chart,
    Summary,
}

/// What a socket's address may say.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SocketParams {
    /// The timeframe; the asset's default when absent.
    timeframe: Option<String>,
    /// `crypto`, `stocks`, `macro` or `all`; for the summary.
    class: Option<String>,
    /// The last `seq` a client that comes back has seen.
    since: Option<String>,
}

/// Bytes asked of the system at once; small, because a connection keeps them.
const BUFFER_BYTES: usize = 1024;
/// A message must fit; more is never queued.
const MAX_BUFFERED_BYTES: usize = 4 << 20;
/// A peer that was silent for so many heartbeats is gone: every living one answers pings.
const SILENT_HEARTBEATS: u32 = 3;

/// Turns a request into a connection.
///
/// # Errors
/// When it is no handshake, or as many connections as allowed are open.
pub(crate) fn accept(
    state: ApiState,
    kind: Kind,
    about: Option<String>,
    params: SocketParams,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        let status = rejection.into_response().status();
        Problem::of_status(status).detail("this route takes WebSocket handshakes only")
    })?;
    let since = params.since.as_deref().map(str::parse::<u64>).transpose();
    let since = since.map_err(|_| Problem::parameter("since", "a whole number is expected"))?;
    let Some(permit) = state.hub().admit() else {
        return Err(Problem::new(ProblemKind::TooManySockets).retry_after(10));
    };
    let max_message_bytes = state.settings().sockets.max_message_bytes;
    let upgrade = upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(MAX_BUFFERED_BYTES)
        .max_message_size(max_message_bytes)
        .max_frame_size(max_message_bytes);
    let tracker = state.sockets().clone();
    Ok(upgrade.on_upgrade(move |socket| {
        tracker.track_future(async move {
            let mut client = Client::new(state, kind, socket);
            let end = match client.open(about, &params, since).await {
                Ok(()) => client.run().await,
                Err(end) => end,
            };
            client.end(end).await;
            drop(permit);
        })
    }))
}

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// The client went, or cannot be reached.
    Gone,
    /// The server closes it, with a code and a reason.
    Close(u16, String),
}

type Step<T = ()> = Result<T, End>;

struct Client {
    state: ApiState,
    kind: Kind,
    socket: WebSocket,
    /// The asset, where the socket is about one.
    asset: Option<Asset>,
    /// What the client listens to; nothing until it names a timeframe that exists.
    listening: Option<Listening>,
    allowance: Allowance,
}

struct Listening {
    stream: Arc<Stream>,
    published: watch::Receiver<Published>,
    /// The client knows the stream up to the message of this number: it was sent it, or a newer one, or came after it.
    seen: u64,
}

impl Client {
    fn new(state: ApiState, kind: Kind, socket: WebSocket) -> Self {
        let allowance = Allowance::new(Instant::now());
        Self { state, kind, socket, asset: None, listening: None, allowance }
    }

    /// The first words: what the address asked for.
    async fn open(&mut self, about: Option<String>, params: &SocketParams, since: Option<u64>) -> Step {
        if self.kind == Kind::Summary {
            let named = about.or_else(|| params.class.clone());
            let class = match named.map_or(Ok(None), |class| extract::class("class", &class)) {
                Ok(class) => class,
                Err(problem) => {
                    self.error(&problem).await?;
                    None
                }
            };
            return self.listen(Topic::Summary(class), since).await;
        }
        let symbol = about.unwrap_or_default();
        self.set_asset(&symbol).await?;
        let asked = params.timeframe.as_deref();
        match self.topic(asked) {
            Ok(topic) => self.listen(topic, since).await,
            // It may still name one that exists.
            Err(problem) => self.error(&problem).await,
        }
    }

    async fn run(&mut self) -> End {
        let heartbeat = self.state.settings().sockets.heartbeat();
        let mut heartbeats = interval_at(Instant::now() + heartbeat, heartbeat);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closing = self.state.closing().clone();
        let mut heard = Instant::now();
        loop {
            let step = tokio::select! {
                biased;
                () = closing.cancelled() => return End::Close(close_code::RESTART, "the server is stopping".to_owned()),
                said = self.socket.recv() => {
                    heard = Instant::now();
                    self.hear(said).await
                }
                () = changed(&mut self.listening) => self.tell().await,
                _ = heartbeats.tick() => {
                    if heard.elapsed() >= heartbeat * SILENT_HEARTBEATS {
                        return End::Close(close_code::AWAY, "no answer to pings".to_owned());
                    }
                    self.ping().await
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sends the newest of what the client has not seen; says so when something was left out.
    async fn tell(&mut self) -> Step {
        let Some(listening) = &mut self.listening else { return Ok(()) };
        let (messages, newest) = {
            let published = listening.published.borrow_and_update();
            (published.newer_than(listening.seen), published.seq())
        };
        let skipped = (newest - listening.seen).saturating_sub(messages.len() as u64);
        if skipped > 0 {
            self.say("conflated", &Conflated { skipped }).await?;
        }
        for message in messages {
            self.pass_on(message).await?;
        }
        Ok(())
    }

    /// Sends a message of the stream.
    async fn pass_on(&mut self, (seq, message): Numbered) -> Step {
        self.send(Message::Text(message)).await?;
        if let Some(listening) = &mut self.listening {
            listening.seen = seq;
        }
        Ok(())
    }

    async fn hear(&mut self, said: Option<Result<Message, axum::Error>>) -> Step {
        let text: Option<bytes::Bytes> = match said {
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            Some(Err(error)) => return Err(end_of(&error)),
            Some(Ok(Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Ping(_))) => None,
            Some(Ok(Message::Text(text))) => Some(text.into()),
            Some(Ok(Message::Binary(bytes))) => Some(bytes),
        };
        // Pings count: each of them is answered. Pongs do not: they answer ours.
        if !self.allowance.take(Instant::now()) {
            return Err(End::Close(close_code::POLICY, "too many messages".to_owned()));
        }
        let Some(text) = text else { return Ok(()) };
        match Command::parse(&text) {
            Ok(Command::Pong) => Ok(()),
            Ok(Command::SetTimeframe(timeframe)) if self.kind != Kind::Summary => self.set_timeframe(&timeframe).await,
            Ok(Command::SetSymbol(symbol)) if self.kind != Kind::Summary => self.set_symbol(&symbol).await,
            Ok(Command::SetFilter(class)) if self.kind == Kind::Summary => {
                match extract::class("class_filter", &class) {
                    Ok(class) => self.listen(Topic::Summary(class), None).await,
                    Err(problem) => self.error(&problem).await,
                }
            }
            Ok(_) => self.error(&Problem::parameter("type", "this socket does not take that message")).await,
            Err(problem) => self.error(&problem).await,
        }
    }

    async fn set_timeframe(&mut self, timeframe: &str) -> Step {
        match self.topic(Some(timeframe)) {
            Ok(topic) => self.switch(topic, "timeframe_changed").await,
            Err(problem) => self.error(&problem).await,
        }
    }

    async fn set_symbol(&mut self, symbol: &str) -> Step {
        self.set_asset(symbol).await?;
        let asked =
            self.listening.as_ref().and_then(|listening| listening.stream.topic.asset()).map(|a| a.asked.clone());
        // The new asset may not be forecast on the old one's timeframe: then on its own.
        let topic = self.topic(asked.as_deref()).or_else(|_| self.topic(None));
        match topic {
            Ok(topic) => self.switch(topic, "symbol_changed").await,
            Err(problem) => self.error(&problem).await,
        }
    }

    /// Listens to something else and confirms it.
    async fn switch(&mut self, topic: Topic, confirmation: &'static str) -> Step {
        self.listen_to(&topic);
        self.say(confirmation, &Nothing {}).await?;
        self.begin().await
    }

    /// Listens to a topic from now on, or from where the client left off.
    async fn listen(&mut self, topic: Topic, since: Option<u64>) -> Step {
        let listening = self.listen_to(&topic);
        let Some(since) = since else { return self.begin().await };
        let missed = listening.published.borrow_and_update().replay(since);
        match missed {
            Some(missed) => {
                listening.seen = since;
                for message in missed {
                    self.pass_on(message).await?;
                }
                Ok(())
            }
            None => {
                self.say("resync", &Resync { since }).await?;
                self.begin().await
            }
        }
    }

    fn listen_to(&mut self, topic: &Topic) -> &mut Listening {
        let (stream, published) = self.state.hub().listen(topic, self.state.now());
        let seen = published.borrow().seq();
        self.listening.insert(Listening { stream, published, seen })
    }

    /// What a listener is told first.
    async fn begin(&mut self) -> Step {
        if self.kind == Kind::Forecast
            && let (Some(asset), Some(about)) = (self.asset.clone(), self.about())
        {
            let past = historical_data(&self.state, &asset, &about).await;
            self.say("historical_data", &past).await?;
        }
        let Some(listening) = &self.listening else { return Ok(()) };
        match opening(&self.state, &listening.stream).await {
            Ok(message) => self.pass_on(message).await,
            Err(problem) => self.error(&problem).await,
        }
    }

    /// Takes an asset; an unknown one ends the connection.
    async fn set_asset(&mut self, symbol: &str) -> Step {
        match self.state.asset(symbol) {
            Ok(asset) => {
                self.asset = Some(asset);
                Ok(())
            }
            Err(problem) => {
                let body = ErrorBody { message: problem.message(), problem: problem.uri() };
                let symbol: String = symbol.chars().take(48).collect();
                let message =
                    Heading { symbol: Some(&symbol), ..heading(&self.state, "error", None, None) }.write(0, &body);
                self.send(Message::Text(message)).await?;
                Err(End::Close(close_code::POLICY, "unknown symbol".to_owned()))
            }
        }
    }

    /// The topic of the asset on a timeframe, as it was asked for; on its default when none was.
    fn topic(&self, asked: Option<&str>) -> Result<Topic, Problem> {
        let asset = self.asset.as_ref().ok_or_else(|| Problem::unknown_symbol(""))?;
        let timeframe = self.state.forecast_timeframe(&asset.symbol, asked)?;
        let about =
            AssetTopic { symbol: asset.symbol.clone(), timeframe, asked: asked.unwrap_or(timeframe.as_str()).into() };
        Ok(match self.kind {
            Kind::Trends => Topic::Trends(about),
            Kind::Chart => Topic::Chart(about),
            Kind::Forecast | Kind::Summary => Topic::Forecast(about),
        })
    }

    fn about(&self) -> Option<AssetTopic> {
        self.listening.as_ref()?.stream.topic.asset().cloned()
    }

    async fn ping(&mut self) -> Step {
        self.say("ping", &Nothing {}).await?;
        self.send(Message::Ping(bytes::Bytes::new())).await
    }

    async fn error(&mut self, problem: &Problem) -> Step {
        self.say("error", &ErrorBody { message: problem.message(), problem: problem.uri() }).await
    }

    /// Sends a message made for this client alone; it carries the number up to which the client knows the stream.
    async fn say(&mut self, r#type: &'static str, body: &impl Serialize) -> Step {
        let about = self.about();
        let asset = self.asset.as_ref();
        let event_time = asset.and_then(|asset| self.state.quote(asset)).map(|quote| quote.event_time);
        let seen = self.listening.as_ref().map_or(0, |listening| listening.seen);
        let heading = heading(&self.state, r#type, about.as_ref(), event_time);
        let symbol = heading.symbol.or_else(|| asset.map(|asset| asset.symbol.as_str()));
        let message = Heading { symbol, ..heading }.write(seen, body);
        self.send(Message::Text(message)).await
    }

    /// Sends within the time a slow client is given.
    async fn send(&mut self, message: Message) -> Step {
        let lag_limit = self.state.settings().sockets.lag_limit();
        let closing = self.state.closing().clone();
        tokio::select! {
            sent = timeout(lag_limit, self.socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Gone),
                Err(_) => Err(End::Close(close_code::AGAIN, "too slow".to_owned())),
            },
            () = closing.cancelled() => Err(End::Close(close_code::RESTART, "the server is stopping".to_owned())),
        }
    }

    /// Says goodbye, and waits a little for the answer.
    async fn end(&mut self, end: End) {
        let End::Close(code, reason) = end else { return };
        debug!(code, reason, "closing a socket");
        let frame = CloseFrame { code, reason: Utf8Bytes::from(reason) };
        let patience = match code {
            // A slow client may begin to read again and is then told why it was closed.
            close_code::AGAIN => self.state.settings().sockets.lag_limit(),
            _ => Duration::from_secs(1),
        };
        let goodbye = async {
            self.socket.send(Message::Close(Some(frame))).await?;
            while let Some(Ok(said)) = self.socket.recv().await {
                if matches!(said, Message::Close(_)) {
                    break;
                }
            }
            Ok::<_, axum::Error>(())
        };
        if !matches!(timeout(patience, goodbye).await, Ok(Ok(()))) {
            debug!(code, "a socket's end was not heard");
        }
    }
}

/// Waits until there is something the client has not seen; for ever while it listens to nothing.
async fn changed(listening: &mut Option<Listening>) {
    if let Some(listening) = listening
        && listening.published.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// What a failed read means: what the client should not have sent is said so, all else is a client that went.
fn end_of(error: &axum::Error) -> End {
    let text = error.to_string();
    let means = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if means(&["too long", "Space limit"]) {
        return End::Close(close_code::SIZE, "message too large".to_owned());
    }
    if means(&["UTF-8"]) {
        return End::Close(close_code::INVALID, "text that is not UTF-8".to_owned());
    }
    if means(&["protocol error"]) && !means(&["without closing handshake"]) {
        return End::Close(close_code::PROTOCOL, "not as the protocol wants it".to_owned());
    }
    End::Gone
}
