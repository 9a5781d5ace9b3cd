//! FRED over the loopback address: paging, windows, limits, refusals, and life without a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan};
use market::universe::default_universe;
use market::{AcceleratedClock, Asset, Clock, RemarkKind, Timeframe};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sources::fred::release::released_at;
use sources::fred::vintages::{LAST_DAY, Row};
use sources::fred::{Fred, FredSettings, Key, PANEL, news};
use sources::{DataSource, Failure, Fetched, Request};

use super::at;
use super::fred_archive::{Archive, Limits, archives};
use super::loopback::{Loopback, Reply, parameter};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const WIDE: Limits = Limits { page: 100_000, vintages: 2000 };

fn asset(id: &str) -> Asset {
    let known = default_universe().into_iter().find(|asset| asset.source_symbol == id);
    known.unwrap_or_else(|| Asset { source_symbol: id.to_owned(), ..asset("GDP") })
}

/// A source that asks the server, and its clock: a thousand seconds a second, from August 2026.
fn source(server: &Loopback, key: Option<&str>) -> (Fred, Arc<dyn Clock>) {
    let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(at("2026-08-26T14:00:00Z"), 1000.0));
    let settings = FredSettings {
        api: server.url(),
        graph: server.url(),
        key: key.map(|key| key.parse().unwrap()),
        ..FredSettings::default()
    };
    (Fred::new(settings, Arc::clone(&clock)), clock)
}

async fn ask(fred: &Fred, asset: &Asset, from: Timestamp, to: Timestamp) -> Result<Fetched, Failure> {
    fred.fetch(&Request { asset, timeframe: Timeframe::Mo1, from, to }).await
}

async fn ask_all(fred: &Fred, id: &str) -> Result<Fetched, Failure> {
    ask(fred, &asset(id), Timestamp::MIN, Timestamp::MAX).await
}

fn an_archive() -> Archive {
    archives()
        .prop_filter("large", |archive| archive.0.len() > 20)
        .new_tree(&mut TestRunner::deterministic())
        .unwrap()
        .current()
}

/// Values and days of the vintages, in the archive's terms.
fn rows(fetched: &Fetched) -> Vec<Row> {
    let row = |o: &market::Observation| Row {
        ref_period: o.ref_period,
        value: o.value,
        realtime_start: o.realtime_start,
        realtime_end: o.realtime_end.map_or(LAST_DAY, |end| end.yesterday().unwrap()),
    };
    fetched.observations.iter().map(row).collect()
}

#[tokio::test]
async fn an_archive_comes_whole_on_many_pages() {
    let archive = an_archive();
    let expected = archive.values();
    let n_rows = archive.0.len();
    let server = Loopback::serve(move |url| archive.answer(url, Limits { page: 4, ..WIDE }));
    let (fred, clock) = source(&server, Some(KEY));
    let start = clock.now();
    let fetched = ask_all(&fred, "CPIAUCSL").await.unwrap();
    assert_eq!(rows(&fetched), expected);
    assert_eq!(fetched.remarks, []);
    let asked = server.asked();
    assert_eq!(asked.len(), n_rows.div_ceil(4));
    let first = &asked[0];
    for (name, value) in [("series_id", "CPIAUCSL"), ("realtime_start", "1776-07-04"), ("realtime_end", "9999-12-31")] {
        assert_eq!(parameter(first, name).as_deref(), Some(value));
    }
    // Two a second, and no burst.
    let passed = clock.now().duration_since(start);
    assert!(passed >= SignedDuration::from_millis(500 * i64::try_from(asked.len() - 1).unwrap()), "{passed}");
    assert!(fetched.observations.iter().all(|o| o.known_at == released_at("CPIAUCSL", o.realtime_start)));
}

#[tokio::test]
async fn a_daily_series_of_many_vintages_comes_in_windows() {
    let mut day = date(2010, 1, 4);
    let archive = Archive(
        (0..4500_i32)
            .map(|n| {
                day = day.tomorrow().unwrap();
                let ref_period = day.yesterday().unwrap();
                Row { ref_period, value: f64::from(n % 7) / 8.0, realtime_start: day, realtime_end: LAST_DAY }
            })
            .collect(),
    );
    let expected = archive.values();
    let server = Loopback::serve(move |url| archive.answer(url, WIDE));
    let (fred, _) = source(&server, Some(KEY));
    let fetched = ask_all(&fred, "DFF").await.unwrap();
    assert_eq!(rows(&fetched), expected);
    let paths: Vec<String> = server.asked().iter().map(|url| url.path().to_owned()).collect();
    let [refused, dates, windows @ ..] = paths.as_slice() else { panic!("{paths:?}") };
    assert_eq!((refused.as_str(), dates.as_str()), ("/fred/series/observations", "/fred/series/vintagedates"));
    assert_eq!(windows.len(), 3);
}

#[tokio::test]
async fn what_is_new_since_an_instant_is_asked_for_with_a_day_of_overlap() {
    let archive = an_archive();
    let days: Vec<Date> = archive.values().iter().map(|row| row.realtime_start).collect();
    let expected = archive.values();
    let server = Loopback::serve(move |url| archive.answer(url, WIDE));
    let (fred, _) = source(&server, Some(KEY));
    for day in [days[3], days[7], days[7] + 1.day()] {
        // Noon of that day; what began the day before is told once more.
        let from = market::calendar::midnight(day) + SignedDuration::from_hours(16);
        let fetched = ask(&fred, &asset("GDP"), from, Timestamp::MAX).await.unwrap();
        let since = |row: &&Row| row.realtime_start >= day - 1.day();
        assert_eq!(rows(&fetched), expected.iter().filter(since).copied().collect::<Vec<_>>());
        // And of that only what began by the last day.
        let to = from + SignedDuration::from_hours(24 * 40);
        let part = ask(&fred, &asset("GDP"), from, to).await.unwrap();
        let known = |o: &&market::Observation| o.realtime_start <= day + 40.days();
        assert_eq!(part.observations, fetched.observations.iter().filter(known).cloned().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_there_before_its_time_is_known_since_it_came() {
    let row =
        Row { ref_period: date(2026, 8, 22), value: 230.0, realtime_start: date(2026, 8, 26), realtime_end: LAST_DAY };
    let server = Loopback::serve(move |url| Archive(vec![row]).answer(url, WIDE));
    let (fred, clock) = source(&server, Some(KEY));
    let to = clock.now();
    let fetched = ask(&fred, &asset("ICSA"), to - SignedDuration::from_hours(1), to).await.unwrap();
    let known_at = fetched.observations[0].known_at;
    assert!(to <= known_at && known_at <= clock.now(), "{known_at}");
}

#[tokio::test]
async fn a_missing_value_is_none_and_a_bad_row_is_refused() {
    let row = |date: &str, value: &str| {
        format!(r#"{{"realtime_start":"2016-01-04","realtime_end":"9999-12-31","date":"{date}","value":{value}}}"#)
    };
    let body = [
        row("2015-09-01", "\"86.2\""),
        row("2015-10-01", "\".\""),
        row("2015-11-01", "\"NaN\""),
        row("2015-12-01", "3.5"),
        row("2015-13-01", "\"1\""),
        row("2016-02-01", "\"1\""),
        "{}".to_owned(),
        row("2015-12-01", "\"90.7\""),
    ];
    let body = format!(r#"{{"count":8,"observations":[{}]}}"#, body.join(","));
    let server = Loopback::serve(move |_| Reply::new(200, body.clone()));
    let (fred, _) = source(&server, Some(KEY));
    let fetched = ask_all(&fred, "UMCSENT").await.unwrap();
    let values: Vec<(Date, f64)> = fetched.observations.iter().map(|o| (o.ref_period, o.value)).collect();
    assert_eq!(values, [(date(2015, 9, 1), 86.2), (date(2015, 12, 1), 90.7)]);
    assert!(fetched.remarks.iter().all(|remark| remark.kind == RemarkKind::Refused));
    let texts: Vec<&str> = fetched.remarks.iter().map(|remark| remark.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "UMCSENT, observation 2 (\"2015-11-01\"): \"NaN\" is not a number",
            "UMCSENT, observation 3 (\"2015-12-01\"): value is 3.5: a text is expected",
            "UMCSENT, observation 4 (\"2015-13-01\"): \"2015-13-01\" is not a date",
            "UMCSENT, observation 5 (\"2016-02-01\"): known on 2016-01-04, before the period it describes begins",
            "UMCSENT, observation 6 (null): date is null: a text is expected",
        ]
    );
}

/// Answers with the given replies in turn, and then with an empty page.
fn in_turn(replies: Vec<(u16, &'static str)>) -> Loopback {
    let next = AtomicUsize::new(0);
    Loopback::serve(move |_| match replies.get(next.fetch_add(1, Ordering::SeqCst)) {
        Some((status, body)) => Reply::new(*status, *body),
        None => Reply::new(200, r#"{"count":0,"observations":[]}"#),
    })
}

fn refusal(tail: &str) -> &'static str {
    format!(r#"{{"error_code":400,"error_message":"Bad Request.  {tail}"}}"#).leak()
}

/// What becomes of a request that is answered so: the failure in words, how often it was asked, how long it took at least.
async fn check(replies: Vec<(u16, &'static str)>, expected: Result<usize, &str>, n_asked: usize, at_least_secs: i64) {
    let server = in_turn(replies);
    let (fred, clock) = source(&server, Some(KEY));
    let start = clock.now();
    let answer = ask_all(&fred, "GDP").await;
    let host = format!("127.0.0.1:{}", server.url().port().unwrap());
    match (answer, expected) {
        (Ok(fetched), Ok(n)) => assert_eq!(fetched.observations.len(), n),
        (Err(failure), Err(words)) => {
            assert_eq!(failure.in_words().replace(&host, "HOST"), words);
            assert!(!format!("{failure:?}").contains(KEY));
        }
        (answer, expected) => panic!("{answer:?} where {expected:?} is expected"),
    }
    assert_eq!(server.asked().len(), n_asked);
    let passed = clock.now().duration_since(start);
    assert!(passed >= SignedDuration::from_secs(at_least_secs), "{passed}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let missing = refusal("Variable api_key is not set.  Read more.");
    let words = "HOST refused the request (status 400): the key is missing: Bad Request.  Variable api_key is not set.  \
                 Read more.";
    check(vec![(400, missing)], Err(words), 1, 0).await;
    let format = refusal("The value for variable api_key is not a 32 character alpha-numeric lower-case string.");
    let words = "HOST refused the request (status 400): the key is not one: Bad Request.  The value for variable api_key \
                 is not a 32 character alpha-numeric lower-case string.";
    check(vec![(400, format)], Err(words), 1, 0).await;
    let unknown = refusal("The value for variable api_key is not registered.");
    let words = "HOST refused the request (status 400): the key is not registered: Bad Request.  The value for variable \
                 api_key is not registered.";
    check(vec![(400, unknown); 3], Err(words), 2, 5).await;
    check(vec![(400, unknown)], Ok(0), 2, 5).await;
    check(vec![(400, refusal("The series does not exist."))], Err("HOST does not know GDP"), 1, 0).await;
    let other = refusal("Bad value for a variable.");
    let words = "HOST refused the request (status 400): Bad Request.  Bad value for a variable.";
    check(vec![(400, other)], Err(words), 1, 0).await;
    let echo = refusal("/fred/series?api_key=0123456789abcdef0123456789abcdef is bad");
    let words =
        "HOST refused the request (status 400): the key is not one: Bad Request.  /fred/series?api_key=*** is bad";
    check(vec![(400, echo)], Err(words), 1, 0).await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let limited = r#"{"error_code":429,"error_message":"Too Many Requests.  Exceeded Rate Limit"}"#;
    // Half a minute, then a minute.
    check(vec![(429, limited); 2], Ok(0), 3, 90).await;
    let words = "HOST says that it was asked too often (status 429)";
    check(vec![(429, limited); 9], Err(words), 5, 30 + 60 + 120 + 240).await;
    check(vec![(423, "locked")], Ok(0), 2, 2).await;
    check(vec![(500, "trouble"), (502, "trouble")], Ok(0), 3, 6).await;
    check(vec![(423, "locked"); 9], Err("HOST answered 423: locked"), 4, 14).await;
    check(vec![(200, "<html>")], Ok(0), 2, 2).await;
    check(vec![(200, r#"{"count":2,"observations":["#)], Ok(0), 2, 2).await;
    // A table that changes while it is read is read again.
    let [two, one] = [2, 3].map(|count| -> &str {
        let row = r#"{"realtime_start":"2016-01-04","realtime_end":"9999-12-31","date":"2015-12-01","value":"1"}"#;
        format!(r#"{{"count":{count},"observations":[{row}]}}"#).leak()
    });
    check(vec![(200, two), (200, one)], Ok(0), 3, 1).await;
}

#[tokio::test]
async fn a_limit_that_says_how_long_is_obeyed() {
    let asked = AtomicUsize::new(0);
    let server = Loopback::serve(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply { headers: vec![("retry-after", "200".to_owned())], ..Reply::new(429, "") },
        1 => Reply::new(200, r#"{"count":0,"observations":[]}"#),
        _ => Reply { headers: vec![("retry-after", "7200".to_owned())], ..Reply::new(429, "") },
    });
    let (fred, clock) = source(&server, Some(KEY));
    let start = clock.now();
    ask_all(&fred, "GDP").await.unwrap();
    assert!(clock.now().duration_since(start) >= SignedDuration::from_secs(200));
    // Longer than anybody waits here: the caller is told.
    let failure = ask_all(&fred, "GDP").await.unwrap_err();
    assert_eq!(failure.retry_after().map(|wait| wait.as_secs()), Some(7200));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_series_without_vintages_is_known_from_now_on() {
    let body = refusal(
        "The series does not exist in ALFRED but may exist in FRED.  Try setting realtime_start and realtime_end to \
         today's date or removing the realtime_start and realtime_end variables.",
    );
    let server = Loopback::serve(move |url| match parameter(url, "realtime_start") {
        Some(_) => Reply::new(400, body),
        None => Reply::new(
            200,
            r#"{"count":1,"observations":[{"realtime_start":"2026-08-26","realtime_end":"2026-08-26","date":"2026-07-01","value":"4.2"}]}"#,
        ),
    });
    let (fred, clock) = source(&server, Some(KEY));
    let start = clock.now();
    let fetched = ask_all(&fred, "UNRATE").await.unwrap();
    let [observation] = fetched.observations.as_slice() else { panic!("one value") };
    assert!(start <= observation.known_at && observation.known_at <= clock.now());
    assert_eq!((observation.realtime_start, observation.realtime_end), (date(2026, 8, 26), None));
    let [remark] = fetched.remarks.as_slice() else { panic!("one remark") };
    assert_eq!(remark.kind, RemarkKind::Repaired);
    assert!(
        remark.text.starts_with("UNRATE is not in the archive of vintages: its values count as known from 2026-08-26T")
    );
}

#[tokio::test]
async fn without_a_key_values_are_known_from_now_on() {
    let server = Loopback::serve(|url| {
        assert_eq!(url.path(), "/graph/fredgraph.csv");
        let value = parameter(url, "id").unwrap();
        match value.as_str() {
            "UNRATE" => Reply::new(
                200,
                "observation_date,UNRATE\n2026-05-01,4.1\n2026-06-01,\n2026-07-01,4.2\n2026-07-01,9\n2027-01-01,4\n",
            ),
            "CPIAUCSL" => Reply::new(200, "DATE,CPIAUCSL\r\n2026-05-01,321.5\r\n2026-06-01,.\r\n2026-07-01,x\r\n"),
            "GDP" => Reply::new(200, "<!DOCTYPE html><html><title>Page Not Found</title></html>"),
            "UMCSENT" => Reply::new(404, "<html></html>"),
            "DFF" => Reply::new(200, "<html><title>Just a moment</title></html>"),
            _ => Reply::new(200, "observation_date,OTHER\n2026-05-01,4.1\n"),
        }
    });
    let (fred, clock) = source(&server, None);
    assert!(!fred.has_vintages());
    let fetched = ask_all(&fred, "UNRATE").await.unwrap();
    let values: Vec<(Date, f64)> = fetched.observations.iter().map(|o| (o.ref_period, o.value)).collect();
    assert_eq!(values, [(date(2026, 5, 1), 4.1), (date(2026, 7, 1), 4.2)]);
    let texts: Vec<&str> = fetched.remarks.iter().map(|remark| remark.text.as_str()).collect();
    let [repeated, future, known] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!(*repeated, "UNRATE, line 5: 2026-07-01 does not follow the day before it");
    assert_eq!(*future, "UNRATE for 2027-01-01: a period that begins after it was fetched");
    assert!(known.ends_with("first releases and revisions are not known"), "{known}");
    // The next day the same values are nothing new.
    let known = fetched.observations;
    let mut again = ask_all(&fred, "UNRATE").await.unwrap().observations;
    again.iter_mut().for_each(|o| o.realtime_start = date(2026, 8, 27));
    assert_eq!(news(&known, again, clock.now()), []);

    let fetched = ask_all(&fred, "CPIAUCSL").await.unwrap();
    assert_eq!(fetched.observations.len(), 1);
    assert_eq!(fetched.remarks[0].text, "CPIAUCSL, line 4: \"x\" is not a number");
    assert!(matches!(ask_all(&fred, "GDP").await, Err(Failure::Unknown { spelling, .. }) if spelling == "GDP"));
    assert!(matches!(ask_all(&fred, "UMCSENT").await, Err(Failure::Unknown { .. })));
    assert!(matches!(ask_all(&fred, "DFF").await, Err(Failure::Malformed { .. })));
    assert!(matches!(ask_all(&fred, "FEDFUNDS").await, Err(Failure::Malformed { .. })));
    assert!(matches!(fred.release_dates(&asset("GDP")).await, Err(Failure::NotOffered { .. })));
}

#[tokio::test]
async fn announced_days_are_told() {
    let server = Loopback::serve(|url| match url.path() {
        "/fred/series/release" => Reply::new(200, r#"{"releases":[{"id":53,"name":"Gross Domestic Product"}]}"#),
        "/fred/release/dates" => {
            assert_eq!(parameter(url, "release_id").as_deref(), Some("53"));
            assert_eq!(parameter(url, "include_release_dates_with_no_data").as_deref(), Some("true"));
            Reply::new(
                200,
                r#"{"count":3,"release_dates":[{"release_id":53,"date":"2026-09-30"},{"release_id":53,"date":"2026-08-27"},{"release_id":53,"date":"2026-07-30"}]}"#,
            )
        }
        other => panic!("{other}"),
    });
    let (fred, _) = source(&server, Some(KEY));
    let days = fred.release_dates(&asset("GDP")).await.unwrap();
    assert_eq!(days, [date(2026, 7, 30), date(2026, 8, 27), date(2026, 9, 30)]);
}

#[tokio::test]
async fn one_asks_at_a_time() {
    let server = Loopback::serve(|_| Reply::new(200, r#"{"count":0,"observations":[]}"#));
    let (fred, clock) = source(&server, Some(KEY));
    let start = clock.now();
    let asked = (0..8).map(|_| ask_all(&fred, "GDP"));
    for answer in futures::future::join_all(asked).await {
        answer.unwrap();
    }
    let passed = clock.now().duration_since(start);
    assert!(passed >= SignedDuration::from_millis(3500), "{passed}");
}

#[tokio::test]
async fn only_macro_series_are_offered() {
    let server = Loopback::serve(|_| Reply::new(500, ""));
    let (fred, _) = source(&server, Some(KEY));
    let stock = default_universe().into_iter().find(|asset| asset.symbol.as_str() == "AAPL").unwrap();
    assert_eq!(fred.reach(&stock, Timeframe::D1), None);
    assert_eq!(fred.reach(&asset("GDP"), Timeframe::Q1), Some(SignedDuration::MAX));
    let failure = ask(&fred, &stock, Timestamp::MIN, Timestamp::MAX).await.unwrap_err();
    assert_eq!(failure.to_string(), "fred has no series of stocks, such as AAPL");
    assert_eq!(server.asked(), []);
}

#[test]
fn a_key_is_shown_to_nobody() {
    let key: Key = format!(" {KEY}\n").parse().unwrap();
    let settings = FredSettings { key: Some(key), ..FredSettings::default() };
    assert!(!format!("{settings:?}").contains(&KEY[..8]));
    let fred = Fred::new(settings, Arc::new(AcceleratedClock::new(at("2026-08-26T14:00:00Z"), 1.0)));
    assert!(!format!("{fred:?}").contains(&KEY[..8]));
    for text in ["", "abc", "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdef0"] {
        let error = text.parse::<Key>().unwrap_err();
        assert!(!format!("{error}{error:?}").contains("0123"));
    }
}

#[test]
fn the_panel_holds_the_default_series() {
    let series = default_universe().into_iter().filter(|asset| asset.class() == market::AssetClass::Macro);
    for asset in series {
        let known = PANEL.iter().find(|series| series.id == asset.source_symbol).unwrap();
        assert_eq!(known.unit, asset.quote);
        assert!(Timeframe::forecast_for(asset.class()).contains(&known.timeframe));
    }
    let ids: std::collections::BTreeSet<&str> = PANEL.iter().map(|series| series.id).collect();
    assert_eq!(ids.len(), PANEL.len());
}
