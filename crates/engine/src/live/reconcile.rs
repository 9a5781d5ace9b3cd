//! What came, beside what is stored.

use jiff::Timestamp;
use market::{Action, Bar, Remark, RemarkKind};
use storage::SeriesKey;

/// What of an answer is to be stored.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    /// New bars and corrected ones, ascending; corrected ones are known now.
    pub(super) bars: Vec<Bar>,
    /// What to note of the corrected ones.
    pub(super) remarks: Vec<Remark>,
}

/// Compares an answer with what is stored of the same window; both ascend. Prices within `tolerance` of each other are the
/// same to the source, and so are volumes.
pub(super) fn news(key: &SeriesKey, stored: &[Bar], came: Vec<Bar>, tolerance: f64, now: Timestamp) -> News {
    let mut news = News::default();
    for bar in came {
        match stored.binary_search_by_key(&bar.open_time, |bar| bar.open_time) {
            Err(_) => news.bars.push(bar),
            Ok(at) if same(&stored[at], &bar, tolerance) => {}
            Ok(at) => {
                let old = &stored[at];
                news.remarks.push(Remark {
                    kind: RemarkKind::Revised,
                    symbol: Some(key.symbol.clone()),
                    timeframe: Some(key.timeframe),
                    from: Some(bar.open_time),
                    to: Some(bar.close_time),
                    text: format!(
                        "open {} high {} low {} close {} volume {} became {} {} {} {} {}",
                        old.open,
                        old.high,
                        old.low,
                        old.close,
                        old.volume,
                        bar.open,
                        bar.high,
                        bar.low,
                        bar.close,
                        bar.volume
                    ),
                });
                news.bars.push(Bar { known_at: now.max(bar.known_at), ..bar });
            }
        }
    }
    news
}

fn same(old: &Bar, new: &Bar, tolerance: f64) -> bool {
    let near = |a: f64, b: f64| a == b || (a - b).abs() <= tolerance * a.abs().max(b.abs());
    let values = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close, bar.volume];
    old.close_time == new.close_time && values(old).into_iter().zip(values(new)).all(|(a, b)| near(a, b))
}

/// Vendors round dividends, and do so anew in the terms of each later split: within this share two amounts are one.
const SAME_AMOUNT: f64 = 1e-3;

/// Those of `came` that are not `known`: another event, or one with other terms, which are known now.
pub(super) fn new_actions(known: &[Action], came: Vec<Action>, now: Timestamp) -> Vec<Action> {
    use market::ActionKind::{Dividend, Split};
    let near = |a: f64, b: f64| (a - b).abs() <= SAME_AMOUNT * a.abs().max(b.abs());
    let same = |old: &Action, new: &Action| {
        old.ex_date == new.ex_date
            && match (&old.kind, &new.kind) {
                (Dividend { amount: a }, Dividend { amount: b }) => near(*a, *b),
                (Split { numerator: a, denominator: b }, Split { numerator: c, denominator: d }) => near(a / b, c / d),
                (a, b) => a == b,
            }
    };
    let changed = |new: &Action| {
        let event = |action: &Action| (action.ex_date, std::mem::discriminant(&action.kind));
        !matches!(new.kind, Dividend { .. }) && known.iter().any(|old| event(old) == event(new))
    };
    let mut news: Vec<Action> = came.into_iter().filter(|new| !known.iter().any(|old| same(old, new))).collect();
    for new in news.iter_mut().filter(|new| changed(new)) {
        new.known_at = now.max(new.known_at);
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{ActionKind, Adjustment, Timeframe};

    fn hour(n: i64) -> Timestamp {
        Timestamp::from_second(n * 3600).unwrap()
    }

    fn bar(n: i64, close: f64) -> Bar {
        let (open_time, close_time) = (hour(n), hour(n + 1));
        Bar {
            open_time,
            close_time,
            open: 1.0,
            high: 9.0,
            low: 1.0,
            close,
            volume: 5.0,
            adj_close: None,
            known_at: close_time,
        }
    }

    #[test]
    fn only_what_is_new_or_other_is_taken() {
        let key = SeriesKey {
            symbol: "BTC".parse().unwrap(),
            timeframe: Timeframe::H1,
            adjustment: Adjustment::Raw,
            source: "yahoo".to_owned(),
        };
        let stored = [bar(1, 2.0), bar(2, 3.0), bar(4, 5.0)];
        let came = vec![bar(1, 2.000_001), bar(2, 3.3), bar(3, 4.0), bar(4, 5.0), bar(5, 6.0)];
        let news = news(&key, &stored, came, 1e-6, hour(50));
        let revised = Bar { known_at: hour(50), ..bar(2, 3.3) };
        assert_eq!(news.bars, [revised, bar(3, 4.0), bar(5, 6.0)]);
        let [remark] = news.remarks.as_slice() else { panic!("{:?}", news.remarks) };
        assert_eq!((remark.kind, remark.from), (RemarkKind::Revised, Some(hour(2))));
    }

    #[test]
    fn an_action_is_learnt_once() {
        let action = |day: i8, kind| Action { ex_date: jiff::civil::date(2024, 6, day), kind, known_at: hour(0) };
        let split = |numerator| ActionKind::Split { numerator, denominator: 1.0 };
        let paid = |amount| ActionKind::Dividend { amount };
        let known = [action(1, split(4.0)), action(2, paid(0.25))];
        let came = vec![
            action(1, split(4.0)),
            action(1, split(5.0)),
            action(2, paid(0.250_000_01)),
            action(2, paid(0.5)),
            action(3, paid(0.25)),
        ];
        let new = new_actions(&known, came, hour(9));
        let corrected = Action { known_at: hour(9), ..action(1, split(5.0)) };
        assert_eq!(new, [corrected, action(2, paid(0.5)), action(3, paid(0.25))]);
    }
}
