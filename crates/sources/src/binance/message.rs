//! Messages of the streams.

use std::borrow::Cow;

use jiff::Timestamp;
use market::{Bar, Timeframe};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::{excerpt, in_short};

use super::candle::{Candle, decimal, instant};
use super::pairs;

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Message<'a> {
    /// A bar has closed.
    Closed {
        /// The pair, upper case.
        pair: Cow<'a, str>,
        /// Bar length.
        timeframe: Timeframe,
        /// The bar.
        bar: Bar,
    },
    /// A price.
    Price {
        /// The pair, upper case.
        pair: Cow<'a, str>,
        /// The price.
        price: f64,
        /// When it was so.
        event_time: Timestamp,
    },
    /// The exchange is about to close this connection.
    Shutdown,
    /// The answer to a request of ours.
    Reply {
        /// The request's number, where the answer names one.
        id: Option<i64>,
        /// What was wrong with the request, if anything.
        complaint: Option<String>,
    },
    /// A message that is known and tells nothing we follow.
    Ignored(&'static str),
}

/// Why a message became nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of fault: one of a few words.
    pub kind: &'static str,
    /// What was wrong and where.
    pub reason: String,
}

/// Reads one message, wrapped in its stream's name or not, of one event or a list of them. One event of a list that cannot
/// be read costs no other.
pub fn parse_message<'a>(bytes: &'a [u8], mut each: impl FnMut(Result<Message<'a>, Refusal>)) {
    if is_list(bytes) {
        return parse_list(bytes, &mut each);
    }
    match serde_json::from_slice::<Frame<'a>>(bytes) {
        Ok(Frame { data: Some(data), .. }) if is_list(data.get().as_bytes()) => {
            parse_list(data.get().as_bytes(), &mut each);
        }
        Ok(Frame { data: Some(data), .. }) => each(parse_event(data.get())),
        Ok(frame) => each(frame.read()),
        Err(error) => each(Err(not_understood(&error, bytes))),
    }
}

fn is_list(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'[')
}

fn parse_list<'a>(bytes: &'a [u8], each: &mut impl FnMut(Result<Message<'a>, Refusal>)) {
    match serde_json::from_slice::<Vec<&'a RawValue>>(bytes) {
        Ok(events) => events.into_iter().for_each(|event| each(parse_event(event.get()))),
        Err(error) => each(Err(not_understood(&error, bytes))),
    }
}

fn parse_event(text: &str) -> Result<Message<'_>, Refusal> {
    match serde_json::from_str::<Frame<'_>>(text) {
        Ok(frame) => frame.read(),
        Err(error) => Err(not_understood(&error, text.as_bytes())),
    }
}

fn not_understood(error: &serde_json::Error, bytes: &[u8]) -> Refusal {
    Refusal { kind: "not understood", reason: format!("{}, in {:?}", in_short(error), excerpt(bytes)) }
}

/// All shapes in one: a wrapper, an event, or an answer. What the same letter means differs from event to event, so
/// fields are read when the event is known.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,

    #[serde(borrow, rename = "e")]
    event: Option<Cow<'a, str>>,
    #[serde(rename = "E")]
    event_time: Option<i64>,
    #[serde(borrow, rename = "s")]
    pair: Option<Cow<'a, str>>,
    #[serde(borrow)]
    k: Option<&'a RawValue>,
    #[serde(borrow)]
    c: Option<&'a RawValue>,
    #[serde(borrow)]
    p: Option<&'a RawValue>,
    #[serde(rename = "T")]
    trade_time: Option<i64>,
    #[serde(borrow)]
    b: Option<&'a RawValue>,
    #[serde(borrow)]
    a: Option<&'a RawValue>,

    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Complaint<'a>>,
    code: Option<i64>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Complaint<'a> {
    code: Option<i64>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Kline<'a> {
    t: i64,
    #[serde(rename = "T")]
    close_time: i64,
    #[serde(borrow)]
    i: Cow<'a, str>,
    #[serde(borrow)]
    o: Cow<'a, str>,
    #[serde(borrow)]
    h: Cow<'a, str>,
    #[serde(borrow)]
    l: Cow<'a, str>,
    #[serde(borrow)]
    c: Cow<'a, str>,
    #[serde(borrow)]
    v: Cow<'a, str>,
    x: bool,
}

impl<'a> Frame<'a> {
    fn read(self) -> Result<Message<'a>, Refusal> {
        match self.event.as_deref() {
            Some("kline") => self.kline(),
            Some("24hrMiniTicker") => price("24hrMiniTicker", self.pair, ("c", self.c), self.event_time),
            Some("24hrTicker") => price("24hrTicker", self.pair, ("c", self.c), self.event_time),
            Some("trade") => price("trade", self.pair, ("p", self.p), self.trade_time),
            Some("aggTrade") => price("aggTrade", self.pair, ("p", self.p), self.trade_time),
            Some("serverShutdown") => Ok(Message::Shutdown),
            Some("bookTicker") => Ok(Message::Ignored("bookTicker")),
            Some("depthUpdate") => Ok(Message::Ignored("depthUpdate")),
            Some("avgPrice") => Ok(Message::Ignored("avgPrice")),
            Some("referencePrice") => Ok(Message::Ignored("referencePrice")),
            Some("blockTrade") => Ok(Message::Ignored("blockTrade")),
            Some("1hTicker" | "4hTicker" | "1dTicker") => Ok(Message::Ignored("ticker of a window")),
            Some(other) => {
                let name: String = other.chars().take(40).collect();
                Err(Refusal { kind: "unknown event", reason: format!("{name:?} is no event that is known") })
            }
            None => self.without_name(),
        }
    }

    fn kline(self) -> Result<Message<'a>, Refusal> {
        let refused = |reason: String| Refusal { kind: "bar", reason };
        let pair = self.pair.ok_or_else(|| refused("kline without s".to_owned()))?;
        let text = self.k.ok_or_else(|| refused(format!("kline of {} without k", in_short(&pair))))?;
        let kline: Kline<'a> = serde_json::from_str(text.get())
            .map_err(|error| refused(format!("kline of {}: {}", in_short(&pair), in_short(error))))?;
        if !kline.x {
            return Ok(Message::Ignored("running bar"));
        }
        let timeframe = pairs::timeframe(&kline.i).ok_or_else(|| {
            refused(format!("kline of {}: {:?} is no bar length of ours", in_short(&pair), in_short(&kline.i)))
        })?;
        let candle = Candle {
            open_time: kline.t,
            close_time: kline.close_time,
            open: &kline.o,
            high: &kline.h,
            low: &kline.l,
            close: &kline.c,
            volume: &kline.v,
        };
        match candle.read(timeframe) {
            Ok((bar, None)) => Ok(Message::Closed { pair, timeframe, bar }),
            // The row that is asked for later says whether the bar was really cut short.
            Ok((_, Some(reason))) | Err(reason) => {
                Err(refused(format!("{timeframe} kline of {} from {}: {reason}", in_short(&pair), kline.t)))
            }
        }
    }

    /// Answers, and the one event that does not say what it is.
    fn without_name(self) -> Result<Message<'a>, Refusal> {
        let id = self.id.and_then(|id| id.get().parse().ok());
        let complaint = match (self.error, self.code) {
            (Some(nested), _) => Some(worded(nested.code, nested.msg.as_deref())),
            (None, Some(code)) => Some(worded(Some(code), self.msg.as_deref())),
            (None, None) => None,
        };
        if complaint.is_some() || self.id.is_some() {
            return Ok(Message::Reply { id, complaint });
        }
        if self.pair.is_some() && self.a.is_some() && self.b.is_some() {
            return Ok(Message::Ignored("bookTicker"));
        }
        Err(Refusal { kind: "unknown shape", reason: "neither an event nor an answer".to_owned() })
    }
}

/// A message whose `value` is a price.
fn price<'a>(
    event: &str,
    pair: Option<Cow<'a, str>>,
    (name, value): (&str, Option<&RawValue>),
    time: Option<i64>,
) -> Result<Message<'a>, Refusal> {
    let refused = |reason: String| Refusal { kind: "price", reason };
    let pair = pair.ok_or_else(|| refused(format!("{event} without s")))?;
    let text = value.map_or("missing", RawValue::get);
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(price) = inner.and_then(decimal).filter(|price| *price > 0.0) else {
        return Err(refused(format!(
            "{event} of {}: {name} is {}: a price is expected",
            in_short(&pair),
            in_short(text)
        )));
    };
    let Some(event_time) = time.and_then(instant) else {
        return Err(refused(format!("{event} of {}: its time is {time:?}", in_short(&pair))));
    };
    Ok(Message::Price { pair, price, event_time })
}

fn worded(code: Option<i64>, msg: Option<&str>) -> String {
    let msg = in_short(msg.unwrap_or("nothing said"));
    match code {
        Some(code) => format!("{msg} (code {code})"),
        None => msg,
    }
}
