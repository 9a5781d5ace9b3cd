//! A check of an asset's calls, now.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::validation::{Validation, ValidationAnswer};
use crate::extract::{Params, Segment};
use crate::problem::Problem;
use crate::state::{ApiState, RecordKey};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ValidateParams {
    /// The timeframe; the asset's default when absent.
    timeframe: Option<String>,
}

/// How many calls of an asset on a timeframe were right, computed from the ledger now.
#[utoipa::path(
    post, path = "/api/asset/{symbol}/validate", tag = "track record",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC"), ValidateParams),
    responses(
        (status = 200, description = "The figures", body = ValidationAnswer),
        (status = 400, description = "`/problems/unknown-timeframe`"),
        (status = 404, description = "`/problems/unknown-symbol`, `/problems/no-such-forecast`"),
    )
)]
pub(super) async fn validate(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
    Params(params): Params<ValidateParams>,
) -> Result<Json<ValidationAnswer>, Problem> {
    let asset = state.asset(&symbol)?;
    let timeframe = state.forecast_timeframe(&asset.symbol, params.timeframe.as_deref())?;
    let record = state.record(&RecordKey { symbol: asset.symbol.clone(), timeframe, window: None }).await?;
    Ok(Json(ValidationAnswer {
        symbol: asset.symbol.to_string(),
        timeframe: timeframe.to_string(),
        origin: state.engine().chain().origin().as_str(),
        validation: Validation::of(&record),
        timestamp: state.now().into(),
    }))
}
