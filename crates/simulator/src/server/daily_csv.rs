//! Daily bars as CSV, as Stooq-like services give them: `/q/d/l/?s=aapl.us&i=d&d1=20240102&d2=20240131`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::Date;
use market::adjustment::{Adjustment, view};
use market::{AssetClass, Calendar, Timeframe};

use super::Exchange;
use super::params::Params;

/// Its routes.
pub(crate) fn router(exchange: Arc<Exchange>) -> Router {
    Router::new().route("/q/d/l/", get(daily)).with_state(exchange)
}

/// Answers with closed days, splits removed as of now. Whatever there is nothing for is answered with "No data".
async fn daily(State(exchange): State<Arc<Exchange>>, params: Params) -> Response {
    let text = table(&exchange, &params).unwrap_or_else(|| "No data".to_owned());
    ([(header::CONTENT_TYPE, "text/csv")], text).into_response()
}

fn table(exchange: &Exchange, params: &Params) -> Option<String> {
    if params.get("i").is_some_and(|interval| interval != "d") {
        return None;
    }
    let now = exchange.now();
    let (place, class) = find(exchange, params.get("s")?)?;
    let calendar = Calendar::of(class);
    let day = |name| params.get(name).map(|text| Date::strptime("%Y%m%d", text)).transpose().ok();
    let (first, last) = (day("d1")?.unwrap_or(Date::MIN), day("d2")?.unwrap_or(Date::MAX));
    let mut bars = exchange.tape.bars(place, Timeframe::D1, Timestamp::MIN, now, now);
    // Raw bars can be shown in any way.
    view(&mut bars, Adjustment::Raw, Adjustment::Split, &exchange.tape.actions(place, now), now).ok()?;
    let mut text = "Date,Open,High,Low,Close,Volume\n".to_owned();
    let empty = text.len();
    for bar in &bars {
        let date = calendar.trading_date(bar.open_time);
        if (first..=last).contains(&date) {
            let [open, high, low, close, volume] = [bar.open, bar.high, bar.low, bar.close, bar.volume].map(round);
            let _ = writeln!(text, "{date},{open},{high},{low},{close},{volume}");
        }
    }
    (text.len() > empty).then_some(text)
}

/// The place and class of a spelling: `aapl.us` for stocks, `^vix`, `btcusd` or `btc.v` for coins; in any letter case.
fn find(exchange: &Exchange, spelling: &str) -> Option<(usize, AssetClass)> {
    let wanted = spelling.to_ascii_lowercase();
    let assets = exchange.tape.assets();
    let place = assets.iter().position(|asset| {
        let (symbol, source) = (asset.symbol.as_str().to_ascii_lowercase(), asset.source_symbol.to_ascii_lowercase());
        match asset.class() {
            AssetClass::Stocks => wanted == format!("{source}.us") || wanted == format!("^{source}"),
            AssetClass::Crypto => wanted == format!("{symbol}usd") || wanted == format!("{symbol}.v"),
            AssetClass::Macro => false,
        }
    })?;
    Some((place, assets[place].class()))
}

/// Adjusted prices keep six decimals.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
