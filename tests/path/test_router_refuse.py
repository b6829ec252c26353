# SPDX-License-Identifier: MIT
"""The router refuses: what a client is told, that it is told in whole, and that it is counted."""

import select
import socket
import struct
import threading
import time

import pytest
from router import (A, ALERT_DECODE_ERROR, ALERT_HANDSHAKE_FAILURE, ALERT_INTERNAL_ERROR, ALERT_UNRECOGNIZED_NAME, B,
                    Router, alert, extension, hello, hello_message, http, parse_reply, read_to_end, records,
                    server_name)

ALICE = {A: "Host=alice.example *.shop.example"}
SHORT_SEC = 0.3
SHORT = "SniffTimeoutSec=300ms"
LATE_SEC = 9  # far more than any deadline here, and less than the default of 10 s


@pytest.fixture(name="router")
def _router():
    with Router(ALICE) as router:
        yield router


@pytest.fixture(name="hasty")
def _hasty():
    with Router(ALICE, SHORT) as router:
        yield router


def raw_extensions(*extensions):
    """A hello with just these extensions."""
    body = struct.pack("!H32sB", 0x0303, b"r" * 32, 0) + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack("!H", len(b"".join(extensions))) + b"".join(extensions)
    return records(b"\x01" + struct.pack("!I", len(body))[1:] + body)


def refused(router, data, answer):
    """Each kind of listener gives this answer and counts it."""
    for number in (0, 1):
        before = router.counts().refused
        assert router.ask(data, number) == answer, data
        assert router.counts().refused == before + 1
    assert router.instances[A].is_empty()


def refused_http(router, data, status):
    before = router.counts().refused
    got = [parse_reply(router.ask(data, number)) for number in (0, 1)]
    assert [reply[0] for reply in got] == [status, status]
    assert router.counts().refused == before + 2
    assert router.instances[A].is_empty()
    return got[0]


# --- TLS ---


@pytest.mark.parametrize("data", [
    hello("unknown.test"), hello("shop.example"), hello(), hello("192.0.2.1"), hello("::1"), hello("a..example"),
    hello("alice.example.."), hello("-a.shop.example"), hello("a" * 64 + ".shop.example"), hello("al ice.example"),
    hello("a." * 121 + "shop.example"), hello("b\xfccher.shop.example".encode("latin-1")),
    raw_extensions(),
], ids=["unknown", "suffix of a wildcard", "none", "IPv4", "IPv6", "empty label", "two dots", "hyphen", "long label",
        "space", "254 bytes", "not ASCII", "no extension at all"])
def test_no_route_for_server_name(router, data):
    refused(router, data, alert(ALERT_UNRECOGNIZED_NAME))


MALFORMED_TLS = {
    "alert instead of handshake": (10, alert(0)),
    "application data": (10, b"\x17\x03\x03\x00\x01x"),
    "SSL 2.0": (50, b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"),
    "version 2": (50, b"\x16\x02\x00\x00\x40\x01"),
    "empty record": (10, b"\x16\x03\x01\x00\x00"),
    "record of 16385 bytes": (22, b"\x16\x03\x01\x40\x01\x01"),
    "server hello": (10, records(b"\x02" + hello_message("alice.example")[1:])),
    "no cipher suite": (47, hello("alice.example").replace(b"\x00\x04\x13\x01\xc0\x2b", b"\x00\x00\x13\x01\xc0\x2b")),
    "two server names": (47, raw_extensions(server_name("alice.example"), server_name("alice.example"))),
    "empty server name": (50, raw_extensions(server_name(""))),
    "NUL in name": (112, raw_extensions(server_name(b"alice.example\0.evil.test"))),
    "name longer than its extension": (50, raw_extensions(extension(0, b"\x00\x10\x00\x00\x0dalice"))),
    "other record within": (10, hello("alice.example", record=50)[:55] + b"\x17" + hello("alice.example", record=50)[56:]),
}


@pytest.mark.parametrize("number, data", MALFORMED_TLS.values(), ids=MALFORMED_TLS.keys())
def test_malformed_hello(router, number, data):
    """The alerts of RFC 8446 section 6.2."""
    refused(router, data, alert(number))


def test_hello_that_announces_too_much_is_refused_at_once():
    with Router(ALICE, "SniffMaxBytes=8K") as router:
        router.expect(A, hello("alice.example", 8192 - 5))
        big = hello("alice.example", 8193 - 5)
        refused(router, big[:9], alert(ALERT_DECODE_ERROR))
        refused(router, big, alert(ALERT_DECODE_ERROR))


# --- HTTP ---


@pytest.mark.parametrize("host", ["unknown.test", "unknown.test:80", "shop.example", "192.0.2.1", "[::1]:80"])
def test_421_for_unknown_host(router, host):
    refused_http(router, http(host), 421)


BAD_HTTP = {
    "no Host": http(None),
    "empty Host": http(""),
    "two Hosts": http("alice.example", fields=["Host: alice.example"]),
    "two different Hosts": http("alice.example", fields=["hOST: bob.example"]),
    "garbage": b"hello world\r\n\r\n",
    "one byte of garbage": b"\0",
    "space before colon": b"GET / HTTP/1.1\r\nHost : alice.example\r\n\r\n",
    "folded line": b"GET / HTTP/1.1\r\nX: y\r\n Host: alice.example\r\n\r\n",
    "LF only": b"GET / HTTP/1.1\nHost: alice.example\n\n",
    "NUL in Host": b"GET / HTTP/1.1\r\nHost: alice.example\0\r\n\r\n",
    "list of Hosts": http("alice.example, bob.example"),
    "userinfo": http("bob@alice.example"),
    "port too large": http("alice.example:65536"),
    "no port behind the colon": http("alice.example:"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2.0": http("alice.example", version="2.0"),
    "HTTP/0.9": b"GET /\r\n",
    "absolute target without Host": http(None, "http://alice.example/"),
    "bad absolute target": http("alice.example", "ftp://alice.example/"),
    "bad host": http("alice..example"),
}


@pytest.mark.parametrize("data", BAD_HTTP.values(), ids=BAD_HTTP.keys())
def test_400(router, data):
    refused_http(router, data, 400)


def test_431_for_a_large_head():
    with Router(ALICE, "SniffMaxBytes=4K") as router:
        room = 4096 - len(http("alice.example", fields=["X: "]))
        router.expect(A, http("alice.example", fields=["X: " + "x" * room]))
        refused_http(router, http("alice.example", fields=["X: " + "x" * (room + 1)]), 431)
        refused_http(router, b"GET /" + b"x" * 4096, 431)


def test_431_with_default_limit(router):
    room = 65536 - len(http("alice.example", fields=["X: "]))
    router.expect(A, http("alice.example", fields=["X: " + "x" * room]))
    refused_http(router, http("alice.example", fields=["X: " + "x" * (room + 1)]), 431)


def test_503_without_hand_off_socket():
    with Router({A: "Host=alice.example", B: "Host=bob.example"}, absent=[B]) as router:
        with router.paused():  # its bytes are there when it is accepted
            client = router.connect(send=http("bob.example"))
        read_to_end(client)
        client.close()
        assert router.errors().count(f"bellhop@{B}.socket is active") == 1  # it is said once for each
        status, fields, _ = refused_http(router, http("bob.example"), 503)
        assert status == 503 and int(fields["Retry-After"]) > 0
        refused(router, hello("bob.example"), alert(ALERT_INTERNAL_ERROR))
        router.expect(A, http("alice.example"))
        # And it is used as soon as it is there.
        router.add_socket(B)
        router.expect(B, http("bob.example"))


def test_hand_off_socket_of_somebody_else_is_not_used():
    with Router({A: "Host=alice.example"}, absent=[A]) as router:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.bind(f"{router.folder}/run/{A}.handoff")
        stream.listen()
        assert parse_reply(router.ask(http("alice.example")))[0] == 503
        stream.close()


def test_nothing_the_client_sent_comes_back(router):
    assert b"evil" not in router.ask(http("evil.test", "/evil", fields=["X: evil"]))
    assert b"evil" not in router.ask(b"evil\r\n\r\n")


def test_log_shows_only_checked_names(router):
    router.ask(http("good-name.test"))
    router.ask(http("bad\x1b[31mname.test"))
    router.ask(hello(b"bad\n<1>name.test"))
    router.wait_until(lambda: router.errors().count("refused ") == 3, "three refusals in the log")
    log = router.errors()
    assert "'good-name.test'" in log and "bad" not in log and "\x1b" not in log
    assert all(line.startswith("<") and "127.0.0.1:" in line for line in log.splitlines() if "refused " in line)


# --- in time ---


def in_time(start):
    return SHORT_SEC * 0.99 <= time.monotonic() - start < LATE_SEC


@pytest.mark.parametrize("data", [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\n", http("alice.example")[:-1]],
                         ids=["silence", "empty line", "one byte", "request line", "all but one byte"])
def test_408(hasty, data):
    start = time.monotonic()
    status, _, _ = parse_reply(hasty.ask(data))
    assert status == 408 and in_time(start)
    assert hasty.counts() == (1, 1, 0, 1, 0, 0)


@pytest.mark.parametrize("size", [1, 5, 9, 100, len(hello("alice.example")) - 1])
def test_alert_for_silence(hasty, size):
    start = time.monotonic()
    assert hasty.ask(hello("alice.example")[:size]) == alert(ALERT_HANDSHAKE_FAILURE)
    assert in_time(start)
    assert hasty.counts().refused == 1


def test_no_words_for_silence_on_port_443():
    """A silent client there expects TLS, and would treat text as a broken handshake."""
    try:
        router = Router(ALICE, SHORT, listen_on=[("127.76.54.32", 443)])
    except PermissionError:
        pytest.skip("port 443 needs root")
    with router:
        assert router.ask(b"") == b""
        assert router.ask(hello()[:1]) == alert(ALERT_HANDSHAKE_FAILURE)
        assert parse_reply(router.ask(b"GET "))[0] == 408
        assert parse_reply(router.ask(b"\0"))[0] == 400
        assert router.counts().refused == 4


@pytest.mark.parametrize("begin,drop,answer", [
    (b"GET / HTTP/1.1\r\nX: ", b"x", None),
    (hello("alice.example", 16000)[:20], b"\0", alert(ALERT_HANDSHAKE_FAILURE)),
    (b"", b"\r\n", None),
], ids=["HTTP", "TLS", "empty lines"])
def test_trickling_bytes_do_not_extend_the_deadline(hasty, begin, drop, answer):
    n_sent = 0
    while n_sent < 3:  # on a machine that stalls, the deadline passes before
        n_sent, start = 0, time.monotonic()
        with hasty.connect(send=begin) as client:
            while not select.select([client], [], [], 0.05)[0]:
                assert time.monotonic() - start < LATE_SEC
                if n_sent < 9:  # ten empty lines are too many
                    client.sendall(drop)
                    n_sent += 1
            assert in_time(start)
            reply = read_to_end(client)
        assert reply == answer if answer else parse_reply(reply)[0] == 408


def test_each_has_its_own_deadline(hasty):
    """And a later one does not put off the earlier."""
    clients = []
    for _ in range(6):
        clients.append((time.monotonic(), hasty.connect(send=b"G")))
        # Until another 50 ms of the first one's time have gone by.
        select.select([clients[0][1]], [], [], 0.05)
    for start, client in clients:
        assert parse_reply(read_to_end(client))[0] == 408 and in_time(start)
        client.close()
    assert hasty.counts().refused == 6


# --- received whole ---


MUCH = 200 * 1024
UNREAD = {
    "421 with a body": (http("unknown.test", method="POST", fields=[f"Content-Length: {MUCH}"]) + b"x" * MUCH, 421),
    "400 and more": (b"garbage\r\n\r\n" + b"x" * MUCH, 400),
    "431 for a head without end": (b"GET / HTTP/1.1\r\nX: " + b"x" * MUCH, 431),
    "unknown name and more": (hello("unknown.test") + b"x" * MUCH, ALERT_UNRECOGNIZED_NAME),
    "malformed and more": (b"\x16\x02" + b"x" * MUCH, ALERT_DECODE_ERROR),
    "hello too large": (records(b"\x01\x01\xff\xff" + bytes(35) + b"\xff\xfe" + bytes(0x1ffff - 37)),
                        ALERT_DECODE_ERROR),
}


def assert_no_reset(client):
    """Linux lets a client read what came before a reset; others may throw it away."""
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def check_answer(reply, answer):
    if answer < 256:
        assert reply == alert(answer)
    else:
        assert parse_reply(reply)[0] == answer


@pytest.mark.parametrize("data,answer", UNREAD.values(), ids=UNREAD.keys())
def test_refusal_arrives_whole_although_nobody_reads(router, data, answer):
    for number in (0, 1) * 10:
        with router.connect(number) as client:
            sender = threading.Thread(target=client.sendall, args=(data,))
            sender.start()
            sender.join()
            # Only now it reads: a reset before would have thrown the answer away.
            check_answer(read_to_end(client), answer)
            assert_no_reset(client)
    assert router.counts().refused == 20


@pytest.mark.parametrize("data,answer", [(http("unknown.test"), 421), (hello("unknown.test"), ALERT_UNRECOGNIZED_NAME)],
                         ids=["HTTP", "TLS"])
def test_refusal_arrives_whole_although_more_comes_after_it(router, data, answer):
    with router.connect(send=data) as client:
        assert select.select([client], [], [], LATE_SEC)[0]
        client.sendall(b"x" * MUCH)
        check_answer(read_to_end(client), answer)
        assert_no_reset(client)


@pytest.mark.parametrize("data,answer", [(http("bob.example"), 503), (hello("bob.example"), ALERT_INTERNAL_ERROR)],
                         ids=["HTTP", "TLS"])
def test_refusal_for_lack_of_instance_arrives_whole(data, answer):
    with Router({B: "Host=bob.example"}, absent=[B]) as router:
        for _ in range(10):
            with router.connect(send=data + b"x" * MUCH) as client:
                check_answer(read_to_end(client), answer)


def test_refused_client_is_cut_off_in_the_end(router):
    """A client that sends for ever is cut off."""
    with router.connect(send=http("unknown.test")) as client:
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < LATE_SEC:
                client.sendall(b"x" * 65536)
    idle = [router.connect(send=http("unknown.test")) for _ in range(5)]
    with_idle = router.n_fds()
    assert all(parse_reply(read_to_end(client))[0] == 421 for client in idle)
    # They neither send nor close: after a while they are closed all the same.
    router.wait_until(lambda: router.n_fds() <= with_idle - 5, "closing of those that stay")
    for client in idle:
        client.close()


# --- clients that leave ---


def test_half_close_after_a_whole_head(router):
    for data in (http("alice.example"), hello("alice.example")):
        with router.connect(send=data) as client:
            client.shutdown(socket.SHUT_WR)
            got = router.instances[A].receive()
            assert read_to_end(got.socket) == data
            got.socket.sendall(b"answer")
            got.close()
            assert read_to_end(client) == b"answer"


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("data,answer", [(b"GET / HTTP/1.1\r\n", 400),
                                         (hello("alice.example")[:9], ALERT_DECODE_ERROR)], ids=["HTTP", "TLS"])
def test_half_close_within_a_head_is_refused_at_once(router, data, answer, wait):
    """Nothing can come any more: no need to wait for the deadline of 10 s."""
    start = time.monotonic()
    with router.connect(send=data) as client:
        if wait:
            router.wait_for(pending=1)
        client.shutdown(socket.SHUT_WR)
        check_answer(read_to_end(client), answer)
    assert time.monotonic() - start < LATE_SEC
    assert router.counts().pending == 0


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "later"])
def test_leaving_without_a_byte_is_counted_as_gone(router, wait):
    for how in ("close", "reset"):
        client = router.connect()
        if wait:
            router.wait_for(pending=1)
        leave(client, how)
    assert router.wait_for(accepted=2, pending=0) == (1, 2, 0, 0, 2, 0)


def leave(client, how):
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("data", [http("alice.example"), hello("alice.example")], ids=["HTTP", "TLS"])
def test_reset_at_any_moment(router, data, wait):
    """After a reset within the head, there is no client to refuse."""
    sizes = range(0, len(data) - 1, 7)
    for i, size in enumerate(sizes):
        client = router.connect(send=data[:size])
        if wait:
            router.wait_for(accepted=i + 1, pending=1)
        leave(client, "reset")
    n = len(sizes)
    assert router.wait_for(accepted=n, pending=0) == (1, n, 0, 0, n, 0)
    router.expect(A, data)


def test_reset_after_the_head(router):
    """It may be handed off or not, but the router lives, and the next one is served."""
    for _ in range(10):  # as many as there is room for
        leave(router.connect(send=http("alice.example")), "reset")
    counts = router.wait_for(accepted=10, pending=0)
    for _ in range(counts.handed_off):
        data, fds, _, _ = socket.recv_fds(router.instances[A].socket, 1024, 16)
        assert data[:4] == b"BHOP"
        socket.socket(fileno=fds[0]).close()
    router.expect(A, http("alice.example"))


def test_reset_while_being_refused(router):
    for size in (0, 1, 64 * 1024):
        for _ in range(10):
            leave(router.connect(send=http("unknown.test") + b"x" * size), "reset")
    counts = router.wait_for(accepted=30, pending=0)
    assert counts.refused + counts.gone == 30
    router.expect(A, http("alice.example"))
