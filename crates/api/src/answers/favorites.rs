//! Favourites; one list shared by all.

use serde::Serialize;
use utoipa::ToSchema;

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FavoritesAnswer {
    /// Symbols, in the order they were added.
    pub favorites: Vec<String>,
}

/// A change of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FavoriteChanged {
    /// Whether the list is now as asked.
    pub success: bool,
    /// The asset.
    pub symbol: String,
}
