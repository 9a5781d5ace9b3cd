//! Training of one pool: normal equations that grow with time, boosters now and then, residuals at every refit.

use std::sync::Arc;

use market::Symbol;
use rayon::prelude::*;

use super::boosters::BoosterGeneration;
use super::matrix::AssetMatrix;
use super::{AnchorModel, FOLDS, LogVariances, PoolModel, Scale, write_design};
use crate::error::ForecastError;
use crate::features::FeatureSet;
use crate::linear::{BATCH, Gram, Standard, dot};
use crate::panel::Panel;
use crate::residual::Residuals;
use crate::sampling::sample;
use crate::shape::{Recipe, Shape, symmetric_share};
use crate::window::mean_last;

/// Rows of a pool kept in memory at most; larger pools are thinned evenly.
const MAX_HELD_ROWS: usize = 600_000;

/// Rows the means and standard deviations are taken over.
const STANDARD_ROWS: usize = 20_000;

/// Fewest labelled rows an anchor is fitted on.
const MIN_ROWS: usize = 500;

/// Penalty of HAR on standardised terms: only to keep collinear terms apart.
const HAR_PENALTY: f64 = 1.0;

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) max_rows: usize,
    /// Whether any model wanted needs boosters.
    pub(crate) boosted: bool,
    /// Whether the boosted quantiles are wanted for themselves: at every boosted anchor, not only where the ensemble
    /// takes a share of them.
    pub(crate) quantiles: bool,
}

/// Coefficients of one anchor: of all blocks, and of all but each fold's.
#[derive(Debug, Clone)]
pub(super) struct Coefficients {
    pub(super) har: Vec<f64>,
    pub(super) ridge: Vec<f64>,
    by_fold: Vec<(Vec<f64>, Vec<f64>)>,
}

/// The normal equations of one anchor, by block of steps.
struct Equations {
    blocks: Vec<Option<Gram>>,
    /// For each member, the first of its held rows that is not in the equations yet.
    next: Vec<usize>,
}

/// A pool in training. Refits go forward in time.
pub(crate) struct Trainer<'p> {
    pub(super) panel: &'p Panel,
    pub(super) shape: &'static Shape,
    pub(super) pool: usize,
    pub(super) settings: Settings,
    pub(super) features: FeatureSet,
    pub(super) members: Vec<usize>,
    pub(super) matrices: Vec<AssetMatrix>,
    pub(super) standard_row: Standard,
    pub(super) standards_ahead: Vec<Standard>,
    equations: Vec<Equations>,
    generation: Option<BoosterGeneration>,
}

impl<'p> Trainer<'p> {
    /// Computes the features of the pool's rows up to `last_us`; means and standard deviations come from rows up to
    /// `first_us`, the first fit.
    ///
    /// # Errors
    /// When the pool has too few rows by `first_us`.
    pub(crate) fn new(
        panel: &'p Panel,
        pool: usize,
        settings: Settings,
        first_us: i64,
        last_us: i64,
    ) -> Result<Self, ForecastError> {
        let kind = panel.pools[pool].kind;
        let features = FeatureSet::of(panel.class(), panel.base(), kind)?;
        let (members, matrices) = Self::matrices(panel, pool, &features, first_us, last_us)?;
        let standards = Self::standards(panel, &matrices, &features, first_us);
        Ok(Self::assemble(panel, pool, settings, features, (members, matrices), standards))
    }

    /// The same with the standardisation and boosters of a fitted model.
    ///
    /// # Errors
    /// When the pool has too few rows by `through_us`.
    pub(crate) fn resume(
        panel: &'p Panel,
        pool: usize,
        settings: Settings,
        model: &PoolModel,
        through_us: i64,
    ) -> Result<Self, ForecastError> {
        let features = model.features.clone();
        let held = Self::matrices(panel, pool, &features, through_us, through_us)?;
        let standards =
            (model.standard_row.clone(), model.anchors.iter().map(|a| a.standard_ahead.clone()).collect::<Vec<_>>());
        let mut trainer = Self::assemble(panel, pool, settings, features, held, standards);
        let boosters: Vec<_> = model.anchors.iter().map_while(|a| a.boosters.clone()).collect();
        if !boosters.is_empty() {
            trainer.generation = Some(BoosterGeneration::adopt(boosters, trainer.members.len()));
        }
        Ok(trainer)
    }

    fn assemble(
        panel: &'p Panel,
        pool: usize,
        settings: Settings,
        features: FeatureSet,
        (members, matrices): (Vec<usize>, Vec<AssetMatrix>),
        (standard_row, standards_ahead): (Standard, Vec<Standard>),
    ) -> Self {
        let n_members = members.len();
        let equations = standards_ahead.iter().map(|_| Equations { blocks: Vec::new(), next: vec![0; n_members] });
        Self {
            panel,
            shape: panel.shape,
            pool,
            settings,
            features,
            members,
            matrices,
            standard_row,
            equations: equations.collect(),
            standards_ahead,
            generation: None,
        }
    }

    /// The members and the features of their rows up to `last_us`; nothing is computed for a pool that has too few by
    /// `first_us`.
    fn matrices(
        panel: &Panel,
        pool: usize,
        features: &FeatureSet,
        first_us: i64,
        last_us: i64,
    ) -> Result<(Vec<usize>, Vec<AssetMatrix>), ForecastError> {
        // Who has no bar yet is no member: that he will have one is not known.
        let began = |asset: &usize| panel.series[*asset].close_us.first().is_some_and(|first| *first <= last_us);
        let members = (0..panel.n_assets()).filter(|a| panel.series[*a].pool == pool).filter(began);
        let members: Vec<usize> = members.collect();
        let ends: Vec<usize> =
            members.iter().map(|a| panel.series[*a].close_us.partition_point(|c| *c <= last_us)).collect();
        let first = panel.shape.first_row;
        let total: usize = ends.iter().map(|end| end.saturating_sub(first)).sum();
        let stride = total.div_ceil(MAX_HELD_ROWS).max(1);
        let held = ends.into_iter().map(|end| (first..end).step_by(stride).collect());
        let work: Vec<(usize, Vec<usize>)> = members.iter().copied().zip(held).collect();
        let known = |(asset, rows): &(usize, Vec<usize>)| {
            rows.partition_point(|row| panel.series[*asset].close_us[*row] <= first_us)
        };
        let n_rows: usize = work.iter().map(known).sum();
        if n_rows < MIN_ROWS {
            let kind = panel.pools[pool].kind;
            let message = format!("{n_rows} rows of kind {kind} to train on, {MIN_ROWS} are needed");
            return Err(ForecastError::NotEnoughHistory(message));
        }
        let matrices = work.into_par_iter().map(|(asset, rows)| AssetMatrix::new(panel, asset, rows, features));
        let matrices = matrices.collect();
        Ok((members, matrices))
    }

    fn standards(
        panel: &Panel,
        matrices: &[AssetMatrix],
        features: &FeatureSet,
        first_us: i64,
    ) -> (Standard, Vec<Standard>) {
        let mut held: Vec<(&AssetMatrix, usize)> = Vec::new();
        for matrix in matrices {
            let close = &panel.series[matrix.asset].close_us;
            let known = matrix.rows.partition_point(|r| close[*r] <= first_us);
            held.extend((0..known).map(|at| (matrix, at)));
        }
        let chosen: Vec<_> = sample(held.len(), STANDARD_ROWS, 0).into_iter().map(|at| held[at]).collect();
        let stack = |of: &dyn Fn(&(&AssetMatrix, usize)) -> Vec<f64>| chosen.iter().flat_map(of).collect::<Vec<f64>>();
        let row = Standard::fit(&stack(&|(m, at)| m.row_block(*at).to_vec()), features.n_row);
        let ahead = (0..panel.shape.anchors.len())
            .map(|anchor| Standard::fit(&stack(&|(m, at)| m.ahead_block(*at, anchor).to_vec()), features.n_ahead));
        (row, ahead.collect())
    }

    /// Fits on everything known at `through_us`, which must not go back; boosters anew when `refit_boosters`.
    ///
    /// # Errors
    /// When too few outcomes are known, or a booster refuses.
    pub(crate) fn fit(&mut self, through_us: i64, refit_boosters: bool) -> Result<PoolModel, ForecastError> {
        let coefficients = self.fit_linear(through_us);
        let fitted: Vec<Coefficients> = coefficients.into_iter().map_while(|c| c).collect();
        if fitted.is_empty() {
            let kind = self.panel.pools[self.pool].kind;
            return Err(ForecastError::NotEnoughHistory(format!("too few outcomes of kind {kind} are known")));
        }
        let mut generation = self.generation.take();
        if self.settings.boosted && refit_boosters {
            generation = Some(BoosterGeneration::fit(self, &fitted, through_us)?);
        }
        if let Some(generation) = &mut generation {
            generation.extend(self, through_us)?;
        }
        let kind = self.panel.pools[self.pool].kind;
        let anchors: Vec<usize> = (0..fitted.len()).collect();
        let models: Vec<AnchorModel> = anchors
            .into_par_iter()
            .map(|anchor| {
                let recipe = Recipe::of(kind, self.shape, anchor);
                let boosted = generation.as_ref().and_then(|g| g.boosters.get(anchor).map(Arc::clone));
                let cache = generation.as_ref().and_then(|g| g.ln_variance.get(anchor));
                AnchorModel {
                    horizon: self.shape.anchors[anchor],
                    standard_ahead: self.standards_ahead[anchor].clone(),
                    residuals: self.residuals(anchor, &fitted[anchor], cache, &recipe, through_us),
                    har: fitted[anchor].har.clone(),
                    ridge: fitted[anchor].ridge.clone(),
                    boosters: boosted,
                    recipe,
                }
            })
            .collect();
        self.generation = generation;
        Ok(PoolModel {
            kind,
            shape: self.shape,
            features: self.features.clone(),
            members: self.members.iter().map(|a| self.panel.symbol(*a).clone()).collect::<Vec<Symbol>>(),
            standard_row: self.standard_row.clone(),
            anchors: models,
        })
    }

    /// Coefficients of every anchor with enough outcomes.
    fn fit_linear(&mut self, through_us: i64) -> Vec<Option<Coefficients>> {
        let mut equations = std::mem::take(&mut self.equations);
        let trainer = &*self;
        let advance = |(anchor, equations): (usize, &mut Equations)| {
            trainer.advance(anchor, equations, through_us);
            trainer.solve(anchor, equations, through_us)
        };
        let fitted = equations.par_iter_mut().enumerate().map(advance).collect();
        self.equations = equations;
        fitted
    }

    /// The held rows of a member whose outcome over `horizon` bars is known at `through_us`: positions from 0 to here.
    pub(super) fn n_known(&self, member: usize, horizon: usize, through_us: i64) -> usize {
        let matrix = &self.matrices[member];
        let close = &self.panel.series[matrix.asset].close_us;
        matrix.rows.partition_point(|row| close.get(row + horizon).is_some_and(|c| *c <= through_us))
    }

    /// Log of the mean variance over the bars ahead of a row: what scale models learn.
    pub(super) fn target(&self, asset: usize, row: usize, horizon: usize) -> f64 {
        mean_last(&self.panel.series[asset].variance, row + horizon, horizon).ln()
    }

    fn advance(&self, anchor: usize, equations: &mut Equations, through_us: i64) {
        let horizon = self.shape.anchors[anchor] as usize;
        let size = 1 + self.features.n_all();
        let mut rows = vec![0.0; BATCH * size];
        let mut targets = [0.0; BATCH];
        for member in 0..self.members.len() {
            let matrix = &self.matrices[member];
            let to = self.n_known(member, horizon, through_us);
            let mut at = equations.next[member];
            while at < to {
                let block = self.block(matrix, at);
                let batch = (at..to.min(at + BATCH)).take_while(|at| self.block(matrix, *at) == block).count();
                for (k, design) in rows.chunks_exact_mut(size).take(batch).enumerate() {
                    self.design(matrix, at + k, anchor, design);
                    targets[k] = self.target(matrix.asset, matrix.rows[at + k], horizon);
                }
                if equations.blocks.len() <= block {
                    equations.blocks.resize(block + 1, None);
                }
                let gram = equations.blocks[block].get_or_insert_with(|| Gram::new(size));
                gram.add(&rows[..batch * size], &targets[..batch]);
                at += batch;
            }
            equations.next[member] = to;
        }
    }

    /// The block of steps a held row lies in.
    pub(super) fn block(&self, matrix: &AssetMatrix, at: usize) -> usize {
        self.panel.series[matrix.asset].step[matrix.rows[at]] as usize / self.shape.block
    }

    /// The first block the linear models and boosters look back on.
    pub(super) fn first_block(&self, through_us: i64) -> usize {
        let steps = self.panel.step_close.partition_point(|c| *c <= through_us);
        let last = steps.saturating_sub(1) / self.shape.block;
        self.shape.window_blocks.map_or(0, |blocks| last.saturating_sub(blocks))
    }

    pub(super) fn design(&self, matrix: &AssetMatrix, at: usize, anchor: usize, out: &mut [f64]) {
        let standards = (&self.standard_row, &self.standards_ahead[anchor]);
        write_design(&self.features, standards, matrix.row_block(at), matrix.ahead_block(at, anchor), out);
    }

    fn solve(&self, anchor: usize, equations: &Equations, through_us: i64) -> Option<Coefficients> {
        let first = self.first_block(through_us);
        let (n_har, size) = (1 + self.features.n_har, 1 + self.features.n_all());
        let solve = |left_out: Option<usize>| {
            let mut sum = Gram::new(size);
            for (block, gram) in equations.blocks.iter().enumerate().skip(first) {
                if let Some(gram) = gram.as_ref().filter(|_| left_out != Some(block % FOLDS)) {
                    sum.merge(gram);
                }
            }
            if sum.n_rows < MIN_ROWS {
                return None;
            }
            Some((sum.solve(n_har, HAR_PENALTY)?, sum.solve(size, self.shape.penalties[anchor])?))
        };
        let (har, ridge) = solve(None)?;
        // With too short a history a fold is judged by the models that saw it.
        let by_fold = (0..FOLDS).map(|fold| solve(Some(fold)).unwrap_or_else(|| (har.clone(), ridge.clone())));
        Some(Coefficients { by_fold: by_fold.collect(), har, ridge })
    }

    /// Log variances per bar of a held row, each from models that did not see its block.
    pub(super) fn cross_fitted(
        &self,
        matrix: &AssetMatrix,
        at: usize,
        coefficients: &Coefficients,
        (boosted, stretched): (f64, f64),
        design: &[f64],
    ) -> LogVariances {
        let (har, ridge) = &coefficients.by_fold[self.block(matrix, at) % FOLDS];
        LogVariances {
            ewma: self.panel.series[matrix.asset].ewma_variance[matrix.rows[at]].ln(),
            har: dot(har, &design[..=self.features.n_har]),
            ridge: dot(ridge, design),
            boosted,
            stretched,
        }
    }

    fn residuals(
        &self,
        anchor: usize,
        coefficients: &Coefficients,
        boosted: Option<&Vec<Vec<(f64, f64)>>>,
        recipe: &Recipe,
        through_us: i64,
    ) -> [Option<Residuals>; 5] {
        let horizon = self.shape.anchors[anchor] as usize;
        let window = self.shape.residual_window;
        let steps = self.panel.step_close.partition_point(|c| *c <= through_us);
        let mut pools: [Vec<f64>; 5] = Default::default();
        let mut owns: [Vec<Vec<f64>>; 5] = Default::default();
        let mut design = vec![0.0; 1 + self.features.n_all()];
        for (member, matrix) in self.matrices.iter().enumerate() {
            let series = &self.panel.series[matrix.asset];
            let end = series.close_us.partition_point(|c| *c <= through_us);
            let known = self.n_known(member, horizon, through_us);
            let from = matrix.rows.partition_point(|row| row + 2 * window < end);
            for own in &mut owns {
                own.push(Vec::new());
            }
            for at in from..known {
                let row = matrix.rows[at];
                self.design(matrix, at, anchor, &mut design);
                let boosted = boosted.map_or((f64::NAN, f64::NAN), |b| b[member][at]);
                let variances = self.cross_fitted(matrix, at, coefficients, boosted, &design);
                let change = series.log_price[row + horizon] - series.log_price[row];
                let recent = series.step[row] as usize + window >= steps;
                for scale in Scale::ALL {
                    let ln_variance = variances.of(scale, recipe);
                    if ln_variance.is_nan() {
                        continue;
                    }
                    let z = change / (ln_variance.exp() * horizon as f64).sqrt();
                    owns[scale as usize][member].push(z);
                    if recent {
                        pools[scale as usize].push(z);
                    }
                }
            }
        }
        let symmetric = symmetric_share(self.panel.pools[self.pool].kind, self.shape);
        let mut fitted = pools.iter_mut().zip(&mut owns).map(|(pool, own)| Residuals::fit(pool, own, symmetric));
        std::array::from_fn(|_| fitted.next().flatten())
    }
}
