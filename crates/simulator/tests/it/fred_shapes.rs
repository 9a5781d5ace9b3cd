//! Answers as FRED have the recorded and documented shapes, where the recordings are there.

use jiff::SignedDuration;
use market::Clock;

use super::at;
use super::yahoo_server::{Served, small_at};
use super::yahoo_shapes::{Shape, wire, words};

const KEY: &str = "api_key=abcdefghijklmnopqrstuvwxyz012345";

fn recorded(wire: &std::path::Path, name: &str) -> String {
    std::fs::read_to_string(wire.join("fixtures/fred").join(name)).unwrap()
}

async fn got(served: &Served, path: &str) -> String {
    served.clock.set(served.clock.now() + SignedDuration::from_secs(1));
    served.get(&format!("/fred/{path}")).await.text
}

#[tokio::test]
async fn answers_have_the_recorded_shapes() {
    let Some(wire) = wire() else { return };
    let served = small_at(at("2025-05-20T12:00:00Z")).await;
    let check = async |name: &str, path: &str| {
        let ours = got(&served, &format!("{path}&file_type=json&{KEY}")).await;
        assert_eq!(Shape::of(&ours), Shape::of(&recorded(&wire, name)), "{name}");
    };
    let observations = "series/observations?series_id=CPIAUCSL";
    check("observations_GDPC1_latest.json", &format!("{observations}&limit=2")).await;
    let window = "realtime_start=2025-03-20&realtime_end=2025-04-30";
    check("observations_GDP_2014Q1_vintages.json", &format!("{observations}&{window}")).await;
    check("series_CPIAUCSL.json", "series?series_id=CPIAUCSL").await;
    check("vintagedates_GNPCA.json", "series/vintagedates?series_id=CPIAUCSL").await;
    check("release_dates_53.json", "release/dates?release_id=10").await;
    check("releases_dates.json", "releases/dates?include_release_dates_with_no_data=true").await;
}

#[tokio::test]
async fn xml_has_the_recorded_elements_and_attributes() {
    let Some(wire) = wire() else { return };
    let served = small_at(at("2025-05-20T12:00:00Z")).await;
    // What stands in quotes or between elements may differ.
    let frame = |text: &str| -> Vec<String> {
        let outside = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        text.lines().filter(|line| !line.is_empty()).map(|line| words(&outside(line))).collect()
    };
    let check = async |name: &str, path: &str, lines: usize| {
        let (ours, theirs) = (frame(&got(&served, &format!("{path}&{KEY}")).await), frame(&recorded(&wire, name)));
        assert_eq!(ours[..lines], theirs[..lines], "{name}");
        assert_eq!(ours.last(), theirs.last(), "{name}");
    };
    check("observations_GDP.xml", "series/observations?series_id=CPIAUCSL", 3).await;
    check("series_GDP.xml", "series?series_id=CPIAUCSL", 3).await;
    check("vintagedates_GNPCA.xml", "series/vintagedates?series_id=CPIAUCSL", 3).await;
    let ours = got(&served, "series?series_id=CPIAUCSL&api_key=short").await;
    assert_eq!(ours.trim(), recorded(&wire, "err_400_key_format.xml").trim());
}

#[tokio::test]
async fn refusals_have_the_recorded_words() {
    let Some(wire) = wire() else { return };
    let served = small_at(at("2025-05-20T12:00:00Z")).await;
    let check = async |name: &str, path: &str| {
        let ours = got(&served, &format!("series/observations?file_type=json&{path}")).await;
        assert_eq!(words(&ours), words(&recorded(&wire, name)), "{name}");
    };
    let keyed = |query: &str| format!("{KEY}&{query}");
    check("err_400_key_missing.json", "series_id=CPIAUCSL").await;
    check("err_400_key_format.json", "api_key=short").await;
    check("err_400_key_unregistered.json", &format!("api_key={}", "0".repeat(32))).await;
    check("err_400_no_series.json", &keyed("series_id=NOPE")).await;
    let early = "series_id=CPIAUCSL&realtime_start=2000-01-01&realtime_end=2000-01-02";
    check("err_400_not_in_alfred.json", &keyed(early)).await;
    check("err_400_future_realtime.json", &keyed("series_id=CPIAUCSL&realtime_end=2030-01-01")).await;
    for _ in 0..2 {
        served.get(&format!("/fred/series?series_id=CPIAUCSL&{KEY}")).await;
    }
    let refused = served.get(&format!("/fred/series?series_id=CPIAUCSL&{KEY}&file_type=json")).await;
    assert_eq!((refused.status, refused.text.as_str()), (429, recorded(&wire, "err_429.json").trim()));
}
