//! The stream's message: a protobuf of one trade, in base64, in version 2 within JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;

/// One trade. Fields that are zero or empty are not sent.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PricingData {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(float, tag = "2")]
    pub(super) price: f32,
    /// Milliseconds.
    #[prost(sint64, tag = "3")]
    pub(super) time: i64,
    #[prost(string, tag = "4")]
    pub(super) currency: String,
    #[prost(string, tag = "5")]
    pub(super) exchange: String,
    #[prost(int32, tag = "6")]
    pub(super) quote_type: i32,
    /// 1 while the session runs.
    #[prost(int32, tag = "7")]
    pub(super) market_hours: i32,
    #[prost(float, tag = "8")]
    pub(super) change_percent: f32,
    /// What was traded since the session opened.
    #[prost(sint64, tag = "9")]
    pub(super) day_volume: i64,
    #[prost(float, tag = "10")]
    pub(super) day_high: f32,
    #[prost(float, tag = "11")]
    pub(super) day_low: f32,
    #[prost(float, tag = "12")]
    pub(super) change: f32,
    #[prost(float, tag = "15")]
    pub(super) open_price: f32,
    #[prost(float, tag = "16")]
    pub(super) previous_close: f32,
    #[prost(sint64, tag = "22")]
    pub(super) last_size: i64,
    #[prost(sint64, tag = "27")]
    pub(super) price_hint: i64,
    #[prost(sint64, tag = "28")]
    pub(super) volume_24_hours: i64,
    #[prost(sint64, tag = "29")]
    pub(super) volume_all_currencies: i64,
    #[prost(string, tag = "30")]
    pub(super) from_currency: String,
}

/// How messages are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Base64 alone.
    Bare,
    /// `{"type":"pricing","message":"<base64>"}`.
    Enveloped,
}

impl PricingData {
    /// The text frame.
    pub(super) fn frame(&self, version: Version) -> String {
        let message = STANDARD.encode(self.encode_to_vec());
        match version {
            Version::Bare => message,
            Version::Enveloped => format!(r#"{{"type":"pricing","message":"{message}"}}"#),
        }
    }
}
