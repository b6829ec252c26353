# SPDX-License-Identifier: MIT
"""The router is reloaded, restarted, killed and hangs: nothing that was under way is lost that need not be."""

import contextlib
import re
import subprocess

import pytest
from box import HERE
from showcase import ALICE, BOB, assert_served_by_owner

ROUTER = "bellhop-router.service"


def status_of(box, host):
    return box.curl(f"http://{host}/", "-o", "/dev/null", "-w", "%{http_code}", check=False).stdout


def pid_of(box):
    return int(box.show(ROUTER, "MainPID"))


def n_stored(box):
    return int(box.show(ROUTER, "NFileDescriptorStore"))


def n_pending(box):
    box.reload_router()  # which renews the status
    return int(re.search(r"pending (\d+)", box.show(ROUTER, "StatusText"))[1])


@contextlib.contextmanager
def changed(box, name):
    """An instance file as it was, afterwards."""
    path = box.path(f"/etc/bellhop/instances/{name}.conf")
    before = path.read_text()
    try:
        yield
    finally:
        path.write_text(before)
        box.reload_router()


@contextlib.contextmanager
def half_open(box, n):
    """Clients that have sent half of what they want to say; yields how to let them go on."""
    client = box.popen_client("/usr/bin/python3", HERE / "half.py", n, ALICE, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)

    def finish():
        answers, _ = client.communicate("\n", timeout=60)
        assert client.returncode == 0
        lines = answers.splitlines(keepends=True)
        assert len(lines) == n
        for line in lines:
            assert_served_by_owner(box, ALICE, line)

    try:
        assert client.stdout.readline() == "half\n"
        box.wait_for("all are pending", lambda: n_pending(box) == n)
        yield finish
    finally:
        client.kill()
        client.wait()


@pytest.fixture(name="patient")
def patient_fixture(box):
    """The router waits long for the rest."""
    box.write("/etc/bellhop/router.conf.d/patient.conf", "[Router]\nSniffTimeoutSec=5min\n")
    box.reload_router()
    yield
    box.path("/etc/bellhop/router.conf.d/patient.conf").unlink()
    box.reload_router()


def test_reload_returns_when_the_change_is_in_force(box):
    with changed(box, "alice"):
        for i in range(20):
            box.write_instance("alice", f"Host={ALICE} www.{ALICE} new-{i}.example\n")
            box.run("systemctl", "reload", ROUTER)
            assert status_of(box, f"new-{i}.example") == "200"
            assert status_of(box, f"new-{i - 1}.example") == "421"
    assert box.show(ROUTER, "ActiveState") == "active"


def test_reload_with_a_broken_file_keeps_the_site_and_says_why(box):
    with changed(box, "alice"):
        box.write_instance("alice", f"Host={ALICE}\nHosts=www.{ALICE}\n")
        box.run("systemctl", "reload", ROUTER)
        why = "/etc/bellhop/instances/alice.conf:3: unknown key Hosts="
        assert why in box.show(ROUTER, "StatusText")
        assert why in box.journal("-u", ROUTER, "-n", "20")
        assert status_of(box, ALICE) == status_of(box, "www." + ALICE) == "200"
    assert "errors" not in box.show(ROUTER, "StatusText")


def test_reload_that_fails_says_so(box):
    pid = pid_of(box)
    box.shell("mv /etc/bellhop/instances /etc/bellhop/away; touch /etc/bellhop/instances")
    try:
        assert box.try_run("systemctl", "reload", ROUTER).returncode != 0
        why = "the configuration in /etc/bellhop can't be read: Not a directory; the old one remains in force"
        assert why in box.show(ROUTER, "StatusText")
        assert why in box.journal("-u", ROUTER, "-n", "20")
        assert status_of(box, ALICE) == "200" and pid_of(box) == pid
    finally:
        box.shell("rm /etc/bellhop/instances; mv /etc/bellhop/away /etc/bellhop/instances")
    box.run("systemctl", "reload", ROUTER)
    assert box.show(ROUTER, "ActiveState") == "active"


@pytest.mark.usefixtures("patient")
def test_restart_keeps_what_is_pending(box):
    with half_open(box, 60) as finish:
        for _ in range(3):
            pid = pid_of(box)
            box.run("systemctl", "restart", ROUTER)
            assert pid_of(box) != pid
            assert n_pending(box) == 60
        finish()
    box.wait_for("nothing is stored", lambda: n_stored(box) == 0)


@pytest.mark.usefixtures("patient")
def test_stop_gives_up_what_is_pending(box):
    """Only a restart keeps it: after a stop of the router, connections must not hang."""
    with half_open(box, 4):
        # With its socket, which would start it again.
        box.run("systemctl", "stop", "bellhop-router.socket", ROUTER)
        assert box.show(ROUTER, "Result") == "success"
        assert n_stored(box) == 0
        box.run("systemctl", "start", "bellhop-router.socket", ROUTER)
        assert n_pending(box) == 0
    assert_served_by_owner(box, BOB, box.curl(f"https://{BOB}/"))


def test_killed_router_comes_back(box):
    """New connections wait in the listening sockets meanwhile; ten times, as no limit on starts may end it."""
    for _ in range(10):
        pid = pid_of(box)
        box.run("systemctl", "kill", "--signal=KILL", ROUTER)
        assert_served_by_owner(box, ALICE, box.curl(f"https://{ALICE}/"))
        assert pid_of(box) not in (0, pid)
    assert n_stored(box) == 0


@pytest.mark.parametrize("unit", ["bellhop@alice.socket", "bellhop-router.socket", "bellhop.target"])
def test_no_limit_on_starts_takes_a_socket_down(box, unit):
    """systemctl restart of a target succeeds even if a socket of it fails."""
    for _ in range(8):
        box.run("systemctl", "restart", unit)
    for host in (ALICE, BOB):
        assert_served_by_owner(box, host, box.curl(f"https://{host}/"))
    listed = box.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=socket", "bellhop*")
    assert {line.split()[2] for line in listed.splitlines()} == {"active"}, listed


def test_router_that_hangs_is_replaced(box):
    box.write("/run/systemd/system/bellhop-router.service.d/watchdog.conf", "[Service]\nWatchdogSec=1s\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", ROUTER)

    def stop():
        """A router that a busy machine holds up for a second is replaced, too."""
        pid = pid_of(box)
        return pid if pid and box.try_run("kill", "-STOP", pid).returncode == 0 else 0

    try:
        pid = box.wait_for("it is stopped", stop)
        assert_served_by_owner(box, ALICE, box.curl(f"https://{ALICE}/"))
        box.wait_for("another router", lambda: pid_of(box) not in (0, pid))
        assert "watchdog" in box.journal("_PID=1", "-u", ROUTER, "-n", "30").lower()
    finally:
        box.path("/run/systemd/system/bellhop-router.service.d/watchdog.conf").unlink()
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "restart", ROUTER)
