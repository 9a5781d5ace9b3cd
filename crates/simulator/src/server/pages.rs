//! Pages with tables: the members of an index.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use market::AssetKind;

use super::Exchange;
use super::yahoo::listing::{Listing, NASDAQ};

/// Its routes.
pub(crate) fn router(exchange: Arc<Exchange>) -> Router {
    Router::new().route("/wiki/sp500", get(sp500)).route("/wiki/nasdaq100", get(nasdaq100)).with_state(exchange)
}

/// All companies of this market.
async fn sp500(State(exchange): State<Arc<Exchange>>) -> Html<String> {
    let members = companies(&exchange);
    Html(page("List of S&amp;P 500 companies", &["Symbol", "Security"], &members))
}

/// The companies listed at Nasdaq.
async fn nasdaq100(State(exchange): State<Arc<Exchange>>) -> Html<String> {
    let mut members = companies(&exchange);
    members.retain(|listing| listing.venue == &NASDAQ);
    Html(page("Nasdaq-100", &["Ticker", "Company"], &members))
}

fn companies(exchange: &Exchange) -> Vec<Listing> {
    let mut listings = Listing::all(&exchange.tape);
    listings.retain(|listing| listing.asset.kind == AssetKind::Equity);
    listings
}

/// A page with one table. Classes of shares are spelt with a dot there: `BRK.B`.
fn page(title: &str, columns: &[&str; 2], members: &[Listing]) -> String {
    let [symbol, name] = columns;
    let mut html = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head><body>\n<h1>{title}</h1>\n\
         <table class=\"wikitable sortable\" id=\"constituents\">\n<tbody>\n<tr><th>{symbol}</th><th>{name}</th></tr>\n"
    );
    for listing in members {
        let (symbol, name) = (listing.symbol.replace('-', "."), escaped(&listing.asset.name));
        let _ = writeln!(html, "<tr><td><a href=\"#\">{}</a></td><td>{name}</td></tr>", escaped(&symbol));
    }
    html + "</tbody>\n</table>\n</body></html>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
