//! What is known about the bars ahead: calendar, earnings seasons past, the weekly profile.

use ::market::{AssetClass, AssetKind};

use super::{RowView, Sink};
use crate::calendar::{Sessions, hour_of_day, slots_ahead, utc_month, utc_weekday, weekend_days};

/// Bars of a quarter of sessions: companies report about this often.
const QUARTER: usize = 63;

pub(super) fn write(view: &RowView<'_>, horizon: usize, sink: &mut Sink<'_>) {
    if view.shape.is_hourly() {
        profile(view, horizon, sink);
    } else if view.panel.class() == AssetClass::Stocks {
        sessions(view, horizon, sink);
        if view.kind == AssetKind::Equity {
            earnings(view, horizon, sink);
        }
    } else {
        let close = view.close_us();
        let next = utc_weekday(close);
        sink.put("weekend_days", weekend_days(next, horizon) as f64);
        sink.put("next_weekday", next as f64);
        for weekday in 0..6 {
            sink.put_at("next_weekday_is", weekday, f64::from(next == weekday));
        }
        sink.put("month", f64::from(utc_month(close)));
    }
}

fn sessions(view: &RowView<'_>, horizon: usize, sink: &mut Sink<'_>) {
    let table = Sessions::table();
    let at = table.closed_at(view.close_us());
    let ahead = at.and_then(|at| table.ahead(at, horizon));
    let soon = at.and_then(|at| table.ahead(at, 3));
    let mut put = |name, value: Option<f64>| sink.put(name, value.unwrap_or(f64::NAN));
    put("payrolls", ahead.map(|a| f64::from(a.payrolls)));
    put("expiries", ahead.map(|a| f64::from(a.expiries)));
    put("fomc", ahead.and_then(|a| a.announcements).map(f64::from));
    put("fomc_within_three", soon.and_then(|a| a.announcements).map(f64::from));
    put("month_ends", ahead.map(|a| f64::from(a.month_ends)));
    put("days_ahead", ahead.map(|a| f64::from(a.days)));
    put("christmas", ahead.map(|a| f64::from(a.christmas)));
    put("month", ahead.map(|a| f64::from(a.month)));
    put("next_weekday", ahead.map(|a| f64::from(a.weekday)));
    put("next_is_monday", ahead.map(|a| f64::from(a.weekday == 0)));
    put("next_is_friday", ahead.map(|a| f64::from(a.weekday == 4)));
}

/// Abnormal variance one to four (and eight) quarters before the bars ahead: companies report at about the same time of
/// each quarter, so no calendar of reports is needed.
fn earnings(view: &RowView<'_>, horizon: usize, sink: &mut Sink<'_>) {
    let abnormal = &view.series.abnormal;
    for quarters in [1, 2, 3, 4, 8] {
        let lag = quarters * QUARTER;
        // Bars ahead are row + 1 ..= row + horizon.
        let within = |slack: usize| {
            let from = (view.row + 1).checked_sub(lag + slack)?;
            let to = (view.row + horizon + slack).checked_sub(lag)?.min(view.row);
            abnormal.get(from..=to).filter(|bars| !bars.is_empty())
        };
        let largest = within(3).map(|bars| bars.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        sink.put_at("abnormal_peak_quarters_ago", quarters, largest.unwrap_or(f64::NAN));
        if quarters < 8 {
            let mean = within(2).map(|bars| bars.iter().sum::<f64>() / bars.len() as f64);
            sink.put_at("abnormal_mean_quarters_ago", quarters, mean.unwrap_or(f64::NAN));
        }
    }
    // The last report shows as the most unusual bar of a quarter and some days.
    let from = (view.row + 1).saturating_sub(75);
    let mut largest = (f64::NEG_INFINITY, f64::NAN);
    let recent = abnormal[from..=view.row].iter().zip(&view.series.volume_z[from..=view.row]);
    for (at, (abnormal, volume)) in recent.enumerate() {
        let size = abnormal + if volume.is_nan() { 0.0 } else { *volume };
        if size > largest.0 {
            largest = (size, (view.row - from - at) as f64);
        }
    }
    sink.put("bars_since_unusual", largest.1);
    sink.put("unusual_size", largest.0);
}

fn profile(view: &RowView<'_>, horizon: usize, sink: &mut Sink<'_>) {
    let pool = view.pool;
    let at = view.pool_row;
    let (mut sum, mut n) = (0.0, 0.0);
    let mut next = None;
    slots_ahead(view.panel.class(), view.close_us(), horizon, |slot| {
        next.get_or_insert(slot);
        let value = pool.profile_of(slot, at);
        if !value.is_nan() {
            sum += value;
            n += 1.0;
        }
    });
    let ahead = sum / n;
    let six = crate::window::mean_last(&pool.profile, at, 6);
    sink.put("profile_ahead", ahead);
    sink.put("profile_now", pool.profile[at]);
    sink.put("profile_last_six", six);
    sink.put("profile_change", ahead - six);
    sink.put("slot", next.map_or(f64::NAN, f64::from));
    sink.put("next_hour", hour_of_day(view.close_us()));
}
