use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_clock_moved_by_hand_never_runs_back() {
    let clock = ManualClock::new(at("2024-01-01T00:00:00Z"));
    assert_eq!(clock.now(), at("2024-01-01T00:00:00Z"));
    clock.set(at("2024-01-02T00:00:00Z"));
    clock.set(at("2023-01-01T00:00:00Z"));
    assert_eq!(clock.now(), at("2024-01-02T00:00:00Z"));
    assert_eq!(clock.wait_until(at("2024-01-01T00:00:00Z")), Some(Duration::ZERO));
    assert_eq!(clock.wait_until(at("2024-01-03T00:00:00Z")), None, "waiting does not move it");
}

#[test]
fn a_fast_clock_waits_a_fraction() {
    let start = at("2024-01-01T00:00:00Z");
    let clock = AcceleratedClock::new(start, 3600.0);
    let now = clock.now();
    assert!(now >= start);
    assert_eq!(now.subsec_nanosecond() % 1000, 0, "whole microseconds, as stored");
    let wait = clock.wait_until(start + SignedDuration::from_hours(1000)).unwrap();
    assert!(wait <= Duration::from_secs(1000) && wait > Duration::from_secs(900), "{wait:?}");
    assert_eq!(clock.wait_until(at("2020-01-01T00:00:00Z")), Some(Duration::ZERO));
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(AcceleratedClock::new(start, speed).speed(), 1.0, "{speed} is no speed");
    }
}
