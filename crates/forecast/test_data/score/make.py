#!/usr/bin/env python3
"""Writes the generated cases on which our scoring is compared with an independent scorer in Python (numpy, pandas).

    python3 make.py

bars.csv       symbol,timestamp,close: three series of 400 days and more, with missing days and unchanged closes
forecasts.csv  one and five days ahead: 13 quantiles of the log return that never cross, prob_up (some exactly 0.5)
naive.json     log prices and reference quantiles computed with numpy.quantile, every digit kept

expected.json and expected_interval.json were printed once by the independent scorer from the two CSV files: with figures
for each symbol and without a bootstrap, and with its default bootstrap (only the intervals were kept).
"""
import csv
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
LEVELS = [.025, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .975]
# Standard normal quantiles at LEVELS, to four digits: the shape of the made-up forecasts.
SHAPE = np.array([-1.96, -1.6449, -1.2816, -.8416, -.5244, -.2533, 0, .2533, .5244, .8416, 1.2816, 1.6449, 1.96])
SERIES = [("CALM", 450, .004, .0), ("WILD", 435, .03, .06), ("STIFF", 425, .01, .25)]


def day(number):
    return str(np.datetime64("2015-01-01") + number) + "T00:00:00Z"


def series(rng, length, scale, stuck):
    """Closes of `length` consecutive days; a day repeats the last close with probability `stuck`."""
    variance, log_price, closes = 1.0, np.log(50), []
    for _ in range(length):
        variance = .2 + .75 * variance + .25 * abs(rng.standard_normal()) * variance ** .5 * .5
        if rng.random() >= stuck:
            log_price += scale * variance ** .5 * rng.standard_t(4)
        closes.append(round(float(np.exp(log_price)), 2))
    return closes


def main():
    rng = np.random.default_rng(7)
    bars, rows = [], []
    for name, length, scale, stuck in SERIES:
        closes = series(rng, length, scale, stuck)
        gone = set(rng.choice(np.arange(20, length - 6), length // 25, replace=False).tolist()) | {200, 201, 202}
        kept = [number for number in range(length) if number not in gone]
        bars += [(name, day(number), closes[number]) for number in kept]
        for ahead in (1, 5):
            for number in range(85, length - ahead, 2):
                if number in gone or number + ahead in gone:
                    continue
                spread = scale * ahead ** .5 * np.exp(.3 * rng.standard_normal())
                middle = 0 if rng.random() < .3 else .1 * spread * rng.standard_normal()
                quantiles = np.sort(np.round(middle + spread * SHAPE, 6)) + 0.0
                if rng.random() < .05:
                    quantiles = np.maximum(quantiles, 0.0)
                prob_up = round(float(np.clip(.5 + .1 * rng.standard_normal(), 0, 1)), 3)
                prob_up = .5 if rng.random() < .1 else float(rng.integers(0, 2)) if rng.random() < .03 else prob_up
                rows.append([name, day(number), f"{ahead}D", day(number + ahead), closes[number], *quantiles, prob_up])
    with open(HERE / "bars.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["symbol", "timestamp", "close"])
        out.writerows(bars)
    with open(HERE / "forecasts.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        names = [f"q{level}" for level in LEVELS]
        out.writerow(["symbol", "as_of", "horizon", "target_time", "current_price", *names, "p_up"])
        out.writerows(rows)

    log_prices = np.log([close for name, _, close in bars if name == "STIFF"])
    cases = []
    for index, ahead, window in [(99, 1, 250), (100, 1, 250), (250, 1, 250), (251, 1, 250), (300, 5, 250), (340, 21, 250),
                                 (360, 1, 137), (360, 7, 99), (360, 3, 1000), (120, 21, 250), (119, 21, 250)]:
        first = max(ahead, index - window + 1)
        returns = [log_prices[end] - log_prices[end - ahead] for end in range(first, index + 1)]
        quantiles = np.quantile(returns, LEVELS).tolist() if len(returns) >= 100 else None
        cases.append({"index": index, "horizon": ahead, "window": window, "quantiles": quantiles})
    (HERE / "naive.json").write_text(json.dumps({"log_prices": log_prices.tolist(), "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
