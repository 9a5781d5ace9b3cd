//! The index pages.

use super::yahoo_server::{in_session, small_at};

#[tokio::test]
async fn the_companies_of_the_market_are_the_members() {
    let served = small_at(in_session()).await;
    let check = async |path: &str, rows: &[&str]| {
        let got = served.get(path).await;
        assert_eq!((got.status, got.content_type()), (200, "text/html; charset=utf-8"));
        let found: Vec<&str> = got.text.lines().filter(|line| line.starts_with("<tr><td>")).collect();
        assert_eq!(found, rows, "{path}");
    };
    let acme = "<tr><td><a href=\"#\">ACME</a></td><td>ACME of the tests</td></tr>";
    let berkshire = "<tr><td><a href=\"#\">BRK.B</a></td><td>BRK-B of the tests</td></tr>";
    check("/wiki/sp500", &[acme, berkshire]).await;
    check("/wiki/nasdaq100", &[acme]).await;
}
