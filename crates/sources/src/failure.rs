//! Why a source gave no answer.

use std::time::Duration;

use thiserror::Error;

/// Why a source gave no answer. No text in it holds a key: addresses are named without their query.
#[derive(Debug, Error)]
pub enum Failure {
    /// No connection, no TLS, no answer in time, or the answer was cut short.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// Host and port.
        host: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server is in trouble.
    #[error("{host} answered {status}: {said}")]
    Server {
        /// Host and port.
        host: String,
        /// The status.
        status: u16,
        /// The beginning of what it said.
        said: String,
    },
    /// Asked too often.
    #[error("{host} says that it was asked too often (status {status})")]
    Limited {
        /// Host and port.
        host: String,
        /// The status: 429, or 418 when all requests are refused for a while.
        status: u16,
        /// How long to wait, where it said so.
        retry_after: Option<Duration>,
    },
    /// It serves nobody in this place. Trying again does not help.
    #[error("{host} does not serve this location (status 451): {said}")]
    Restricted {
        /// Host and port.
        host: String,
        /// What it said.
        said: String,
    },
    /// It has no such series.
    #[error("{host} does not know {spelling}")]
    Unknown {
        /// Host and port.
        host: String,
        /// The spelling that was asked for.
        spelling: String,
    },
    /// It refuses the request itself: a wrong key, a window out of reach, a parameter.
    #[error("{host} refused the request (status {status}): {said}")]
    Refused {
        /// Host and port.
        host: String,
        /// The status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The answer is not what the protocol says.
    #[error("{host} gave an answer that is not understood: {reason}")]
    Malformed {
        /// Host and port.
        host: String,
        /// What was wrong and where.
        reason: String,
    },
    /// The answer is longer than any that is expected.
    #[error("{host} gave an answer of more than {limit} bytes")]
    TooLong {
        /// Host and port.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// The source cannot give this at all.
    #[error("{source_name} has no {what}")]
    NotOffered {
        /// The source.
        source_name: String,
        /// What was asked for.
        what: String,
    },
    /// The answer comes from a simulated market, and real ones are expected.
    #[error("{host} is a simulated market: a ledger of real forecasts is not fed from it")]
    Simulated {
        /// Host and port.
        host: String,
    },
}

impl Failure {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Server { .. } | Self::Limited { .. } | Self::Malformed { .. })
    }

    /// How long the source asked to be left alone.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// With all its causes, in one line.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
