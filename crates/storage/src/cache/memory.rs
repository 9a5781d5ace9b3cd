//! The cache in this process's memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use moka::Expiry;

use super::{Cache, CacheStats};

/// What an entry costs beside its bytes: the map's node, the timer's, the policy's.
const OVERHEAD_BYTES: usize = 200;

#[derive(Debug, Clone)]
struct Kept {
    value: Bytes,
    ttl: Duration,
}

#[derive(Debug)]
struct PerEntry;

impl Expiry<String, Kept> for PerEntry {
    fn expire_after_create(&self, _: &String, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }

    fn expire_after_update(&self, _: &String, kept: &Kept, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.ttl)
    }
}

/// A cache in memory, bounded by bytes: what is used least goes first.
#[derive(Debug)]
pub struct MemoryCache {
    kept: moka::future::Cache<String, Kept>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl MemoryCache {
    /// An empty cache of at most about `max_bytes`, keys and bookkeeping counted.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let weight = |key: &String, kept: &Kept| {
            u32::try_from(key.len() + kept.value.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
        };
        let kept = moka::future::Cache::builder().max_capacity(max_bytes).weigher(weight).expire_after(PerEntry);
        Self { kept: kept.build(), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// About how many bytes are held now. Evictions that are due are carried out first.
    pub async fn size_bytes(&self) -> u64 {
        self.kept.run_pending_tasks().await;
        self.kept.weighted_size()
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        let found = self.kept.get(key).await.map(|kept| kept.value);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        self.kept.insert(key.to_owned(), Kept { value, ttl }).await;
    }

    async fn remove(&self, key: &str) {
        self.kept.invalidate(key).await;
    }

    fn stats(&self) -> CacheStats {
        CacheStats {
            kind: "memory",
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passes_the_contract() {
        crate::contract::cache(|| async { MemoryCache::new(1 << 20) }).await;
    }

    #[tokio::test]
    async fn stays_within_its_bytes() {
        let cache = MemoryCache::new(100_000);
        for n in 0..1_000 {
            cache.put(&format!("forecast/{n}"), Bytes::from(vec![7; 1_000]), Duration::from_secs(3_600)).await;
        }
        let size = cache.size_bytes().await;
        assert!(size > 50_000 && size <= 100_000, "{size} bytes are held");
    }

    #[tokio::test]
    async fn what_is_larger_than_the_cache_is_not_kept() {
        let cache = MemoryCache::new(10_000);
        cache.put("small", Bytes::from_static(b"kept"), Duration::from_secs(3_600)).await;
        cache.put("large", Bytes::from(vec![7; 20_000]), Duration::from_secs(3_600)).await;
        assert!(cache.size_bytes().await <= 10_000);
        assert_eq!(cache.get("large").await, None);
        assert_eq!(cache.get("small").await, Some(Bytes::from_static(b"kept")));
    }
}
