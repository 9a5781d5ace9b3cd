//! The universe.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answers::asset::{AssetAnswer, AssetDetail, AssetsAnswer, ForecastPointer};
use crate::answers::quality::{JOURNAL, QualityAnswer};
use crate::extract::{self, Params, Segment};
use crate::problem::Problem;
use crate::state::ApiState;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AssetsParams {
    /// `crypto`, `stocks`, `macro` or `all` (when absent).
    class: Option<String>,
}

/// All assets, in order of listing.
#[utoipa::path(
    get, path = "/api/assets", tag = "assets", params(AssetsParams),
    responses(
        (status = 200, description = "The universe", body = AssetsAnswer),
        (status = 400, description = "`/problems/invalid-parameter`"),
    )
)]
pub(super) async fn assets(
    State(state): State<ApiState>,
    Params(params): Params<AssetsParams>,
) -> Result<Json<AssetsAnswer>, Problem> {
    let class = params.class.as_deref().filter(|class| !class.is_empty());
    let class = class.map_or(Ok(None), |class| extract::class("class", class))?;
    let assets = state.engine().assets();
    let listed = assets.iter().filter(|asset| class.is_none_or(|class| asset.class() == class));
    let answer = |asset| listing(&state, asset);
    Ok(Json(AssetsAnswer { origin: state.engine().chain().origin().as_str(), assets: listed.map(answer).collect() }))
}

/// One asset with its newest price and the forecasts in force.
#[utoipa::path(
    get, path = "/api/assets/{symbol}", tag = "assets",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC")),
    responses(
        (status = 200, description = "The asset", body = AssetDetail),
        (status = 404, description = "`/problems/unknown-symbol`"),
    )
)]
pub(super) async fn asset(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
) -> Result<Json<AssetDetail>, Problem> {
    let asset = state.asset(&symbol)?;
    let engine = state.engine();
    let timeframes = engine.forecast_timeframes(&asset.symbol);
    let pointer = |timeframe: &market::Timeframe| match state.issued(&asset.symbol, *timeframe) {
        Ok(issued) => ForecastPointer {
            timeframe: timeframe.as_str(),
            as_of: Some(issued.forecast.as_of.into()),
            issued_at: Some(issued.forecast.issued_at.into()),
            id: Some(issued.hash.short()),
            stale: Some(engine.is_stale(&issued.forecast)),
            reason: None,
        },
        Err(cause) => ForecastPointer {
            timeframe: timeframe.as_str(),
            as_of: None,
            issued_at: None,
            id: None,
            stale: None,
            reason: Some(cause.reason),
        },
    };
    let forecasts = timeframes.iter().map(pointer).collect();
    let quote = state.quote(&asset);
    let origin = engine.chain().origin();
    Ok(Json(AssetDetail::of(&asset, listing(&state, &asset), quote.as_ref(), forecasts, origin)))
}

/// What is stored of an asset: its series and where they come from, what is missing of them, corporate actions.
#[utoipa::path(
    get, path = "/api/assets/{symbol}/quality", tag = "assets",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC")),
    responses(
        (status = 200, description = "What is stored", body = QualityAnswer),
        (status = 404, description = "`/problems/unknown-symbol`"),
    )
)]
pub(super) async fn quality(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
) -> Result<Json<QualityAnswer>, Problem> {
    let asset = state.asset(&symbol)?;
    let store = state.engine().store();
    let mut series = Vec::new();
    for info in store.series().await?.into_iter().filter(|info| info.key.symbol == asset.symbol) {
        let gaps = store.gaps(&info.key).await?;
        series.push((info, gaps));
    }
    let actions = store.actions(&asset.symbol, state.now()).await?;
    let journal = store.remarks(Some(&asset.symbol), JOURNAL).await?;
    let origin = state.engine().chain().origin();
    Ok(Json(QualityAnswer::of(&asset, origin, series, &actions, journal, state.now())))
}

fn listing(state: &ApiState, asset: &market::Asset) -> AssetAnswer {
    let timeframes = state.engine().forecast_timeframes(&asset.symbol);
    AssetAnswer::of(asset, &timeframes, state.engine().default_timeframe(&asset.symbol))
}
