#!/usr/bin/env python3
"""Makes the parity fixtures of the boosters: two small models trained and saved by XGBoost, rows, and the bits of its
predictions. Needs numpy and the wheel xgboost-cpu (or xgboost) of 3.1 or later.

  python make.py            writes scale.ubj, quantiles.ubj and expected.json beside this file
  python make.py DIR        checks DIR/*.ubj against DIR/*.json of the same name, as written by the other side:
                            {"rows": [[..]], "bits": [[..]]}
"""
import json
import pathlib
import sys

import numpy as np
import xgboost as xgb

LEVELS = [0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975]


def bits(predicted):
    # Versions up to 3.3 leave a row's quantiles as they come; ours are ascending.
    predicted = np.sort(np.asarray(predicted, dtype=np.float32).reshape(len(predicted), -1), axis=1)
    return predicted.view(np.uint32).tolist()


def rows_of(values):
    return [[None if np.isnan(v) else float(v) for v in row] for row in values]


def make(folder):
    random = np.random.default_rng(20251122)
    x = random.normal(size=(400, 6)).astype(np.float32)
    x[random.random(x.shape) < 0.1] = np.nan
    noise = random.normal(size=400)
    y = (np.nan_to_num(x[:, 0]) + np.abs(np.nan_to_num(x[:, 1])) * noise).astype(np.float32)
    common = {"tree_method": "hist", "max_leaves": 8, "max_depth": 0, "grow_policy": "lossguide", "eta": 0.3, "nthread": 1}
    data = xgb.DMatrix(x, y)
    scale = xgb.train({**common, "objective": "reg:squarederror"}, data, 12)
    quantile = {**common, "objective": "reg:quantileerror", "quantile_alpha": LEVELS}
    quantiles = xgb.train(quantile, xgb.QuantileDMatrix(x, y), 4)
    probe = x[:24]
    expected = {"xgboost": xgb.__version__, "rows": rows_of(probe)}
    for name, model in [("scale", scale), ("quantiles", quantiles)]:
        model.save_model(folder / f"{name}.ubj")
        expected[name] = bits(model.predict(xgb.DMatrix(probe)))
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


def check(folder):
    for path in sorted(folder.glob("*.ubj")):
        told = json.loads(path.with_suffix(".json").read_text())
        rows = np.array([[np.nan if v is None else v for v in row] for row in told["rows"]], dtype=np.float32)
        model = xgb.Booster(model_file=path)
        same = bits(model.predict(xgb.DMatrix(rows))) == told["bits"]
        print(path.name, "identical bits" if same else "DIFFERENT", "in XGBoost", xgb.__version__)
        if not same:
            sys.exit(1)


if __name__ == "__main__":
    check(pathlib.Path(sys.argv[1])) if len(sys.argv) > 1 else make(pathlib.Path(__file__).parent)
