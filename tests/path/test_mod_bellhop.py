# SPDX-License-Identifier: MIT
"""mod_bellhop in the real Apache under each MPM: what comes in by hand-off is served, or refused, as promised."""

import contextlib
import os
import pwd
import queue
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import handoff
import pytest
import router
from handoff import Instance

MPMS = ("event", "worker", "prefork")
THREADED = ("event", "worker")
ACCESS_LOG = 'LogFormat "%a %A %{local}p %H %V %>s" test\nCustomLog RUN/access test'


@pytest.fixture(params=MPMS, name="mpm")
def _mpm(request):
    return request.param


@pytest.fixture(name="instance")
def _instance(mpm):
    with Instance(mpm, settings="Host=alice.example *.shop.example\nIdleSec=0") as instance:
        yield instance.start()


def read_response(file, method="GET"):
    """(status, headers, body) of one HTTP/1.1 response with Content-Length."""
    status = file.readline()
    headers = {}
    for line in iter(file.readline, b"\r\n"):
        assert line, "connection closed within headers"
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", 0))
    body = file.read(size) if method != "HEAD" else b""
    return (int(status.split()[1]) if status else None), headers, body


def get(connection, host, path="/", extra=b""):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (path.encode(), host.encode(), extra))


def access_log(instance):
    instance.wait_until(lambda: os.path.exists(instance.path("run/access")), "access log")
    with open(instance.path("run/access"), encoding="utf-8") as file:
        return file.read().splitlines()


# --- starting ---


def test_configtest_needs_no_socket(mpm):
    with Instance(mpm) as instance:
        done = instance.run("--test")
        assert done.returncode == 0 and "Syntax OK" in done.stderr


def test_start_without_socket_says_what_to_do(mpm):
    with Instance(mpm) as instance:
        done = instance.run()
        assert done.returncode == 1
        assert f"systemctl start bellhop@{instance.user}.socket" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_start_without_instance_file(arguments):
    with Instance() as instance:
        os.unlink(instance.path("config/instances", instance.user + ".conf"))
        done = instance.run(*arguments)
        assert done.returncode == 1
        # A real start stops at the missing socket first.
        assert ("there is no instance" if arguments else "no hand-off socket was passed") in done.stderr


def test_missing_certificate_file_is_an_error():
    with Instance() as instance:
        os.unlink(instance.path("config/tls", instance.user, "privkey.pem"))
        done = instance.run("--test")
        assert done.returncode == 1 and "privkey.pem" in done.stderr


@pytest.mark.parametrize("kind,name", [(socket.SOCK_STREAM, "handoff"), (socket.SOCK_DGRAM, "other")])
def test_other_inherited_sockets_are_not_taken(kind, name):
    with Instance() as instance, socket.socket(socket.AF_UNIX, kind) as other:
        instance.start(fd=other.fileno(), name=name, wait=False)
        assert instance.process.wait(handoff.TIMEOUT) == 1
        assert "closing inherited descriptor" in instance.errors()


# --- serving ---


@pytest.mark.parametrize("url", ["/", "https:/"])
@pytest.mark.parametrize("arguments", [("--http1.1",), ("--http2",), ("--http1.0", "--no-alpn")])
def test_get(instance, url, arguments):
    assert instance.curl(url, *arguments) == (0, "hello\n")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tls_versions(instance, version):
    done = instance.curl("https:/", f"--tlsv{version}", "--tls-max", version, "-w", "%{http_version} %{ssl_verify_result}")
    assert done[0] == 0
    expected = "1.1" if instance.mpm == "prefork" else "2"
    assert done[1].startswith("hello\n" + expected)


def test_addresses_and_ports_in_log(mpm):
    with Instance(mpm) as instance:
        instance.path("config/sites", instance.user, "log.conf", text=ACCESS_LOG.replace("RUN", instance.path("run")))
        instance.start()
        assert instance.curl("/")[0] == 0
        with socket.create_connection(("::1", instance.router.port), handoff.TIMEOUT) as connection:
            get(connection, "alice.example", extra=b"Connection: close\r\n")
            while connection.recv(4096):
                pass
        instance.curl("https:/")
        instance.wait_until(lambda: len(access_log(instance)) >= 3, "three lines")
        lines = access_log(instance)
        assert "127.0.0.1 127.0.0.1 80 HTTP/1.1 alice.example 200" in lines
        assert "::1 ::1 80 HTTP/1.1 alice.example 200" in lines
        assert any(line.startswith("127.0.0.1 127.0.0.1 443 ") for line in lines)


# Virtual hosts as customers have them; what each answers is its name.
OTHER_PORTS = """
<VirtualHost *:80>
    ServerName alice.example
    ErrorDocument 404 "plain"
</VirtualHost>
<VirtualHost *:443>
    ServerName a.shop.example
    ErrorDocument 404 "shop by TLS"
</VirtualHost>
<VirtualHost *:443>
    ServerName alice.example
    ErrorDocument 404 "alice by TLS"
    SSLEngine On
    SSLCertificateFile ${BELLHOP_TLS}/fullchain.pem
    SSLCertificateKeyFile ${BELLHOP_TLS}/privkey.pem
</VirtualHost>
"""


@pytest.mark.parametrize("reason", [None, handoff.REASON_ADDRESS, handoff.REASON_DEFAULT],
                         ids=["host", "address", "default"])
def test_other_ports_are_those_of_the_protocol(mpm, reason):
    with Instance(mpm, snippet=OTHER_PORTS) as instance:
        instance.router.reason = reason
        os.mkdir(instance.path("www/folder"))
        instance.start()
        assert instance.curl("/none") == (0, "plain")
        for options in (["--http1.1"], ["--http2"]):
            assert instance.curl("https:/none", *options) == (0, "alice by TLS")
        assert instance.curl("https:/none", host="a.shop.example") == (0, "shop by TLS")
        # What leads to itself names the port that the client knows.
        host = f"alice.example:{instance.router.tls_port}"
        assert instance.curl("https:/folder", "-o", "/dev/null", "-w", "%{redirect_url}") == (0, f"https://{host}/folder/")


def test_virtual_host_for_another_port_has_it(mpm):
    with Instance(mpm) as instance:
        ports = OTHER_PORTS.replace("*:80", f"*:{instance.router.port}").replace("*:443", f"*:{instance.router.tls_port}")
        instance.path("config/sites", instance.user, "ports.conf", text=ports + """
            <VirtualHost *:80>
                ErrorDocument 404 80
            </VirtualHost>""")
        instance.start()
        assert instance.curl("/none") == (0, "plain")
        assert instance.curl("https:/none") == (0, "alice by TLS")
        assert instance.curl("https:/none", host="a.shop.example") == (0, "shop by TLS")


@pytest.fixture(name="suspended")
def _suspended(mpm):
    """Nothing of the customer's would let a server start."""
    with Instance(mpm, settings="Host=alice.example\nIdleSec=0\nSuspended=yes", snippet="LoadModule no no.so") as instance:
        instance.path("www/.htaccess", text="Nonsense\n")
        yield instance.start()


SUSPENDED = "<h1>This website is suspended</h1>"


def test_suspended(suspended):
    for url in ("/", "/none", "/.htaccess", "https:/", "https:/x.php?y"):
        for version in ("--http1.1", "--http2"):
            status, text = suspended.curl(url, version, "-i")
            assert status == 0 and re.match(r"HTTP/[12.]+ 503", text) and SUSPENDED in text, text
            assert "retry-after" not in text.lower()
    done = suspended.run("--test")
    assert done.returncode == 0 and "Syntax OK" in done.stderr


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "DELETE", "PROPFIND", "X"])
def test_every_method_of_a_suspended_one(suspended, method):
    for path in ("/", "*") if method == "OPTIONS" else ("/",):
        with suspended.connect() as connection, connection.makefile("rb") as file:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: alice.example\r\nContent-Length: 0\r\n\r\n".encode())
            status, headers, body = read_response(file, method)
            assert status == 503 and headers["content-type"].startswith("text/html")
            assert method == "HEAD" or SUSPENDED in body.decode()


def test_foreign_host_of_a_suspended_one(suspended):
    with suspended.connect() as connection, connection.makefile("rb") as file:
        get(connection, "bob.example")
        assert read_response(file)[0] == 421


@pytest.mark.parametrize("line", ["CONNECT alice.example:443", "CONNECT other.example:80"])
def test_no_tunnel(mpm, line):
    """A program that is the first page would answer, and the client take that for a tunnel."""
    with Instance(mpm, settings="Host=alice.example\nIdleSec=0") as instance:
        os.unlink(instance.path("www/index.html"))
        instance.path("www/index.cgi", text="#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ntunnel\\n'\n", mode=0o755)
        instance.start()
        with instance.connect() as connection, connection.makefile("rb") as file:
            connection.sendall(f"{line} HTTP/1.1\r\nHost: alice.example\r\n\r\n".encode())
            status, _, body = read_response(file)
            assert status in (400, 405, 421) and b"tunnel" not in body


def test_keep_alive(instance):
    with instance.connect() as connection, connection.makefile("rb") as file:
        for _ in range(5):
            get(connection, "alice.example")
            assert read_response(file)[0] == 200
        get(connection, "a.b.shop.example", extra=b"Connection: close\r\n")
        assert read_response(file)[0] == 200
        assert file.read() == b""
    assert instance.router.n_sent == 1


def test_cgi_runs_as_the_instance(instance):
    instance.path("www/id.cgi", text="#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nid -un\nls /proc/self/fd\n",
                  mode=0o755)
    status, text = instance.curl("/id.cgi")
    assert status == 0 and text.split()[0] == instance.user
    # 0, 1, 2 and what ls opens itself: neither hand-off socket nor neighbours' connections.
    assert text.split()[1:] == ["0", "1", "2", "3"]


# --- what is not ours ---


def test_second_request_for_another_host_is_misdirected(instance):
    with instance.connect() as connection, connection.makefile("rb") as file:
        get(connection, "alice.example")
        assert read_response(file)[0] == 200
        body = b"x" * 100000
        connection.sendall(b"POST / HTTP/1.1\r\nHost: bob.example\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        status, headers, text = read_response(file)
        assert (status, headers["connection"]) == (421, "close") and b"Misdirected" in text
        assert file.read() == b""


@pytest.mark.parametrize("target", ["/", "http://bob.example/"])
def test_first_request_for_another_host(instance, target):
    with instance.connect() as connection, connection.makefile("rb") as file:
        get(connection, "bob.example", target)
        assert read_response(file)[0] == 421
        assert file.read() == b""


@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS"])  # Apache answers 400 to others
@pytest.mark.parametrize("tls", [False, True])
def test_target_for_another_host(instance, scheme, tls):
    """Whatever its scheme and the Host, as the router refuses it in a first request."""
    with instance.connect(tls) as connection:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = context.wrap_socket(connection, server_hostname="alice.example")
        with connection, connection.makefile("rb") as file:
            get(connection, "alice.example", f"{scheme}://alice.example/")
            assert read_response(file)[0] == 200
            get(connection, "alice.example", f"{scheme}://bob.example/")
            assert read_response(file)[0] == 421


def test_target_for_another_host_without_host(instance):
    with instance.connect() as connection, connection.makefile("rb") as file:
        connection.sendall(b"GET https://bob.example/ HTTP/1.0\r\n\r\n")
        assert b" 421 " in file.readline()


def test_no_host_is_fine(instance):
    with instance.connect() as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with connection.makefile("rb") as file:
            assert b" 200 " in file.readline()


@pytest.mark.parametrize("policy", ["redirect", "refuse"])
def test_policy_for_plain_http_is_for_each_request(mpm, policy):
    """The router sees only the first request, which is for a challenge."""
    requests = b"".join(b"GET %s HTTP/1.1\r\nHost: alice.example\r\n\r\n" % path for path in (b"/.well-known/acme-challenge/x", b"/"))
    with Instance(mpm, settings=f"Host=alice.example\nIdleSec=0\nHttp={policy}") as instance:
        instance.start()
        with instance.connect() as connection, connection.makefile("rb") as file:
            connection.sendall(requests)
            status, headers, _ = read_response(file)
            assert (status, headers["connection"], file.read()) == (404, "close", b"")
        assert instance.curl("https:/", "-o", "/dev/null", "-w", "%{num_connects}", "https://alice.example:{t}/".format(
            t=instance.router.tls_port))[1].endswith("0")
        instance.router.reason = handoff.REASON_ADDRESS
        with instance.connect() as connection, connection.makefile("rb") as file:
            connection.sendall(requests)
            assert [read_response(file)[0] for _ in range(2)] == [404, 200]


def test_sni_of_ours_host_of_another(instance):
    status, text = instance.curl("https:/", "--http1.1", "-H", "Host: bob.example", "-w", "%{http_code}")
    assert status == 0 and text.endswith("421")


@pytest.mark.parametrize("mpm", THREADED, indirect=True)
def test_http2_misdirected_per_stream(instance):
    url = f"https://alice.example:{instance.router.tls_port}/"
    config = instance.path("curl", text="".join(
        f'url = "{url}"\nsilent\ninsecure\nhttp2\noutput = "/dev/null"\nheader = "Host: {host}"\n'
        f'connect-to = "::127.0.0.1:"\nwrite-out = "%{{http_code}} %{{num_connects}}\\n"\nnext\n'
        for host in ("alice.example", "bob.example", "alice.example")))
    done = subprocess.run(["curl", "-K", config], capture_output=True, text=True, timeout=handoff.TIMEOUT, check=False)
    assert done.stdout.splitlines() == ["200 1", "421 0", "200 0"]


@pytest.mark.parametrize("mpm", THREADED, indirect=True)
def test_http2_has_threads_when_it_needs_them(mpm):
    """Requests that come together on one connection run together: each waits until all are there."""
    n, n_workers = 4, 4  # mod_http2 lets a new connection have six
    with Instance(mpm, snippet=f"ThreadsPerChild {n_workers}") as instance:
        instance.path("www/all.cgi", mode=0o755, text=(
            f"#!/bin/sh\nfolder={instance.path('run')}\n: > $folder/here.$$\n"
            f"while [ -d $folder ] && [ $(ls $folder | grep -c '^here') -lt {n} ]; do sleep 0.05; done\n"
            "printf 'Content-Type: text/plain\\n\\nok'\n"))
        instance.start()
        assert instance.curl("https:/", "--http2", "--fail")[0] == 0
        threads = os.listdir(f"/proc/{instance.children()[0]}/task")
        assert len(threads) <= n_workers + 4  # the main one, the listener and one of HTTP/2's
        # curl waits for the first answer, before it sends what is left together.
        first = f"https://alice.example:{instance.router.tls_port}/"
        status, text = instance.curl(f"https:/all.cgi?[1-{n}]", "--http2", "--parallel", first, "-o", "/dev/null",
                                     "-o", "/dev/null", "-w", "%{http_version} %{http_code}\n")
        assert (status, text.split("\n")[:-1]) == (0, ["2 200"] * (n + 1))


@pytest.mark.parametrize("reason,expected", [(handoff.REASON_ADDRESS, 200), (handoff.REASON_DEFAULT, 200),
                                             (handoff.REASON_HOST, 421)])
def test_unknown_host_by_reason(instance, reason, expected):
    instance.router.reason = reason
    with instance.connect() as connection, connection.makefile("rb") as file:
        get(connection, "nobody-knows.example")
        assert read_response(file)[0] == expected


def test_misdirected_runs_no_rules_of_the_customer(mpm):
    with Instance(mpm, snippet="RewriteEngine On\nRewriteRule ^ - [F]\nErrorDocument 421 /error.cgi") as instance:
        instance.start()
        status, text = instance.curl("/", "-H", "Host: bob.example", "-w", "%{http_code}")
        assert (status, text[-3:]) == (0, "421")


def test_tls_without_certificate_gets_an_alert(mpm):
    with Instance(mpm, tls=False) as instance:
        instance.start()
        assert instance.curl("/") == (0, "hello\n")
        with instance.connect(tls_port=True) as connection:
            # More than one read takes, so that closing early would reset.
            connection.sendall(b"\x16\x03\x01\x40\x00" + b"x" * 60000)
            answer = b"".join(iter(lambda: connection.recv(100), b""))
        assert answer == bytes.fromhex("15030300020270")
        context = ssl.create_default_context()
        with instance.connect(tls_port=True) as connection:
            with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
                context.wrap_socket(connection, server_hostname="alice.example")


# --- hand-offs that are refused ---


def child_fds(instance):
    """How many descriptors each child has."""
    found = []
    for pid in instance.children():
        with contextlib.suppress(FileNotFoundError):  # it has ended
            found.append(instance.n_fds(pid))
    return found


def settle(instance):
    """Descriptors of the children once they are idle, as far as can be seen: what they hold may drop only after a close
    lingers, and a slow machine lingers longer."""
    last, since = None, time.monotonic()
    while time.monotonic() - since < 0.3:
        now = child_fds(instance)
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.02)
    return last


def pair():
    """A connected TCP pair over loopback: (client, server)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), handoff.TIMEOUT)
        server, _ = listener.accept()
    return client, server


def assert_closed(client, server):
    """The receiver holds no copy: the client sees the end as soon as we close ours."""
    server.close()
    assert client.recv(1) == b""
    client.close()


def test_foreign_sender_is_refused(instance):
    if not handoff.AS_ROOT:
        pytest.skip("needs a second user")
    client, server = pair()
    os.chmod(instance.handoff.path, 0o777)
    pid = os.fork()
    if pid == 0:
        os.setuid(1)
        handoff.send(instance.handoff.connect(), handoff.message(host="alice.example"), [server])
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert_closed(client, server)
    assert instance.curl("/") == (0, "hello\n")
    assert "refused a hand-off: its sender" in instance.errors()


def test_bad_messages_do_no_harm(instance):
    assert instance.curl("/")[0] == 0
    before = max(settle(instance))
    sender = instance.handoff.connect()
    good = handoff.message(host="alice.example")
    for data in (b"x", b"garbage" * 10, good[:-1], good + b"x", good + b"x" * 2000, handoff.message(version=2),
                 handoff.message(magic=b"BELL"), handoff.message(reason=0), handoff.message(reason=9),
                 handoff.message(protocol=3), handoff.message(host="a\0b")):
        client, server = pair()
        handoff.send(sender, data, [server])
        assert_closed(client, server)
    client, server = pair()
    handoff.send(sender, good, [])
    handoff.send(sender, good, [server, server])
    assert_closed(client, server)
    others = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM),
              socket.create_server(("127.0.0.1", 0)), *socket.socketpair(), open("/dev/null", "rb")]
    for other in others:
        handoff.send(sender, good, [other])
        other.close()
    assert instance.curl("/") == (0, "hello\n")
    instance.wait_until(lambda: max(child_fds(instance)) <= before, "descriptors are closed")


def test_refusals_are_logged_at_a_limited_rate(instance):
    sender = instance.handoff.connect()
    for _ in range(1000):
        sender.send(b"garbage")
    assert instance.curl("/") == (0, "hello\n")
    assert 1 <= instance.errors().count("refused a hand-off") < 50


# --- reload, stop, idle ---


class Load:
    """Requests without pause, each on a new connection, until stopped."""

    def __init__(self, instance, n_threads=2):
        self.instance, self.failures, self.n = instance, [], 0
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(n_threads)]

    def _one(self):
        with self.instance.connect() as connection, connection.makefile("rb") as file:
            get(connection, "alice.example", extra=b"Connection: close\r\n")
            return read_response(file)

    def _run(self):
        while not self.stopped.is_set():
            try:
                answer = self._one()
            except (OSError, AssertionError, ValueError) as error:
                answer = (repr(error),)
            if answer[0] != 200:
                self.failures.append(answer)
            self.n += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        for thread in self.threads:
            thread.join(handoff.TIMEOUT)


def test_reload_under_load(instance):
    assert instance.curl("/")[0] == 0
    fresh = max(settle(instance))
    with Load(instance) as load:
        for i in range(20):
            instance.process.send_signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in instance.notify.wait("^RELOADING=1")
            instance.notify.wait("^READY=1")
            done = load.n
            instance.wait_until(lambda: load.n > done + 2, "requests after reload")
            if i == 1:
                parent = instance.n_fds()
    assert load.failures == [] and load.n > 40
    # The old server of the last reload may still be ending.
    instance.wait_until(lambda: instance.n_fds() <= parent, "descriptors closed after reload")
    # The last generation alone remains, with no more descriptors than a fresh child has.
    instance.wait_until(lambda: len(instance.children()) <= 4, "old children end")
    instance.wait_until(lambda: max(child_fds(instance)) <= fresh, "descriptors of children closed")


def test_reload_leaves_new_connections_alone(instance):
    """A hand-off whose client is still silent, in the midst of a handshake say, survives a reload."""
    assert instance.curl("/")[0] == 0
    with instance.connect() as connection, connection.makefile("rb") as file:
        instance.wait_until(lambda: instance.router.n_sent == 2, "handed off")
        settle(instance)
        instance.process.send_signal(signal.SIGHUP)
        instance.notify.wait("^RELOADING=1")
        instance.notify.wait("^READY=1")
        get(connection, "alice.example", extra=b"Connection: close\r\n")
        assert read_response(file)[0] == 200


def test_reload_applies_new_hosts(instance):
    def code():
        return instance.curl("/", "-H", "Host: new.example", "-w", "%{http_code}")[1][-3:]

    assert code() == "421"
    instance.path("config/instances", instance.user + ".conf", text="[Instance]\nHost=alice.example new.example\n")
    instance.process.send_signal(signal.SIGHUP)
    instance.notify.wait("^READY=1")
    instance.wait_until(lambda: code() == "200", "new host")


def test_graceful_stop_finishes_what_is_in_progress(instance):
    instance.path("www/slow.cgi", text="#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n"
                  f"echo >{instance.path('run/begun')}\nread x <{instance.path('run/go')}\necho done\n", mode=0o755)
    os.mkfifo(instance.path("run/go"))
    os.chmod(instance.path("run/go"), 0o666)
    result = []
    client = threading.Thread(target=lambda: result.append(instance.curl("/slow.cgi")))
    client.start()
    instance.wait_until(lambda: os.path.exists(instance.path("run/begun")), "CGI started")
    instance.process.send_signal(signal.SIGTERM)
    with open(instance.path("run/go"), "w", encoding="ascii") as go:
        go.write("\n")
    client.join(handoff.TIMEOUT)
    assert result == [(0, "done\n")]
    assert instance.process.wait(handoff.TIMEOUT) == 0
    instance.notify.wait("^STOPPING=1")


def test_stop_while_it_starts_is_not_lost(instance):
    assert instance.stop(signal.SIGINT) == 0
    for delay_msec in range(0, 120, 5):
        instance.start(wait=False)
        time.sleep(delay_msec / 1000)  # not for something to happen: at any moment, it must be heeded
        assert instance.stop(signal.SIGINT) in (0, -signal.SIGINT)
        while handoff.select.select([instance.notify.socket], [], [], 0)[0]:
            instance.notify.socket.recv(4096)  # otherwise its queue fills, and senders wait
    with instance.connect() as connection:
        get(connection, "alice.example", extra=b"Connection: close\r\n")
        instance.start()
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_queued_handoffs_are_served_by_the_next_start(instance):
    assert instance.curl("/")[0] == 0
    assert instance.stop() == 0
    connections = [instance.connect() for _ in range(5)]
    for connection in connections:
        get(connection, "alice.example", extra=b"Connection: close\r\n")
    instance.wait_until(lambda: instance.router.n_sent == 6, "queued")
    instance.start()
    for connection in connections:
        with connection, connection.makefile("rb") as file:
            assert read_response(file)[0] == 200


def test_no_handoff_is_lost_by_stop_and_start(instance):
    with Load(instance, n_threads=4) as load:
        for _ in range(3):
            done = load.n
            instance.wait_until(lambda: load.n > done + 5, "requests")
            assert instance.stop() == 0
            instance.start()
        done = load.n
        instance.wait_until(lambda: load.n > done + 5, "requests")
    assert load.failures == []


# Where the event MPM is most likely to forget what no worker has taken yet: there is one.
ONE_THREAD = """<IfModule !mpm_prefork_module>
    ThreadsPerChild 1
    MaxRequestWorkers 4
    MinSpareThreads 1
    MaxSpareThreads 4
</IfModule>
"""


@pytest.mark.parametrize("order", [signal.SIGINT, signal.SIGHUP], ids=["stop", "reload"])
def test_nothing_received_is_forgotten(mpm, order):
    with Instance(mpm, settings="Host=alice.example\nIdleSec=0", tls=False, snippet=ONE_THREAD) as instance:
        instance.start()
        with Load(instance, n_threads=6) as load:
            for i in range(30):
                time.sleep(i / 1000)  # at any moment
                if order == signal.SIGINT:
                    assert instance.stop(order) == 0
                    instance.log.close()
                    instance.start()
                else:
                    instance.process.send_signal(order)
                    instance.notify.wait("^READY=1")
        assert load.failures == [] and load.n >= 6


def test_stop_amidst_a_reload_is_heeded(instance):
    assert instance.stop(signal.SIGINT) == 0
    for delay_msec in range(0, 60, 4):
        instance.start()
        assert instance.curl("/")[0] == 0
        instance.process.send_signal(signal.SIGHUP)
        time.sleep(delay_msec / 1000)  # not for something to happen: at any moment
        assert instance.stop(signal.SIGINT) == 0
        while handoff.select.select([instance.notify.socket], [], [], 0)[0]:
            instance.notify.socket.recv(4096)


def test_child_killed_while_idle(instance):
    assert instance.curl("/")[0] == 0
    settle(instance)
    for pid in instance.children():
        os.kill(pid, signal.SIGKILL)
    assert instance.curl("/") == (0, "hello\n")


def test_idle_exit_waits_for_open_connections(mpm):
    with Instance(mpm, settings="Host=alice.example\nIdleSec=1s", snippet="KeepAliveTimeout 60") as instance:
        with instance.connect() as connection, connection.makefile("rb") as file:
            get(connection, "alice.example")
            instance.start()  # after the request: otherwise it may end before it has a connection
            assert read_response(file)[0] == 200
            instance.notify.wait("STATUS=1 connections, 1 hand-offs, last hand-off: [A-Z]")
            with pytest.raises(subprocess.TimeoutExpired):
                instance.process.wait(3)
            get(connection, "alice.example")
            assert read_response(file)[0] == 200
        instance.notify.wait("^STOPPING=1")
        assert instance.process.wait(handoff.TIMEOUT) == 0
        # Nothing is lost: the next one starts it again.
        with instance.connect() as connection, connection.makefile("rb") as file:
            get(connection, "alice.example", extra=b"Connection: close\r\n")
            instance.start()
            assert read_response(file)[0] == 200


# --- configuration ---


def test_snippet_overrides(mpm):
    with Instance(mpm) as instance:
        os.makedirs(instance.path("www/other"))
        instance.path("www/other/index.html", text="other\n")
        instance.path("config/sites", instance.user, "a.conf", text=(
            f"DocumentRoot {instance.path('www/other')}\n<VirtualHost *:*>\nServerName x.shop.example\n"
            f"DocumentRoot {instance.path('www')}\n</VirtualHost>\n"
            "<VirtualHost *:*>\nServerName alice.example\n</VirtualHost>\n"))
        instance.start()
        assert instance.curl("/", host="x.shop.example") == (0, "hello\n")
        assert instance.curl("/") == (0, "other\n")
        assert instance.curl("https:/") == (0, "other\n")


def test_home_is_the_fallback(mpm):
    with Instance(mpm, tls=False) as instance:
        home = instance.path("home")
        os.makedirs(home + "/public_html")
        instance.path("home/public_html/index.html", text="home\n")
        instance.defines = {"BELLHOP_WWW": "/nonexistent", "BELLHOP_HOME": home}
        instance.start()
        assert instance.curl("/") == (0, "home\n")


def test_no_listing_no_link_to_others(instance):
    os.unlink(instance.path("www/index.html"))
    os.symlink("/etc/passwd", instance.path("www/link"))
    if handoff.AS_ROOT:
        os.lchown(instance.path("www/link"), pwd.getpwnam(instance.user).pw_uid, -1)
    assert instance.curl("/", "-o", "/dev/null", "-w", "%{http_code}")[1] == "403"
    if handoff.AS_ROOT:
        assert instance.curl("/link", "-o", "/dev/null", "-w", "%{http_code}")[1] == "403"


@pytest.fixture(name="journal")
def _journal():
    """Receives entries, as the journal would, and returns the next one that contains the words. Others may write to
    the journal, too: the servers of tests that run at the same time."""
    if not handoff.AS_ROOT or os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("needs root and no journal, to play one")
    os.makedirs("/run/systemd/journal", exist_ok=True)
    journal, entries = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), queue.SimpleQueue()

    def collect():
        """Reads all the time, because the socket's queue is short, and the sender loses what does not fit."""
        while entry := journal.recv(65536):
            entries.put(entry)

    def receive(words):
        while words not in (entry := entries.get(timeout=handoff.TIMEOUT)):
            pass
        return entry

    collector = threading.Thread(target=collect, daemon=True)
    try:
        journal.bind("/run/systemd/journal/socket")
        os.chmod("/run/systemd/journal/socket", 0o777)
        collector.start()
        yield receive
        journal.shutdown(socket.SHUT_RD)
        collector.join(handoff.TIMEOUT)
    finally:
        journal.close()
        os.unlink("/run/systemd/journal/socket")


def test_log_line_adds_no_field_to_its_journal_entry(journal):
    with Instance("event", snippet='CustomLog journal: "%U\\nPRIORITY=0\\nX=y"') as instance:
        instance.start()
        assert instance.curl("/")[0] == 0
        message = b"/index.html\nPRIORITY=0\nX=y"
        assert b"MESSAGE\n" + len(message).to_bytes(8, "little") + message + b"\nPRIORITY=6\n" in journal(b"X=y")


PROGRAM = """#!/bin/sh
echo "wrong: $QUERY_STRING" >&2
printf 'Content-Type: text/plain\\n\\nanswer\\n'
"""
OWN_LOG = """<VirtualHost *:*>
    ServerName own.shop.example
    ErrorLog {0}/run/own
</VirtualHost>
<VirtualHost *:*>
    ServerName alice.example
</VirtualHost>
"""


def test_error_log_in_journal(journal):
    """As Apache writes to syslog: with its level, without notices. A server's own log has its lines, and nobody else."""
    with Instance("event", tls=False) as instance:
        identifier = f"bellhop-{instance.user}"
        instance.path("config/sites", instance.user, "zz.conf", text="ErrorLog journal:\n" + OWN_LOG.format(instance.folder))
        instance.path("www/wrong.cgi", text=PROGRAM, mode=0o755)
        instance.start()
        assert instance.curl("/wrong.cgi?own", host="own.shop.example") == (0, "answer\n")
        assert instance.curl("/wrong.cgi?main", "-H", "Referer: a\tb") == (0, "answer\n")
        lines = journal(b"wrong: main").decode().splitlines()
        assert re.fullmatch(r"MESSAGE=\[cgi:error\] \[client 127\.0\.0\.1:\d+\] AH\d+: stderr from .*/wrong\.cgi: wrong: main, "
                            r"referer: a\\tb", lines[0]), lines
        assert lines[1:] == ["PRIORITY=3", f"SYSLOG_IDENTIFIER={identifier}", f"BELLHOP_INSTANCE={instance.user}"]
        with open(instance.path("run/own"), encoding="utf-8") as file:
            assert "wrong: own" in file.read()
        assert "wrong" not in instance.errors()


def test_a_start_with_tls_warns_of_no_session_cache():
    with Instance("event") as instance:
        instance.start()
        assert instance.curl("https:/")[0] == 0
        assert "AH01873" not in instance.errors(), instance.errors()


def test_error_log_says_why_there_is_no_start(journal):
    """Once Apache has opened its logs: what it says before is on standard error."""
    with Instance("event", tls=False, settings="Host=alice.example\nHost=b@d") as instance:
        instance.path("config/sites", instance.user, "zz.conf", text="ErrorLog journal:\n")
        instance.start(wait=False)
        assert f"\nSYSLOG_IDENTIFIER=bellhop-{instance.user}\n".encode() in journal(b"b@d")


def test_access_log_in_journal(instance, journal):
    assert instance.curl("/?noted")[0] == 0
    lines = journal(b"/?noted ").decode().splitlines()
    assert "PRIORITY=6" in lines
    assert "SYSLOG_IDENTIFIER=bellhop-access" in lines
    assert f"BELLHOP_INSTANCE={instance.user}" in lines
    text = next(line for line in lines if line.startswith("MESSAGE="))
    assert '"GET /?noted HTTP/1.1" 200' in text


# --- behind a proxy that speaks the PROXY protocol, as the man page says to set it up ---

BEHIND_PROXY = """LoadModule remoteip_module /usr/lib/apache2/modules/mod_remoteip.so
RemoteIPProxyProtocol On
"""


def proxy_header(version, source):
    """The header of a client at that address, port 4711."""
    v6 = ":" in source
    ends = (source, "2001:db8::1" if v6 else "198.51.100.1")
    if version == 1:
        return ("PROXY %s %s %s 4711 443\r\n" % ("TCP6" if v6 else "TCP4", *ends)).encode()
    family = socket.AF_INET6 if v6 else socket.AF_INET
    body = b"".join(socket.inet_pton(family, end) for end in ends) + struct.pack("!HH", 4711, 443)
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x21 if v6 else 0x11, len(body)) + body


@pytest.fixture(name="proxied")
def _proxied(mpm):
    with Instance(mpm) as instance:
        log = ACCESS_LOG.replace("RUN", instance.path("run")).replace("%A", "%{c}a")
        instance.path("config/sites", instance.user, "proxy.conf", text=BEHIND_PROXY + log)
        yield instance.start()


def ask_with_header(instance, address, tls, header):
    """The status of one request that follows the header; None if the connection ends instead."""
    port = instance.router.tls_port if tls else instance.router.port
    try:
        with socket.create_connection((address, port), handoff.TIMEOUT) as connection:
            connection.sendall(header)
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                connection = context.wrap_socket(connection, server_hostname="alice.example")
            with connection, connection.makefile("rb") as file:
                get(connection, "alice.example", extra=b"Connection: close\r\n")
                status = file.readline()
                return int(status.split()[1]) if status else None
    except (ConnectionError, ssl.SSLError):
        return None


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_client_behind_proxy_is_logged(proxied, version, tls):
    expected = []
    for reload in (False, True):
        if reload:
            proxied.process.send_signal(signal.SIGHUP)
            proxied.notify.wait("^READY=1")
        for address in ("127.0.0.1", "::1"):
            for source in ("192.0.2.7", "2001:db8::7"):
                assert ask_with_header(proxied, address, tls, proxy_header(version, source)) == 200, proxied.errors()
                expected.append([source, address])
    proxied.wait_until(lambda: len(access_log(proxied)) == len(expected), "log")
    assert sorted(line.split()[:2] for line in access_log(proxied)) == sorted(expected)
    # The header is not optional.
    assert ask_with_header(proxied, "127.0.0.1", tls, b"") is None
    assert proxied.stop() == 0


@pytest.mark.parametrize("arguments", [("--http1.1",), ("--http2",)])
def test_curl_as_proxy(proxied, arguments):
    for url in ("/", "https:/"):
        assert proxied.curl(url, "--haproxy-protocol", *arguments) == (0, "hello\n")
    assert proxied.curl("/")[0] != 0


def test_whole_path_behind_proxy():
    """Client, proxy, the real router, the real server: the log has the client, and strangers can't pretend."""
    with Instance() as instance:
        log = ACCESS_LOG.replace("RUN", instance.path("run"))
        instance.path("config/sites", instance.user, "proxy.conf", text=BEHIND_PROXY + log)
        instance.router_user = pwd.getpwuid(router.UID).pw_name
        settings = "TrustedProxy=127.0.0.1"
        with router.Router({instance.user: "Host=alice.example"}, settings, absent=[instance.user]) as front:
            os.symlink(instance.handoff.path, f"{front.folder}/run/{instance.user}.handoff")
            os.chmod(instance.handoff.path, 0o666)
            instance.start()
            for version, source in ((1, "192.0.2.7"), (2, "2001:db8::7")):
                with front.connect(send=proxy_header(version, source)) as client, client.makefile("rb") as file:
                    get(client, "alice.example", extra=b"Connection: close\r\n")
                    assert read_response(file)[0] == 200
            with front.connect(source="127.0.0.9", send=proxy_header(1, "192.0.2.8")) as client:
                get(client, "alice.example", extra=b"Connection: close\r\n")
                assert client.recv(12) == b"HTTP/1.1 400"
            instance.wait_until(lambda: len(access_log(instance)) == 2, "log")
            assert sorted(line.split()[0] for line in access_log(instance)) == ["192.0.2.7", "2001:db8::7"]
            assert front.counts()[2:4] == (2, 1)
