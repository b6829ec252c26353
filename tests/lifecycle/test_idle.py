# SPDX-License-Identifier: MIT
"""An instance that nobody needs exits, when it should, and comes back without anybody noticing."""

import contextlib
import os
import pathlib
import re
import time
from email.utils import parsedate_to_datetime

import pytest
from clients import popen_script
from conftest import MPMS, NGINX

HERE = pathlib.Path(__file__).resolve().parent
IDLE_SEC = 1

APACHE_WS = 'ProxyPass "/ws" "unix:${BELLHOP_HOME}/app|ws://localhost/ws"\n'
NGINX_WS = f"""location /ws {{
    proxy_pass http://unix:/home/{NGINX}/app:/ws;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
}}
"""
# What the WebSocket proxy speaks to: as the customer, on a unix socket that the site can see.
ECHO = r"""
import os, socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := self.rfile.read1(4096):
            self.wfile.write(data)
server = socketserver.ThreadingUnixStreamServer(sys.argv[1], Echo)
server.daemon_threads = True
server.serve_forever()
"""


def seconds_of(box, name, what):
    """When systemd saw it, by the clock that time.monotonic() reads as well."""
    return int(box.show(f"bellhop@{name}.service", what + "TimestampMonotonic")) / 1e6


def is_idle(box, name):
    return box.show(f"bellhop@{name}.service", "ActiveState") == "inactive"


def wait_for_exit(box, name):
    box.wait_for(f"{name}'s instance exits", lambda: is_idle(box, name))
    assert box.show(f"bellhop@{name}.service", "Result") == "success"


def exits_in_time(box, name, idle_sec, visit):
    """Visits, waits for the exit, and says whether it comes within a second after the time; it never comes earlier."""
    began = time.monotonic()
    visit()
    ended = time.monotonic()
    wait_for_exit(box, name)
    exit_sec = seconds_of(box, name, "ActiveExit")
    assert exit_sec - began > idle_sec, name
    return exit_sec - ended < idle_sec + 1


def assert_exits_in_time(*args):
    """A stall of the machine delays one exit, but a mistake delays all."""
    assert any(exits_in_time(*args) for _ in range(4))


def test_exits_when_idle_for_so_long_and_comes_back(box, four):
    for name in four:
        assert_exits_in_time(box, name, IDLE_SEC, lambda name=name: box.curl(f"https://{name}.example/"))
        assert f"({name})" in box.curl(f"https://{name}.example/")


def test_several_seconds(box, carol):
    box.write_instance(carol, "Host=carol.example\nIdleSec=4s\n")
    box.start_customer(carol)
    box.curl("http://carol.example/load.txt")
    time.sleep(2)
    assert_exits_in_time(box, carol, 4, lambda: box.curl("http://carol.example/load.txt"))


def test_a_reload_takes_another_time_and_does_not_count(box, carol):
    box.start_customer(carol)

    def exits_three_seconds_after_the_visit():
        box.write_instance(carol, "Host=carol.example\nIdleSec=1h\n")
        began = time.monotonic()
        box.curl("http://carol.example/load.txt")
        ended = time.monotonic()
        box.write_instance(carol, "Host=carol.example\nIdleSec=3s\n")
        box.run("systemctl", "reload", "bellhop@carol.service")
        wait_for_exit(box, carol)
        exit_sec = seconds_of(box, carol, "ActiveExit")
        assert exit_sec - began > 3
        return exit_sec - ended < 4

    assert any(exits_three_seconds_after_the_visit() for _ in range(4))
    assert box.curl("http://carol.example/load.txt") == "carol.example\n"


def test_zero_means_never(box, carol):
    box.write_instance(carol, "Host=carol.example\nIdleSec=0\n")
    box.start_customer(carol)
    box.curl("http://carol.example/load.txt")
    time.sleep(IDLE_SEC + 2)
    assert box.show("bellhop@carol.service", "ActiveState") == "active"


@pytest.fixture(name="kinds_set_up", scope="module")
def kinds_fixture(box, four):
    for name in four:
        home = f"/home/{name}"
        box.write(f"{home}/echo.py", ECHO)
        box.run("chown", f"{name}:", f"{home}/echo.py")
        box.run("systemd-run", f"--unit=echo-{name}", f"--uid={name}", "/usr/bin/python3", f"{home}/echo.py", f"{home}/app")
        box.write(f"/etc/bellhop/sites/{name}/ws.conf", NGINX_WS if name == NGINX else APACHE_WS)
        with open(box.path(f"/srv/www/{name}/large"), "wb") as file:
            os.truncate(file.fileno(), 64 << 20)
    yield
    for name in four:
        box.run("systemctl", "stop", f"echo-{name}")
        box.path(f"/etc/bellhop/sites/{name}/ws.conf").unlink()


@pytest.mark.parametrize("kind", ["keep-alive", "http2", "websocket", "download"])
def test_open_connection_keeps_it_alive(box, four, kinds_set_up, kind):
    names = [name for name in four if kind != "http2" or MPMS.get(name) != "prefork"]
    with contextlib.ExitStack() as stack:
        clients = {}
        for name in names:
            clients[name] = stack.enter_context(popen_script(box, HERE / "hold.py", kind, f"{name}.example"))
            stack.callback(clients[name].kill)
        for name in names:
            assert clients[name].stdout.readline() == "held\n", name
        began = {name: seconds_of(box, name, "ActiveEnter") for name in names}
        time.sleep(IDLE_SEC + 1.5)
        for name in names:
            clients[name].stdin.write("\n")
            clients[name].stdin.flush()
            assert clients[name].stdout.readline() == "alive\n", name
            assert seconds_of(box, name, "ActiveEnter") == began[name]
        for name in names:
            assert clients[name].wait(20) == 0
            wait_for_exit(box, name)


def status(box, name):
    return box.show(f"bellhop@{name}.service", "StatusText")


def test_status_follows_within_a_second(box, carol):
    box.write_instance(carol, "Host=carol.example\nIdleSec=1h\n")
    box.start_customer(carol)
    before = int(time.time())
    box.curl("http://carol.example/load.txt")
    box.wait_for("the first", lambda: status(box, carol).startswith("0 connections, 1 hand-offs, "))
    date = re.fullmatch("0 connections, 1 hand-offs, last hand-off: (.*)", status(box, carol)).group(1)
    assert before <= parsedate_to_datetime(date).timestamp() <= time.time()

    def follows(n):
        """Whether a visit shows within two seconds."""
        box.curl("http://carol.example/load.txt")
        ended = time.monotonic()
        box.wait_for("the next", lambda: status(box, carol).startswith(f"0 connections, {n} hand-offs, "))
        return time.monotonic() < ended + 2

    # A stall of the machine delays one visit, but a mistake delays all.
    assert any([follows(n) for n in range(2, 7)])


def test_costs_nothing_while_nothing_changes(box, carol):
    """The supervisor has one thread, which does not wake."""
    box.write_instance(carol, "Host=carol.example\nIdleSec=1h\n")
    box.start_customer(carol)
    box.curl("http://carol.example/load.txt")
    box.wait_for("the status", lambda: status(box, carol).startswith("0 connections, 1 hand-offs, "))
    pid = box.show("bellhop@carol.service", "MainPID")
    thread, = box.path(f"/proc/{pid}/task").iterdir()

    def switches():
        return re.findall(r"ctxt_switches:\t(\d+)", (thread / "status").read_text())

    def sleeps():
        before = switches()
        time.sleep(2)
        return switches() == before

    # A status that is due comes within a second, unless the machine stalls.
    box.wait_for("the supervisor to sleep", sleeps)


def test_whoever_waits_is_served_first_however_short_the_time(box, carol):
    """It is over before the first child can receive anything."""
    box.write_instance(carol, "Host=carol.example\nIdleSec=1us\n")
    box.start_customer(carol)
    for scheme in ("http", "https"):
        assert box.curl(f"{scheme}://carol.example/load.txt") == "carol.example\n"
        wait_for_exit(box, carol)
    # As if it were for ever: twice the largest number is not a small one.
    box.write_instance(carol, "Host=carol.example\nIdleSec=18446744073709551615us\n")
    box.curl("http://carol.example/load.txt")
    time.sleep(1)
    assert not is_idle(box, carol)
