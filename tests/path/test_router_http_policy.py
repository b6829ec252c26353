# SPDX-License-Identifier: MIT
"""What the router answers for a site that need not wake up: Http=redirect and Http=refuse."""

import pytest
from router import A, B, Router, hello, http, parse_reply, read_to_end

CHALLENGE = "/.well-known/acme-challenge/"
ALICE = "Host=alice.example *.shop.example\nHttp="


def request(line, host="alice.example"):
    return f"{line} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def ask(router, data):
    client = router.connect(send=data)
    try:
        return read_to_end(client)
    finally:
        client.close()


def parse_redirect(data):
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize("line, host, status, location", [
    ("GET /", "alice.example", 301, "https://alice.example/"),
    ("HEAD /a?b=c&d=%20", "ALICE.example.:80", 301, "https://alice.example/a?b=c&d=%20"),
    ("POST /form", "alice.example", 308, "https://alice.example/form"),
    ("PUT /x", "a.b.shop.example", 308, "https://a.b.shop.example/x"),
    ("GET http://alice.example/p?q", "alice.example", 301, "https://alice.example/p?q"),
    ("GET http://alice.example", "alice.example", 301, "https://alice.example/"),
    ("GET http://alice.example?q", "alice.example", 301, "https://alice.example/?q"),
    ("OPTIONS *", "alice.example", 308, "https://alice.example/"),
    ("GET /.well-known/acme-challenge", "alice.example", 301, "https://alice.example/.well-known/acme-challenge"),
    ("GET //evil.example/", "alice.example", 301, "https://alice.example//evil.example/"),
])
def test_redirect(line, host, status, location):
    with Router({A: ALICE + "redirect"}) as router:
        seen, fields, body = parse_redirect(ask(router, request(line, host)))
        assert (seen, fields, body) == (status, {"Location": location, "Content-Length": "0", "Connection": "close"}, b"")
        assert router.instances[A].is_empty()
        counts = router.counts()
        assert (counts.refused, counts.redirected) == (0, 1)


@pytest.mark.parametrize("policy", ["redirect", "refuse"])
def test_challenge_and_tls_reach_the_instance(policy):
    with Router({A: ALICE + policy}) as router:
        for data in (request(f"GET {CHALLENGE}token"), hello("alice.example")):
            router.expect(A, data)


def test_a_path_too_long_for_a_redirect():
    with Router({A: ALICE + "redirect"}) as router:
        assert parse_reply(ask(router, request("GET /" + "x" * 9000)))[0] == 431


def test_refuse():
    with Router({A: ALICE + "refuse", B: "Host=bob.example"}) as router:
        status, _, body = parse_reply(ask(router, request("GET /")))
        assert status == 403 and "only over HTTPS" in body
        assert router.instances[A].is_empty()
        for instance, data in ((A, hello("alice.example")), (B, http("bob.example"))):
            router.expect(instance, data)


@pytest.mark.parametrize("policy", ["serve", "redirect", "refuse"])
def test_suspended(policy):
    """Also for its wildcards, what is nobody else's, and challenges; the instance answers over TLS."""
    with Router({A: f"{ALICE}{policy}\nDefault=yes\nSuspended=yes", B: "Host=bob.example"}) as router:
        for host in ("alice.example", "a.shop.example", "nobody.test"):
            for line in ("GET /", "POST /x", "OPTIONS *", f"GET {CHALLENGE}token"):
                status, fields, body = parse_reply(ask(router, request(line, host)))
                assert (status, body) == (503, "This website is suspended.\n")
                assert "retry-after" not in {name.lower() for name in fields}
        assert router.instances[A].is_empty()
        router.expect(A, hello("alice.example"))
        router.expect(B, http("bob.example"))
        router.write(f"instances/{A}.conf", f"[Instance]\n{ALICE}serve\nSuspended=no\n")
        router.reload()
        router.expect(A, http("alice.example"))


@pytest.mark.parametrize("part", [b"GET / HTTP/1.1\r\nHost: alice.example\r\n", b"GET /", hello("alice.example")[:-1]],
                         ids=["head", "line", "hello"])
def test_nobody_is_woken_by_half_a_request(part):
    with Router({A: "Host=alice.example"}) as router:
        client = router.connect(send=part)
        router.wait_for(pending=1)
        assert router.instances[A].is_empty()
        client.close()


def test_unknown_policy_is_an_error():
    with Router({A: ALICE + "maybe", B: "Host=bob.example"}) as router:
        assert router.counts().instances == 1
