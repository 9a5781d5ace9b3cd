"""ccxt: markets, klines, ticker, the errors it makes of refusals; ccxt.pro: klines as they come."""
import asyncio

import ccxt
import ccxt.pro

import world
from harness import Simulator, check, check_that, finish, refused


def on_path(status):
    return f"""
[[fault]]
kind = "status"
status = {status}
path = "/api/v3/klines"
to = "5m"
"""


def told(bars):
    return [(int(one.time.timestamp() * 1000), *one[1:]) for one in bars]


def exchange(simulator, module=ccxt):
    client = module.binance({"options": {"fetchMarkets": {"types": ["spot"]}}})
    client.urls["api"]["public"] = f"{simulator.http}/api/v3"
    if module is ccxt.pro:
        client.urls["api"]["ws"]["spot"] = f"{simulator.ws}/ws"
    return client


with Simulator() as simulator:
    client = exchange(simulator)
    markets = client.load_markets()
    check("load_markets", ["BTC/USDT", "ETH/USDT"], sorted(markets))
    bitcoin = markets["BTC/USDT"]
    check("BTC/USDT is an active spot market", [True, True, "BTCUSDT"],
          [bitcoin["spot"], bitcoin["active"], bitcoin["id"]])
    closed, rows = world.closed(world.BTC, world.MINUTE), []
    while len(rows) < 2500:
        rows += client.fetch_ohlcv("BTC/USDT", "1m", rows[-1][0] + 1 if rows else told(closed)[0][0], 1000)
    check("BTC/USDT 1m, three pages", told(closed)[:3000], [tuple(row) for row in rows])
    hours = world.closed(world.ETH, world.HOUR)
    rows = client.fetch_ohlcv("ETH/USDT", "1h", told(hours)[0][0], 500)
    check("ETH/USDT 1h, five of them missing, one of them running", told(hours), [tuple(row) for row in rows[:-1]])
    ticker = client.fetch_ticker("BTC/USDT")
    minute = next(one for one in world.BTC if one.time == world.NOW.replace(second=0))
    check_that("BTC/USDT's last price is of this minute or the next",
               minute.low <= ticker["last"] <= minute.high + 0.25, ticker["last"])
    check_that("BTC/USDT's bid and ask are around it", ticker["bid"] < ticker["ask"], ticker)
    refused("an unknown symbol", "BadSymbol", lambda: client.fetch_ohlcv("NO/SUCH", "1m"))
    refused("an unknown symbol, asked all the same (-1121)", "BadSymbol",
            lambda: client.public_get_klines({"symbol": "NOSUCH", "interval": "1m"}))

ERRORS = {429: "DDoSProtection", 418: "DDoSProtection", 403: "ExchangeNotAvailable", 451: "ExchangeNotAvailable",
          500: "OperationFailed"}
for status, error in ERRORS.items():
    with Simulator(speed=60, faults=on_path(status)) as simulator:
        client = exchange(simulator)
        client.load_markets()
        refused(f"{status}", error, lambda: client.fetch_ohlcv("BTC/USDT", "1m", limit=2))
        if status == 429:
            simulator.wait_until(world.NOW + 5 * world.MINUTE)
            check("after 429: two minutes", 2, len(client.fetch_ohlcv("BTC/USDT", "1m", limit=2)))


async def watch(simulator):
    client, seen = exchange(simulator, ccxt.pro), {}
    try:
        while len(seen) < 5:
            for row in await asyncio.wait_for(client.watch_ohlcv("BTC/USDT", "1m"), 30):
                seen[row[0]] = tuple(row)
    finally:
        await client.close()
    recorded = {row[0]: row for row in told(world.BTC)}
    whole = sorted(seen)[:-1]
    check("watch_ohlcv: minutes that have closed are the recorded ones", [recorded.get(time) for time in whole],
          [seen[time] for time in whole])


with Simulator(speed=60) as simulator:
    asyncio.run(watch(simulator))

finish("ccxt")
