"""What the checks have in common: a simulator of their own, and comparisons that say what was expected and what came."""
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

import world

WORK = os.environ["CLIENTS_WORK"]
BINARY = os.environ["CLIENTS_AUSPEX"]

counted = [0, 0]  # checks, failures


class Simulator:
    """A running `auspex simulate` on the recorded market; ends with its block."""

    def __init__(self, speed=1, faults=None, ticks=1):
        folder = os.path.join(WORK, "world")
        world.write(folder)
        command = [BINARY, "--home", os.path.join(WORK, "home"), "simulate", "--data", folder, "--port", "0",
                   "--from", world.NOW.isoformat().replace("+00:00", "Z"), "--speed", str(speed), "--ticks", str(ticks),
                   "--for", "5m"]
        if faults:
            plan = os.path.join(WORK, f"faults-{os.getpid()}.toml")
            with open(plan, "w") as file:
                file.write(faults)
            command += ["--faults", plan]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        told = self.process.stdout.readline()
        address = re.search(r"http://([\d.]+:\d+)", told)
        if not address:
            self.process.wait(10)
            self.log.seek(0)
            sys.exit(f"auspex simulate did not start: {told}{self.log.read()}")
        self.http, self.ws = f"http://{address[1]}", f"ws://{address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        ended = self.process.wait(10)
        if ended != 0:
            self.log.seek(0)
            check("auspex simulate ends well", 0, f"{ended}: {self.log.read()}")

    def now(self):
        """What its clock shows."""
        try:
            answer = urllib.request.urlopen(self.http + "/")
        except urllib.error.HTTPError as refusal:
            answer = refusal
        micros = int(answer.headers["x-auspex-simulated"].split(";")[1])
        return datetime.fromtimestamp(micros // 1_000_000, timezone.utc)

    def wait_until(self, moment):
        give_up = time.monotonic() + 120
        while self.now() < moment:
            if time.monotonic() > give_up:
                sys.exit(f"the simulated clock did not come to {moment}")
            time.sleep(0.1)


def same(expected, got, tolerance):
    if isinstance(expected, float) and isinstance(got, (int, float)):
        return math.isclose(expected, got, rel_tol=tolerance, abs_tol=0) or expected == got
    if isinstance(expected, (list, tuple)) and isinstance(got, (list, tuple)):
        return len(expected) == len(got) and all(same(a, b, tolerance) for a, b in zip(expected, got))
    return expected == got


def check(what, expected, got, tolerance=0.0):
    """Counts, and says what differs. Lists are compared row by row, and the first that differs is shown."""
    counted[0] += 1
    if same(expected, got, tolerance):
        return
    counted[1] += 1
    if isinstance(expected, list) and isinstance(got, list):
        pairs = list(zip(expected, got))
        at = next((n for n, (a, b) in enumerate(pairs) if not same(a, b, tolerance)), len(pairs))
        row = lambda rows: rows[at] if at < len(rows) else "nothing"
        expected = f"{len(expected)} rows, row {at}: {row(expected)}"
        got = f"{len(got)} rows, row {at}: {row(got)}"
    print(f"DISAGREES: {what}\n  expected {expected}\n  got      {got}", flush=True)


def check_that(what, holds, got):
    """A condition that is no equation; `got` is shown when it does not hold."""
    check(what, True, True if holds else got)


def refused(what, wanted, call):
    """That a call raises an error of one of the wanted names; gives its text."""
    try:
        value = call()
    except Exception as error:
        names = [one.__name__ for one in type(error).__mro__]
        check(what, wanted, wanted if wanted in names else f"{type(error).__name__}: {error}")
        return str(error)
    check(what, wanted, f"no error but {value!r:.300}")
    return ""


def finish(*packages):
    """Says what was checked, and ends the process."""
    checks, failures = counted
    names = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"{names}: {checks - failures} of {checks} checks agree", flush=True)
    # Streaming clients leave threads behind that would be waited for.
    os._exit(1 if failures or not checks else 0)
