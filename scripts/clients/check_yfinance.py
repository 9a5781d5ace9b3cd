"""yfinance: history in all lengths, adjustments, the row that runs, refusals, rate limits, streaming.

usage: python check_yfinance.py requests|curl_cffi        by way of the one or the other library for HTTP
"""
import logging
import os
import sys
import tempfile
import threading
import warnings
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

TRANSPORT = sys.argv[1]
if TRANSPORT == "requests":
    os.environ["YF_DISABLE_CURL_CFFI"] = "1"  # looked at when it is imported

import curl_cffi
import requests
import yfinance
from requests.adapters import HTTPAdapter

import world
from harness import Simulator, check, check_that, finish, refused

yfinance.config.debug.hide_exceptions = False
warnings.simplefilter("ignore")  # what the client uses of its own libraries is not our concern
logging.getLogger("bs4").setLevel(logging.ERROR)


def at(base, url):
    parts = urlsplit(url)
    return base + parts.path + (f"?{parts.query}" if parts.query else "")


class Elsewhere(HTTPAdapter):
    """Sends to the simulator what is meant for the vendor, and keeps from the client that it did: its cookies are the
    vendor's."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def send(self, request, **options):
        meant = request.url
        request.url = at(self.base, meant)
        response = super().send(request, **options)
        request.url = response.url = meant
        return response


class Curled(curl_cffi.requests.Session):
    """The same with the other library, which keeps the simulator's own cookies."""

    def __init__(self, base):
        super().__init__(impersonate="chrome", trust_env=False)
        self.base = base

    def request(self, method, url, **options):
        return super().request(method, at(self.base, url), **options)


def ticker(simulator, symbol):
    if TRANSPORT == "curl_cffi":
        return yfinance.Ticker(symbol, session=Curled(simulator.http))
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", Elsewhere(simulator.http))
    return yfinance.Ticker(symbol, session=session)


class Words(logging.Handler):
    """What a logger says within a block, instead of where it says it."""

    def __init__(self, name):
        super().__init__()
        self.logger, self.text = logging.getLogger(name), ""

    def emit(self, record):
        self.text += record.getMessage() + "\n"

    def __enter__(self):
        self.logger.addHandler(self)
        self.others, self.logger.handlers = self.logger.handlers, [self]
        return self

    def __exit__(self, *_):
        self.logger.handlers = [one for one in self.others if one is not self]


def rows(frame):
    """Rows as plain values: when, four prices, volume."""
    columns = [frame[name].tolist() for name in ("Open", "High", "Low", "Close", "Volume")]
    return [(time.to_pydatetime(), *values) for time, *values in zip(frame.index, *columns)]


def timed(bars):
    return [(one.time, *one[1:]) for one in bars]


def dated(bars):
    return [(one.time, *one[1:]) for one in bars]


def days(frame):
    return [(row[0].date(), *row[1:]) for row in rows(frame)]


def splitless(one):
    """A day of AAPL as it is told after the split."""
    if one.time >= world.SPLIT:
        return one
    return world.Bar(one.time, *(price / 4 for price in one[1:5]), one.volume * 4)


def between(bars, first, last):
    day = lambda time: time.date() if isinstance(time, datetime) else time
    return [one for one in bars if first <= day(one.time) <= last]


def check_days(simulator):
    apple = ticker(simulator, "AAPL")
    first, last = date(2024, 4, 15), date(2024, 7, 5)
    window = {"start": str(first), "end": str(last + world.DAY)}
    split = [splitless(one) for one in between(world.AAPL, first, last)]
    plain = apple.history(**window, auto_adjust=False)
    check("AAPL 1d, auto_adjust=False: the prices without the split", dated(split), days(plain))
    before = splitless(next(one for one in reversed(world.AAPL) if one.time < world.DIVIDEND)).close
    factor = 1 - world.AMOUNT / before
    share = lambda one: factor if one.time < world.DIVIDEND else 1.0
    check("AAPL 1d, Adj Close: the dividend's share of the close before", [one.close * share(one) for one in split],
          plain["Adj Close"].tolist(), 2e-7)
    adjusted = [(one.time, *(price * share(one) for price in one[1:5]), one.volume) for one in split]
    full = apple.history(**window, auto_adjust=True)
    check("AAPL 1d, auto_adjust=True: all prices without split and dividend", adjusted, days(full), 4e-7)
    back = [(day, *prices[:3], one.close, one.volume) for one, (day, *prices) in zip(split, adjusted)]
    check("AAPL 1d, back_adjust: the close as it was", back,
          days(apple.history(**window, auto_adjust=False, back_adjust=True)), 4e-7)
    paid = plain["Dividends"][plain["Dividends"] != 0]
    check("AAPL dividends", [(world.DIVIDEND, world.AMOUNT)], [(t.date(), v) for t, v in paid.items()])
    came = plain["Stock Splits"][plain["Stock Splits"] != 0]
    check("AAPL splits", [(world.SPLIT, 4.0)], [(t.date(), v) for t, v in came.items()])
    everything = [splitless(one) for one in between(world.AAPL, date.min, date(2024, 7, 5))]
    check("AAPL 1d, period=max: all closed days", dated(everything),
          days(apple.history(period="max", auto_adjust=False))[:-1])
    meta = apple.history_metadata
    check("AAPL's zone, currency and kind", ["America/New_York", "USD", "EQUITY"],
          [meta["exchangeTimezoneName"], meta["currency"], meta["instrumentType"]])
    monday = date(2024, 6, 17)
    weeks = apple.history(start=str(monday), end="2024-07-01", interval="1wk", auto_adjust=False)
    expected = [(monday + world.DAY * 7 * n, *world.joined(
        between(world.AAPL, monday + world.DAY * 7 * n, monday + world.DAY * (7 * n + 6)))[1:]) for n in range(2)]
    check("AAPL 1wk, a holiday within: weeks of their days", expected, days(weeks))


def check_running_day(simulator):
    today = world.NOW.date()
    recorded = next(one for one in world.AAPL if one.time == today)
    frame = ticker(simulator, "AAPL").history(period="5d", auto_adjust=False)
    check("AAPL 1d, period=5d: five sessions, the last one runs",
          [one.time for one in world.AAPL if one.time <= today][-5:], [row[0] for row in days(frame)])
    day, opened, high, low, close, volume = days(frame)[-1]
    check("AAPL's running day opens as recorded", [today, recorded.open], [day, opened])
    within = recorded.low <= low <= min(opened, close) <= max(opened, close) <= high <= recorded.high
    check_that("AAPL's running day stays within the recorded one", within and 0 < volume < recorded.volume,
               days(frame)[-1])
    check_that("fast_info knows the same price", low <= ticker(simulator, "AAPL").fast_info["lastPrice"] <= recorded.high,
               "another price")


def check_hours(simulator):
    microsoft = ticker(simulator, "MSFT")
    first, last = date(2024, 3, 4), date(2024, 3, 15)
    frame = microsoft.history(start=str(first), end=str(last + world.DAY), interval="1h")
    check("MSFT 1h over the change to summer time", timed(between(world.MSFT, first, last)), rows(frame))
    opens = sorted({(row[0].hour, row[0].minute) for row in rows(frame)})
    check("MSFT 1h: hours from 09:30 in New York, before and after", [(hour, 30) for hour in range(9, 16)], opens)
    first, last = date(2024, 7, 1), date(2024, 7, 5)
    frame = microsoft.history(start=str(first), end=str(last + world.DAY), interval="1h")
    check("MSFT 1h over a half day and a holiday", timed(between(world.MSFT, first, last)), rows(frame))
    sums = [(day, *world.joined(between(world.MSFT, day, day))[1:]) for day in world.sessions(first, last)]
    frame = microsoft.history(start=str(first), end=str(last + world.DAY), auto_adjust=False)
    check("MSFT 1d: days of their hours", sums, days(frame))


def check_minutes(simulator):
    spider = ticker(simulator, "SPY")
    first, last = date(2024, 7, 2), date(2024, 7, 5)
    window = {"start": str(first), "end": str(last + world.DAY)}
    recorded = between(world.SPY, first, last)
    check("SPY 1m over a half day and a holiday", timed(recorded), rows(spider.history(**window, interval="1m")))
    for minutes in (5, 15, 30):
        expected = [one for day in world.sessions(first, last) for one in world.longer(
            between(recorded, day, day), timedelta(minutes=minutes), world.hours_of(day)[0])]
        check(f"SPY {minutes}m of minutes", timed(expected), rows(spider.history(**window, interval=f"{minutes}m")))
    half = rows(spider.history(start="2024-07-03", end="2024-07-04", interval="1m"))
    check("SPY 1m: a half day has 210 minutes", 210, len(half))
    opens, _ = world.hours_of(world.NOW.date())
    today = rows(spider.history(start=str(world.NOW.date()), end=str(world.NOW.date() + world.DAY), interval="1m"))
    closed = [one for one in between(world.SPY, world.NOW.date(), world.NOW.date()) if one.time + world.MINUTE <= world.NOW]
    check("SPY 1m of the session that runs: all closed minutes", timed(closed), today[:len(closed)])
    check_that("SPY 1m: nothing of the future", all(row[0] <= simulator.now() for row in today), today[-1][0])
    check("SPY 1m: the session's first minute", opens, today[0][0])


def check_coins(simulator):
    coin = ticker(simulator, "BTC-USD")
    # Not through midnight: the vendor's window includes its end, and its day of a coin ends at 23:59.
    first = world.BTC[0].time + world.DAY
    last = first + world.HOUR * 12
    expected = [
        one._replace(volume=int(one.volume * (one.high + one.low + one.close) / 3 + 0.5))
        for one in world.BTC if first <= one.time < last
    ]
    frame = coin.history(start=first, end=last, interval="1m")
    check("BTC-USD 1m: thirty minutes are missing, volume in dollars", timed(expected), rows(frame))


def check_refusals(simulator):
    # With errors as exceptions this client stumbles over its own search for an unknown symbol's zone.
    yfinance.config.debug.hide_exceptions = True
    for window in ({"period": "1mo"}, {"start": "2024-07-01"}):
        with Words("yfinance") as words:
            frame = ticker(simulator, "NOSUCH").history(**window)
        check(f"an unknown symbol, {window}: no rows", 0, len(frame))
        check_that(f"an unknown symbol, {window}: it says so", "delisted" in words.text, words.text)
    yfinance.config.debug.hide_exceptions = False
    apple = ticker(simulator, "AAPL")
    refused("days before the first trade", "YFPricesMissingError",
            lambda: apple.history(start="2001-01-01", end="2001-02-01"))
    refused("a weekend", "YFPricesMissingError", lambda: apple.history(start="2024-06-29", end="2024-07-01"))
    said = refused("minutes of long ago", "YFPricesMissingError",
                   lambda: ticker(simulator, "SPY").history(start="2024-05-01", end="2024-05-03", interval="1m"))
    check_that("minutes of long ago: the vendor's words", "within the last 30 days" in said, said)


RATE_LIMIT = """
[[fault]]
kind = "status"
status = 429
service = "yahoo"
path = "/v8/"
to = "5m"
"""


def check_rate_limit():
    with Simulator(speed=60, faults=RATE_LIMIT) as simulator:
        apple = ticker(simulator, "AAPL")
        refused("429", "YFRateLimitError", lambda: apple.history(period="5d"))
        refused("429 again", "YFRateLimitError", lambda: apple.history(period="5d"))
        simulator.wait_until(world.NOW + timedelta(minutes=5))
        check("after 429: five sessions", 5, len(apple.history(period="5d")))


def check_stream():
    with Simulator(speed=60) as simulator:
        heard, enough = [], threading.Event()
        socket = yfinance.WebSocket(url=f"{simulator.ws}/?version=2", verbose=False)
        socket.subscribe(["AAPL", "BTC-USD"])
        # It listens until it is closed, and may be amid a message then.
        threading.excepthook = lambda _: None

        def take(message):
            heard.append(message)
            if {"AAPL", "BTC-USD"} <= {one["id"] for one in heard} and len(heard) >= 8:
                enough.set()

        threading.Thread(target=socket.listen, args=[take], daemon=True).start()
        check_that("the stream tells of both symbols", enough.wait(60), heard[:3])
        socket.close()
        today = next(one for one in world.AAPL if one.time == world.NOW.date())
        apple = [one for one in heard if one["id"] == "AAPL"]
        check_that("AAPL's prices stay within its day", all(today.low <= one["price"] <= today.high for one in apple), apple)
        times = [int(one["time"]) for one in apple]
        check_that("AAPL's times ascend", times == sorted(set(times)), times)
        coins = [(int(one["time"]), one["price"]) for one in heard if one["id"] == "BTC-USD"]
        for time, price in coins:
            minute = next(one for one in world.BTC if 0 <= time / 1000 - one.time.timestamp() < 60)
            check_that("BTC-USD's prices stay within their minutes", minute.low <= price <= minute.high, (minute, price))


with tempfile.TemporaryDirectory() as cache:
    yfinance.set_tz_cache_location(cache)  # nothing that another run has learnt
    with Simulator() as market:
        for part in (check_days, check_running_day, check_hours, check_minutes, check_coins, check_refusals):
            part(market)
    check_rate_limit()
    check_stream()
finish("yfinance", TRANSPORT)
