//! Models.

use axum::Json;
use axum::extract::State;

use crate::answers::models::{ModelCard, ModelLine, ModelsAnswer, ServedAnswer};
use crate::extract::Segment;
use crate::problem::{Kind, Problem};
use crate::state::ApiState;

/// What is served for each class and base timeframe, and what was trained, newest first.
#[utoipa::path(
    get, path = "/api/models", tag = "models",
    responses((status = 200, description = "The models", body = ModelsAnswer))
)]
pub(super) async fn models(State(state): State<ApiState>) -> Result<Json<ModelsAnswer>, Problem> {
    let served = state.engine().status().models;
    let trained = state.engine().store().models().await?;
    Ok(Json(ModelsAnswer {
        models: trained.iter().map(|model| ModelLine::of(model, &served)).collect(),
        served: served.iter().map(ServedAnswer::of).collect(),
    }))
}

/// One model's card: its data, window, parameters, scores and gates.
#[utoipa::path(
    get, path = "/api/models/{id}", tag = "models",
    params(("id" = String, Path, description = "The model's id: 16 hex digits")),
    responses(
        (status = 200, description = "The card", body = ModelCard),
        (status = 404, description = "`/problems/unknown-model`"),
    )
)]
pub(super) async fn model(State(state): State<ApiState>, Segment(id): Segment) -> Result<Json<ModelCard>, Problem> {
    let model = state.engine().store().model(&id).await?;
    let model =
        model.ok_or_else(|| Problem::new(Kind::UnknownModel).detail("/api/models lists those that are kept"))?;
    Ok(Json(ModelCard::of(model, &state.engine().status().models)?))
}
