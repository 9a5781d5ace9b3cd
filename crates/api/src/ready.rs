//! Ready answers: made once when their data change, then handed out as they are.
//!
//! A [`Slot`] holds one value made from the engine's state. An event says that it is outdated; the next reader makes it
//! anew, all others wait for that one. Age alone makes it outdated too, because ages and staleness move on when nothing
//! happens. Readers of a fresh value take no lock.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::Write as _;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::extract::Asked;
use crate::problem::Problem;

/// A value and what it was made from.
#[derive(Debug)]
struct Made<T> {
    value: T,
    generation: u64,
    made: Instant,
}

/// Room for one value.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    made: ArcSwapOption<Made<T>>,
    /// Counts the changes of the data underneath.
    generation: AtomicU64,
    /// One maker at a time.
    making: Arc<tokio::sync::Mutex<()>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { made: ArcSwapOption::empty(), generation: AtomicU64::new(0), making: Arc::default() }
    }
}

impl<T: Clone> Slot<T> {
    /// The value, if it is there and not outdated.
    pub(crate) fn fresh(&self, max_age: Duration) -> Option<T> {
        let made = self.made.load();
        let made = made.as_ref()?;
        let current = made.generation == self.generation.load(Ordering::Acquire);
        (current && made.made.elapsed() <= max_age).then(|| made.value.clone())
    }

    /// The value made last, outdated or not.
    pub(crate) fn last(&self) -> Option<T> {
        self.made.load().as_ref().map(|made| made.value.clone())
    }

    /// Says that the data underneath changed.
    pub(crate) fn outdate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The value, made anew when it is outdated. Who waited while it was made takes it, although it may be outdated again:
    /// it holds all that had happened when it was asked for.
    ///
    /// # Errors
    /// As the maker's; nothing is kept then.
    pub(crate) async fn get_or_make<E>(
        &self,
        max_age: Duration,
        make: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let asked = self.generation();
        if let Some(value) = self.fresh(max_age) {
            return Ok(value);
        }
        let _one_maker = self.making.lock().await;
        if let Some(value) = self.since(asked, max_age) {
            return Ok(value);
        }
        let begun = self.begin();
        let value = make().await?;
        self.keep(begun, &value);
        Ok(value)
    }

    /// The same for what takes long. It is made on a task of its own, which goes on when nobody waits any more, so that
    /// those who ask and leave do not pile up work; and in its turn: `turns` are shared with others of its kind.
    ///
    /// # Errors
    /// As the maker's; nothing is kept then.
    pub(crate) async fn get_or_work<E>(
        self: &Arc<Self>,
        max_age: Duration,
        turns: &Arc<Semaphore>,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + Sync + 'static,
        E: Send + 'static,
    {
        let asked = self.generation();
        if let Some(value) = self.fresh(max_age) {
            return Ok(value);
        }
        let one_maker = Arc::clone(&self.making).lock_owned().await;
        if let Some(value) = self.since(asked, max_age) {
            return Ok(value);
        }
        let turn = Arc::clone(turns).acquire_owned().await;
        let slot = Arc::clone(self);
        let working = tokio::spawn(async move {
            let _held_until_kept = (one_maker, turn);
            let begun = slot.begin();
            let value = work.await?;
            slot.keep(begun, &value);
            Ok(value)
        });
        // It is never aborted: what ends it without a value is a panic, which is the asker's.
        working.await.unwrap_or_else(|ended| resume_unwind(ended.into_panic()))
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A value made from data as they were at a generation or later.
    fn since(&self, generation: u64, max_age: Duration) -> Option<T> {
        let made = self.made.load();
        let made = made.as_ref()?;
        (made.generation >= generation && made.made.elapsed() <= max_age).then(|| made.value.clone())
    }

    /// Read before the data are: a change while a value is made leaves it outdated from the start.
    fn begin(&self) -> (u64, Instant) {
        (self.generation(), Instant::now())
    }

    fn keep(&self, (generation, made): (u64, Instant), value: &T) {
        self.made.store(Some(Arc::new(Made { value: value.clone(), generation, made })));
    }
}

/// Slots by key, at most so many: what anyone may ask for in many ways is not kept in all of them.
#[derive(Debug)]
pub(crate) struct Board<K, T> {
    slots: ArcSwap<HashMap<K, Arc<Slot<T>>>>,
    most: usize,
}

impl<K: Hash + Eq + Clone, T: Clone> Board<K, T> {
    /// A board that keeps at most so many.
    pub(crate) fn keeping(most: usize) -> Self {
        Self { slots: ArcSwap::default(), most }
    }

    /// The value under a key, if it is there and not outdated.
    pub(crate) fn fresh(&self, key: &K, max_age: Duration) -> Option<T> {
        self.slots.load().get(key)?.fresh(max_age)
    }

    /// The slot of a key; a new one takes the place of any other when the board is full.
    pub(crate) fn slot(&self, key: &K) -> Arc<Slot<T>> {
        if let Some(slot) = self.slots.load().get(key) {
            return Arc::clone(slot);
        }
        let new = Arc::new(Slot::default());
        let before = self.slots.rcu(|slots| {
            let mut slots = HashMap::clone(slots);
            if !slots.contains_key(key) {
                if slots.len() >= self.most
                    && let Some(other) = slots.keys().next().cloned()
                {
                    slots.remove(&other);
                }
                slots.insert(key.clone(), Arc::clone(&new));
            }
            slots
        });
        // Someone else may have been quicker.
        before.get(key).map_or(new, Arc::clone)
    }

    /// Says that the data under a key changed.
    pub(crate) fn outdate(&self, key: &K) {
        if let Some(slot) = self.slots.load().get(key) {
            slot.outdate();
        }
    }

    /// Says that the data under some keys changed.
    pub(crate) fn outdate_where(&self, mut changed: impl FnMut(&K) -> bool) {
        for (_, slot) in self.slots.load().iter().filter(|(key, _)| changed(key)) {
            slot.outdate();
        }
    }
}

/// A finished JSON body.
#[derive(Debug, Clone)]
pub(crate) struct Answer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: Bytes,
    gzip: OnceLock<Option<Bytes>>,
}

/// Bodies below this size are not worth compressing.
const GZIP_FROM_BYTES: usize = 1400;

impl Answer {
    /// The JSON of a value.
    ///
    /// # Errors
    /// When it cannot be written, which is a bug.
    pub(crate) fn json<T: Serialize>(value: &T) -> Result<Self, Problem> {
        let bytes = serde_json::to_vec(value).map_err(|error| Problem::internal("write a body", &error))?;
        Ok(Self::from(Bytes::from(bytes)))
    }

    /// The body.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The response, compressed (once for all) when the client asks for it and it is worth it.
    pub(crate) fn respond(&self, asked: Asked) -> axum::response::Response {
        let mut response = Response::new(Body::empty());
        let into = response.headers_mut();
        into.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        into.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let mut bytes = &self.0.bytes;
        if bytes.len() >= GZIP_FROM_BYTES {
            into.insert(VARY, HeaderValue::from_static("accept-encoding"));
            if asked.gzip
                && let Some(packed) = self.0.gzip.get_or_init(|| gzip(bytes))
            {
                into.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                bytes = packed;
            }
        }
        *response.body_mut() = Body::from(bytes.clone());
        response
    }

    /// The response with another status than 200.
    pub(crate) fn respond_with(&self, status: StatusCode, asked: Asked) -> axum::response::Response {
        let mut response = self.respond(asked);
        *response.status_mut() = status;
        response
    }
}

impl From<Bytes> for Answer {
    fn from(bytes: Bytes) -> Self {
        Self(Arc::new(Inner { bytes, gzip: OnceLock::new() }))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> axum::response::Response {
        self.respond(Asked::default())
    }
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    async fn make(slot: &Slot<u32>, calls: &Cell<u32>, max_age: Duration) -> u32 {
        let made = slot.get_or_make(max_age, async || {
            calls.set(calls.get() + 1);
            Ok::<_, Infallible>(calls.get())
        });
        made.await.unwrap()
    }

    #[tokio::test]
    async fn a_value_is_made_once_until_it_is_outdated() {
        let (slot, calls) = (Slot::default(), Cell::new(0));
        assert_eq!(slot.fresh(LONG), None);
        for _ in 0..3 {
            assert_eq!(make(&slot, &calls, LONG).await, 1);
        }
        slot.outdate();
        assert_eq!(slot.fresh(LONG), None);
        assert_eq!(make(&slot, &calls, LONG).await, 2);
    }

    #[tokio::test]
    async fn a_change_while_a_value_is_made_leaves_it_outdated() {
        let slot = Slot::default();
        let made = slot.get_or_make(LONG, async || {
            slot.outdate();
            Ok::<_, Infallible>(7)
        });
        assert_eq!(made.await.unwrap(), 7);
        assert_eq!(slot.fresh(LONG), None);
    }

    #[tokio::test]
    async fn who_waited_takes_what_was_made_meanwhile() {
        let (slot, calls) = (Slot::default(), Cell::new(0));
        let make = || {
            slot.get_or_make(LONG, async || {
                calls.set(calls.get() + 1);
                tokio::task::yield_now().await;
                slot.outdate();
                Ok::<_, Infallible>(calls.get())
            })
        };
        let (a, b, c) = tokio::join!(make(), make(), make());
        assert_eq!([a, b, c], [Ok(1), Ok(1), Ok(1)]);
        assert_eq!(make().await, Ok(2));
    }

    #[tokio::test]
    async fn work_goes_on_when_the_one_who_asked_has_left() {
        let (slot, turns) = (Arc::new(Slot::default()), Arc::new(Semaphore::new(1)));
        let (open, gate) = tokio::sync::oneshot::channel::<u32>();
        let asked = slot.get_or_work(LONG, &turns, gate);
        assert!(tokio::time::timeout(Duration::from_millis(1), asked).await.is_err());
        assert_eq!(turns.available_permits(), 0);
        open.send(7).unwrap();
        assert_eq!(
            slot.get_or_work(LONG, &turns, async { Ok::<_, tokio::sync::oneshot::error::RecvError>(8) }).await,
            Ok(7)
        );
    }

    #[test]
    fn a_board_keeps_so_many() {
        let board = Board::<u32, u32>::keeping(2);
        let kept: Vec<_> = [1, 2, 3].iter().map(|key| board.slot(key)).collect();
        let still = [1, 2, 3].iter().filter(|key| board.slots.load().contains_key(key)).count();
        assert_eq!((kept.len(), still), (3, 2));
        assert!(Arc::ptr_eq(&board.slot(&3), &kept[2]));
    }

    #[tokio::test]
    async fn a_failed_making_leaves_nothing() {
        let slot = Slot::<u32>::default();
        assert_eq!(slot.get_or_make(LONG, async || Err("no")).await, Err("no"));
        assert_eq!(slot.fresh(LONG), None);
    }
}
