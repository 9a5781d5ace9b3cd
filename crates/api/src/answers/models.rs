//! Models: what is served, what was trained.

use engine::views::ServedModel;
use serde::Serialize;
use serde_json::value::RawValue;
use storage::ModelRecord;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::time::Time;

/// All models.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelsAnswer {
    /// What answers for each class and base timeframe now.
    pub served: Vec<ServedAnswer>,
    /// What was trained, newest first.
    pub models: Vec<ModelLine>,
}

/// What answers for a class and base timeframe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServedAnswer {
    /// `crypto`, `stocks` or `macro`.
    pub asset_class: &'static str,
    /// Base timeframe of its bars.
    pub timeframe: &'static str,
    /// `boosted`, or `baseline` where no model has earned its place.
    pub kind: &'static str,
    /// The model; `null` while the naive baseline is served.
    pub model_id: Option<String>,
    /// When the newest model was trained.
    pub trained_at: Option<Time>,
    /// The latest information it was trained on.
    pub trained_through: Option<Time>,
    /// What the gates found, in words.
    pub reason: String,
}

impl ServedAnswer {
    /// What is served.
    #[must_use]
    pub fn of(served: &ServedModel) -> Self {
        Self {
            asset_class: served.asset_class.as_str(),
            timeframe: served.timeframe.as_str(),
            kind: if served.model_id.is_some() { "boosted" } else { "baseline" },
            model_id: served.model_id.clone(),
            trained_at: served.trained_at.map(Time),
            trained_through: served.trained_through.map(Time),
            reason: served.reason.clone(),
        }
    }
}

/// One model in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelLine {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The class it was trained on.
    pub asset_class: &'static str,
    /// Base timeframe of its bars.
    pub timeframe: &'static str,
    /// When it was trained.
    pub trained_at: Time,
    /// The latest information it was trained on.
    pub trained_through: Time,
    /// SHA-256 of its artefact.
    pub sha256: String,
    /// Whether it answers now.
    pub served: bool,
}

impl ModelLine {
    /// A model, and whether it is among those served.
    #[must_use]
    pub fn of(model: &ModelRecord, served: &[ServedModel]) -> Self {
        Self {
            id: model.id.clone(),
            name: model.name.clone(),
            asset_class: model.asset_class.as_str(),
            timeframe: model.timeframe.as_str(),
            trained_at: model.trained_at.into(),
            trained_through: model.trained_through.into(),
            sha256: model.sha256.to_string(),
            served: served.iter().any(|served| served.model_id.as_deref() == Some(&model.id)),
        }
    }
}

/// One model with what went into it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelCard {
    /// The model.
    #[serde(flatten)]
    pub model: ModelLine,
    /// Size of its artefact.
    pub size_bytes: usize,
    /// Its manifest: data, window, parameters, scores, gates.
    #[schema(value_type = Object)]
    pub manifest: Box<RawValue>,
}

impl ModelCard {
    /// A model's card.
    ///
    /// # Errors
    /// When its manifest is not JSON.
    pub fn of(model: ModelRecord, served: &[ServedModel]) -> Result<Self, Problem> {
        let line = ModelLine::of(&model, served);
        let manifest = RawValue::from_string(model.manifest);
        let manifest = manifest.map_err(|error| Problem::internal("read a model's manifest", &error))?;
        Ok(Self { model: line, size_bytes: model.artefact.len(), manifest })
    }
}
