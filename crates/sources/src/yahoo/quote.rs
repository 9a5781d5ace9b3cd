//! The quote answer: last prices of many symbols at once.

use serde::Deserialize;

use super::chart::{Cell, ChartError, RawError};
use super::client::{Client, is_page};
use super::crumb;
use crate::failure::Failure;
use crate::http::{Answer, in_short};

/// The last price of the regular session.
#[derive(Debug, Clone, PartialEq)]
pub struct LastPrice {
    /// The symbol as Yahoo spells it.
    pub symbol: String,
    /// The price, in the currency of the series.
    pub price: f64,
    /// The currency, where it is told: `GBp` and the like are hundredths.
    pub currency: Option<String>,
    /// When it was traded, in seconds.
    pub time: i64,
}

/// Reads the body of a quote answer. Symbols that are unknown or dead are left out, as Yahoo leaves them out or without a
/// price.
///
/// # Errors
/// [`ChartError`].
pub fn parse_quotes(body: &[u8]) -> Result<Vec<LastPrice>, ChartError> {
    let envelope: Envelope = serde_json::from_slice(body)
        .map_err(|error| ChartError::Malformed(format!("no quotes: {}", in_short(error))))?;
    let inner = envelope.quotes.or(envelope.finance);
    let inner = inner.ok_or_else(|| ChartError::Malformed("neither quotes nor error".to_owned()))?;
    if let Some(error) = inner.error {
        return Err(error.said());
    }
    let result = inner.result.ok_or_else(|| ChartError::Malformed("neither quotes nor error".to_owned()))?;
    Ok(result.into_iter().filter_map(RawQuote::read).collect())
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "quoteResponse")]
    quotes: Option<Inner>,
    finance: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    result: Option<Vec<RawQuote>>,
    error: Option<RawError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawQuote {
    symbol: Option<String>,
    currency: Option<String>,
    #[serde(default)]
    regular_market_price: Cell,
    #[serde(default)]
    regular_market_time: Cell,
}

impl RawQuote {
    fn read(self) -> Option<LastPrice> {
        let price = self.regular_market_price.0.filter(|price| price.is_finite() && *price > 0.0)?;
        let (symbol, time) = (self.symbol?, self.regular_market_time.whole()?);
        Some(LastPrice { symbol, price, currency: self.currency, time })
    }
}

/// Asks for the last prices of all symbols in one request. A pass that is not valid any more is replaced once.
pub(super) async fn ask(client: &Client, symbols: &str) -> Result<Vec<LastPrice>, Failure> {
    let mut pass = client.pass.lock().await;
    let mut may_renew = pass.is_some();
    loop {
        let current = match &mut *pass {
            Some(current) => current,
            none => none.insert(crumb::get(client).await?),
        };
        let mut url = client.query_url("v7/finance/quote")?;
        url.query_pairs_mut()
            .append_pair("symbols", symbols)
            .append_pair("formatted", "false")
            .append_pair("crumb", current.crumb());
        let cookies = current.cookies();
        let answer = async {
            let answer = client.get(url, &[("cookie", &cookies)]).await?;
            // The one refusal that a new pass may change.
            if answer.status == 401 { Err(answer.failure()) } else { read_answer(&answer) }
        };
        match client.with_failover(answer).await {
            Err(Failure::Refused { status: 401, .. }) if std::mem::take(&mut may_renew) => *pass = None,
            outcome => {
                if let Err(Failure::Refused { status: 401, .. }) = outcome {
                    *pass = None;
                }
                return outcome;
            }
        }
    }
}

fn read_answer(answer: &Answer) -> Result<Vec<LastPrice>, Failure> {
    if is_page(answer) {
        return Err(Failure::Server { host: answer.host.clone(), status: answer.status, said: answer.excerpt() });
    }
    if !(200..300).contains(&answer.status) {
        return Err(answer.failure());
    }
    parse_quotes(&answer.body).map_err(|error| answer.malformed(error))
}
