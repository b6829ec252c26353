# SPDX-License-Identifier: MIT
"""The router behind proxies with the PROXY protocol: which proxies it trusts, and what it leaves unchanged."""

import contextlib
import socket
import struct

import pytest
from handoff import PROTOCOL_HTTP, PROTOCOL_TLS, REASON_ADDRESS, REASON_HOST, REASON_SERVER_NAME
from router import (A, ALERT_DECODE_ERROR, ALERT_INTERNAL_ERROR, B, Router, alert, hello, http, openssl_hello,
                    parse_reply, read_to_end)

ALICE = {A: "Host=alice.example *.shop.example"}
PROXIES = "TrustedProxy=127.0.0.1 ::1"
OTHER = "127.0.0.9"  # loopback too, but no proxy
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source, port=4711):
    family, local = ("TCP6", "2001:db8::1") if ":" in source else ("TCP4", "198.51.100.1")
    return f"PROXY {family} {source} {local} {port} 443\r\n".encode()


def v2(source, port=4711, tlvs=b""):
    v6 = ":" in source
    family = socket.AF_INET6 if v6 else socket.AF_INET
    ends = b"".join(socket.inet_pton(family, ip) for ip in (source, "2001:db8::1" if v6 else "198.51.100.1"))
    body = ends + struct.pack("!HH", port, 443) + tlvs
    return SIGNATURE + struct.pack("!BBH", 0x21, 0x21 if v6 else 0x11, len(body)) + body


HEADERS = {
    "v1 IPv4": v1("192.0.2.7"),
    "v1 IPv6": v1("2001:db8::7"),
    "v1 unknown": b"PROXY UNKNOWN\r\n",
    "v1 unknown with addresses": b"PROXY UNKNOWN " + 2 * (b"ffff:" * 7 + b"ffff ") + b"65535 65535\r\n",
    "v2 IPv4": v2("192.0.2.7"),
    "v2 IPv6": v2("2001:db8::7"),
    "v2 with TLVs": v2("192.0.2.7", tlvs=b"\x02\x00\x05x.com" + b"\x04\x10\x00" + bytes(4096)),
    "v2 local": SIGNATURE + b"\x20\x00\x00\x00",
    "v2 unspecified": SIGNATURE + b"\x21\x00\x00\x00",
}
each_header = pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())


@pytest.fixture(name="router")
def _router():
    with Router(ALICE, PROXIES) as router:
        yield router


def refused_for(router):
    """The refused clients in the log."""
    return [line.split("refused ")[1] for line in router.errors().splitlines() if "refused " in line]


def pending(client, router, n):
    router.wait_for(pending=n)
    return client


# --- from trusted proxies ---


@each_header
@pytest.mark.parametrize("number", [0, 1], ids=["by IPv4", "by IPv6"])
def test_header_is_stepped_over_and_handed_over(router, header, number):
    got = router.expect(A, header + hello("alice.example"), number)
    assert (got.reason, got.protocol, got.host) == (REASON_SERVER_NAME, PROTOCOL_TLS, "alice.example")
    got = router.expect(A, header + http("x.shop.example"), number)
    assert (got.reason, got.protocol, got.host) == (REASON_HOST, PROTOCOL_HTTP, "x.shop.example")


@pytest.mark.parametrize("header", [v1("2001:db8::7"), v2("192.0.2.7", tlvs=b"\x04\x00\x03abc"), b"PROXY UNKNOWN\r\n"],
                         ids=["v1", "v2", "unknown"])
@pytest.mark.parametrize("said", [hello("alice.example", record=40), http("alice.example")], ids=["TLS", "HTTP"])
def test_one_byte_a_segment(router, header, said):
    data = header + said
    client = router.connect()
    for i in range(len(data)):
        client.sendall(data[i:i + 1])
    router.deliver(A, data, client)


def test_each_half_waits_for_the_other(router):
    """Header and hello cut anywhere: the router waits for the rest, without being busy."""
    said = hello("alice.example", 2000, record=600)
    for header in (v1("192.0.2.7"), v2("2001:db8::7")):
        data = header + said
        for cut in (1, 5, 12, 16, len(header) - 1, len(header), len(header) + 1, len(header) + 5, len(data) - 1):
            client = pending(router.connect(send=data[:cut]), router, 1)
            client.sendall(data[cut:])
            router.deliver(A, data, client)
    client = pending(router.connect(send=v1("192.0.2.7") + said[:900]), router, 1)
    assert router.busy(0.3) < 0.1
    client.sendall(said[900:])
    router.deliver(A, v1("192.0.2.7") + said, client)


def test_openssl_hello_in_records(router):
    said = openssl_hello("alice.example")
    pieces = b"".join(said[:3] + struct.pack("!H", len(part)) + part
                      for part in (said[5:9], said[9:60], said[60:]))
    for header in HEADERS.values():
        router.expect(A, header + said)
        router.expect(A, header + pieces)


def test_size_limit_counts_the_header():
    with Router(ALICE, f"{PROXIES}\nSniffMaxBytes=8K") as router:
        header = v2("192.0.2.7", tlvs=b"\x04\x0f\x00" + bytes(0xf00))
        router.expect(A, header + hello("alice.example", 8192 - 5 - len(header)))
        assert router.ask(header + hello("alice.example", 8193 - 5 - len(header))) == alert(ALERT_DECODE_ERROR)
        # A header that announces too much is not waited for.
        assert parse_reply(router.ask(SIGNATURE + b"\x21\x11\x1f\xf1"))[0] == 431


def test_largest_header():
    with Router(ALICE, f"{PROXIES}\nSniffMaxBytes=128K") as router:
        header = v2("192.0.2.7", tlvs=b"\x04\xff\xf0" + bytes(0xfff0))
        assert len(header) == 16 + 65535
        client = router.connect()
        client.sendall(header + hello("alice.example"))
        router.deliver(A, header + hello("alice.example"), client)


@pytest.mark.parametrize("said", [
    hello("alice.example"), alert(0), http("alice.example"), b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n", b"PROXY UNKNOWN\nGET / HTTP/1.1\r\n",
    b"PROXY " + b"x" * 200, b"PROXY UNKNOWN " + b"x" * 100, SIGNATURE + b"\x11", SIGNATURE + b"\x21\x12",
    SIGNATURE + b"\x21\x11\x00\x0b", b"\r\n\r\n\0\r\nQUIX\n",
], ids=["hello", "alert", "request", "one port", "wrong family", "bare LF", "no family", "no end", "version 1", "UDP",
        "too short", "signature"])
def test_missing_or_malformed_header_is_refused(router, said):
    reply = router.ask(said)
    if said[0] in (21, 22):
        assert reply == alert(ALERT_DECODE_ERROR)
    else:
        assert parse_reply(reply)[0] == 400
    assert router.counts().refused == 1 and router.instances[A].is_empty()
    # Nobody else is known than the proxy itself.
    assert len(refused_for(router)) == 1
    assert refused_for(router)[0].startswith("127.0.0.1:") and refused_for(router)[0].endswith(": malformed")


def test_second_header_is_none(router):
    assert parse_reply(router.ask(v1("192.0.2.7") + v1("192.0.2.8") + http("alice.example")))[0] == 400
    assert parse_reply(router.ask(v1("192.0.2.7") + v2("192.0.2.8") + http("alice.example")))[0] == 400


def test_health_checks_are_not_refused(router):
    """What connects and goes, with or without a header, wanted nothing."""
    for said in (b"", SIGNATURE + b"\x20\x00\x00\x00", v1("192.0.2.7")):
        with router.connect(send=said) as client:
            client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):  # the header is left unread
                assert read_to_end(client) == b""
    assert router.counts()[3:] == (0, 3, 0)
    # But who stops in the middle has sent something broken.
    with router.connect(send=v1("192.0.2.7")[:-1]) as client:
        client.shutdown(socket.SHUT_WR)
        assert parse_reply(read_to_end(client))[0] == 400
    assert router.counts()[3:] == (1, 3, 0)


# --- from others ---


@each_header
@pytest.mark.parametrize("settings", ["", "TrustedProxy=192.0.2.0/24 127.0.0.2/31 2001:db8::/32"],
                         ids=["nobody trusted", "others trusted"])
def test_header_of_untrusted_is_refused(header, settings):
    with Router(ALICE, settings) as router:
        for said in (hello("alice.example"), http("alice.example"), b""):
            for number in (0, 1):
                assert parse_reply(router.ask(header + said + b"\r\n", number))[0] == 400
        assert router.counts().refused == 6 and router.instances[A].is_empty()
        for peer in refused_for(router):
            assert peer.startswith(("127.0.0.1:", "[::1]:")) and peer.endswith(": malformed")


def test_others_need_no_header(router):
    said = hello("alice.example")
    router.deliver(A, said, router.connect(source=OTHER, send=said))
    with router.connect(source=OTHER, send=v1("192.0.2.7") + said) as client:
        assert parse_reply(read_to_end(client))[0] == 400


def test_reload_changes_who_is_trusted(router):
    router.expect(A, v1("192.0.2.7") + http("alice.example"))
    router.write("router.conf", "[Router]\n")
    router.reload()
    assert parse_reply(router.ask(v1("192.0.2.7") + http("alice.example")))[0] == 400
    router.expect(A, http("alice.example"))
    # A mistake leaves the file out, which believes nobody.
    path = router.write("router.conf", "[Router]\nTrustedProxy=127.0.0.1/8\n")
    router.reload()
    assert f"{path}:2: TrustedProxy=127.0.0.1/8 has bits set after the prefix; write 127.0.0.0/8" in router.errors()
    router.expect(A, http("alice.example"))


# --- by address ---


def test_route_by_address_reads_nothing():
    with Router({A: "Address=127.0.0.1", B: "Host=bob.example"}, PROXIES) as router:
        for said in (v1("192.0.2.7") + hello("bob.example"), hello("bob.example"), b"junk"):
            assert router.expect(A, said).reason == REASON_ADDRESS
        client = router.connect()  # silent
        got = router.instances[A].receive()
        got.close()
        client.close()
        router.expect(B, v2("192.0.2.7") + hello("bob.example"), number=1)


# --- whose connection it is ---


def test_real_client_in_log(router):
    router.ask(v1("192.0.2.7", 1) + hello("unknown.test"))
    router.ask(v2("2001:db8::7", 2) + http("unknown.test"))
    router.ask(v2("192.0.2.8", 3) + b"\x16junk")
    assert refused_for(router) == ["192.0.2.7:1: unknown-host 'unknown.test'",
                                   "[2001:db8::7]:2: unknown-host 'unknown.test'", "192.0.2.8:3: malformed"]
    for own in (HEADERS["v1 unknown with addresses"], HEADERS["v2 local"], HEADERS["v2 unspecified"]):
        router.ask(own + hello("unknown.test"))
        assert refused_for(router)[-1].startswith("127.0.0.1:")


def test_real_client_in_log_after_a_wait():
    with Router(ALICE, f"{PROXIES}\nSniffTimeoutSec=1s") as router:
        with router.connect(send=v1("192.0.2.7")) as client:
            assert parse_reply(read_to_end(client))[0] == 408
        with router.connect(send=v1("192.0.2.8")[:20]) as client:
            router.wait_for(pending=1)
            client.sendall(v1("192.0.2.8")[20:])
            assert parse_reply(read_to_end(client))[0] == 408
        with router.connect(send=v1("192.0.2.9")[:20]) as client:
            assert parse_reply(read_to_end(client))[0] == 408
        first, second, third = refused_for(router)
        assert (first, second) == ("192.0.2.7:4711: timeout", "192.0.2.8:4711: timeout")
        assert third.startswith("127.0.0.1:")


LIMITED = f"{PROXIES}\nPendingMaxPerSource=2"


@pytest.mark.parametrize("header,neighbour,same", [
    (v1("192.0.2.7"), v1("192.0.2.8"), v2("192.0.2.7", 99)),
    (v2("2001:db8::7"), v1("2001:db8:0:1::7"), v2("2001:db8::8")),
    (v1("192.0.2.7"), v2("2001:db8::7"), v1("::ffff:192.0.2.7")),
], ids=["IPv4", "IPv6 by prefix", "mapped"])
def test_source_limit_is_of_the_real_client(header, neighbour, same):
    with Router(ALICE, LIMITED) as router:
        waiting = [pending(router.connect(send=header + b"\x16"), router, n) for n in (1, 2)]
        for one_more in (header, same):
            assert router.ask(one_more + hello("alice.example")[:20]) == alert(ALERT_INTERNAL_ERROR)
        assert all(": source-limit" in line for line in refused_for(router))
        # A client through the same proxy counts separately, and connections
        # that need not wait are not limited.
        waiting.append(pending(router.connect(send=neighbour + b"\x16"), router, 3))
        router.expect(A, header + hello("alice.example"))
        waiting.pop(0).close()
        router.wait_for(pending=2)
        waiting.append(pending(router.connect(send=header + b"\x16"), router, 3))
        for client in waiting:
            client.close()


def test_source_limit_waits_for_the_header():
    """Half a header counts for nobody, not for the proxy; the rest of it for the client."""
    with Router(ALICE, LIMITED) as router:
        header = v1("192.0.2.7")
        waiting = [pending(router.connect(send=header[:20]), router, n) for n in range(1, 6)]
        for client in waiting[:2]:
            client.sendall(header[20:] + b"\x16")
        router.wait_until(router.sleeps, "sleep")
        router.counts()
        waiting[2].sendall(header[20:] + b"\x16")
        assert read_to_end(waiting[2]) == alert(ALERT_INTERNAL_ERROR)
        assert refused_for(router) == ["192.0.2.7:4711: source-limit"]
        waiting[3].sendall(header[20:] + hello("alice.example"))
        router.deliver(A, header + hello("alice.example"), waiting[3])
        for client in waiting:
            client.close()


@pytest.mark.parametrize("header,source", [(v1("192.0.2.7"), None), (b"", OTHER)], ids=["by proxy", "direct"])
def test_each_connection_counts_once(header, source):
    """However often it is looked at while it waits."""
    with Router(ALICE, LIMITED) as router:
        data = header + http("alice.example")
        for _ in range(2):
            client = pending(router.connect(source=source, send=data[:len(header) + 1]), router, 1)
            for i in range(len(header) + 1, len(header) + 9):
                client.sendall(data[i:i + 1])
                router.wait_until(router.sleeps, "sleep")
                assert router.counts().pending == 1
            second = pending(router.connect(source=source, send=header + b"\x16"), router, 2)
            client.sendall(data[len(header) + 9:])
            router.deliver(A, data, client)
            second.close()
            router.wait_for(pending=0)


def test_source_limit_of_the_proxy_itself():
    """LOCAL and UNKNOWN are the proxy's own connections."""
    with Router(ALICE, LIMITED) as router:
        waiting = [pending(router.connect(send=header + b"\x16"), router, n + 1)
                   for n, header in enumerate((HEADERS["v2 local"], HEADERS["v1 unknown"]))]
        assert router.ask(HEADERS["v2 unspecified"] + b"\x16\x03") == alert(ALERT_INTERNAL_ERROR)
        waiting.append(pending(router.connect(send=v1("192.0.2.7") + b"\x16"), router, 3))
        for client in waiting:
            client.close()
