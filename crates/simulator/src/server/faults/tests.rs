use proptest::prelude::*;

use super::*;
use crate::Error;

#[track_caller]
fn check_refused(text: &str, line: usize, words: &str) {
    let Err(Error::FaultPlan { line: told, what }) = FaultPlan::parse(text) else { panic!("{text} is refused") };
    assert_eq!(told, line, "{what}");
    assert!(what.contains(words), "{what}");
}

#[test]
fn what_is_wrong_with_a_plan_is_said_with_its_line() {
    check_refused("seed = 1\nseeds = 2", 2, "unknown field");
    check_refused("[[fault]]\nkind = \"cut\"\ncolour = 1", 3, "unknown field");
    check_refused("[[fault]]\nkind = \"earthquake\"", 2, "not a kind of fault");
    check_refused("\n[[fault]]\nkind = \"latency\"", 2, "needs ms");
    check_refused("[[fault]]\nkind = \"cut\"\nms = 4", 3, "has no ms");
    check_refused("[[fault]]\nkind = \"latency\"\nms = -4", 3, "0 to 60000");
    check_refused("[[fault]]\nkind = \"status\"\nstatus = 200", 3, "400 to 599");
    check_refused("[[fault]]\nkind = \"cut\"\nservice = \"bourse\"", 3, "not a service");
    check_refused("[[fault]]\nkind = \"cut\"\nshare = 1.5", 3, "share is 1.5");
    check_refused("[[fault]]\nkind = \"skew\"\nms = 5\nshare = 0.5", 4, "1 for skew");
    check_refused("[[fault]]\nkind = \"cut\"\n\nfrom = \"soon\"", 4, "since the start");
    check_refused("[[fault]]\nkind = \"cut\"\nfrom = \"10m\"\nto = \"90s\"", 4, "ends after it begins");
    check_refused("[[fault]]\nkind =", 2, "");
}

#[test]
fn the_storm_has_every_kind_once_at_least() {
    let faults = Faults::new(FaultPlan::storm(1), Timestamp::UNIX_EPOCH);
    assert_eq!(faults.counts().len(), 18);
    assert!(faults.counts().values().all(|count| *count == 0));
    assert_eq!(FaultPlan::parse("").unwrap(), FaultPlan::default());
}

#[test]
fn faults_strike_where_and_when_they_are_planned() {
    let text = r#"
        [[fault]]
        kind = "cut"
        service = "binance"
        path = "/api/v3/klines"
        from = "90s"
        to = "10m"
        [[fault]]
        kind = "skew"
        ms = -1500
        to = "1m"
    "#;
    let start: Timestamp = "2024-06-03T12:00:00Z".parse().unwrap();
    let faults = Faults::new(FaultPlan::parse(text).unwrap(), start);
    let struck = |service, path, seconds| {
        let now = start + SignedDuration::from_secs(seconds);
        faults.strike(service, path, now, |kind| (*kind == Kind::Cut).then_some(())).is_some()
    };
    assert!(struck(Service::Binance, "/api/v3/klines", 90));
    assert!(!struck(Service::Binance, "/api/v3/klines", 89) && !struck(Service::Binance, "/api/v3/klines", 600));
    assert!(!struck(Service::Binance, "/api/v3/time", 100) && !struck(Service::BinanceUs, "/api/v3/klines", 100));
    assert_eq!(faults.counts(), BTreeMap::from([("cut", 1), ("skew", 0)]));
    assert_eq!(faults.skew(Service::Fred, start).as_millis(), -1500);
    assert_eq!(faults.skew(Service::Fred, start + SignedDuration::from_mins(1)).as_millis(), 0);
}

#[test]
fn a_plan_can_be_over_early() {
    let start = Timestamp::UNIX_EPOCH;
    let faults = Faults::new(FaultPlan::storm(1).until(SignedDuration::from_mins(10)), start);
    let skew = |minutes| faults.skew(Service::Binance, start + SignedDuration::from_mins(minutes));
    assert!(skew(9) != SignedDuration::ZERO && skew(10) == SignedDuration::ZERO);
    assert!(!faults.counts().contains_key("server_shutdown"), "it was to begin later");
}

proptest! {
    #[test]
    fn the_same_events_meet_the_same_faults(seed in any::<u64>(), share in 0.05_f64..0.95) {
        let text = format!("seed = 3\n[[fault]]\nkind = \"cut\"\nshare = {share}");
        let plan = FaultPlan { seed, ..FaultPlan::parse(&text).unwrap() };
        let run = || {
            let faults = Faults::new(plan.clone(), Timestamp::UNIX_EPOCH);
            let fates: Vec<_> =
                (0..2000).map(|_| faults.frame(Service::Yahoo, "/", Timestamp::UNIX_EPOCH)).collect();
            (fates, faults.counts()["cut"])
        };
        let (fates, struck) = run();
        prop_assert_eq!((fates, struck), run());
        prop_assert!((struck as f64 / 2000.0 - share).abs() < 0.06, "{struck} of 2000");
    }
}

#[test]
fn half_a_text_is_still_text() {
    for text in ["", "a", "{\"é\":\"ééé\"}"] {
        assert!(text.starts_with(truncated(text)));
    }
}
