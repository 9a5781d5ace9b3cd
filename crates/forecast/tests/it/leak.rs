use forecast::{Corruption, FitParams, ModelName, ModelSet, leak_gate, leak_gate_at};
use market::{AssetClass, AssetKind, Timeframe};
use proptest::prelude::*;

use crate::generated::Market;
use crate::model_set::{bits, coins, fitted, linear, params};

#[test]
fn promise_2_forecasts_do_not_depend_on_what_happens_after() {
    leak_gate(coins(), fitted()).unwrap();
}

#[test]
fn promise_2_training_does_not_depend_on_what_happens_after() {
    let through = coins().close_time(0, 1200);
    let params = FitParams { through: Some(through), models: vec![ModelName::Ensemble], ..params() };
    let honest = ModelSet::fit(coins(), &params).unwrap().to_artefact().unwrap();
    let other = coins().corrupted_after(through, Corruption::Nonsense { seed: 3 });
    assert_eq!(ModelSet::fit(&other, &params).unwrap().to_artefact().unwrap(), honest);
}

#[test]
fn promise_2_refits_do_not_depend_on_what_happens_after() {
    let through = coins().close_time(0, 1490);
    let set = fitted();
    let honest = set.refit_linear(coins(), through).unwrap();
    let other = coins().corrupted_after(through, Corruption::Nonsense { seed: 5 });
    let corrupted = set.refit_linear(&other, through).unwrap();
    assert_eq!(bits(&honest, coins(), &[1490]), bits(&corrupted, &other, &[1490]));
}

#[test]
fn the_gate_sees_a_model_that_reads_ahead() {
    // A panel whose rows changed after the fact stands for a leak: the gate must not be blind.
    let kinds = [AssetKind::Coin, AssetKind::Coin];
    let market = Market::new(AssetClass::Crypto, Timeframe::D1, &kinds, 300, 3);
    let other = Market::new(AssetClass::Crypto, Timeframe::D1, &kinds, 300, 4);
    let (panel, changed) = (market.panel(), other.panel());
    let as_of = panel.close_time(0, 250);
    let bits = |p: &forecast::Panel| {
        linear().predict(p, 0, 250, ModelName::Har, &[1]).unwrap()[0].quantiles.values().map(f64::to_bits)
    };
    assert_ne!(bits(&panel), bits(&changed));
    assert_eq!(bits(&panel), bits(&panel.corrupted_after(as_of, Corruption::Nonsense { seed: 1 })));
    assert_ne!(panel.corrupted_after(as_of, Corruption::Cut).data_hash(), panel.data_hash());
    assert_eq!(panel.corrupted_after(as_of, Corruption::Cut).data_hash(), panel.data_hash_at(as_of));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn promise_2_holds_at_any_instant(row in 140usize..1490, seed in any::<u64>()) {
        leak_gate_at(coins(), linear(), coins().close_time(0, row), seed).unwrap();
    }

    #[test]
    fn bar_by_bar_and_at_once_are_the_same_bits(cut in 1usize..399, seed in 0u64..1000) {
        let kinds = [AssetKind::Equity, AssetKind::Etf, AssetKind::Equity];
        let market = Market::new(AssetClass::Stocks, Timeframe::H1, &kinds, 400, seed);
        let mut live = market.listed();
        market.push(&mut live, 0, cut);
        let mut resumed = live.clone();
        drop(live);
        market.push(&mut resumed, cut, 400);
        let batch = market.panel();
        prop_assert_eq!(resumed.data_hash(), batch.data_hash());
        prop_assert_eq!(format!("{resumed:?}"), format!("{batch:?}"));
    }
}
