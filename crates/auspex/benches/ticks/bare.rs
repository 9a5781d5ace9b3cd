//! What nobody can do without: sending a frame to everyone, and reading one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt as _;
use futures::{SinkExt, StreamExt};
use market::Clock;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_tungstenite::connect_async_with_config;

use crate::Outcome;

type Channels = Arc<[broadcast::Sender<Utf8Bytes>]>;

/// Makes one frame a period for each symbol and sends it to all who listen to that symbol at `/{place}`.
pub(crate) async fn fan_out(
    symbols: usize,
    bytes: usize,
    period: Duration,
    clock: Arc<dyn Clock>,
) -> Outcome<SocketAddr> {
    let channels: Channels = (0..symbols).map(|_| broadcast::Sender::new(16)).collect();
    let router = Router::new().route("/{place}", any(pass_on)).with_state(Arc::clone(&channels));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(axum::serve(listener, router).into_future());
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(period);
        let filling = "x".repeat(bytes.saturating_sub(70));
        loop {
            beat.tick().await;
            for channel in channels.iter() {
                let event_time = clock.now().as_millisecond() * 1000;
                let frame = format!(r#"{{"type":"realtime_update","event_time":{event_time},"filling":"{filling}"}}"#);
                // An error says that nobody listens, which is fine.
                let _ = channel.send(frame.into());
            }
        }
    });
    Ok(address)
}

async fn pass_on(State(channels): State<Channels>, Path(place): Path<usize>, upgrade: WebSocketUpgrade) -> Response {
    let frames = channels.get(place).map(broadcast::Sender::subscribe);
    upgrade.on_upgrade(async move |mut socket| {
        let Some(mut frames) = frames else { return };
        while let Ok(frame) = frames.recv().await {
            if socket.send(Message::Text(frame)).await.is_err() {
                return;
            }
        }
    })
}

/// How many frames were read.
pub(crate) struct Read(Arc<AtomicU64>);

impl Read {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Reads the exchange's frames and does nothing with them.
pub(crate) async fn read(streams: String) -> Outcome<Read> {
    let (mut socket, _) = connect_async_with_config(format!("{streams}/stream"), None, true).await?;
    socket.send(r#"{"method":"SUBSCRIBE","params":[],"id":1}"#.into()).await?;
    let read = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&read);
    tokio::spawn(async move {
        while let Some(Ok(_)) = socket.next().await {
            counting.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(Read(read))
}
