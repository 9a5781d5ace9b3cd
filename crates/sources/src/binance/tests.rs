//! Tables of rows, messages, spellings and limits.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::universe::default_universe;
use market::{Asset, AssetKind, Timeframe};
use proptest::prelude::*;

use super::allowance::Allowance;
use super::reference::{parse_listing, parse_tickers, parse_time};
use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn asset(symbol: &str, kind: AssetKind, source_symbol: &str, quote: &str) -> Asset {
    let (name, source_symbol, quote) = (symbol.to_owned(), source_symbol.to_owned(), quote.to_owned());
    Asset { symbol: symbol.parse().unwrap(), name, kind, source_symbol, quote }
}

#[test]
fn coins_are_spelt_as_pairs() {
    use AssetKind::{Coin, Equity, Index, Series, Stable};
    let check = |asset: Asset, global: Option<&str>, us: Option<&str>| {
        assert_eq!(BinanceSettings::global().pair(&asset).as_deref(), global, "{asset:?}");
        assert_eq!(BinanceSettings::us().pair(&asset).as_deref(), us, "{asset:?}");
    };
    check(asset("BTC", Coin, "BTCUSDT", "USDT"), Some("BTCUSDT"), Some("BTCUSDT"));
    check(asset("BTC", Coin, "BTC-USDT", "USDT"), Some("BTCUSDT"), Some("BTCUSDT"));
    check(asset("BTC", Coin, "btcusdt", "USDT"), Some("BTCUSDT"), Some("BTCUSDT"));
    check(asset("BTC", Coin, "BTC-USD", "USD"), None, Some("BTCUSD"));
    check(asset("SHIB", Coin, "1000SHIBUSDT", "USDT"), Some("1000SHIBUSDT"), Some("1000SHIBUSDT"));
    check(asset("USDC", Stable, "USDCUSDT", "USDT"), Some("USDCUSDT"), Some("USDCUSDT"));
    check(asset("USDT", Stable, "USDT-USD", "USD"), None, Some("USDTUSD"));
    check(asset("USDT", Stable, "USDTUSDT", "USDT"), None, None);
    check(asset("X.Y", Coin, "X.Y", "USDT"), None, None);
    check(asset("NVDA", Equity, "NVDA", "USD"), None, None);
    check(asset("ODD", Equity, "ODDUSDT", "USDT"), None, None);
    check(asset("VIX", Index, "VIX", "USD"), None, None);
    check(asset("CPI", Series, "CPIAUCSL", "index"), None, None);
    let universe = default_universe();
    let pairs: Vec<_> = universe.iter().filter_map(|asset| BinanceSettings::global().pair(asset)).collect();
    assert_eq!(pairs.len(), 9, "ten coins, one of which is the currency of the others: {pairs:?}");
}

#[test]
fn weeks_and_months_are_built_elsewhere() {
    let clock = Arc::new(market::ManualClock::new(Timestamp::UNIX_EPOCH));
    let binance = Binance::new(BinanceSettings::global(), clock);
    let bitcoin = asset("BTC", AssetKind::Coin, "BTCUSDT", "USDT");
    let offered: Vec<_> = Timeframe::ALL.into_iter().filter(|t| binance.reach(&bitcoin, *t).is_some()).collect();
    use Timeframe::{D1, H1, H4, M1, M5, M15, M30};
    assert_eq!(offered, [M1, M5, M15, M30, H1, H4, D1]);
    assert_eq!(binance.shard_size(), 256);
}

/// Each row of an answer: the bar's volume and what was put right, or the reason of its refusal.
fn rows(timeframe: Timeframe, body: &str) -> Vec<Result<(f64, bool), String>> {
    let rows = parse_klines(body.as_bytes(), timeframe).unwrap();
    rows.into_iter()
        .map(|row| row.map(|row| (row.bar.volume, row.repaired.is_some())).map_err(|refused| refused.reason))
        .collect()
}

#[test]
fn rows_of_klines_become_bars_or_are_refused_with_the_field() {
    // 2024-01-01T00:00:00Z.
    let check = |row: &str, expected: Result<(f64, bool), &str>| {
        let body = format!(r#"[{row},[1704067260000,"3","4","2","3","7",1704067319999,"21",1,"0","0","0"]]"#);
        let got = rows(Timeframe::M1, &body);
        assert_eq!(got[0], expected.map_err(str::to_owned), "{row}");
        assert_eq!(got[1], Ok((7.0, false)), "the row after it is kept");
    };
    check(r#"[1704067200000,"3.1","4.2","2.0","3.5","6.25",1704067259999,"20",9,"1","1","0"]"#, Ok((6.25, false)));
    check(r#"[1704067200000,"3","3","3","3","0.00000000",1704067259999,"0",0,"0","0","0"]"#, Ok((0.0, false)));
    check(r#"[1704067200000000,"3","4","2","3","6",1704067259999999,"20",9,"1","1","0"]"#, Ok((6.0, false)));
    check(r#"[1704067200000,"3","4","2","3","6",1704067259999,"20",9,"1","1","0","new"]"#, Ok((6.0, false)));
    check(r#"[1704067200000,"3","4","2","3","6",1704067229999,"20",9,"1","1","0"]"#, Ok((6.0, true)));
    check(
        r#"[1704067200000,"3","4","2","3","6",1704067319999,"20",9,"1","1","0"]"#,
        Err("the row ends at 2024-01-01T00:02:00Z, its bar at 2024-01-01T00:01:00Z"),
    );
    check(
        r#"[1704067201000,"3","4","2","3","6",1704067259999,"20",9,"1","1","0"]"#,
        Err("no 1m bar opens at 2024-01-01T00:00:01Z"),
    );
    check(
        r#"[1704067200000,3.0,"4","2","3","6",1704067259999,"20",9,"1","1","0"]"#,
        Err("open is 3.0: a decimal in quotation marks is expected"),
    );
    check(
        r#"[1704067200000,"3","nan","2","3","6",1704067259999,"20",9,"1","1","0"]"#,
        Err("high is \"nan\": digits with at most one point are expected"),
    );
    check(
        r#"[1704067200000,"3","4","-2","3","6",1704067259999,"20",9,"1","1","0"]"#,
        Err("low is \"-2\": digits with at most one point are expected"),
    );
    check(
        r#"[1704067200000,"3","4","2","3e1","6",1704067259999,"20",9,"1","1","0"]"#,
        Err("close is \"3e1\": digits with at most one point are expected"),
    );
    check(r#"[1704067200000,"3","4","2","5","6",1704067259999,"20",9,"1","1","0"]"#, Err("high 4 is below close 5"));
    check(
        r#"[1704067200000,"0","4","0","3","6",1704067259999,"20",9,"1","1","0"]"#,
        Err("open is 0: a positive finite price is expected"),
    );
    check(
        r#"["1704067200000","3","4","2","3","6",1704067259999,"20",9,"1","1","0"]"#,
        Err("open time is \"1704067200000\": a whole number is expected"),
    );
    check(r#"[-60000,"3","4","2","3","6",-1,"20",9,"1","1","0"]"#, Err("open time is -60000"));
    check(r#"[1704067200000,"3","4","2"]"#, Err("4 elements: twelve are expected"));
    check("null", Err("no list of elements: invalid type: null, expected a sequence at line 1 column 4"));
}

#[test]
fn an_answer_that_is_no_list_is_an_error() {
    for body in ["", "{}", r#"{"code":-1121,"msg":"Invalid symbol."}"#, "<html>", "[[1,2", "[1]]"] {
        assert!(parse_klines(body.as_bytes(), Timeframe::H1).is_err(), "{body}");
    }
    assert_eq!(parse_klines(b"[]", Timeframe::H1), Ok(Vec::new()));
}

#[test]
fn bars_are_known_at_their_close() {
    let body = r#"[[1704067200000,"3","4","2","3","6",1704070799999,"20",9,"1","1","0"]]"#;
    let bar = parse_klines(body.as_bytes(), Timeframe::H1).unwrap()[0].clone().unwrap().bar;
    assert_eq!((bar.open_time, bar.close_time), (at("2024-01-01T00:00:00Z"), at("2024-01-01T01:00:00Z")));
    assert_eq!((bar.open, bar.high, bar.low, bar.close, bar.known_at), (3.0, 4.0, 2.0, 3.0, bar.close_time));
}

/// What a message says, in few words.
fn words(bytes: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    parse_message(bytes, |message| {
        words.push(match message {
            Ok(Message::Closed { pair, timeframe, bar }) => {
                format!("{timeframe} bar of {pair} {} {}", bar.open_time, bar.close)
            }
            Ok(Message::Price { pair, price, event_time }) => format!("{pair} {price} at {event_time}"),
            Ok(Message::Shutdown) => "shutdown".to_owned(),
            Ok(Message::Reply { id, complaint }) => format!("reply {id:?} {complaint:?}"),
            Ok(Message::Ignored(what)) => format!("ignored {what}"),
            Err(Refusal { kind, reason }) => format!("refused {kind}: {reason}"),
        });
    });
    words
}

#[test]
fn every_shape_of_message_is_told_apart() {
    let check = |text: &str, expected: &str| {
        assert_eq!(words(text.as_bytes()), [expected], "{text}");
        if text.contains(r#""s":"#) || text.contains("serverShutdown") {
            assert_eq!(words(format!(r#"{{"stream":"x@y","data":{text}}}"#).as_bytes()), [expected], "wrapped {text}");
            assert_eq!(words(format!("[{text}, {text}]").as_bytes()), [expected, expected], "a list of {text}");
        }
    };
    let kline = |closed: bool, interval: &str, high: &str| {
        format!(
            r#"{{"e":"kline","E":1704067201800,"s":"BTCUSDT","k":{{"t":1704067140000,"T":1704067199999,"s":"BTCUSDT",
            "i":"{interval}","f":-1,"L":-1,"o":"3.0","c":"3.5","h":{high},"l":"2","v":"5","n":0,"x":{closed},"q":"0",
            "V":"0","Q":"0","B":"0"}}}}"#
        )
    };
    check(&kline(true, "1m", r#""4""#), "1m bar of BTCUSDT 2023-12-31T23:59:00Z 3.5");
    check(&kline(false, "1m", r#""4""#), "ignored running bar");
    check(&kline(true, "3m", r#""4""#), "refused bar: kline of BTCUSDT: \"3m\" is no bar length of ours");
    check(&kline(true, "1m", r#""1""#), "refused bar: 1m kline of BTCUSDT from 1704067140000: high 1 is below open 3");
    check(
        &kline(true, "1h", r#""4""#),
        "refused bar: 1h kline of BTCUSDT from 1704067140000: no 1h bar opens at 2023-12-31T23:59:00Z",
    );
    assert!(words(kline(true, "1m", "4").as_bytes())[0].starts_with("refused bar: kline of BTCUSDT: invalid type"));
    check(
        r#"{"e":"24hrMiniTicker","E":1704067200123,"s":"ETHUSDT","c":"2300.10","o":"1","h":"1","l":"1","v":"1","q":"1"}"#,
        "ETHUSDT 2300.1 at 2024-01-01T00:00:00.123Z",
    );
    check(
        r#"{"e":"24hrMiniTicker","E":1704067200123456,"s":"ETHUSDT","c":"2300.10"}"#,
        "ETHUSDT 2300.1 at 2024-01-01T00:00:00.123456Z",
    );
    check(
        r#"{"e":"24hrTicker","E":1704067200000,"s":"ETHUSDT","p":"-1.5","P":"2.0","w":"1","x":"1","c":"7","Q":"10",
        "b":"1","B":"1","a":"1","A":"1","o":"1","h":"1","l":"1","v":"1","q":"1","O":0,"C":1,"F":0,"L":1,"n":1}"#,
        "ETHUSDT 7 at 2024-01-01T00:00:00Z",
    );
    check(
        r#"{"e":"trade","E":1704067200005,"s":"BNBBTC","t":12,"p":"0.001","q":"100","T":1704067200001,"m":true,"M":true}"#,
        "BNBBTC 0.001 at 2024-01-01T00:00:00.001Z",
    );
    check(
        r#"{"e":"aggTrade","E":1704067200005,"s":"BNBBTC","a":1,"p":"0.002","q":"1","f":1,"l":1,"T":1704067200002}"#,
        "BNBBTC 0.002 at 2024-01-01T00:00:00.002Z",
    );
    check(r#"{"u":4,"s":"BNBUSDT","b":"25.3","B":"31","a":"25.4","A":"40"}"#, "ignored bookTicker");
    check(
        r#"{"e":"bookTicker","u":4,"s":"BNBUSDT","b":"25","B":"3","a":"26","A":"4","T":1,"E":1}"#,
        "ignored bookTicker",
    );
    check(r#"{"e":"depthUpdate","E":1,"s":"BNBBTC","U":1,"u":2,"b":[["1","2"]],"a":[]}"#, "ignored depthUpdate");
    check(r#"{"e":"1hTicker","E":1,"s":"BNBBTC","c":"1"}"#, "ignored ticker of a window");
    check(r#"{"e":"serverShutdown","E":1770123456789}"#, "shutdown");
    check(r#"{"e":"somethingNew","s":"A"}"#, "refused unknown event: \"somethingNew\" is no event that is known");
    check(r#"{"e":"trade","s":"A","p":"0","T":1}"#, "refused price: trade of A: p is \"0\": a price is expected");
    check(r#"{"e":"trade","s":"A","p":"1"}"#, "refused price: trade of A: its time is None");
    check(r#"{"e":"trade","p":"1","T":1}"#, "refused price: trade without s");

    check(r#"{"result":null,"id":1}"#, "reply Some(1) None");
    check(r#"{"result":["btcusdt@aggTrade"],"id":3}"#, "reply Some(3) None");
    check(r#"{"result":true,"id":"abc"}"#, "reply None None");
    check(r#"{"code":0,"msg":"Unknown property","id":6}"#, r#"reply Some(6) Some("Unknown property (code 0)")"#);
    check(r#"{"code":3,"msg":"Invalid JSON"}"#, r#"reply None Some("Invalid JSON (code 3)")"#);
    check(
        r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":2}"#,
        r#"reply Some(2) Some("Invalid request: invalid stream (code 2)")"#,
    );
    check("{}", "refused unknown shape: neither an event nor an answer");
    assert!(words(b"[]").is_empty());
    for text in ["", "hello", "7", "[", "[[1]]", r#"{"e":"#, r#"{"e":7}"#, r#"{"data":[}"#, "\u{0}"] {
        let words = words(text.as_bytes());
        assert!(words.len() == 1 && words[0].starts_with("refused not understood"), "{text}: {words:?}");
    }
}

#[test]
fn a_bad_event_in_a_list_costs_no_other() {
    let good = r#"{"e":"trade","s":"A","p":"1","T":0}"#;
    let words = words(format!(r#"{{"stream":"!x@arr","data":[{good},{{"e":"trade"}},7,{good}]}}"#).as_bytes());
    assert_eq!(words.len(), 4);
    assert_eq!((&words[0], words[0].as_str()), (&words[3], "A 1 at 1970-01-01T00:00:00Z"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse_message(&bytes, |_| {});
        let _ = parse_klines(&bytes, Timeframe::M1);
    }

    #[test]
    fn damaged_messages_are_read_without_a_panic(at in 0_usize..180, byte in any::<u8>(), cut in 0_usize..190) {
        let text = r#"{"stream":"a@b","data":{"e":"kline","E":1,"s":"A","k":{"t":0,"T":59999,"i":"1m","o":"1","h":"1",
            "l":"1","c":"1","v":"0","x":true}}}"#;
        let mut bytes = text.as_bytes().to_vec();
        let last = bytes.len() - 1;
        bytes[at.min(last)] = byte;
        bytes.truncate(cut);
        parse_message(&bytes, |_| {});
    }

    #[test]
    fn decimals_are_read_exactly(whole in 0_u64..1_000_000_000, fraction in 0_u32..100_000_000) {
        let text = format!("{whole}.{fraction:08}");
        prop_assert_eq!(super::candle::decimal(&text), text.parse().ok());
    }

    #[test]
    fn rows_keep_what_was_traded(minute in 0_i64..30_000_000, low in 1_u32..1000, up in 0_u32..1000, volume in 0_u32..9) {
        let (open_time, high) = (minute * 60_000, low + up);
        let body = format!(
            r#"[[{open_time},"{low}","{high}","{low}","{high}","{volume}",{},"0",1,"0","0","0"]]"#,
            open_time + 59_999
        );
        let row = parse_klines(body.as_bytes(), Timeframe::M1).unwrap().remove(0).unwrap();
        prop_assert_eq!(row.bar.open_time.as_millisecond(), open_time);
        let prices = [row.bar.open, row.bar.high, row.bar.low, row.bar.close, row.bar.volume];
        prop_assert_eq!(prices, [low, high, low, high, volume].map(f64::from));
    }
}

#[test]
fn listings_tickers_and_times_are_read() {
    let body = br#"{"timezone":"UTC","serverTime":1,"rateLimits":[],"symbols":[{"symbol":"LUNAUSDT","status":"BREAK",
        "baseAsset":"LUNA","baseAssetPrecision":8,"quoteAsset":"USDT","filters":[]}]}"#;
    let listing = parse_listing(body, "LUNAUSDT").unwrap().unwrap();
    assert_eq!((listing.base.as_str(), listing.quote.as_str(), listing.is_trading()), ("LUNA", "USDT", false));
    assert_eq!(parse_listing(body, "BTCUSDT"), Ok(None));
    assert!(parse_listing(b"[]", "BTCUSDT").is_err());

    let body = br#"[{"symbol":"BNBBTC","openPrice":"99.0","highPrice":"100.0","lowPrice":"0.1","lastPrice":"4.0",
        "volume":"8913.3","quoteVolume":"15.3","openTime":0,"closeTime":1704067200000,"firstId":1,"lastId":2,"count":1},
        {"symbol":"OLDBTC","openPrice":"0.0","highPrice":"0.0","lowPrice":"0.0","lastPrice":"0.0",
        "volume":"0.0","quoteVolume":"0.0","openTime":0,"closeTime":1,"firstId":-1,"lastId":-1,"count":0}]"#;
    let tickers = parse_tickers(body, |pair| pair.strip_suffix("BTC")?.parse().ok()).unwrap();
    let first = tickers[0].as_ref().unwrap();
    assert_eq!((first.symbol.as_str(), first.price, first.close_time), ("BNB", 4.0, at("2024-01-01T00:00:00Z")));
    assert_eq!(tickers[1], Err("lastPrice of OLDBTC is \"0.0\": a price is expected".to_owned()));

    assert_eq!(parse_time(br#"{"serverTime":1704067200000}"#), Ok(at("2024-01-01T00:00:00Z")));
    assert!(parse_time(br#"{"serverTime":"x"}"#).is_err() && parse_time(b"{}").is_err());
}

#[test]
fn weight_is_counted_by_the_minute_of_the_exchange() {
    let allowance = Allowance::new(6000);
    let ahead = SignedDuration::from_secs(10);
    let now = at("2024-01-01T00:00:20Z");
    assert_eq!(allowance.not_before(now, ahead, 2), None);
    allowance.used(now, ahead, 5398);
    assert_eq!(allowance.not_before(now, ahead, 2), None);
    allowance.used(now, ahead, 5399);
    // An answer that was overtaken.
    allowance.used(now, ahead, 12);
    assert_eq!(allowance.not_before(now, ahead, 2), Some(at("2024-01-01T00:00:50Z")));
    assert_eq!(allowance.not_before(at("2024-01-01T00:00:50Z"), ahead, 2), None);
}

#[test]
fn refusals_are_obeyed_and_waits_grow() {
    let (start, zero) = (at("2024-01-01T00:00:30Z"), SignedDuration::ZERO);
    let check = |refusals: &[(u16, Option<u64>)], expected: i64| {
        let allowance = Allowance::new(6000);
        let mut now = start;
        let mut waited = SignedDuration::ZERO;
        for (status, asked) in refusals {
            allowance.refused(now, zero, *status, asked.map(Duration::from_secs));
            // Others that were under way are the same refusal.
            allowance.refused(now, zero, *status, asked.map(Duration::from_secs));
            let until = allowance.not_before(now, zero, 1).unwrap();
            (waited, now) = (until.duration_since(now), until);
        }
        assert_eq!(waited, SignedDuration::from_secs(expected), "{refusals:?}");
        allowance.served(now);
        allowance.refused(now, zero, 429, Some(Duration::ZERO));
        assert_eq!(allowance.not_before(now, zero, 1), Some(now + SignedDuration::from_secs(1)), "begins anew");
    };
    check(&[(429, Some(7))], 7);
    check(&[(429, None)], 30);
    check(&[(429, Some(1)); 5], 16);
    check(&[(429, Some(1)); 12], 300);
    check(&[(418, Some(100_000))], 100_000);
    check(&[(418, None), (418, None)], 240);
    check(&[(418, Some(u64::MAX))], 3 * 24 * 3600);
}
