//! What is served as FRED: vintages, pages, refusals, releases.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use market::calendar::midnight;
use market::{Asset, AssetKind, Clock, Observation};
use serde_json::{Value, json};
use simulator::{Reel, Tape};

use super::at;
use super::yahoo_server::{Got, Served, in_session, small_at};

const KEY: &str = "api_key=abcdefghijklmnopqrstuvwxyz012345";

/// Asks for JSON, a second after the request before.
async fn ask(served: &Served, path: &str) -> Got {
    served.clock.set(served.clock.now() + SignedDuration::from_secs(1));
    let joint = if path.contains('?') { '&' } else { '?' };
    served.get(&format!("/fred/{path}{joint}{KEY}&file_type=json")).await
}

async fn answer(served: &Served, path: &str) -> Value {
    let got = ask(served, path).await;
    assert_eq!((got.status, got.content_type()), (200, "application/json; charset=UTF-8"), "{path}: {}", got.text);
    assert!(!got.text.contains('\n'), "one line");
    got.json()
}

/// Each row in words: date, value, first and last day.
fn rows(body: &Value) -> Vec<String> {
    let words = |row: &Value| {
        let words = ["date", "value", "realtime_start", "realtime_end"].map(|name| row[name].as_str().unwrap());
        words.join(" ")
    };
    body["observations"].as_array().unwrap().iter().map(words).collect()
}

/// The series of the tests, with more parameters.
async fn cpi(served: &Served, query: &str) -> Value {
    answer(served, &format!("series/observations?series_id=CPIAUCSL&{query}")).await
}

#[tokio::test]
async fn rows_are_clipped_to_the_days_asked_for() {
    let served = small_at(in_session()).await;
    let check =
        async |query: &str, expected: &[&str]| assert_eq!(rows(&cpi(&served, query).await), expected, "{query}");
    let today = [
        "2025-01-01 300.500 2026-03-18 2026-03-18",
        "2025-02-01 301.375 2026-03-18 2026-03-18",
        "2025-03-01 302.000 2026-03-18 2026-03-18",
        "2025-04-01 303.000 2026-03-18 2026-03-18",
        "2025-05-01 303.750 2026-03-18 2026-03-18",
    ];
    check("", &today).await;
    check("realtime_start=2026-03-18&realtime_end=2026-03-18", &today).await;
    let then = ["2025-01-01 300.500 2025-04-09 2025-04-09", "2025-02-01 301.250 2025-04-09 2025-04-09"];
    check("realtime_start=2025-04-09&realtime_end=2025-04-09", &then).await;
    check("vintage_dates=2025-04-09", &then).await;
    let window = [
        "2025-02-01 301.250 2025-03-20 2025-04-09",
        "2025-02-01 301.500 2025-04-10 2025-04-30",
        "2025-03-01 302.000 2025-04-10 2025-04-30",
    ];
    check("realtime_start=2025-03-20&realtime_end=2025-04-30&observation_start=2025-02-01", &window).await;
    let whole = [
        "2025-02-01 301.250 2025-03-12 2025-04-09",
        "2025-02-01 301.500 2025-04-10 2026-02-12",
        "2025-02-01 301.375 2026-02-13 9999-12-31",
    ];
    let february = "observation_start=2025-02-01&observation_end=2025-02-28";
    check(&format!("realtime_start=1776-07-04&realtime_end=9999-12-31&{february}"), &whole).await;
}

#[tokio::test]
async fn the_end_of_a_value_is_not_known_before_the_next_is_published() {
    let served = small_at(at("2026-02-13T12:00:00Z")).await;
    let query =
        "realtime_start=2025-05-01&realtime_end=9999-12-31&observation_start=2025-02-01&observation_end=2025-02-01";
    assert_eq!(rows(&cpi(&served, query).await), ["2025-02-01 301.500 2025-05-01 9999-12-31"]);
    served.clock.set(at("2026-02-13T12:30:00Z"));
    let expected = ["2025-02-01 301.500 2025-05-01 2026-02-12", "2025-02-01 301.375 2026-02-13 9999-12-31"];
    assert_eq!(rows(&cpi(&served, query).await), expected);
}

#[tokio::test]
async fn answers_echo_what_was_asked() {
    let served = small_at(in_session()).await;
    let got = ask(&served, "series/observations?series_id=cpiaucsl&limit=2&offset=1&sort_order=desc").await;
    let head = "{\"realtime_start\":\"2026-03-18\",\"realtime_end\":\"2026-03-18\",\"observation_start\":\"1600-01-01\",\
                \"observation_end\":\"9999-12-31\",\"units\":\"lin\",\"output_type\":1,\"file_type\":\"json\",\
                \"order_by\":\"observation_date\",\"sort_order\":\"desc\",\"count\":5,\"offset\":1,\"limit\":2,\
                \"observations\":[";
    assert!(got.text.starts_with(head), "{}", got.text);
    let dates: Vec<String> = rows(&got.json()).iter().map(|row| row[..10].to_owned()).collect();
    assert_eq!(dates, ["2025-04-01", "2025-03-01"]);
}

#[tokio::test]
async fn other_output_types_have_columns_or_first_values() {
    let served = small_at(in_session()).await;
    let days = "realtime_start=2025-03-01&realtime_end=2025-04-30&observation_start=2025-02-01";
    let body = cpi(&served, &format!("{days}&output_type=2")).await;
    let columns = json!([
        {"date": "2025-02-01", "CPIAUCSL_20250312": "301.250", "CPIAUCSL_20250410": "301.500"},
        {"date": "2025-03-01", "CPIAUCSL_20250410": "302.000"},
    ]);
    assert_eq!(body["observations"], columns);
    assert_eq!((&body["output_type"], &body["count"]), (&json!(2), &json!(2)));
    let body = cpi(&served, &format!("{days}&output_type=3&observation_start=2025-01-01")).await;
    assert_eq!(body["observations"], columns, "January was published before");
    let body = cpi(&served, "output_type=2&vintage_dates=2025-04-09,2025-05-01&observation_end=2025-02-01").await;
    let columns = json!([
        {"date": "2025-01-01", "CPIAUCSL_20250409": "300.500", "CPIAUCSL_20250501": "300.500"},
        {"date": "2025-02-01", "CPIAUCSL_20250409": "301.250", "CPIAUCSL_20250501": "301.500"},
    ]);
    assert_eq!(body["observations"], columns);
    let body =
        cpi(&served, "output_type=4&realtime_start=2025-03-01&realtime_end=9999-12-31&observation_end=2025-03-01")
            .await;
    let first = ["2025-02-01 301.250 2025-03-12 2025-04-09", "2025-03-01 302.000 2025-04-10 9999-12-31"];
    assert_eq!(rows(&body), first);
}

#[tokio::test]
async fn values_are_transformed_within_their_vintage() {
    let served = small_at(in_session()).await;
    let days = "realtime_start=2025-03-20&realtime_end=2025-04-30";
    let check = async |units: &str, expected: &[&str]| {
        let body = cpi(&served, &format!("{days}&units={units}")).await;
        assert_eq!(rows(&body), expected, "{units}");
        assert_eq!(body["units"], units);
    };
    let changes = [
        "2025-01-01 . 2025-03-20 2025-04-30",
        "2025-02-01 0.75000 2025-03-20 2025-04-09",
        "2025-02-01 1.00000 2025-04-10 2025-04-30",
        "2025-03-01 0.50000 2025-04-10 2025-04-30",
    ];
    check("chg", &changes).await;
    let rates = [
        "2025-01-01 . 2025-03-20 2025-04-30",
        "2025-02-01 0.24958 2025-03-20 2025-04-09",
        "2025-02-01 0.33278 2025-04-10 2025-04-30",
        "2025-03-01 0.16584 2025-04-10 2025-04-30",
    ];
    check("pch", &rates).await;
    let nothing = [
        "2025-01-01 . 2025-03-20 2025-04-30",
        "2025-02-01 . 2025-03-20 2025-04-30",
        "2025-03-01 . 2025-04-10 2025-04-30",
    ];
    check("pc1", &nothing).await;
    let body = cpi(&served, "units=log&limit=1").await;
    assert_eq!(body["observations"][0]["value"], "5.70545");
    // A value whose predecessor is revised later changes with it.
    let body = cpi(
        &served,
        "realtime_start=2026-01-01&realtime_end=9999-12-31&units=chg&observation_start=2025-03-01&limit=2",
    )
    .await;
    assert_eq!(rows(&body), ["2025-03-01 0.50000 2026-01-01 2026-02-12", "2025-03-01 0.62500 2026-02-13 9999-12-31"]);
}

#[tokio::test]
async fn without_a_file_type_answers_are_xml() {
    let served = small_at(in_session()).await;
    let got = served.get(&format!("/fred/series/observations?series_id=CPIAUCSL&{KEY}&limit=1")).await;
    assert_eq!(got.content_type(), "text/xml; charset=UTF-8");
    let expected = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n\
        <observations realtime_start=\"2026-03-18\" realtime_end=\"2026-03-18\" observation_start=\"1600-01-01\" \
        observation_end=\"9999-12-31\" units=\"lin\" output_type=\"1\" file_type=\"xml\" order_by=\"observation_date\" \
        sort_order=\"asc\" count=\"5\" offset=\"0\" limit=\"1\">\n  \
        <observation realtime_start=\"2026-03-18\" realtime_end=\"2026-03-18\" date=\"2025-01-01\" value=\"300.500\"/>\n\
        </observations>\n";
    assert_eq!(got.text, expected);
    let got = served.get(&format!("/fred/series/vintagedates?series_id=CPIAUCSL&{KEY}&limit=1&file_type=xml")).await;
    assert!(got.text.contains("\n  <vintage_date>2025-02-12</vintage_date>\n</vintage_dates>\n"), "{}", got.text);
    served.clock.set(at("2026-03-18T16:00:00Z"));
    let got = served.get("/fred/series?series_id=CPIAUCSL").await;
    assert_eq!((got.status, got.content_type()), (400, "text/xml; charset=UTF-8"));
    assert!(got.text.contains("<error code=\"400\" message=\"Bad Request.  Variable api_key is not set.  Read "));
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let served = small_at(in_session()).await;
    let check = async |path: &str, message: &str| {
        served.clock.set(served.clock.now() + SignedDuration::from_secs(1));
        let got = served.get(&format!("/fred/{path}")).await;
        assert_eq!(got.status, 400, "{path}: {}", got.text);
        assert_eq!(got.json(), json!({"error_code": 400, "error_message": message}), "{path}");
    };
    let more = "Read https://fred.stlouisfed.org/docs/api/api_key.html for more information.";
    let observations = |query: &str| format!("series/observations?file_type=json&{query}");
    let keyed = |query: &str| observations(&format!("{KEY}&{query}"));
    let cpi = |query: &str| keyed(&format!("series_id=CPIAUCSL&{query}"));
    check(&observations("series_id=GDP"), &format!("Bad Request.  Variable api_key is not set.  {more}")).await;
    let malformed = "The value for variable api_key is not a 32 character alpha-numeric lower-case string.";
    for key in ["short", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "abcdefghijklmnopqrstuvwxyz01234-"] {
        check(&observations(&format!("api_key={key}")), &format!("Bad Request.  {malformed}  {more}")).await;
    }
    let zeros = format!("api_key={}", "0".repeat(32));
    let unknown = "The value for variable api_key is not registered.";
    check(&observations(&zeros), &format!("Bad Request.  {unknown}  {more}")).await;
    check(&keyed(""), "Bad Request.  Variable series_id is not set.").await;
    check(&keyed("series_id=NOPE"), "Bad Request.  The series does not exist.").await;
    let future = |name: &str| {
        format!(
            "Bad Request.  Variable {name} can not be after today's date (2026-03-18) unless it's equal to the real-time \
             max date 9999-12-31."
        )
    };
    check(&cpi("realtime_end=2026-03-19"), &future("realtime_end")).await;
    check(&cpi("realtime_start=2026-03-19&realtime_end=9999-12-31"), &future("realtime_start")).await;
    let archive = "Bad Request.  The series does not exist in ALFRED but may exist in FRED.  Try setting realtime_start and \
                   realtime_end to today's date or removing the realtime_start and realtime_end variables.";
    check(&cpi("realtime_start=2025-02-01&realtime_end=2025-02-11"), archive).await;
    check(&cpi("vintage_dates=2025-02-11,2025-03-01"), archive).await;
    let names = "'lin', 'chg', 'ch1', 'pch', 'pc1', 'pca', 'cch', 'cca', 'log'";
    check(&cpi("units=none"), &format!("Bad Request.  Value of units is not one of: {names}.")).await;
    check(&cpi("limit=0"), "Bad Request.  The value for variable limit is not between 1 and 100000.").await;
    check(&cpi("frequency=d"), "Bad Request.  Value of frequency is not one of: 'm'.").await;
    check(&cpi("output_type=5"), "Bad Request.  Value of output_type is not one of: '1', '2', '3', '4'.").await;
    let date = "Bad Request.  The value for variable observation_start is not a YYYY-MM-DD date.";
    check(&cpi("observation_start=tomorrow"), date).await;
    check(&format!("release/dates?file_type=json&{KEY}&release_id=1"), "Bad Request.  The release does not exist.")
        .await;
}

#[tokio::test]
async fn the_present_turns_at_midnight_in_the_middle_of_the_country() {
    let served = small_at(at("2026-03-19T04:59:50Z")).await;
    assert_eq!(cpi(&served, "limit=1").await["realtime_end"], "2026-03-18");
    served.clock.set(at("2026-03-19T05:00:00Z"));
    assert_eq!(cpi(&served, "limit=1").await["realtime_end"], "2026-03-19");
}

#[tokio::test]
async fn a_key_has_two_requests_a_second() {
    let served = small_at(in_session()).await;
    let path = |key: &str| format!("/fred/series?series_id=CPIAUCSL&file_type=json&api_key={key}");
    let (one, other) = (path(&"a".repeat(32)), path(&"b".repeat(32)));
    for expected in [200, 200, 429] {
        assert_eq!(served.get(&one).await.status, expected);
    }
    let refused = served.get(&one).await;
    assert_eq!(refused.text, r#"{"error_code":429,"error_message":"Too Many Requests.  Exceeded Rate Limit"}"#);
    assert_eq!(served.get(&other).await.status, 200, "another key has its own");
    served.clock.set(in_session() + SignedDuration::from_secs(1));
    assert_eq!(served.get(&one).await.status, 200);
}

#[tokio::test]
async fn too_many_vintages_are_refused_and_windows_are_not() {
    let first = date(2019, 1, 1);
    let days = first.series(1.day()).take(2300).map(|day| Observation {
        ref_period: day,
        value: 4.25,
        realtime_start: day.tomorrow().unwrap(),
        realtime_end: None,
        known_at: midnight(day.tomorrow().unwrap()),
    });
    let asset = Asset {
        symbol: "DFF".parse().unwrap(),
        name: "Overnight rate".to_owned(),
        kind: AssetKind::Series,
        source_symbol: "DFF".to_owned(),
        quote: "percent".to_owned(),
    };
    let reel = Reel { asset, bars: BTreeMap::new(), actions: Vec::new(), observations: days.collect() };
    let served = Served::start(Tape::recorded(vec![reel]), in_session()).await;
    let path = "series/observations?series_id=DFF&realtime_start=1776-07-04&realtime_end=9999-12-31";
    let expected = "Bad Request.  There are 2300 vintage dates in the specified real-time period: 1776-07-04 to 9999-12-31.  \
                    This exceeds the maximum number of vintage dates allowed for this file type (2000).";
    assert_eq!(ask(&served, path).await.json(), json!({"error_code": 400, "error_message": expected}));
    let path = "series/observations?series_id=DFF&realtime_start=2024-01-01&realtime_end=2024-06-30";
    assert_eq!(answer(&served, path).await["count"], 2007);
    let body = answer(&served, "series/vintagedates?series_id=DFF&limit=2&sort_order=desc").await;
    assert_eq!((&body["count"], &body["vintage_dates"]), (&json!(2300), &json!(["2025-04-19", "2025-04-18"])));
}

#[tokio::test]
async fn a_series_is_described() {
    let served = small_at(in_session()).await;
    let body = answer(&served, "series?series_id=CPIAUCSL").await;
    let series = &body["seriess"][0];
    let expected = [
        ("id", "CPIAUCSL"),
        ("realtime_start", "2026-03-18"),
        ("observation_start", "2025-01-01"),
        ("observation_end", "2025-05-01"),
        ("frequency_short", "M"),
        ("units", "Index 1982-1984=100"),
        ("seasonal_adjustment_short", "SA"),
        ("last_updated", "2026-02-13 06:30:00-06"),
    ];
    for (name, value) in expected {
        assert_eq!(series[name], value, "{name}");
    }
    let body = answer(&served, "series/release?series_id=CPIAUCSL").await;
    assert_eq!(
        (&body["releases"][0]["id"], &body["releases"][0]["name"]),
        (&json!(10), &json!("Consumer Price Index"))
    );
}

#[tokio::test]
async fn release_dates_tell_the_past_and_when_asked_the_future() {
    let served = small_at(at("2025-05-20T12:00:00Z")).await;
    let body = answer(&served, "release/dates?release_id=10").await;
    let dates = |days: &[&str]| -> Value { days.iter().map(|day| json!({"release_id": 10, "date": day})).collect() };
    assert_eq!(body["release_dates"], dates(&["2025-02-12", "2025-03-12", "2025-04-10", "2025-05-13"]));
    let future = "include_release_dates_with_no_data=true";
    let body = answer(&served, &format!("release/dates?release_id=10&{future}&realtime_start=2025-05-01")).await;
    assert_eq!(body["release_dates"], dates(&["2025-05-13", "2025-06-11"]));
    let body = answer(&served, &format!("releases/dates?{future}&limit=1")).await;
    let expected = json!([{"release_id": 10, "release_name": "Consumer Price Index", "date": "2025-06-11"}]);
    assert_eq!((&body["release_dates"], &body["realtime_start"]), (&expected, &json!("2025-01-01")));
    assert_eq!((&body["sort_order"], &body["count"]), (&json!("desc"), &json!(5)));
}

#[tokio::test]
async fn tables_need_no_key() {
    let served = small_at(in_session()).await;
    let check = async |query: &str, expected: &str| {
        let got = served.get(&format!("/graph/fredgraph.csv?{query}")).await;
        assert_eq!((got.status, got.content_type(), got.text.as_str()), (200, "text/csv", expected), "{query}");
    };
    let query = "id=CPIAUCSL&cosd=2025-02-01&coed=2025-03-31";
    check(query, "observation_date,CPIAUCSL\n2025-02-01,301.375\n2025-03-01,302.000\n").await;
    let query = "id=CPIAUCSL,CPIAUCSL&vintage_date=2025-03-12,2025-04-10&cosd=2025-02-01";
    let expected =
        "observation_date,CPIAUCSL_20250312,CPIAUCSL_20250410\n2025-02-01,301.250,301.500\n2025-03-01,,302.000\n";
    check(query, expected).await;
    let got = served.get("/graph/fredgraph.csv?id=NOPE").await;
    assert_eq!((got.status, got.content_type()), (404, "text/html; charset=utf-8"));
}

/// Whatever day is asked for, the answer is what the whole history says was current on it.
#[tokio::test]
async fn as_of_a_day_is_what_the_whole_history_says() {
    let served = Served::start(Tape::generated(&super::sample().0), at("2024-06-20T12:00:00Z")).await;
    for series in ["GDP", "CPIAUCSL", "UNRATE", "UMCSENT"] {
        let path = format!("series/observations?series_id={series}");
        let whole = answer(&served, &format!("{path}&realtime_start=1776-07-04&realtime_end=9999-12-31")).await;
        let whole: Vec<Vec<String>> =
            rows(&whole).iter().map(|row| row.split(' ').map(str::to_owned).collect()).collect();
        for pair in whole.windows(2).filter(|pair| pair[0][0] == pair[1][0]) {
            let end: Date = pair[0][3].parse().unwrap();
            assert_eq!(end.tomorrow().unwrap().to_string(), pair[1][2], "periods touch: {pair:?}");
        }
        for day in date(2023, 1, 10).series(41.days()).take(12).map(|day| day.to_string()) {
            let body = answer(&served, &format!("{path}&realtime_start={day}&realtime_end={day}")).await;
            let current = whole.iter().filter(|row| row[2] <= day && day <= row[3]);
            let expected: Vec<String> = current.map(|row| format!("{} {} {day} {day}", row[0], row[1])).collect();
            assert_eq!(rows(&body), expected, "{series} on {day}");
        }
    }
}
