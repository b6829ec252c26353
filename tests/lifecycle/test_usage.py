# SPDX-License-Identifier: MIT
"""bellhopctl usage: what is counted is what goes over the wire, whatever ends in between."""

import contextlib
import json
import pathlib
import subprocess

import pytest
import sites
from fixtures import begin_usage_anew

HERE = pathlib.Path(__file__).resolve().parent
HOST = "carol.example"
WWW = "/srv/www/carol"
PORT = "8000"
PROGRAM = "/usr/lib/bellhop/bellhop-usage"
LARGE = 64 << 20  # more than all buffers on the way hold
# The end of the stream counts as a byte.
ERROR = 1


def used(box, name="carol"):
    # The status says whether bellhop-usage runs, which some tests kill.
    entries = json.loads(box.try_run("bellhopctl", "usage", name, "--month", "--json").stdout)["usage"]
    now = [entry for entry in entries if entry["removed"] is None]
    assert len(now) <= 1, entries
    return now[0] if now else {"bytes_sent": 0, "bytes_received": 0, "requests": None, "cpu_seconds": None,
                               "complete": True}


class Wire:
    """A relay, as a client of the box; what comes and goes through it is compared with what is counted."""

    def __init__(self, box, to=80, stop_after=0):
        self.box = box
        self.before = used(box)
        self.relay = box.popen_client("/usr/bin/python3", HERE / "wire.py", PORT, str(to), str(stop_after),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.hear() == "ready"

    def hear(self):
        return self.relay.stdout.readline().strip()

    def go_on(self):
        self.relay.stdin.write("\n")
        self.relay.stdin.flush()

    def curl(self, url, *args, **kwargs):
        return self.box.curl(url, "--connect-to", f"{HOST}::127.0.0.1:{PORT}", *args, **kwargs)

    @contextlib.contextmanager
    def popen_curl(self, url):
        curl = self.box.popen_client("curl", "-sSk", "-o", "/dev/null", "--connect-to", f"{HOST}::127.0.0.1:{PORT}", url,
                                     stderr=subprocess.DEVNULL)
        try:
            yield curl
        finally:
            self.relay.stdin.close()
            curl.wait(timeout=20)

    def counted(self):
        now = used(self.box)
        return {key: now[key] - self.before[key] for key in ("bytes_sent", "bytes_received")}

    def end(self, error=0):
        """All connections end; then the figures are those of the wire."""
        self.relay.stdin.close()
        wire = json.loads(self.hear())
        assert self.relay.wait(timeout=20) == 0 and wire["n"] > 0

        def agrees():
            counted = self.counted()
            return all(abs(counted[ours] - wire[theirs]) <= wire["n"] * ERROR + error
                       for ours, theirs in (("bytes_sent", "received"), ("bytes_received", "sent")))
        try:
            self.box.wait_for("the last connection has ended", agrees)
        except Exception as error_:
            raise AssertionError((self.counted(), wire)) from error_
        return wire


@pytest.fixture(name="wire")
def wire_fixture(request, box, carol):
    """The server is Apache, unless the test says otherwise."""
    begin_usage_anew(box)
    box.write_instance(carol, f"Host={HOST}\nServer={getattr(request, 'param', 'apache')}\n")
    box.start_customer(carol)
    with contextlib.ExitStack() as stack:
        def start(**kwargs):
            wire = Wire(box, **kwargs)
            stack.callback(wire.relay.kill)
            return wire
        box.shell(f"truncate -s {LARGE} {WWW}/large; chown carol: {WWW}/large")
        yield start


@pytest.mark.parametrize("wire, scheme, options", [
    ("apache", "http", []), ("apache", "https", ["--http1.1"]), ("apache", "https", ["--http2"]),
    ("nginx", "https", ["--http2"])],
    ids=["http", "tls", "http2", "nginx"], indirect=["wire"])
def test_bytes_are_those_on_the_wire(box, wire, scheme, options):
    relay = wire(to=443 if scheme == "https" else 80)
    for _ in range(20):
        relay.curl(f"{scheme}://{HOST}/load.txt", *options)
    relay.curl(f"{scheme}://{HOST}/large", "-o", "/dev/null", *options)
    relay.curl(f"{scheme}://{HOST}/", "--data-binary", f"@{HERE / 'test_usage.py'}", *options)
    seen = relay.end()
    assert seen["n"] == 22 and seen["received"] > LARGE and used(box)["complete"]


def test_aborted_downloads(box, wire):
    relay = wire(to=443, stop_after=1 << 20)
    with relay.popen_curl(f"https://{HOST}/large") as curl:
        assert relay.hear() == "stopped"
        # It is counted while it goes on.
        assert relay.counted()["bytes_sent"] > 1 << 20
        relay.go_on()
        assert curl.wait(timeout=20) != 0
    seen = relay.end()
    assert 1 << 20 < seen["received"] < LARGE


def test_websocket(box, wire):
    box.write("/home/carol/app.py", sites.WEBSOCKET_APP)
    box.run("systemd-run", "--quiet", "--unit=carol-app", "--uid=carol", "/usr/bin/python3", "/home/carol/app.py",
            "/home/carol/app.sock")
    box.wait_for("the application listens", box.path("/home/carol/app.sock").is_socket)
    box.write("/etc/bellhop/sites/carol/own.conf", 'ProxyPass "/live" "unix:/home/carol/app.sock|ws://localhost/live"\n')
    box.run("systemctl", "try-restart", "bellhop@carol.service")
    relay = wire()
    script = sites.WEBSOCKET_CLIENT.replace("max_size", "compression=None, max_size").replace(
        'host="127.0.0.1"', f'host="127.0.0.1", port={PORT}')
    with box.popen_client("/usr/bin/python3", "-c", script, f"ws://{HOST}/live", stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == "carol\n"
        for word in ("hello", "big", "big"):
            client.stdin.write(word + "\n")
            client.stdin.flush()
            assert client.stdout.readline() == word + "\n"
        assert relay.counted()["bytes_received"] > 4 << 20 and relay.counted()["bytes_sent"] > 4 << 20
        client.stdin.close()
        assert client.wait(timeout=20) == 0
    relay.end()
    box.run("systemctl", "stop", "carol-app.service")


@pytest.mark.parametrize("command", [
    ("systemctl", "kill", "--signal=KILL", "bellhop@carol.service"),
    ("systemctl", "restart", "bellhop-router.service"), ("systemctl", "restart", "bellhop-usage.service")],
    ids=["instance-killed", "router", "usage"])
def test_restarts_in_the_middle(box, wire, command):
    relay = wire(stop_after=1 << 20)
    with relay.popen_curl(f"http://{HOST}/large") as curl:
        assert relay.hear() == "stopped"
        box.run(*command)
        relay.curl(f"http://{HOST}/load.txt", check=False)
        relay.go_on()
        curl.wait(timeout=20)
    relay.end()
    assert used(box)["complete"]
    # Once more, by what has been restarted.
    again = wire()
    again.curl(f"http://{HOST}/load.txt")
    assert again.end()["n"] == 1


@pytest.fixture(name="forgets")
def forgets_fixture(box):
    """What is counted is not complete, and is forgotten afterwards."""
    yield
    box.shell("systemctl stop bellhop-usage.socket bellhop-usage.service; "
              "rm /var/lib/bellhop-usage/20*; systemctl start bellhop.target")
    assert used(box)["bytes_sent"] == 0 and used(box)["complete"]


@pytest.mark.usefixtures("forgets")
def test_usage_is_killed(box, wire):
    """What was written stays, and the figures are not said to be complete."""
    relay = wire(stop_after=1 << 20)
    with relay.popen_curl(f"http://{HOST}/large") as curl:
        assert relay.hear() == "stopped"
        assert relay.counted()["bytes_sent"] > 1 << 20
        box.run("systemctl", "kill", "--signal=KILL", "bellhop-usage.service")
        box.wait_for("it counts again", lambda: box.show("bellhop-usage.service", "StatusText").startswith("1 conn"))
        relay.go_on()
        curl.wait(timeout=20)
    relay.end()
    assert not used(box)["complete"]


@pytest.mark.usefixtures("forgets")
def test_nobody_counts(box, wire):
    """The router serves as ever, and the figures are not said to be complete."""
    relay = wire()
    units = ("bellhop-usage.socket", "bellhop-usage.service")
    # A report starts it, so what it is can't start.
    box.shell(f"systemctl stop {' '.join(units)}; mount --bind /bin/false {PROGRAM}")
    for _ in range(20):
        relay.curl(f"http://{HOST}/load.txt")
    done = box.try_run("bellhopctl", "usage", "--json")
    assert done.returncode == 1 and "bellhop-usage is not running" in done.stderr
    box.shell(f"umount {PROGRAM}; systemctl restart {' '.join(units)}")
    relay.curl(f"http://{HOST}/large", "-o", "/dev/null")
    box.wait_for("it counts again", lambda: relay.counted()["bytes_sent"] > LARGE)
    assert not used(box)["complete"]


@pytest.mark.usefixtures("forgets")
def test_requests_after_all_of_it_was_restarted(box, wire):
    """An instance that runs goes on reporting, whatever somebody restarts."""
    page = f"http://{HOST}/load.txt"
    box.curl(page)
    pid = box.show("bellhop@carol.service", "MainPID")
    for unit in ("bellhop-usage.socket", "bellhop-usage-reports.socket", "bellhop-usage.service", "bellhop-usage*"):
        box.try_run("systemctl", "restart", unit)
        box.curl(page)
    assert box.show("bellhop@carol.service", "MainPID") == pid
    box.run("systemctl", "stop", "bellhop@carol.service")
    box.wait_for("all are told", lambda: used(box)["requests"] == 5)


@pytest.mark.parametrize("wire", ["apache", "nginx"], indirect=True)
def test_requests(box, wire):
    """As many as lines in the access log; the last ones are reported when the instance ends."""
    before = used(box)["requests"] or 0
    page = f"https://{HOST}/load.txt"
    for options in (["--http1.1"], ["--http2"]):
        box.curl(page, *options, "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", page, page)
    box.curl(f"http://{HOST}/nothing-there", "-o", "/dev/null")
    box.run("systemctl", "stop", "bellhop@carol.service")
    box.wait_for("all are told", lambda: used(box)["requests"] == before + 7)
    box.run("systemctl", "restart", "bellhop-usage.service")
    box.curl(page)
    box.run("systemctl", "stop", "bellhop@carol.service")
    box.wait_for("the next one is told", lambda: used(box)["requests"] == before + 8)
    assert "can't ask the kernel" not in box.journal("-u", "bellhop-usage")


def test_processor_time(box, wire):
    box.write_page("carol", "burn.cgi", "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo burnt")
    total = used(box)["cpu_seconds"] or 0
    # Each start of the unit has another group, which begins at 0.
    for _ in range(2):
        box.run("systemctl", "restart", "bellhop@carol.service", "bellhop-usage.service")
        before = used(box)["cpu_seconds"]
        assert before >= total
        assert box.curl(f"http://{HOST}/burn.cgi") == "burnt\n"
        total = used(box)["cpu_seconds"]
        assert 0.02 < total - before <= int(box.show("bellhop@carol.service", "CPUUsageNSec")) / 1e9


def test_with_the_network_of_the_machine(box, carol):
    """Its control group is in another slice."""
    begin_usage_anew(box)
    box.write_instance(carol, f"Host={HOST}\nNetwork=yes\n")
    box.run("systemctl", "daemon-reload")
    box.start_customer(carol)
    for _ in range(3):
        box.curl(f"http://{HOST}/load.txt")
    box.wait_for("all are told", lambda: used(box)["requests"] == 3)
    assert used(box)["cpu_seconds"] > 0


def test_removed_customer(box):
    """The figures stay, and no later customer of the name inherits them."""
    options = ("--host=dora.example", "--create-user")
    box.run("bellhopctl", "add", "dora", *options)
    box.curl("http://dora.example/")
    # Then the connection has ended, also on the server's side.
    box.run("systemctl", "stop", "bellhop@dora.service")
    old = used(box, "dora")
    assert old["bytes_sent"] > 0
    assert "close the usage account of dora" in box.run("bellhopctl", "remove", "--purge", "--yes", "dora")
    entries = json.loads(box.run("bellhopctl", "usage", "dora", "--json"))["usage"]
    assert [entry["bytes_sent"] for entry in entries] == [old["bytes_sent"]] and entries[0]["removed"].endswith("Z")
    box.run("bellhopctl", "add", "dora", *options)
    assert used(box, "dora")["bytes_sent"] == 0
    assert "dora" in box.run("bellhopctl", "list", "dora")
    box.run("bellhopctl", "remove", "--purge", "--yes", "dora")
