//! From accepted connections to requests: how many there may be, how long one may take to ask, and to take an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use crate::rate::Peer;
use crate::settings::ApiSettings;

/// Answers requests until `token` is cancelled, and those that are open then to their end; connections are cut off when it
/// is dropped.
///
/// When as many connections as allowed are open, others wait in the system's queue. Sockets do not count here: they have a
/// limit of their own.
pub(crate) async fn answer(listener: &TcpListener, router: Router, settings: &ApiSettings, token: &CancellationToken) {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(settings.idle_timeout())
        .max_header_size(settings.header_limit_bytes);
    let room = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut open = JoinSet::new();
    loop {
        let accept = async {
            let room = Arc::clone(&room).acquire_owned().await;
            (accepted(listener).await, room)
        };
        let ((stream, peer), room) = tokio::select! {
            () = token.cancelled() => break,
            next = accept => next,
            Some(_ended) = open.join_next() => continue,
        };
        let stream = TokioIo::new(Patient::new(stream, settings.idle_timeout()));
        let router = router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().oneshot(request)
        });
        let serving = protocol.serve_connection(stream, service).with_upgrades();
        let token = token.clone();
        open.spawn(async move {
            let _room = room;
            tokio::pin!(serving);
            let ended = tokio::select! {
                ended = &mut serving => ended,
                () = token.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, "a connection was cut off");
            }
        });
    }
    while open.join_next().await.is_some() {}
}

/// The next connection. What cannot be accepted is no reason to stop: too many files may be open for a while.
async fn accepted(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    warn!(%error, "failed to send small messages at once on a connection");
                }
                return (stream, Peer(address.ip()));
            }
            Err(error) => {
                let gone = [
                    io::ErrorKind::ConnectionRefused,
                    io::ErrorKind::ConnectionAborted,
                    io::ErrorKind::ConnectionReset,
                ];
                if !gone.contains(&error.kind()) {
                    warn!(%error, "failed to accept a connection");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// A connection that is given up when its peer takes nothing for too long.
struct Patient<T> {
    inner: T,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> Patient<T> {
    fn new(inner: T, patience: Duration) -> Self {
        Self { inner, patience, waiting: None }
    }

    /// What a write came to, or that it has waited too long.
    fn in_time<W>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<W>>) -> Poll<io::Result<W>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        waiting.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.in_time(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.in_time(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.in_time(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.in_time(context, shut)
    }
}
