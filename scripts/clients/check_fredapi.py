"""fredapi: the newest values, all releases, values as of a day, first releases, vintages, refusals."""
from datetime import date

from fredapi import Fred

import world
from harness import Simulator, check, check_that, finish, refused

KEY = "simulated0simulated0simulated0si"
TODAY = world.NOW.date()


def fred(simulator, key=KEY):
    client = Fred(api_key=key)
    client.root_url = f"{simulator.http}/fred"
    return client


def pairs(series):
    return [(time.date(), value) for time, value in series.items()]


def releases(frame):
    return [(row.date.date(), row.realtime_start.date(), row.value) for row in frame.itertuples()]


def current(vintages, day):
    return [(one.period, one.value) for one in vintages if one.start <= day < one.end]


def published(vintages, day=TODAY):
    return [(one.period, one.start, one.value) for one in vintages if one.start <= day]


# Two requests a second are let in, on its clock.
with Simulator(speed=600) as simulator:
    client = fred(simulator)
    for name, vintages in {"GDP": world.GDP, "UNRATE": world.UNRATE}.items():
        check(f"{name}: the newest values", current(vintages, TODAY), pairs(client.get_series(name)))
        check(f"{name}: all releases", published(vintages), releases(client.get_series_all_releases(name)))
        days = sorted({one.start for one in vintages if one.start <= TODAY})
        check(f"{name}: vintage dates", days, [day.date() for day in client.get_series_vintage_dates(name)])
    for day in (date(2024, 3, 27), date(2024, 3, 28), date(2024, 5, 29), date(2024, 5, 30)):
        check(f"GDP as of {day}", published(world.GDP, day),
              releases(client.get_series_as_of_date("GDP", str(day))))
        there = client.get_series("GDP", realtime_start=day, realtime_end=day)
        check(f"GDP on {day}", current(world.GDP, day), pairs(there))
    first = {}
    for one in world.GDP:
        if one.start <= TODAY:
            first.setdefault(one.period, one.value)
    check("GDP: first releases", list(first.items()), pairs(client.get_series_first_release("GDP")))
    window = client.get_series("GDP", observation_start="2023-09-01", observation_end="2023-12-31")
    check("GDP of a window", current(world.GDP, TODAY)[1:2], pairs(window))
    check("UNRATE before its first period", [], pairs(client.get_series("UNRATE", observation_end="2020-01-01")))
    info = client.get_series_info("GDP")
    check("GDP's facts", ["Gross Domestic Product", "Q", "Billions of Dollars", "2024-01-01"],
          [info["title"], info["frequency_short"], info["units"], info["observation_end"]])
    said = refused("an unknown series", "ValueError", lambda: client.get_series("NOSUCH"))
    check("an unknown series: the vendor's words", "Bad Request.  The series does not exist.", said)
    said = refused("a key that is none", "ValueError", lambda: fred(simulator, "wrong").get_series("GDP"))
    check_that("a key that is none: the vendor's words", "32 character alpha-numeric lower-case" in said, said)

with Simulator() as simulator:
    client = fred(simulator)

    def hurry():
        for _ in range(50):
            client.get_series("GDP")

    said = refused("too many requests in a second", "ValueError", hurry)
    check("too many requests in a second: the vendor's words", "Too Many Requests.  Exceeded Rate Limit", said)

finish("fredapi")
