# SPDX-License-Identifier: MIT
"""Constant load while something changes: not one connection fails."""

import random
import time

import pytest
from clients import ALL_KINDS, PROMPT_KINDS, load
from showcase import ALICE, BOB

# Kept connections that an instance ends while it stops count as ended, not as failed: HTTP has it so.
MANY = 10**6
# The time in which a client notices that its connection has ended, even if the machine stalls. A connection that hangs is still a
# failure: load.py waits much longer for an answer.
SEEN_SEC = 10


def pause(most=0.15):
    """So that changes meet connections in every state."""
    time.sleep(random.uniform(0, most))


def test_50_reloads_of_the_router(box):
    with load(box, ALICE, BOB) as report:
        for _ in range(50):
            box.run("systemctl", "reload", "bellhop-router.service")
    report.assert_nothing_failed(*ALL_KINDS)


def test_reloads_with_a_broken_configuration(box, router_settings):
    router_settings()
    with load(box, ALICE, BOB) as report:
        for i in range(10):
            box.write("/etc/bellhop/router.conf.d/test.conf", "PendingMax=none\n" if i % 2 == 0 else "[Router]\n")
            box.run("systemctl", "reload", "bellhop-router.service")
    report.assert_nothing_failed(*ALL_KINDS)


@pytest.mark.parametrize("kinds", [PROMPT_KINDS, ALL_KINDS], ids=["prompt", "pending"])
def test_20_restarts_of_the_router(box, kinds):
    """pending: connections of which the old router had only the first half of the hello."""
    with load(box, ALICE, BOB, kinds=kinds) as report:
        for _ in range(20):
            box.run("systemctl", "restart", "bellhop-router.service")
            pause()
    report.assert_nothing_failed(*kinds)


@pytest.mark.parametrize("action", ["stop", "restart", "reload"])
def test_instance_20_times(box, action):
    pid = box.show("bellhop-router.service", "MainPID")
    with load(box, ALICE, BOB) as report:
        for _ in range(20):
            box.run("systemctl", action, "bellhop@alice.service")
            pause()
    report.assert_nothing_failed(*ALL_KINDS, idle_ends=MANY)
    assert box.show("bellhop@alice.socket", "Result") == "success"
    assert box.show("bellhop-router.service", "MainPID") == pid


def test_customer_added_and_removed_20_times(box, carol):
    text = box.path("/etc/bellhop/instances/carol.conf").read_text()
    with load(box, ALICE, BOB) as report:
        for i in range(20):
            box.write("/etc/bellhop/instances/carol.conf", text)
            box.run("systemctl", "start", "bellhop@carol.socket")
            box.run("systemctl", "reload", "bellhop-router.service")
            url = ("http", "https")[i % 2] + "://carol.example/load.txt"
            box.wait_for("carol is served", lambda url=url: box.curl(url, check=False).stdout.strip() == "carol.example")
            box.path("/etc/bellhop/instances/carol.conf").unlink()
            box.run("systemctl", "reload", "bellhop-router.service")
            box.wait_for("carol is gone", lambda url=url: box.curl(url, check=False).stdout.strip() != "carol.example")
            box.run("systemctl", "stop", "bellhop@carol.socket", "bellhop@carol.service")
    report.assert_nothing_failed(*ALL_KINDS)


def kill(box, name, who, program):
    """Of the instance's processes; there may be none at that moment. parent: bellhop-instance."""
    unit = f"bellhop@{name}.service"
    if who == "server":
        box.try_run("pkill", "-KILL", "-P", box.show(unit, "MainPID"), program)
    elif who == "children":
        servers = box.try_run("pgrep", "-d,", "-P", box.show(unit, "MainPID"), program).stdout.strip()
        box.try_run("pkill", "-KILL", "-P", servers or "0", program)
    else:
        box.try_run("systemctl", "kill", "--signal=KILL", *(["--kill-who=main"] if who == "parent" else []), unit)


def processes(box, name):
    group = box.show(f"bellhop@{name}.service", "ControlGroup")
    return set(box.try_run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").stdout.split()) if group else set()


def kill_and_wait(box, name, who, program):
    """Returns when the processes that run at the call are gone: on a busy machine, children of a killed server can still
    receive until the supervisor notices, and the supervisor then kills them."""
    before = processes(box, name)
    kill(box, name, who, program)
    if who != "children":
        # An instance that starts may have had no server to kill.
        box.wait_for("its end", lambda: not before & processes(box, name) or kill(box, name, who, program))


def unexplained(report, kills):
    """Returns the failures that no kill explains. kills: pairs of times, before and after each."""
    return [failure for failure in report.failures if not any(
        failure["began"] < done and began < failure["ended"] < done + SEEN_SEC for began, done in kills)]


@pytest.mark.parametrize("server, mpm", [("apache", "event"), ("apache", "worker"), ("apache", "prefork"), ("nginx", "")])
def test_instance_killed_20_times(box, carol, server, mpm):
    """Of what began before a kill, that may fail which the instance had; nothing that began afterwards fails."""
    if mpm:
        box.write("/etc/systemd/system/bellhop@carol.service.d/mpm.conf", f"[Service]\nEnvironment=BELLHOP_MPM={mpm}\n")
        box.run("systemctl", "daemon-reload")
    box.write_instance(carol, f"Host=carol.example\nServer={server}\n")
    box.start_customer(carol)
    program = {"apache": "apache2", "nginx": "nginx"}[server]
    kills = []
    with load(box, "carol.example", BOB, kinds=PROMPT_KINDS) as report:
        for i in range(20):
            if i % 4 == 0:
                # If each start is killed, visitors are refused after 5 s.
                box.wait_for("it runs", lambda: box.show(f"bellhop@{carol}.service", "ActiveState") == "active")
            began = time.monotonic()
            kill_and_wait(box, carol, ["all", "parent", "server", "children"][i % 4], program)
            kills.append((began, time.monotonic()))
            pause()
    assert unexplained(report, kills) == [] and all(failure["host"] != BOB for failure in report.failures)
    assert all(report.counts[kind] > 4 for kind in PROMPT_KINDS), report.counts
    assert box.show("bellhop@carol.socket", "Result") == "success"


def test_settings_of_a_customer_20_times(box, carol):
    """Also the network, for which the instance is restarted."""
    box.start_customer(carol)
    with load(box, "carol.example", BOB) as report:
        for i in range(20):
            network = ["--network=yes" if i % 10 == 4 else "--network=no"] if i % 5 == 4 else []
            box.run("bellhopctl", "set", carol, f"--host=carol.example {i}.carol.example", f"--idle={i + 1}min", *network)
            assert box.curl(f"https://{i}.carol.example/load.txt").strip() == "carol.example"
    report.assert_nothing_failed(*ALL_KINDS, idle_ends=MANY)
