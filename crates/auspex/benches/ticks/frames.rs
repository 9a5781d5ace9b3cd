//! A socket that speaks like the exchange's streams and tells more prices than a simulated market can work out.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum::serve::ListenerExt as _;
use futures::SinkExt;
use market::{Asset, Clock};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

use crate::Outcome;

/// Where prices are told, and how many were.
pub(crate) struct Frames {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
}

impl Frames {
    pub(crate) fn ws(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Tells so many prices a second of every asset to whoever connects.
pub(crate) fn open(
    universe: &[Asset],
    rate: u32,
    clock: Arc<dyn Clock>,
) -> impl Future<Output = Outcome<Frames>> + use<> {
    let pairs: Arc<[String]> = universe.iter().map(|asset| asset.source_symbol.clone()).collect();
    async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        let answer = move |upgrade: WebSocketUpgrade| {
            let (pairs, clock, sent) = (Arc::clone(&pairs), Arc::clone(&clock), Arc::clone(&counted));
            std::future::ready(upgrade.on_upgrade(move |socket| tell(socket, pairs, rate, clock, sent)))
        };
        let router = Router::new().route("/stream", any(answer));
        let listener = listener.tap_io(|stream| {
            // Without it the bench would measure Nagle's algorithm.
            let _ = stream.set_nodelay(true);
        });
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Frames { address, sent })
    }
}

/// Answers the request to subscribe, whatever it names, and tells prices until nobody takes them.
async fn tell(mut socket: WebSocket, pairs: Arc<[String]>, rate: u32, clock: Arc<dyn Clock>, sent: Arc<AtomicU64>) {
    let Some(Ok(Message::Text(_subscribe))) = socket.recv().await else { return };
    if socket.send(Message::Text(Utf8Bytes::from_static(r#"{"result":null,"id":1}"#))).await.is_err() {
        return;
    }
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in 0_u32.. {
        beat.tick().await;
        for (place, pair) in pairs.iter().enumerate() {
            let price = 100.0 + place as f64 + f64::from(n % 100) / 100.0;
            let frame = mini_ticker(pair, price, clock.now().as_millisecond());
            if socket.feed(Message::Text(frame.into())).await.is_err() {
                return;
            }
        }
        if socket.flush().await.is_err() {
            return;
        }
        sent.fetch_add(pairs.len() as u64, Ordering::Relaxed);
    }
}

/// A message of the exchange's stream of small tickers.
fn mini_ticker(pair: &str, price: f64, event_time: i64) -> String {
    let mut frame = String::with_capacity(300);
    let stream = pair.to_ascii_lowercase();
    let written = write!(
        frame,
        r#"{{"stream":"{stream}@miniTicker","data":{{"e":"24hrMiniTicker","E":{event_time},"s":"{pair}","c":"{price:.8}","#
    )
    .and_then(|()| {
        write!(
            frame,
            r#""o":"98.10000000","h":"131.25000000","l":"97.50000000","v":"48211.50000000","q":"5303265.00000000"}}}}"#
        )
    });
    written.expect("a text takes everything");
    frame
}
