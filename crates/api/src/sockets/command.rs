//! What clients say.

use serde::Deserialize;
use tokio::time::Instant;

use crate::problem::{Kind, Problem};

/// A client may say so much at once, and so much a second from then on.
const COMMANDS_AT_ONCE: f64 = 20.0;
const COMMANDS_PER_SECOND: f64 = 10.0;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Another timeframe.
    SetTimeframe(String),
    /// Another asset.
    SetSymbol(String),
    /// Another class.
    SetFilter(String),
    /// It is still there.
    Pong,
}

#[derive(Debug, Deserialize)]
struct Said {
    r#type: Option<String>,
    timeframe: Option<String>,
    symbol: Option<String>,
    class_filter: Option<String>,
}

impl Command {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is not JSON, of an unknown type, or lacks what its type needs.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Problem> {
        let said: Said = serde_json::from_slice(text)
            .map_err(|_| Problem::new(Kind::BadRequest).detail("a JSON object with a type is expected"))?;
        let needed = |field: Option<String>, name: &'static str| {
            field.ok_or_else(|| Problem::parameter(name, format!("{name} is missing")))
        };
        match said.r#type.as_deref() {
            Some("set_timeframe" | "change_timeframe") => needed(said.timeframe, "timeframe").map(Self::SetTimeframe),
            Some("set_symbol") => needed(said.symbol, "symbol").map(Self::SetSymbol),
            Some("set_filter") => needed(said.class_filter, "class_filter").map(Self::SetFilter),
            Some("pong") => Ok(Self::Pong),
            other => {
                let shown: String = other.unwrap_or("a message without a type").chars().take(48).collect();
                let known = "set_timeframe, change_timeframe, set_symbol, set_filter, pong";
                Err(Problem::parameter("type", format!("{shown} is not known; known are {known}")))
            }
        }
    }
}

/// How much a client may still say.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: f64,
    since: Instant,
}

impl Allowance {
    /// All of it.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { left: COMMANDS_AT_ONCE, since: now }
    }

    /// Takes one; `false` when none is left.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let earned = now.duration_since(self.since).as_secs_f64() * COMMANDS_PER_SECOND;
        self.left = (self.left + earned).min(COMMANDS_AT_ONCE);
        self.since = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_or_refused() {
        let timeframe = |text: &str| Some(Command::SetTimeframe(text.to_owned()));
        let cases = [
            (r#"{"type":"set_timeframe","timeframe":"4H"}"#, timeframe("4H")),
            (r#"{"type":"change_timeframe","timeframe":""}"#, timeframe("")),
            (r#"{"type":"set_symbol","symbol":"ETH","more":1}"#, Some(Command::SetSymbol("ETH".to_owned()))),
            (r#"{"type":"set_filter","class_filter":"macro"}"#, Some(Command::SetFilter("macro".to_owned()))),
            (r#"{"type":"pong"}"#, Some(Command::Pong)),
            (r#"{"type":"set_timeframe"}"#, None),
            (r#"{"type":"buy"}"#, None),
            (r#"{"timeframe":"1D"}"#, None),
            ("[]", None),
            ("pong", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Command::parse(text.as_bytes()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn an_allowance_is_earned_again() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let after = |ms| start + std::time::Duration::from_millis(ms);
        assert_eq!((0..30).filter(|_| allowance.take(start)).count(), 20);
        assert!(!allowance.take(after(50)));
        assert_eq!((0..30).filter(|_| allowance.take(after(300))).count(), 3);
        assert_eq!((0..30).filter(|_| allowance.take(after(60_000))).count(), 20);
    }
}
