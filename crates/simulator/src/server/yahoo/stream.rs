//! The stream: a socket on which trades come, and what goes wrong on it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use jiff::{SignedDuration, Timestamp};

use super::Yahoo;
use super::pricing::Version;
use super::subscriptions::Subscriptions;
use crate::server::Service;
use crate::server::faults::{FrameFault, GARBAGE, Kind, Spell, truncated};
use crate::server::fuse::Fuse;

/// Longer messages end the connection.
pub(super) const MESSAGE_LIMIT: usize = 64 << 10;

/// No more often than this, really, are prices looked at.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// No less often than this, really, so that a clock that is moved by hand is seen to have moved.
const MOST_WAIT: Duration = Duration::from_millis(500);

/// A client that does not take a message for so long is left.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// By this path a plan of faults means the stream.
const PATH: &str = "/";

/// A client's connection.
pub(super) struct Connection {
    pub(super) yahoo: Arc<Yahoo>,
    pub(super) socket: WebSocket,
    pub(super) version: Version,
    pub(super) fuse: Option<Fuse>,
}

/// The connection is over.
struct Over;

impl Connection {
    /// Tells trades until the client leaves or is left.
    pub(super) async fn run(mut self) {
        let yahoo = Arc::clone(&self.yahoo);
        let exchange = &yahoo.exchange;
        let mut subscriptions = Subscriptions::new(exchange.now());
        let (mut silent, mut rotation) = (Spell::default(), Spell::default());
        let every = SignedDuration::try_from_secs_f64(1.0 / exchange.ticks_a_second.max(1e-3))
            .unwrap_or(SignedDuration::from_secs(1));
        let mut due = exchange.now();
        loop {
            let wait = exchange.clock.wait_until(due).unwrap_or(LEAST_WAIT).clamp(LEAST_WAIT, MOST_WAIT);
            let tick = tokio::time::sleep(wait);
            tokio::pin!(tick);
            loop {
                tokio::select! {
                    () = &mut tick => break,
                    message = self.socket.recv() => match message {
                        Some(Ok(Message::Text(text))) => subscriptions.take(exchange, &text),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                        Some(Ok(_)) => {}
                    },
                }
            }
            let now = exchange.now();
            if now < due {
                continue;
            }
            due = now.saturating_add(every).unwrap_or(Timestamp::MAX);
            let faults = &exchange.faults;
            let is_silent = |kind: &Kind| matches!(kind, Kind::Silent { .. }).then_some(());
            let is_rotation = |kind: &Kind| (*kind == Kind::Rotation).then_some(());
            if rotation.look(faults, Service::Yahoo, PATH, now, is_rotation).is_some() {
                // Whether the client hears of it or not, it is over.
                let _ = tokio::time::timeout(SEND_TIMEOUT, self.socket.send(Message::Close(None))).await;
                return;
            }
            if silent.look(faults, Service::Yahoo, PATH, now, is_silent).is_some() {
                continue;
            }
            for trade in subscriptions.trades(exchange) {
                let sent = tokio::time::timeout(SEND_TIMEOUT, self.tell(trade.frame(self.version), now));
                if !matches!(sent.await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }

    /// Sends a frame, or what a fault makes of it.
    async fn tell(&mut self, text: String, now: Timestamp) -> Result<(), Over> {
        let text = match self.yahoo.exchange.faults.frame(Service::Yahoo, PATH, now) {
            None => text,
            Some(FrameFault::Cut) => return Err(Over),
            Some(FrameFault::Half) => {
                if let Some(fuse) = &self.fuse {
                    fuse.burn_after(text.len() as u64 / 2);
                    // It fails half way: that is the fault.
                    let _ = self.socket.send(Message::Text(text.into())).await;
                }
                return Err(Over);
            }
            Some(FrameFault::Truncated) => truncated(&text).to_owned(),
            Some(FrameFault::Garbage) => GARBAGE.to_owned(),
        };
        self.socket.send(Message::Text(text.into())).await.map_err(|_| Over)
    }
}
