# SPDX-License-Identifier: MIT
"""The router: which instance gets a connection, and its state."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest
from handoff import (PROTOCOL_HTTP, PROTOCOL_TLS, PROTOCOL_UNKNOWN, REASON_ADDRESS, REASON_DEFAULT, REASON_HOST,
                     REASON_SERVER_NAME)
from router import (A, ALERT_UNRECOGNIZED_NAME, B, C, D, GID, UID, Router, alert, hello, http, openssl_hello,
                    parse_reply, read_to_end)

HOSTS = {
    A: "Host=alice.example www.alice.example *.shop.example",
    B: "Host=bob.example deep.shop.example *.eu.shop.example",
    C: "Host=*.example\nHost=xn--bcher-kva.example",
}
ROUTES = {
    "exact": ("alice.example", A),
    "second name": ("www.alice.example", A),
    "other instance": ("bob.example", B),
    "wildcard, one label": ("x.shop.example", A),
    "wildcard, three labels": ("z.y.x.shop.example", A),
    "longer suffix": ("x.eu.shop.example", B),
    "longer suffix, more labels": ("y.x.eu.shop.example", B),
    "exact before wildcard": ("deep.shop.example", B),
    "below an exact host": ("x.deep.shop.example", A),
    "the suffix itself is of the shorter wildcard": ("shop.example", C),
    "the longer suffix itself is of the shorter wildcard": ("eu.shop.example", A),
    "punycode": ("xn--bcher-kva.example", C),
    "underscore": ("a_b.shop.example", A),
    "longest host": (".".join(["a" * 61] * 3 + ["b" * 54, "shop.example"]), A),
}


@pytest.fixture(name="router")
def _router():
    with Router(HOSTS) as router:
        yield router


# --- by host ---


@pytest.mark.parametrize("listener", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("host,name", ROUTES.values(), ids=ROUTES.keys())
def test_route_by_http_host(router, host, name, listener):
    got = router.expect(name, http(host), listener)
    assert (got.reason, got.protocol, got.host) == (REASON_HOST, PROTOCOL_HTTP, host)


@pytest.mark.parametrize("listener", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("host,name", ROUTES.values(), ids=ROUTES.keys())
def test_route_by_server_name(router, host, name, listener):
    got = router.expect(name, hello(host), listener)
    assert (got.reason, got.protocol, got.host) == (REASON_SERVER_NAME, PROTOCOL_TLS, host)


@pytest.mark.parametrize("host", ["example", "alice.example.org", "xalice.test", "shop.examplex"])
def test_unknown_host_comes_to_nobody(router, host):
    assert router.ask(hello(host)) == alert(ALERT_UNRECOGNIZED_NAME)
    assert parse_reply(router.ask(http(host)))[0] == 421
    assert all(instance.is_empty() for instance in router.instances.values())


@pytest.mark.parametrize("written", ["ALICE.Example", "alice.example.", "Alice.EXAMPLE.", "alice.example:80",
                                     "ALICE.example.:65535"])
def test_host_is_made_canonical(router, written):
    assert router.expect(A, http(written)).host == "alice.example"


@pytest.mark.parametrize("written", ["ALICE.Example", "alice.example.", "Alice.EXAMPLE."])
def test_server_name_is_made_canonical(router, written):
    assert router.expect(A, hello(written)).host == "alice.example"


@pytest.mark.parametrize("target,field,name,host", [
    ("http://alice.example/x", "bob.example", A, "alice.example"),
    ("http://BOB.example:8080", "alice.example", B, "bob.example"),
    ("HTTP://alice.example?q", "bob.example", A, "alice.example"),
    ("https://alice.example/", "alice.example", A, "alice.example"),
])
def test_absolute_target_overrides_field(router, target, field, name, host):
    assert router.expect(name, http(field, target)).host == host


def test_connect_target_and_old_version(router):
    assert router.expect(B, http("alice.example", "bob.example:443", method="CONNECT")).host == "bob.example"
    assert router.expect(A, http("alice.example", version="1.0")).host == "alice.example"


def test_openssl_hello(router):
    got = router.expect(A, openssl_hello("Www.Alice.Example"))
    assert (got.reason, got.host) == (REASON_SERVER_NAME, "www.alice.example")


def test_empty_lines_before_request_are_kept(router):
    router.expect(A, b"\r\n\r\n" + http("alice.example"))


# --- default ---


def test_default_takes_what_nobody_has():
    with Router({A: "Host=alice.example", B: "Default=yes"}) as router:
        for data, protocol, host in ((http("Unknown.Test:80"), PROTOCOL_HTTP, "unknown.test"),
                                     (hello("unknown.test."), PROTOCOL_TLS, "unknown.test"),
                                     (hello(), PROTOCOL_TLS, ""),
                                     (http("192.0.2.1"), PROTOCOL_HTTP, ""),
                                     (http("[2001:db8::1]:80"), PROTOCOL_HTTP, ""),
                                     (hello("192.0.2.1"), PROTOCOL_TLS, ""),
                                     (http(None, version="1.0"), PROTOCOL_HTTP, "")):
            got = router.expect(B, data)
            assert (got.reason, got.protocol, got.host) == (REASON_DEFAULT, protocol, host), data
        assert router.expect(A, http("alice.example")).reason == REASON_HOST
        # Not even the default gets what Apache would refuse.
        assert parse_reply(router.ask(http(None)))[0] == 400


# --- by address ---


def test_route_by_address_before_any_byte():
    places = [("127.0.0.1", 0), ("127.0.0.2", 0), ("127.0.0.3", 0), ("127.0.0.3", 0), ("::1", 0)]
    router = Router(listen_on=places)
    try:
        with_port = router.addresses[2][1]
        for name, text in {A: "Address=127.0.0.2\nHost=alice.example", B: f"Address=127.0.0.3:{with_port}",
                           C: f"Address=127.0.0.3 [::1]:{router.addresses[4][1]}", D: "Default=yes"}.items():
            router.write(f"instances/{name}.conf", f"[Instance]\n{text}\n")
            router.add_socket(name)
        router.start()
        for listener, name in ((1, A), (2, B), (3, C), (4, C)):
            client = router.connect(listener)
            got = router.instances[name].receive()  # not one byte was sent
            assert (got.reason, got.protocol, got.host) == (REASON_ADDRESS, PROTOCOL_UNKNOWN, "")
            assert got.socket.getsockname()[:2] == router.addresses[listener]
            got.socket.sendall(b"220 I speak first\r\n")
            got.close()
            assert read_to_end(client) == b"220 I speak first\r\n"
            client.close()
        # The address decides, whatever the bytes say.
        assert router.expect(B, http("alice.example"), 2).reason == REASON_ADDRESS
        assert router.expect(A, http("alice.example"), 0).reason == REASON_HOST
        assert router.expect(D, b"GET / HTTP/1.0\r\n\r\n", 0).reason == REASON_DEFAULT
        router.stop()
    finally:
        router.close()


# --- the hand-off itself ---


def test_header_and_credentials(router):
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    client = router.connect(send=http("alice.example")[:-1])
    router.wait_for(pending=1)
    between = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    client.sendall(b"\n")
    got = router.deliver(A, http("alice.example"), client)
    # When it was accepted, not when it was handed off.
    assert before < got.accepted_nsec < between
    assert (got.pid, got.uid, got.gid) == (router.process.pid, UID, GID)


def test_exact_bytes_of_header(router):
    with router.connect(send=http("ALICE.example.:80")):
        data, fds, _, _ = socket.recv_fds(router.instances[A].socket, 1024, 16)
        for fd in fds:
            os.close(fd)
    assert data[:8] == b"BHOP\x01\x03\x02\x0d" and len(data) == 16 + 13 and data[16:] == b"alice.example"


@pytest.mark.parametrize("head", [http("alice.example"), hello("alice.example")], ids=["HTTP", "TLS"])
def test_what_follows_the_head_stays_unread(router, head):
    body = bytes(range(256)) * 64
    router.expect(A, head + body)


@pytest.mark.parametrize("listener,source", [(0, "127.9.8.7"), (1, "::1")])
def test_client_address(router, listener, source):
    client = router.connect(listener, source, http("alice.example"))
    assert client.getsockname()[0] == source
    router.deliver(A, http("alice.example"), client)


def test_router_keeps_no_descriptor(router):
    for name in (A, B):
        router.expect(name, http(HOSTS[name].split("=")[1].split()[0]))
    before = router.n_fds()
    clients = [router.connect(send=head) for head in (http("alice.example"), hello("bob.example"))]
    slow = router.connect(send=hello("alice.example")[:60])
    router.wait_for(pending=1)
    assert router.n_fds() == before + 1
    slow.sendall(hello("alice.example")[60:])
    got = [router.instances[name].receive() for name in (A, A, B)]
    router.counts()  # it closes after the instance has it, and answers after that
    assert router.n_fds() == before
    for thing in (*got, *clients, slow):
        thing.close()


def test_instance_holds_the_only_copy(router):
    """A close by the instance ends the connection at once, although the router was watching it before."""
    client = router.connect(send=b"GET /")
    router.wait_for(pending=1)
    client.sendall(http("alice.example")[5:])
    got = router.instances[A].receive()
    got.read(len(http("alice.example")))
    got.close()
    assert read_to_end(client) == b""
    client.close()


def test_bytes_after_hand_off_do_not_wake_the_router(router):
    client = router.connect(send=b"GET /")
    router.wait_for(pending=1)
    client.sendall(http("alice.example")[5:])
    got = router.instances[A].receive()
    before = router.cpu_sec()
    got.read(len(http("alice.example")))
    for _ in range(2000):
        client.sendall(b"x" * 64)
        got.read(64)
    assert router.cpu_sec() - before < 0.01
    got.close()
    client.close()


def test_instance_has_no_way_back(router):
    """The router's ends of hand-off sockets have no name to which an instance could send."""
    router.expect(A, http("alice.example"))
    folder = f"/proc/{router.process.pid}/fd"
    inodes = {os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}
    with open("/proc/net/unix", encoding="ascii") as file:
        lines = [line.split() for line in file if "Inode" not in line]
    ours = [words for words in lines if f"socket:[{words[6]}]" in inodes]
    assert ours and all(len(words) == 7 for words in ours), ours


def test_counts_and_states_are_told_to_systemd():
    with Router({A: "Host=alice.example", B: "Host=bob.example"}) as router:
        router.expect(A, http("alice.example"))
        router.ask(http("unknown.test"))
        router.connect().close()
        # By itself, without being asked.
        text = router.notify.wait("accepted 3")
        assert text == "STATUS=2 instances; accepted 3, handed off 1, refused 1, gone 1, pending 0, redirected 0, challenges 0"
        router.process.send_signal(signal.SIGHUP)
        assert re.search(r"^MONOTONIC_USEC=\d+$", router.notify.wait("^RELOADING=1$"), re.MULTILINE)
        router.notify.wait("^READY=1$")


def test_many_at_once_are_all_handed_off(router):
    before = router.counts()
    for _ in range(10):
        clients = [(name, router.connect(number, send=make(host))) for number in (0, 1)
                   for make in (http, hello) for host, name in (("alice.example", A), ("bob.example", B))]
        for name, client in clients:
            got = router.instances[name].receive()
            got.close()
        for _, client in clients:
            client.close()
    after = router.counts()
    assert after.handed_off - before.handed_off == 80 and after.accepted - before.accepted == 80


# --- socket activation ---


@pytest.mark.parametrize("number", [0, 1])
def test_more_wait_than_are_accepted_at_once(router, number):
    """All of them, although the kernel tells only once that they are there."""
    with router.paused():
        clients = [router.connect(number, send=http("nobody.test")) for _ in range(200)]
    for client in clients:
        assert parse_reply(read_to_end(client))[0] == 421
        client.close()


def test_socket_activate():
    """As the help text says, without systemd as PID 1."""
    router = Router({A: "Host=alice.example"})
    router.instances[A].no_delay = False
    try:
        router.listeners[0].close()
        with open(f"{router.folder}/stderr", "ab") as log:
            router.process = subprocess.Popen(
                ["systemd-socket-activate", "-E", f"NOTIFY_SOCKET={router.notify.path}",
                 *(word for name in os.environ if name.endswith("SAN_OPTIONS") for word in ("-E", name)),
                 "-l", "%s:%d" % router.addresses[0], "--fdname=public", *router.command()],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=router.environment())
        router.wait_until(lambda: "Listening on" in router.errors(), "listening")
        client = router.connect(send=http("alice.example"))  # starts it
        router.notify.wait("^READY=1")
        router.deliver(A, http("alice.example"), client)
        router.expect(A, hello("alice.example"))
        assert router.stop().handed_off == 2
    finally:
        router.close()
