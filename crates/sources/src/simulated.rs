//! Simulated markets say that they are: the header [`SIMULATED`], and what it tells.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use market::SystemClock;
use url::Url;

use crate::failure::Failure;
use crate::http::{Http, HttpSettings};
use crate::pace::Budget;

/// The header by which every answer of a simulated market says that it is one: `RUN;NOW;SPEED`, as [`SimulatedRun`]
/// reads it.
pub const SIMULATED: &str = "x-auspex-simulated";

/// What a simulated market tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedRun {
    /// Names the run.
    pub run: String,
    /// What its clock shows.
    pub now: Timestamp,
    /// How many of its seconds pass in a real one; positive and finite.
    pub speed: f64,
}

impl FromStr for SimulatedRun {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || format!("{text:?} is not RUN;MICROSECONDS;SPEED");
        let [run, now, speed]: [&str; 3] = text.split(';').collect::<Vec<_>>().try_into().map_err(|_| expected())?;
        let now = now.parse().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).ok_or_else(expected)?;
        let speed: f64 = speed.parse().map_err(|_| expected())?;
        if run.is_empty() || !(speed.is_finite() && speed > 0.0) {
            return Err(expected());
        }
        Ok(Self { run: run.to_owned(), now, speed })
    }
}

/// Asks an address whether a simulated market is behind it; `None` when something else answers.
///
/// # Errors
/// [`Failure::Unreachable`] when nobody answers, [`Failure::Malformed`] when it says that it is one in words that are not
/// understood.
pub async fn probe(address: &Url) -> Result<Option<SimulatedRun>, Failure> {
    let mut address = address.clone();
    let scheme = match address.scheme() {
        "ws" => "http",
        "wss" => "https",
        other => other,
    }
    .to_owned();
    // Between the schemes of the web every change is allowed.
    let _ = address.set_scheme(&scheme);
    let settings = HttpSettings { timeout: Duration::from_secs(3), simulated: true, ..HttpSettings::default() };
    let budget = Budget::new(Arc::new(SystemClock), Duration::from_millis(1), NonZeroU32::MIN);
    let answer = Http::new(settings, budget).get(address, &[], NonZeroU32::MIN).await?;
    let Some(value) = answer.headers.get(SIMULATED) else { return Ok(None) };
    let told = value.to_str().map_err(|error| error.to_string()).and_then(str::parse);
    told.map(Some).map_err(|reason| Failure::Malformed { host: answer.host, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_simulated_market_tells_of_itself() {
        let check = |text: &str, expected: Option<(&str, f64)>| {
            let run: Result<SimulatedRun, _> = text.parse();
            assert_eq!(run.ok().as_ref().map(|run| (run.run.as_str(), run.speed)), expected, "{text}");
        };
        check("demo-1;1736195400000000;60", Some(("demo-1", 60.0)));
        check("demo-1;1736195400000000;0", None);
        check("demo-1;1736195400000000;inf", None);
        check("demo-1;now;60", None);
        check(";1736195400000000;60", None);
        check("demo-1;1736195400000000", None);
        check("a;1;1;1", None);
    }
}
