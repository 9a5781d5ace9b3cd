//! The seam for what may be forgotten: bytes under a key, for a while.

mod memory;

pub use memory::MemoryCache;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// How a cache is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheStats {
    /// `memory`, `redis`.
    pub kind: &'static str,
    /// Lookups that found something.
    pub hits: u64,
    /// Lookups that found nothing.
    pub misses: u64,
}

/// Keeps bytes for a while. Losing it loses nothing but time: failures are misses, never errors.
#[async_trait]
pub trait Cache: Send + Sync + Debug {
    /// The bytes under a key, unless they were never put, ran out or were evicted.
    async fn get(&self, key: &str) -> Option<Bytes>;
    /// Keeps bytes for at most `ttl`.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration);
    /// Forgets a key.
    async fn remove(&self, key: &str);
    /// Counts since the start.
    fn stats(&self) -> CacheStats;
}
