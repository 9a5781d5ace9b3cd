//! Macro series: an economy that breathes, what is published of it, when, and what is corrected later.
//!
//! Each month has its releases at the hours the real ones have in New York: the federal funds rate on the first session,
//! unemployment on the first Friday, consumer prices from the 12th, the sentiment survey twice (preliminary and final),
//! GDP in three estimates from the 27th. Unemployment is revised each January, consumer prices each February.

use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan};
use market::{Asset, AssetKind, Calendar, Observation, Span};

use crate::Error;
use crate::noise::Stream;

/// One of the series whose economy is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Series {
    Gdp,
    ConsumerPrices,
    Unemployment,
    FundsRate,
    Sentiment,
}

impl Series {
    fn of(asset: &Asset) -> Option<Self> {
        Some(match asset.source_symbol.as_str() {
            "GDP" => Self::Gdp,
            "CPIAUCSL" => Self::ConsumerPrices,
            "UNRATE" => Self::Unemployment,
            "FEDFUNDS" => Self::FundsRate,
            "UMCSENT" => Self::Sentiment,
            _ => return None,
        })
    }

    const fn decimals(self) -> i32 {
        match self {
            Self::Gdp | Self::ConsumerPrices => 3,
            Self::FundsRate => 2,
            Self::Unemployment | Self::Sentiment => 1,
        }
    }

    fn round(self, value: f64) -> f64 {
        let scale = 10_f64.powi(self.decimals());
        (value * scale).round() / scale
    }
}

/// The state of the economy in one month.
#[derive(Debug, Clone, Copy)]
struct Month {
    first: Date,
    activity: f64,
    inflation: f64,
    prices: f64,
    unemployment: f64,
    funds_target: f64,
    sentiment: f64,
    gdp: f64,
}

/// One release: the moment, and for each series the vintages that end and begin.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) at: Timestamp,
    pub(crate) rows: Vec<(usize, Observation)>,
}

/// What a series is due to publish: the moment, its date, and values by period.
type Due = (Timestamp, Date, Vec<(Date, f64)>);

/// The economy and what has been published of it.
#[derive(Debug, Clone)]
pub(crate) struct Economy {
    stream: Stream,
    published: Vec<Published>,
    /// The last months, newest last; a year and a bit for revisions.
    months: Vec<Month>,
    /// The first day of the month whose releases come next.
    next: Date,
    /// When a value is corrected out of turn.
    correction: Option<Date>,
}

/// One series and its current vintages.
#[derive(Debug, Clone)]
struct Published {
    asset: usize,
    series: Series,
    current: Vec<Observation>,
}

/// Months that are kept: enough for a year's revision and the quarter before.
const KEPT: usize = 18;

impl Economy {
    /// The macro series of a universe, published from the month of `start` on; `None` without any. On the day of
    /// `correction` one value of the first series is corrected out of turn.
    ///
    /// # Errors
    /// When the universe has a series that is not known.
    pub(crate) fn new(
        seed: u64,
        universe: &[Asset],
        start: Date,
        correction: Option<Date>,
    ) -> Result<Option<Self>, Error> {
        let mut published = Vec::new();
        for (asset, series) in universe.iter().enumerate().filter(|(_, asset)| asset.kind == AssetKind::Series) {
            let known = Series::of(series).ok_or_else(|| Error::UnknownSeries {
                symbol: series.symbol.clone(),
                source_symbol: series.source_symbol.clone(),
            })?;
            published.push(Published { asset, series: known, current: Vec::new() });
        }
        if published.is_empty() {
            return Ok(None);
        }
        let next = start.first_of_month();
        let first = next.checked_sub(6.months()).expect("simulated years are far from the first one");
        let month = Month {
            first,
            activity: 0.0,
            inflation: 2.4,
            prices: 196.0,
            unemployment: 5.0,
            funds_target: 2.5,
            sentiment: 90.0,
            gdp: 13_000.0,
        };
        let mut economy =
            Self { stream: Stream::new(seed, "economy"), published, months: vec![month], next, correction };
        while economy.last().first < next {
            economy.live_on();
        }
        Ok(Some(economy))
    }

    fn last(&self) -> &Month {
        self.months.last().expect("an economy begins with a month and keeps the last ones")
    }

    /// No release of what is still to come is earlier.
    pub(crate) fn next_open(&self) -> Timestamp {
        market::calendar::midnight(self.next)
    }

    /// The next month happens.
    fn live_on(&mut self) {
        let last = *self.last();
        let first = next_month(last.first);
        let index = index_of(first);
        let ((a, b), (c, d)) = (self.stream.normals(index, 0), self.stream.normals(index, 1));
        let ((e, f), turmoil) = (self.stream.normals(index, 2), self.stream.uniform(index, 20));
        // Once in eight years or so activity breaks in.
        let shock = if turmoil < 0.01 { -1.6 } else { 0.0 };
        let activity = 0.965 * last.activity + 0.2 * a + shock;
        let inflation = last.inflation + 0.05 * (2.4 + 0.35 * activity - last.inflation) + 0.17 * b;
        let prices = last.prices * (inflation / 1200.0 + 0.001 * c).exp();
        let natural = 4.6 - 1.0 * activity;
        let unemployment =
            (last.unemployment + 0.10 * (natural - last.unemployment) - 0.25 * shock + 0.07 * d).max(2.4);
        let rule = (2.6 + 1.3 * (inflation - 2.4) + 0.6 * activity).max(0.125);
        let wanted = ((rule - last.funds_target) / 0.25 * 0.5).round().clamp(-2.0, 2.0) * 0.25;
        // The committee meets eight times a year.
        let meets = !matches!(first.month(), 2 | 4 | 8 | 10);
        let funds_target = (last.funds_target + if meets { wanted } else { 0.0 }).max(0.125);
        let mood = 88.0 + 3.5 * activity - 2.0 * (inflation - 2.4);
        let sentiment = (last.sentiment + 0.15 * (mood - last.sentiment) + 2.4 * e).clamp(45.0, 115.0);
        let growth = (2.0 + 1.1 * activity + inflation) / 1200.0 + 0.0012 * f;
        let gdp = last.gdp * growth.exp();
        let month = Month { first, activity, inflation, prices, unemployment, funds_target, sentiment, gdp };
        self.months.push(month);
        if self.months.len() > KEPT {
            self.months.remove(0);
        }
    }

    /// All releases of the next month, ascending.
    pub(crate) fn month(&mut self) -> Vec<Release> {
        while self.last().first < self.next {
            self.live_on();
        }
        let month = self.next;
        let correction = self.correction.filter(|day| day.first_of_month() == month);
        let mut due = Vec::new();
        for index in 0..self.published.len() {
            for (at, day, values) in self.due(self.published[index].series, month) {
                due.push((at, day, index, values));
            }
        }
        due.sort_by_key(|(at, _, index, _)| (*at, *index));
        let mut releases: Vec<Release> = Vec::new();
        let mut corrected = correction.is_none();
        for (at, day, index, values) in due {
            if let Some(date) = correction.filter(|date| !corrected && day > *date) {
                releases.extend(self.correct(date));
                corrected = true;
            }
            let rows = self.published[index].publish(at, day, values);
            releases.push(Release { at, rows });
        }
        if let Some(date) = correction.filter(|_| !corrected) {
            releases.extend(self.correct(date));
        }
        self.next = next_month(month);
        releases
    }

    /// What one series publishes within a month.
    fn due(&self, series: Series, month: Date) -> Vec<Due> {
        let before = |n: i32| month.checked_sub(n.months()).ok();
        let last_month = before(1).expect("simulated years are far from the first one");
        let value = |first: Date, read: &dyn Fn(&Month) -> f64| {
            self.months.iter().find(|m| m.first == first).map(|m| (first, series.round(read(m))))
        };
        let noise = |first: Date, lane: u64| self.stream.normal(index_of(first), 100 + lane);
        match series {
            Series::FundsRate => {
                let (day, span) = session_from(month);
                let read = |m: &Month| m.funds_target + 0.08 + 0.01 * noise(m.first, 0);
                vec![(
                    span.close_time + SignedDuration::from_mins(15),
                    day,
                    value(last_month, &read).into_iter().collect(),
                )]
            }
            Series::Unemployment => {
                let (day, span) = session_from(friday(month));
                // Each January the seasonal pattern is fitted anew, and the past year moves a little with it.
                let anew = |m: &Month, since: i16| 0.07 * noise(m.first, 1 + since.unsigned_abs() as u64 % 7);
                let seen = |m: &Month| if m.first.year() < month.year() { month.year() } else { m.first.year() };
                let read = |m: &Month| m.unemployment + anew(m, seen(m));
                let back = if month.month() == 1 { 12 } else { 1 };
                vec![(span.open_time - HOUR, day, (1..=back).rev().filter_map(|n| value(before(n)?, &read)).collect())]
            }
            Series::ConsumerPrices => {
                let (day, span) = session_from(on(month, 12));
                let anew = |m: &Month, since: i16| 0.0004 * noise(m.first, 10 + since.unsigned_abs() as u64 % 7);
                let seen = |m: &Month| {
                    let settled = m.first.year() < month.year() && (month.month() > 1 || m.first.month() < 12);
                    if settled { month.year() } else { m.first.year() }
                };
                let read = |m: &Month| m.prices * (1.0 + anew(m, seen(m)));
                let back = if month.month() == 2 { 13 } else { 1 };
                vec![(span.open_time - HOUR, day, (1..=back).rev().filter_map(|n| value(before(n)?, &read)).collect())]
            }
            Series::Sentiment => {
                let early = session_from(friday(month) + 7.days());
                let late = session_from(on(month, 24));
                let read = |m: &Month| m.sentiment;
                let preliminary = |m: &Month| m.sentiment + 1.1 * noise(m.first, 20);
                let ten = SignedDuration::from_mins(30);
                vec![
                    (early.1.open_time + ten, early.0, value(month, &preliminary).into_iter().collect()),
                    (late.1.open_time + ten, late.0, value(month, &read).into_iter().collect()),
                ]
            }
            Series::Gdp => {
                let (day, span) = session_from(on(month, 27));
                let estimate = (i32::from(month.month()) - 1) % 3 + 1;
                let rough = [0.0022, 0.0009, 0.0][estimate as usize - 1];
                let Some(quarter) = before(estimate + 2) else { return Vec::new() };
                // A quarter's product is the mean of its months', at a yearly rate.
                let months: Vec<f64> =
                    self.months.iter().filter(|m| m.first >= quarter).take(3).map(|m| m.gdp).collect();
                if self.months.first().is_none_or(|m| m.first > quarter) {
                    return Vec::new();
                }
                let mean = months.iter().sum::<f64>() / 3.0;
                let seen = mean * (1.0 + rough * noise(quarter, 29 + estimate as u64));
                vec![(span.open_time - HOUR, day, vec![(quarter, series.round(seen))])]
            }
        }
    }

    /// Corrects the newest value of the first series that has one, by a few of its smallest steps.
    fn correct(&mut self, day: Date) -> Option<Release> {
        let (day, span) = session_from(day);
        let published = self.published.iter_mut().find(|published| !published.current.is_empty())?;
        let last = published.current.last()?;
        let (ref_period, value) = (last.ref_period, last.value);
        let step = 10_f64.powi(-published.series.decimals());
        let by = if published.series == Series::Gdp { (0.0011 * value).max(step) } else { 2.0 * step };
        let at = span.open_time - HOUR;
        let rows = published.publish(at, day, vec![(ref_period, published.series.round(value + by))]);
        Some(Release { at, rows })
    }
}

/// From 09:30, when the session opens, to 08:30, when most figures come out.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Published {
    /// The rows of a release: for each value that is new or changed the vintage that ends, then the one that begins.
    fn publish(&mut self, at: Timestamp, day: Date, values: Vec<(Date, f64)>) -> Vec<(usize, Observation)> {
        let mut rows = Vec::new();
        for (ref_period, value) in values {
            // A revision reaches back only as far as something has been published.
            if self.current.first().is_some_and(|first| ref_period < first.ref_period) {
                continue;
            }
            let place = self.current.iter().position(|o| o.ref_period == ref_period);
            if let Some(index) = place {
                let old = &self.current[index];
                // A vintage lasts at least a day: two within one would have no order by date.
                if old.value == value || old.realtime_start >= day {
                    continue;
                }
                rows.push((self.asset, Observation { realtime_end: Some(day), ..old.clone() }));
            }
            let new = Observation { ref_period, value, realtime_start: day, realtime_end: None, known_at: at };
            rows.push((self.asset, new.clone()));
            match place {
                Some(index) => self.current[index] = new,
                None => self.current.push(new),
            }
        }
        if self.current.len() > KEPT {
            self.current.drain(..self.current.len() - KEPT);
        }
        rows
    }
}

fn next_month(first: Date) -> Date {
    first.checked_add(1.month()).expect("simulated years are far from the last one")
}

fn index_of(first: Date) -> u64 {
    (i64::from(first.year()) * 12 + i64::from(first.month())).unsigned_abs()
}

fn on(month: Date, day: i8) -> Date {
    month.with().day(day).build().expect("every month has 27 days")
}

fn friday(month: Date) -> Date {
    month.nth_weekday_of_month(1, Weekday::Friday).expect("every month has four Fridays")
}

/// The first session on or after a date.
pub(crate) fn session_from(day: Date) -> (Date, Span) {
    (0..10)
        .filter_map(|n| {
            let day = day.checked_add(n.days()).ok()?;
            Calendar::Nyse.day(day).map(|span| (day, span))
        })
        .next()
        .expect("the exchange is never closed for ten days in simulated years")
}
