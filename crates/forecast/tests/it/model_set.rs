use std::sync::OnceLock;

use forecast::{FitParams, ForecastError, ModelName, ModelSet, Panel};
use market::{AssetClass, AssetKind, N_LEVELS, Timeframe};
use proptest::prelude::*;

use crate::generated::Market;

/// Coins and a stablecoin over four years.
pub(crate) fn coins() -> &'static Panel {
    static PANEL: OnceLock<Panel> = OnceLock::new();
    PANEL.get_or_init(|| {
        let kinds = [AssetKind::Coin, AssetKind::Coin, AssetKind::Coin, AssetKind::Stable];
        Market::new(AssetClass::Crypto, Timeframe::D1, &kinds, 1500, 7).panel()
    })
}

/// Without the boosted quantiles, whose thirteen outputs at every anchor cost most of a fit.
pub(crate) const MODELS: [ModelName; 7] = [
    ModelName::Naive,
    ModelName::Naive1000,
    ModelName::Ewma,
    ModelName::Har,
    ModelName::Ridge,
    ModelName::BoostedScale,
    ModelName::Ensemble,
];

pub(crate) fn params() -> FitParams {
    FitParams { seed: 11, max_rows: 1200, models: MODELS.to_vec(), ..FitParams::default() }
}

/// HAR and ridge alone: fitted in a moment.
pub(crate) fn linear() -> &'static ModelSet {
    static SET: OnceLock<ModelSet> = OnceLock::new();
    SET.get_or_init(|| {
        let params = FitParams { models: vec![ModelName::Har, ModelName::Ridge], ..params() };
        ModelSet::fit(coins(), &params).expect("enough history")
    })
}

pub(crate) fn fitted() -> &'static ModelSet {
    static SET: OnceLock<ModelSet> = OnceLock::new();
    SET.get_or_init(|| ModelSet::fit(coins(), &params()).expect("enough history"))
}

/// The bits of all models' forecasts of some rows.
pub(crate) fn bits(set: &ModelSet, panel: &Panel, rows: &[usize]) -> Vec<u64> {
    let mut bits = Vec::new();
    for asset in 0..3 {
        for row in rows {
            for model in MODELS {
                for prediction in
                    set.predict(panel, asset, *row, model, &[1, 2, 5, 21, 60, 300]).expect("the models were fitted")
                {
                    bits.extend(prediction.quantiles.values().map(f64::to_bits));
                    bits.push(prediction.prob_up.to_bits());
                }
            }
        }
    }
    bits
}

#[test]
fn promise_7_a_stored_model_is_xgboost_files_and_predicts_the_same_bits() {
    let artefact = fitted().to_artefact().unwrap();
    check_is_xgboost(&artefact);
    check_is_guarded(&artefact);
    let read = ModelSet::from_artefact(&artefact.manifest, &artefact.bytes).unwrap();
    assert_eq!(bits(fitted(), coins(), &[400, 1499]), bits(&read, coins(), &[400, 1499]));
    assert_eq!(read.to_artefact().unwrap(), artefact);
    assert_eq!(read.trained_through(), coins().last_close_time().unwrap());
    assert_eq!(read.data_hash(), coins().data_hash());
}

#[test]
fn promise_7_one_thread_and_two_write_the_same_bytes() {
    let params = FitParams { models: vec![ModelName::Ensemble], ..params() };
    let on = |n: usize| {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        threads.install(|| ModelSet::fit(coins(), &params).unwrap().to_artefact().unwrap())
    };
    let one = on(1);
    assert_eq!(one, on(2));
    let other_seed = FitParams { seed: 12, ..params.clone() };
    assert_ne!(one.hash(), ModelSet::fit(coins(), &other_seed).unwrap().to_artefact().unwrap().hash());
}

/// Every way to spoil an artefact is refused with its reason.
fn check_is_guarded(artefact: &forecast::Artefact) {
    let check = |manifest: &str, bytes: &[u8], message: &str| {
        let error = ModelSet::from_artefact(manifest, bytes).expect_err("it is spoilt").to_string();
        assert!(error.contains(message), "{error:?} does not say {message:?}");
    };
    let bytes = &artefact.bytes;
    check(&artefact.manifest, &bytes[..bytes.len() - 1], "bytes of");
    check(&artefact.manifest, &[], "0 bytes of");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    check(&artefact.manifest, &flipped, "was altered");
    let altered = artefact.manifest.replacen("\"seed\":11", "\"seed\":12", 1);
    assert_ne!(altered, artefact.manifest);
    check(&altered, bytes, "the manifest was altered");
    check(&artefact.manifest[..artefact.manifest.len() / 2], bytes, "unreadable");
    check(&artefact.manifest.replacen("\"format\":1", "\"format\":9", 1), bytes, "format 9");
}

/// Looks at the first booster.
fn check_is_xgboost(artefact: &forecast::Artefact) {
    let manifest: serde_json::Value = serde_json::from_str(&artefact.manifest).expect("JSON");
    let parts = &manifest["model"]["pools"][0]["anchors"][0]["boosters"]["scale"][0];
    let at = |name: &str| parts[name].as_u64().expect("a number") as usize;
    let part = &artefact.bytes[at("offset")..at("offset") + at("length")];
    // UBJSON: an object with the learner and the version, three numbers.
    assert_eq!(part[0], b'{');
    let holds = |word: &[u8]| part.windows(word.len()).any(|w| w == word);
    assert!(holds(b"learner") && holds(b"gradient_booster") && holds(b"version") && holds(b"reg:squarederror"));
}

#[test]
fn promise_7_a_linear_refit_at_the_same_moment_changes_nothing() {
    let again = fitted().refit_linear(coins(), fitted().trained_through()).unwrap();
    assert_eq!(bits(fitted(), coins(), &[1000, 1499]), bits(&again, coins(), &[1000, 1499]));
    let stocks = Market::new(AssetClass::Stocks, Timeframe::D1, &[AssetKind::Equity], 30, 1).panel();
    assert!(matches!(fitted().refit_linear(&stocks, fitted().trained_through()), Err(ForecastError::Mismatch(_))));
}

#[test]
fn several_models_at_once_say_what_each_says_alone() {
    let (horizons, models) = ([1, 3, 21], [ModelName::Ridge, ModelName::Naive, ModelName::Har]);
    let together = linear().predict_all(coins(), 2, 1300, &models, &horizons).unwrap();
    let alone = models.iter().flat_map(|m| linear().predict(coins(), 2, 1300, *m, &horizons).unwrap());
    assert_eq!(together, alone.collect::<Vec<_>>());
}

#[test]
fn between_anchors_the_scale_runs_in_log_horizon() {
    let row = 1400;
    let width = |h: u32| {
        let predicted = linear().predict(coins(), 1, row, ModelName::Ewma, &[h]).unwrap();
        let (low, high) = predicted[0].quantiles.interval(80).unwrap();
        (high - low) / f64::from(h).sqrt()
    };
    // The EWMA variance is the same at all anchors, so that the widths over √h run linearly between theirs.
    let weight = (3.0f64).ln() / 5.0f64.ln();
    let expected = width(1) + weight * (width(5) - width(1));
    assert!((width(3) - expected).abs() < 1e-9 * expected);
    // Beyond the last anchor the shape stays.
    assert!((width(210) - width(400)).abs() < 1e-9 * width(210));
}

#[test]
fn stables_and_short_histories_have_no_model_but_may_have_a_baseline() {
    let set = linear();
    let outside = set.predict(coins(), 3, 1400, ModelName::Ridge, &[1]);
    assert!(matches!(outside, Err(ForecastError::OutsidePool { .. })));
    assert!(set.predict(coins(), 3, 1400, ModelName::Naive, &[1]).is_ok());
    assert!(matches!(set.predict(coins(), 0, 50, ModelName::Naive, &[1]), Err(ForecastError::NotEnoughHistory(_))));
    let short = Market::new(AssetClass::Crypto, Timeframe::D1, &[AssetKind::Coin], 300, 1).panel();
    assert!(matches!(ModelSet::fit(&short, &params()), Err(ForecastError::NotEnoughHistory(_))));
    let few_rows = FitParams { max_rows: 10, ..params() };
    assert!(matches!(ModelSet::fit(coins(), &few_rows), Err(ForecastError::Parameters(_))));
}

#[test]
fn what_was_not_fitted_does_not_predict() {
    let set = linear();
    assert!(set.predict(coins(), 0, 1400, ModelName::Ridge, &[1, 210]).is_ok());
    for model in [ModelName::BoostedScale, ModelName::BoostedQuantiles, ModelName::Ensemble] {
        assert!(matches!(set.predict(coins(), 0, 1400, model, &[1]), Err(ForecastError::Mismatch(_))), "{model}");
    }
    assert_eq!(set.boosters_through(), None);
    let artefact = set.to_artefact().unwrap();
    assert!(artefact.bytes.is_empty());
    assert!(ModelSet::from_artefact(&artefact.manifest, &artefact.bytes).is_ok());
}

#[test]
fn an_asset_listed_after_training_is_forecast_with_the_pools_shape() {
    let kinds = [AssetKind::Coin, AssetKind::Coin, AssetKind::Coin, AssetKind::Coin];
    let more = Market::new(AssetClass::Crypto, Timeframe::D1, &kinds, 400, 7);
    let mut panel = more.panel();
    let newcomer = panel.add_asset("NEW".parse().unwrap(), AssetKind::Coin).unwrap();
    assert_eq!(panel.row_at(newcomer, panel.last_close_time().unwrap()), None);
    assert!(linear().predict(&panel, 3, 399, ModelName::Ridge, &[1, 5, 21]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn quantiles_never_cross_and_probabilities_are_probabilities(
        asset in 0usize..3, row in 130usize..1500, h in 1u32..400, model in 0usize..MODELS.len()
    ) {
        let model = MODELS[model];
        if row > h as usize + 100 || !model.is_naive() {
            let predicted = fitted().predict(coins(), asset, row, model, &[h]).unwrap();
            let q = predicted[0].quantiles.values();
            prop_assert!(q.iter().all(|v| v.is_finite()));
            prop_assert!(q.windows(2).all(|w| w[0] <= w[1]));
            prop_assert!((0.0..=1.0).contains(&predicted[0].prob_up));
            prop_assert!(q[0] < q[N_LEVELS - 1]);
        }
    }
}
