//! `/v1/finance/search`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::Yahoo;
use super::answer::{Object, bytes, json};
use super::listing::Listing;
use crate::server::params::Params;

/// An answer; the order of the fields is the vendor's. There is never anything but quotes.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    explains: [(); 0],
    count: usize,
    quotes: Vec<Object>,
    news: [(); 0],
    nav: [(); 0],
    lists: [(); 0],
    research_reports: [(); 0],
    screener_field_results: [(); 0],
    total_time: u32,
}

/// Answers with the listings whose symbol or name begins with, or else holds, what is searched for.
pub(super) async fn search(State(yahoo): State<Arc<Yahoo>>, params: Params) -> Response {
    let wanted = params.get("q").unwrap_or_default().trim().to_lowercase();
    let most = params.get("quotesCount").and_then(|text| text.parse().ok()).unwrap_or(7_usize);
    let mut found: Vec<(u32, Listing)> = if wanted.is_empty() {
        Vec::new()
    } else {
        let scored = |listing: Listing| score(&listing, &wanted).map(|score| (score, listing));
        Listing::all(&yahoo.exchange.tape).into_iter().filter_map(scored).collect()
    };
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let count = found.len();
    let quotes: Vec<Object> = found.iter().take(most).map(|(score, listing)| entry(*score, listing)).collect();
    let body = bytes(&Found { count, quotes, total_time: 1, ..Found::default() });
    json(StatusCode::OK, "public, max-age=600, stale-while-revalidate=180", body)
}

/// How well a listing fits; `None` when it does not.
fn score(listing: &Listing, wanted: &str) -> Option<u32> {
    let (symbol, name) = (listing.symbol.to_lowercase(), listing.name().to_lowercase());
    match () {
        () if symbol == wanted => Some(3_000_000),
        () if symbol.starts_with(wanted) => Some(30_000),
        () if name.starts_with(wanted) => Some(20_000),
        () if symbol.contains(wanted) || name.contains(wanted) => Some(10_000),
        () => None,
    }
}

fn entry(score: u32, listing: &Listing) -> Object {
    Object::default()
        .with("exchange", listing.venue.code)
        .with("shortname", listing.name())
        .with("quoteType", listing.venue.instrument)
        .with("symbol", listing.symbol.clone())
        .with("index", "quotes")
        .with("score", score)
        .with("typeDisp", listing.venue.type_name)
        .with("longname", listing.name())
        .with("exchDisp", listing.venue.display)
        .with("isYahooFinance", true)
}
