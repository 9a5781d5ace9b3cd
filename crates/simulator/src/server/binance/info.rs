//! What is listed, and under which rules.

use serde_json::{Value, json};

use super::format::TimeUnit;
use super::query::Query;
use super::refusal::Refusal;
use super::venue::{Listed, Venue};
use crate::tape::Decimals;

/// `exchangeInfo`. The order of fields is the vendor's, so the text is written in that order.
pub(super) fn answer(venue: &Venue, query: &Query, unit: TimeUnit) -> Result<String, Refusal> {
    let now = venue.now();
    let choices = ["symbol", "symbols", "permissions"].into_iter().filter(|name| query.has(name)).count();
    if choices > 1 || (query.has("symbolStatus") && (query.has("symbol") || query.has("symbols"))) {
        return Err(Refusal::Combination);
    }
    let find = |name: &str| venue.find(name).ok_or(Refusal::Symbol);
    let status = match query.get("symbolStatus") {
        None => None,
        Some(status @ ("TRADING" | "END_OF_DAY" | "HALT" | "BREAK" | "CANCEL_ONLY")) => Some(status.to_owned()),
        Some(_) => return Err(Refusal::SymbolStatus),
    };
    let spot = match query.get("permissions") {
        None => true,
        Some(text) => text.contains("SPOT") || text.contains("MARGIN"),
    };
    let sets = match query.get("showPermissionSets") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Refusal::Value("showPermissionSets")),
    };
    let mut places: Vec<usize> = match (query.symbol()?, query.symbols()?) {
        (Some(symbol), _) => vec![find(symbol)?],
        (None, Some(symbols)) => symbols.iter().map(|symbol| find(symbol)).collect::<Result<_, _>>()?,
        (None, None) => (0..venue.listed.len()).filter(|_| spot).collect(),
    };
    query.finish()?;
    places.retain(|place| status.as_deref().is_none_or(|status| venue.status(*place, now) == status));
    let symbols: Vec<String> = places
        .into_iter()
        .map(|place| symbol(&venue.listed[place], venue.status(place, now), venue.decimals(place, now), sets))
        .collect();
    Ok(format!(
        r#"{{"timezone":"UTC","serverTime":{},"rateLimits":[{RATE_LIMITS}],"exchangeFilters":[],"symbols":[{}]}}"#,
        unit.of(venue.shown_now()),
        symbols.join(",")
    ))
}

const RATE_LIMITS: &str = concat!(
    r#"{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},"#,
    r#"{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100},"#,
    r#"{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000},"#,
    r#"{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":300000}"#,
);

fn symbol(listed: &Listed, status: &str, decimals: Decimals, sets: bool) -> String {
    let text = |value: &str| Value::from(value).to_string();
    let fields: Vec<(&str, String)> = vec![
        ("symbol", text(&listed.name)),
        ("status", text(status)),
        ("baseAsset", text(&listed.base)),
        ("baseAssetPrecision", "8".to_owned()),
        ("quoteAsset", text(&listed.quote)),
        ("quotePrecision", "8".to_owned()),
        ("quoteAssetPrecision", "8".to_owned()),
        ("baseCommissionPrecision", "8".to_owned()),
        ("quoteCommissionPrecision", "8".to_owned()),
        (
            "orderTypes",
            json!([
                "LIMIT",
                "LIMIT_MAKER",
                "MARKET",
                "STOP_LOSS",
                "STOP_LOSS_LIMIT",
                "TAKE_PROFIT",
                "TAKE_PROFIT_LIMIT"
            ])
            .to_string(),
        ),
        ("icebergAllowed", "true".to_owned()),
        ("ocoAllowed", "true".to_owned()),
        ("otoAllowed", "true".to_owned()),
        ("opoAllowed", "true".to_owned()),
        ("quoteOrderQtyMarketAllowed", "true".to_owned()),
        ("allowTrailingStop", "true".to_owned()),
        ("cancelReplaceAllowed", "true".to_owned()),
        ("amendAllowed", "true".to_owned()),
        ("pegInstructionsAllowed", "true".to_owned()),
        ("isSpotTradingAllowed", (status == "TRADING").to_string()),
        ("isMarginTradingAllowed", "true".to_owned()),
        ("filters", format!("[{}]", filters(decimals))),
        ("permissions", "[]".to_owned()),
        ("permissionSets", if sets { r#"[["SPOT","MARGIN"]]"# } else { "[]" }.to_owned()),
        ("defaultSelfTradePreventionMode", text("EXPIRE_MAKER")),
        (
            "allowedSelfTradePreventionModes",
            json!(["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"]).to_string(),
        ),
    ];
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn filters(decimals: Decimals) -> String {
    let (tick, lot) = (10_f64.powi(-decimals.price), 10_f64.powi(-decimals.volume));
    [
        format!(
            r#"{{"filterType":"PRICE_FILTER","minPrice":"{tick:.8}","maxPrice":"1000000.00000000","tickSize":"{tick:.8}"}}"#
        ),
        format!(
            r#"{{"filterType":"LOT_SIZE","minQty":"{lot:.8}","maxQty":"92141578.00000000","stepSize":"{lot:.8}"}}"#
        ),
        r#"{"filterType":"ICEBERG_PARTS","limit":10}"#.to_owned(),
        r#"{"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"92141578.00000000","stepSize":"0.00000000"}"#
            .to_owned(),
        concat!(
            r#"{"filterType":"TRAILING_DELTA","minTrailingAboveDelta":10,"maxTrailingAboveDelta":2000,"#,
            r#""minTrailingBelowDelta":10,"maxTrailingBelowDelta":2000}"#
        )
        .to_owned(),
        concat!(
            r#"{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2","#,
            r#""askMultiplierUp":"5","askMultiplierDown":"0.2","avgPriceMins":5}"#
        )
        .to_owned(),
        concat!(
            r#"{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"#,
            r#""maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5}"#
        )
        .to_owned(),
        r#"{"filterType":"MAX_NUM_ORDERS","maxNumOrders":200}"#.to_owned(),
        r#"{"filterType":"MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":5}"#.to_owned(),
    ]
    .join(",")
}
