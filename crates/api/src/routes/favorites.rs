//! Favourites.

use axum::Json;
use axum::extract::State;

use crate::answers::favorites::{FavoriteChanged, FavoritesAnswer};
use crate::extract::Segment;
use crate::problem::Problem;
use crate::state::ApiState;

/// Whose list it is while nobody has a key: everybody's.
const SHARED: &str = "shared";

/// The favourites, in the order they were added.
#[utoipa::path(
    get, path = "/api/favorites", tag = "favorites",
    responses((status = 200, description = "The list", body = FavoritesAnswer))
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<FavoritesAnswer>, Problem> {
    let favorites = state.engine().store().favourites(SHARED).await?;
    Ok(Json(FavoritesAnswer { favorites: favorites.iter().map(ToString::to_string).collect() }))
}

/// Adds a favourite; again changes nothing.
#[utoipa::path(
    post, path = "/api/favorites/{symbol}", tag = "favorites",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC")),
    responses(
        (status = 200, description = "It is on the list", body = FavoriteChanged),
        (status = 404, description = "`/problems/unknown-symbol`"),
    )
)]
pub(super) async fn add(
    State(state): State<ApiState>,
    Segment(symbol): Segment,
) -> Result<Json<FavoriteChanged>, Problem> {
    let asset = state.asset(&symbol)?;
    state.engine().store().add_favourite(SHARED, &asset.symbol).await?;
    Ok(Json(FavoriteChanged { success: true, symbol: asset.symbol.to_string() }))
}

/// Removes a favourite; one that is not on the list is removed already.
#[utoipa::path(
    delete, path = "/api/favorites/{symbol}", tag = "favorites",
    params(("symbol" = String, Path, description = "The product symbol, such as BTC")),
    responses(
        (status = 200, description = "It is not on the list", body = FavoriteChanged),
        (status = 404, description = "`/problems/unknown-symbol`"),
    )
)]
pub(super) async fn remove(
    State(state): State<ApiState>,
    Segment(text): Segment,
) -> Result<Json<FavoriteChanged>, Problem> {
    let symbol = text.parse().map_err(|_| Problem::unknown_symbol(&text))?;
    let removed = state.engine().store().remove_favourite(SHARED, &symbol).await?;
    // One that left the universe can still be removed.
    if !removed {
        state.asset(&text)?;
    }
    Ok(Json(FavoriteChanged { success: true, symbol: symbol.to_string() }))
}
