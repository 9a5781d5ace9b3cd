//! Daily bars as CSV.

use jiff::civil::date;

use super::at;
use super::yahoo_server::{in_session, level, small_at};

#[tokio::test]
async fn closed_days_come_split_adjusted_as_of_now() {
    let served = small_at(at("2025-08-29T13:00:00Z")).await;
    let path = "/q/d/l/?s=acme.us&i=d&d1=20250827&d2=20250828";
    let close = async || {
        let got = served.get(path).await;
        assert_eq!(got.content_type(), "text/csv");
        let mut lines = got.text.lines();
        assert_eq!(lines.next(), Some("Date,Open,High,Low,Close,Volume"));
        let last = lines.nth(1).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((last[0].as_str(), lines.next()), ("2025-08-28", None));
        (last[4].parse::<f64>().unwrap(), last[5].parse::<f64>().unwrap())
    };
    let expected = level(date(2025, 8, 28));
    let (price, volume) = close().await;
    assert!((price - 4.0 * expected).abs() < 1e-5 && volume == 1_000_000.0, "{price} {volume}");
    served.clock.set(at("2025-08-29T13:30:00Z"));
    let (price, volume) = close().await;
    assert!((price - expected).abs() < 1e-5 && volume == 4_000_000.0, "{price} {volume}");
}

#[tokio::test]
async fn what_is_not_there_is_no_data() {
    let served = small_at(in_session()).await;
    let unknown = ["s=nope.us&i=d", "s=acme&i=d", "s=acme.us&i=w", "i=d", "s=acme.us&d1=20270101", "s=acme.us&d1=soon"];
    for query in unknown {
        assert_eq!(served.get(&format!("/q/d/l/?{query}")).await.text, "No data", "{query}");
    }
    for query in ["s=ACME.US&i=d", "s=coinusd", "s=coin.v&i=d", "s=%5Evix&i=d"] {
        assert!(served.get(&format!("/q/d/l/?{query}")).await.text.lines().count() > 300, "{query}");
    }
}
