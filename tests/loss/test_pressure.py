# SPDX-License-Identifier: MIT
"""One resource is used up, one instance is stuck or dies: nobody else notices, and nothing that waits is lost."""

import json
import subprocess
import time

import pytest
from clients import PROMPT_KINDS, load
from fixtures import publish
from showcase import ALICE, BOB

# Many clients in one process: connects, sends, and waits; each command line on its standard input is answered by one
# line of JSON. Each has a source of its own in 127.0.0.0/8.
CROWD = r"""
import json, resource, select, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
n, port, text = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode("latin-1")
crowd = []
for i in range(n):
    connection = socket.socket()
    connection.settimeout(20)
    connection.bind((f"127.1.{i // 250}.{i % 250 + 1}", 0))
    connection.connect(("127.0.0.1", port))
    connection.sendall(text)
    crowd.append(connection)
print("connected", flush=True)
def is_unanswered(connection):
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False
def answer(connection, end):
    data = b""
    try:
        while time.monotonic() < end:
            connection.settimeout(max(end - time.monotonic(), 0.01))
            part = connection.recv(65536)
            if not part:
                return data
            data += part
    except OSError as error:
        data += repr(error).encode()
    return data
for line in sys.stdin:
    if line == "unanswered\n":
        print(sum(map(is_unanswered, crowd)), flush=True)
    if line == "begun\n":
        for connection in crowd:
            connection.settimeout(30)
            assert connection.recv(1, socket.MSG_PEEK)
        print("true", flush=True)
    if line == "answers\n":
        end = time.monotonic() + 60
        answers = [answer(connection, end) for connection in crowd]
        print(json.dumps([text.decode("latin-1") for text in answers]), flush=True)
"""


class Crowd:
    def __init__(self, box, n, port, text):
        self.process = box.popen_client("/usr/bin/python3", "-c", CROWD, n, port,
                                        text.encode("unicode_escape").decode(), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def __enter__(self):
        assert self.process.stdout.readline() == "connected\n"
        return self

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def request(host):
    return f"GET /load.txt HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


def served(answer, host):
    return answer.startswith("HTTP/1.1 200 ") and answer.endswith(f"\r\n\r\n{host}\n")


def status(box):
    """What the router last said: a second old at most."""
    text = box.show("bellhop-router.service", "StatusText")
    return {name: int(value) for name, value in (part.rsplit(" ", 1) for part in text.split("; ")[1].split(", "))}


def cpu_sec(box, unit):
    return int(box.show(unit, "CPUUsageNSec")) / 1e9


def router_identity(box):
    return [box.show("bellhop-router.service", name) for name in ("MainPID", "NRestarts")]


@pytest.mark.parametrize("way", ["unit", "running"])
def test_descriptor_limit(box, router_settings, way):
    """unit: the router knows its limit and keeps below it. running: the limit comes without its knowledge (EMFILE)."""
    router_settings("SniffTimeoutSec=60s", "LimitNOFILE=64" if way == "unit" else "")
    identity = router_identity(box)
    if way == "running":
        with load(box, ALICE, BOB, kinds=PROMPT_KINDS):
            pass  # outlets exist
        box.run("setpriv", "--reuid=bellhop", "--regid=bellhop", "--clear-groups", "prlimit", f"--pid={identity[0]}",
                "--nofile=40:")
    since = time.time()
    with load(box, ALICE, BOB, kinds=PROMPT_KINDS) as report:
        with Crowd(box, 300, 443, "\x16\x03\x01\x02") as crowd:
            box.wait_for("some of the crowd are refused", lambda: status(box)["refused"] > 0)
            assert crowd.ask("unanswered") < 300
            began = cpu_sec(box, "bellhop-router.service"), time.monotonic()
            time.sleep(2)
            busy = (cpu_sec(box, "bellhop-router.service") - began[0]) / (time.monotonic() - began[1])
        box.wait_for("nothing is pending", lambda: status(box)["pending"] < 5)
    report.assert_nothing_failed(*PROMPT_KINDS)
    assert busy < 0.3
    said = "can't accept connections for a moment" in box.journal("-u", "bellhop-router", f"--since=@{since:.3f}")
    assert said == (way == "running")
    assert router_identity(box) == identity


def test_stuck_instance(box, router_settings):
    """2000 connections wait for alice, whose instance is stopped; each of bob's clients gets answers meanwhile, and none of
    alice's is lost."""
    n = 2000
    router_settings("PendingMaxPerInstance=4000\nHandoffTimeoutSec=60s")
    box.curl(f"http://{ALICE}/load.txt")
    box.run("systemctl", "kill", "--signal=STOP", "bellhop@alice.service")
    try:
        with load(box, BOB, kinds={"new": 4, "slow": 1, "keep": 2}) as report, \
                Crowd(box, n, 80, request(ALICE)) as crowd:
            box.wait_for("all have come and some are pending", lambda: status(box)["pending"] > n / 3)
            enough = report.fewest_answers() + 10
            box.wait_for("answers for all of bob's clients", lambda: report.fewest_answers() >= enough)
            assert crowd.ask("unanswered") == n
            box.run("systemctl", "kill", "--signal=CONT", "bellhop@alice.service")
            answers = crowd.ask("answers")
    finally:
        box.run("systemctl", "kill", "--signal=CONT", "bellhop@alice.service")
    assert [answer for answer in answers if not served(answer, ALICE)] == []
    report.assert_nothing_failed("new", "keep")


@pytest.mark.parametrize("n", [8, 800], ids=["queued", "queued and pending"])
def test_killed_instance_loses_only_what_it_was_serving(box, carol, router_settings, n):
    """The instance stands still when n clients come, so it has received none of them; then it is killed."""
    # Half a request waits until the instance has started again and has answered everybody.
    router_settings("PendingMaxPerInstance=4000\nSniffTimeoutSec=100s")
    box.start_customer(carol)
    publish(box, carol, "carol.example")
    # It begins to answer, which shows the client that the instance has the request.
    box.write_page(carol, "slow.cgi", "head -c 9000 /dev/zero; sleep 60")
    for _ in range(10 if n < 100 else 2):
        box.curl("http://carol.example/load.txt")
        with Crowd(box, 4, 80, request("carol.example").replace("load.txt", "slow.cgi")) as serving:
            serving.ask("begun")
            box.run("systemctl", "kill", "--signal=STOP", "bellhop@carol.service")
            with Crowd(box, n, 80, request("carol.example")) as waiting, \
                    Crowd(box, n // 4, 80, request("carol.example")[:20]) as half:
                box.run("systemctl", "kill", "--signal=KILL", "bellhop@carol.service")
                answers = waiting.ask("answers")
                assert [answer for answer in answers if not served(answer, "carol.example")] == []
                assert half.ask("unanswered") == n // 4
            assert not any(served(answer, "carol.example") for answer in serving.ask("answers"))
