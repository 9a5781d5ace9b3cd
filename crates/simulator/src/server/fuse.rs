//! Connections that can be cut in the middle of what is being sent.
//!
//! HTTP and WebSocket libraries end what they begin. A fault that wants a connection to break within a frame must sit
//! below them, on the bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Cuts its connection once so many more bytes have been sent.
#[derive(Debug, Clone)]
pub(crate) struct Fuse(Arc<AtomicU64>);

impl Fuse {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Lets so many more bytes through.
    pub(crate) fn burn_after(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// A listener whose connections have fuses.
#[derive(Debug)]
pub(crate) struct Fused<T> {
    inner: T,
    fuse: Fuse,
}

impl Fused<TcpListener> {
    pub(crate) fn new(inner: TcpListener) -> Self {
        Self { inner, fuse: Fuse::new() }
    }
}

impl Listener for Fused<TcpListener> {
    type Io = Fused<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (inner, address) = Listener::accept(&mut self.inner).await;
        // Without it small frames would wait for each other; one that cannot be told stays slow.
        let _ = inner.set_nodelay(true);
        (Fused { inner, fuse: Fuse::new() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

impl Connected<IncomingStream<'_, Fused<TcpListener>>> for Fuse {
    fn connect_info(stream: IncomingStream<'_, Fused<TcpListener>>) -> Self {
        stream.io().fuse.clone()
    }
}

impl AsyncRead for Fused<TcpStream> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Fused<TcpStream> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let left = self.fuse.0.load(Ordering::Relaxed);
        if left == u64::MAX {
            return Pin::new(&mut self.inner).poll_write(cx, buf);
        }
        if left == 0 && !buf.is_empty() {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let upto = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let written = Pin::new(&mut self.inner).poll_write(cx, &buf[..upto]);
        if let Poll::Ready(Ok(n)) = &written {
            self.fuse.0.store(left - *n as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
