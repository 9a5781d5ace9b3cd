"""The recorded market the clients are shown: small, without chance, every number derivable by hand.

The clock stands at NOW, a Monday at 11:20:30 in New York. What is recorded goes on after it, and no client may see that.

  AAPL  days, a split of four for one and a dividend
  MSFT  hours over the change to summer time, a half day and a holiday
  SPY   minutes over the half day, the holiday and a weekend to the session that runs
  BTC   minutes over three days, thirty of them missing; in all other lengths it is made of these
  ETH   hours, five of them missing
  GDP and UNRATE  vintages as they were published and revised, one of them after NOW

Prices are multiples of 1/8, so that they are the same in 32 bits.
"""
import csv
from collections import namedtuple
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

UTC = timezone.utc
Bar = namedtuple("Bar", "time open high low close volume")  # time: when it opened
Vintage = namedtuple("Vintage", "period value start end")  # end: the first day on which it was not current any more

NOW = datetime(2024, 7, 8, 15, 20, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

HOLIDAYS = {
    date(2023, 9, 4), date(2023, 11, 23), date(2023, 12, 25), date(2024, 1, 1), date(2024, 1, 15), date(2024, 2, 19),
    date(2024, 3, 29), date(2024, 5, 27), date(2024, 6, 19), date(2024, 7, 4),
}
HALF_DAYS = {date(2023, 7, 3), date(2023, 11, 24), date(2024, 7, 3)}
SUMMER = (date(2024, 3, 10), date(2024, 11, 3))  # of the year whose hours and minutes are recorded

SPLIT = date(2024, 5, 6)  # four new shares for an old one
DIVIDEND, AMOUNT = date(2024, 6, 3), 0.5
BTC_GAP = (datetime(2024, 7, 7, 10, tzinfo=UTC), datetime(2024, 7, 7, 10, 30, tzinfo=UTC))
ETH_GAP = (datetime(2024, 6, 25, 8, tzinfo=UTC), datetime(2024, 6, 25, 13, tzinfo=UTC))


def bar(time, level, volume):
    return Bar(time, level, level + 0.5, level - 0.5, level + 0.25, float(volume))


def sessions(first, last):
    days = (first + DAY * n for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5 and day not in HOLIDAYS]


def hours_of(day):
    """The open and the close of a session."""
    offset = 4 if SUMMER[0] <= day < SUMMER[1] else 5
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + HOUR * offset
    return midnight + HOUR * 9.5, midnight + HOUR * (13 if day in HALF_DAYS else 16)


def session_bars(day, step):
    opens, closes = hours_of(day)
    return [opens + step * n for n in range(-((opens - closes) // step))]


def grid(first, last, step):
    return [first + step * n for n in range((last - first) // step)]


AAPL = []
for n, day in enumerate(sessions(date(2023, 7, 10), date(2024, 7, 12))):
    AAPL.append(bar(day, 400.0 + n if day < SPLIT else (400.0 + n) / 4, 4000 + 4 * n))

MSFT = []
for day in sessions(date(2024, 3, 4), date(2024, 3, 15)) + sessions(date(2024, 7, 1), date(2024, 7, 12)):
    MSFT += [bar(time, 400.0 + len(MSFT) + n, 500 + n) for n, time in enumerate(session_bars(day, HOUR))]

SPY = []
for day in sessions(date(2024, 7, 2), date(2024, 7, 8)):
    SPY += [bar(time, 500.0 + n / 8, 100 + n) for n, time in enumerate(session_bars(day, MINUTE))]

BTC = [
    bar(time, 60000.0 + n / 4, 1 + n % 7 / 4)
    for n, time in enumerate(grid(datetime(2024, 7, 6, tzinfo=UTC), datetime(2024, 7, 9, tzinfo=UTC), MINUTE))
    if not BTC_GAP[0] <= time < BTC_GAP[1]
]

ETH = [
    bar(time, 3000.0 + n, 10 + n % 5)
    for n, time in enumerate(grid(datetime(2024, 6, 20, tzinfo=UTC), datetime(2024, 7, 9, tzinfo=UTC), HOUR))
    if not ETH_GAP[0] <= time < ETH_GAP[1]
]

FOREVER = date(9999, 12, 31)
GDP = [
    Vintage(date(2023, 7, 1), 27600.5, date(2023, 10, 26), date(2023, 11, 29)),
    Vintage(date(2023, 7, 1), 27610.25, date(2023, 11, 29), FOREVER),
    Vintage(date(2023, 10, 1), 27900.125, date(2024, 1, 25), date(2024, 2, 28)),
    Vintage(date(2023, 10, 1), 27940.75, date(2024, 2, 28), date(2024, 3, 28)),
    Vintage(date(2023, 10, 1), 27957.0, date(2024, 3, 28), FOREVER),
    Vintage(date(2024, 1, 1), 28284.5, date(2024, 4, 25), date(2024, 5, 30)),
    Vintage(date(2024, 1, 1), 28255.875, date(2024, 5, 30), date(2024, 6, 27)),
    Vintage(date(2024, 1, 1), 28269.125, date(2024, 6, 27), FOREVER),
    Vintage(date(2024, 4, 1), 28629.25, date(2024, 7, 25), FOREVER),
]
UNRATE = [
    Vintage(date(2024, 3, 1), 3.8, date(2024, 4, 5), FOREVER),
    Vintage(date(2024, 4, 1), 3.9, date(2024, 5, 3), FOREVER),
    Vintage(date(2024, 5, 1), 4.0, date(2024, 6, 7), FOREVER),
    Vintage(date(2024, 6, 1), 4.1, date(2024, 7, 5), FOREVER),
]


def closed(bars, length):
    """The bars that have closed at NOW, of instruments that trade around the clock."""
    return [one for one in bars if one.time + length <= NOW]


def joined(bars):
    """Several bars as one."""
    return Bar(bars[0].time, bars[0].open, max(one.high for one in bars), min(one.low for one in bars),
               bars[-1].close, sum(one.volume for one in bars))


def longer(bars, length, anchor):
    """Longer bars of shorter ones; those in which nothing was traded are not there."""
    groups = {}
    for one in bars:
        groups.setdefault((one.time - anchor) // length, []).append(one)
    return [joined(group)._replace(time=anchor + length * n) for n, group in groups.items()]


def write(folder):
    """Writes the files as `auspex import` reads them."""
    def table(name, header, rows):
        with open(Path(folder) / name, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])

    def stamp(time):
        return f"{time}T00:00:00Z" if not isinstance(time, datetime) else f"{time:%Y-%m-%dT%H:%M:%SZ}"

    Path(folder).mkdir(parents=True, exist_ok=True)
    series = {"AAPL": AAPL, "MSFT": MSFT, "SPY": SPY, "BTCUSDT": BTC, "ETHUSDT": ETH}
    for symbol, bars in series.items():
        rows = ((symbol, stamp(one.time), *one[1:]) for one in bars)
        table(f"{symbol}.csv", ["symbol", "timestamp", "open", "high", "low", "close", "volume"], rows)
    table("splits.csv", ["symbol", "date", "numerator", "denominator"], [["AAPL", SPLIT, 4, 1]])
    table("dividends.csv", ["symbol", "date", "dividend"], [["AAPL", DIVIDEND, AMOUNT]])
    for name, vintages in {"GDP": GDP, "UNRATE": UNRATE}.items():
        rows = ((name, one.period, one.value, one.start, one.end) for one in vintages)
        table(f"{name}.csv", ["series_id", "date", "value", "realtime_start", "realtime_end"], rows)
