//! What every forecaster keeps, whoever it is.

use forecast::{Forecaster, ModelName, Naive, Trained};

use crate::model_set::{coins, params};

#[test]
fn every_forecaster_keeps_the_contract() {
    let trained = [ModelName::Ewma, ModelName::Har, ModelName::Ridge];
    let mut forecasters: Vec<(ModelName, Box<dyn Forecaster>)> =
        vec![(ModelName::Naive, Box::new(Naive::QUICK)), (ModelName::Naive1000, Box::new(Naive::SLOW))];
    for model in trained {
        forecasters.push((model, Box::new(Trained { model, params: params() })));
    }
    let panel = coins();
    for (name, forecaster) in forecasters {
        let fitted = forecaster.fit(panel).unwrap();
        assert_eq!(fitted.name(), name);
        let horizons = [21, 1, 5];
        let predicted = fitted.predict(panel, 1, 1450, &horizons).unwrap();
        assert_eq!(
            predicted.iter().map(|p| p.horizon_bars).collect::<Vec<_>>(),
            horizons,
            "{name}: in the order asked"
        );
        let width = |at: usize| predicted[at].quantiles.interval(80).map(|(low, high)| high - low).unwrap();
        assert!(width(1) < width(2) && width(2) < width(0), "{name}: further ahead is less certain");
        assert_eq!(predicted, fitted.predict(panel, 1, 1450, &horizons).unwrap(), "{name}: twice the same");
        assert!(fitted.predict(panel, 1, 20, &[1]).is_err() || !name.is_naive(), "{name}: no history, no baseline");
    }
}
