//! Pages with the members of an index.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use market::AcceleratedClock;
use sources::Failure;
use sources::constituents::{Column, List, Members, PageError, fetch, parse};
use sources::http::{Http, HttpSettings};
use sources::pace::Budget;

use super::at;
use super::loopback::{Loopback, Reply};

/// A page with much of what such pages have: a box before the table, notes, links, blanks that do not break, a caption.
const FIVE_HUNDRED: &str = r##"<!DOCTYPE html><html><head><title>List</title><script>if (1<b) {}</script></head><body>
<table class="infobox"><tr><td>Foundation</td><td>1957</td></tr></table>
<table class="wikitable sortable" id="constituents"><caption>Components<style>.a{b:c}</style></caption>
<tbody><tr>
<th><a href="/wiki/Ticker">Symbol</a>
</th><th>Security</th><th><a href="#">GICS</a>&nbsp;Sector</th><th>Date added<sup class="reference"><a href="#n">[1]</a></sup></th></tr>
<tr><td><a rel="nofollow" class="external text" href="https://x/MMM">MMM</a>
</td><td><a href="/wiki/3M">3M</a></td><td>Industrials</td><td>1957-03-04</td></tr>
<tr><td><a href="https://x/BRK.B">BRK.B</a></td><td><a href="/wiki/B">Berkshire<span> Hathaway</span></a><sup class="reference"><a>[a]</a></sup></td><td>Financials</td><td>2010</td></tr>
<tr><td>&nbsp;GOOGL&#160;</td><td rowspan="2">Alphabet&nbsp;Inc. [note 2]</td><td>Communication</td><td></td></tr>
<tr><td>GOOG&#8203;[3]</td><td>Communication</td><td></td></tr>
<tr><td>GOOG</td><td>Alphabet again</td><td>Communication</td><td></td></tr>
<tr><td>n/a</td><td>Somebody</td><td></td><td></td></tr>
<tr><td colspan="4">Note: as of August 2026</td></tr>
<tr><td>JPM</td><td></td><td></td><td></td></tr>
</tbody></table></body></html>"##;

/// Another: the columns stand elsewhere, under a header of two rows, and another table has the same id.
const HUNDRED: &str = r#"<table id="constituents"><tr><th>Year</th><th>Close</th></tr><tr><td>2025</td><td>1</td></tr></table>
<table id="constituents"><thead><tr><th colspan="2">Member</th><th rowspan="2">Industry</th></tr>
<tr><th>Company</th><th>ticker</th></tr></thead>
<tbody><tr><td>Adobe Inc.</td><td>ADBE</td><td>Software</td></tr>
<tr><td><i><a href="/wiki/AMD">Advanced <b>Micro</b> Devices</a></i></td><td><b>AMD</b></td><td>Chips
<table><tr><td>XXX</td><td>YYY</td></tr></table></td></tr></tbody></table>"#;

fn list(of: List, n_members: std::ops::RangeInclusive<usize>) -> List {
    List { n_members, ..of }
}

fn check(html: &str, list: &List, expected: &[(&str, &str)], refused: &[&str]) {
    let Members { members, refused: found, .. } = parse(html, list).unwrap();
    let members: Vec<(&str, &str)> = members.iter().map(|m| (m.symbol.as_str(), m.name.as_str())).collect();
    assert_eq!(members, expected);
    assert_eq!(found, refused);
}

#[test]
fn members_are_read() {
    check(
        FIVE_HUNDRED,
        &list(List::sp500(), 4..=5),
        &[("MMM", "3M"), ("BRK-B", "Berkshire Hathaway"), ("GOOGL", "Alphabet Inc."), ("GOOG", "Alphabet Inc.")],
        &[
            "sp500, row 6: GOOG stands in the table twice",
            "sp500, row 7: \"n/a\" is not a symbol",
            "sp500, row 8: \"Note: as of August 2026\" is not a symbol",
            "sp500, row 9: JPM has no name",
        ],
    );
    let of_two = [("ADBE", "Adobe Inc."), ("AMD", "Advanced Micro Devices")];
    check(HUNDRED, &list(List::nasdaq100(), 2..=2), &of_two, &[]);
    let by_position = List { symbol: Column::At(1), company: Column::At(0), ..list(List::nasdaq100(), 1..=2) };
    let html = HUNDRED.split_once("</table>").unwrap().1;
    let refused = ["nasdaq100, row 1: \"Member\" is not a symbol", "nasdaq100, row 2: \"ticker\" is not a symbol"];
    check(html, &by_position, &of_two, &refused);
}

#[test]
fn a_page_that_changed_is_refused_with_what_is_missing() {
    let check =
        |html: &str, list: &List, expected: &str| assert_eq!(parse(html, list).unwrap_err().to_string(), expected);
    let two = list(List::sp500(), 2..=2);
    check("", &two, "the page of sp500 has no table \"table#constituents\"");
    let renamed = FIVE_HUNDRED.replace("id=\"constituents\"", "id=\"members\"");
    check(&renamed, &two, "the page of sp500 has no table \"table#constituents\"");
    check(
        "<table id=constituents><tr><th>Code<th>Security<tr><td>MMM<td>3M</table>",
        &two,
        "the table of sp500 has no column [\"Symbol\", \"Ticker\", \"Ticker symbol\"]; its first rows are \
         [[\"Code\", \"Security\"], [\"MMM\", \"3M\"]]",
    );
    check(
        FIVE_HUNDRED,
        &List::sp500(),
        "the table of sp500 has 4 members, 400 to 520 are expected; refused: sp500, row 6: GOOG stands in the table twice",
    );
    check(HUNDRED, &list(List::nasdaq100(), 0..=1), "the table of nasdaq100 has 2 members, 0 to 1 are expected");
    let wrong = List { table: "table[".to_owned(), ..List::sp500() };
    check(FIVE_HUNDRED, &wrong, "\"table[\" of the list sp500 is not a CSS selector");
    for part in ["<div>", "<div></x>", "<b><div></b>", "<p><b></p>", "<svg><style><div>", "<div/>"] {
        check(&part.repeat(30_000), &two, "the page of sp500 nests elements more than 512 deep");
    }
    assert!(matches!(parse(&" ".repeat(9 << 20), &two), Err(PageError::TooLong { .. })));
}

#[test]
fn a_table_that_stretches_stays_within_bounds() {
    let cell = r#"<td colspan="999999999" rowspan="999999999">A</td>"#.repeat(40);
    let html = format!(
        "<table id=constituents><tr><th>Symbol<th>Security</tr>{}</table>",
        format!("<tr>{cell}</tr>").repeat(50)
    );
    assert!(matches!(parse(&html, &List::sp500()), Err(PageError::Count { .. })));
}

proptest::proptest! {
    #[test]
    fn no_page_is_too_strange(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "<table id=constituents>", "<tr>", "<td>", "<th>Symbol", "<th>Security", "</td>", "</tr>", "</table>",
                "<td colspan=3>", "<td rowspan=0>", "<td rowspan=2>", "MMM", "[", "]", "\u{a0}", "<sup class=reference>",
                "</sup>", "<", "</", "<!--", "<script>", "é", "<svg>", "BRK.B", ".",
            ]),
            0..60,
        ),
    ) {
        let _ = parse(&parts.concat(), &list(List::sp500(), 0..=9));
    }
}

#[tokio::test]
async fn a_page_is_asked_for() {
    let server = Loopback::serve(|url| match url.path() {
        "/wiki/Nasdaq-100" => Reply::new(200, HUNDRED),
        _ => Reply::new(503, "busy"),
    });
    let clock = Arc::new(AcceleratedClock::new(at("2026-08-26T15:00:00Z"), 1000.0));
    let http = Http::new(HttpSettings::default(), Budget::new(clock, Duration::from_secs(1), NonZeroU32::MIN));
    let at_server =
        |path: &str, n_members| List { url: server.url().join(path).unwrap(), ..list(List::nasdaq100(), n_members) };
    assert_eq!(fetch(&at_server("wiki/Nasdaq-100", 2..=2), &http).await.unwrap().members.len(), 2);
    let failure = fetch(&at_server("wiki/Nasdaq-100", 95..=110), &http).await.unwrap_err();
    assert!(matches!(failure, Failure::Malformed { .. }), "{failure}");
    assert!(matches!(fetch(&at_server("wiki/Other", 2..=2), &http).await, Err(Failure::Server { status: 503, .. })));
}
