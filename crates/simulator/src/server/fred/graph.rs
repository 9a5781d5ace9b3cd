//! `/graph/fredgraph.csv`: the current values of one or several series, for anyone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::{Date, date};

use super::observations::value_text;
use super::vintages::{Archive, LAST_DAY};
use super::{Fred, query};
use crate::server::params::Params;

/// Most series of one table.
const MOST_SERIES: usize = 50;

/// Answers with a table: a row for each period, a column for each series.
pub(super) async fn graph(State(fred): State<Arc<Fred>>, params: Params) -> Response {
    match table(&fred, &params) {
        Some(text) => ([(header::CONTENT_TYPE, "text/csv")], text).into_response(),
        None => {
            let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (StatusCode::NOT_FOUND, html, "<!DOCTYPE html><html><body><h1>Page not found</h1></body></html>")
                .into_response()
        }
    }
}

/// The table; `None` when a series is not known or a date is none.
fn table(fred: &Fred, params: &Params) -> Option<String> {
    let (now, today) = (fred.exchange.now(), fred.today());
    let from = query::date(params, "cosd").ok()?.unwrap_or(date(1600, 1, 1));
    let to = query::date(params, "coed").ok()?.unwrap_or(LAST_DAY);
    let asked: Vec<Date> = match params.get("vintage_date").filter(|text| !text.is_empty()) {
        None => Vec::new(),
        Some(text) => text.split(',').map(|day| day.trim().parse().ok()).collect::<Option<_>>()?,
    };
    let mut header = "observation_date".to_owned();
    let mut rows: BTreeMap<Date, Vec<String>> = BTreeMap::new();
    let ids: Vec<&str> = params.get("id")?.split(',').map(str::trim).take(MOST_SERIES).collect();
    for (column, id) in ids.iter().enumerate() {
        let archive = Archive::open(&fred.exchange, id, today, now)?;
        let as_of = asked.get(column).or(asked.last()).copied();
        let _ = match as_of {
            None => write!(header, ",{}", archive.facts.id),
            Some(day) => write!(header, ",{}_{}", archive.facts.id, day.strftime("%Y%m%d")),
        };
        let day = as_of.unwrap_or(today);
        let current = archive.vintages.iter().filter(|vintage| vintage.from <= day && day <= vintage.to);
        for vintage in current.filter(|vintage| from <= vintage.period && vintage.period <= to) {
            let cells = rows.entry(vintage.period).or_insert_with(|| vec![String::new(); ids.len()]);
            // A missing value is an empty cell.
            cells[column] =
                vintage.value.map_or_else(String::new, |value| value_text(Some(value), archive.facts.decimals));
        }
    }
    let mut text = header + "\n";
    for (period, cells) in rows {
        let _ = writeln!(text, "{period},{}", cells.join(","));
    }
    Some(text)
}
