use super::*;
use market::{Adjustment, universe::default_universe};

fn hour(n: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 / 3600 * 3600 + n * 3600).unwrap()
}

fn bar(n: i64) -> Bar {
    let (open_time, close_time) = (hour(n), hour(n + 1));
    let price = 2.0;
    Bar {
        open_time,
        close_time,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 1.0,
        adj_close: None,
        known_at: close_time,
    }
}

fn follower(streamed: bool, newest: Option<i64>, behind: bool) -> Follower {
    let asset = default_universe().into_iter().find(|asset| asset.symbol.as_str() == "BTC").unwrap();
    let key = SeriesKey {
        symbol: asset.symbol.clone(),
        timeframe: Timeframe::H1,
        adjustment: Adjustment::Raw,
        source: "binance".to_owned(),
    };
    let duty = Duty {
        asset,
        timeframe: Timeframe::H1,
        adjustment: Adjustment::Raw,
        back: SignedDuration::from_hours(100),
        stands_behind: behind.then(|| ("other".to_owned(), SignedDuration::from_secs(5))),
    };
    let delay = SignedDuration::from_secs(5);
    Follower::new(&duty, key, delay, streamed, newest.map(hour), &LiveSettings::default(), hour(0))
}

fn opens(bars: &[Bar]) -> Vec<Timestamp> {
    bars.iter().map(|bar| bar.open_time).collect()
}

#[test]
fn the_beginning_is_asked_for_as_a_whole_and_what_streams_meanwhile_waits() {
    let (mut follower, board) = (follower(true, None, false), Board::default());
    let window = follower.wants(&board, hour(0)).unwrap();
    assert_eq!(window, Window { from: hour(-100), to: hour(0), first: true, look: false });
    follower.asking = true;
    assert_eq!(follower.wants(&board, hour(1)), None, "one question at a time");
    assert_eq!(opens(&follower.offer(bar(0), hour(1))), []);
    let held = follower.answered(window, Some(hour(0)), Holes::default(), hour(1));
    assert_eq!(opens(&held), [hour(0)]);
    follower.stored(hour(1), None, hour(1));
    let next = follower.wakes_at(&board).unwrap();
    assert_eq!(next, hour(1) + SECOND_LOOK, "the newest are looked at once more");
}

#[test]
fn a_hole_in_the_stream_is_asked_for_before_what_follows_is_given() {
    let (mut follower, board) = (follower(true, Some(3), false), Board::default());
    follower.next_look = hour(500);
    assert_eq!(opens(&follower.offer(bar(2), hour(4))), [], "an old one is no news");
    assert_eq!(opens(&follower.offer(bar(3), hour(4))), [hour(3)]);
    follower.stored(hour(4), None, hour(4));
    assert_eq!(follower.wakes_at(&board), Some(hour(5) + follower.delay + STREAM_PATIENCE));
    assert_eq!(opens(&follower.offer(bar(5), hour(6))), []);
    let window = follower.wants(&board, hour(6)).unwrap();
    assert_eq!((window.from, window.to), (hour(4), hour(6)));
    follower.asking = true;
    assert_eq!(opens(&follower.offer(bar(6), hour(7))), []);
    let held = follower.answered(window, Some(hour(5)), Holes::default(), hour(7));
    assert_eq!(opens(&held), [hour(5), hour(6)], "in order");
}

#[test]
fn when_nobody_answers_what_streams_is_given_all_the_same() {
    let (mut follower, board) = (follower(true, Some(3), false), Board::default());
    follower.next_look = hour(500);
    follower.offer(bar(5), hour(6));
    assert!(follower.wants(&board, hour(6)).is_some());
    follower.asking = true;
    assert_eq!(opens(&follower.failed(None, hour(6))), [hour(5)]);
    assert_eq!(follower.wants(&board, hour(6)), None, "after a pause");
}

#[test]
fn pauses_grow_to_the_length_of_a_bar() {
    let mut follower = follower(false, Some(0), false);
    follower.next_look = hour(500);
    let mut pauses = Vec::new();
    for _ in 0..14 {
        follower.failed(None, hour(2));
        pauses.push(follower.next_ask.duration_since(hour(2)).as_secs());
    }
    assert_eq!(pauses[..4], [5, 10, 20, 40]);
    assert_eq!(pauses[13], 3600);
}

#[test]
fn one_that_stands_behind_is_asked_at_once_when_the_first_is_overdue() {
    let (mut follower, board) = (follower(false, Some(3), true), Board::default());
    let window = Window { from: hour(0), to: hour(3), first: false, look: false };
    follower.answered(window, Some(hour(4)), Holes::default(), hour(4));
    follower.next_look = hour(500);
    let calm = follower.wakes_at(&board).unwrap();
    assert!(calm > hour(5), "{calm}");
    board.set_newest(&follower.key.symbol, Timeframe::H1, hour(4));
    let alarm = follower.wakes_at(&board).unwrap();
    assert_eq!(alarm, hour(5) + SignedDuration::from_secs(35));
    board.set_newest(&follower.key.symbol, Timeframe::H1, hour(5));
    assert_eq!(follower.wakes_at(&board).unwrap(), (hour(6) + SignedDuration::from_secs(35)).min(calm));
}

#[test]
fn a_hole_is_looked_at_from_its_beginning_and_ever_more_seldom_when_it_stays() {
    let (mut follower, board) = (follower(false, None, false), Board::default());
    let minutes = SignedDuration::from_mins;
    let first = follower.wants(&board, hour(0)).unwrap();
    let hole = Holes { new: Some(hour(-90)), any: true };
    follower.answered(first, Some(hour(0)), hole, hour(0));
    let mut now = hour(0) + minutes(1);
    let look = follower.wants(&board, now).unwrap();
    assert_eq!((look.from, look.look), (hour(-90), true), "further back than looks go otherwise");
    // It lands in an outage.
    follower.failed(None, now);
    now += minutes(1);
    assert_eq!(follower.wants(&board, now).unwrap().from, hour(-90));
    for pause in [3, 9, 27] {
        let look = Window { from: hour(-90), to: now, first: false, look: true };
        follower.answered(look, None, Holes { new: None, any: true }, now);
        assert_eq!(follower.next_look, now + minutes(pause));
        now += minutes(pause);
    }
    assert_eq!(follower.wants(&board, now).unwrap().from, hour(-72), "it is known now");
}

#[test]
fn a_look_that_became_due_while_something_else_was_asked_is_still_due() {
    let (mut follower, board) = (follower(false, Some(0), false), Board::default());
    let due = follower.next_look;
    let window = follower.wants(&board, hour(0)).unwrap();
    assert!(!window.look);
    follower.answered(window, Some(hour(0)), Holes::default(), due);
    assert!(follower.wants(&board, due).unwrap().look);
}
