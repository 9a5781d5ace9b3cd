use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: Option<&str>) {
    let found = text.parse::<Symbol>().ok();
    assert_eq!(found.as_ref().map(Symbol::as_str), expected, "{text:?}");
}

#[test]
fn symbols_by_rule() {
    check("btc", Some("BTC"));
    check("brk-b", Some("BRK-B"));
    check("FED_RATE", Some("FED_RATE"));
    check("^vix", Some("^VIX"));
    check("EURUSD=X", Some("EURUSD=X"));
    check("A23456789012345678901234", Some("A23456789012345678901234"));
    check("A234567890123456789012345", None);
    check("", None);
    check("BTC USD", None);
    check("BTC/USD", None);
    check("ÄBC", None);
    check("BTC\0", None);
}

#[test]
fn a_complaint_names_the_text_and_what_is_expected() {
    let complaint = "BTC USD".parse::<Symbol>().unwrap_err().to_string();
    assert_eq!(complaint, "\"BTC USD\" is not a symbol: 1 to 24 letters, digits or any of - _ . ^ = are expected");
    let long = "x y".repeat(1000).parse::<Symbol>().unwrap_err().to_string();
    assert!(long.len() < 200, "a long text is cut");
    let unknown = "bonds".parse::<AssetClass>().unwrap_err().to_string();
    assert_eq!(unknown, "\"bonds\" is not a known asset class; known are crypto, stocks, macro");
}

#[test]
fn names_come_back() {
    for class in AssetClass::ALL {
        assert_eq!(class.to_string().parse(), Ok(*class));
        assert_eq!(class.as_str().to_uppercase().parse(), Ok(*class), "any case");
    }
    for kind in AssetKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(*kind));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn parse_and_display_agree(text in "[A-Za-z0-9._^=-]{1,24}") {
        let symbol: Symbol = text.parse().unwrap();
        prop_assert_eq!(symbol.as_str(), text.to_ascii_uppercase());
        prop_assert_eq!(symbol.to_string().parse::<Symbol>().unwrap(), symbol);
    }

    #[test]
    fn no_text_breaks_the_parser(text in any::<String>()) {
        if let Ok(symbol) = text.parse::<Symbol>() {
            prop_assert!((1..=24).contains(&symbol.as_str().len()) && symbol.as_str().is_ascii());
        }
    }
}
