//! The terms of the heterogeneous autoregression (Corsi 2009) on log range variance.

use super::{RowView, Sink};
use crate::window::mean_last;

/// Means the other groups read too.
pub(super) struct Means {
    /// Own mean log variance over the five windows.
    pub(super) own: [f64; 5],
    /// The pool's.
    pub(super) class: [f64; 5],
    /// `|r|/s` and `r/s`, clipped at 6.
    pub(super) absolute: f64,
    pub(super) signed: f64,
}

pub(super) fn write(view: &RowView<'_>, sink: &mut Sink<'_>) -> Means {
    let windows = view.shape.windows;
    let own = windows.map(|w| mean_last(&view.series.ln_variance, view.row, w));
    let class = windows.map(|w| mean_last(&view.pool.ln_variance, view.pool_row, w));
    let signed = (view.series.ret[view.row] / view.sd).clamp(-6.0, 6.0);
    for (window, mean) in windows.iter().zip(own) {
        sink.put_at("har_ln_variance", *window, mean);
    }
    for (window, mean) in windows.iter().zip(class).take(4) {
        sink.put_at("har_class_ln_variance", *window, mean);
    }
    sink.put("har_negative_return", signed.min(0.0));
    sink.put("har_absolute_return", signed.abs());
    if view.reads_index() {
        sink.put("har_index_ln_variance", view.index(&view.panel.volatility_index.ln_variance, 0));
    }
    if view.shape.is_hourly() {
        let day = 24.0 * 3.6e9;
        let hour = std::f64::consts::TAU * (view.close_us() as f64 / day).fract();
        for harmonic in [1.0, 2.0, 3.0] {
            sink.put_at("har_hour_sin", harmonic as usize, (harmonic * hour).sin());
            sink.put_at("har_hour_cos", harmonic as usize, (harmonic * hour).cos());
        }
        sink.put("har_weekend", f64::from(crate::calendar::utc_weekday(view.close_us()) >= 5));
    }
    Means { own, class, absolute: signed.abs(), signed }
}
