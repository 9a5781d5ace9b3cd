//! History: pages, closed rows, limits, places that are not served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use market::{Clock, RemarkKind, Timeframe};
use sources::binance::{Binance, BinanceSettings};
use sources::{DataSource, Failure, Fetched, Request};

use super::server::{Answered, Asked, Server, ok, status};
use super::{asset, clock, settings, start};

const MINUTE: i64 = 60_000;

/// What an exchange whose clock shows `now` answers: bars of a minute from `listed` on, without those in `gap`.
fn exchange(asked: &Asked, now: Timestamp, listed: i64, gap: std::ops::Range<i64>) -> Answered {
    match asked.path.as_str() {
        "time" => ok(format!(r#"{{"serverTime":{}}}"#, now.as_millisecond())),
        "klines" => {
            assert_eq!((asked.query["symbol"].as_str(), asked.query["interval"].as_str()), ("BTCUSDT", "1m"));
            let (from, to) = (asked.number("startTime"), asked.number("endTime").min(now.as_millisecond()));
            let first = (from.max(listed) + MINUTE - 1).div_euclid(MINUTE) * MINUTE;
            let opens = (first..=to).step_by(60_000).filter(|open| !gap.contains(open));
            let rows: Vec<String> = opens.take(asked.number("limit") as usize).map(row).collect();
            ok(format!("[{}]", rows.join(",")))
        }
        other => panic!("{other} is not asked for"),
    }
}

fn row(open: i64) -> String {
    let price = 40_000 + open / MINUTE % 1000;
    let close = open + MINUTE - 1;
    format!(r#"[{open},"{price}.10","{price}.90","{price}.00","{price}.20","1.5",{close},"6",9,"1","1","0"]"#)
}

async fn fetch(binance: &Binance, from: Timestamp, to: Timestamp) -> Result<Fetched, Failure> {
    let asset = asset("BTC");
    binance.fetch(&Request { asset: &asset, timeframe: Timeframe::M1, from, to }).await
}

fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

fn binance(servers: &[&Server], clock: &Arc<dyn Clock>) -> Binance {
    let rest = servers.iter().map(|server| server.url()).collect();
    Binance::new(settings(rest, Vec::new()), Arc::clone(clock))
}

#[tokio::test]
async fn windows_are_paged_through_to_both_ends() {
    let clock = clock(1.0);
    let there = Arc::clone(&clock);
    let listed = (start() - minutes(2600)).as_millisecond();
    let gap = (start() - minutes(700)).as_millisecond()..(start() - minutes(640)).as_millisecond();
    let server = Server::rest(move |_, asked| exchange(asked, there.now(), listed, gap.clone())).await;
    let binance = binance(&[&server], &clock);
    let check = async |from: Timestamp, to: Timestamp, n_bars: usize, n_pages: usize| {
        let before = server.asked("klines").len();
        let fetched = fetch(&binance, from, to).await.unwrap();
        assert_eq!((fetched.bars.len(), server.asked("klines").len() - before), (n_bars, n_pages), "{from} to {to}");
        assert_eq!(fetched.remarks, []);
        assert!(fetched.bars.is_sorted_by(|a, b| a.open_time < b.open_time));
        assert!(fetched.bars.iter().all(|bar| bar.open_time >= from && bar.open_time < to));
        assert!(fetched.bars.iter().all(|bar| bar.known_at == bar.close_time && bar.volume == 1.5));
    };
    let back = |n| start() - minutes(n);
    check(back(2500), back(1), 2439, 3).await;
    check(Timestamp::UNIX_EPOCH, back(1), 2539, 3).await;
    check(back(10), back(5), 5, 1).await;
    check(back(10) + SignedDuration::from_micros(1), back(5) + SignedDuration::from_micros(1), 5, 1).await;
    check(back(10), back(10), 0, 0).await;
    check(back(690), back(650), 0, 1).await;
    check(back(4000), back(3000), 0, 1).await;
    assert_eq!(server.asked("time").len(), 1, "the exchange's clock is read now and then only");
}

#[tokio::test]
async fn only_closed_rows_are_given() {
    // How far the exchange's clock is ahead in seconds, how many seconds of our minute have passed, and the newest bar
    // given in minutes before it.
    for (ahead, passed, newest) in
        [(0, 30, 1), (0, 1, 2), (0, 4, 1), (-20, 10, 2), (20, 50, 1), (5, 1, 2), (300, 30, 1)]
    {
        let clock: Arc<dyn Clock> = Arc::new(market::ManualClock::new(start() + SignedDuration::from_secs(passed)));
        let there = clock.now() + SignedDuration::from_secs(ahead);
        let server = Server::rest(move |_, asked| exchange(asked, there, 0, 0..0)).await;
        let fetched = fetch(&binance(&[&server], &clock), start() - minutes(10), start() + minutes(10)).await.unwrap();
        let last = fetched.bars.last().unwrap().open_time;
        assert_eq!(last, start() - minutes(newest), "ahead {ahead}, passed {passed}");
    }
}

#[tokio::test]
async fn a_slow_answer_about_the_time_closes_no_bar_early() {
    let clock = Arc::new(market::ManualClock::new(start() - SignedDuration::from_secs(8)));
    let there = Arc::clone(&clock);
    let server = Server::rest(move |_, asked| {
        if asked.path == "time" {
            // It looks at its clock at the end of ten seconds.
            there.set(there.now() + SignedDuration::from_secs(10));
        }
        exchange(asked, there.now(), 0, 0..0)
    })
    .await;
    let clock: Arc<dyn Clock> = clock;
    let fetched = fetch(&binance(&[&server], &clock), start() - minutes(10), start() + minutes(10)).await.unwrap();
    assert_eq!(fetched.bars.last().unwrap().close_time, start() - minutes(1), "two seconds are not enough");
}

#[tokio::test]
async fn rows_may_stand_in_any_order() {
    let clock = clock(1.0);
    let open = |n: i64| (start() - minutes(10 - n)).as_millisecond();
    let server = Server::rest(move |_, asked| {
        if asked.path == "time" {
            return ok(format!(r#"{{"serverTime":{}}}"#, (start() + minutes(1)).as_millisecond()));
        }
        let rows = [0, 1, 3, 2, 4].map(|n| row(open(n)));
        ok(if asked.number("startTime") > open(4) { "[]".to_owned() } else { format!("[{}]", rows.join(",")) })
    })
    .await;
    let fetched = fetch(&binance(&[&server], &clock), start() - minutes(10), start() - minutes(5)).await.unwrap();
    let opens: Vec<i64> = fetched.bars.iter().map(|bar| bar.open_time.as_millisecond()).collect();
    assert_eq!((opens, fetched.remarks.len()), ([0, 1, 2, 3, 4].map(open).to_vec(), 0));
}

#[tokio::test]
async fn a_bad_row_is_refused_and_the_others_are_kept() {
    let clock = clock(1.0);
    let first = (start() - minutes(5)).as_millisecond();
    let server = Server::rest(move |_, asked| {
        if asked.path == "time" {
            return ok(format!(r#"{{"serverTime":{}}}"#, start().as_millisecond()));
        }
        if asked.number("startTime") > first {
            return ok("[]");
        }
        let bad = row(first + MINUTE).replace(".90", ".x");
        let close = (first + 4 * MINUTE - 1).to_string();
        let cut = row(first + 3 * MINUTE).replace(&close, &(first + 3 * MINUTE + 5000).to_string());
        let rows = [row(first), bad, row(first), row(first + 2 * MINUTE), cut];
        ok(format!("[{}]", rows.join(",")))
    })
    .await;
    let fetched = fetch(&binance(&[&server], &clock), start() - minutes(5), start()).await.unwrap();
    assert_eq!(fetched.bars.len(), 3);
    let remarks: Vec<_> = fetched.remarks.iter().map(|remark| (remark.kind, remark.from.unwrap())).collect();
    let opened = |n: i64| start() - minutes(5 - n);
    let expected =
        [(RemarkKind::Refused, opened(0)), (RemarkKind::Refused, opened(1)), (RemarkKind::Repaired, opened(3))];
    assert_eq!(remarks, expected);
    let text = &fetched.remarks[1].text;
    assert!(text.starts_with("BTC 1m from 127.0.0.1:") && text.contains("row 1: high is"), "{text}");
}

#[tokio::test]
async fn an_answer_that_leads_nowhere_is_an_error_and_not_a_loop() {
    let clock = clock(1000.0);
    let server = Server::rest(move |_, asked| match asked.path.as_str() {
        "time" => ok(format!(r#"{{"serverTime":{}}}"#, start().as_millisecond())),
        _ => ok(format!("[{}]", row(0))),
    })
    .await;
    let failure = fetch(&binance(&[&server], &clock), start() - minutes(5), start()).await.unwrap_err();
    assert!(matches!(failure, Failure::Malformed { .. }), "{failure}");
}

/// An exchange that answers like a good one when the script has nothing else to say.
async fn moody(script: impl Fn(usize) -> Option<Answered> + Send + Sync + 'static) -> Server {
    let n = AtomicUsize::new(0);
    Server::rest(move |_, asked| {
        let good = exchange(asked, start() + minutes(60), 0, 0..0);
        if asked.path == "klines" { script(n.fetch_add(1, Ordering::Relaxed)).unwrap_or(good) } else { good }
    })
    .await
}

async fn five_bars(binance: &Binance) -> Result<usize, Failure> {
    Ok(fetch(binance, start() - minutes(6), start() - minutes(1)).await?.bars.len())
}

const WEIGHT: &str = r#"{"code":-1003,"msg":"Too much request weight used; current limit is 6000."}"#;

#[tokio::test]
async fn a_limit_is_waited_out_for_the_whole_source() {
    let clock = clock(60.0);
    let server = moody(|n| (n == 0).then(|| status(429, WEIGHT).with("Retry-After", 90))).await;
    let binance = binance(&[&server], &clock);
    let (first, second) = tokio::join!(five_bars(&binance), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        five_bars(&binance).await
    });
    assert_eq!((first.unwrap(), second.unwrap()), (5, 5));
    assert_eq!(server.asked("klines").len(), 3);
    assert!(clock.now().duration_since(start()) >= SignedDuration::from_secs(90), "the second waited too");
}

#[tokio::test]
async fn a_long_ban_is_told_and_nothing_is_asked_meanwhile() {
    let check = async |answer: fn() -> Answered, at_least: u64| {
        let clock = clock(1.0);
        let server = moody(move |_| Some(answer())).await;
        let binance = binance(&[&server], &clock);
        for _ in 0..3 {
            let failure = five_bars(&binance).await.unwrap_err();
            let Failure::Limited { status: 418, retry_after: Some(wait), .. } = failure else { panic!("{failure}") };
            assert!(wait.as_secs() >= at_least && wait.as_secs() <= 3600, "{wait:?}");
        }
        assert_eq!(server.asked("klines").len(), 1);
    };
    check(|| status(418, "{}").with("Retry-After", 3600), 3590).await;
    let banned = || {
        let until = (start() + minutes(90)).as_millisecond();
        status(418, &format!(r#"{{"code":-1003,"msg":"IP banned until {until}. Please"}}"#))
    };
    // The exchange's clock is an hour ahead of ours: half an hour is left.
    check(banned, 1790).await;
}

#[tokio::test]
async fn used_weight_near_the_limit_waits_for_the_next_minute() {
    let clock = clock(120.0);
    let server = moody(|_| None).await;
    let weighty = moody(|n| (n == 0).then(|| ok("[]").with("X-MBX-USED-WEIGHT-1M", 5990))).await;
    let (a, b) = (binance(&[&server], &clock), binance(&[&weighty], &clock));
    five_bars(&b).await.unwrap();
    let minute = |now: Timestamp| now.as_second() / 60;
    let before = clock.now();
    five_bars(&b).await.unwrap();
    assert!(minute(clock.now()) > minute(before));
    five_bars(&a).await.unwrap();
}

#[tokio::test]
async fn a_host_that_does_not_serve_this_place_is_asked_once() {
    let clock = clock(100.0);
    let said = r#"{"code":0,"msg":"Service unavailable from a restricted location"}"#;
    let restricted = Server::rest(move |_, _| status(451, said)).await;
    let good = moody(|_| None).await;
    let binance = binance(&[&restricted, &good], &clock);
    for _ in 0..3 {
        assert_eq!(five_bars(&binance).await.unwrap(), 5);
    }
    assert_eq!(restricted.asked("time").len() + restricted.asked("klines").len(), 1);

    let nowhere = Binance::new(settings(vec![restricted.url()], Vec::new()), Arc::clone(&clock));
    for _ in 0..2 {
        let failure = five_bars(&nowhere).await.unwrap_err();
        assert!(!failure.is_transient() && failure.to_string().contains("binanceus"), "{failure}");
    }
    assert_eq!(restricted.asked("time").len(), 2);
    let failure = five_bars(&Binance::new(settings(Vec::new(), Vec::new()), clock)).await.unwrap_err();
    assert_eq!(failure.to_string(), "binance has no address of its REST interface");
}

#[tokio::test]
async fn a_host_that_did_not_serve_this_place_is_asked_again_after_an_hour() {
    let clock = clock(3600.0);
    let moved = moody(|n| (n == 0).then(|| status(451, "{}"))).await;
    let binance = binance(&[&moved], &clock);
    let failure = five_bars(&binance).await.unwrap_err();
    assert!(matches!(failure, Failure::Restricted { .. }), "{failure}");
    sources::pace::sleep(&*clock, std::time::Duration::from_secs(3700)).await;
    assert_eq!(five_bars(&binance).await.unwrap(), 5);
    assert_eq!(moved.asked("klines").len(), 2);
}

#[tokio::test]
async fn trouble_is_tried_again_and_then_at_the_next_host() {
    let check = async |answer: fn() -> Answered, times: usize, n_first: usize, n_second: usize| {
        let clock = clock(100.0);
        let bad = moody(move |n| (n < times).then(answer)).await;
        let good = moody(|_| None).await;
        let binance = binance(&[&bad, &good], &clock);
        assert_eq!(five_bars(&binance).await.unwrap(), 5);
        assert_eq!((bad.asked("klines").len(), good.asked("klines").len()), (n_first, n_second), "{}", answer().body);
    };
    check(|| status(503, r#"{"code":-1008,"msg":"Server is currently overloaded"}"#), 2, 3, 0).await;
    check(|| status(500, "oops"), 99, 3, 1).await;
    check(|| status(400, r#"{"code":-1001,"msg":"Internal error"}"#), 99, 3, 1).await;
    check(|| ok(r#"[[17040672"#), 99, 3, 1).await;
    check(|| ok("<html>log in</html>"), 99, 3, 1).await;
    check(|| status(403, "<html>Request blocked</html>"), 99, 1, 1).await;

    let clock = clock(100.0);
    let nobody: url::Url = "http://127.0.0.1:1".parse().unwrap();
    let good = moody(|_| None).await;
    let binance = Binance::new(settings(vec![nobody.clone(), good.url()], Vec::new()), Arc::clone(&clock));
    assert_eq!(five_bars(&binance).await.unwrap(), 5);
    let failure = five_bars(&Binance::new(settings(vec![nobody], Vec::new()), clock)).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let check = async |answer: fn() -> Answered, n_asked: usize, expected: &str| {
        let clock = clock(100.0);
        let server = moody(move |_| Some(answer())).await;
        let failure = five_bars(&binance(&[&server], &clock)).await.unwrap_err().to_string();
        let (_, said) = failure.split_once(' ').unwrap();
        assert_eq!((said, server.asked("klines").len()), (expected, n_asked));
    };
    check(|| status(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#), 1, "does not know BTCUSDT").await;
    check(
        || status(400, r#"{"code":-1120,"msg":"Invalid interval."}"#),
        1,
        "refused the request (status 400): Invalid interval. (code -1120)",
    )
    .await;
    check(
        || status(403, "<html>Request blocked</html>"),
        1,
        "refused the request (status 403): its firewall let the request not through: <html>Request blocked</html>",
    )
    .await;
    check(|| status(404, "no such page"), 1, "refused the request (status 404): no such page").await;
    check(
        || ok("[]").with("x-auspex-simulated", "run;0;1"),
        1,
        "is a simulated market: a ledger of real forecasts is not fed from it",
    )
    .await;
}

#[tokio::test]
async fn what_it_does_not_have_is_not_asked_for() {
    let clock = clock(1.0);
    let server = moody(|_| None).await;
    let check = async |settings: BinanceSettings, symbol: &str, timeframe: Timeframe, offered: bool| {
        let binance = Binance::new(BinanceSettings { rest: vec![server.url()], ..settings }, Arc::clone(&clock));
        let asset = asset(symbol);
        assert_eq!(binance.reach(&asset, timeframe).is_some(), offered, "{symbol} {timeframe}");
        if !offered {
            let request = Request { asset: &asset, timeframe, from: start() - minutes(5), to: start() };
            let failure = binance.fetch(&request).await.unwrap_err();
            assert!(matches!(failure, Failure::NotOffered { .. }), "{failure}");
        }
    };
    check(BinanceSettings::global(), "USDT", Timeframe::H1, false).await;
    check(BinanceSettings::us(), "USDT", Timeframe::H1, true).await;
    check(BinanceSettings::global(), "USDC", Timeframe::H1, true).await;
    check(BinanceSettings::global(), "BTC", Timeframe::W1, false).await;
    check(BinanceSettings::global(), "NVDA", Timeframe::D1, false).await;
    assert!(server.asked("klines").is_empty());
}

#[tokio::test]
async fn listings_and_tickers_are_asked_for_by_list() {
    let clock = clock(100.0);
    let server = Server::rest(|_, asked| match (asked.path.as_str(), asked.query["symbols"].as_str()) {
        ("exchangeInfo", r#"["BTCUSDT"]"#) => ok(
            r#"{"serverTime":1,"symbols":[{"symbol":"BTCUSDT","status":"BREAK","baseAsset":"BTC","quoteAsset":"USDT"}]}"#,
        ),
        ("exchangeInfo", _) => status(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#),
        ("ticker/24hr", r#"["BTCUSDT","ETHUSDT"]"#) => ok(
            r#"[{"symbol":"BTCUSDT","openPrice":"1","highPrice":"3","lowPrice":"1","lastPrice":"2.5","volume":"7",
            "quoteVolume":"1","openTime":1,"closeTime":1704067200000,"firstId":1,"lastId":2,"count":2}]"#,
        ),
        other => panic!("{other:?}"),
    })
    .await;
    let binance = binance(&[&server], &clock);
    let listing = binance.listing(&asset("BTC")).await.unwrap();
    assert_eq!((listing.base.as_str(), listing.quote.as_str(), listing.is_trading()), ("BTC", "USDT", false));
    assert!(matches!(binance.listing(&asset("ETH")).await, Err(Failure::Unknown { .. })));
    assert!(matches!(binance.listing(&asset("USDT")).await, Err(Failure::NotOffered { .. })));
    let (tickers, remarks) = binance.tickers(&[asset("ETH"), asset("NVDA"), asset("BTC")]).await.unwrap();
    assert_eq!((tickers.len(), tickers[0].symbol.as_str(), tickers[0].price), (1, "BTC", 2.5));
    assert_eq!(remarks, []);
}

/// Every recorded error is what its status and code say, and the listings of two years are read.
#[tokio::test]
async fn every_recorded_answer_is_understood() {
    let Some(folder) = super::frames::folder("AUSPEX_WIRE", "fixtures/binance") else { return };
    let mut n = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let body = std::fs::read_to_string(&path).unwrap();
        let clock = clock(1000.0);
        if name.starts_with("rest_exchangeInfo") {
            let server = Server::rest(move |_, _| ok(body.clone())).await;
            assert!(binance(&[&server], &clock).listing(&asset("BTC")).await.unwrap().is_trading());
            n += 1;
            continue;
        }
        let Some(words) = name.strip_prefix("err_") else { continue };
        let code: u16 = words[..3].parse().unwrap();
        let server = moody(move |_| Some(status(code, &body))).await;
        let failure = five_bars(&binance(&[&server], &clock)).await.unwrap_err();
        let expected = match failure {
            Failure::Unknown { .. } => "400_-1121_symbol",
            Failure::Refused { .. } => "400",
            Failure::Limited { status: 418, .. } => "418",
            Failure::Limited { .. } => "429",
            Failure::Restricted { .. } => "451",
            Failure::Server { .. } => "50",
            _ => "",
        };
        assert!(!expected.is_empty() && words.starts_with(expected), "{name}: {failure}");
        assert_eq!(words == "400_-1121_symbol", matches!(failure, Failure::Unknown { .. }), "{name}");
        n += 1;
    }
    eprintln!("{n} answers");
    assert_eq!(n, 15);
}
