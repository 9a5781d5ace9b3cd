//! Storing a model set: a JSON manifest, and the boosters' bytes it names part by part.

use std::sync::Arc;

use jiff::Timestamp;
use market::{AssetClass, AssetKind, Hash, LEVELS, N_LEVELS, Symbol, Timeframe};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ModelSet;
use crate::booster::{Booster, ENGINE};
use crate::error::ForecastError;
use crate::features::{FEATURE_SET, FeatureSet, feature_names};
use crate::linear::Standard;
use crate::pool::{AnchorBoosters, AnchorModel, FOLDS, PoolModel, Settings};
use crate::residual::Residuals;
use crate::shape::{Recipe, Shape};

/// Version of the manifest's shape.
const FORMAT: u32 = 1;

/// A model set as stored: a manifest and the bytes it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// JSON: versions, seed, data hash, linear coefficients, residual tables, and each part's offset, length, SHA-256.
    pub manifest: String,
    /// XGBoost UBJSON models, one after the other.
    pub bytes: Vec<u8>,
}

impl Artefact {
    /// SHA-256 over the manifest, which names the SHA-256 of every part: the model's identity.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.manifest.as_bytes())
    }
}

/// The manifest's envelope: the model as JSON text, and its hash.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    format: u32,
    sha256: String,
    #[serde(borrow)]
    model: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    asset_class: String,
    timeframe: String,
    feature_set: String,
    code_version: String,
    booster_engine: String,
    booster_format: String,
    seed: u64,
    max_rows: usize,
    boosted: bool,
    boosted_quantiles: bool,
    trained_through: String,
    boosters_through: Option<String>,
    data_hash: String,
    levels: Vec<f64>,
    size_bytes: usize,
    pools: Vec<PoolPart>,
}

#[derive(Serialize, Deserialize)]
struct PoolPart {
    kind: String,
    symbols: Vec<String>,
    features: Vec<String>,
    standard: StandardPart,
    anchors: Vec<AnchorPart>,
}

#[derive(Serialize, Deserialize)]
struct StandardPart {
    mean: Vec<f64>,
    inverse_sd: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct AnchorPart {
    horizon_bars: u32,
    standard: StandardPart,
    har: Vec<f64>,
    ridge: Vec<f64>,
    scale_weights: [f64; 4],
    quantile_share: f64,
    residuals: [Option<ResidualPart>; 5],
    boosters: Option<BoosterPart>,
}

#[derive(Serialize, Deserialize)]
struct ResidualPart {
    pool: [f64; N_LEVELS],
    own: Vec<Option<[f64; N_LEVELS]>>,
}

#[derive(Serialize, Deserialize)]
struct BoosterPart {
    har: Vec<f64>,
    through: String,
    scale: Vec<BytesPart>,
    stretch: Vec<BytesPart>,
    quantiles: Option<BytesPart>,
}

#[derive(Serialize, Deserialize)]
struct BytesPart {
    name: String,
    offset: usize,
    length: usize,
    sha256: String,
}

impl ModelSet {
    /// The set as it is stored.
    ///
    /// # Errors
    /// When a booster cannot be written.
    pub fn to_artefact(&self) -> Result<Artefact, ForecastError> {
        let mut bytes = Vec::new();
        let pools: Result<Vec<PoolPart>, ForecastError> =
            self.pools.iter().map(|p| self.pool_part(p, &mut bytes)).collect();
        let manifest = Manifest {
            asset_class: self.class.to_string(),
            timeframe: self.base.to_string(),
            feature_set: FEATURE_SET.to_owned(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            booster_engine: ENGINE.to_owned(),
            booster_format: "XGBoost UBJSON, 3.1 or later".to_owned(),
            seed: self.settings.seed,
            max_rows: self.settings.max_rows,
            boosted: self.settings.boosted,
            boosted_quantiles: self.settings.quantiles,
            trained_through: self.trained_through.to_string(),
            boosters_through: self.boosters_through.map(|t| t.to_string()),
            data_hash: self.data_hash.to_string(),
            levels: LEVELS.to_vec(),
            size_bytes: bytes.len(),
            pools: pools?,
        };
        let written =
            |cause: serde_json::Error| ForecastError::Artefact(format!("the manifest cannot be written: {cause}"));
        let model = serde_json::to_string(&manifest).map_err(written)?;
        let sha256 = Hash::of(model.as_bytes()).to_string();
        let model = RawValue::from_string(model).map_err(written)?;
        let manifest = serde_json::to_string(&Envelope { format: FORMAT, sha256, model: &model }).map_err(written)?;
        Ok(Artefact { manifest, bytes })
    }

    fn pool_part(&self, pool: &PoolModel, bytes: &mut Vec<u8>) -> Result<PoolPart, ForecastError> {
        let anchors: Result<Vec<AnchorPart>, ForecastError> =
            pool.anchors.iter().map(|a| anchor_part(pool.kind, a, bytes)).collect();
        Ok(PoolPart {
            kind: pool.kind.to_string(),
            symbols: pool.members.iter().map(Symbol::to_string).collect(),
            features: feature_names(self.class, self.base, pool.kind)?,
            standard: standard_part(&pool.standard_row),
            anchors: anchors?,
        })
    }

    /// The set that was stored. Every part's hash is checked before it is read.
    ///
    /// # Errors
    /// When the manifest or the bytes are cut or altered, or the versions are not ours.
    pub fn from_artefact(manifest: &str, bytes: &[u8]) -> Result<Self, ForecastError> {
        let manifest = open(manifest, bytes)?;
        let class: AssetClass = parse(&manifest.asset_class)?;
        let base: Timeframe = parse(&manifest.timeframe)?;
        let shape = Shape::of(class, base).ok_or(ForecastError::NoPanel { class, timeframe: base })?;
        let pools: Result<Vec<PoolModel>, ForecastError> =
            manifest.pools.into_iter().map(|part| read_pool(class, base, shape, part, bytes)).collect();
        Ok(Self {
            class,
            base,
            settings: Settings {
                seed: manifest.seed,
                max_rows: manifest.max_rows,
                boosted: manifest.boosted,
                quantiles: manifest.boosted_quantiles,
            },
            pools: pools?,
            trained_through: parse(&manifest.trained_through)?,
            boosters_through: manifest.boosters_through.as_deref().map(parse).transpose()?,
            data_hash: parse(&manifest.data_hash)?,
        })
    }
}

fn bad(what: impl Into<String>) -> ForecastError {
    ForecastError::Artefact(what.into())
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, ForecastError> {
    text.parse().map_err(|cause| bad(format!("{cause}")))
}

/// Checks envelope, versions and size.
fn open(manifest: &str, bytes: &[u8]) -> Result<Manifest, ForecastError> {
    let unreadable = |cause: serde_json::Error| bad(format!("the manifest is unreadable: {cause}"));
    let envelope: Envelope<'_> = serde_json::from_str(manifest).map_err(unreadable)?;
    if envelope.format != FORMAT {
        return Err(bad(format!("format {} is not {FORMAT}", envelope.format)));
    }
    let model = envelope.model.get();
    if Hash::of(model.as_bytes()).to_string() != envelope.sha256 {
        return Err(bad("the manifest was altered: its SHA-256 is another"));
    }
    let manifest: Manifest = serde_json::from_str(model).map_err(unreadable)?;
    let expected = [
        ("feature set", manifest.feature_set.as_str(), FEATURE_SET),
        ("booster engine", manifest.booster_engine.as_str(), ENGINE),
    ];
    for (what, found, known) in expected {
        if found != known {
            return Err(bad(format!("{what} {found} is not {known}")));
        }
    }
    if manifest.levels != LEVELS {
        return Err(bad("its quantile levels are others"));
    }
    if manifest.size_bytes != bytes.len() {
        return Err(bad(format!("{} bytes of {} are there", bytes.len(), manifest.size_bytes)));
    }
    Ok(manifest)
}

fn standard_part(standard: &Standard) -> StandardPart {
    StandardPart { mean: standard.mean.clone(), inverse_sd: standard.inverse_sd.clone() }
}

fn anchor_part(kind: AssetKind, anchor: &AnchorModel, bytes: &mut Vec<u8>) -> Result<AnchorPart, ForecastError> {
    let mut append = |name: String, booster: &Booster| -> Result<BytesPart, ForecastError> {
        let encoded = booster.encode()?;
        let offset = bytes.len();
        bytes.extend_from_slice(&encoded);
        Ok(BytesPart { name, offset, length: encoded.len(), sha256: Hash::of(&encoded).to_string() })
    };
    let horizon = anchor.horizon;
    let boosters = match &anchor.boosters {
        None => None,
        Some(boosters) => {
            let scale = boosters.scale.iter().enumerate();
            let scale: Result<Vec<BytesPart>, ForecastError> =
                scale.map(|(fold, b)| append(format!("{kind}/{horizon}/scale/{fold}"), b)).collect();
            let stretch = boosters.stretch.iter().enumerate();
            let stretch: Result<Vec<BytesPart>, ForecastError> =
                stretch.map(|(fold, b)| append(format!("{kind}/{horizon}/stretch/{fold}"), b)).collect();
            Some(BoosterPart {
                har: boosters.har.clone(),
                through: crate::panel::instant(boosters.through_us).to_string(),
                scale: scale?,
                stretch: stretch?,
                quantiles: boosters
                    .levels
                    .as_ref()
                    .map(|b| append(format!("{kind}/{horizon}/quantiles"), b))
                    .transpose()?,
            })
        }
    };
    let residual = |r: &Residuals| ResidualPart { pool: r.pool, own: r.own.clone() };
    Ok(AnchorPart {
        horizon_bars: horizon,
        standard: standard_part(&anchor.standard_ahead),
        har: anchor.har.clone(),
        ridge: anchor.ridge.clone(),
        scale_weights: anchor.recipe.scale,
        quantile_share: anchor.recipe.quantile_share,
        residuals: anchor.residuals.each_ref().map(|r| r.as_ref().map(residual)),
        boosters,
    })
}

fn read_pool(
    class: AssetClass,
    base: Timeframe,
    shape: &'static Shape,
    part: PoolPart,
    bytes: &[u8],
) -> Result<PoolModel, ForecastError> {
    let kind: AssetKind = parse(&part.kind)?;
    if part.features != feature_names(class, base, kind)? {
        return Err(bad(format!("the features of kind {kind} are others")));
    }
    let features = FeatureSet::of(class, base, kind)?;
    let standard_row = read_standard(part.standard, features.n_row)?;
    let symbols = part.symbols.iter().map(|s| parse(s));
    let members: Vec<Symbol> = symbols.collect::<Result<_, _>>()?;
    let anchors = part.anchors.into_par_iter().map(|a| read_anchor(&features, shape, members.len(), a, bytes));
    let anchors: Vec<AnchorModel> = anchors.collect::<Result<_, _>>()?;
    let ascending = anchors.windows(2).all(|w| w[0].horizon < w[1].horizon);
    if anchors.is_empty() || anchors[0].horizon == 0 || !ascending {
        return Err(bad(format!("the anchors of kind {kind} do not ascend from a bar")));
    }
    Ok(PoolModel { kind, shape, features, members, standard_row, anchors })
}

fn check_length(what: &str, found: usize, expected: usize) -> Result<(), ForecastError> {
    if found == expected { Ok(()) } else { Err(bad(format!("{what}: {found} numbers instead of {expected}"))) }
}

fn read_standard(part: StandardPart, width: usize) -> Result<Standard, ForecastError> {
    check_length("means", part.mean.len(), width)?;
    check_length("standard deviations", part.inverse_sd.len(), width)?;
    Ok(Standard { mean: part.mean, inverse_sd: part.inverse_sd })
}

fn read_anchor(
    features: &FeatureSet,
    shape: &Shape,
    n_members: usize,
    part: AnchorPart,
    bytes: &[u8],
) -> Result<AnchorModel, ForecastError> {
    check_length("HAR coefficients", part.har.len(), 1 + features.n_har)?;
    check_length("ridge coefficients", part.ridge.len(), 1 + features.n_all())?;
    for residuals in part.residuals.iter().flatten() {
        check_length("residual tables", residuals.own.len(), n_members)?;
    }
    let boosters = part.boosters.map(|b| read_boosters(features, shape, b, bytes)).transpose()?;
    Ok(AnchorModel {
        horizon: part.horizon_bars,
        standard_ahead: read_standard(part.standard, features.n_ahead)?,
        har: part.har,
        ridge: part.ridge,
        boosters: boosters.map(Arc::new),
        residuals: part.residuals.map(|r| r.map(|r| Residuals { pool: r.pool, own: r.own })),
        recipe: Recipe { scale: part.scale_weights, quantile_share: part.quantile_share },
    })
}

fn read_boosters(
    features: &FeatureSet,
    shape: &Shape,
    part: BoosterPart,
    bytes: &[u8],
) -> Result<AnchorBoosters, ForecastError> {
    check_length("HAR coefficients of the boosters", part.har.len(), 1 + features.n_har)?;
    check_length("folds", part.scale.len(), FOLDS)?;
    if !part.stretch.is_empty() {
        check_length("folds", part.stretch.len(), FOLDS)?;
    }
    let stretch = part.stretch.par_iter().map(|p| read_booster(p, bytes, features.scale_width(), 1));
    let scale = part.scale.par_iter().map(|p| read_booster(p, bytes, features.scale_width(), 1));
    let levels = part.quantiles.as_ref();
    let levels = levels.map(|p| read_booster(p, bytes, features.levels_width(shape), N_LEVELS));
    Ok(AnchorBoosters {
        har: part.har,
        scale: scale.collect::<Result<_, _>>()?,
        stretch: stretch.collect::<Result<_, _>>()?,
        levels: levels.transpose()?,
        through_us: parse::<Timestamp>(&part.through)?.as_microsecond(),
    })
}

fn read_booster(part: &BytesPart, bytes: &[u8], n_features: usize, n_outputs: usize) -> Result<Booster, ForecastError> {
    let end = part.offset.checked_add(part.length);
    let Some(bytes) = end.and_then(|end| bytes.get(part.offset..end)) else {
        return Err(bad(format!("part {} lies outside the bytes", part.name)));
    };
    if Hash::of(bytes).to_string() != part.sha256 {
        return Err(bad(format!("part {} was altered: its SHA-256 is another", part.name)));
    }
    let booster = Booster::decode(bytes)?;
    if (booster.n_features(), booster.n_outputs()) != (n_features, n_outputs) {
        return Err(bad(format!("part {} has another shape", part.name)));
    }
    Ok(booster)
}
