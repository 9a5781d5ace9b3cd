//! What shall go wrong, as a file says it.

use std::ops::Range;

use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::service::Service;
use crate::Error;

/// What shall go wrong, as a file says it: a `seed`, and for each fault a table `[[fault]]` with its `kind`, the fields of
/// that kind, and where and when it strikes: `service`, `path`, `share`, `from`, `to`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaultPlan {
    pub(crate) seed: u64,
    pub(crate) faults: Vec<Fault>,
}

/// One line of the plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// `None` for all.
    pub(crate) service: Option<Service>,
    /// The beginning of the paths it strikes.
    pub(crate) path: String,
    /// The probability that an event is struck.
    pub(crate) share: f64,
    /// When it strikes, since the start on the exchange's clock.
    pub(crate) window: Range<SignedDuration>,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// An answer comes late, in real milliseconds.
    Latency { ms: u64, jitter: u64 },
    /// A connection is dropped instead of an answer or of a frame.
    Cut,
    /// A connection is dropped in the middle of a body or frame.
    HalfFrame,
    /// An answer with another status; the wait it asks for is in seconds.
    Status { status: u16, retry_after: Option<u64> },
    /// A body or frame that ends too early.
    Truncated,
    /// A body or frame that is no JSON at all.
    Garbage,
    /// A kline comes twice.
    Duplicate,
    /// A kline comes after a later one.
    OutOfOrder,
    /// The closing message of a bar comes later, on the exchange's clock.
    LateClose { ms: i64 },
    /// The closing message of a bar does not come.
    LostClose,
    /// The clock that is shown is wrong.
    Skew { ms: i64 },
    /// A connection that stands and says nothing.
    Silent { pings: bool },
    /// A connection is closed, as after 24 hours.
    Rotation,
    /// Maintenance is announced, and connections are closed so much later on the exchange's clock.
    ServerShutdown { ms: i64 },
    /// A crumb is not known any more.
    Crumb,
    /// A page for people instead of an answer.
    OutagePage,
    /// Pongs must repeat the ping.
    StrictPong,
    /// Control errors are not nested.
    FlatErrors,
}

impl Kind {
    /// The name in plans and counters.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Cut => "cut",
            Self::HalfFrame => "half_frame",
            Self::Status { .. } => "status",
            Self::Truncated => "truncated",
            Self::Garbage => "garbage",
            Self::Duplicate => "duplicate",
            Self::OutOfOrder => "out_of_order",
            Self::LateClose { .. } => "late_close",
            Self::LostClose => "lost_close",
            Self::Skew { .. } => "skew",
            Self::Silent { .. } => "silent",
            Self::Rotation => "rotation",
            Self::ServerShutdown { .. } => "server_shutdown",
            Self::Crumb => "crumb",
            Self::OutagePage => "outage_page",
            Self::StrictPong => "strict_pong",
            Self::FlatErrors => "flat_errors",
        }
    }

    /// Whether it strikes throughout its window, not events.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Skew { .. } | Self::StrictPong | Self::FlatErrors)
    }
}

const KINDS: &str = "latency, cut, half_frame, status, truncated, garbage, duplicate, out_of_order, late_close, lost_close, \
                     skew, silent, rotation, server_shutdown, crumb, outage_page, strict_pong, flat_errors";

/// The longest delay a plan can ask for: a minute of milliseconds.
const LONGEST_MS: i64 = 60_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    fault: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    kind: Spanned<String>,
    service: Option<Spanned<String>>,
    path: Option<String>,
    share: Option<Spanned<f64>>,
    from: Option<Spanned<String>>,
    to: Option<Spanned<String>>,
    ms: Option<Spanned<i64>>,
    jitter: Option<Spanned<i64>>,
    status: Option<Spanned<u16>>,
    retry_after: Option<Spanned<u64>>,
    pings: Option<Spanned<bool>>,
}

impl FaultPlan {
    /// Reads a plan.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and its line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |span: Option<Range<usize>>, what: String| {
            let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
            Error::FaultPlan { line: before.matches('\n').count() + 1, what }
        };
        let read: Text = toml::from_str(text).map_err(|error| refused(error.span(), error.message().to_owned()))?;
        let faults = read.fault.into_iter().map(|row| {
            let span = row.span();
            fault(row.into_inner()).map_err(|wrong| refused(Some(wrong.span.unwrap_or(span)), wrong.what))
        });
        Ok(Self { seed: read.seed, faults: faults.collect::<Result<_, _>>()? })
    }

    /// A plan of everything at once, for tests that want to survive it.
    #[must_use]
    pub fn storm(seed: u64) -> Self {
        let plan = Self::parse(include_str!("storm.toml")).expect("the plan is read by a test");
        Self { seed, ..plan }
    }

    /// The same plan, over so long after its start: nothing strikes later.
    #[must_use]
    pub fn until(mut self, end: SignedDuration) -> Self {
        self.faults.retain(|fault| fault.window.start < end);
        for fault in &mut self.faults {
            fault.window.end = fault.window.end.min(end);
        }
        self
    }
}

/// What is wrong with a row; at its own place when no span is given.
struct Wrong {
    span: Option<Range<usize>>,
    what: String,
}

fn fault(mut row: Row) -> Result<Fault, Wrong> {
    let kind = kind(&mut row)?;
    let left = [
        row.ms.map(|value| ("ms", value.span())),
        row.jitter.map(|value| ("jitter", value.span())),
        row.status.map(|value| ("status", value.span())),
        row.retry_after.map(|value| ("retry_after", value.span())),
        row.pings.map(|value| ("pings", value.span())),
    ];
    if let Some((key, span)) = left.into_iter().flatten().next() {
        return Err(Wrong { span: Some(span), what: format!("a fault of kind {} has no {key}", kind.name()) });
    }
    let service = match row.service {
        None => None,
        Some(name) => Service::parse(name.get_ref()).map_err(|what| Wrong { span: Some(name.span()), what })?,
    };
    let share = row.share.as_ref().map_or(1.0, |share| *share.get_ref());
    if !(share > 0.0 && share <= 1.0) || (kind.is_constant() && share < 1.0) {
        let what = format!("share is {share}: above 0, at most 1, and 1 for skew and switches");
        return Err(Wrong { span: row.share.map(|share| share.span()), what });
    }
    let (from, to) = (row.from, row.to);
    let to_span = to.as_ref().map(Spanned::span);
    let window = instant(from, SignedDuration::ZERO)?..instant(to, SignedDuration::MAX)?;
    if window.start >= window.end {
        return Err(Wrong { span: to_span, what: "a fault ends after it begins".to_owned() });
    }
    Ok(Fault { kind, service, path: row.path.unwrap_or_default(), share, window })
}

/// Takes the kind's fields out of the row.
fn kind(row: &mut Row) -> Result<Kind, Wrong> {
    let name = row.kind.get_ref().clone();
    let needs = |key: &str| Wrong { span: None, what: format!("a fault of kind {name} needs {key}") };
    let bounded = |value: Spanned<i64>, from: i64| {
        let (span, value) = (value.span(), value.into_inner());
        let within = (from..=LONGEST_MS).contains(&value);
        let what = format!("{value} milliseconds: {from} to {LONGEST_MS} are expected");
        if within { Ok(value) } else { Err(Wrong { span: Some(span), what }) }
    };
    Ok(match name.as_str() {
        "latency" => {
            let ms = bounded(row.ms.take().ok_or_else(|| needs("ms"))?, 0)?.unsigned_abs();
            let jitter = row.jitter.take().map(|jitter| bounded(jitter, 0)).transpose()?;
            Kind::Latency { ms, jitter: jitter.unwrap_or(0).unsigned_abs() }
        }
        "cut" => Kind::Cut,
        "half_frame" => Kind::HalfFrame,
        "status" => {
            let status = row.status.take().ok_or_else(|| needs("status"))?;
            let (span, status) = (status.span(), status.into_inner());
            if !(400..=599).contains(&status) {
                let what = format!("status is {status}: 400 to 599 is expected");
                return Err(Wrong { span: Some(span), what });
            }
            Kind::Status { status, retry_after: row.retry_after.take().map(Spanned::into_inner) }
        }
        "truncated" => Kind::Truncated,
        "garbage" => Kind::Garbage,
        "duplicate" => Kind::Duplicate,
        "out_of_order" => Kind::OutOfOrder,
        "late_close" => Kind::LateClose { ms: bounded(row.ms.take().ok_or_else(|| needs("ms"))?, 0)? },
        "lost_close" => Kind::LostClose,
        "skew" => Kind::Skew { ms: bounded(row.ms.take().ok_or_else(|| needs("ms"))?, -LONGEST_MS)? },
        "silent" => Kind::Silent { pings: row.pings.take().is_none_or(Spanned::into_inner) },
        "rotation" => Kind::Rotation,
        "server_shutdown" => {
            Kind::ServerShutdown { ms: row.ms.take().map(|ms| bounded(ms, 0)).transpose()?.unwrap_or(10_000) }
        }
        "crumb" => Kind::Crumb,
        "outage_page" => Kind::OutagePage,
        "strict_pong" => Kind::StrictPong,
        "flat_errors" => Kind::FlatErrors,
        _ => {
            let what = format!("{name:?} is not a kind of fault; known are {KINDS}");
            return Err(Wrong { span: Some(row.kind.span()), what });
        }
    })
}

fn instant(text: Option<Spanned<String>>, absent: SignedDuration) -> Result<SignedDuration, Wrong> {
    let Some(text) = text else { return Ok(absent) };
    let duration = text.get_ref().parse::<SignedDuration>().ok().filter(|duration| !duration.is_negative());
    let what = || format!("{:?} is not a time since the start, such as \"90s\" or \"10m\"", text.get_ref());
    duration.ok_or_else(|| Wrong { span: Some(text.span()), what: what() })
}
