//! The shapes of answers: JSON on one line, and refusals in the envelope of their path.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

/// The outer key of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Envelope {
    Chart,
    Finance,
    QuoteSummary,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    description: String,
}

impl Refusal {
    /// The request cannot be understood, or asks for what cannot be.
    pub(super) fn bad_request(description: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "Bad Request", description }
    }

    /// The request is understood, and goes beyond what is kept.
    pub(super) fn unprocessable(description: String) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, code: "Unprocessable Entity", description }
    }

    /// Nothing goes by this symbol.
    pub(super) fn no_such_symbol() -> Self {
        Self::not_found("No data found, symbol may be delisted".to_owned())
    }

    /// There is no such thing.
    pub(super) fn not_found(description: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "Not Found", description }
    }

    /// Cookie and crumb do not belong together.
    pub(super) fn invalid_crumb() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, code: "Unauthorized", description: "Invalid Crumb".to_owned() }
    }

    /// The answer.
    pub(super) fn in_envelope(self, envelope: Envelope) -> Response {
        let error = Object(vec![("code", self.code.into()), ("description", self.description.into())]);
        json(self.status, "public, max-age=10", bytes(&Outer { envelope, result: None::<()>, error: Some(error) }))
    }
}

/// A result or an error, in an envelope.
pub(super) struct Outer<T> {
    pub(super) envelope: Envelope,
    pub(super) result: Option<T>,
    pub(super) error: Option<Object>,
}

impl<T: Serialize> Serialize for Outer<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inner<'a, T> {
            result: &'a Option<T>,
            error: &'a Option<Object>,
        }
        let name = match self.envelope {
            Envelope::Chart => "chart",
            Envelope::Finance => "finance",
            Envelope::QuoteSummary => "quoteSummary",
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, &Inner { result: &self.result, error: &self.error })?;
        map.end()
    }
}

/// An object whose fields stand in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub(super) struct Object(pub(super) Vec<(&'static str, Value)>);

impl Object {
    /// Adds a field.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Adds a field where there is a value.
    pub(super) fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The shortest decimal that is the same 32-bit float: how this vendor prints prices outside arrays.
pub(super) fn short(price: f64) -> f64 {
    (price as f32).to_string().parse().unwrap_or(price)
}

/// The text of a value that has one.
pub(super) fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts as keys and numbers, texts and lists as values are JSON")
}

/// A JSON answer with the vendor's headers.
pub(super) fn json(status: StatusCode, cache: &'static str, body: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json;charset=utf-8"),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "Origin,Accept-Encoding"),
    ];
    (status, headers, body).into_response()
}
