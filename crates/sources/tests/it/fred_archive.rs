//! An archive of vintages as ALFRED keeps one, made up, and its answers.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use sources::fred::vintages::{FIRST_DAY, LAST_DAY, Row, merge};
use url::Url;

use super::loopback::{Reply, parameter};

/// All rows of a series, those without a value among them (`value` is NaN).
#[derive(Debug, Clone)]
pub(crate) struct Archive(pub(crate) Vec<Row>);

/// The server's limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) page: usize,
    pub(crate) vintages: usize,
}

impl Archive {
    /// What is said of a window: rows that meet it, cut to it.
    pub(crate) fn window(&self, start: Date, end: Date) -> Vec<Row> {
        let meets = |row: &&Row| row.realtime_start <= end && start <= row.realtime_end;
        let cut = |row: &Row| Row {
            realtime_start: row.realtime_start.max(start),
            realtime_end: row.realtime_end.min(end),
            ..*row
        };
        self.0.iter().filter(meets).map(cut).collect()
    }

    /// The days with which vintages begin, in a window.
    pub(crate) fn vintage_dates(&self, start: Date, end: Date) -> Vec<Date> {
        let ends = self.0.iter().filter_map(|row| row.realtime_end.tomorrow().ok());
        let mut days: Vec<Date> = self.0.iter().map(|row| row.realtime_start).chain(ends).collect();
        days.retain(|day| (start..=end).contains(day));
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Rows with a value, as they should come out in the end.
    pub(crate) fn values(&self) -> Vec<Row> {
        let (rows, refused) = merge(self.0.iter().copied().filter(|row| !row.value.is_nan()).collect());
        assert_eq!(refused, [""; 0]);
        rows
    }

    /// Answers the paths of the keyed service. A key must be sent, and stays in the query.
    pub(crate) fn answer(&self, url: &Url, limits: Limits) -> Reply {
        assert_eq!(parameter(url, "file_type").as_deref(), Some("json"));
        assert!(parameter(url, "api_key").is_some());
        let day = |name, default: Date| parameter(url, name).map_or(default, |text| text.parse().unwrap());
        let n = |name, default: usize| parameter(url, name).map_or(default, |text| text.parse().unwrap());
        match url.path() {
            "/fred/series/observations" => {
                let today = date(2026, 8, 26);
                let (start, end) = (day("realtime_start", today), day("realtime_end", today));
                let n_vintages = self.vintage_dates(start, end).len();
                if n_vintages > limits.vintages {
                    return too_many(n_vintages, start, end);
                }
                let rows = self.window(start, end);
                let (offset, limit) = (n("offset", 0), n("limit", 100_000).min(limits.page));
                let text = |row: &Row| {
                    let value = if row.value.is_nan() { ".".to_owned() } else { row.value.to_string() };
                    let Row { ref_period, realtime_start, realtime_end, .. } = row;
                    format!(
                        r#"{{"realtime_start":"{realtime_start}","realtime_end":"{realtime_end}","date":"{ref_period}","value":"{value}"}}"#
                    )
                };
                let page: Vec<String> = rows.iter().skip(offset).take(limit).map(text).collect();
                let count = rows.len();
                Reply::new(
                    200,
                    format!(
                        r#"{{"count":{count},"offset":{offset},"limit":{limit},"observations":[{}]}}"#,
                        page.join(",")
                    ),
                )
            }
            "/fred/series/vintagedates" => {
                let days = self.vintage_dates(day("realtime_start", FIRST_DAY), day("realtime_end", LAST_DAY));
                let (offset, limit) = (n("offset", 0), n("limit", 10_000).min(limits.page));
                let page: Vec<String> = days.iter().skip(offset).take(limit).map(|day| format!("\"{day}\"")).collect();
                let count = days.len();
                Reply::new(200, format!(r#"{{"count":{count},"vintage_dates":[{}]}}"#, page.join(",")))
            }
            _ => Reply::new(404, "{}"),
        }
    }
}

fn too_many(n: usize, start: Date, end: Date) -> Reply {
    let text = format!(
        "Bad Request.  There are {n} vintage dates in the specified real-time period: {start} to {end}.  This exceeds the \
         maximum number of vintage dates allowed for this file type (2000)."
    );
    Reply::new(400, format!(r#"{{"error_code":400,"error_message":"{text}"}}"#))
}

/// Archives of some months, each with a history of revisions, withdrawals and returns.
pub(crate) fn archives() -> impl Strategy<Value = Archive> {
    let change = (1_i64..60, prop::option::weighted(0.85, -3_i32..3));
    let history = prop::collection::vec(change, 1..8);
    prop::collection::vec(history, 1..6).prop_map(|periods| {
        let mut rows = Vec::new();
        for (n_month, changes) in (0_i64..).zip(periods) {
            let ref_period = date(2001, 1, 1) + n_month.months();
            let mut day = ref_period + 1.month();
            for (n, (days, value)) in changes.iter().enumerate() {
                let realtime_start = day;
                day += days.days();
                let realtime_end = if n + 1 == changes.len() { LAST_DAY } else { day.yesterday().unwrap() };
                let value = value.map_or(f64::NAN, |value| f64::from(value) / 2.0);
                rows.push(Row { ref_period, value, realtime_start, realtime_end });
            }
        }
        Archive(rows)
    })
}
