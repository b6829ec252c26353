# SPDX-License-Identifier: MIT
"""An instance with Server=nginx, under constant load while it changes."""

import time

import pytest
from clients import ALL_KINDS, load
from test_change import MANY, pause, unexplained

HOST = "carol.example"
UNIT = "bellhop@carol.service"
FILE = "/etc/bellhop/instances/carol.conf"


@pytest.fixture(name="site")
def _site(box, carol):
    box.write(FILE, f"[Instance]\nHost={HOST}\nServer=nginx\n")
    box.start_customer(carol)
    return carol


def serves_by(box, program):
    return box.try_run("pgrep", "-P", box.show(UNIT, "MainPID"), program).returncode == 0


@pytest.mark.parametrize("action", ["stop", "restart", "reload"])
def test_20_times(box, site, action):
    with load(box, HOST) as report:
        for _ in range(20):
            box.run("systemctl", action, UNIT)
            pause()
        box.wait_for("nginx serves", lambda: serves_by(box, "nginx"))
    report.assert_nothing_failed(*ALL_KINDS, idle_ends=MANY)


def test_killed_workers(box, site):
    """The master starts another one, which counts the connections of the first as ended."""
    kills = []
    with load(box, HOST, kinds={"new": 2}) as report:
        for _ in range(10):
            box.wait_for("a master", lambda: serves_by(box, "nginx"))
            master = box.run("pgrep", "-P", box.show(UNIT, "MainPID"), "nginx").split()[0]
            workers = box.wait_for("a worker", lambda m=master: box.try_run("pgrep", "-P", m).stdout.split())
            began = time.monotonic()
            box.try_run("kill", "-KILL", *workers)
            kills.append((began, time.monotonic()))
            pause(0.5)
    assert unexplained(report, kills) == []
    box.write(FILE, f"[Instance]\nHost={HOST}\nServer=nginx\nIdleSec=1\n")
    box.run("systemctl", "reload", UNIT)
    box.wait_for("the idle exit", lambda: box.show(UNIT, "ActiveState") == "inactive")
    assert box.show(UNIT, "Result") == "success"


def test_other_server_20_times(box, site):
    """A reload starts the other one beside the first, which finishes what it has."""
    with load(box, HOST) as report:
        for server in ("apache", "nginx") * 10:
            box.write(FILE, f"[Instance]\nHost={HOST}\nServer={server}\n")
            box.run("systemctl", "reload", UNIT)
            pause()
    report.assert_nothing_failed(*ALL_KINDS, idle_ends=MANY)
    assert serves_by(box, "nginx")


def test_idle_exits(box, site):
    """Each visitor finds it running, ending or asleep."""
    box.write(FILE, f"[Instance]\nHost={HOST}\nServer=nginx\nIdleSec=50ms\n")
    box.run("systemctl", "restart", UNIT)
    starts = int(box.show(UNIT, "NRestarts") or 0)
    began = box.run("date", "+%s.%N").strip()
    with load(box, HOST, kinds={"new": 1}) as report:
        for _ in range(60):
            # The start may take any time.
            box.wait_for("it runs", lambda: box.show(UNIT, "ActiveState") == "active")
            box.run("systemctl", "stop", UNIT)
            pause(0.3)
    report.assert_nothing_failed("new", idle_ends=MANY)
    assert starts == 0 and box.journal("-u", UNIT, f"--since=@{began}").count("Started") > 50
