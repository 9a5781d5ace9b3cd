//! What a carrier of events promises.

use jiff::Timestamp;
use market::{Symbol, Timeframe};

use crate::events::{Event, EventKind, Events, Received};

/// Holds carriers to what [`Events`] promises. `make` gives one nobody uses, on which a listener may be 16 events behind.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn events<E: Events, F: Future<Output = E>>(make: impl Fn() -> F) {
    everyone_hears_everything_in_order(&make().await).await;
    a_listener_hears_what_comes_after_it(&make().await).await;
    publishing_needs_no_listener(&make().await);
    what_was_published_is_heard_before_the_end(make().await).await;
}

fn kinds() -> Vec<EventKind> {
    let symbol: Symbol = "BTC".parse().expect("BTC is a symbol");
    let (timeframe, time) = (Timeframe::H1, Timestamp::UNIX_EPOCH);
    vec![
        EventKind::Tick { symbol: symbol.clone(), price: 1.5, event_time: time },
        EventKind::BarClosed { symbol: symbol.clone(), timeframe, close_time: time },
        EventKind::Issued { symbol: symbol.clone(), timeframe, seq: 7 },
        EventKind::Scored { symbol, timeframe, forecast_seq: 7 },
        EventKind::ModelChanged { model_id: "0123456789abcdef".to_owned() },
        EventKind::SourceChanged { source: "binance".to_owned() },
    ]
}

async fn everyone_hears_everything_in_order(events: &impl Events) {
    let mut listeners = [events.subscribe(), events.subscribe()];
    let published: Vec<Event> =
        kinds().into_iter().map(|kind| Event { number: events.publish(kind.clone()), kind }).collect();
    for (index, event) in (1..).zip(&published) {
        assert_eq!(event.number, index, "events are numbered from 1 without holes");
    }
    for listener in &mut listeners {
        for event in &published {
            assert_eq!(listener.recv().await, Some(Received::Event(event.clone())));
        }
    }
}

async fn a_listener_hears_what_comes_after_it(events: &impl Events) {
    let kind = EventKind::SourceChanged { source: "fred".to_owned() };
    events.publish(kind.clone());
    let mut late = events.subscribe();
    let number = events.publish(kind.clone());
    assert_eq!(late.recv().await, Some(Received::Event(Event { number, kind })));
}

fn publishing_needs_no_listener(events: &impl Events) {
    let kind = EventKind::SourceChanged { source: "fred".to_owned() };
    assert_eq!(events.publish(kind.clone()), 1);
    drop(events.subscribe());
    assert_eq!(events.publish(kind), 2, "a listener that went away holds nothing up");
}

async fn what_was_published_is_heard_before_the_end(events: impl Events) {
    let mut listener = events.subscribe();
    let kind = EventKind::SourceChanged { source: "fred".to_owned() };
    events.publish(kind.clone());
    drop(events);
    assert_eq!(listener.recv().await, Some(Received::Event(Event { number: 1, kind })));
    assert_eq!(listener.recv().await, None, "the publisher is gone");
}
