//! Who is asked for what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use market::{Adjustment, Asset, AssetClass, AssetKind, Symbol, Timeframe};
use sources::{DataSource, LiveSource};

use super::LiveSettings;

/// A source and what it is asked for.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Gives history.
    pub data: Arc<dyn DataSource>,
    /// Tells what happens, where it can.
    pub live: Option<Arc<dyn LiveSource>>,
    /// The classes it is asked for.
    pub classes: Vec<AssetClass>,
    /// How many questions are open at once, per task.
    pub parallel: usize,
}

/// All sources, those that come first for an asset first.
#[derive(Debug, Clone, Default)]
pub struct Roster(Vec<Provider>);

impl Roster {
    /// A roster in order of preference.
    #[must_use]
    pub const fn new(providers: Vec<Provider>) -> Self {
        Self(providers)
    }

    pub(crate) fn providers(&self) -> &[Provider] {
        &self.0
    }

    /// Who comes first for an asset's series.
    #[must_use]
    pub fn first_for(&self, asset: &Asset, timeframe: Timeframe) -> Option<&Arc<dyn DataSource>> {
        let gives = |provider: &&Provider| {
            provider.classes.contains(&asset.class()) && provider.data.reach(asset, timeframe).is_some()
        };
        self.0.iter().find(gives).map(|provider| &provider.data)
    }

    /// Whether nobody is asked for anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the provider at `place` is asked for: days first, then hours, then releases and minutes.
    pub(super) fn duties(&self, place: usize, assets: &[Asset], settings: &LiveSettings) -> Vec<Duty> {
        let provider = &self.0[place];
        let mut duties = Vec::new();
        for asset in assets.iter().filter(|asset| provider.classes.contains(&asset.class())) {
            for timeframe in timeframes(asset, settings) {
                let Some(reach) = provider.data.reach(asset, timeframe) else { continue };
                let wanted = match timeframe {
                    Timeframe::H1 => settings.hours_back,
                    timeframe if timeframe < Timeframe::H1 => settings.minutes_back,
                    _ => settings.days_back,
                };
                let before = self.0[..place].iter().find(|other| {
                    other.classes.contains(&asset.class()) && other.data.reach(asset, timeframe).is_some()
                });
                // Nobody compares minutes, and no forecast is made from them.
                if before.is_some() && timeframe < Timeframe::H1 {
                    continue;
                }
                duties.push(Duty {
                    asset: asset.clone(),
                    timeframe,
                    adjustment: provider.data.adjustment(),
                    back: reach.min(wanted),
                    stands_behind: before
                        .map(|other| (other.data.name().to_owned(), other.data.delay(asset, timeframe))),
                });
            }
        }
        let rank = |timeframe: Timeframe| match timeframe {
            Timeframe::H1 => 0,
            timeframe if timeframe > Timeframe::H1 => 1,
            _ => 2,
        };
        duties.sort_by_key(|duty| (duty.stands_behind.is_some(), rank(duty.timeframe)));
        duties
    }
}

/// The bar lengths of an asset that are asked for. A macro series has none: its month stands for its releases.
fn timeframes(asset: &Asset, settings: &LiveSettings) -> Vec<Timeframe> {
    let minutes = settings.minutes.iter().filter(|(class, _)| *class == asset.class()).map(|(_, timeframe)| *timeframe);
    match asset.kind {
        AssetKind::Series => vec![Timeframe::Mo1],
        AssetKind::Index => vec![Timeframe::D1],
        _ => [Timeframe::H1, Timeframe::D1].into_iter().chain(minutes).collect(),
    }
}

/// One series that one source is asked for.
#[derive(Debug, Clone)]
pub(super) struct Duty {
    pub(super) asset: Asset,
    pub(super) timeframe: Timeframe,
    pub(super) adjustment: Adjustment,
    /// How far back at first.
    pub(super) back: SignedDuration,
    /// The source that comes first for it, with how long that one takes; `None` when this one does.
    pub(super) stands_behind: Option<(String, SignedDuration)>,
}

/// Where the first source of each series stands, for those behind it.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<HashMap<(Symbol, Timeframe), Timestamp>>);

impl Board {
    /// The close of the newest bar the first source has given.
    pub(super) fn newest(&self, symbol: &Symbol, timeframe: Timeframe) -> Option<Timestamp> {
        self.0.lock().expect("no holder of this lock can panic").get(&(symbol.clone(), timeframe)).copied()
    }

    pub(super) fn set_newest(&self, symbol: &Symbol, timeframe: Timeframe, close_time: Timestamp) {
        let mut board = self.0.lock().expect("no holder of this lock can panic");
        board.insert((symbol.clone(), timeframe), close_time);
    }
}
