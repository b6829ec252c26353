# SPDX-License-Identifier: MIT
"""What the journal and the control socket tell an administrator: fields, message ids, catalog, metrics."""

import json
import re
import time

import pytest
from box import SOURCE
from showcase import ALICE, BOB

METRICS = ("--unix-socket", "/run/bellhop/control", "http://localhost/metrics")


def message_ids():
    header = (SOURCE / "src/util/log-ids.h").read_text()
    return dict(re.findall(r'^#define LOG_ID_(\w+) +"([0-9a-f]{32})"', header, re.MULTILINE))


@pytest.fixture(name="since")
def _since(box):
    """Right behind the last entry; --after-cursor= of systemd 252 skips one more where entries are selected."""
    box.run("journalctl", "--sync")
    last = json.loads(box.run("journalctl", "-q", "-n", "1", "-o", "json", "--output-fields=MESSAGE"))
    usec = int(last["__REALTIME_TIMESTAMP"]) + 1
    return f"--since=@{usec // 1000000}.{usec % 1000000:06}"


def entries(box, since, *match):
    """What the router has logged since then."""
    box.run("journalctl", "--sync")
    lines = box.run("journalctl", "-q", "-o", "json", since, "-u", "bellhop-router", *match)
    return [json.loads(line) for line in lines.splitlines()]


def wait_for(box, since, *match):
    return box.wait_for(f"journal entry {match}", lambda: entries(box, since, *match))


def catalog_text(box, name):
    return box.run("journalctl", "--catalog", "--dump-catalog", message_ids()[name])


def test_catalog_explains_every_id(box):
    for name in message_ids():
        text = catalog_text(box, name)
        assert re.search(r"^Subject: \S", text, re.MULTILINE), name
        assert "Defined-By: bellhop" in text and re.search(r"^Documentation: man:(mod_)?bellhop", text, re.MULTILINE), name


def test_refusal_has_fields(box, since):
    assert box.curl("http://stranger.test/", "-o", "/dev/null", "-w", "%{http_code}") == "421"
    entry, = wait_for(box, since, "BELLHOP_HOST=stranger.test")
    assert entry["BELLHOP_REASON"] == "unknown-host" and entry["PRIORITY"] == "6"
    assert re.fullmatch(r"127\.0\.0\.1:\d+", entry["BELLHOP_PEER"])
    # Nobody has to do anything about it.
    assert "MESSAGE_ID" not in entry and "BELLHOP_INSTANCE" not in entry


def test_absent_socket_is_explained(box, since):
    box.run("systemctl", "stop", "bellhop@bob.socket")
    try:
        assert box.curl(f"http://{BOB}/", "-o", "/dev/null", "-w", "%{http_code}") == "503"
        entry, = wait_for(box, since, "MESSAGE_ID=" + message_ids()["ABSENT"])
        assert entry["BELLHOP_INSTANCE"] == "bob" and entry["PRIORITY"] == "4"
        refusal, = wait_for(box, since, "BELLHOP_REASON=unavailable")
        assert (refusal["BELLHOP_INSTANCE"], refusal["BELLHOP_HOST"]) == ("bob", BOB)
        shown = box.run("journalctl", "-q", "-x", "-u", "bellhop-router", "MESSAGE_ID=" + message_ids()["ABSENT"])
        assert "Subject: No program receives connections for bob" in shown
        assert "systemctl start bellhop@bob.socket" in shown and "man:bellhop(7)" in shown
    finally:
        box.run("systemctl", "start", "bellhop@bob.socket")
    assert box.curl(f"http://{BOB}/", "-o", "/dev/null", "-w", "%{http_code}") == "200"


def test_configuration_problem_is_explained(box, since):
    box.write_instance("carol", "Host=b@d\n")
    try:
        box.reload_router()
        entry, = wait_for(box, since, "MESSAGE_ID=" + message_ids()["CONFIG_PROBLEM"], "PRIORITY=4")[:1]
        assert entry["MESSAGE"].startswith("/etc/bellhop/instances/carol.conf:2: ")
        assert float(re.search(r"^bellhop_config_problems (\d+)$", metrics(box), re.MULTILINE)[1]) > 0
    finally:
        box.path("/etc/bellhop/instances/carol.conf").unlink()
        box.reload_router()


def metrics(box, *before):
    return box.run(*before, "curl", "-sS", "--fail", "--max-time", "20", *METRICS)


def test_metrics_by_the_control_socket(box):
    name = 'bellhop_instance_handed_off_total{instance="alice"}'

    def count():
        return int(re.search(rf"^{re.escape(name)} (\d+)$", metrics(box), re.MULTILINE)[1])

    before = count()
    box.curl(f"https://{ALICE}/")
    assert count() == before + 1


def test_metrics_are_for_root_and_the_group(box):
    def try_as(user, group):
        return box.try_run("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "curl", "-sS",
                           "--fail", *METRICS)

    assert try_as("nobody", "bellhop").returncode == 0
    for name in ("alice", "nobody"):
        refused = try_as(name, box.run("id", "-g", name).strip())
        assert refused.returncode == 7, refused
    # Nor may the group hand off.
    tried = box.try_run("setpriv", "--reuid=nobody", "--regid=bellhop", "--clear-groups", "/usr/bin/python3", "-c",
                        "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
                        ".connect('/run/bellhop/alice.handoff')")
    assert "PermissionError" in tried.stderr, tried


def test_router_serves_without_the_control_socket(box):
    box.run("systemctl", "stop", "bellhop-router-control.socket")
    try:
        box.run("systemctl", "restart", "--job-mode=ignore-dependencies", "bellhop-router.service")
        assert box.curl(f"http://{ALICE}/", "-o", "/dev/null", "-w", "%{http_code}") == "200"
        assert box.try_run("curl", "-sS", *METRICS).returncode == 7
    finally:
        box.run("systemctl", "stop", "bellhop-router.service")
        box.run("systemctl", "start", "bellhop-router-control.socket", "bellhop-router.service")
    assert "bellhop_accepted_total" in metrics(box)


def test_metrics_survive_a_restart_of_the_router(box):
    """The socket is systemd's: a scraper in between waits, and is answered by the next router."""
    inode = box.path("/run/bellhop/control").stat().st_ino
    box.run("systemctl", "restart", "bellhop-router.service")
    start = time.monotonic()
    assert "bellhop_accepted_total" in metrics(box) and time.monotonic() - start < 20
    assert box.path("/run/bellhop/control").stat().st_ino == inode
