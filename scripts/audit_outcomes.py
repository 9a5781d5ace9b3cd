#!/usr/bin/env python3
"""Recomputes the outcomes of an exported ledger from the bar files, with nothing but Python's own library.

  python3 audit_outcomes.py EXPORT.jsonl BARS [BARS ...] [--score SCORE.json ...]

EXPORT is what `auspex ledger export` wrote; BARS are CSV or CSV.gz files, or folders of them, with the columns symbol,
timestamp (the bar's open, UTC) and close. Every outcome of a forecast whose bars are there is computed again: the return,
CRPS of model and baseline, mean pinball loss, coverage, Brier, call and hit. Prints how many agree, the largest difference,
and for each timeframe the hit rate, coverage and skill one bar ahead. SCORE.json is what `auspex score --json` said of the
same ledger; with `--symbol` it holds the figures of that asset's trends. All of its figures are computed again too.
Exit code 0 when all agree to 1e-9, 1 when one does not, 2 when nothing could be compared.
"""
import csv
import datetime
import glob
import gzip
import json
import math
import os
import sys

LEVELS = [0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975]
EDGES = [0.0] + [(a + b) / 2 for a, b in zip(LEVELS, LEVELS[1:])] + [1.0]
WEIGHTS = [b - a for a, b in zip(EDGES, EDGES[1:])]


def losses(quantiles, change):
    return [max(level * (change - q), (level - 1) * (change - q)) for level, q in zip(LEVELS, quantiles)]


def crps(quantiles, change):
    return 2 * sum(w * x for w, x in zip(WEIGHTS, losses(quantiles, change)))


def call(prob_up):
    return "UP" if prob_up >= 0.51 else "DOWN" if prob_up <= 0.49 else "HOLD"


def hit(direction, change):
    return None if direction == "HOLD" or change == 0 else (change > 0) == (direction == "UP")


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def read_closes(paths):
    """{symbol: {open stamp: close}}"""
    closes = {}
    for path in paths:
        found = sorted(glob.glob(os.path.join(path, "**", "*.csv*"), recursive=True)) if os.path.isdir(path) else [path]
        for name in found:
            with (gzip.open(name, "rt") if name.endswith(".gz") else open(name)) as file:
                for row in csv.DictReader(file):
                    if {"symbol", "timestamp", "close"} <= row.keys():
                        symbol = row["symbol"].removesuffix("USDT") or row["symbol"]
                        closes.setdefault(symbol, {})[instant(row["timestamp"])] = float(row["close"])
    return closes


def bar_stamp(close_time, asset_class, timeframe, step):
    """The open stamp of the bar that closed then: a US session is labelled by its date at 00:00Z."""
    if asset_class == "stocks" and timeframe in ("1D", "1W", "1M"):
        return close_time.replace(hour=0, minute=0, second=0, microsecond=0)
    return close_time - step


def mean(values):
    return sum(values) / len(values) if values else None


def board_differs(name, record):
    """The largest difference between a scoreboard and the recomputed cases {(class, timeframe, horizon): {symbol: rows}}."""
    board = json.load(open(name))
    worst, n_lines = 0.0, 0
    for line in board["scoreboard"]:
        symbols = record.get((line["asset_class"], line["timeframe"], line["horizon"]), {})
        chosen = [rows for symbol, rows in symbols.items() if board.get("symbol") in (None, symbol)]
        rows = [row for rows in chosen for row in rows]
        calls = [row[2] for row in rows if row[2] is not None]
        again = {
            "n": len(rows), "n_calls": len(calls), "n_assets": len(chosen),
            "crps": mean([row[0] for row in rows]), "crps_baseline": mean([row[1] for row in rows]),
            "crps_skill": mean([1 - sum(r[0] for r in part) / sum(r[1] for r in part) for part in chosen]),
            "coverage_80": mean([row[3] for row in rows]), "hit_rate": mean(calls),
        }
        said = dict(line, coverage_80=(line["coverage_80"] or {}).get("observed", {}).get("rate"),
                    hit_rate=(line["hit_rate"] or {}).get("rate"))
        for key, value in again.items():
            # Shares of too few cases are not told.
            if said[key] is not None:
                worst = max(worst, math.inf if value is None else abs(value - said[key]))
        n_lines += 1
    print(f"{name}: {n_lines} lines of the scoreboard computed again; largest difference {worst:.3g}")
    return worst


def main(arguments):
    boards = []
    while "--score" in arguments[:-1]:
        at = arguments.index("--score")
        boards.append(arguments[at + 1])
        arguments = arguments[:at] + arguments[at + 2:]
    if len(arguments) < 2:
        sys.exit(__doc__)
    closes = read_closes(arguments[1:])
    forecasts, record = {}, {}
    compared = unmatched = 0
    worst = 0.0
    with open(arguments[0]) as lines:
        for line in lines:
            entry = json.loads(line)
            body = json.loads(entry["body"])
            if body["kind"] == "forecast":
                forecasts[entry["seq"]] = body
            if body["kind"] != "outcome" or body["forecast"]["seq"] not in forecasts:
                continue
            forecast = forecasts[body["forecast"]["seq"]]
            at = next(h for h in forecast["horizons"] if h["horizon"] == body["horizon"])
            hours = {"1h": 1, "4h": 1}.get(forecast["timeframe"], 24)
            step = datetime.timedelta(hours=hours)
            series = closes.get(body["symbol"], {})
            stamps = [bar_stamp(instant(body[k]), forecast["asset_class"], forecast["timeframe"], step)
                      for k in ("as_of", "target_time")]
            if any(stamp not in series for stamp in stamps):
                unmatched += 1
                continue
            change = math.log(series[stamps[1]] / series[stamps[0]])
            stated = body["scores"]
            rise = float(change > 0)
            direction = call(at["prob_up"])
            again = {
                "crps": crps(at["quantiles"], change), "crps_baseline": crps(at["baseline"], change),
                "pinball": sum(losses(at["quantiles"], change)) / len(LEVELS),
                "brier": None if change == 0 else (at["prob_up"] - rise) ** 2,
            }
            apart = [abs(change - body["change"])]
            apart += [abs((again[k] or 0.0) - (stated[k] or 0.0)) for k in again]
            same = (stated["covered_80"] == (at["quantiles"][2] <= change <= at["quantiles"][10])
                    and stated["covered_95"] == (at["quantiles"][0] <= change <= at["quantiles"][12])
                    and stated["direction"] == direction and stated["hit"] == hit(direction, change))
            worst = max(worst, *apart, 0.0 if same else math.inf)
            compared += 1
            key = (forecast["asset_class"], forecast["timeframe"], body["horizon"])
            rows = record.setdefault(key, {}).setdefault(body["symbol"], [])
            rows.append((again["crps"], again["crps_baseline"], hit(direction, change), stated["covered_80"]))
    print(f"{compared} outcomes computed again, {unmatched} without their bars; largest difference {worst:.3g}")
    for (_, timeframe, horizon), symbols in sorted(record.items()):
        if horizon != 1:
            continue
        rows = [row for rows in symbols.values() for row in rows]
        calls = [row[2] for row in rows if row[2] is not None]
        skills = [1 - sum(r[0] for r in rows) / sum(r[1] for r in rows) for rows in symbols.values()]
        print(f"{timeframe} one bar ahead: n {len(rows)}, skill {100 * sum(skills) / len(skills):.4f} %, "
              f"80 % held {sum(r[3] for r in rows) / len(rows):.4f}, "
              f"hit rate {sum(calls) / len(calls) if calls else math.nan:.4f} of {len(calls)} calls")
    worst = max([worst, *(board_differs(name, record) for name in boards)])
    sys.exit(2 if compared == 0 else int(not worst <= 1e-9))


if __name__ == "__main__":
    main(sys.argv[1:])
