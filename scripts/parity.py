"""Trains XGBoost on the matrix that boosting_reference wrote, compares predictions, prints the ratio of CPU seconds.

usage: python parity.py FOLDER        needs numpy and xgboost (or xgboost-cpu) 3.1 or newer

Of squares both trainings must give the same bits. Levels are split by other gradients (ours by the smoothed pinball loss of
XGBoost 3.4, XGBoost 3.2 by the pinball loss itself), so their ratio is told at equal pinball loss too.
"""
import json
import os
import sys
import time

import numpy as np
import xgboost as xgb

LEVELS = [0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975]


def loss(name, predicted, y):
    if name == "squares":
        return float(np.mean((predicted[:, 0] - y) ** 2))
    apart = y[:, None] - predicted
    return float(np.mean(np.maximum(np.array(LEVELS) * apart, (np.array(LEVELS) - 1) * apart)))


def main(folder):
    failed = False
    print(f"xgboost {xgb.__version__}")
    for name, objective in (("squares", "reg:squarederror"), ("levels", "reg:quantileerror")):
        facts = json.load(open(os.path.join(folder, name + ".json")))
        x = np.fromfile(os.path.join(folder, "x.f32"), "<f4").reshape(facts["rows"], facts["columns"])
        y = np.fromfile(os.path.join(folder, "y.f32"), "<f4")
        ours = np.fromfile(os.path.join(folder, name + ".f32"), "<f4").reshape(facts["shown"], -1)
        params = {
            "objective": objective, "tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0,
            "max_leaves": facts["leaves"], "eta": 0.05, "lambda": 5.0, "min_child_weight": 200.0, "max_bin": 64,
            "seed": 7, "nthread": 1,
        }
        if name == "levels":
            params["quantile_alpha"] = LEVELS
        began = time.process_time()
        model = xgb.train(params, xgb.DMatrix(x, label=y, nthread=1), facts["rounds"])
        seconds = time.process_time() - began
        shown = xgb.DMatrix(x[: facts["shown"]], nthread=1)
        theirs = model.predict(shown).reshape(facts["shown"], -1)
        read = xgb.Booster()
        read.load_model(os.path.join(folder, name + ".ubj"))
        reloaded = read.predict(shown).reshape(facts["shown"], -1)
        trained_apart = float(np.abs(np.sort(theirs, 1) - np.sort(ours, 1)).max())
        read_apart = float(np.abs(np.sort(reloaded, 1) - np.sort(ours, 1)).max())
        labels = y[: facts["shown"]]
        reached = loss(name, ours, labels)
        # Rounds cost alike: the share of them after which XGBoost is as good as ours, where it comes to be.
        at = lambda n: loss(name, model.predict(shown, iteration_range=(0, n)).reshape(facts["shown"], -1), labels)
        rounds = next((n for n in range(1, facts["rounds"] + 1) if at(n) <= reached), facts["rounds"])
        ratio = facts["seconds"] / seconds
        print(f"{name}: ours {facts['seconds']:.2f} s, xgboost {seconds:.2f} s of CPU, ratio {ratio:.2f}; "
              f"loss {reached:.6f} and {at(facts['rounds']):.6f}, at equal loss (after {rounds} of {facts['rounds']} rounds) "
              f"ratio {ratio * facts['rounds'] / rounds:.2f}; "
              f"largest difference of predictions: trained apart {trained_apart:.2e}, our file read by xgboost {read_apart:.2e}")
        failed |= read_apart > 1e-6 or (name == "squares" and trained_apart > 1e-6)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
