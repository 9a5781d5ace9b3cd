//! Daily bars as CSV, over the loopback address.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use market::universe::default_universe;
use market::{AcceleratedClock, Adjustment, Asset, Clock, Timeframe};
use sources::daily_csv::{DailyCsv, DailyCsvSettings, TableError, parse};
use sources::{DataSource, Failure, Fetched, Request};

use super::at;
use super::loopback::{Loopback, Reply, parameter};

fn asset(symbol: &str) -> Asset {
    default_universe().into_iter().find(|asset| asset.symbol.as_str() == symbol).unwrap()
}

fn source(server: &Loopback) -> DailyCsv {
    let clock: Arc<dyn Clock> = Arc::new(AcceleratedClock::new(at("2026-08-26T15:00:00Z"), 1000.0));
    let template = format!("{}q/d/l/?s={{symbol}}&i=d&d1={{from}}&d2={{to}}", server.url());
    DailyCsv::new(DailyCsvSettings { template, ..DailyCsvSettings::default() }, clock).unwrap()
}

async fn ask(source: &DailyCsv, symbol: &str, from: Timestamp, to: Timestamp) -> Result<Fetched, Failure> {
    source.fetch(&Request { asset: &asset(symbol), timeframe: Timeframe::D1, from, to }).await
}

const TABLE: &str = "Date,Open,High,Low,Close,Volume\r\n\
    2026-08-20,230.1,232,229.5,231.25,51000000\r\n\
    2026-08-21,231,231.5,228,229.75,48000000\r\n\
    2026-08-22,229,230,228,229,1\r\n\
    2026-08-24,229.75,229,228,228.5,1000\r\n\
    2026-08-24,229.5,231,229,230.5,45000000\r\n\
    2026-08-24,229.5,231,229,230.5,45000000\r\n\
    2026-08-25,230.5,233,230,,40000000\r\n\
    2026-08-25,230.5,233,230,232.5,40000000\r\n\
    2026-08-26,232.5,233,232,232.75,9000000\r\n";

#[tokio::test]
async fn bars_of_ended_sessions_come_and_others_are_refused() {
    let server = Loopback::serve(|_| Reply::new(200, TABLE));
    let source = source(&server);
    let from = at("2026-08-20T13:30:00Z");
    let fetched = ask(&source, "BRK-B", from, Timestamp::MAX).await.unwrap();
    let bars: Vec<(Timestamp, Timestamp, f64)> =
        fetched.bars.iter().map(|bar| (bar.open_time, bar.known_at, bar.close)).collect();
    let session = |day: &str, close| (at(&format!("{day}T13:30:00Z")), at(&format!("{day}T20:00:00Z")), close);
    // The session of the 26th still runs.
    assert_eq!(
        bars,
        [
            session("2026-08-20", 231.25),
            session("2026-08-21", 229.75),
            session("2026-08-24", 230.5),
            session("2026-08-25", 232.5)
        ]
    );
    let texts: Vec<&str> = fetched.remarks.iter().map(|remark| remark.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "brk-b.us, line 8: close is \"\": a number is expected",
            "brk-b.us, line 4 (2026-08-22): the exchange was closed",
            "brk-b.us, line 5 (2026-08-24): high 229 is below open 229.75",
            "brk-b.us, line 7 (2026-08-24): a second row of this day",
        ]
    );
    let url = &server.asked()[0];
    assert_eq!(parameter(url, "s").as_deref(), Some("brk-b.us"));
    assert_eq!(parameter(url, "d1").as_deref(), Some("20260820"));
    assert_eq!(parameter(url, "d2").as_deref(), Some("20260826"));
    assert_eq!(source.adjustment(), Adjustment::Split);

    // Half-open: the bar that opens at the end is not asked for.
    let fetched = ask(&source, "BRK-B", at("2026-08-20T13:30:01Z"), at("2026-08-24T13:30:00Z")).await.unwrap();
    assert_eq!(fetched.bars.len(), 1);
}

#[tokio::test]
async fn what_is_no_table_is_told_apart() {
    let server = Loopback::serve(|url| match parameter(url, "s").unwrap().as_str() {
        "aapl.us" => Reply::new(200, "No data"),
        "msft.us" => Reply::new(200, "Exceeded the daily hits limit"),
        "nvda.us" => Reply::new(200, "<html><body>Sorry</body></html>"),
        "meta.us" => Reply::new(404, "gone"),
        _ => Reply::new(200, "Date,Close\n2026-08-20,1\n"),
    });
    let source = source(&server);
    let (month, day) = (at("2026-07-20T00:00:00Z"), at("2026-08-25T00:00:00Z"));
    let unknown = ask(&source, "AAPL", month, Timestamp::MAX).await;
    assert!(matches!(unknown, Err(Failure::Unknown { spelling, .. }) if spelling == "aapl.us"));
    assert_eq!(ask(&source, "AAPL", day, Timestamp::MAX).await.unwrap(), Fetched::default());
    let limited = ask(&source, "MSFT", month, Timestamp::MAX).await.unwrap_err();
    assert!(matches!(limited, Failure::Limited { retry_after: Some(_), .. }), "{limited}");
    let n_asked = server.asked().len();
    assert_eq!(n_asked, 3, "a limit of the day is not tried again");
    assert!(matches!(ask(&source, "NVDA", month, Timestamp::MAX).await, Err(Failure::Malformed { .. })));
    assert!(matches!(ask(&source, "META", month, Timestamp::MAX).await, Err(Failure::Refused { status: 404, .. })));
    assert!(matches!(ask(&source, "TSLA", month, Timestamp::MAX).await, Err(Failure::Malformed { .. })));
    assert!(matches!(ask(&source, "BTC", month, Timestamp::MAX).await, Err(Failure::NotOffered { .. })));
    assert_eq!(source.reach(&asset("BTC"), Timeframe::D1), None);
    assert_eq!(source.reach(&asset("AAPL"), Timeframe::H1), None);
    assert_eq!(source.reach(&asset("AAPL"), Timeframe::D1), Some(SignedDuration::MAX));
    // Nothing is asked about the future, nor of before the calendar.
    let n_asked = server.asked().len();
    assert_eq!(ask(&source, "AAPL", at("2030-01-01T00:00:00Z"), Timestamp::MAX).await.unwrap(), Fetched::default());
    assert_eq!(ask(&source, "AAPL", Timestamp::MIN, at("1980-01-01T00:00:00Z")).await.unwrap(), Fetched::default());
    assert_eq!(server.asked().len(), n_asked);
}

#[test]
fn a_table_is_known_by_its_header() {
    let check = |body: &str, expected: TableError| assert_eq!(parse(body.as_bytes()).unwrap_err(), expected, "{body}");
    check("No data\r\n", TableError::NoData);
    check("\n", TableError::Page(String::new()));
    check("Date,Open,High,Low,Close\n", TableError::Header("Date,Open,High,Low,Close".to_owned()));
    let table =
        parse(b"\xef\xbb\xbfdate,open,high,low,close,volume,x\n2026-08-20,1,1,1,1,0,\n2026-08-21,1,1,1,1,0\n").unwrap();
    assert_eq!(table.rows.len(), 1);
    assert_eq!(table.refused, ["line 3: 6 cells where 7 are expected"]);
}

#[test]
fn a_template_makes_an_address() {
    for template in ["", "https://x/?s={symbol}", "{symbol}{from}{to}", "ftp://x/{symbol}{from}{to}"] {
        let settings = DailyCsvSettings { template: template.to_owned(), ..DailyCsvSettings::default() };
        let clock = Arc::new(AcceleratedClock::new(at("2026-08-26T15:00:00Z"), 1.0));
        assert!(DailyCsv::new(settings, clock).is_err(), "{template}");
    }
}
