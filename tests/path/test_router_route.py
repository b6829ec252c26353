# SPDX-License-Identifier: MIT
"""The question which way a connection would take, on the control socket: its answer is what really happens."""

import re

import pytest
from router import A, B, C, D, hello, http, parse_reply
from test_router_metrics import Scraped

HOSTS = {
    A: "Host=alice.example *.shop.example\nHost=*.example",
    B: "# the host\nHost=bob.example deep.shop.example\nHttp=redirect",
    C: "Host=carol.example\nHttp=refuse",
    D: "Address=127.0.0.2 127.0.0.3:{port}",
}
DEFAULT = {**HOSTS, C: HOSTS[C] + "\nDefault=yes"}
# host -> why, instance or reason over TLS, and over HTTP with and without default.
HAND_OFF = {
    "alice.example": ("exact", "alice.example", A, 2), "ALICE.Example.": ("exact", "alice.example", A, 2),
    "x.shop.example": ("wildcard", "*.shop.example", A, 2), "shop.example": ("wildcard", "*.example", A, 3),
    "deep.shop.example": ("exact", "deep.shop.example", B, 3), "bob.example": ("exact", "bob.example", B, 3),
    "carol.example": ("exact", "carol.example", C, 2), "nobody.test": None, "192.0.2.7": None, "a..b": None,
    "-": None, "": None,
}
LABEL = {"exact": ("server-name", "host"), "wildcard": ("server-name", "host"), "default": ("default",) * 2,
         "address": ("address",) * 2}


def router_with(instances):
    router = Scraped({}, listen_on=("127.0.0.1", "127.0.0.2", "127.0.0.3", ("127.0.0.3", 0)))
    for name, text in instances.items():
        router.write(f"instances/{name}.conf", f"[Instance]\n{text.format(port=router.addresses[2][1])}\n")
        router.add_socket(name)
    return router.start()


@pytest.fixture(name="router", scope="module")
def _router():
    with_default, without = router_with(DEFAULT), router_with(HOSTS)
    yield {True: with_default, False: without}
    for router in (with_default, without):
        router.stop()
        router.close()


def told(router, **question):
    query = "&".join(f"{key}={value}" for key, value in question.items() if value is not None)
    head, _, body = router.ask_control(http("localhost", f"/route?{query}")).decode("ascii").partition("\r\n\r\n")
    assert head == ("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nConnection: close\r\n"
                    f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}")
    assert re.fullmatch(r"([A-Z]+=[^\n]+\n)+", body)
    return dict(line.split("=", 1) for line in body.splitlines())


def expected_of(router, answer, tls):
    """What moves in the metrics when that answer is true."""
    if answer["OUTCOME"] == "hand-off":
        return {f"handed_off_{LABEL[answer['WHY']][not tls].replace('-', '_')}": 1,
                f"instance_handed_off_{answer['INSTANCE']}": 1}
    if answer["OUTCOME"] == "redirect":
        return {"redirected": 1, f"instance_redirected_{answer['INSTANCE']}": 1}
    reason = answer["REASON"].replace("-", "_")
    of_instance = {f"instance_refused_{answer['INSTANCE']}_{reason}": 1} if "INSTANCE" in answer else {}
    return {f"refused_{reason}": 1, **of_instance}


@pytest.mark.parametrize("with_default", [True, False], ids=["default", "no default"])
@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "HTTP"])
@pytest.mark.parametrize("host", HAND_OFF)
def test_answer_is_what_happens(router, host, tls, with_default):
    router = router[with_default]
    answer = told(router, protocol="tls" if tls else "http", host=host or None)
    found = HAND_OFF[host]
    if found and "REASON" not in answer:
        why, route, name, line = found
        assert [answer[key] for key in ("WHY", "ROUTE", "INSTANCE", "LINE")] == [why, route, name, str(line)]
        assert answer["FILE"] == f"{router.folder}/config/instances/{name}.conf"
    sent = hello(host or None) if tls else http(host or None)
    with router.moves(accepted=1, **expected_of(router, answer, tls)):
        if answer["OUTCOME"] == "hand-off":
            router.expect(answer["INSTANCE"], sent)
        else:
            router.ask(sent)


@pytest.mark.parametrize("number, route", [(1, "127.0.0.2"), (2, "127.0.0.3:{port}"), (3, None)])
def test_address(router, number, route):
    router = router[False]
    address, port = router.addresses[number]
    answer = told(router, protocol="tls", host="alice.example", address=f"{address}:{port}")
    if route:
        assert (answer["WHY"], answer["INSTANCE"]) == ("address", D)
        assert answer["ROUTE"] == route.format(port=router.addresses[2][1])
    else:
        assert (answer["WHY"], answer["INSTANCE"]) == ("exact", A)
    router.expect(answer["INSTANCE"], hello("alice.example"), number)


@pytest.mark.parametrize("query", [
    "", "host=alice.example", "protocol=", "protocol=TLS", "protocol=ftp", "protocol=tls&protocol=tls", "protocol=tls&",
    "protocol=tls&&host=a", "&protocol=tls", "protocol=tls&x=y", "protocol=tls&host", "protocol=tls&host=a&host=b",
    "protocol=tls&address=127.0.0.2", "protocol=tls&port=443", "protocol=tls&address=127.0.0.2:0",
    "protocol=tls&address=127.0.0.2:65536", "protocol=tls&address=127.0.0.2:443x", "protocol=tls&address=127.0.0.2:",
    "protocol=tls&address=%31:443", "protocol=tls&address=", "protocol=tls&address=:443",
    "protocol=tls&address=0.0.0.0:1", "protocol=tls?host=a", "protocol=tls&address=::1:443",
    "protocol=tls&address=[::1]:01", "protocol=tls&address=" + "1" * 300 + ":1"])
def test_what_is_no_question_is_refused(router, query):
    status, _, body = parse_reply(router[False].ask_control(http("localhost", f"/route?{query}")))
    assert status == 400 and body == "Ask for example /route?protocol=tls&host=alice.example.\n"


def test_nothing_of_the_question_comes_back(router):
    answer = told(router[False], protocol="tls", host="nobody-has-this.test")
    assert answer == {"OUTCOME": "refuse", "REASON": "unknown-host"}
    answer = told(router[False], protocol="http", host="a%0d%0aOUTCOME=hand-off")
    assert answer == {"OUTCOME": "refuse", "REASON": "malformed"}


def test_asking_changes_nothing(router):
    with router[True].moves():
        for _ in range(3):
            told(router[True], protocol="http", host="bob.example")


def test_other_ways_to_ask(router):
    status, _, body = parse_reply(router[True].ask_control(http("localhost", "/route", method="POST")))
    assert status == 405
    head = router[True].ask_control(http("localhost", "/route?protocol=tls", method="HEAD"))
    assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n")
