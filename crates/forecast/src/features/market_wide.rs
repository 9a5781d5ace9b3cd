//! The market group: the pool's level, spread and common movement, the volatility index, the coins' leader.

use super::har::Means;
use super::{RowView, Sink};
use crate::panel::NO_ROW;
use crate::window::{last, mean_last, mean_last_of};
use ::market::AssetKind;

/// Days of the volatility index its percentile is taken over.
const PERCENTILE_WINDOW: usize = 500;

pub(super) fn write(view: &RowView<'_>, means: &Means, sink: &mut Sink<'_>) {
    let RowView { pool, pool_row, .. } = *view;
    let windows = view.shape.windows;
    sink.put("class_spread", pool.spread[pool_row]);
    for window in [windows[2], windows[1]] {
        // The variance of the mean return against the mean variance: how much the assets move together.
        let together = mean_last_of(&pool.ret, pool_row, window, |r| r * r).ln();
        sink.put_at("class_correlation", window, together - mean_last(&pool.ln_variance, pool_row, window));
    }
    sink.put_at("own_to_class", windows[0], means.own[0] - means.class[0]);
    sink.put_at("own_to_class", windows[3], means.own[3] - means.class[3]);
    sink.put("class_ln_variance", means.class[0]);
    sink.put("class_bar_to_month", means.class[0] - means.class[2]);
    sink.put("class_month_to_year", means.class[2] - means.class[4]);
    if view.reads_index() {
        let index = &view.panel.volatility_index;
        let now = view.index(&index.ln_variance, 0);
        sink.put("index_change_1", now - view.index(&index.ln_variance, 1));
        sink.put("index_change_5", now - view.index(&index.ln_variance, 5));
        let past = view.index_known.checked_sub(1).map(|at| last(&index.ln_variance, at, PERCENTILE_WINDOW));
        let percentile = past
            .filter(|p| p.len() == PERCENTILE_WINDOW)
            .map_or(f64::NAN, |past| past.iter().filter(|v| **v < now).count() as f64 / PERCENTILE_WINDOW as f64);
        sink.put("index_percentile", percentile);
        sink.put("index_to_realized", now - means.class[2]);
        sink.put("index_range", view.index(&index.ln_range, 0));
    }
    if view.kind == AssetKind::Coin {
        let leader = pool.leader.filter(|_| pool.leader_row[pool_row] != NO_ROW);
        let leader = leader.map(|asset| (&view.panel.series[asset], pool.leader_row[pool_row] as usize));
        for window in &windows[..4] {
            let level = leader.map_or(f64::NAN, |(series, row)| mean_last(&series.ln_variance, row, *window));
            sink.put_at("leader_ln_variance_rel", *window, level - view.ln_ewma);
        }
        let ret = leader.map_or(f64::NAN, |(series, row)| series.ret[row] / series.ewma_variance[row].sqrt());
        sink.put("leader_return", ret.clamp(-6.0, 6.0));
    }
}
