//! One generation of a pool's boosters: fitted now and then, kept over many linear refits.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use market::N_LEVELS;
use rayon::prelude::*;

use super::trainer::{Coefficients, Trainer};
use super::{AnchorBoosters, FOLDS, levels_scale, write_levels_input, write_scale_input};
use crate::booster::{Booster, Loss, Settings, Table};
use crate::error::ForecastError;
use crate::linear::dot;
use crate::residual::empirical;
use crate::sampling::sample;
use crate::shape::Recipe;

/// Fewest rows a booster is fitted on.
const MIN_ROWS: usize = 1000;

/// The boosters of all boosted anchors, and what they say about the held rows.
pub(super) struct BoosterGeneration {
    /// By anchor.
    pub(super) boosters: Vec<Arc<AnchorBoosters>>,
    /// Boosted and stretched log variance per bar by anchor, member and held row; NaN where not asked for yet.
    pub(super) ln_variance: Vec<Vec<Vec<(f64, f64)>>>,
}

/// A row a booster may train on.
#[derive(Clone, Copy)]
struct Candidate {
    member: usize,
    at: usize,
    fold: usize,
}

/// What training reads at one anchor.
struct Prepared {
    rows: Vec<Candidate>,
    /// HAR log variance over the EWMA's.
    har_over_ewma: Vec<f64>,
    /// Features of the scale boosters, labelled by what HAR's log variance misses.
    scale: Table,
    /// The same, labelled by outcomes in units of HAR's scale; and their quantiles.
    stretch: Option<(Table, [f64; N_LEVELS])>,
    n_rows: usize,
}

impl BoosterGeneration {
    /// Takes over boosters fitted before.
    pub(super) fn adopt(boosters: Vec<Arc<AnchorBoosters>>, n_members: usize) -> Self {
        let ln_variance = vec![vec![Vec::new(); n_members]; boosters.len()];
        Self { boosters, ln_variance }
    }

    /// Fits all boosters on outcomes known at `through_us`.
    pub(super) fn fit(
        trainer: &Trainer<'_>,
        coefficients: &[Coefficients],
        through_us: i64,
    ) -> Result<Self, ForecastError> {
        let n_anchors = trainer.shape.boosted_anchors.min(coefficients.len());
        let anchors: Vec<usize> = (0..n_anchors).collect();
        let prepared: Result<Vec<Prepared>, ForecastError> =
            anchors.par_iter().map(|a| Prepared::new(trainer, *a, &coefficients[*a], through_us)).collect();
        let prepared = prepared?;
        let scale = by_fold(&anchors, |anchor, fold| prepared[anchor].fit_scale(trainer, anchor, fold))?;
        let stretched: Vec<usize> = anchors.iter().copied().filter(|a| prepared[*a].stretch.is_some()).collect();
        let fitted = by_fold(&stretched, |anchor, fold| prepared[anchor].fit_stretch(trainer, anchor, fold))?;
        let mut stretch: Vec<Vec<Booster>> = vec![Vec::new(); n_anchors];
        for (anchor, boosters) in stretched.into_iter().zip(fitted) {
            stretch[anchor] = boosters;
        }
        let kind = trainer.panel.pools[trainer.pool].kind;
        let wanted = |anchor: &usize| {
            trainer.settings.quantiles || Recipe::of(kind, trainer.shape, *anchor).quantile_share > 0.0
        };
        let with_levels: Vec<usize> = anchors.iter().copied().filter(wanted).collect();
        let fitted = each(with_levels.len(), |task| {
            let anchor = with_levels[task];
            prepared[anchor].fit_levels(trainer, anchor, &coefficients[anchor], &scale[anchor])
        })?;
        let mut levels: Vec<Option<Booster>> = vec![None; n_anchors];
        for (anchor, booster) in with_levels.into_iter().zip(fitted) {
            levels[anchor] = Some(booster);
        }
        let parts = scale.into_iter().zip(stretch).zip(levels).enumerate();
        let boosters = parts.map(|(anchor, ((scale, stretch), levels))| {
            Arc::new(AnchorBoosters { har: coefficients[anchor].har.clone(), scale, stretch, levels, through_us })
        });
        Ok(Self::adopt(boosters.collect(), trainer.members.len()))
    }

    /// Computes what the residuals at `through_us` read and was not computed yet.
    pub(super) fn extend(&mut self, trainer: &Trainer<'_>, through_us: i64) -> Result<(), ForecastError> {
        for (anchor, (boosters, by_member)) in self.boosters.iter().zip(&mut self.ln_variance).enumerate() {
            let work: Vec<(usize, &mut Vec<(f64, f64)>)> = by_member.iter_mut().enumerate().collect();
            work.into_par_iter()
                .try_for_each(|(member, cache)| extend_member(trainer, anchor, boosters, member, cache, through_us))?;
        }
        Ok(())
    }
}

fn extend_member(
    trainer: &Trainer<'_>,
    anchor: usize,
    boosters: &AnchorBoosters,
    member: usize,
    cache: &mut Vec<(f64, f64)>,
    through_us: i64,
) -> Result<(), ForecastError> {
    let matrix = &trainer.matrices[member];
    let series = &trainer.panel.series[matrix.asset];
    let horizon = trainer.shape.anchors[anchor] as usize;
    let known = trainer.n_known(member, horizon, through_us);
    let end = series.close_us.partition_point(|c| *c <= through_us);
    let from = matrix.rows.partition_point(|row| row + 2 * trainer.shape.residual_window < end);
    if cache.len() < known {
        cache.resize(known, (f64::NAN, f64::NAN));
    }
    let mut design = vec![0.0; 1 + trainer.features.n_all()];
    let mut input = Vec::new();
    for (at, cached) in cache.iter_mut().enumerate().take(known).skip(from) {
        if !cached.0.is_nan() {
            continue;
        }
        let row = matrix.rows[at];
        trainer.design(matrix, at, anchor, &mut design);
        let har = dot(&boosters.har, &design[..=trainer.features.n_har]);
        input.clear();
        let over = har - series.ewma_variance[row].ln();
        write_scale_input(&trainer.features, matrix.row_block(at), matrix.ahead_block(at, anchor), over, &mut input);
        // Rows the boosters may have seen are judged by the one that did not.
        let seen = series.close_us[row + horizon] <= boosters.through_us;
        let fold = seen.then(|| trainer.block(matrix, at) % FOLDS);
        *cached = (boosted(boosters, har, fold, &input)?, stretched(boosters, har, fold, &input)?);
    }
    Ok(())
}

/// The boosted log variance, from HAR's.
pub(super) fn boosted(
    boosters: &AnchorBoosters,
    har: f64,
    fold: Option<usize>,
    input: &[f32],
) -> Result<f64, ForecastError> {
    Ok(har + correction(&boosters.scale, fold, input)?)
}

/// The stretched log variance, from HAR's; NaN where there are no such boosters.
pub(super) fn stretched(
    boosters: &AnchorBoosters,
    har: f64,
    fold: Option<usize>,
    input: &[f32],
) -> Result<f64, ForecastError> {
    match boosters.stretch.as_slice() {
        [] => Ok(f64::NAN),
        // A stretch of the quantiles is one of the scale: twice of it is the variance's.
        stretch => Ok(har + 2.0 * correction(stretch, fold, input)?),
    }
}

/// The boosted correction of a log variance: of one fold's booster, or the mean of all.
fn correction(boosters: &[Booster], fold: Option<usize>, input: &[f32]) -> Result<f64, ForecastError> {
    let mut out = [0.0];
    if let Some(fold) = fold {
        boosters[fold].predict(input, &mut out)?;
        return Ok(f64::from(out[0]));
    }
    let mut sum = 0.0;
    for booster in boosters {
        booster.predict(input, &mut out)?;
        sum += f64::from(out[0]);
    }
    Ok(sum / boosters.len() as f64)
}

impl Prepared {
    fn new(
        trainer: &Trainer<'_>,
        anchor: usize,
        coefficients: &Coefficients,
        through_us: i64,
    ) -> Result<Self, ForecastError> {
        let horizon = trainer.shape.anchors[anchor] as usize;
        let first_block = trainer.first_block(through_us);
        let mut candidates = Vec::new();
        for member in 0..trainer.members.len() {
            let matrix = &trainer.matrices[member];
            for at in 0..trainer.n_known(member, horizon, through_us) {
                let block = trainer.block(matrix, at);
                if block >= first_block {
                    candidates.push(Candidate { member, at, fold: block % FOLDS });
                }
            }
        }
        if candidates.len() < MIN_ROWS {
            let message = format!("{} rows for boosters, {MIN_ROWS} are needed", candidates.len());
            return Err(ForecastError::NotEnoughHistory(message));
        }
        let chosen = sample(candidates.len(), trainer.settings.max_rows, trainer.settings.seed);
        let rows: Vec<Candidate> = chosen.into_iter().map(|at| candidates[at]).collect();
        let mut design = vec![0.0; 1 + trainer.features.n_all()];
        let mut input = Vec::new();
        let mut labels = Vec::with_capacity(rows.len());
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut har_over_ewma = Vec::with_capacity(rows.len());
        for candidate in &rows {
            let matrix = &trainer.matrices[candidate.member];
            let row = matrix.rows[candidate.at];
            trainer.design(matrix, candidate.at, anchor, &mut design);
            let har = dot(&coefficients.har, &design[..=trainer.features.n_har]);
            let over = har - trainer.panel.series[matrix.asset].ewma_variance[row].ln();
            let ahead = matrix.ahead_block(candidate.at, anchor);
            write_scale_input(&trainer.features, matrix.row_block(candidate.at), ahead, over, &mut input);
            labels.push((trainer.target(matrix.asset, row, horizon) - har) as f32);
            har_over_ewma.push(over);
            let price = &trainer.panel.series[matrix.asset].log_price;
            outcomes.push((price[row + horizon] - price[row]) / (har.exp() * horizon as f64).sqrt());
        }
        let width = trainer.features.scale_width();
        let kind = trainer.panel.pools[trainer.pool].kind;
        let stretch = if Recipe::of(kind, trainer.shape, anchor).scale[3] > 0.0 {
            let labels: Vec<f32> = outcomes.iter().map(|z| *z as f32).collect();
            let quantiles = empirical(&mut outcomes).expect("there are rows");
            Some((Table::new(input.clone(), width, &labels)?, quantiles))
        } else {
            None
        };
        let scale = Table::new(input, width, &labels)?;
        Ok(Self { n_rows: rows.len(), rows, har_over_ewma, scale, stretch })
    }

    /// The rows outside of a fold; a history shorter than the folds is judged in sample.
    fn outside(&self, fold: usize) -> Vec<usize> {
        let kept: Vec<usize> = (0..self.n_rows).filter(|at| self.rows[*at].fold != fold).collect();
        if kept.len() < MIN_ROWS { (0..self.n_rows).collect() } else { kept }
    }

    fn fit_stretch(&self, trainer: &Trainer<'_>, anchor: usize, fold: usize) -> Result<Booster, ForecastError> {
        let (table, quantiles) = self.stretch.as_ref().expect("asked only where there is one");
        let settings = self.settings(trainer, Loss::Stretch(*quantiles), 2000 + anchor * FOLDS + fold);
        // The curvature is a quarter of what squared error has: leaves of the same rows weigh a quarter.
        let settings = Settings { rounds: 120, leaf_rows: settings.leaf_rows / 4.0, ..settings };
        Booster::fit(table, &self.outside(fold), &settings)
    }

    fn settings(&self, trainer: &Trainer<'_>, loss: Loss, stream: usize) -> Settings {
        // Small trees and large leaves: the booster is a correction, not the model.
        let leaf_rows = if self.n_rows < 20_000 { 200.0 } else { 300.0 };
        let seed = trainer.settings.seed.wrapping_mul(1_000_003).wrapping_add(stream as u64);
        Settings { loss, rounds: 150, rate: 0.05, leaves: 8, leaf_rows, seed }
    }

    fn fit_scale(&self, trainer: &Trainer<'_>, anchor: usize, fold: usize) -> Result<Booster, ForecastError> {
        Booster::fit(&self.scale, &self.outside(fold), &self.settings(trainer, Loss::Squares, anchor * FOLDS + fold))
    }

    fn fit_levels(
        &self,
        trainer: &Trainer<'_>,
        anchor: usize,
        coefficients: &Coefficients,
        scale: &[Booster],
    ) -> Result<Booster, ForecastError> {
        let horizon = trainer.shape.anchors[anchor] as usize;
        let mut design = vec![0.0; 1 + trainer.features.n_all()];
        let (mut input, mut correction_input) = (Vec::new(), Vec::new());
        let mut labels = Vec::with_capacity(self.n_rows);
        for (candidate, over) in self.rows.iter().zip(&self.har_over_ewma) {
            let matrix = &trainer.matrices[candidate.member];
            let series = &trainer.panel.series[matrix.asset];
            let row = matrix.rows[candidate.at];
            let (row_block, ahead) = (matrix.row_block(candidate.at), matrix.ahead_block(candidate.at, anchor));
            trainer.design(matrix, candidate.at, anchor, &mut design);
            correction_input.clear();
            write_scale_input(&trainer.features, row_block, ahead, *over, &mut correction_input);
            let har = over + series.ewma_variance[row].ln();
            let boosted = har + correction(scale, Some(candidate.fold), &correction_input)?;
            let variances = trainer.cross_fitted(matrix, candidate.at, coefficients, (boosted, f64::NAN), &design);
            let sd = (levels_scale(trainer.shape, &variances).exp() * horizon as f64).sqrt();
            labels.push(((series.log_price[row + horizon] - series.log_price[row]) / sd) as f32);
            write_levels_input(&trainer.features, trainer.shape, row_block, ahead, *over, &mut input);
        }
        let table = Table::new(input, trainer.features.levels_width(trainer.shape), &labels)?;
        let all: Vec<usize> = (0..self.n_rows).collect();
        Booster::fit(&table, &all, &self.settings(trainer, Loss::Levels, 1000 + anchor))
    }
}

/// Fits one booster for each anchor and fold left out.
fn by_fold(
    anchors: &[usize],
    fit: impl Fn(usize, usize) -> Result<Booster, ForecastError> + Sync,
) -> Result<Vec<Vec<Booster>>, ForecastError> {
    let fitted = each(anchors.len() * FOLDS, |task| fit(anchors[task / FOLDS], task % FOLDS))?;
    let mut fitted = fitted.into_iter();
    Ok(anchors.iter().map(|_| fitted.by_ref().take(FOLDS).collect()).collect())
}

/// Runs tasks on as many threads as rayon has, each task on one; results in the order of the tasks.
fn each<T: Send>(
    n_tasks: usize,
    task: impl Fn(usize) -> Result<T, ForecastError> + Sync,
) -> Result<Vec<T>, ForecastError> {
    // Not a rayon loop: a trainer waits for its own single-threaded pool, and a waiting rayon worker would start the
    // next training, until all of them are in memory.
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<T, ForecastError>)>> = Mutex::new(Vec::new());
    let n_threads = rayon::current_num_threads().min(n_tasks);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= n_tasks {
                        return;
                    }
                    let result = task(at);
                    done.lock().expect("no task panics while it holds the lock").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no task panics while it holds the lock");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
