//! Who is who here: spellings, venues, zones.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use market::{Asset, AssetClass, AssetKind, Calendar, Span};

use crate::tape::Tape;

/// An asset as this vendor lists it.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// Its place on the tape.
    pub(crate) place: usize,
    /// The asset.
    pub(crate) asset: Asset,
    /// The vendor's spelling.
    pub(crate) symbol: String,
    /// Where it trades.
    pub(crate) venue: &'static Venue,
}

/// Where and as what something trades, in the vendor's words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Venue {
    /// `exchangeName`.
    pub(crate) code: &'static str,
    /// `fullExchangeName`.
    pub(crate) name: &'static str,
    /// `exchDisp` of search results.
    pub(crate) display: &'static str,
    /// `market` of quotes.
    pub(crate) market: &'static str,
    /// `instrumentType` and `quoteType`.
    pub(crate) instrument: &'static str,
    /// `typeDisp`.
    pub(crate) type_name: &'static str,
    /// `quote_type` of the stream.
    pub(crate) stream_type: i32,
    /// The IANA name of its zone.
    pub(crate) zone: &'static str,
    /// Whether there are hours before and after the session.
    pub(crate) extended: bool,
}

impl Venue {
    const fn american(code: &'static str, name: &'static str, display: &'static str) -> Self {
        Self {
            code,
            name,
            display,
            market: "us_market",
            instrument: "EQUITY",
            type_name: "Equity",
            stream_type: 8,
            zone: "America/New_York",
            extended: true,
        }
    }
}

pub(crate) static NASDAQ: Venue = Venue::american("NMS", "NasdaqGS", "NASDAQ");
pub(crate) static NYSE: Venue = Venue::american("NYQ", "NYSE", "NYSE");
static ARCA: Venue =
    Venue { instrument: "ETF", type_name: "ETF", stream_type: 20, ..Venue::american("PCX", "NYSEArca", "NYSEArca") };
static INDICES: Venue = Venue {
    instrument: "INDEX",
    type_name: "Index",
    stream_type: 9,
    extended: false,
    ..Venue::american("CXI", "Cboe Indices", "Cboe Indices")
};
static COINS: Venue = Venue {
    code: "CCC",
    name: "CCC",
    display: "CCC",
    market: "ccc_market",
    instrument: "CRYPTOCURRENCY",
    type_name: "Cryptocurrency",
    stream_type: 41,
    zone: "UTC",
    extended: false,
};

/// The companies of the default universe that are listed in New York; other equities stand under Nasdaq.
const LISTED_IN_NEW_YORK: [&str; 2] = ["BRK-B", "JPM"];

/// The hours before a session: from 04:00 to 09:30.
const BEFORE: SignedDuration = SignedDuration::from_mins(330);

/// The hours after a session: from 16:00 to 20:00, after an early close from 13:00 to 17:00.
const AFTER: SignedDuration = SignedDuration::from_hours(4);

impl Listing {
    /// All listings of a tape, in its order; macro series are listed elsewhere.
    pub(crate) fn all(tape: &Tape) -> Vec<Self> {
        tape.assets().into_iter().enumerate().filter_map(|(place, asset)| Self::of(place, asset)).collect()
    }

    /// The listing of a spelling, in any letter case.
    pub(crate) fn find(tape: &Tape, spelling: &str) -> Option<Self> {
        Self::all(tape).into_iter().find(|listing| listing.symbol.eq_ignore_ascii_case(spelling))
    }

    fn of(place: usize, asset: Asset) -> Option<Self> {
        let (symbol, venue) = match asset.kind {
            AssetKind::Series => return None,
            AssetKind::Coin | AssetKind::Stable => (format!("{}-USD", asset.symbol), &COINS),
            AssetKind::Index => (format!("^{}", asset.source_symbol.trim_start_matches('^')), &INDICES),
            AssetKind::Etf => (asset.source_symbol.clone(), &ARCA),
            AssetKind::Equity if LISTED_IN_NEW_YORK.contains(&asset.source_symbol.as_str()) => {
                (asset.source_symbol.clone(), &NYSE)
            }
            AssetKind::Equity => (asset.source_symbol.clone(), &NASDAQ),
        };
        Some(Self { place, asset, symbol: symbol.to_ascii_uppercase(), venue })
    }

    /// When it trades.
    pub(crate) fn calendar(&self) -> Calendar {
        Calendar::of(self.asset.class())
    }

    /// Whether it is a coin.
    pub(crate) fn is_coin(&self) -> bool {
        self.asset.class() == AssetClass::Crypto
    }

    /// What prices are in.
    pub(crate) fn currency(&self) -> &'static str {
        "USD"
    }

    /// The name for people; coins are named as pairs.
    pub(crate) fn name(&self) -> String {
        if self.is_coin() { format!("{} USD", self.asset.name) } else { self.asset.name.clone() }
    }

    /// The zone of its venue.
    pub(crate) fn zone(&self) -> TimeZone {
        TimeZone::get(self.venue.zone).expect("the bundled time-zone database has New York and UTC")
    }

    /// The zone's offset at an instant in seconds, and its abbreviation.
    pub(crate) fn offset(&self, at: Timestamp) -> (i32, String) {
        let zone = self.zone();
        let info = zone.to_offset_info(at);
        (info.offset().seconds(), info.abbreviation().to_owned())
    }

    /// The session of today, or the next one.
    pub(crate) fn session(&self, now: Timestamp) -> Option<Span> {
        let calendar = self.calendar();
        let today = self.zone().to_datetime(now).date();
        (0..14).find_map(|days| calendar.day(today.checked_add(days.days()).ok()?))
    }

    /// The hours before and after a session; empty where there are none.
    pub(crate) fn around(&self, session: Span) -> (Span, Span) {
        let (before, after) = if self.venue.extended { (BEFORE, AFTER) } else { Default::default() };
        let close = self.last_second(session);
        let pre = Span { open_time: session.open_time - before, close_time: session.open_time };
        (pre, Span { open_time: close, close_time: close + after })
    }

    /// The end of a session as this vendor tells it: a coin's day ends at 23:59.
    pub(crate) fn last_second(&self, session: Span) -> Timestamp {
        if self.is_coin() { session.close_time - SignedDuration::from_mins(1) } else { session.close_time }
    }
}
