//! Yahoo.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use market::{ActionKind, Asset, AssetKind, Calendar, RemarkKind, Timeframe};
use prost::Message as _;
use sources::yahoo::faults::{self, Beside, Payout, Ratio, Row};
use sources::yahoo::{ChartError, parse_chart, parse_quotes, parse_stream_message, read_chart};
use sources::{Fetched, Request};

use super::{check_bar, check_text, is_price};

/// An answer of `chart`, as that of assets of every kind.
pub(crate) fn chart(bytes: &[u8]) {
    let chart = match parse_chart(bytes) {
        Ok(chart) => chart,
        Err(error) => return check_error(&error),
    };
    assert!(chart.dividends.is_sorted_by_key(|event| event.date));
    assert!(chart.splits.is_sorted_by_key(|event| event.date));
    assert!(chart.dividends.iter().all(|event| is_price(event.amount)));
    assert!(chart.splits.iter().all(|event| is_price(event.numerator) && is_price(event.denominator)));

    let (from, now) = (instant("1900-01-01T00:00:00Z"), instant("2026-01-01T00:00:00Z"));
    for (kind, quote) in
        [(AssetKind::Equity, "USD"), (AssetKind::Etf, "GBP"), (AssetKind::Index, "USD"), (AssetKind::Coin, "USDT")]
    {
        let symbol = "AAPL".parse().expect("letters are a symbol");
        let asset =
            Asset { symbol, name: "a".to_owned(), kind, source_symbol: "AAPL".to_owned(), quote: quote.to_owned() };
        for timeframe in [Timeframe::M1, Timeframe::M30, Timeframe::H1, Timeframe::D1] {
            let request = Request { asset: &asset, timeframe, from, to: now };
            match read_chart(&chart, &request, now, "a.example") {
                Ok(fetched) => check_fetched(&fetched, &request),
                Err(failure) => check_text(&failure.to_string()),
            }
        }
    }
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect("the instants here are instants")
}

fn check_error(error: &ChartError) {
    check_text(&error.to_string());
}

/// What [`Fetched`] promises, of a window that ends now.
fn check_fetched(fetched: &Fetched, request: &Request<'_>) {
    let Request { asset, timeframe, from, to } = *request;
    let calendar = Calendar::of(asset.class());
    assert!(fetched.bars.is_sorted_by(|a, b| a.open_time < b.open_time));
    for bar in &fetched.bars {
        check_bar(bar, calendar, timeframe);
        assert!(from <= bar.open_time && bar.close_time <= to);
    }
    assert!(fetched.actions.is_sorted_by_key(|action| action.ex_date));
    for action in &fetched.actions {
        assert_eq!(calendar.day(action.ex_date).map(|session| session.open_time), Some(action.known_at));
        assert!(action.known_at <= to);
        match action.kind {
            ActionKind::Split { numerator, denominator } => {
                assert!(is_price(numerator) && is_price(denominator) && is_price(numerator / denominator));
            }
            ActionKind::Dividend { amount } => assert!(is_price(amount), "{action:?}"),
            ActionKind::Delisting | ActionKind::Rename { .. } => panic!("charts do not tell of this: {action:?}"),
        }
    }
    for remark in &fetched.remarks {
        check_text(&remark.text);
        assert_eq!((remark.symbol.as_ref(), remark.timeframe), (Some(&asset.symbol), Some(timeframe)));
        assert!(matches!(remark.kind, RemarkKind::Refused | RemarkKind::Quarantined | RemarkKind::Repaired));
    }
}

/// A message of the stream: as it is, and as what stands in one.
pub(crate) fn stream(bytes: &[u8]) {
    let inside = STANDARD.encode(bytes);
    for message in [bytes, inside.as_bytes()] {
        let told = match parse_stream_message(message) {
            Ok(told) => told.encode_to_vec(),
            Err(error) => {
                check_text(&error.to_string());
                continue;
            }
        };
        // What was understood can be said again, in either version, and is understood to be the same.
        let bare = STANDARD.encode(&told);
        let wrapped = format!(r#"{{"type":"pricing","message":"{bare}"}}"#);
        for again in [bare, wrapped].into_iter().filter(|again| again.len() < 16 << 10) {
            let again = parse_stream_message(again.as_bytes()).expect("it was understood before");
            assert_eq!(again.encode_to_vec(), told);
        }
    }
}

/// An answer of `quote`.
pub(crate) fn quote(bytes: &[u8]) {
    match parse_quotes(bytes) {
        Ok(prices) => assert!(prices.iter().all(|last| is_price(last.price))),
        Err(error) => check_error(&error),
    }
}

/// Rows as text, for what puts them right: `DATE OPEN HIGH LOW CLOSE VOLUME [ADJUSTED]`, and beside them `split DATE SHARES`,
/// `dividend DATE AMOUNT`, `hundredths`. Other lines are left out.
pub(crate) fn repair(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (mut rows, mut beside) = (Vec::new(), Beside::default());
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["hundredths"] => beside.hundredths = true,
            ["split", date, shares] => beside.splits.extend(ratio(date, shares)),
            ["dividend", date, amount] => beside.dividends.extend(payout(date, amount)),
            [date, ref cells @ ..] => rows.extend(row(date, cells)),
            [] => {}
        }
    }
    // As they are handed over by what reads charts.
    rows.sort_by_key(|row| row.date);
    beside.splits.sort_by_key(|split| split.ex_date);
    beside.dividends.sort_by_key(|paid| paid.ex_date);
    let given = rows.clone();
    faults::repair(&mut rows, &beside);
    assert_eq!(rows.len(), given.len());
    rows.iter().zip(&given).for_each(|(row, given)| check_row(row, given));

    let mut dividends = beside.dividends.clone();
    faults::check_dividends(&mut dividends, &rows);
    assert_eq!(dividends.len(), beside.dividends.len());
    for (paid, given) in dividends.iter().zip(&beside.dividends) {
        assert_eq!(paid.ex_date, given.ex_date);
        assert!(is_price(paid.amount));
        match &paid.finding {
            Some(finding) => check_finding(finding),
            None => assert_eq!(paid.amount, given.amount),
        }
    }
}

/// A row after repair: one that is not set aside has its prices in order, one that was touched says so.
fn check_row(row: &Row, given: &Row) {
    assert_eq!(row.date, given.date);
    match &row.finding {
        Some(finding) => check_finding(finding),
        None => {
            let touched = [row.open, row.close, row.volume] != [given.open, given.close, given.volume];
            assert!(!touched && row.adjusted == given.adjusted, "{given:?} became {row:?}");
            // A high or low that the number format put beside an open or close is taken as that price.
            let near = |a: f64, b: f64| (a - b).abs() <= 2e-6 * given.open.max(given.close);
            assert!(near(row.high, given.high) && near(row.low, given.low), "{given:?} became {row:?}");
        }
    }
    if row.finding.as_ref().is_none_or(|finding| finding.kind != RemarkKind::Quarantined) {
        let prices = [row.open, row.close, row.high, row.low];
        let ordered = prices.iter().all(|price| row.low <= *price && *price <= row.high);
        assert!(ordered, "{given:?} became {row:?}");
    }
}

fn check_finding(finding: &faults::Finding) {
    assert!(matches!(finding.kind, RemarkKind::Repaired | RemarkKind::Quarantined));
    assert!(!finding.text.is_empty());
}

fn ratio(date: &str, shares: &str) -> Option<Ratio> {
    Some(Ratio { ex_date: date.parse().ok()?, shares: price(shares)? })
}

fn payout(date: &str, amount: &str) -> Option<Payout> {
    Some(Payout { ex_date: date.parse().ok()?, amount: price(amount)?, finding: None })
}

fn row(date: &str, cells: &[&str]) -> Option<Row> {
    let date: Date = date.parse().ok()?;
    let [open, high, low, close, volume, ref adjusted @ ..] = *cells else { return None };
    let volume: f64 = volume.parse().ok().filter(|volume: &f64| volume.is_finite() && *volume >= 0.0)?;
    let adjusted = adjusted.first().and_then(|text| price(text));
    let (open, high, low, close) = (price(open)?, price(high)?, price(low)?, price(close)?);
    Some(Row { date, open, high, low, close, volume, adjusted, finding: None })
}

fn price(text: &str) -> Option<f64> {
    text.parse().ok().filter(|price| is_price(*price))
}
