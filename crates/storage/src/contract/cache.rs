//! What a cache promises.

use std::time::Duration;

use bytes::Bytes;

use crate::cache::Cache;

const LONG: Duration = Duration::from_secs(3_600);

/// Holds caches to what [`Cache`] promises. `make` gives an empty one with room for a kilobyte or more.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn cache<C: Cache, F: Future<Output = C>>(make: impl Fn() -> F) {
    gives_back_what_was_put(&make().await).await;
    the_last_value_counts(&make().await).await;
    what_ran_out_is_gone(&make().await).await;
    what_was_removed_is_gone(&make().await).await;
    counts_hits_and_misses(&make().await).await;
}

async fn gives_back_what_was_put(cache: &impl Cache) {
    assert_eq!(cache.get("a").await, None, "an empty cache has nothing");
    let anything = Bytes::from_static(&[0, 255, b'{', 0]);
    cache.put("a", anything.clone(), LONG).await;
    cache.put("", Bytes::new(), LONG).await;
    assert_eq!(cache.get("a").await, Some(anything), "any bytes are kept as they are");
    assert_eq!(cache.get("").await, Some(Bytes::new()), "no bytes are a value too, and no letters a key");
    assert_eq!(cache.get("A").await, None, "keys differ by case");
}

async fn the_last_value_counts(cache: &impl Cache) {
    cache.put("a", Bytes::from_static(b"old"), LONG).await;
    cache.put("a", Bytes::from_static(b"new"), LONG).await;
    assert_eq!(cache.get("a").await, Some(Bytes::from_static(b"new")));
}

async fn what_ran_out_is_gone(cache: &impl Cache) {
    cache.put("new", Bytes::from_static(b"x"), Duration::ZERO).await;
    assert_eq!(cache.get("new").await, None, "a time to live of zero is over at once");
    cache.put("old", Bytes::from_static(b"x"), LONG).await;
    cache.put("old", Bytes::from_static(b"y"), Duration::ZERO).await;
    assert_eq!(cache.get("old").await, None, "the time to live is the last put's");
    cache.put("again", Bytes::from_static(b"x"), Duration::ZERO).await;
    cache.put("again", Bytes::from_static(b"y"), LONG).await;
    assert_eq!(cache.get("again").await, Some(Bytes::from_static(b"y")));
}

async fn what_was_removed_is_gone(cache: &impl Cache) {
    cache.put("a", Bytes::from_static(b"x"), LONG).await;
    cache.put("b", Bytes::from_static(b"y"), LONG).await;
    cache.remove("a").await;
    cache.remove("never put").await;
    assert_eq!(cache.get("a").await, None);
    assert_eq!(cache.get("b").await, Some(Bytes::from_static(b"y")));
}

async fn counts_hits_and_misses(cache: &impl Cache) {
    let before = cache.stats();
    cache.put("a", Bytes::from_static(b"x"), LONG).await;
    cache.get("a").await;
    cache.get("a").await;
    cache.get("b").await;
    let after = cache.stats();
    assert_eq!((after.hits - before.hits, after.misses - before.misses), (2, 1));
    assert_eq!(after.kind, before.kind);
}
