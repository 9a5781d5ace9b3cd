//! What the exchange says when it does not answer.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::limits::{TOO_MUCH, banned_until};

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// -1100: a parameter, and the pattern it does not match.
    Characters(&'static str, &'static str),
    /// -1101: how many parameters are expected, and were received.
    TooMany(usize, usize),
    /// -1102: a parameter that must be there and is not.
    Mandatory(&'static str),
    /// -1104: how many parameters were read, and were sent.
    Unread(usize, usize),
    /// -1105: a parameter without a value.
    Empty(String),
    /// -1120.
    Interval,
    /// -1121.
    Symbol,
    /// -1122.
    SymbolStatus,
    /// -1128.
    Combination,
    /// -1130: a parameter whose value cannot be.
    Value(&'static str),
    /// -1139.
    TickerType,
    /// -1151.
    Repeated,
    /// -1194.
    TimeUnit,
    /// -1220.
    OtherStatus,
    /// 429: how many seconds to wait.
    TooMuch {
        /// Seconds.
        retry_after: i64,
    },
    /// 418.
    Banned {
        /// Milliseconds since the epoch.
        until: i64,
        /// Seconds.
        retry_after: i64,
    },
}

impl Refusal {
    fn code(&self) -> i32 {
        match self {
            Self::Characters(..) => -1100,
            Self::TooMany(..) => -1101,
            Self::Mandatory(_) => -1102,
            Self::Unread(..) => -1104,
            Self::Empty(_) => -1105,
            Self::Interval => -1120,
            Self::Symbol => -1121,
            Self::SymbolStatus => -1122,
            Self::Combination => -1128,
            Self::Value(_) => -1130,
            Self::TickerType => -1139,
            Self::Repeated => -1151,
            Self::TimeUnit => -1194,
            Self::OtherStatus => -1220,
            Self::TooMuch { .. } | Self::Banned { .. } => -1003,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Characters(name, range) => {
                format!("Illegal characters found in parameter '{name}'; legal range is '{range}'.")
            }
            Self::TooMany(expected, received) => {
                format!("Too many parameters; expected '{expected}' and received '{received}'.")
            }
            Self::Mandatory(name) => {
                format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
            }
            Self::Unread(read, sent) => {
                format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.")
            }
            Self::Empty(name) => format!("Parameter '{name}' was empty."),
            Self::Interval => "Invalid interval.".to_owned(),
            Self::Symbol => "Invalid symbol.".to_owned(),
            Self::SymbolStatus => "Invalid symbolStatus.".to_owned(),
            Self::Combination => "Combination of optional parameters invalid.".to_owned(),
            Self::Value(name) => format!("Data sent for parameter '{name}' is not valid."),
            Self::TickerType => "Invalid ticker type.".to_owned(),
            Self::Repeated => "Symbol is present multiple times in the list.".to_owned(),
            Self::TimeUnit => "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.".to_owned(),
            Self::OtherStatus => "The symbol's status does not match the requested symbolStatus.".to_owned(),
            Self::TooMuch { .. } => TOO_MUCH.to_owned(),
            Self::Banned { until, .. } => banned_until(*until),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, retry_after) = match &self {
            Self::TooMuch { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(*retry_after)),
            Self::Banned { retry_after, .. } => (StatusCode::IM_A_TEAPOT, Some(*retry_after)),
            _ => (StatusCode::BAD_REQUEST, None),
        };
        let body = serde_json::json!({ "code": self.code(), "msg": self.words() }).to_string();
        let mut response = (status, [(CONTENT_TYPE, "application/json;charset=UTF-8")], body).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
