//! Binance.

use market::{Calendar, Timeframe};
use serde_json::value::RawValue;
use sources::binance::{Message, parse_klines, parse_message};

use super::{check_bar, check_text, is_price};

/// A message of a stream.
pub(crate) fn message(bytes: &[u8]) {
    parse_message(bytes, |outcome| match outcome {
        Ok(Message::Closed { timeframe, bar, .. }) => check_bar(&bar, Calendar::Continuous, timeframe),
        Ok(Message::Price { price, .. }) => assert!(is_price(price)),
        Ok(Message::Reply { complaint, .. }) => complaint.iter().for_each(|text| check_text(text)),
        Ok(Message::Shutdown | Message::Ignored(_)) => {}
        Err(refusal) => check_text(&refusal.reason),
    });
    // An event is the same event in a list and in its stream's name.
    let Ok(event) = serde_json::from_slice::<&RawValue>(bytes) else { return };
    let (list, wrapped) = (format!("[{event}]"), format!(r#"{{"stream":"a@trade","data":{event}}}"#));
    if !event.get().starts_with('[') {
        assert_eq!(taken(list.as_bytes()), taken(wrapped.as_bytes()));
    }
}

fn taken(bytes: &[u8]) -> Vec<Message<'_>> {
    let mut messages = Vec::new();
    parse_message(bytes, |outcome| messages.extend(outcome));
    messages
}

/// An answer of `klines`.
pub(crate) fn klines(bytes: &[u8]) {
    for timeframe in [Timeframe::M1, Timeframe::H4, Timeframe::D1, Timeframe::W1, Timeframe::Mo1] {
        let rows = match parse_klines(bytes, timeframe) {
            Ok(rows) => rows,
            Err(reason) => return check_text(&reason),
        };
        for (row_idx, row) in rows.into_iter().enumerate() {
            match row {
                Ok(row) => {
                    check_bar(&row.bar, Calendar::Continuous, timeframe);
                    row.repaired.iter().for_each(|text| check_text(text));
                }
                Err(refused) => {
                    assert_eq!(refused.row_idx, row_idx);
                    check_text(&refused.reason);
                }
            }
        }
    }
}
