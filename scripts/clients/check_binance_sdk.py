"""The exchange's own clients: binance-connector and binance-sdk-spot, each over REST and over sockets."""
import asyncio
import json
import logging
import queue

from binance.spot import Spot as Connector
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_spot.spot import Spot

import world
from harness import Simulator, check, check_that, finish, refused

logging.disable(logging.CRITICAL)  # that a connection was lost is what we wanted


def millis(time):
    return int(time.timestamp() * 1000)


def klines(bars, length):
    return [(millis(one.time), *one[1:], millis(one.time + length) - 1) for one in bars]


def told(rows):
    return [(row[0], *map(float, row[1:6]), row[6]) for row in rows]


AROUND_GAP = [one for one in world.BTC if abs(one.time - world.BTC_GAP[0]) <= world.HOUR]
FROM, TO = millis(AROUND_GAP[0].time), millis(AROUND_GAP[-1].time)
MINUTES = {row[0]: row for row in klines(world.BTC, world.MINUTE)}

REFUSED = """
[[fault]]
kind = "status"
status = 429
path = "/api/v3/avgPrice"
[[fault]]
kind = "status"
status = 418
path = "/api/v3/ticker/price"
"""

# A minute in which no stream lives, as after its 24 hours.
CUT = """
[[fault]]
kind = "rotation"
path = "/stream"
from = "3m"
to = "4m"
"""


def check_connector(simulator):
    rest = Connector(base_url=simulator.http)
    rows = rest.klines("BTCUSDT", "1m", startTime=FROM, endTime=TO)
    check("binance-connector: klines around a gap", klines(AROUND_GAP, world.MINUTE), told(rows))
    check("binance-connector: exchange_info", "BTCUSDT", rest.exchange_info(symbol="BTCUSDT")["symbols"][0]["symbol"])
    said = refused("binance-connector: an unknown symbol", "ClientError", lambda: rest.klines("NOSUCH", "1m"))
    check_that("binance-connector: an unknown symbol is -1121", "-1121" in said, said)
    for status, call in ((429, rest.avg_price), (418, rest.ticker_price)):
        said = refused(f"binance-connector: {status}", "ClientError", lambda: call("BTCUSDT"))
        check_that(f"binance-connector: {status} is -1003", str(status) in said and "-1003" in said, said)


def check_connector_stream(simulator):
    heard = queue.Queue()
    client = SpotWebsocketStreamClient(stream_url=simulator.ws, on_message=lambda _, text: heard.put(json.loads(text)))
    client.kline("btcusdt", "1m", id=7)
    check("binance-connector: SUBSCRIBE is acknowledged", {"result": None, "id": 7}, heard.get(timeout=30))
    got = []
    while len(got) < 2:
        k = heard.get(timeout=30)["k"]
        if k["x"]:
            got.append((k["t"], *(float(k[key]) for key in "ohlcv"), k["T"]))
    check("binance-connector: closed minutes are the recorded ones", [MINUTES.get(one[0]) for one in got], got)
    client.stop()


def check_sdk(simulator):
    rest = Spot(config_rest_api=ConfigurationRestAPI(base_path=simulator.http)).rest_api
    rows = rest.klines(symbol="BTCUSDT", interval="1m", start_time=FROM, end_time=TO).data()
    check("binance-sdk-spot: klines around a gap", klines(AROUND_GAP, world.MINUTE),
          told([getattr(row, "root", row) for row in rows]))
    info = rest.exchange_info(symbol="BTCUSDT").data()
    check("binance-sdk-spot: exchange_info", "TRADING", info.symbols[0].status)
    said = refused("binance-sdk-spot: an unknown symbol", "BadRequestError",
                   lambda: rest.klines(symbol="NOSUCH", interval="1m"))
    check_that("binance-sdk-spot: an unknown symbol, in words", "Invalid symbol" in said, said)
    refused("binance-sdk-spot: 429", "TooManyRequestsError", lambda: rest.avg_price(symbol="BTCUSDT"))
    refused("binance-sdk-spot: 418", "RateLimitBanError", lambda: rest.ticker_price(symbol="BTCUSDT"))


async def check_sdk_stream(simulator):
    """This client tells that its connection was closed, and leaves it to its user to begin anew."""
    closed, lost = {}, asyncio.Event()

    def take(message):
        k = message.k
        if k.x:
            closed[k.t] = (k.t, *(float(getattr(k, key)) for key in ("o", "h", "l", "c", "v")), k.T)

    async def follow():
        settings = ConfigurationWebSocketStreams(stream_url=simulator.ws)
        streams = Spot(config_ws_streams=settings).websocket_streams
        await streams.create_connection()
        streams.on_connection("close", lost.set)
        handle = await streams.kline(symbol="btcusdt", interval="1m")
        handle.on("message", take)
        return streams

    await follow()
    try:
        await asyncio.wait_for(lost.wait(), 30)
    except TimeoutError:
        check("binance-sdk-spot: the connection is closed", "closed", "still open")
    before = len(closed)
    simulator.wait_until(world.NOW + world.MINUTE * 4)
    streams = await follow()
    for _ in range(300):
        if len(closed) > before + 1:
            break
        await asyncio.sleep(0.1)
    check_that("binance-sdk-spot: minutes before the cut and after it", 0 < before < len(closed) - 1, closed)
    check("binance-sdk-spot: closed minutes are the recorded ones", [MINUTES.get(time) for time in closed],
          list(closed.values()))
    await streams.close_connection()


with Simulator(faults=REFUSED) as simulator:
    check_connector(simulator)
    check_sdk(simulator)
with Simulator(speed=60, faults=CUT) as simulator:
    asyncio.run(check_sdk_stream(simulator))
with Simulator(speed=60) as simulator:
    check_connector_stream(simulator)

finish("binance-connector", "binance-sdk-spot")
