use super::*;

fn bar() -> Bar {
    let at = |text: &str| text.parse().unwrap();
    Bar {
        open_time: at("2024-01-01T00:00:00Z"),
        close_time: at("2024-01-01T01:00:00Z"),
        open: 10.0,
        high: 12.0,
        low: 9.0,
        close: 11.0,
        volume: 100.0,
        adj_close: Some(5.5),
        known_at: at("2024-01-01T01:00:00Z"),
    }
}

fn check(edit: impl FnOnce(&mut Bar), complaint: Option<&str>) {
    let mut edited = bar();
    edit(&mut edited);
    assert_eq!(edited.checked().err().map(|error| error.to_string()).as_deref(), complaint);
}

#[test]
fn bars_that_can_be() {
    check(|_| (), None);
    check(|bar| bar.volume = 0.0, None);
    check(|bar| bar.adj_close = None, None);
    check(|bar| bar.known_at = "2024-02-01T00:00:00Z".parse().unwrap(), None);
    check(|bar| (bar.open, bar.high, bar.low, bar.close) = (1.0, 1.0, 1.0, 1.0), None);
}

#[test]
fn bars_that_cannot_be() {
    check(|bar| bar.open = 0.0, Some("open is 0: a positive finite price is expected"));
    check(|bar| bar.close = -1.0, Some("close is -1: a positive finite price is expected"));
    check(|bar| bar.high = f64::INFINITY, Some("high is inf: a positive finite price is expected"));
    check(|bar| bar.low = f64::NAN, Some("low is NaN: a positive finite price is expected"));
    check(|bar| bar.adj_close = Some(0.0), Some("adj_close is 0: a positive finite price is expected"));
    check(|bar| bar.volume = -1.0, Some("volume is -1: a finite number of at least zero is expected"));
    check(|bar| bar.volume = f64::NAN, Some("volume is NaN: a finite number of at least zero is expected"));
    check(|bar| bar.high = 10.5, Some("high 10.5 is below close 11"));
    check(|bar| bar.low = 10.5, Some("low 10.5 is above open 10"));
    let order =
        "times are out of order: open 2024-01-01T01:00:00Z, close 2024-01-01T01:00:00Z, known 2024-01-01T01:00:00Z";
    check(|bar| bar.open_time = bar.close_time, Some(order));
}

#[test]
fn promise_2_a_bar_is_never_known_before_it_closed() {
    let early = "2024-01-01T00:59:59.999999Z".parse().unwrap();
    assert!(
        matches!(Bar { known_at: early, ..bar() }.checked(), Err(BarError::Times { known_at, .. }) if known_at == early)
    );
}

#[test]
fn scaling_moves_prices_and_volume_apart() {
    let scaled = bar().scaled(0.5);
    assert_eq!((scaled.open, scaled.high, scaled.low, scaled.close, scaled.volume), (5.0, 6.0, 4.5, 5.5, 200.0));
    assert_eq!((scaled.adj_close, scaled.known_at), (Some(5.5), bar().known_at), "the vendor's figure is kept");
}
