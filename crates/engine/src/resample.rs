//! Longer bars from shorter ones, by the calendar.

use jiff::Timestamp;
use market::{Bar, Calendar, Timeframe};

/// Joins ascending `bars` into bars of `timeframe`: first open, highest high, lowest low, last close, sum of volumes.
///
/// A bar is given only when it has closed by the last bar at hand; a bar with holes is made of what there is, and one
/// with nothing is left out. `known_at` is the latest of the parts'. The first bar is left out when the parts begin
/// inside it.
#[must_use]
pub fn resample(calendar: Calendar, timeframe: Timeframe, bars: &[Bar]) -> Vec<Bar> {
    let mut joined: Vec<Bar> = Vec::new();
    let mut running: Option<Bar> = None;
    // Parts before this instant belong to a bar whose beginning is not at hand.
    let cut =
        bars.first().map_or(Timestamp::MIN, |first| match calendar.bar_closing_after(timeframe, first.open_time) {
            Some(span) if span.open_time < first.open_time => span.close_time,
            _ => Timestamp::MIN,
        });
    for bar in bars.iter().filter(|bar| bar.open_time >= cut) {
        let inside = running.filter(|whole| bar.open_time < whole.close_time);
        running = match inside {
            Some(whole) => Some(join(whole, bar)),
            None => {
                joined.extend(running);
                let span = calendar.bar_closing_after(timeframe, bar.open_time);
                span.map(|span| Bar { open_time: span.open_time, close_time: span.close_time, ..*bar })
            }
        };
    }
    let end = bars.last().map(|bar| bar.close_time);
    joined.extend(running.filter(|whole| Some(whole.close_time) <= end));
    for whole in &mut joined {
        whole.known_at = whole.known_at.max(whole.close_time);
    }
    joined
}

fn join(whole: Bar, part: &Bar) -> Bar {
    Bar {
        high: whole.high.max(part.high),
        low: whole.low.min(part.low),
        close: part.close,
        adj_close: part.adj_close,
        volume: whole.volume + part.volume,
        known_at: whole.known_at.max(part.known_at),
        ..whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn hour(index: i32, close: f64) -> Bar {
        let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
        let open_time = start + SignedDuration::from_hours(1) * index;
        let close_time = open_time + SignedDuration::from_hours(1);
        Bar {
            open_time,
            close_time,
            open: close - 0.5,
            high: close + 1.0,
            low: close - 1.0,
            close,
            volume: 2.0,
            adj_close: None,
            known_at: close_time,
        }
    }

    fn check(hours: &[i32], expected: &[(f64, f64, f64, f64, f64)]) {
        let bars: Vec<Bar> = hours.iter().map(|&h| hour(h, 100.0 + f64::from(h))).collect();
        let joined = resample(Calendar::Continuous, Timeframe::H4, &bars);
        let got: Vec<_> = joined.iter().map(|b| (b.open, b.high, b.low, b.close, b.volume)).collect();
        assert_eq!(got, expected, "{hours:?}");
    }

    #[test]
    fn only_whole_bars_are_given() {
        check(&[0, 1, 2, 3], &[(99.5, 104.0, 99.0, 103.0, 8.0)]);
        check(&[0, 1, 2], &[]);
        check(&[0, 3, 4], &[(99.5, 104.0, 99.0, 103.0, 4.0)]);
        check(&[2, 3, 4, 5, 6, 7], &[(103.5, 108.0, 103.0, 107.0, 8.0)]);
        check(&[0, 1, 2, 3, 8, 9, 10, 11], &[(99.5, 104.0, 99.0, 103.0, 8.0), (107.5, 112.0, 107.0, 111.0, 8.0)]);
    }
}
