//! A server that runs by itself on a free port.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Exchange, serve};

/// A served market. Ends when it is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    /// What it serves.
    pub exchange: Arc<Exchange>,
    token: CancellationToken,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

/// Serves a market on a free port of the loopback interface.
///
/// # Errors
/// When no port can be bound.
pub async fn start(exchange: Exchange) -> std::io::Result<Running> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (address, exchange, token) = (listener.local_addr()?, Arc::new(exchange), CancellationToken::new());
    let task = tokio::spawn(serve(listener, Arc::clone(&exchange), token.clone()));
    Ok(Running { address, exchange, token, task: Some(task) })
}

impl Running {
    /// The base address of its paths, without a slash at the end.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base address of its sockets, without a slash at the end.
    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Ends it, and waits until it has ended.
    ///
    /// # Errors
    /// When its listener had failed.
    pub async fn stop(mut self) -> std::io::Result<()> {
        self.token.cancel();
        match self.task.take() {
            Some(task) => task.await.map_err(std::io::Error::other)?,
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.token.cancel();
    }
}
