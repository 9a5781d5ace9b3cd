//! What Yahoo's stream says: protobuf in base64, bare or in an envelope.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use serde::Deserialize;
use thiserror::Error;

/// One price as the stream tells it. A zero is not sent, so a field at its default may mean "not said".
#[derive(Clone, PartialEq, prost::Message)]
pub struct PricingData {
    /// The symbol as Yahoo spells it.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The price.
    #[prost(float, tag = "2")]
    pub price: f32,
    /// When, in milliseconds.
    #[prost(sint64, tag = "3")]
    pub time: i64,
    /// The currency.
    #[prost(string, tag = "4")]
    pub currency: String,
    /// The exchange.
    #[prost(string, tag = "5")]
    pub exchange: String,
    /// The kind of thing: 7 a heartbeat, 8 an equity, 9 an index, 20 a fund, 41 a coin.
    #[prost(int32, tag = "6")]
    pub quote_type: i32,
    /// 0 before the session, 1 in it, 2 after it, 3 in extended hours.
    #[prost(int32, tag = "7")]
    pub market_hours: i32,
    /// Change since the previous close, in percent.
    #[prost(float, tag = "8")]
    pub change_percent: f32,
    /// Shares so far today; of coins, dollars in 24 hours.
    #[prost(sint64, tag = "9")]
    pub day_volume: i64,
    /// Highest price of the day.
    #[prost(float, tag = "10")]
    pub day_high: f32,
    /// Lowest price of the day.
    #[prost(float, tag = "11")]
    pub day_low: f32,
    /// Change since the previous close.
    #[prost(float, tag = "12")]
    pub change: f32,
    /// First price of the day.
    #[prost(float, tag = "15")]
    pub open_price: f32,
    /// The previous close.
    #[prost(float, tag = "16")]
    pub previous_close: f32,
    /// Size of the last trade.
    #[prost(sint64, tag = "22")]
    pub last_size: i64,
    /// Decimals for display.
    #[prost(sint64, tag = "27")]
    pub price_hint: i64,
    /// Volume of 24 hours.
    #[prost(sint64, tag = "28")]
    pub vol_24hr: i64,
    /// Volume of 24 hours in all currencies.
    #[prost(sint64, tag = "29")]
    pub vol_all_currencies: i64,
    /// The coin.
    #[prost(string, tag = "30")]
    pub from_currency: String,
    /// Coins there are.
    #[prost(double, tag = "32")]
    pub circulating_supply: f64,
    /// What they are worth together.
    #[prost(double, tag = "33")]
    pub market_cap: f64,
}

/// Why a message of the stream says nothing.
#[derive(Debug, Error)]
pub enum StreamError {
    /// Neither an envelope nor base64.
    #[error("not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// An envelope that is not understood.
    #[error("not an envelope: {0}")]
    Envelope(#[from] serde_json::Error),
    /// An envelope of another kind.
    #[error("a message of kind {0:?}")]
    Kind(String),
    /// No such protobuf.
    #[error("not pricing data: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// Longer than any message is.
    #[error("a message of {0} bytes")]
    TooLong(usize),
}

/// More than ten times the longest message seen.
const LONGEST: usize = 16 << 10;

/// Reads one message of the stream, of either version: `{"type":"pricing","message":"<base64>"}` or the base64 alone.
///
/// # Errors
/// [`StreamError`].
pub fn parse_stream_message(message: &[u8]) -> Result<PricingData, StreamError> {
    if message.len() > LONGEST {
        return Err(StreamError::TooLong(message.len()));
    }
    let message = message.trim_ascii();
    let bytes = if message.starts_with(b"{") {
        let envelope: Envelope<'_> = serde_json::from_slice(message)?;
        if envelope.kind != "pricing" {
            return Err(StreamError::Kind(envelope.kind.chars().take(40).collect()));
        }
        STANDARD.decode(envelope.message.as_bytes())?
    } else {
        STANDARD.decode(message)?
    };
    Ok(PricingData::decode(bytes.as_slice())?)
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    message: std::borrow::Cow<'a, str>,
}
