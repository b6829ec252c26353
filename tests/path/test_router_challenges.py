# SPDX-License-Identifier: MIT
"""Challenges of certificate authorities: those that are pending are answered, all else is as if there were none."""

import os
import select

import pytest
from handoff import PROTOCOL_TLS, PROTOCOL_UNKNOWN, REASON_ADDRESS, REASON_SERVER_NAME
from router import A, ALERT_INTERNAL_ERROR, B, FakeInstance, Router, alert, alpn, hello, http, parse_reply, read_to_end

TOKEN = "DGyRejmCefe7v4NfDGDKfA_-"
ANSWER = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
DIGEST = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"
PATH = "/.well-known/acme-challenge/"
ALICE = "Host=alice.example *.shop.example\nTls=acme\n"
ACME = alpn("acme-tls/1")


def ask_for(token=TOKEN, method="GET", host="alice.example", **kwargs):
    return http(host, PATH + token, method=method, **kwargs)


def parse_answer(data):
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    assert dict(line.split(": ", 1) for line in lines) == {
        "Content-Type": "application/octet-stream", "Content-Length": str(len(ANSWER)), "Cache-Control": "no-store",
        "Connection": "close"}
    return status, body.decode("ascii")


class Pending(Router):
    """A router with a challenge of each type for alice.example, and a responder in miniature."""

    def __init__(self, instances, *args, responder=True, **kwargs):
        super().__init__(instances, *args, **kwargs)
        self.pend(f"http-01/alice.example/{TOKEN}", ANSWER)
        self.pend("tls-alpn-01/alice.example", DIGEST)
        if responder:
            self.instances["acme-tls"] = FakeInstance(f"{self.folder}/run/acme-tls", self.uid)


# --- http-01 ---


@pytest.mark.parametrize("policy", ["serve", "redirect", "refuse"])
def test_pending_token_is_answered_and_nobody_is_woken(policy):
    with Pending({A: f"{ALICE}Http={policy}\nCanonical=alice.example"}) as router:
        for data in (ask_for(), ask_for(host="ALICE.example.:80"), ask_for(version="1.0"),
                     http("x.test", f"http://alice.example{PATH}{TOKEN}")):
            assert parse_answer(router.ask(data)) == ("HTTP/1.1 200 OK", ANSWER)
        assert parse_answer(router.ask(ask_for(method="HEAD"))) == ("HTTP/1.1 200 OK", "")
        assert router.instances[A].is_empty()
        counts = router.counts()
        assert (counts.challenges, counts.handed_off, counts.redirected, counts.refused) == (5, 0, 0, 0)


def test_whole_answer_arrives_although_more_was_sent():
    with Pending({A: ALICE}) as router:
        body = b"x" * 100000
        for data in (ask_for() * 3, ask_for(fields=["Content-Length: 100000"]) + body):
            assert parse_answer(router.ask(data))[1] == ANSWER


def test_behind_a_proxy():
    with Pending({A: ALICE}, "TrustedProxy=127.0.0.1") as router:
        header = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"
        assert parse_answer(router.ask(header + ask_for()))[1] == ANSWER
        router.expect("acme-tls", header + hello("alice.example", more=ACME))


def test_answer_vanishes_with_its_file():
    with Pending({A: ALICE}) as router:
        assert parse_answer(router.ask(ask_for()))[1] == ANSWER
        os.unlink(f"{router.folder}/challenges/http-01/alice.example/{TOKEN}")
        router.expect(A, ask_for())
        router.pend(f"http-01/alice.example/{TOKEN}", ANSWER)
        assert parse_answer(router.ask(ask_for()))[1] == ANSWER


@pytest.mark.parametrize("data", [
    ask_for("other"), ask_for(TOKEN.lower()), ask_for(""), ask_for(TOKEN + "/"), ask_for(TOKEN + "?"), ask_for(TOKEN + "?q"),
    ask_for(TOKEN + "="), ask_for("%44" + TOKEN[1:]), ask_for("./" + TOKEN), ask_for("../alice.example/" + TOKEN), ask_for(".."),
    ask_for("."), ask_for(".hidden"), ask_for("x" * 128), ask_for("x" * 129), ask_for("x" * 4000), ask_for(f"/{TOKEN}"),
    ask_for(method="POST"), ask_for(method="get"), ask_for(method="OPTIONS"), ask_for(method="GETX"),
    ask_for(host="a.shop.example"), http("alice.example", "/.well-known/acme-challenge"), http("alice.example", PATH.upper() + TOKEN),
    http("alice.example", "/x" + PATH + TOKEN), http("alice.example", "/"), hello("alice.example"),
    hello("alice.example", more=alpn("h2")), hello("alice.example", more=alpn("acme-tls/1", "h2")),
    hello("alice.example", more=alpn("h2", "acme-tls/1")), hello("alice.example", more=ACME + ACME),
    hello("a.shop.example", more=ACME),
])
def test_all_else_reaches_the_instance(data):
    with Pending({A: ALICE}) as router:
        os.makedirs(f"{router.folder}/challenges/http-01/alice.example/x")
        router.expect(A, data)
        assert router.counts().challenges == 0 and router.instances["acme-tls"].is_empty()


@pytest.mark.parametrize("text", ["", TOKEN, f"{TOKEN}.", f"x{ANSWER}", f"{ANSWER}\n", f"{TOKEN}.<script>", ANSWER.replace(".", "="),
                                  f"{TOKEN}.{'x' * 512}"], ids=range(8))
def test_file_that_is_no_answer(text):
    with Pending({A: ALICE}) as router:
        router.pend(f"http-01/alice.example/{TOKEN}", text)
        router.expect(A, ask_for())


@pytest.mark.parametrize("text", ["", DIGEST[1:], DIGEST + "=", DIGEST + "A", DIGEST[:-1] + "h", DIGEST.replace("-", "+"), DIGEST + "\n"],
                         ids=range(7))
def test_file_that_is_no_digest(text):
    with Pending({A: ALICE}) as router:
        router.pend("tls-alpn-01/alice.example", text)
        router.expect(A, hello("alice.example", more=ACME))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/hostname", path),
                                  lambda path: os.symlink("answer", path), lambda path: os.symlink("/dev/zero", path)],
                         ids=["fifo", "folder", "link out", "link", "device"])
def test_what_is_not_a_file(make):
    with Pending({A: ALICE}) as router:
        router.pend("http-01/alice.example/answer", ANSWER)
        for path, data in ((f"http-01/alice.example/{TOKEN}", ask_for()),
                           ("tls-alpn-01/alice.example", hello("alice.example", more=ACME))):
            os.unlink(f"{router.folder}/challenges/{path}")
            make(f"{router.folder}/challenges/{path}")
            router.expect(A, data)


def test_folder_that_is_a_link():
    with Pending({A: ALICE}) as router:
        folder = f"{router.folder}/challenges/http-01"
        os.rename(f"{folder}/alice.example", f"{router.folder}/elsewhere")
        os.symlink(f"{router.folder}/elsewhere", f"{folder}/alice.example")
        router.expect(A, ask_for())
        os.unlink(f"{folder}/alice.example")
        router.expect(A, ask_for())
        os.rename(f"{router.folder}/challenges", f"{router.folder}/gone")
        router.expect(A, ask_for())
        router.expect(A, hello("alice.example", more=ACME))


def test_only_for_hosts_of_instances_with_acme():
    with Pending({A: "Host=alice.example\nTls=files", B: "Default=yes\nTls=acme\nHost=bob.example"}) as router:
        router.pend(f"http-01/nobody.example/{TOKEN}", ANSWER)
        router.pend("tls-alpn-01/nobody.example", DIGEST)
        router.expect(A, ask_for())
        router.expect(A, hello("alice.example", more=ACME))
        # The default instance has no hosts but those in its file.
        for host in ("nobody.example", "bob.example"):
            router.expect(B, ask_for(host=host))
            router.expect(B, hello(host, more=ACME))
        assert router.counts().challenges == 0


def test_by_address():
    """Only bytes that arrive at once are read, and only while a challenge is pending."""
    alice = f"{ALICE}Address=127.0.0.2"
    with Pending({A: alice, B: "Host=bob.example\nTls=acme"}, listen_on=("127.0.0.2", "127.0.0.1")) as router:
        router.pend(f"http-01/bob.example/{TOKEN}", ANSWER)
        for data in (ask_for(), ask_for() * 2):
            with router.paused():
                client = router.connect(send=data)
            assert parse_answer(read_to_end(client))[1] == ANSWER
        with router.paused():
            client = router.connect(send=hello("alice.example", more=ACME))
        router.deliver("acme-tls", hello("alice.example", more=ACME), client)
        for data in (b"", b"x", b"\0", ask_for()[:-1], ask_for("other"), ask_for(host="bob.example"), hello(), http("x.test"),
                     hello("alice.example", more=ACME)[:-1], hello("alice.example"), b"GET /" + b"x" * 100000):
            with router.paused():
                client = router.connect(send=data)
            got = router.deliver(A, data, client)
            assert (got.reason, got.protocol, got.host) == (REASON_ADDRESS, PROTOCOL_UNKNOWN, "")
        # The same, where it is nobody's address.
        assert parse_answer(router.ask(ask_for(host="bob.example"), 1))[1] == ANSWER
        for folder in ("http-01", "tls-alpn-01"):
            os.rename(f"{router.folder}/challenges/{folder}", f"{router.folder}/{folder}")
            os.mkdir(f"{router.folder}/challenges/{folder}")
        for data in (ask_for(), hello("alice.example", more=ACME)):
            with router.paused():
                client = router.connect(send=data)
            router.deliver(A, data, client)


@pytest.mark.parametrize("policy, status", [("redirect", 301), ("refuse", 403)])
def test_other_tokens_reach_the_instance_and_other_paths_do_not(policy, status):
    with Pending({A: f"{ALICE}Http={policy}"}) as router:
        for data in (ask_for("other"), ask_for(method="POST"), ask_for(host="a.shop.example")):
            router.expect(A, data)
        # For servers, some of these are other pages of the site.
        for path in ("/", PATH[:-1], PATH[:-1] + "?", PATH.upper() + "other", "/x" + PATH + "other", "/" + PATH + "other",
                     "/.well-known/acme%2dchallenge/other", PATH, PATH + "../../index.php", PATH + "a/b?c", PATH + "%2e%2e"):
            assert router.ask(http("alice.example", path)).startswith(b"HTTP/1.1 %d " % status), path
        assert router.instances[A].is_empty()


def test_suspended():
    with Pending({A: f"{ALICE}Suspended=yes"}) as router:
        assert parse_reply(router.ask(ask_for()))[0] == 503
        router.expect(A, hello("alice.example", more=ACME))


def test_setting_comes_into_force_by_a_reload():
    with Pending({A: "Host=alice.example"}) as router:
        router.expect(A, ask_for())
        router.write(f"instances/{A}.conf", f"[Instance]\n{ALICE}")
        router.reload()
        assert parse_answer(router.ask(ask_for()))[1] == ANSWER


# --- tls-alpn-01 ---


def test_hello_is_handed_to_the_responder():
    with Pending({A: f"{ALICE}Http=refuse"}) as router:
        data = hello("Alice.Example", more=ACME, record=100)
        got = router.expect("acme-tls", data)
        assert (got.reason, got.protocol, got.host) == (REASON_SERVER_NAME, PROTOCOL_TLS, "alice.example")
        assert router.instances[A].is_empty()
        counts = router.counts()
        assert (counts.challenges, counts.handed_off) == (1, 0)


def test_instance_cannot_have_the_name_of_the_responder():
    """Hand-off sockets of instances have a suffix."""
    with Pending({A: ALICE}) as router:
        router.write("instances/acme-tls.conf", "[Instance]\nHost=x.example\n")
        router.reload()
        assert read_to_end(router.connect(send=hello("x.example")))[:1] == b"\x15"
        assert router.instances["acme-tls"].is_empty()


def test_responder_is_absent():
    with Pending({A: ALICE}, responder=False) as router:
        assert router.ask(hello("alice.example", more=ACME)) == alert(ALERT_INTERNAL_ERROR)
        router.wait_until(lambda: "no process receives hand-offs for bellhop-acme-tls" in router.errors(), "says so")
        router.expect(A, hello("alice.example"))
        router.instances["acme-tls"] = FakeInstance(f"{router.folder}/run/acme-tls", router.uid)
        router.expect("acme-tls", hello("alice.example", more=ACME))


def test_responder_that_does_not_receive_keeps_no_visitor():
    data = hello("alice.example", more=ACME)
    with Pending({A: ALICE}, "PendingMaxPerSource=0\nInFlightMaxPerInstance=5") as router:
        clients = [router.connect(send=data) for _ in range(20)]
        pending = router.wait_for(accepted=20).pending
        assert 0 < pending < 20
        for number in range(4):
            router.expect(A, hello("alice.example"))
            assert router.reload().pending == pending, number
        for client in clients:
            router.deliver("acme-tls", data, client)
        assert router.counts().challenges == 20


def test_waiting_for_the_responder_ends():
    with Pending({A: ALICE}, "InFlightMaxPerInstance=1\nHandoffTimeoutSec=300ms") as router:
        data = hello("alice.example", more=ACME)
        clients = [router.connect(send=data) for _ in range(20)]
        n_sent = router.wait_for(accepted=20, pending=0).challenges
        assert 0 < n_sent < 20
        for client in clients[n_sent:]:
            assert read_to_end(client) == alert(ALERT_INTERNAL_ERROR)
        for client in clients[:n_sent]:
            router.deliver("acme-tls", data, client)


@pytest.mark.parametrize("data", [ask_for(), hello("alice.example", more=ACME)], ids=["http", "tls"])
def test_nobody_gets_half_a_challenge(data):
    with Pending({A: ALICE}) as router:
        client = router.connect(send=data[:-1])
        router.wait_for(pending=1)
        assert router.instances["acme-tls"].is_empty() and not select.select([client], [], [], 0)[0]
        client.sendall(data[-1:])
        if data[:1] == b"\x16":
            router.deliver("acme-tls", data, client)
        else:
            assert parse_answer(read_to_end(client))[1] == ANSWER
