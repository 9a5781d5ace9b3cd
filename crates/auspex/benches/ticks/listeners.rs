//! Those who listen: sockets that note how late every price comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use jiff::Timestamp;
use market::Clock;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;

use crate::Outcome;

/// What is noted of each price, by every listener.
pub(crate) struct Listeners {
    tasks: JoinSet<Outcome<Heard>>,
    noting: Arc<AtomicBool>,
    token: CancellationToken,
}

/// What was heard.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) delays: Delays,
    /// Length of a message.
    pub(crate) bytes: usize,
}

impl Listeners {
    /// Connects one listener to each address.
    pub(crate) async fn open(addresses: Vec<String>, clock: Arc<dyn Clock>) -> Outcome<Self> {
        let (noting, token) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let mut tasks = JoinSet::new();
        for address in addresses {
            let (socket, _) = connect_async_with_config(&address, None, true).await?;
            let (noting, token, clock) = (Arc::clone(&noting), token.clone(), Arc::clone(&clock));
            tasks.spawn(async move {
                let mut heard = Heard::default();
                match token.run_until_cancelled(listen(socket, &noting, &*clock, &mut heard)).await {
                    Some(Err(error)) => Err(error),
                    Some(Ok(())) => Err("a socket was closed".into()),
                    None => Ok(heard),
                }
            });
        }
        Ok(Self { tasks, noting, token })
    }

    /// Notes from now on.
    pub(crate) fn begin(&self) {
        self.noting.store(true, Ordering::Relaxed);
    }

    /// Hangs up.
    pub(crate) async fn end(mut self) -> Outcome<Heard> {
        self.token.cancel();
        let mut all = Heard::default();
        while let Some(heard) = self.tasks.join_next().await {
            let heard = heard??;
            all.bytes = all.bytes.max(heard.bytes);
            all.delays.0.extend(heard.delays.0);
        }
        all.delays.0.sort_by(f64::total_cmp);
        Ok(all)
    }
}

async fn listen(
    mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    noting: &AtomicBool,
    clock: &dyn Clock,
    heard: &mut Heard,
) -> Outcome<()> {
    let mut newest = 0;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let Some(event_time) = price_of(text.as_str()).filter(|at| *at > newest) else { continue };
        newest = event_time;
        if noting.load(Ordering::Relaxed) {
            heard.delays.0.push(delay_ms(clock.now(), event_time));
            heard.bytes = heard.bytes.max(text.len());
        }
    }
    Ok(())
}

/// When the exchange said the price that a message brings, in microseconds; `None` of a message without a price.
fn price_of(text: &str) -> Option<i64> {
    if !text.starts_with(r#"{"type":"realtime_update""#) {
        return None;
    }
    let (_, rest) = text.split_once(r#""event_time":"#)?;
    rest.split([',', '}']).next()?.parse().ok()
}

/// Milliseconds from a moment in microseconds until `now`.
pub(crate) fn delay_ms(now: Timestamp, since: i64) -> f64 {
    (now.as_microsecond() - since) as f64 / 1000.0
}

/// Milliseconds, ascending.
#[derive(Default)]
pub(crate) struct Delays(Vec<f64>);

impl Delays {
    pub(crate) fn of(mut delays: Vec<f64>) -> Self {
        delays.sort_by(f64::total_cmp);
        Self(delays)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The delay that a share of all did not exceed; not a number when there was none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}
