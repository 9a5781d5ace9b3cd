//! What one connection follows, and what becomes of the messages it hears.

use std::collections::{HashMap, VecDeque};

use market::{Asset, Bar, Remark, RemarkKind, Symbol, Timeframe};

use crate::source::{LiveEvent, Price};

use super::message::{Message, Refusal, parse_message};
use super::settings::BinanceSettings;

/// The assets of one connection.
#[derive(Debug)]
pub(super) struct Shard {
    /// The names of its streams.
    pub(super) streams: Vec<String>,
    symbols: HashMap<String, Symbol>,
}

/// What was heard and not yet told on.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) heard: VecDeque<Heard>,
    pub(super) replies: VecDeque<Reply>,
}

/// Something a connection says.
#[derive(Debug)]
pub(super) enum Heard {
    /// For whoever follows.
    Event(LiveEvent),
    /// A message that became nothing.
    Refused(Refusal),
    /// The exchange is about to close the connection.
    Shutdown,
    /// The connection is no more, and why.
    Ended(String),
}

/// The answer to a request of ours.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) id: Option<i64>,
    pub(super) complaint: Option<String>,
}

impl Shard {
    /// The streams of the first `size` assets that have a pair, and remarks on those that do not fit.
    pub(super) fn new(settings: &BinanceSettings, assets: &[Asset], size: usize) -> (Self, Vec<Remark>) {
        let mut shard = Self { streams: Vec::new(), symbols: HashMap::new() };
        let mut left_out = Vec::new();
        for asset in assets {
            let pair = settings.pair(asset);
            let reason = match pair {
                None => format!("it has no pair for {} in {}", asset.symbol, asset.quote),
                Some(_) if shard.symbols.len() >= size => format!("one connection follows {size} assets at most"),
                Some(pair) => {
                    shard.follow(settings, &pair, asset);
                    continue;
                }
            };
            left_out.push(Remark {
                kind: RemarkKind::Refused,
                symbol: Some(asset.symbol.clone()),
                timeframe: None,
                from: None,
                to: None,
                text: format!("{} does not follow {}: {reason}", settings.name, asset.symbol),
            });
        }
        (shard, left_out)
    }

    fn follow(&mut self, settings: &BinanceSettings, pair: &str, asset: &Asset) {
        if self.symbols.insert(pair.to_owned(), asset.symbol.clone()).is_some() {
            return;
        }
        let pair = pair.to_ascii_lowercase();
        let klines = settings.intervals().map(|(_, interval)| format!("{pair}@kline_{interval}"));
        self.streams.extend(klines);
        self.streams.push(format!("{pair}@miniTicker"));
    }

    /// Reads one message into the inbox.
    pub(super) fn hear(&self, bytes: &[u8], inbox: &mut Inbox) {
        parse_message(bytes, |message| match message.and_then(|message| self.understand(message)) {
            Ok(Understood::Heard(heard)) => inbox.heard.push_back(heard),
            Ok(Understood::Reply(reply)) => inbox.replies.push_back(reply),
            Ok(Understood::Nothing) => {}
            Err(refusal) => inbox.heard.push_back(Heard::Refused(refusal)),
        });
    }

    fn understand(&self, message: Message<'_>) -> Result<Understood, Refusal> {
        let event = match message {
            Message::Closed { pair, timeframe, bar } => LiveEvent::Bar { symbol: self.symbol(&pair)?, timeframe, bar },
            Message::Price { pair, price, event_time } => {
                LiveEvent::Price(Price { symbol: self.symbol(&pair)?, price, event_time })
            }
            Message::Shutdown => return Ok(Understood::Heard(Heard::Shutdown)),
            Message::Reply { id, complaint } => return Ok(Understood::Reply(Reply { id, complaint })),
            Message::Ignored(_) => return Ok(Understood::Nothing),
        };
        Ok(Understood::Heard(Heard::Event(event)))
    }

    fn symbol(&self, pair: &str) -> Result<Symbol, Refusal> {
        self.symbols.get(pair).cloned().ok_or_else(|| {
            let pair: String = pair.chars().take(40).collect();
            Refusal { kind: "not followed", reason: format!("{pair:?} is no pair that is followed") }
        })
    }
}

enum Understood {
    Heard(Heard),
    Reply(Reply),
    Nothing,
}

/// The last closed bars of each series: two connections tell each bar twice while one takes over from the other.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<(Symbol, Timeframe), VecDeque<Bar>>);

impl Told {
    /// Bars of a series that are kept.
    const KEPT: usize = 4;

    /// Whether a bar is told for the first time, or differently than before.
    pub(super) fn is_news(&mut self, symbol: &Symbol, timeframe: Timeframe, bar: &Bar) -> bool {
        let bars = self.0.entry((symbol.clone(), timeframe)).or_default();
        if bars.contains(bar) {
            return false;
        }
        if bars.len() == Self::KEPT {
            bars.pop_front();
        }
        bars.push_back(*bar);
        true
    }
}
