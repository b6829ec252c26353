# SPDX-License-Identifier: MIT
"""The router's reading of a request head against Apache's, which serves it, and h11's, for a second opinion.

What must hold: a request that the router takes for a host is served by Apache under that host or refused. Nothing that
Apache would serve under another host is ever taken. That the router refuses more than Apache is by design.

Transfer-Encoding and Content-Length are no matter of routing: they say where the second request begins, and the router
never looks beyond the first head. The whole connection goes to one instance, which reads all further heads itself and
answers a foreign host with 421; so there is no second parser for a smuggled request to hide from. That the first head
is read alike even so is tested below.
"""

import concurrent.futures
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import h11
import handoff
import pytest
from handoff import TIMEOUT
from router import GID, UID

MODULES = "/usr/lib/apache2/modules"
CORPUS = f"{handoff.ROOT}/tests/fuzz/corpus/http"
SEED, N_MUTANTS = 20261123, 30000
ALICE, BOB = "alice.example", "bob.example"
OTHERS = "others"  # the virtual host that Apache takes for what no other has
# Not served: a head that Apache could not read, not to the end, or not in this version.
REFUSED = {None, 400, 408, 505}

CONFIG = """
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error
DefaultRuntimeDir {folder}
Mutex pthread default
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule headers_module {modules}/mod_headers.so
Listen 127.0.0.1:{port}
ServerName server.invalid
UseCanonicalName Off
KeepAlive Off
{options}
DocumentRoot {folder}/www
Header always set X-Name "expr=%{{SERVER_NAME}}" early
""" + "".join(f"""
<VirtualHost *:*>
    ServerName {name}
    Header always set X-Site {name} early
</VirtualHost>
""" for name in (OTHERS, ALICE, BOB))


class Apache:
    """A plain Apache with a site for each of two hosts and one for all others, which reports each request and its
    site."""

    def __init__(self, options):
        self.folder = tempfile.mkdtemp(prefix="bellhop-apache-")
        os.makedirs(f"{self.folder}/www")
        with open(f"{self.folder}/www/index.html", "w", encoding="ascii") as file:
            file.write("hello\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with open(f"{self.folder}/httpd.conf", "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=self.folder, modules=MODULES, port=self.port, options=options))
        for path in (self.folder, f"{self.folder}/www"):
            os.chmod(path, 0o755)
            os.chown(path, UID, GID)
        become = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups"] if handoff.AS_ROOT else []
        self.process = subprocess.Popen(
            [*become, "/usr/sbin/apache2", "-DFOREGROUND", "-f", f"{self.folder}/httpd.conf"], cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self):
        """Until it listens, which nothing tells."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, "Apache does not start"
            try:
                self.ask(b"")
                return
            except ConnectionRefusedError:
                time.sleep(0.02)

    def close(self):
        self.process.terminate()
        self.process.wait(TIMEOUT)
        shutil.rmtree(self.folder)

    def ask(self, data):
        """(status, name, site) of its first answer; status None where there is none."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                while b"\r\n\r\n" not in answer and (part := client.recv(65536)):
                    answer += part
            except ConnectionError:
                pass  # it closed before it had read everything
        head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
        # A reply without a head is one to HTTP/0.9, which names no host.
        status = re.match(r"HTTP/1\.\d (\d{3})", head)
        fields = dict(re.findall(r"^(X-\w+): (.*?)\r?$", head, re.MULTILINE))
        return (int(status[1]), fields.get("X-Name"), fields.get("X-Site")) if status else (None, None, None)


@pytest.fixture(name="apache", scope="module", params=["HttpProtocolOptions Strict", "HttpProtocolOptions Unsafe"],
                ids=["strict", "unsafe"])
def _apache(request):
    """The default, and the other one: a customer may set it, and is still to get no other host's requests."""
    server = Apache(request.param)
    yield server
    server.close()


def sniff(inputs):
    """(outcome, host) for each: host, address, none, malformed or more."""
    data = b"".join(struct.pack("!I", len(one)) + one for one in inputs)
    done = subprocess.run([f"{handoff.BUILD}/tests/sniff-http"], input=data, stdout=subprocess.PIPE, timeout=300,
                          check=True)
    outcomes = [tuple((line + " ").split(" ")[:2]) for line in done.stdout.decode("ascii").splitlines()]
    assert len(outcomes) == len(inputs)
    return outcomes


def canonical(host):
    """As the router writes it: without port and trailing dot."""
    return re.sub(r"\.?(:\d*)?$", "", host.lower())


# --- inputs ---


def request(*lines, target="/", version="1.1", method="GET"):
    return "\r\n".join([f"{method} {target} HTTP/{version}", *lines, "", ""]).encode("latin-1")


HONEST = {  # what both must take, and as which host
    "plain": (request("Host: alice.example"), ALICE),
    "upper case": (request("HOST: ALICE.Example"), ALICE),
    "port": (request("Host: alice.example:80"), ALICE),
    "trailing dot": (request("Host: alice.example."), ALICE),
    "spaces around": (request("Host: \t alice.example \t "), ALICE),
    "none around": (request("Host:alice.example"), ALICE),
    "last": (request("Accept: */*", "Cookie: Host: bob.example", "Host: alice.example"), ALICE),
    "absolute form": (request("Host: alice.example", target="http://alice.example/"), ALICE),
    "absolute form wins": (request("Host: bob.example", target="http://alice.example/"), ALICE),
    "absolute form, https": (request("Host: alice.example", target="https://alice.example/"), ALICE),
    "HTTP/1.0": (request("Host: alice.example", version="1.0"), ALICE),
    "empty line first": (b"\r\n" + request("Host: alice.example"), ALICE),
    "HEAD": (request("Host: alice.example", method="HEAD"), ALICE),
    "other method": (request("Host: alice.example", method="PROPFIND"), ALICE),
    "unknown host": (request("Host: carol.example"), "carol.example"),
    "other in target": (request("Host: alice.example", target="/?http://bob.example/"), ALICE),
    "body": (request("Host: alice.example", "Content-Length: 21") + b"Host: bob.example\r\n\r\n", ALICE),
}

SMUGGLING = {  # what must be refused and not guessed
    "two hosts": request("Host: alice.example", "Host: bob.example"),
    "two hosts, the same": request("Host: alice.example", "Host: alice.example"),
    "two hosts, one empty": request("Host: alice.example", "Host:"),
    "two hosts, cases differ": request("Host: alice.example", "hOST: bob.example"),
    "two hosts, far apart": request("Host: alice.example", *["X: y"] * 50, "Host: bob.example"),
    "space in host": request("Host: alice.example bob.example"),
    "tab in host": request("Host: alice.example\tbob.example"),
    "comma in host": request("Host: alice.example, bob.example"),
    "userinfo in host": request("Host: alice.example@bob.example"),
    "slash in host": request("Host: alice.example/bob.example"),
    "percent in host": request("Host: alice.example%2ebob.example"),
    "question mark in host": request("Host: alice.example?bob.example"),
    "number sign in host": request("Host: alice.example#bob.example"),
    "byte above ASCII in host": request("Host: \xe1lice.example"),
    "two ports": request("Host: alice.example:80:80"),
    "empty port": request("Host: alice.example:"),
    "empty port, absolute form": request("Host: alice.example", target="http://alice.example:/"),
    "name as port": request("Host: alice.example:bob.example"),
    "port out of range": request("Host: alice.example:65536"),
    "obs-fold hides the host": request("X: y", " Host: bob.example", "Host: alice.example"),
    "obs-fold goes on with the host": request("Host: alice.example", " bob.example"),
    "obs-fold by tab": request("Host: alice.example", "\tbob.example"),
    "obs-fold begins the host": request("Host:", " alice.example"),
    "obs-fold first": request(" Host: alice.example", "Host: bob.example"),
    "bare LF at line's end": request("X: y\nHost: bob.example", "Host: alice.example"),
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: alice.example\n\n",
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: alice.example\r\n\r\n",
    "bare LF ends the head": b"GET / HTTP/1.1\r\nHost: alice.example\r\n\nHost: bob.example\r\n\r\n",
    "LF first": b"\n" + request("Host: alice.example"),
    "bare CR at line's end": request("X: y\rHost: bob.example", "Host: alice.example"),
    "bare CR in host": request("Host: alice.example\rbob.example"),
    "bare CR in request line": b"GET /\rHTTP/1.1\r\nHost: alice.example\r\n\r\n",
    "CR twice": request("Host: alice.example\r"),
    "space before colon": request("Host : alice.example"),
    "tab before colon": request("Host\t: alice.example"),
    "space before colon of a second": request("Host : bob.example", "Host: alice.example"),
    "no colon": request("Host alice.example"),
    "colon first": request(": bob.example", "Host: alice.example"),
    "NUL in host": request("Host: alice.example\0.bob.example"),
    "NUL ends host": request("Host: alice.example\0"),
    "NUL in name": request("Ho\0st: bob.example", "Host: alice.example"),
    "NUL in value": request("X: \0", "Host: alice.example"),
    "NUL in target": request("Host: alice.example", target="/\0"),
    "other control byte": request("X: \x0b", "Host: alice.example"),
    "DEL": request("X: \x7f", "Host: alice.example"),
    "https target disagrees": request("Host: alice.example", target="https://bob.example/"),
    "userinfo in target": request("Host: alice.example", target="http://alice.example@bob.example/"),
    "empty host in target": request("Host: alice.example", target="http:///"),
    "other scheme": request("Host: alice.example", target="ftp://bob.example/"),
    "backslash in target": request("Host: alice.example", target="http:\\\\bob.example/"),
    "authority without CONNECT": request("Host: alice.example", target="bob.example"),
    "target with space": request("Host: alice.example", target="/ http://bob.example/"),
    "target with fragment": request("Host: alice.example", target="/#http://bob.example/"),
    "two spaces in request line": request("Host: alice.example", target=" /"),
    "tab in request line": b"GET\t/\tHTTP/1.1\r\nHost: alice.example\r\n\r\n",
    "space after version": b"GET / HTTP/1.1 \r\nHost: alice.example\r\n\r\n",
    "lower case version": b"GET / http/1.1\r\nHost: alice.example\r\n\r\n",
    "version 1.2": request("Host: alice.example", version="1.2"),
    "version 2.0": request("Host: alice.example", version="2.0"),
    "version 01.1": request("Host: alice.example", version="01.1"),
    "version 0.9": b"GET /\r\nHost: alice.example\r\n\r\n",
    "no host": request(),
    "empty host": request("Host:"),
    "only a port": request("Host: :80"),
}

LENGTHS = {  # no matter of routing, see above
    "both": ["Content-Length: 6", "Transfer-Encoding: chunked"],
    "twice": ["Content-Length: 6", "Content-Length: 7"],
    "chunked twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "unknown": ["Transfer-Encoding: xchunked"],
    "identity": ["Transfer-Encoding: identity"],
    "not last": ["Transfer-Encoding: chunked, gzip"],
    "signed": ["Content-Length: +6"],
    "many": ["Content-Length: 6, 6"],
}

PARTS = [b"\r", b"\n", b"\r\n", b"\r\n ", b" ", b"\t", b"\0", b":", b",", b".", b"/", b"@", b"#", b"\xff", b"HTTP/1.1",
         b"http://", b"https://", b"Host: bob.example\r\n", b"host:bob.example\r\n", b"Host : bob.example\r\n",
         b"\tbob.example\r\n", b"bob.example", b"bob.example:80", b"Transfer-Encoding: chunked\r\n",
         b"Content-Length: 3\r\n"]
HOST_PARTS = [b"alice.example", b"bob.example", b"alice", b".example", b".", b":", b":80", b"0", b"-", b"_", b"[", b"]",
              b"[::1]", b"127.0.0.1", b"A", b" ", b"xn--"]


def mutate(pick, data, other):
    """One change: of a byte, of a part, of a line."""
    lines = data.split(b"\r\n")
    at, size = pick.randrange(len(data) + 1), pick.randrange(1, 6)
    kind = pick.randrange(8)
    if kind == 0:
        return data[:at] + bytes([pick.randrange(256)]) + data[at + 1:]
    if kind == 1:
        return data[:at] + data[at + size:]
    if kind <= 3:
        return data[:at] + pick.choice(PARTS) + data[at:]
    if kind == 4:
        lines.insert(pick.randrange(len(lines)), pick.choice(lines))
    elif kind == 5:
        lines[pick.randrange(len(lines))] = b"Host: " + b"".join(pick.choices(HOST_PARTS, k=pick.randrange(5)))
    elif kind == 6:
        lines.insert(pick.randrange(len(lines)), pick.choice(other.split(b"\r\n")))
    else:
        first, second = pick.randrange(len(lines)), pick.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
    return b"\r\n".join(lines)


def read_corpus():
    inputs = []
    for name in sorted(os.listdir(CORPUS)):
        with open(f"{CORPUS}/{name}", "rb") as file:
            inputs.append(file.read())
    return inputs


def all_inputs():
    """Everything above, the corpus, and mutants of these; the same ones in every run."""
    inputs = [*(data for data, _ in HONEST.values()), *SMUGGLING.values(),
              *(request("Host: alice.example", *lines, method="POST") for lines in LENGTHS.values()), *read_corpus()]
    pick = random.Random(SEED)
    mutants = []
    for _ in range(N_MUTANTS):
        data = pick.choice(inputs)
        for _ in range(pick.choice((1, 1, 2, 3))):
            data = mutate(pick, data, pick.choice(inputs))
        mutants.append(data)
    return inputs + mutants


# --- tests ---


@pytest.mark.parametrize("name", HONEST)
def test_honest(apache, name):
    data, host = HONEST[name]
    assert sniff([data]) == [("host", host)]
    status, seen, site = apache.ask(data)
    assert status not in REFUSED and canonical(seen) == host and site == (host if host in (ALICE, BOB) else OTHERS)


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling(name):
    assert sniff([SMUGGLING[name]]) == [("malformed", "")]


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_do_not_matter(apache, name):
    data = request("Host: alice.example", *LENGTHS[name], method="POST") + b"0\r\n\r\n" + request("Host: bob.example")
    assert sniff([data]) == [("host", ALICE)]
    status, seen, site = apache.ask(data)
    assert status in REFUSED or (seen, site) == (ALICE, ALICE)


def test_apache_serves_what_we_take_under_the_same_host(apache):
    inputs = all_inputs()
    outcomes = sniff(inputs)
    n_served = n_taken = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        taken = [i for i, (outcome, _) in enumerate(outcomes) if outcome in ("host", "address", "none")]
        for i, (status, seen, site) in zip(taken, pool.map(apache.ask, [inputs[i] for i in taken])):
            outcome, host = outcomes[i]
            n_taken += 1
            if status in REFUSED:
                continue
            n_served += 1
            told = f"input {i} {inputs[i]!r}: {outcome} {host}, but Apache: {status} {seen} {site}"
            assert site == (host if host in (ALICE, BOB) else OTHERS), told
            if outcome != "none":
                assert canonical(seen) == canonical(host), told
    # Otherwise nothing was compared.
    assert n_taken > N_MUTANTS / 20 and n_served > n_taken / 2, (n_taken, n_served)


def test_what_waits_for_more_is_not_served(apache):
    """At an input that is not complete to us, Apache does not act either."""
    inputs = all_inputs()
    waiting = [data for data, (outcome, _) in zip(inputs, sniff(inputs)) if outcome == "more"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for data, (status, seen, site) in zip(waiting, pool.map(apache.ask, waiting)):
            assert status in REFUSED, f"{data!r}: {status} {seen} {site}"


def second_opinion(data):
    """The host in h11's view; None where it refuses."""
    parser = h11.Connection(h11.SERVER)
    try:
        parser.receive_data(data)
        event = parser.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    target = event.target.decode("latin-1")
    fields = [value.decode("latin-1") for name, value in event.headers if name == b"host"]
    if event.method == b"CONNECT":
        return canonical(target)
    if authority := re.match(r"https?://([^/?]*)", target, re.IGNORECASE):
        return canonical(authority[1])
    return canonical(fields[0]) if fields else ""


def test_h11_sees_the_same_host():
    inputs = all_inputs()
    n_same = 0
    for data, (outcome, host) in zip(inputs, sniff(inputs)):
        if outcome not in ("host", "address", "none"):
            continue
        seen = second_opinion(data)
        assert seen is None or seen == canonical(host), f"{data!r}: {outcome} {host}, but h11: {seen}"
        n_same += seen is not None
    assert n_same > N_MUTANTS / 20
