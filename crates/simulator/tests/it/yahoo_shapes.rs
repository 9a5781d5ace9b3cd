//! Answers have the shapes of those that were recorded, where the recordings are there: the same keys in the same order, and
//! the same kinds of values.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::at;
use super::yahoo_server::{Served, in_session, small_at};

/// The folder of the recordings.
#[expect(clippy::print_stderr, reason = "who reads the tests' output should know what was not tested")]
pub(crate) fn wire() -> Option<PathBuf> {
    let wire = std::env::var_os("AUSPEX_WIRE").map(PathBuf::from);
    if wire.is_none() {
        eprintln!("skipped: AUSPEX_WIRE does not name the folder of the recorded answers");
    }
    wire
}

/// What kind of JSON a value is. Of a list the first element counts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Object(Vec<(String, Shape)>),
    List(Option<Box<Shape>>),
    Leaf(&'static str),
}

impl Shape {
    pub(crate) fn of(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What stands under a key, or first in a list for a key of nothing.
    pub(crate) fn at(&self, path: &[&str]) -> &Self {
        path.iter().fold(self, |shape, key| match shape {
            Self::Object(fields) => &fields.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("{key}")).1,
            Self::List(Some(first)) => first,
            other => panic!("no {key} in {other:?}"),
        })
    }

    pub(crate) fn keys(&self) -> Vec<&str> {
        match self {
            Self::Object(fields) => fields.iter().map(|(name, _)| name.as_str()).collect(),
            other => panic!("no keys in {other:?}"),
        }
    }

    /// Without some keys, wherever they stand.
    fn without(mut self, keys: &[&str]) -> Self {
        self.edit(&mut |fields| fields.retain(|(name, _)| !keys.contains(&name.as_str())));
        self
    }

    /// With the fields of some objects in alphabetical order: the vendor's changes from call to call.
    fn with_sorted(mut self, has: &[&str]) -> Self {
        self.edit(&mut |fields| {
            if fields.iter().any(|(name, _)| has.contains(&name.as_str())) {
                fields.sort_by(|a, b| a.0.cmp(&b.0));
            }
        });
        self
    }

    fn edit(&mut self, edit: &mut impl FnMut(&mut Vec<(String, Shape)>)) {
        match self {
            Self::Object(fields) => {
                edit(fields);
                fields.iter_mut().for_each(|(_, shape)| shape.edit(edit));
            }
            Self::List(Some(first)) => first.edit(edit),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Leaf("flag"))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Leaf("whole"))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::Leaf("whole"))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Leaf("decimal"))
            }
            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::Leaf("text"))
            }
            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Leaf("null"))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
                let first = list.next_element()?.map(Box::new);
                while list.next_element::<Shape>()?.is_some() {}
                Ok(Shape::List(first))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, shape)) = map.next_entry::<String, Shape>()? {
                    // Stamps are keys in events.
                    let stamp = name.bytes().all(|byte| byte.is_ascii_digit());
                    fields.push((if stamp { "#".to_owned() } else { name }, shape));
                }
                fields.dedup();
                Ok(Shape::Object(fields))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Whether `some` stand among `all` in the same order.
pub(crate) fn in_order(some: &[&str], all: &[&str]) -> bool {
    let mut all = all.iter();
    some.iter().all(|wanted| all.any(|name| name == wanted))
}

/// Numbers as they may be, words as they must.
pub(crate) fn words(text: &str) -> String {
    let mut words = String::new();
    for letter in text.trim().chars() {
        if !letter.is_ascii_digit() {
            words.push(letter);
        } else if !words.ends_with('#') {
            words.push('#');
        }
    }
    words
}

fn recorded(wire: &std::path::Path, name: &str) -> String {
    std::fs::read_to_string(wire.join("fixtures/yahoo").join(name)).unwrap()
}

async fn got(served: &Served, path: &str) -> String {
    served.get(path).await.text
}

/// What only the newest recordings have.
const NEW: [&str; 4] = ["regularMarketChangePercent", "fulldayPrice", "fulldayChange", "fulldayChangePercent"];

/// Lists that depend on the listing's age.
const UNORDERED: [&str; 2] = ["open", "start"];

#[tokio::test]
async fn charts_have_the_recorded_shapes() {
    let Some(wire) = wire() else { return };
    let served = small_at(at("2026-03-18T22:00:00Z")).await;
    let check = async |name: &str, query: &str, without: &[&str]| {
        let ours = got(&served, &format!("/v8/finance/chart/{query}")).await;
        let ours = Shape::of(&ours).without(without).with_sorted(&UNORDERED);
        assert_eq!(ours, Shape::of(&recorded(&wire, name)).with_sorted(&UNORDERED), "{name}");
    };
    let window = |from: &str, to: &str| format!("period1={}&period2={}", at(from).as_second(), at(to).as_second());
    let week = window("2026-03-10T00:00:00Z", "2026-03-17T00:00:00Z");
    check("chart_1d_meta_2026_AAPL.json", &format!("ACME?interval=1d&{week}"), &[]).await;
    check("chart_1d_crypto_BTC-USD.json", &format!("COIN-USD?interval=1d&{week}"), &NEW).await;
    let events = window("2025-08-01T00:00:00Z", "2025-12-01T00:00:00Z");
    let query = format!("ACME?interval=1d&events=div%7Csplit%7Cearn&{events}");
    check("chart_1d_split_dividend_AAPL.json", &query, &NEW).await;
    let weekend = window("2026-03-14T00:00:00Z", "2026-03-15T00:00:00Z");
    check("chart_1m_weekend_empty_AAPL.json", &format!("ACME?interval=1m&{weekend}"), &NEW).await;
    check("synthetic_chart_1h_dst_2025-03-10.json", &format!("ACME?interval=1h&{week}"), &NEW).await;
    served.clock.set(in_session() + jiff::SignedDuration::from_hours(24));
    check("synthetic_chart_1d_live_last.json", "ACME?interval=1d&period1=1773100000", &NEW).await;

    let query = format!("/v8/finance/chart/ACME?interval=1h&includePrePost=true&{week}");
    let (ours, theirs) = (got(&served, &query).await, recorded(&wire, "chart_1h_tradingPeriods_TSLA.json"));
    let meta = |text: &str| Shape::of(text).at(&["chart", "result", "", "meta"]).clone().without(&NEW);
    let sorted = |text: &str| meta(text).with_sorted(&["start", "regular"]);
    assert_eq!(sorted(&ours), sorted(&theirs));
}

#[tokio::test]
async fn refusals_have_the_recorded_words() {
    let Some(wire) = wire() else { return };
    let served = small_at(in_session()).await;
    let check = async |name: &str, path: &str| {
        assert_eq!(words(&got(&served, path).await), words(&recorded(&wire, name)), "{name}");
    };
    let old = "period1=1577836800&period2=1578009600";
    check("err_404_not_found.json", "/v8/finance/chart/NOPE").await;
    check("err_400_interval.json", "/v8/finance/chart/ACME?interval=7m").await;
    check("err_400_before_listing.json", &format!("/v8/finance/chart/ACME?{old}")).await;
    check("err_422_1h_730days.json", &format!("/v8/finance/chart/ACME?interval=1h&{old}")).await;
    check("err_422_1m_30days.json", &format!("/v8/finance/chart/ACME?interval=1m&{old}")).await;
    check("err_422_5m_60days.json", &format!("/v8/finance/chart/ACME?interval=5m&{old}")).await;
    let long = "period1=1771900000&period2=1773800000";
    check("err_422_1m_8days.json", &format!("/v8/finance/chart/ACME?interval=1m&{long}")).await;
    check("err_401_invalid_crumb.json", "/v7/finance/quote?symbols=ACME&crumb=wrong").await;
}

#[tokio::test]
async fn quotes_and_searches_have_the_recorded_order() {
    let Some(wire) = wire() else { return };
    let served = small_at(in_session()).await;
    let cookie = served.get("/").await.headers["set-cookie"].to_str().unwrap().split_once(';').unwrap().0.to_owned();
    let crumb = served.get_as("/v1/test/getcrumb", &cookie).await.text;
    assert_eq!(crumb.len(), recorded(&wire, "getcrumb_200.txt").trim().len());
    let quote = |symbols: &str| format!("/v7/finance/quote?symbols={symbols}&crumb={crumb}");
    let ours = Shape::of(&served.get_as(&quote("ACME"), &cookie).await.text);
    let theirs = Shape::of(&recorded(&wire, "quote_v7_AAPL.json"));
    let path = ["quoteResponse", "result", ""];
    assert!(in_order(&ours.at(&path).keys(), &theirs.at(&path).keys()), "{:?}", ours.at(&path).keys());
    for key in ours.at(&path).keys() {
        assert_eq!(ours.at(&path).at(&[key]), theirs.at(&path).at(&[key]), "{key}");
    }
    assert_eq!(
        served.get_as(&quote("NOPE"), &cookie).await.text,
        recorded(&wire, "quote_v7_unknown_APS.AX.json").trim()
    );

    let ours = Shape::of(&got(&served, "/v1/finance/search?q=acme").await);
    let theirs = Shape::of(&recorded(&wire, "search_v1_AAPL.json"));
    assert!(in_order(&ours.keys(), &theirs.keys()));
    let entry = ["quotes", ""];
    assert!(in_order(&ours.at(&entry).keys(), &theirs.at(&entry).keys()));
    for key in ours.at(&entry).keys() {
        assert_eq!(ours.at(&entry).at(&[key]), theirs.at(&entry).at(&[key]), "{key}");
    }
}
