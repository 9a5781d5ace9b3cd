//! The base group: levels relative to the EWMA variance, recent returns, momentum, volume, drawdown, the volatility index.

use super::har::Means;
use super::{RowView, Sink};
use crate::window::{max_last, mean_last, mean_sd_last, sum};

pub(super) fn write(view: &RowView<'_>, means: &Means, sink: &mut Sink<'_>) {
    let RowView { series, pool, row, pool_row, .. } = *view;
    let windows = view.shape.windows;
    for (window, mean) in windows.iter().zip(means.own) {
        sink.put_at("ln_variance_rel", *window, mean - view.ln_ewma);
    }
    for (window, mean) in windows.iter().zip(means.class) {
        sink.put_at("class_ln_variance_rel", *window, mean - view.ln_ewma);
    }
    sink.put("ln_ewma_variance", view.ln_ewma);
    sink.put("absolute_return", means.absolute);
    sink.put("return", means.signed);
    for window in &windows[1..4] {
        let scale = view.sd * (*window as f64).sqrt();
        let own = sum(crate::window::last(&series.ret, row, *window));
        sink.put_at("return", *window, own / scale);
        let class = sum(crate::window::last(&pool.median_ret, pool_row, *window));
        sink.put_at("class_return", *window, class / scale);
    }
    sink.put("relative_strength", series.strength[row]);
    sink.put("trend", series.trend[row] / view.sd);
    sink.put("volume_z", series.volume_z[row]);
    let (long, _) = mean_sd_last(&series.ln_volume, row, view.shape.volume_window);
    let (short, _) = mean_sd_last(&series.ln_volume, row, view.shape.windows[1]);
    sink.put("volume_short_to_long", short - long);
    let high = max_last(&series.log_price, row, windows[4]);
    sink.put("drawdown", series.log_price[row] - high);
    if view.reads_index() {
        let index = &view.panel.volatility_index.ln_variance;
        let now = view.index(index, 0);
        sink.put("index_rel", now - view.ln_ewma);
        let month = view.index_known.checked_sub(1).map_or(f64::NAN, |at| mean_last(index, at, windows[2]));
        sink.put("index_to_month", now - month);
    }
}
