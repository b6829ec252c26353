# SPDX-License-Identifier: MIT
"""Constant visitors around the moment when an instance ends: not one of their requests fails.

BELLHOP_EXITS_SEC=300 /usr/bin/python3 -m pytest -s tests/lifecycle/test_exits.py: for as long, and with the figures.
"""

import os
import pathlib
import random
import time

import pytest
from clients import reporting
from conftest import settings_of

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = float(os.environ.get("BELLHOP_EXITS_SEC", "30"))
IDLE_SEC = 0.3
KINDS = ["plain", "tls", "plain kept", "tls kept"]


@pytest.fixture(name="restless", autouse=True)
def restless_fixture(box, four):
    """They idle for a moment only."""
    def set_idle(text):
        for name in four:
            box.write_instance(name, settings_of(name, f"IdleSec={text}"))
            box.run("systemctl", "stop", f"bellhop@{name}.service")

    set_idle("300ms")
    yield
    set_idle("1s")


def visits(box, four):
    return reporting(box, HERE / "visits.py", IDLE_SEC, *(f"{name}.example" for name in four))


def count_exits(box, four, since):
    said = {name: box.journal("_PID=1", "-u", f"bellhop@{name}.service", f"--since=@{since:.3f}") for name in four}
    assert not any("Failed with result" in text for text in said.values())
    return {name: text.count("Deactivated successfully") for name, text in said.items()}


def assert_nothing_failed(report):
    assert report.failures == []
    assert all(report.counts[kind] > 0 for kind in KINDS), report.counts


def test_visitors_around_idle_exits(box, four):
    since = time.time()
    with visits(box, four) as report:
        time.sleep(SECONDS)
        # A slow machine takes longer for the same number.
        box.wait_for("exits of each", lambda: min(count_exits(box, four, since).values()) > SECONDS / 4, 2 * SECONDS)
    exits = count_exits(box, four, since)
    print(f"exits {exits}, {sum(exits.values())} in {SECONDS:.0f} s; median {report.median_sec:.3f} s")
    assert_nothing_failed(report)
    # Only clients ended connections: an open connection keeps the instance
    # alive.
    assert "ended while idle" not in report.counts, report.counts


def test_visitors_around_idle_exits_reloads_and_stops(box, four):
    since = time.time()
    with visits(box, four) as report:
        while time.time() < since + SECONDS / 2:
            unit = f"bellhop@{random.choice(four)}.service"
            # A reload fails where nothing runs.
            box.try_run("systemctl", random.choice(["reload", "stop", "restart"]), unit)
            time.sleep(random.uniform(0, 0.2))
    exits = count_exits(box, four, since)
    print(f"exits {exits}, {sum(exits.values())} in {SECONDS / 2:.0f} s; median {report.median_sec:.3f} s")
    assert_nothing_failed(report)
