//! Answers as JSON or XML, whichever was asked for, and refusals likewise.

use std::fmt::Write as _;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::server::params::Params;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    /// What was asked for; XML when nothing was.
    ///
    /// # Errors
    /// When it is another.
    pub(super) fn of(params: &Params) -> Result<Self, Refusal> {
        match params.get("file_type") {
            None | Some("xml") => Ok(Self::Xml),
            Some("json") => Ok(Self::Json),
            Some(_) => Err(Refusal::bad_request("Value of file_type is not one of: 'xml', 'json'.")),
        }
    }

    /// Its name, as it is echoed.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }
}

/// A text or a whole number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Date> for Value {
    fn from(date: Date) -> Self {
        Self::Text(date.to_string())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

/// Named values in order: keys in JSON, attributes in XML.
pub(super) type Fields = Vec<(String, Value)>;

/// One of what is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// An object, or an element with attributes.
    Fields(Fields),
    /// A text, or an element around it.
    Text(String),
    /// An object whose last key is `date`, or an element around that date.
    Dated(Fields, Date),
}

/// What is answered: a head, and a list.
#[derive(Debug)]
pub(super) struct Answer {
    /// The list's key, and the name of the outer element.
    pub(super) list: &'static str,
    /// The name of an element of the list.
    pub(super) item: &'static str,
    pub(super) head: Fields,
    pub(super) items: Vec<Item>,
}

impl Answer {
    pub(super) fn into_response(self, format: Format) -> Response {
        match format {
            Format::Json => typed(StatusCode::OK, format, self.to_json()),
            Format::Xml => typed(StatusCode::OK, format, self.to_xml()),
        }
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts as keys and texts and numbers as values are JSON")
    }

    fn to_xml(&self) -> String {
        let mut text = format!("{DECLARATION}<{}{}>\n", self.list, attributes(&self.head));
        for item in &self.items {
            let name = self.item;
            let _ = match item {
                Item::Fields(fields) => writeln!(text, "  <{name}{}/>", attributes(fields)),
                Item::Text(inner) => writeln!(text, "  <{name}>{}</{name}>", escaped(inner)),
                Item::Dated(fields, date) => writeln!(text, "  <{name}{}>{date}</{name}>", attributes(fields)),
            };
        }
        let _ = writeln!(text, "</{}>", self.list);
        text
    }
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n";

fn attributes(fields: &Fields) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let _ = match value {
            Value::Text(value) => write!(text, " {name}=\"{}\"", escaped(value)),
            Value::Number(value) => write!(text, " {name}=\"{value}\""),
            Value::Flag(value) => write!(text, " {name}=\"{value}\""),
        };
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.head {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry(self.list, &self.items)?;
        map.end()
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fields(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Dated(fields, date) => {
                let mut map = serializer.serialize_map(None)?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.serialize_entry("date", &date.to_string())?;
                map.end()
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    /// What is asked for cannot be; `what` follows the vendor's opening words.
    pub(super) fn bad_request(what: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: format!("Bad Request.  {what}") }
    }

    /// Too much was asked for at once.
    pub(super) fn too_many_requests() -> Self {
        let message = "Too Many Requests.  Exceeded Rate Limit".to_owned();
        Self { status: StatusCode::TOO_MANY_REQUESTS, message }
    }

    pub(super) fn into_response(self, format: Format) -> Response {
        let code = self.status.as_u16();
        let body = match format {
            Format::Json => {
                let message = serde_json::Value::from(self.message);
                format!("{{\"error_code\":{code},\"error_message\":{message}}}")
            }
            Format::Xml => {
                format!("{DECLARATION}<error code=\"{code}\" message=\"{}\"/>\n", escaped(&self.message))
            }
        };
        typed(self.status, format, body)
    }
}

fn typed(status: StatusCode, format: Format, body: String) -> Response {
    let content_type = match format {
        Format::Json => "application/json; charset=UTF-8",
        Format::Xml => "text/xml; charset=UTF-8",
    };
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
