//! The features of one asset's rows, kept while training.

use crate::features::{FeatureSet, RowView};
use crate::panel::Panel;

/// Feature blocks of an asset's rows.
#[derive(Debug)]
pub(super) struct AssetMatrix {
    /// Position of the asset in the panel.
    pub(super) asset: usize,
    /// The asset's rows, ascending.
    pub(super) rows: Vec<usize>,
    n_row: usize,
    n_ahead: usize,
    row_blocks: Vec<f64>,
    /// One for each anchor.
    ahead_blocks: Vec<Vec<f64>>,
}

impl AssetMatrix {
    /// Computes the features of the given rows.
    pub(super) fn new(panel: &Panel, asset: usize, rows: Vec<usize>, features: &FeatureSet) -> Self {
        let (n_row, n_ahead) = (features.n_row, features.n_ahead);
        let mut row_blocks = vec![0.0; rows.len() * n_row];
        let mut ahead_blocks = vec![vec![0.0; rows.len() * n_ahead]; panel.shape.anchors.len()];
        for (at, row) in rows.iter().enumerate() {
            let view = RowView::new(panel, asset, *row);
            FeatureSet::row_block(&view, &mut row_blocks[at * n_row..(at + 1) * n_row]);
            for (blocks, horizon) in ahead_blocks.iter_mut().zip(panel.shape.anchors) {
                FeatureSet::ahead_block(&view, *horizon, &mut blocks[at * n_ahead..(at + 1) * n_ahead]);
            }
        }
        Self { asset, rows, n_row, n_ahead, row_blocks, ahead_blocks }
    }

    /// The row block of the `at`-th row.
    pub(super) fn row_block(&self, at: usize) -> &[f64] {
        &self.row_blocks[at * self.n_row..(at + 1) * self.n_row]
    }

    /// The bars-ahead block of the `at`-th row at an anchor.
    pub(super) fn ahead_block(&self, at: usize, anchor: usize) -> &[f64] {
        &self.ahead_blocks[anchor][at * self.n_ahead..(at + 1) * self.n_ahead]
    }
}
