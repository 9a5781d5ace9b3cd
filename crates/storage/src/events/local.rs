//! Events within this process.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{Event, EventKind, Events, Received, Subscription};

/// Carries events to the listeners in this process.
#[derive(Debug)]
pub struct LocalEvents {
    sender: broadcast::Sender<Event>,
    /// Number of the last event. Held while sending, so that events arrive in the order of their numbers.
    last: Mutex<u64>,
}

impl LocalEvents {
    /// A carrier on which a listener may be about `capacity` events behind before it loses the oldest; at least 1.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { sender: broadcast::Sender::new(capacity.max(1)), last: Mutex::new(0) }
    }
}

impl Default for LocalEvents {
    fn default() -> Self {
        Self::new(1_024)
    }
}

impl Events for LocalEvents {
    fn publish(&self, kind: EventKind) -> u64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        // An error says that nobody listens, which is fine.
        let _ = self.sender.send(Event { number: *last, kind });
        *last
    }

    fn subscribe(&self) -> Box<dyn Subscription> {
        Box::new(LocalSubscription(self.sender.subscribe()))
    }
}

#[derive(Debug)]
struct LocalSubscription(broadcast::Receiver<Event>);

#[async_trait]
impl Subscription for LocalSubscription {
    async fn recv(&mut self) -> Option<Received> {
        match self.0.recv().await {
            Ok(event) => Some(Received::Event(event)),
            Err(RecvError::Lagged(n)) => Some(Received::Lagged(n)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn changed(n: u64) -> EventKind {
        EventKind::ModelChanged { model_id: n.to_string() }
    }

    #[tokio::test]
    async fn passes_the_contract() {
        crate::contract::events(|| async { LocalEvents::new(64) }).await;
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_many_it_lost_and_never_holds_the_publisher() {
        let events = LocalEvents::new(4);
        let mut slow = events.subscribe();
        for n in 1..=10 {
            assert_eq!(events.publish(changed(n)), n);
        }
        assert_eq!(slow.recv().await, Some(Received::Lagged(6)));
        for number in 7..=10 {
            assert_eq!(slow.recv().await, Some(Received::Event(Event { number, kind: changed(number) })));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn events_of_many_publishers_arrive_in_the_order_of_their_numbers() {
        let events = Arc::new(LocalEvents::new(1_024));
        let mut listener = events.subscribe();
        let publish = |events: Arc<LocalEvents>| {
            tokio::spawn(async move {
                for n in 0..400 {
                    events.publish(changed(n));
                }
            })
        };
        let publishers = [publish(Arc::clone(&events)), publish(Arc::clone(&events))];
        for publisher in publishers {
            publisher.await.expect("a publisher does not panic");
        }
        for number in 1..=800 {
            let Some(Received::Event(event)) = listener.recv().await else { panic!("event {number} is missing") };
            assert_eq!(event.number, number);
        }
    }
}
