# SPDX-License-Identifier: MIT
"""Two hundred customers, most of them asleep, and then all awake. How fast it all is, tests/bench/many tells."""

import json
import re
import subprocess

import many
import pytest
from fixtures import remove
from showcase import ALICE

N, N_WOKEN, STARTING_MAX = 200, 60, 3


@pytest.fixture(name="customers", scope="module")
def _customers(box):
    names = many.names(N)
    many.create(box, names)
    many.start(box, names)
    yield names
    many.remove(box, names)


@pytest.fixture(name="asleep")
def _asleep(box, customers, router_settings):
    router_settings(f"StartingMax={STARTING_MAX}\nHandoffTimeoutSec=60s")
    many.let_sleep(box, customers)
    return customers[:N_WOKEN]


def metric(box, name):
    text = box.run("curl", "-sS", "--unix-socket", "/run/bellhop/control", "http://localhost/metrics")
    return int(re.search(rf"^bellhop_{re.escape(name)} (\d+)$", text, re.MULTILINE)[1])


def daemon_reloads(box):
    return len(re.findall(r"^Reloading(\.| requested)", box.journal("_PID=1"), re.MULTILINE))


def test_woken_at_once_they_start_in_turn(box, asleep):
    box.curl(f"http://{ALICE}/")
    cursor, starts = many.journal_cursor(box), metric(box, "starts_total")
    told = many.visit(box, asleep, ALICE)
    assert told["failures"] == [] and len(told["msec"]) == N_WOKEN
    # The next one can start when one has received; PID 1 may hear a little later that this one has started.
    # If the machine stalls for five seconds, the next ones start beside those that are late.
    late = metric(box, "late_starts_total")
    assert STARTING_MAX <= many.most_at_once(box, cursor) < 2 * STARTING_MAX + late and late <= STARTING_MAX
    assert metric(box, "starts_total") == starts + N_WOKEN
    assert metric(box, "start_waits_total") >= N_WOKEN - 2 * STARTING_MAX
    box.wait_for("all have started", lambda: metric(box, "starting_instances") == 0)
    # Running instances have not waited for them.
    assert len(told["other_msec"]) > 5
    assert metric(box, 'instance_start_waits_total{instance="alice"}') == 0
    # They run now, so nobody waits for a turn.
    waits = metric(box, "start_waits_total")
    assert many.visit(box, asleep)["failures"] == []
    assert metric(box, "start_waits_total") == waits


def test_router_restarts_while_they_wait_for_their_turn(box, asleep):
    """Nobody is lost: pending connections go to the next router, which lets them have their turn."""
    crowd = box.popen_client("/usr/bin/python3", many.HERE / "crowd.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    crowd.stdin.write("\n".join(map(many.host, asleep)))
    crowd.stdin.close()
    for _ in range(2):
        box.wait_for("some wait", lambda: metric(box, "start_waits_total") > 0 < metric(box, "starting_instances"))
        box.run("systemctl", "restart", "bellhop-router.service")
    told = json.loads(crowd.stdout.read())
    assert crowd.wait(timeout=20) == 0
    assert told["failures"] == [] and len(told["msec"]) == N_WOKEN


DBUS = "/etc/dbus-1/system.d/few-replies.conf"


@pytest.fixture(name="awake")
def _awake(box, customers, router_settings):
    """With dbus-daemon as it is, and as it was, afterwards."""
    router_settings("StartingMax=10\nHandoffTimeoutSec=60s")
    box.run("bellhopctl", "apply")
    assert many.visit(box, customers)["failures"] == []
    yield customers
    box.path(DBUS).unlink(missing_ok=True)
    box.run("systemctl", "reload", "dbus.service")


def ctl_json(box, *arguments):
    return json.loads(box.run("bellhopctl", *arguments, "--json"))


def test_while_all_are_awake_nothing_is_to_be_done(box, awake):
    """Whatever dbus-daemon lets us know of them: what it does not is unknown, and no reason to do anything."""
    figures = ("connections", "handoffs")  # in the container, the kernel counts no memory
    shown = {entry["instance"]: entry for entry in ctl_json(box, "list")["instances"]}
    assert {shown[name]["state"] for name in awake} == {"active"}
    assert [name for name in awake if None in [shown[name][key] for key in figures]] == []
    for _ in range(10):
        assert ctl_json(box, "apply", "--dry-run") == {"changes": []}
    box.write(DBUS, '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.'
              'freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
              '<busconfig><limit name="max_replies_per_connection">8</limit></busconfig>\n')
    box.run("systemctl", "reload", "dbus.service")
    shown = {entry["instance"]: entry for entry in ctl_json(box, "list")["instances"]}
    assert {shown[name]["state"] for name in awake} == {"active"}
    assert None in [shown[name]["connections"] for name in awake]
    assert "systemd did not answer" in box.run("bellhopctl", "list", "--no-pager")
    assert ctl_json(box, "apply", "--dry-run") == {"changes": []} == ctl_json(box, "apply")
    assert "It is not known whether" in box.run("bellhopctl", "apply")


def test_one_more_comes_and_goes(box, customers, carol):
    before = daemon_reloads(box)
    box.start_customer(carol)
    assert "(carol)" in box.curl("https://carol.example/")
    remove(box, carol)
    assert daemon_reloads(box) == before
    assert many.visit(box, customers[-3:])["failures"] == []
