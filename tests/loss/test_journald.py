# SPDX-License-Identifier: MIT
"""journald hangs and its queues are full: no process waits for it, and it later gets the number of lost lines."""

import re
import threading

import pytest
from fixtures import publish
from showcase import ALICE, BOB

JOURNALD = "systemd-journald.service"
WATCHDOG = f"/run/systemd/system/{JOURNALD}.d/watchdog.conf"
LOGS = "/run/systemd/system/bellhop@.service.d/logs.conf"
LOST = r"\d+ lines of this log were lost"
# Like a site that logs a lot: until neither socket has room, for any sender.
FILL = """
import socket
for path, text in (("/run/systemd/journal/socket", b"MESSAGE=full\\n"), ("/run/systemd/journal/dev-log", b"<6>full")):
    n = 1
    while n > 0:
        log, n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), 0
        log.setblocking(False)
        try:
            while log.sendto(text, path):
                n += 1
        except BlockingIOError:
            pass
"""
N = 100
# More than there are workers; each of them logs an error.
N_ERRORS = 200
STANDARD_ERROR = "echo something is wrong >&2; echo answer"
PHP = "<?php error_log('something is wrong'); echo 'answer';"


@pytest.fixture(name="hung_journald")
def hung_journald_fixture(box, carol):
    """Hangs and is full; continues on request, or at the end. bob and bob's PHP are running, carol is not. All log
    there."""
    box.write(LOGS, "[Service]\nEnvironment=BELLHOP_LOGS=journal\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "stop", "bellhop@alice.service", "bellhop@bob.service")
    box.start_customer(carol)
    publish(box, carol, "carol.example")
    box.write_page("bob", "error.cgi", STANDARD_ERROR)
    box.write("/srv/www/bob/error.php", PHP)
    box.run("chown", "bob:", "/srv/www/bob/error.php")
    for page in ("load.txt", "error.php"):
        box.curl(f"http://{BOB}/{page}")
    box.curl(f"http://{ALICE}/load.txt")
    box.write(WATCHDOG, "[Service]\nWatchdogSec=0\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "kill", "--signal=STOP", JOURNALD)

    def go_on():
        box.run("systemctl", "kill", "--signal=CONT", JOURNALD)

    try:
        box.run("setpriv", "--reuid=alice", "--clear-groups", "/usr/bin/python3", "-c", FILL)
        yield go_on
    finally:
        go_on()
        box.path(WATCHDOG).unlink()
        box.path(LOGS).unlink()
        for page in ("error.cgi", "error.php"):
            box.path(f"/srv/www/bob/{page}").unlink()
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "stop", "bellhop@alice.service", "bellhop@bob.service")


def statuses(box, url, n):
    """Of n new connections in turn."""
    host = url.split("/")[2]
    done = box.try_client("curl", "-sS", "--fail-early", "--max-time", "20", "-H", "Connection: close",
                          "--resolve", f"{host}:80:127.0.0.1", "-o", "/dev/null", "-w", "%{http_code}\n",
                          f"{url}?[1-{n}]")
    return done.stdout.split() + done.stderr.splitlines()


def in_parallel(*functions):
    results = [None] * len(functions)

    def run(i):
        results[i] = functions[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def kill_workers(box):
    box.run("pkill", "-KILL", "-u", "bob", "-f", "^php-fpm: pool")


def lost_by_router(box):
    text = box.run("curl", "-sS", "--fail", "--max-time", "20", "--unix-socket", "/run/bellhop/control",
                   "http://localhost/metrics")
    return int(re.search(r"^bellhop_log_lines_lost_total (\d+)$", text, re.MULTILINE)[1])


def test_router_and_instances_wait_for_no_journald(box, hung_journald):
    # The router has something to say of each of the first, the server of all others.
    assert statuses(box, "http://stranger.test/", N) == ["421"] * N
    assert statuses(box, f"http://{BOB}/load.txt", N) == ["200"] * N
    assert lost_by_router(box) >= 1
    assert statuses(box, "http://carol.example/load.txt", 1) == ["200"]
    box.run("systemctl", "reload", "bellhop-router.service", timeout=30)
    assert statuses(box, f"http://{BOB}/load.txt", N) == ["200"] * N
    box.run("systemctl", "reload", "bellhop@bob.service", timeout=30)
    box.run("systemctl", "stop", "bellhop@alice.service", timeout=30)
    assert statuses(box, f"http://{ALICE}/load.txt", N) == ["200"] * N
    box.run("systemctl", "restart", "bellhop-router.service", timeout=30)
    assert statuses(box, "http://stranger.test/", N) == ["421"] * N
    assert statuses(box, f"http://{BOB}/load.txt", N) == ["200"] * N
    hung_journald()
    # The next line of each follows one that says how many are missing.
    box.run("journalctl", "--sync")
    box.run("systemctl", "reload", "bellhop-router.service")
    assert statuses(box, f"http://{BOB}/load.txt", 1) == ["200"]
    for unit in ("bellhop-router", "bellhop@bob"):
        box.wait_for(f"{unit} has counted its lost lines", lambda unit=unit: re.search(
            LOST, box.journal("-u", unit, "-p", "warning", "-n", "50")))


def test_errors_of_pages_wait_for_no_journald(box, hung_journald):
    for page in ("error.cgi", "error.php"):
        url = f"http://{BOB}/{page}"
        n = N_ERRORS // 4
        assert in_parallel(*4 * [lambda url=url, n=n: statuses(box, url, n)]) == 4 * [["200"] * n], page
    # PHP-FPM has something to say of each worker that is killed, and starts others.
    for _ in range(3):
        kill_workers(box)
        assert statuses(box, f"http://{BOB}/error.php", 1) == ["200"]
    hung_journald()
    box.run("journalctl", "--sync")
    kill_workers(box)
    assert statuses(box, f"http://{BOB}/error.php", 1) == ["200"]
    box.wait_for("a line of PHP-FPM", lambda: "exited on signal 9" in box.journal(
        "-u", "bellhop@bob", "-t", "bellhop-php-bob", "-n", "5"))
    # In a process that has lost some: they have several.
    in_parallel(*8 * [lambda: statuses(box, f"http://{BOB}/error.cgi", 4)])

    def has_both():
        text = box.journal("-u", "bellhop@bob", "-t", "bellhop-bob", "-n", "100")
        return re.search(LOST, text) and re.search(r"\[cgi:error\] .*something is wrong", text)
    box.wait_for("lines of pages, and the number of lost ones", has_both)
