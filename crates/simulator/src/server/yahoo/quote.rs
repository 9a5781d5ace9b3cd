//! `/v7/finance/quote` and `/v10/finance/quoteSummary/{symbol}`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::answer::{Envelope, Object, Outer, Refusal, bytes, json, short};
use super::book::Book;
use super::listing::Listing;
use super::meta::price_hint;
use super::{Yahoo, session};
use crate::server::params::Params;

/// Most symbols of one request.
const MOST_SYMBOLS: usize = 500;

/// How much past a quote needs: the year's range.
const YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The fields of a quote that stand in it whatever was asked for.
const IDENTITY: [&str; 17] = [
    "language",
    "region",
    "quoteType",
    "typeDisp",
    "quoteSourceName",
    "triggerable",
    "customPriceAlertConfidence",
    "marketState",
    "exchange",
    "exchangeTimezoneName",
    "exchangeTimezoneShortName",
    "gmtOffSetMilliseconds",
    "market",
    "esgPopulated",
    "fullExchangeName",
    "sourceInterval",
    "symbol",
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Quotes {
    quote_response: Listed,
}

#[derive(Serialize)]
struct Listed {
    result: Vec<Object>,
    error: Option<()>,
}

/// Answers with where symbols stand; unknown ones are left out.
pub(super) async fn quote(State(yahoo): State<Arc<Yahoo>>, headers: HeaderMap, params: Params) -> Response {
    if let Err(refusal) = session::check(&yahoo.exchange.run, &headers, &params) {
        return refusal.in_envelope(Envelope::Finance);
    }
    let symbols = params.get("symbols").unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut result: Vec<Object> = symbols.take(MOST_SYMBOLS).filter_map(|name| of(&yahoo, name)).collect();
    if let Some(fields) = params.get("fields") {
        let wanted: Vec<&str> = fields.split(',').map(str::trim).collect();
        for Object(quote) in &mut result {
            quote.retain(|(name, _)| IDENTITY.contains(name) || wanted.contains(name));
        }
    }
    let body = bytes(&Quotes { quote_response: Listed { result, error: None } });
    json(StatusCode::OK, "public, max-age=1, stale-while-revalidate=9", body)
}

/// Answers with the modules that are wanted, of those there are: `quoteType`, `price`, `summaryDetail`.
pub(super) async fn summary(
    State(yahoo): State<Arc<Yahoo>>,
    Path(symbol): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Response {
    if let Err(refusal) = session::check(&yahoo.exchange.run, &headers, &params) {
        return refusal.in_envelope(Envelope::Finance);
    }
    let Some(quote) = of(&yahoo, &symbol) else {
        return Refusal::not_found(format!("Quote not found for symbol: {symbol}")).in_envelope(Envelope::QuoteSummary);
    };
    let wanted = params.get("modules").unwrap_or_default();
    let modules = [
        ("quoteType", &["exchange", "quoteType", "symbol", "shortName", "longName", "messageBoardId"][..]),
        (
            "price",
            &[
                "exchange",
                "quoteType",
                "symbol",
                "shortName",
                "longName",
                "currency",
                "marketState",
                "regularMarketPrice",
                "regularMarketTime",
                "regularMarketChange",
                "regularMarketChangePercent",
                "regularMarketDayHigh",
                "regularMarketDayLow",
                "regularMarketVolume",
                "regularMarketPreviousClose",
                "regularMarketOpen",
            ][..],
        ),
        (
            "summaryDetail",
            &["currency", "fiftyTwoWeekLow", "fiftyTwoWeekHigh", "fiftyDayAverage", "twoHundredDayAverage"][..],
        ),
    ];
    let module = |(name, fields): &(&'static str, &[&str])| {
        let kept = quote.0.iter().filter(|(field, _)| fields.contains(field));
        (*name, Object(kept.cloned().collect()))
    };
    let asked_for = |(name, _): &&(&'static str, &[&str])| wanted.split(',').any(|wanted| wanted.trim() == *name);
    let result = Modules(modules.iter().filter(asked_for).map(module).collect());
    let body = bytes(&Outer { envelope: Envelope::QuoteSummary, result: Some([result]), error: None });
    json(StatusCode::OK, "public, max-age=1, stale-while-revalidate=9", body)
}

/// Answers that there are no fundamentals: companies here have prices, and no books.
pub(super) async fn fundamentals() -> Response {
    let body = r#"{"timeseries":{"result":[],"error":null}}"#;
    json(StatusCode::OK, "public, max-age=10", body.as_bytes().to_vec())
}

/// Modules by name.
struct Modules(Vec<(&'static str, Object)>);

impl Serialize for Modules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, module)| (name, module)))
    }
}

/// The quote of a symbol.
fn of(yahoo: &Yahoo, symbol: &str) -> Option<Object> {
    let (exchange, now) = (&yahoo.exchange, yahoo.exchange.now());
    let listing = Listing::find(&exchange.tape, symbol)?;
    let book = Book::open(exchange, listing, Timestamp::MIN, now)?;
    let (listing, day, (high, low)) = (&book.listing, book.day()?, book.year()?);
    let (offset, zone) = listing.offset(now);
    let price = day.close;
    let previous = book.previous_close();
    let change = previous.map(|previous| price - previous);
    let hint = price_hint(price);
    let whole = |value: f64| value.round() as u64;
    let mean = |count, of: fn(&market::Bar) -> f64| {
        let values: Vec<f64> = book.recent(count).map(|bar| of(&bar)).collect();
        (values.len() == count).then(|| values.iter().sum::<f64>() / count as f64)
    };
    let fifty = mean(50, |bar| bar.close);
    let two_hundred = mean(200, |bar| bar.close);
    let paid: f64 = book.dividends().filter(|(at, _)| *at + YEAR > now).map(|(_, amount)| amount).sum();
    let paid = (paid > 0.0).then_some(paid);
    let quote = Object::default()
        .with("language", "en-US")
        .with("region", "US")
        .with("quoteType", listing.venue.instrument)
        .with("typeDisp", listing.venue.type_name)
        .with("quoteSourceName", "Simulated")
        .with("triggerable", true)
        .with("customPriceAlertConfidence", "HIGH")
        .with("shortName", listing.name())
        .with("longName", listing.name())
        .with("marketState", market_state(listing, now))
        .with_some("regularMarketChangePercent", previous.map(|previous| short(100.0 * (price / previous - 1.0))))
        .with("regularMarketPrice", short(price))
        .with("currency", listing.currency())
        .with("exchange", listing.venue.code)
        .with("exchangeTimezoneName", listing.venue.zone)
        .with("exchangeTimezoneShortName", zone)
        .with("gmtOffSetMilliseconds", i64::from(offset) * 1000)
        .with("market", listing.venue.market)
        .with("esgPopulated", false)
        .with("corporateActions", Vec::<Value>::new())
        .with("regularMarketTime", book.last_second())
        .with_some("regularMarketChange", change.map(short))
        .with("regularMarketDayHigh", short(day.high))
        .with("regularMarketDayRange", format!("{:?} - {:?}", short(day.low), short(day.high)))
        .with("regularMarketDayLow", short(day.low))
        .with("regularMarketVolume", whole(day.volume))
        .with_some("regularMarketPreviousClose", previous.map(short))
        .with("fullExchangeName", listing.venue.name)
        .with("financialCurrency", listing.currency())
        .with("regularMarketOpen", short(day.open))
        .with_some("averageDailyVolume3Month", mean(63, |bar| bar.volume).map(whole))
        .with_some("averageDailyVolume10Day", mean(10, |bar| bar.volume).map(whole))
        .with("fiftyTwoWeekLowChange", short(price - low))
        .with("fiftyTwoWeekLowChangePercent", short(price / low - 1.0))
        .with("fiftyTwoWeekRange", format!("{:?} - {:?}", short(low), short(high)))
        .with("fiftyTwoWeekHighChange", short(price - high))
        .with("fiftyTwoWeekHighChangePercent", short(price / high - 1.0))
        .with("fiftyTwoWeekLow", short(low))
        .with("fiftyTwoWeekHigh", short(high))
        .with_some("trailingAnnualDividendRate", paid.map(short))
        .with_some("trailingAnnualDividendYield", paid.map(|paid| short(paid / price)))
        .with_some("fiftyDayAverage", fifty.map(short))
        .with_some("fiftyDayAverageChange", fifty.map(|mean| short(price - mean)))
        .with_some("fiftyDayAverageChangePercent", fifty.map(|mean| short(price / mean - 1.0)))
        .with_some("twoHundredDayAverage", two_hundred.map(short))
        .with_some("twoHundredDayAverageChange", two_hundred.map(|mean| short(price - mean)))
        .with_some("twoHundredDayAverageChangePercent", two_hundred.map(|mean| short(price / mean - 1.0)))
        .with("sourceInterval", 15)
        .with("exchangeDataDelayedBy", 0)
        .with("hasPrePostMarketData", listing.venue.extended)
        .with("firstTradeDateMilliseconds", book.first_trade().as_millisecond())
        .with("priceHint", hint)
        .with("tradeable", false)
        .with("cryptoTradeable", false)
        .with("symbol", listing.symbol.clone());
    Some(quote)
}

/// Where in its day the market is.
fn market_state(listing: &Listing, now: Timestamp) -> &'static str {
    let today = listing.zone().to_datetime(now).date();
    let Some(session) = listing.calendar().day(today) else { return "CLOSED" };
    let (pre, post) = listing.around(session);
    match now {
        now if now < pre.open_time => "PREPRE",
        now if now < session.open_time => "PRE",
        now if now < session.close_time => "REGULAR",
        now if now < post.close_time => "POST",
        _ => "POSTPOST",
    }
}
