"""python-binance: klines page by page, a gap, refusals, rate limits, the sockets for one stream and for several."""
import asyncio
from datetime import datetime, timedelta

from binance import AsyncClient, BinanceSocketManager, Client

import world
from harness import Simulator, check, check_that, finish, refused

ON_PATHS = """
[[fault]]
kind = "status"
status = 429
retry_after = 30
path = "/api/v3/avgPrice"
[[fault]]
kind = "status"
status = 418
path = "/api/v3/ticker/price"
"""


def millis(time):
    return int(time.timestamp() * 1000)


def klines(bars, length):
    """The first seven of a kline's columns."""
    return [(millis(one.time), *one[1:], millis(one.time + length) - 1) for one in bars]


def told(rows):
    return [(row[0], *map(float, row[1:6]), row[6]) for row in rows]


def client(simulator):
    Client.API_URL = f"{simulator.http}/api"
    return Client()


with Simulator() as simulator:
    rest = client(simulator)
    # 3650 minutes of which thirty are missing: four pages, the last of them short.
    closed = world.closed(world.BTC, world.MINUTE)
    rows = rest.get_historical_klines("BTCUSDT", "1m", millis(closed[0].time), millis(closed[-1].time))
    check("BTCUSDT 1m, page by page over a gap", klines(closed, world.MINUTE), told(rows))
    middle = [one for one in closed if one.time >= world.BTC_GAP[0] - 2 * world.MINUTE][:4]
    rows = rest.get_klines(symbol="BTCUSDT", interval="1m", startTime=millis(middle[0].time), limit=4)
    check("BTCUSDT 1m around the gap: nothing is made up", klines(middle, world.MINUTE), told(rows))
    empty = [world.BTC_GAP[0], world.BTC_GAP[1] - world.MINUTE]
    rows = rest.get_klines(symbol="BTCUSDT", interval="1m", startTime=millis(empty[0]), endTime=millis(empty[1]))
    check("BTCUSDT 1m within the gap", [], rows)
    hours = [one for one in world.longer(world.BTC, world.HOUR, world.BTC[0].time) if one.time + world.HOUR <= world.NOW]
    rows = rest.get_historical_klines("BTCUSDT", "1h", millis(hours[0].time), millis(hours[-1].time))
    check("BTCUSDT 1h, made of minutes", klines(hours, world.HOUR), told(rows))
    hours = world.closed(world.ETH, world.HOUR)
    rows = rest.get_historical_klines("ETHUSDT", "1h", millis(hours[0].time), millis(hours[-1].time))
    check("ETHUSDT 1h, five of them missing", klines(hours, world.HOUR), told(rows))
    rows = told(rest.get_klines(symbol="BTCUSDT", interval="1h", limit=3))
    check("BTCUSDT 1h, the newest: the last of them runs", [millis(datetime(2024, 7, 8, h, tzinfo=world.UTC)) for h in (13, 14, 15)],
          [row[0] for row in rows])
    recorded = world.joined([one for one in world.BTC if 0 <= millis(one.time) - rows[-1][0] < 3_600_000])
    check("BTCUSDT 1h, the running one opens as recorded", recorded.open, rows[-1][1])
    check_that("BTCUSDT 1h, the running one stays within the recorded one",
               recorded.low <= rows[-1][3] <= rows[-1][2] <= recorded.high and rows[-1][5] < recorded.volume, rows[-1])
    info = rest.get_symbol_info("BTCUSDT")
    check("BTCUSDT's facts", ["BTC", "USDT", "TRADING"], [info["baseAsset"], info["quoteAsset"], info["status"]])
    check_that("the server's time", 0 <= rest.get_server_time()["serverTime"] - millis(world.NOW) < 120_000, "another")
    for what, code, call in (
        ("an unknown symbol", -1121, lambda: rest.get_klines(symbol="NOSUCH", interval="1m")),
        ("an interval that is none", -1120, lambda: rest.get_klines(symbol="BTCUSDT", interval="7m")),
        ("a limit of nothing", -1130, lambda: rest.get_klines(symbol="BTCUSDT", interval="1m", limit=0)),
    ):
        said = refused(what, "BinanceAPIException", call)
        check_that(f"{what}: {code}", f"code={code}" in said, said)

with Simulator(faults=ON_PATHS) as simulator:
    rest = client(simulator)
    for status, call in (
        (429, lambda: rest.get_avg_price(symbol="BTCUSDT")),
        (418, lambda: rest.get_symbol_ticker(symbol="BTCUSDT")),
    ):
        said = refused(f"{status}", "BinanceAPIException", call)
        check_that(f"{status}: its code is -1003", "code=-1003" in said, said)
    check("other paths are as ever", 2, len(rest.get_klines(symbol="BTCUSDT", interval="1m", limit=2)))


async def take(socket, wanted):
    """Messages until some are as wanted."""
    heard = []
    async with socket as stream:
        while not wanted(heard):
            message = await asyncio.wait_for(stream.recv(), 30)
            heard.append(message)
    return heard


async def check_sockets(simulator):
    AsyncClient.API_URL = f"{simulator.http}/api"
    BinanceSocketManager.STREAM_URL = f"{simulator.ws}/"
    rest = await AsyncClient.create()
    manager = BinanceSocketManager(rest)
    finals = lambda heard: [one["k"] for one in heard if one["k"]["x"]]
    row = lambda k: (k["t"], float(k["o"]), float(k["h"]), float(k["l"]), float(k["c"]), float(k["v"]), k["T"])
    by_time = {row[0]: row for row in klines(world.BTC, world.MINUTE)}
    heard = await take(manager.kline_socket("BTCUSDT", "1m"), lambda heard: len(finals(heard)) >= 3)
    got = [row(k) for k in finals(heard)]
    check("kline_socket: closed minutes are the recorded ones", [by_time.get(one[0]) for one in got], got)
    check("kline_socket: each minute follows the one before", [60_000] * (len(got) - 1),
          [b[0] - a[0] for a, b in zip(got, got[1:])])
    for one in heard:
        whole, part = by_time[one["k"]["t"]], row(one["k"])
        check_that("kline_socket: a running minute stays within the recorded one",
                   whole[3] <= part[3] <= part[2] <= whole[2] and part[5] <= whole[5], (whole, part))
    streams = ["btcusdt@kline_1m", "ethusdt@kline_1h"]
    heard = await take(manager.multiplex_socket(streams), lambda heard: {one["stream"] for one in heard} == set(streams))
    kinds = {one["stream"]: (one["data"]["s"], one["data"]["k"]["i"]) for one in heard}
    check("multiplex_socket: both streams by name",
          {"btcusdt@kline_1m": ("BTCUSDT", "1m"), "ethusdt@kline_1h": ("ETHUSDT", "1h")}, kinds)
    await rest.close_connection()


async def check_reconnect(simulator):
    """A stream that is cut after three minutes is taken up again by the client."""
    AsyncClient.API_URL = f"{simulator.http}/api"
    BinanceSocketManager.STREAM_URL = f"{simulator.ws}/"
    rest = await AsyncClient.create()
    after = millis(world.NOW + 5 * world.MINUTE)
    finals = lambda heard: [one["k"]["t"] for one in heard if "k" in one and one["k"]["x"]]
    heard = await take(BinanceSocketManager(rest).kline_socket("BTCUSDT", "1m"),
                       lambda heard: any(time > after for time in finals(heard)))
    check_that("kline_socket: minutes before the cut and after it", finals(heard)[0] < millis(world.NOW + 3 * world.MINUTE),
               finals(heard))
    await rest.close_connection()


CUT = """
[[fault]]
kind = "rotation"
path = "/ws"
from = "3m"
to = "4m"
"""

with Simulator(speed=60) as simulator:
    asyncio.run(check_sockets(simulator))
with Simulator(speed=60, faults=CUT) as simulator:
    asyncio.run(check_reconnect(simulator))

finish("python-binance")
