# SPDX-License-Identifier: MIT
"""The router's metrics: a strict parser accepts them, each counts what its page says, and clients that read them,
badly or a hundred times at once, disturb no others."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest
from handoff import AS_ROOT, BUILD, ROOT, TIMEOUT
from prometheus_client.parser import text_string_to_metric_families
from router import (A, B, C, D, E, QUEUE, UID, Router, alpn, hello, http, parse_reply, read_exactly, read_to_end)

HOSTS = {A: "Host=alice.example", B: "Host=bob.example"}
F = "man"  # one more user than the other tests need
N_MANY = 2000
# What moves with every hand-off or with the clock; these have tests of their own.
APART = re.compile(r"bellhop_(instance_)?handoff_latency_seconds|bellhop_config_loaded_timestamp_seconds|"
                   r"bellhop_instance_last_handoff_timestamp_seconds")


class Scraped(Router):
    """A router with a control socket."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.control_path = f"{self.folder}/control"
        self.control.bind(self.control_path)
        self.control.listen(512)
        self.listeners.append(self.control)

    def start(self, names=None, wait=True, **environment):
        names = names or ":".join(["public"] * (len(self.listeners) - 1) + ["control"])
        return super().start(names, wait, **environment)

    def open_control(self, send=b""):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(TIMEOUT)
        client.connect(self.control_path)
        client.sendall(send)
        return client

    def ask_control(self, request):
        with self.open_control(request) as client:
            return read_to_end(client)

    def scrape(self):
        return body_of(self.ask_control(http("localhost", "/metrics")))

    def values(self):
        return parse(self.scrape())

    @contextlib.contextmanager
    def moves(self, **expected):
        """What is done within changes these values so much, and no others. Short names: without bellhop_, _total."""
        before = self.values()
        yield
        deadline = time.monotonic() + TIMEOUT
        while (moved := self._moved(before)) != expected:
            assert time.monotonic() < deadline, f"{moved}, not {expected}; {self.errors()}"

    def _moved(self, before):
        after = self.values()
        return {short(key): value - before[key] for key, value in after.items()
                if value != before[key] and not APART.match(key[0])}


def short(key):
    """accepted, refused_no_host, instance_handed_off_daemon"""
    name, labels = key
    return re.sub(r"\W", "_", "_".join([re.sub("^bellhop_|_total$", "", name), *(value for _, value in labels)]))


def body_of(reply):
    """The text of a chunked answer, whose every part is as it must be."""
    head, _, rest = reply.partition(b"\r\n\r\n")
    status, *fields = head.decode("ascii").split("\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert set(fields) == {"Content-Type: text/plain; version=0.0.4; charset=utf-8", "Transfer-Encoding: chunked",
                           "Connection: close", "Cache-Control: no-store"}
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        assert re.fullmatch(rb"[0-9a-f]+", size), reply
        n = int(size, 16)
        body += rest[:n]
        assert rest[n:n + 2] == b"\r\n"
        rest = rest[n + 2:]
        if n == 0:
            assert rest == b""
            return body.decode("ascii")


def parse(text):
    """{(name, labels): value}. Each line is as the format has it, and each family whole, in one place, explained."""
    assert text.endswith("\n") and "\n\n" not in text
    values, family, families = {}, None, []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in families and len(line.split()) > 4
            families.append(family)
        elif line.startswith("# TYPE "):
            assert re.fullmatch(rf"# TYPE {family} (counter|gauge|histogram|summary)", line)
        else:
            label = r'[a-z]+="(?:[^"\\\n]|\\[\\n"])*"'
            assert re.fullmatch(rf"{family}(_bucket|_sum|_count)?({{{label}(,{label})*}})? \d+(\.\d+)?", line), line
    parsed = list(text_string_to_metric_families(text))
    assert len(parsed) == len(families)
    for metric in parsed:
        assert metric.type in ("counter", "gauge", "histogram", "summary") and metric.documentation.endswith(".")
        for sample in metric.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in values, key
            values[key] = sample.value
    return values


def total(values, name):
    return sum(value for (found, _), value in values.items() if found == name)


@pytest.fixture(name="router")
def _router():
    with Scraped(HOSTS) as router:
        yield router


# --- names ---


def test_page_and_code_agree(router):
    with open(f"{ROOT}/man/bellhop-metrics.7.scd", encoding="utf-8") as file:
        text = re.sub(r"^# METRICS OF CERTIFICATES\n.*?(?=^# )", "", file.read(), flags=re.MULTILINE | re.DOTALL)
    page = re.findall(r"^\*(bellhop_\w+)\* \((\w+)\)$", text, re.MULTILINE)
    code = re.findall(r"^# TYPE (\w+) (\w+)$", router.scrape(), re.MULTILINE)
    assert page == code


def test_names_follow_the_conventions(router):
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", router.scrape(), re.MULTILINE):
        assert re.fullmatch(r"bellhop_[a-z_]+", name)
        assert name.endswith("_total") == (kind == "counter")
        assert name.endswith("_seconds") or kind not in ("histogram", "summary")


def test_reasons_are_those_of_the_page(router):
    with open(f"{ROOT}/man/bellhop-router.8.scd", encoding="utf-8") as file:
        section = file.read().split("# REFUSED CONNECTIONS")[1].split("\n# ")[0]
    page = re.findall(r"^\*([a-z-]+)\*$", section, re.MULTILINE)
    code = [dict(labels)["reason"] for name, labels in router.values() if name == "bellhop_refused_total"]
    assert page == code


def test_curl_as_in_the_page(router):
    done = subprocess.run(["curl", "-sS", "--fail", "--unix-socket", router.control_path, "http://localhost/metrics"],
                          capture_output=True, text=True, timeout=TIMEOUT, check=True)
    assert parse(done.stdout).keys() == router.values().keys()


# --- each moves when it should, and no other ---


def test_handed_off_by_host_and_server_name(router):
    with router.moves(accepted=1, handed_off_host=1, **{f"instance_handed_off_{A}": 1}):
        router.expect(A, http("alice.example"))
    with router.moves(accepted=1, handed_off_server_name=1, **{f"instance_handed_off_{B}": 1}):
        router.expect(B, hello("bob.example"))


def test_handed_off_by_address_and_default():
    with Scraped({A: "Address=127.0.0.2", B: "Default=yes"}, listen_on=["127.0.0.1", "127.0.0.2"]) as router:
        with router.moves(accepted=1, handed_off_address=1, **{f"instance_handed_off_{A}": 1}):
            router.expect(A, http("alice.example"), 1)
        with router.moves(accepted=1, handed_off_default=1, **{f"instance_handed_off_{B}": 1}):
            router.expect(B, http("alice.example"))


@pytest.mark.parametrize("reason,data", [
    ("unknown_host", http("unknown.test")), ("unknown_host", hello("unknown.test")), ("no_host", hello()),
    ("malformed", b"\0"), ("too_large", b"GET /" + b"x" * 4096), ("timeout", b"GET /"),
], ids=["HTTP", "TLS", "no host", "malformed", "too large", "timeout"])
def test_refused(reason, data):
    with Scraped(HOSTS, "SniffMaxBytes=4K\nSniffTimeoutSec=300ms") as router:
        with router.moves(**{"accepted": 1, f"refused_{reason}": 1}):
            router.ask(data)


def test_refused_for_an_instance():
    with Scraped(HOSTS, absent=[B]) as router:
        with router.moves(**{"accepted": 1, "refused_unavailable": 1, f"instance_refused_{B}_unavailable": 1}):
            router.ask(http("bob.example"))


def test_challenges():
    token = "/.well-known/acme-challenge/x"
    with Scraped({A: "Host=alice.example\nTls=acme\nHttp=redirect"}) as router:
        router.pend("http-01/alice.example/x", "x.y")
        with router.moves(accepted=1, challenges_http_01=1):
            router.ask(http("alice.example", token))
        router.add_socket("acme-tls")
        os.rename(f"{router.folder}/run/acme-tls.handoff", f"{router.folder}/run/acme-tls")
        router.pend("tls-alpn-01/alice.example", "A" * 43)
        with router.moves(accepted=1, challenges_tls_alpn_01=1):
            router.expect("acme-tls", hello("alice.example", more=alpn("acme-tls/1")))


def test_http_policy():
    with Scraped({A: "Host=alice.example\nHttp=redirect", B: "Host=bob.example\nHttp=refuse"}) as router:
        with router.moves(**{"accepted": 1, "redirected": 1, f"instance_redirected_{A}": 1}):
            router.ask(http("alice.example"))
        with router.moves(**{"accepted": 1, "refused_plain_http": 1, f"instance_refused_{B}_plain_http": 1}):
            router.ask(http("bob.example"))


def test_gone(router):
    with router.moves(accepted=1, gone=1):
        router.connect().close()


def test_pending_and_lingering(router):
    with router.moves(accepted=3, pending_connections_sniffing=3, pending_sources=2):
        clients = [router.connect(), router.connect(source="127.0.0.9"), router.connect(source="127.0.0.9")]
    with router.moves(accepted=1, refused_unknown_host=1, lingering_connections=1):
        clients.append(router.connect(send=http("unknown.test")))
    with router.moves(lingering_connections=-1):
        clients.pop().close()
    with router.moves(gone=3, pending_connections_sniffing=-3, pending_sources=-2):
        for client in clients:
            client.close()


def fill_queue(router, n, host="alice.example"):
    with router.paused():
        return [router.connect(send=http(host)) for _ in range(n)]


def drain(router, name, n):
    for _ in range(n):
        router.instances[name].receive().close()


def test_full_queue(router):
    with router.moves(**{"accepted": QUEUE + 3, "handed_off_host": QUEUE, f"instance_handed_off_{A}": QUEUE,
                         "queue_full_waits": 3, f"instance_queue_full_waits_{A}": 3, "pending_connections_waiting": 3,
                         f"instance_waiting_connections_{A}": 3, "pending_sources": 1}):
        clients = fill_queue(router, QUEUE + 3)
    with router.moves(**{"handed_off_host": 3, f"instance_handed_off_{A}": 3, "pending_connections_waiting": -3,
                         f"instance_waiting_connections_{A}": -3, "pending_sources": -1}):
        drain(router, A, QUEUE + 3)
    for client in clients:
        client.close()


def test_limits():
    with Scraped(HOSTS, "PendingMaxPerInstance=2\nPendingMaxPerSource=3") as router:
        clients = fill_queue(router, QUEUE + 2)
        router.wait_for(pending=2)
        with router.moves(**{"accepted": 1, "refused_instance_limit": 1, f"instance_refused_{A}_instance_limit": 1}):
            router.ask(http("alice.example"))
        clients.append(router.connect(send=b"G"))
        router.wait_for(pending=3)
        with router.moves(accepted=1, refused_source_limit=1):
            router.ask(b"G")
        for client in clients:
            client.close()
        drain(router, A, QUEUE + 2)


def test_pending_limit():
    with Scraped(HOSTS, "PendingMax=2") as router:
        clients = fill_queue(router, QUEUE + 2)
        router.wait_for(pending=2)
        assert router.values()["bellhop_pending_connections_max", ()] == 2
        # The oldest makes room; all of them wait for the same instance.
        with router.moves(**{"accepted": 1, "refused_overload": 1, f"instance_refused_{A}_overload": 1,
                             "queue_full_waits": 1, f"instance_queue_full_waits_{A}": 1}):
            clients.append(fill_queue(router, 1)[0])
            assert parse_reply(read_to_end(clients[QUEUE]))[0] == 503
            clients[QUEUE].close()
        for client in clients:
            client.close()
        drain(router, A, QUEUE + 2)


def test_too_many_in_flight():
    names, limit = (A, B, C, D, E, F), 52
    each = min(QUEUE - 1, 10)
    assert len(names) * each >= limit + 5
    uid = 200000 + os.getpid() if AS_ROOT else UID
    with Scraped({instance: f"Host={instance}.example" for instance in names}, nofile=limit, uid=uid) as router:
        with router.paused():
            clients = [(names[i // each], router.connect(send=http(f"{names[i // each]}.example")))
                       for i in range(limit + 5)]
        counts = router.wait_for(accepted=len(clients))
        values = router.values()
        waits = values["bellhop_in_flight_waits_total", ()]
        assert waits == len(clients) - counts.handed_off > 0
        assert total(values, "bellhop_instance_in_flight_waits_total") == waits
        assert values["bellhop_queue_full_waits_total", ()] == 0
        for instance, client in clients:
            router.instances[instance].receive().close()
            client.close()
        router.wait_for(pending=0)


def test_accept_pauses_and_the_control_socket_has_descriptors_of_its_own():
    with Scraped(HOSTS, nofile=40) as router:
        clients = [router.connect(send=b"GET /") for _ in range(80)]
        router.wait_until(lambda: "can't accept" in router.errors() or "overload" in router.errors(), "a line in the log")
        values = router.values()
        assert ("can't accept" in router.errors()) == (values["bellhop_accept_pauses_total", ()] > 0)
        assert values["bellhop_refused_total", (("reason", "overload"),)] > 0
        for client in clients:
            client.close()
        router.wait_for(pending=0)


def test_configuration():
    start = int(time.time())
    with Scraped(HOSTS | {C: "Host=a.example b.example *.c.example\nAddress=192.0.2.1"}) as router:
        values = router.values()
        assert values["bellhop_instances", ()] == 3 and values["bellhop_routes", ()] == 6
        assert values["bellhop_config_problems", ()] == 0
        assert start <= values["bellhop_config_loaded_timestamp_seconds", ()] <= time.time()
        path = router.write(f"instances/{C}.conf", "[Instance]\nHost=b@d\n")
        router.reload()
        values = router.values()
        assert values["bellhop_config_reloads_total", (("result", "used-with-errors"),)] == 1
        # What had been good before stays.
        assert values["bellhop_config_problems", ()] > 0 and values["bellhop_instances", ()] == 3
        loaded = values["bellhop_config_loaded_timestamp_seconds", ()]
        os.unlink(path)
        with router.moves(config_reloads_used=1, config_problems=-values["bellhop_config_problems", ()], instances=-1,
                          routes=-4):
            router.reload()
        values = router.values()
        loaded = values["bellhop_config_loaded_timestamp_seconds", ()]
        if AS_ROOT:  # otherwise the folder's owner could read it all the same
            os.chmod(os.path.dirname(path), 0)
            with router.moves(config_reloads_failed=1):
                router.reload()
            assert router.values()["bellhop_config_loaded_timestamp_seconds", ()] == loaded


def test_reload_keeps_what_an_instance_has_counted(router):
    router.expect(A, http("alice.example"))
    router.expect(B, http("bob.example"))
    path = f"{router.folder}/config/instances/{A}.conf"
    os.unlink(path)
    router.reload()
    values = router.values()
    assert values["bellhop_instance_handed_off_total", (("instance", B),)] == 1
    assert ("bellhop_instance_handed_off_total", (("instance", A),)) not in values
    assert total(values, "bellhop_handed_off_total") == 2
    router.write(f"instances/{A}.conf", "[Instance]\nHost=alice.example\n")
    router.reload()
    values = router.values()
    assert values["bellhop_instance_handed_off_total", (("instance", A),)] == 0
    assert values["bellhop_instance_handed_off_total", (("instance", B),)] == 1


# --- values fit together ---


def test_sums_agree_with_the_status(router):
    held = [router.connect(send=b"GET /") for _ in range(3)]
    for data in (http("alice.example"), hello("bob.example")) * 5:
        router.expect(A if data[:1] == b"G" else B, data)
    for data in (http("unknown.test"), b"\0", hello()):
        router.ask(data)
    router.connect().close()
    counts = router.wait_for(accepted=17, gone=1)
    values = router.values()
    names = ("accepted_total", "handed_off_total", "refused_total", "gone_total", "pending_connections")
    assert counts == (values["bellhop_instances", ()], *(total(values, f"bellhop_{name}") for name in names))
    assert total(values, "bellhop_instance_handed_off_total") == 10
    for client in held:
        client.close()


def test_latency(router):
    """One that waits half a second for the client, and five that do not."""
    client = router.connect(send=http("alice.example")[:-1])
    router.wait_for(pending=1)
    time.sleep(0.5)
    client.sendall(b"\n")
    router.deliver(A, http("alice.example"), client)
    for _ in range(5):
        router.expect(B, http("bob.example"))
    router.wait_for(handed_off=6)
    values = router.values()
    name = "bellhop_handoff_latency_seconds"
    buckets = [(float(dict(labels)["le"]), value) for (found, labels), value in values.items()
               if found == f"{name}_bucket"]
    assert buckets == sorted(buckets) and all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:]))
    assert buckets[-1] == (float("inf"), 6) and values[f"{name}_count", ()] == 6
    assert dict(buckets)[0.25] <= 5 and dict(buckets)[30] == 6
    assert 0.5 <= values[f"{name}_sum", ()] < TIMEOUT
    name = "bellhop_instance_handoff_latency_seconds"
    of = {(part, who): values[f"{name}_{part}", (("instance", who),)] for part in ("sum", "count") for who in (A, B)}
    assert of["count", A] == 1 and of["count", B] == 5 and of["sum", A] >= 0.5 and of["sum", B] > 0
    assert of["sum", A] + of["sum", B] == pytest.approx(values["bellhop_handoff_latency_seconds_sum", ()])


def test_nothing_from_the_network_becomes_a_label(router):
    before = router.values().keys()
    for host in ("evil.test", "x.alice.example", 'e"vil', "e\\vil", "192.0.2.1"):
        router.ask(http(host))
        router.ask(hello(host))
    assert router.values().keys() == before and "evil" not in router.scrape()


# --- the control socket ---


REQUESTS = {
    "query": (http("localhost", "/metrics?x=y"), 200),
    "HEAD": (http("localhost", "/metrics", method="HEAD"), 200),
    "HTTP/1.0": (http(None, "/metrics", version="1.0"), 200),
    "empty line": (b"\r\n" + http("localhost", "/metrics"), 200),
    "root": (http("localhost", "/"), 404),
    "slash": (http("localhost", "/metrics/"), 404),
    "absolute": (http("localhost", "http://localhost/metrics"), 404),
    "HEAD 404": (http("localhost", "/x", method="HEAD"), 404),
    "POST": (http("localhost", "/metrics", method="POST", fields=["Content-Length: 3"]) + b"abc", 405),
    "get": (http("localhost", "/metrics", method="get"), 405),
    "GETX": (http("localhost", "/metrics", method="GETX"), 405),
    "no Host": (http(None, "/metrics"), 400),
    "HTTP/2": (http("localhost", "/metrics", version="2.0"), 400),
    "two Hosts": (http("localhost", "/metrics", fields=["Host: localhost"]), 400),
    "space": (http("localhost", "/metrics", fields=["X : y"]), 400),
    "LF": (b"GET /metrics HTTP/1.1\nHost: localhost\n\n", 400),
    "two spaces": (b"GET  /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "NUL": (b"\0", 400),
    "TLS": (hello("localhost"), 400),
    "long target": (b"GET /" + b"x" * 4091, 431),
    "long head": (http("localhost", "/metrics", fields=["X: " + "x" * 4096]), 431),
}


@pytest.mark.parametrize("request_bytes,status", REQUESTS.values(), ids=REQUESTS.keys())
def test_requests(router, request_bytes, status):
    try:
        reply = router.ask_control(request_bytes)
    except ConnectionResetError:
        assert status == 431  # more than it reads was sent
        return
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) and b"\r\nConnection: close" in head
    assert (b"Allow: GET, HEAD" in head) == (status == 405)
    if request_bytes[:4] == b"HEAD":
        assert body == b""
    elif status != 200:
        assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n" and b"x" * 100 not in body
    elif b"HTTP/1.0" in request_bytes:
        assert b"Transfer-Encoding" not in head and parse(body.decode()).keys() == router.values().keys()
    assert parse(router.scrape())


def test_request_in_single_bytes(router):
    with router.open_control() as client:
        for byte in http("localhost", "/metrics"):
            client.sendall(bytes((byte,)))
        assert parse(body_of(read_to_end(client)))


def test_pipelined_request_gets_one_answer(router):
    request = http("localhost", "/metrics")
    with router.open_control(request * 2) as client:
        with contextlib.suppress(ConnectionResetError):
            assert parse(body_of(read_to_end(client)))


def test_half_closed_and_leaving_clients(router):
    before = router.n_fds()
    with router.open_control(http("localhost", "/metrics")) as client:
        client.shutdown(socket.SHUT_WR)
        assert parse(body_of(read_to_end(client)))
    for data in (b"", b"GET", http("localhost", "/metrics")):
        for _ in range(20):
            router.open_control(data).close()
    with router.open_control(b"GET /") as client:
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b""
    assert parse(router.scrape())
    router.wait_until(lambda: router.n_fds() == before, "descriptors are free again")


PLACES, PLACES_OF_ROOT = 8, 4  # src/router/control.h
OTHER_UID = 65533  # neither root nor the router
CROWD = """
import socket, sys
path, n = sys.argv[1], int(sys.argv[2])
kept = []
def client():
    kept.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    kept[-1].settimeout(20)
    kept[-1].connect(path)
for _ in range(n):
    client()
print("here", flush=True)
for _ in sys.stdin:
    client()
    print("here", flush=True)
"""
FLOOD = """
import socket, sys
kept, n = [None] * 100, 0
while True:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.setblocking(False)
    try:
        client.connect(sys.argv[1])
    except BlockingIOError:
        continue
    n += 1
    kept[n % 100] = client
    if n == 300:
        print("here", flush=True)
"""


@contextlib.contextmanager
def others(router, program, *arguments):
    """A program of somebody who is in the group bellhop."""
    os.chmod(router.control_path, 0o666)
    process = subprocess.Popen(["setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups",
                                "/usr/bin/python3", "-c", program, router.control_path, *arguments],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "here\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("data", [b"", b"GET /metrics"])
def test_silent_clients_make_room(router, data):
    """Any number of clients with no or incomplete requests: the next client is answered at once."""
    clients = []
    for _ in range(3 * PLACES):
        clients.append(router.open_control(data))
        start = time.monotonic()
        assert parse(router.scrape())
        assert time.monotonic() - start < 9  # less than a silent client may stay
    for client in clients:
        client.close()


def test_the_longest_silent_goes_first(router):
    clients = [router.open_control() for _ in range(PLACES + (PLACES_OF_ROOT if AS_ROOT else 0))]
    router.wait_until(lambda: router.n_fds() >= len(clients), "all are accepted")
    assert parse(router.scrape()) and read_to_end(clients[0]) == b""
    clients[1].sendall(b"GET ")
    clients.append(router.open_control())
    assert parse(router.scrape()) and read_to_end(clients[2]) == b""
    clients[1].sendall(http("localhost", "/metrics")[4:])
    assert parse(body_of(read_to_end(clients[1])))
    for client in clients:
        client.close()


@pytest.mark.skipif(not AS_ROOT, reason="needs a second user")
def test_places_of_root_are_for_root(router):
    """Others have theirs and take no further one, and a client of root's stays although they keep coming."""
    held = router.open_control(b"GET ")
    before = router.n_fds()
    with others(router, CROWD, "20") as crowd:
        for _ in range(20):
            print("more", file=crowd.stdin, flush=True)
            assert crowd.stdout.readline() == "here\n"
            assert parse(router.scrape())
        assert router.n_fds() == before + PLACES
        held.sendall(http("localhost", "/metrics")[4:])
        assert parse(body_of(read_to_end(held)))
    held.close()


@pytest.mark.skipif(not AS_ROOT, reason="needs a second user")
def test_flood_of_connects_keeps_neither_root_nor_visitors(router):
    router.control.listen(64)  # as Backlog= in bellhop-router-control.socket
    os.rename(router.control_path, f"{router.folder}/run/control")
    router.control_path = f"{router.folder}/run/control"
    with others(router, FLOOD), others(router, FLOOD):
        for _ in range(3):
            done = subprocess.run([f"{BUILD}/bellhopctl", "metrics", "--no-pager", f"--runtime={router.folder}/run"],
                                  capture_output=True, text=True, timeout=TIMEOUT, check=False)
            assert done.returncode == 0, done.stderr
            assert parse(done.stdout)
            router.expect(A, http("alice.example"))
        assert router.busy(0.5) < 0.25


def test_a_hundred_clients(router):
    """All who ask are answered; they neither disturb visitors nor make the router spin."""
    for instance, host in ((A, "alice.example"), (B, "bob.example")):
        router.expect(instance, http(host))
    before = router.n_fds()
    silent = [router.open_control() for _ in range(100)]
    for _ in range(20):
        router.expect(A, http("alice.example"))
        router.expect(B, hello("bob.example"))
    router.wait_until(lambda: len(select.select(silent, [], [], 0)[0]) >= 100 - PLACES - PLACES_OF_ROOT, "most had to go")
    assert router.n_fds() <= before + PLACES + PLACES_OF_ROOT
    assert router.busy(0.5) < 0.05
    clients = [router.open_control(http("localhost", "/metrics")) for _ in range(100)]
    for client in clients:
        assert parse(body_of(read_to_end(client)))
    for client in (*silent, *clients):
        client.close()
    router.wait_until(lambda: router.n_fds() == before, "descriptors are free again")


def test_without_control_socket():
    with Router(HOSTS) as router:
        router.expect(A, http("alice.example"))


def test_socket_that_is_none():
    """A wrong one is closed with a warning, and a second one too."""
    router = Scraped(HOSTS)
    try:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # does not listen
        router.listeners += [stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)]
        router.start("public:public:control:control:control")
        assert router.errors().count("named 'control', is neither") == 2
        assert parse(router.scrape())
        router.stop()
    finally:
        router.close()


# --- a large answer ---


class Many(Scraped):
    """With so many instances that an answer fills every buffer; their users exist in its own view of /etc/passwd."""

    def __init__(self):
        super().__init__(HOSTS)
        with open("/etc/passwd", encoding="utf-8") as file:
            passwd = file.read()
        with open(f"{self.folder}/passwd", "w", encoding="utf-8") as file:
            file.write(passwd + "".join(f"{name(i)}:x:{100000 + i}:65534::/:/bin/false\n" for i in range(N_MANY + 1)))
        for i in range(N_MANY):
            self.write(f"instances/{name(i)}.conf", f"[Instance]\nHost={name(i)}.example\n")

    def command(self, *arguments):
        return ["unshare", "-m", "sh", "-c", f'mount --bind {self.folder}/passwd /etc/passwd && exec "$@"', "sh",
                *super().command(*arguments)]

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def name(i):
    return f"many{i:05d}"


@pytest.fixture(name="many")
def _many():
    if not AS_ROOT:
        pytest.skip("users of its own need root")
    with Many() as router:
        yield router


def test_many_instances(many):
    values = many.values()
    assert values["bellhop_instances", ()] == N_MANY + 2
    for family in ("handed_off_total", "waiting_connections", "handoff_latency_seconds_sum"):
        assert sum(found == f"bellhop_instance_{family}" for found, _ in values) == N_MANY + 2


def test_slow_readers_of_a_large_answer(many):
    """They take the beginning and no more. The router neither waits, nor keeps whole answers, nor spins."""
    size = len(many.scrape())
    assert size > 500 * N_MANY
    before = many.rss()
    clients = [many.open_control(http("localhost", "/metrics")) for _ in range(8)]
    for client in clients:
        read_exactly(client, 1000)
    for _ in range(20):
        many.expect(A, http("alice.example"))
    assert many.rss() - before < 4 * size
    assert many.busy(0.5) < 0.05
    for client in clients:
        client.close()
    assert len(many.scrape()) >= size


def test_reload_in_the_middle_of_an_answer(many):
    """Instances that were read before the reload, and remaining ones, appear once, although all indexes have
    changed."""
    with many.open_control(http("localhost", "/metrics")) as client:
        reply = read_exactly(client, 1000)
        assert select.select([client], [], [], TIMEOUT)[0]
        os.unlink(f"{many.folder}/config/instances/{name(0)}.conf")
        os.unlink(f"{many.folder}/config/instances/{name(N_MANY - 1)}.conf")
        many.write(f"instances/{name(N_MANY)}.conf", "[Instance]\nHost=new.example\n")
        assert many.reload().instances == N_MANY + 1
        text = body_of(reply + read_to_end(client))
    values = parse(text)
    for i in range(1, N_MANY - 1):
        assert ("bellhop_instance_waiting_connections", (("instance", name(i)),)) in values
    last = [dict(labels)["instance"] for found, labels in values
            if found == "bellhop_instance_handoff_latency_seconds_count"]
    assert name(0) not in last and name(N_MANY - 1) not in last and name(N_MANY) in last
    assert len(last) == N_MANY + 1


def test_stop_while_an_answer_is_read(many):
    with many.open_control(http("localhost", "/metrics")) as client:
        read_exactly(client, 1000)
        many.stop(signal.SIGTERM)
        reply = read_to_end(client)
        assert not reply.endswith(b"\r\n0\r\n\r\n")
    many.start()
    assert parse(many.scrape())


def test_last_handoff(router):
    """The time of it, on the clock of the machine."""
    def last(name):
        return router.values()[("bellhop_instance_last_handoff_timestamp_seconds", (("instance", name),))]

    assert last(A) == last(B) == 0
    before = int(time.time())
    router.expect(A, http("alice.example"))
    assert before - 1 <= last(A) <= time.time() and last(B) == 0
