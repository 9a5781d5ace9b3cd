//! The leverage and jump group: falls against rises, jumps against ranges, gaps, and where the bar closed.

use super::har::Means;
use super::{RowView, Sink};
use crate::window::{last, max_last, mean_last, mean_last_of, mean_sd_last, sum, sum_of};

pub(super) fn write(view: &RowView<'_>, means: &Means, sink: &mut Sink<'_>) {
    let RowView { series, row, shape, .. } = *view;
    let windows = shape.windows;
    let (month, quarter) = (windows[2], windows[3]);
    for window in &windows[1..4] {
        let returns = last(&series.ret, row, *window);
        let all = sum_of(returns, |r| r * r);
        let falls = sum_of(returns, |r| if r < 0.0 { r * r } else { 0.0 });
        sink.put_at("share_of_falls", *window, falls / all);
    }
    sink.put("ewma_return", series.ewma_return[row] / view.sd);
    sink.put("negative_return", means.signed.min(0.0));
    let (_, roughness) = mean_sd_last(&series.ln_variance, row, month);
    sink.put("variance_of_variance", roughness);
    let gaps = sum_of(last(&series.overnight, row, month), |o| o * o);
    sink.put("overnight_share", gaps / sum(last(&series.variance, row, month)));
    sink.put("overnight", (series.overnight[row] / view.sd).clamp(-6.0, 6.0));
    for (window, mean) in [(month, means.own[2]), (quarter, means.own[3])] {
        let squares = mean_last_of(&series.ret, row, window, |r| r * r).ln();
        sink.put_at("returns_to_ranges", window, squares - mean);
    }
    let peak = max_last(&series.variance, row, month) / mean_last(&series.variance, row, month);
    sink.put("variance_peak", peak.ln());
    for window in [2, 2 * windows[1], shape.long_window] {
        sink.put_at("ln_variance_rel", window, mean_last(&series.ln_variance, row, window) - view.ln_ewma);
    }
    let (volume, _) = mean_sd_last(&series.ln_volume, row, month);
    sink.put("volume_to_month", series.ln_volume[row] - volume);
    sink.put("close_position", series.close_position[row]);
    if shape.reads_hours {
        for window in &windows[..3] {
            let of = |pick: fn(&crate::panel::HourSums) -> f64| mean_present(view, *window, pick);
            sink.put_at("hours_realized_rel", *window, of(|h| h.ln_realized) - view.ln_ewma);
            sink.put_at("hours_range_rel", *window, of(|h| h.ln_range) - view.ln_ewma);
        }
        let sums = series.hour_sums[row];
        sink.put("hours_bipower_share", sums.ln_bipower - sums.ln_realized);
        sink.put("hours_last_six_rel", sums.ln_last_six - view.ln_ewma);
    }
}

/// Mean over the days of the window that had enough hours.
fn mean_present(view: &RowView<'_>, window: usize, pick: fn(&crate::panel::HourSums) -> f64) -> f64 {
    let days = last(&view.series.hour_sums, view.row, window);
    let present = days.iter().map(pick).filter(|v| !v.is_nan());
    let (sum, n) = present.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / n
}
