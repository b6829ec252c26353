# SPDX-License-Identifier: MIT
"""No line of a log file is lost, whatever happens meanwhile; and who writes them keeps no site waiting."""

import re
import subprocess
import time

import pytest
from showcase import BOB

N = 80000
SERVICE, SITE = "bellhop-log.service", "bellhop@bob.service"
LOAD = f"http://{BOB}/load.txt"
LOST = r"(\d+) lines of the log files were lost"
# A server waits at most a second for bellhop-log, so a machine that stalls can lose lines. It does not stall in each burst.
BURSTS = 3


@pytest.fixture(name="server", params=["apache", "nginx"])
def server_fixture(box, request):
    """Of bob."""
    box.write_instance("bob", f"Host={BOB}\nServer={request.param}\n")
    box.run("systemctl", "reload-or-restart", SITE)
    yield request.param
    box.write_instance("bob", f"Host={BOB}\n")
    box.run("systemctl", "reload-or-restart", SITE)


@pytest.fixture(name="log")
def log_fixture(box):
    """All complete lines that bob's log has had since the beginning of the test, rotated files included."""
    begin_log_anew(box)

    def lines(folder="bob"):
        paths = sorted(box.path(f"/var/log/bellhop/{folder}").glob("access.log*"))
        assert not any(path.suffix == ".gz" for path in paths)
        return [line for path in paths for line in path.read_text().split("\n")[:-1]]

    return lines


def begin_log_anew(box):
    box.shell("rm -f /var/log/bellhop/*.log* /var/log/bellhop/bob/*.log*")
    box.run("systemctl", "try-restart", SERVICE)


def reload(box):
    box.run("systemctl", "reload", SITE)


def stop(box):
    box.run("systemctl", "stop", SITE)


def restart_log(box):
    box.run("systemctl", "restart", SERVICE)


def kill_log(box):
    box.run("systemctl", "kill", "--signal=KILL", SERVICE)


def rotate(box):
    box.run("logrotate", "--force", "/etc/logrotate.d/bellhop")


def ask(box, n):
    """n requests, of which none may fail; each has a connection of its own."""
    with box.popen_client("ab", "-q", "-n", str(n), "-c", str(min(n, 32)), "-H", f"Host: {BOB}", "http://127.0.0.1/load.txt",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as load:
        yield load
        said = load.communicate()[0]
    assert re.search(rf"^Complete requests: +{n}$", said, re.MULTILINE), said
    assert re.search(r"^Failed requests: +0$", said, re.MULTILINE), said


def ask_all(box, n):
    burst = ask(box, n)
    next(burst)
    assert list(burst) == []


def count_lost(box, began):
    """The lines that the server has counted as lost."""
    return sum(map(int, re.findall(LOST, box.journal("-u", SITE, "-t", "bellhop-bob", f"--since=@{began}"))))


def lost_in_burst(box, log, n, events, missing=0):
    """The number of lines that were counted as lost when all events happened within n requests. missing: how many more lines
    each file may lack."""
    begin_log_anew(box)
    began = box.run("date", "+%s.%N").strip()
    burst = ask(box, n - 1)
    load = next(burst)
    for i, event in enumerate(events):
        box.wait_for("some lines", lambda i=i: len(log()) > (i + 1) * n // (len(events) + 2), seconds=120)
        assert load.poll() is None
        event(box)
    assert list(burst) == []
    # The server logs the number of lost lines with its next line.
    ask_all(box, 1)
    box.wait_for("all lines", lambda: min(len(log()), len(log(""))) + count_lost(box, began) >= n - missing, seconds=60)
    lost = count_lost(box, began)
    assert max(len(log()), len(log(""))) + lost <= n
    return lost


def test_no_line_of_a_burst_is_lost(box, server, log):
    """bellhop-log restarts, and files are rotated, in the midst of it."""
    events = (restart_log, rotate, restart_log)
    assert any(lost_in_burst(box, log, N, events) == 0 for _ in range(BURSTS))


@pytest.mark.parametrize("event", [stop, reload, kill_log])
def test_no_line_is_lost_by(box, server, log, event):
    # A kill can lose what rsyslogd was about to write, in each file: a line of Apache's, or those of nginx that came together.
    missing = 2 * ({"apache": 1, "nginx": 32}[server] if event == kill_log else 0)
    assert any(lost_in_burst(box, log, 20000, (event, event), missing) == 0 for _ in range(BURSTS))


def test_files_are_there_after_a_rotation(box, log):
    """Before the first line of the day: fail2ban does not start without them, and the customer may read theirs."""
    ask_all(box, 1)
    box.wait_for("the line", log)
    rotate(box)
    for folder in ("/var/log/bellhop", "/var/log/bellhop/bob"):
        assert box.path(f"{folder}/access.log").read_text() == ""
    assert box.run("runuser", "-u", "bob", "--", "cat", "/var/log/bellhop/bob/access.log") == ""
    assert box.try_run("runuser", "-u", "bob", "--", "tee", "/var/log/bellhop/bob/access.log").returncode != 0
    # rsyslogd can still write some lines to the old file.
    box.wait_for("the next line", lambda: ask_all(box, 1) or box.log("bob"))


def test_long_line_is_whole(box, server, log):
    """What is not ASCII takes four bytes for each."""
    long = b"\xff" * 7900
    box.write("/tmp/headers", "")
    box.path("/tmp/headers").write_bytes(b"Referer: " + long + b"\nUser-Agent: " + long + b"\n")
    box.curl(LOAD + "?" + "x" * 7900, "-H", f"@{box.path('/tmp/headers')}")
    box.wait_for("the line", log)
    assert log()[0].count(r"\xff") == 2 * 7900 and log()[0].endswith('\\xff"') and len(log()[0]) > 64 * 1024


def test_writer_that_hangs_keeps_nobody_waiting(box, server, log):
    """Lines are dropped, and each that is missing is counted."""
    n, began = 3000, box.run("date", "+%s.%N").strip()
    ask_all(box, 1)
    box.wait_for("the line", log)
    box.run("systemctl", "kill", "--signal=STOP", SERVICE)
    try:
        ask_all(box, n)
        assert "are being lost" in box.journal("-u", SITE, "-t", "bellhop-bob", "-n", "5")
    finally:
        box.run("systemctl", "kill", "--signal=CONT", SERVICE)
    box.wait_for("lines that waited", lambda: len(log()) > 100)
    end = time.monotonic() + 60
    while True:
        ask_all(box, 64)
        n += 64
        lost = count_lost(box, began)
        if len(log()) + lost == n + 1 and lost > 0:
            break
        assert time.monotonic() < end, (len(log()), lost, n)


def test_full_disk_keeps_nobody_waiting(box, log):
    """It is said, and lines are written again as soon as there is room."""
    box.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "none", "/var/log/bellhop")
    try:
        box.run("/usr/lib/bellhop/bellhop-log-folders")
        box.run("systemctl", "restart", SERVICE)
        ask_all(box, 2000)
        box.wait_for("it is said", lambda: "No space left on device" in box.journal("-u", SERVICE))
        box.shell("truncate -s 0 /var/log/bellhop/access.log /var/log/bellhop/bob/access.log")
        ask_all(box, 1)
        box.wait_for("the line", lambda: box.log("bob").endswith("ApacheBench/2.3\"\n"))
    finally:
        box.run("umount", "--lazy", "/var/log/bellhop")
        box.run("systemctl", "restart", SERVICE)


def test_file_of_one_has_a_limit_that_leaves_the_others_alone(box, log):
    drop_in = f"/run/systemd/system/{SERVICE}.d/test.conf"
    box.write(drop_in, "[Service]\nLimitFSIZE=100K\n")
    box.shell(f"systemctl daemon-reload; systemctl restart {SERVICE}; rm -f /var/log/bellhop/alice/*")
    try:
        ask_all(box, 2000)
        box.wait_for("it is full", lambda: len(box.log("bob")) > 100000)
        box.curl("http://alice.example/load.txt?after")
        box.wait_for("the neighbour's line", lambda: "?after" in box.log("alice"))
        assert box.path("/var/log/bellhop/bob/access.log").stat().st_size <= 102400
    finally:
        box.path(drop_in).unlink()
        box.shell(f"systemctl daemon-reload; systemctl restart {SERVICE}")
