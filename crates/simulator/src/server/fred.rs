//! FRED's paths: series, their vintages and releases, as JSON or XML, for those who have a key; and a table for all.

mod admission;
mod answer;
mod catalogue;
mod graph;
mod observations;
mod query;
mod releases;
mod series;
mod units;
mod vintages;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use self::admission::Admission;
use self::answer::{Answer, Format, Refusal};
use self::vintages::Archive;
use super::Exchange;
use super::params::Params;

/// What its handlers share.
#[derive(Debug)]
pub(crate) struct Fred {
    exchange: Arc<Exchange>,
    admission: Admission,
    /// Where its days turn.
    zone: TimeZone,
}

impl Fred {
    fn today(&self) -> Date {
        self.zone.to_datetime(self.exchange.now()).date()
    }
}

/// A request that has been let in.
struct Request<'a> {
    exchange: &'a Exchange,
    params: &'a Params,
    format: Format,
    zone: &'a TimeZone,
    now: Timestamp,
    today: Date,
}

impl Request<'_> {
    /// The series it is about.
    fn archive(&self) -> Result<Archive, Refusal> {
        let id = self.params.get("series_id").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::bad_request("Variable series_id is not set."))?;
        let archive = Archive::open(self.exchange, id, self.today, self.now);
        archive.ok_or_else(|| Refusal::bad_request("The series does not exist."))
    }
}

type Answering = fn(&Request<'_>) -> Result<Answer, Refusal>;

/// Its routes.
pub(crate) fn router(exchange: Arc<Exchange>) -> Router {
    let zone = TimeZone::get("America/Chicago").expect("the bundled time-zone database has Chicago");
    let answering = |answer: Answering| {
        get(move |State(fred): State<Arc<Fred>>, params: Params| std::future::ready(respond(&fred, &params, answer)))
    };
    Router::new()
        .route("/fred/series", answering(series::series))
        .route("/fred/series/observations", answering(observations::observations))
        .route("/fred/series/vintagedates", answering(series::vintage_dates))
        .route("/fred/series/release", answering(series::release))
        .route("/fred/release/dates", answering(releases::of_one))
        .route("/fred/releases/dates", answering(releases::of_all))
        .route("/graph/fredgraph.csv", get(graph::graph))
        .with_state(Arc::new(Fred { exchange, admission: Admission::default(), zone }))
}

fn respond(fred: &Fred, params: &Params, answer: Answering) -> Response {
    let (format, refused) = match Format::of(params) {
        Ok(format) => (format, None),
        Err(refusal) => (Format::Xml, Some(refusal)),
    };
    let now = fred.exchange.now();
    let answered = || {
        fred.admission.admit(params, now)?;
        if let Some(refusal) = refused {
            return Err(refusal);
        }
        let (exchange, zone) = (&*fred.exchange, &fred.zone);
        answer(&Request { exchange, params, format, zone, now, today: zone.to_datetime(now).date() })
    };
    match answered() {
        Ok(answer) => answer.into_response(format),
        Err(refusal) => refusal.into_response(format),
    }
}
