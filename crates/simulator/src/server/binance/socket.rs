//! A socket: subscriptions, pings, limits and its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::Response;
use axum::routing::any;
use futures::SinkExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::control::{self, Command, Complaint, MOST_STREAMS};
use super::format::TimeUnit;
use super::hub::{Hub, Listener, Message, QUEUE};
use super::payload;
use super::streams::{self, Named};
use super::venue::Venue;
use crate::server::faults::{FrameFault, GARBAGE, Kind, Spell, truncated};
use crate::server::fuse::Fuse;

/// On the exchange's clock.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
const PING_EVERY: SignedDuration = SignedDuration::from_secs(20);
const PONG_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// In real time, below which no clock presses anyone.
const PING_FLOOR: Duration = Duration::from_secs(1);
const PONG_FLOOR: Duration = Duration::from_secs(3);

/// Messages a client may send in a second of the exchange's clock.
const INCOMING: f64 = 5.0;

/// How often a socket looks after itself, and how long it waits for a client that does not read.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// The longest message a client may send.
const LONGEST: usize = 64 << 10;

/// Messages sent at once.
const BATCH: usize = 256;

/// The paths of an exchange's sockets.
pub(super) fn router(venue: &Arc<Venue>) -> Router {
    Router::new()
        .route("/ws", any(raw))
        .route("/ws/", any(raw))
        .route("/ws/{*streams}", any(raw))
        .route("/stream", any(combined))
        .with_state(Arc::clone(venue))
}

/// What a connection brings besides its streams.
#[derive(Debug, Clone)]
struct Line {
    path: String,
    fuse: Option<Fuse>,
    token: CancellationToken,
}

type Parameters = Query<Vec<(String, String)>>;

async fn raw(
    State(venue): State<Arc<Venue>>,
    OriginalUri(uri): OriginalUri,
    path: Option<Path<String>>,
    parameters: Parameters,
    fuse: Option<Extension<ConnectInfo<Fuse>>>,
    token: Option<Extension<CancellationToken>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let names = path.map(|path| path.0).unwrap_or_default();
    let line = Line::new(uri.path(), fuse, token);
    accept(venue, line, &names, &parameters, false, upgrade)
}

async fn combined(
    State(venue): State<Arc<Venue>>,
    OriginalUri(uri): OriginalUri,
    parameters: Parameters,
    fuse: Option<Extension<ConnectInfo<Fuse>>>,
    token: Option<Extension<CancellationToken>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let names = parameters.iter().find(|(name, _)| name == "streams").map(|(_, value)| value.clone());
    let line = Line::new(uri.path(), fuse, token);
    accept(venue, line, &names.unwrap_or_default(), &parameters, true, upgrade)
}

impl Line {
    fn new(
        path: &str,
        fuse: Option<Extension<ConnectInfo<Fuse>>>,
        token: Option<Extension<CancellationToken>>,
    ) -> Self {
        let token = token.map(|Extension(token)| token).unwrap_or_default();
        Self { path: path.to_owned(), fuse: fuse.map(|Extension(ConnectInfo(fuse))| fuse), token }
    }
}

fn accept(
    venue: Arc<Venue>,
    line: Line,
    names: &str,
    parameters: &Parameters,
    combined: bool,
    upgrade: WebSocketUpgrade,
) -> Response {
    let unit = parameters.iter().find(|(name, _)| name == "timeUnit").and_then(|(_, unit)| TimeUnit::parse(unit));
    let names: Vec<String> = names.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let upgrade = upgrade.max_message_size(LONGEST);
    upgrade.on_upgrade(async move |socket| {
        let mut session = Session::new(venue, line, combined, unit.unwrap_or_default());
        let hub = Arc::clone(&session.venue);
        session.run(socket, names).await;
        hub.hub.leave_all(session.listener.id);
    })
}

/// Why a socket ends.
enum End {
    /// With a close frame.
    Close(u16, &'static str),
    /// Without a word.
    Drop,
}

struct Session {
    venue: Arc<Venue>,
    line: Line,
    combined: bool,
    unit: TimeUnit,
    names: Vec<String>,
    listener: Listener,
    queue: mpsc::Receiver<Message>,
    opened: Timestamp,
    ping: Ping,
    /// When the running second of incoming messages began, and how many there were.
    incoming: (Instant, f64),
    silent: Spell<bool>,
    rotation: Spell<()>,
    shutdown: Spell<i64>,
    ends_at: Option<Timestamp>,
}

struct Ping {
    /// When the last was sent.
    sent: (Timestamp, Instant),
    payload: String,
    /// When the oldest was sent that is not answered.
    unanswered: Option<(Timestamp, Instant)>,
}

impl Session {
    fn new(venue: Arc<Venue>, line: Line, combined: bool, unit: TimeUnit) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        let (id, lagged) = (venue.hub.next_id(), Arc::new(AtomicBool::new(false)));
        let (opened, now) = (venue.now(), Instant::now());
        Self {
            venue,
            line,
            combined,
            unit,
            names: Vec::new(),
            listener: Listener { id, queue: sender, lagged },
            queue,
            opened,
            ping: Ping { sent: (opened, now), payload: String::new(), unanswered: None },
            incoming: (now, 0.0),
            silent: Spell::default(),
            rotation: Spell::default(),
            shutdown: Spell::default(),
            ends_at: None,
        }
    }

    async fn run(&mut self, mut socket: WebSocket, names: Vec<String>) {
        let end = match self.follow(&mut socket, names).await {
            Ok(()) => return,
            Err(end) => end,
        };
        if let End::Close(code, reason) = end {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            let closing = async {
                socket.send(Frame::Close(Some(frame))).await?;
                while let Some(Ok(_)) = socket.recv().await {}
                Ok::<_, axum::Error>(())
            };
            // A client that does not answer the close is left.
            let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
        }
    }

    /// Until the client goes, or an end is due.
    async fn follow(&mut self, socket: &mut WebSocket, names: Vec<String>) -> Result<(), End> {
        if names.len() > MOST_STREAMS {
            return Err(End::Close(close_code::POLICY, ""));
        }
        // Names in a path that are none are let be: clients put counters there.
        let named = |name: String| streams::parse(&name, &self.venue).map(|named| (name, named));
        let known: Vec<(String, Named)> = names.into_iter().filter_map(named).collect();
        self.subscribe(known);
        let token = self.line.token.clone();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                () = token.cancelled() => return Err(End::Close(close_code::AWAY, "")),
                _ = looks.tick() => self.look_after(socket).await?,
                _ = self.queue.recv_many(&mut batch, BATCH) => {
                    let sent = self.tell(socket, &mut batch);
                    tokio::time::timeout(SEND_WITHIN, sent).await.unwrap_or(Err(End::Drop))?;
                }
                message = socket.recv() => match message {
                    None | Some(Err(_)) => return Ok(()),
                    Some(Ok(frame)) => self.hear(socket, frame).await?,
                },
            }
        }
    }

    /// Sends messages, with the faults that are planned for frames.
    async fn tell(&mut self, socket: &mut WebSocket, batch: &mut Vec<Message>) -> Result<(), End> {
        if self.silent.struck.is_some() {
            batch.clear();
            return Ok(());
        }
        let now = self.venue.now();
        for message in batch.drain(..) {
            let text = message.text(self.combined);
            let text = match self.venue.exchange.faults.frame(self.venue.service, &self.line.path, now) {
                None => text,
                Some(FrameFault::Cut) => return Err(End::Drop),
                Some(FrameFault::Half) => {
                    socket.flush().await.map_err(|_| End::Drop)?;
                    if let Some(fuse) = &self.line.fuse {
                        fuse.burn_after(text.len() as u64 / 2);
                        // It fails half way: that is the fault.
                        let _ = socket.send(Frame::Text(text)).await;
                    }
                    return Err(End::Drop);
                }
                Some(FrameFault::Truncated) => truncated(text.as_str()).into(),
                Some(FrameFault::Garbage) => Utf8Bytes::from_static(GARBAGE),
            };
            socket.feed(Frame::Text(text)).await.map_err(|_| End::Drop)?;
        }
        socket.flush().await.map_err(|_| End::Drop)
    }

    /// Pings, deadlines and ends.
    async fn look_after(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let (venue, now, path) = (&self.venue, self.venue.now(), &self.line.path);
        if self.listener.lagged.load(Ordering::Relaxed) {
            return Err(End::Close(close_code::POLICY, "Too slow"));
        }
        let silent = self.silent.look(&venue.exchange.faults, venue.service, path, now, |kind| match kind {
            Kind::Silent { pings } => Some(*pings),
            _ => None,
        });
        let rotation = self
            .rotation
            .look(&venue.exchange.faults, venue.service, path, now, |kind| (*kind == Kind::Rotation).then_some(()));
        if rotation.is_some() || now.duration_since(self.opened) >= LIFETIME {
            return Err(End::Close(close_code::AWAY, ""));
        }
        let announced = self.shutdown.struck.is_some();
        let shutdown = self.shutdown.look(&venue.exchange.faults, venue.service, path, now, |kind| match kind {
            Kind::ServerShutdown { ms } => Some(*ms),
            _ => None,
        });
        if let Some(ms) = shutdown.filter(|_| !announced) {
            self.ends_at = now.checked_add(SignedDuration::from_millis(ms)).ok();
            let event = payload::server_shutdown(self.venue.shown_now(), self.unit);
            let message = Message::new(&Arc::from("!serverShutdown"), event);
            send(socket, Frame::Text(message.text(self.combined))).await?;
        }
        if self.ends_at.is_some_and(|at| at <= now) {
            return Err(End::Close(close_code::AWAY, ""));
        }
        if let Some((at, real)) = self.ping.unanswered
            && now.duration_since(at) >= PONG_WITHIN
            && real.elapsed() >= PONG_FLOOR
        {
            return Err(End::Close(close_code::POLICY, "Pong timeout"));
        }
        let (at, real) = self.ping.sent;
        if silent != Some(false) && now.duration_since(at) >= PING_EVERY && real.elapsed() >= PING_FLOOR {
            self.ping.sent = (now, Instant::now());
            self.ping.payload = self.venue.shown_now().as_millisecond().to_string();
            self.ping.unanswered = self.ping.unanswered.or(Some(self.ping.sent));
            send(socket, Frame::Ping(self.ping.payload.clone().into())).await?;
        }
        Ok(())
    }

    /// What a client says.
    async fn hear(&mut self, socket: &mut WebSocket, frame: Frame) -> Result<(), End> {
        if self.incoming.0.elapsed() >= Duration::from_secs(1) {
            self.incoming = (Instant::now(), 0.0);
        }
        self.incoming.1 += 1.0;
        let speed = self.venue.exchange.speed;
        if self.incoming.1 > INCOMING * if speed.is_finite() { speed.max(1.0) } else { 1.0 } {
            return Err(End::Close(close_code::POLICY, "Too many requests"));
        }
        let answer = match frame {
            Frame::Text(text) => self.obey(text.as_str()),
            Frame::Binary(bytes) => self.obey(&String::from_utf8_lossy(&bytes)),
            Frame::Pong(payload) => {
                if !self.switched(Kind::StrictPong) || payload == self.ping.payload.as_bytes() {
                    self.ping.unanswered = None;
                }
                return Ok(());
            }
            Frame::Ping(_) | Frame::Close(_) => return Ok(()),
        };
        send(socket, Frame::Text(answer.into())).await
    }

    /// Carries out a request, and answers it.
    fn obey(&mut self, text: &str) -> String {
        let done = control::parse(text).and_then(|request| {
            let result = self.carry_out(request.command, &request.id)?;
            Ok(control::answer(&result, &request.id))
        });
        done.unwrap_or_else(|complaint| complaint.text(self.switched(Kind::FlatErrors)))
    }

    fn carry_out(&mut self, command: Command, id: &Value) -> Result<Value, Complaint> {
        match command {
            Command::Subscribe(names) => {
                let named = |name: String| streams::parse(&name, &self.venue).map(|named| (name, named));
                let known: Option<Vec<(String, Named)>> = names.into_iter().map(named).collect();
                let known = known.ok_or_else(|| Complaint::invalid_stream(id))?;
                if self.names.len() + known.len() > MOST_STREAMS {
                    return Err(Complaint::too_many_streams(id));
                }
                self.subscribe(known);
            }
            Command::Unsubscribe(names) => {
                for name in names {
                    self.venue.hub.leave(&name, self.unit, self.listener.id);
                    self.names.retain(|other| *other != name);
                }
            }
            Command::List => return Ok(json!(self.names)),
            Command::GetCombined => return Ok(json!(self.combined)),
            Command::SetCombined(combined) => self.combined = combined,
        }
        Ok(Value::Null)
    }

    fn subscribe(&mut self, streams: Vec<(String, Named)>) {
        for (name, named) in streams {
            if self.names.contains(&name) {
                continue;
            }
            if named != Named::Silent {
                Hub::join(&self.venue, &name, named, self.unit, &self.listener);
            }
            self.names.push(name);
        }
    }

    fn switched(&self, switch: Kind) -> bool {
        let venue = &self.venue;
        let pick = |kind: &Kind| (*kind == switch).then_some(());
        venue.exchange.faults.lasting(venue.service, &self.line.path, venue.now(), pick).is_some()
    }
}

async fn send(socket: &mut WebSocket, frame: Frame) -> Result<(), End> {
    match tokio::time::timeout(SEND_WITHIN, socket.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Drop),
    }
}
