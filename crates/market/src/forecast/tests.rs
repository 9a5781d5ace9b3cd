use proptest::prelude::*;

use super::*;

#[test]
fn directions_by_rule_v1() {
    let check = |prob_up: f64, kind, direction: Direction, confidence: f64| {
        assert_eq!(Direction::call(prob_up, kind), direction, "{prob_up} {kind}");
        let found = direction.confidence(prob_up);
        assert!((found - confidence).abs() < 1e-9, "{prob_up}: confidence {found}");
    };
    assert_eq!(DIRECTION_RULE, "v1");
    check(0.51, AssetKind::Coin, Direction::Up, 51.0);
    check(0.509_999, AssetKind::Coin, Direction::Hold, 50.9999);
    check(0.5, AssetKind::Equity, Direction::Hold, 50.0);
    check(0.490_001, AssetKind::Equity, Direction::Hold, 50.9999);
    check(0.49, AssetKind::Series, Direction::Down, 51.0);
    check(1.0, AssetKind::Etf, Direction::Up, 100.0);
    check(0.0, AssetKind::Etf, Direction::Down, 100.0);
    check(0.9, AssetKind::Stable, Direction::Hold, 90.0);
    check(0.1, AssetKind::Stable, Direction::Hold, 90.0);
}

#[test]
fn hits_by_rule_v1() {
    let check =
        |direction: Direction, change, expected| assert_eq!(direction.hit(change), expected, "{direction} {change}");
    check(Direction::Up, 0.01, Some(true));
    check(Direction::Up, -0.01, Some(false));
    check(Direction::Up, 0.0, None);
    check(Direction::Up, -0.0, None);
    check(Direction::Down, -0.01, Some(true));
    check(Direction::Down, 0.01, Some(false));
    check(Direction::Down, 0.0, None);
    check(Direction::Hold, 0.01, None);
}

#[test]
fn units_lead_there_and_back() {
    assert_eq!(Unit::LogReturn.apply(100.0, 0.0), 100.0);
    assert!((Unit::LogReturn.apply(100.0, 0.1) - 110.517_091_807_564_77).abs() < 1e-9);
    assert_eq!(Unit::Change.apply(4.5, -0.25), 4.25);
    assert_eq!(Unit::Change.between(4.5, 4.25), -0.25);
    for unit in Unit::ALL {
        assert_eq!(unit.to_string().parse(), Ok(*unit));
    }
    for direction in Direction::ALL {
        assert_eq!(direction.to_string().parse(), Ok(*direction));
    }
}

proptest! {
    #[test]
    fn between_undoes_apply(reference in 0.01..1e6, number in -1.0..1.0) {
        for unit in Unit::ALL {
            let back = unit.between(reference, unit.apply(reference, number));
            prop_assert!((back - number).abs() < 1e-9, "{} {}", unit, back);
        }
    }

    #[test]
    fn confidence_is_at_least_even_odds(prob_up in 0.0..=1.0) {
        for kind in AssetKind::ALL {
            let confidence = Direction::call(prob_up, *kind).confidence(prob_up);
            prop_assert!((50.0..=100.0).contains(&confidence));
        }
    }
}
