use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Option<Timeframe>) {
    assert_eq!(text.parse::<Timeframe>().ok(), expected, "{text:?}");
}

#[test]
fn spellings_and_aliases() {
    check("1m", Some(Timeframe::M1));
    check("1M", Some(Timeframe::Mo1));
    check("5M", Some(Timeframe::M5));
    check("4H", Some(Timeframe::H4));
    check("1H", Some(Timeframe::H1));
    check("1d", Some(Timeframe::D1));
    check("1w", Some(Timeframe::W1));
    check("7D", Some(Timeframe::W1));
    check("7d", Some(Timeframe::W1));
    check("1q", Some(Timeframe::Q1));
    for text in ["2H", "invalid", "", " 1D", "1", "D", "1Y", "60m"] {
        check(text, None);
    }
}

#[test]
fn every_timeframe_comes_back_and_they_are_ordered_by_length() {
    for timeframe in Timeframe::ALL {
        assert_eq!(timeframe.to_string().parse(), Ok(timeframe));
    }
    assert!(Timeframe::ALL.is_sorted_by_key(|timeframe| timeframe.nominal()));
    assert!(Timeframe::ALL.is_sorted());
}

#[test]
fn horizons_ascend_and_reach_as_far_as_the_chart() {
    for timeframe in Timeframe::ALL {
        let horizons = timeframe.horizons();
        assert!(horizons.is_sorted() && !horizons.contains(&0), "{timeframe}");
        let (_, steps) = timeframe.chart_size();
        assert!((1..=u32::try_from(steps).unwrap()).all(|step| horizons.contains(&step)), "{timeframe}");
    }
    for class in AssetClass::ALL {
        for timeframe in Timeframe::forecast_for(*class) {
            assert!(!timeframe.horizons().is_empty(), "{class} {timeframe}");
        }
    }
}

#[test]
fn graces() {
    let check = |timeframe: Timeframe, class, minutes| {
        assert_eq!(timeframe.grace(class).as_mins(), minutes, "{timeframe} {class}");
    };
    check(Timeframe::M30, AssetClass::Crypto, 3);
    check(Timeframe::H1, AssetClass::Crypto, 5);
    check(Timeframe::D1, AssetClass::Crypto, 5);
    check(Timeframe::H1, AssetClass::Stocks, 5);
    check(Timeframe::D1, AssetClass::Stocks, 60);
    check(Timeframe::Mo1, AssetClass::Stocks, 60);
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "[0-9]{0,2}[a-zA-Z]{0,2}") {
        if let Ok(timeframe) = text.parse::<Timeframe>() {
            let canonical = timeframe.to_string();
            prop_assert!(canonical.eq_ignore_ascii_case(&text) || text.eq_ignore_ascii_case("7d"));
            prop_assert_eq!(canonical.parse::<Timeframe>(), Ok(timeframe));
        }
    }
}
