# SPDX-License-Identifier: MIT
"""Limits on pending connections: per source and per instance."""

import time

import pytest
from router import A, ALERT_INTERNAL_ERROR, B, QUEUE, Router, alert, hello, http, parse_reply, read_to_end

HOSTS = {A: "Host=alice.example", B: "Host=bob.example"}
HALF = b"GET / HTTP/1.1\r\nHost: "


def pend(router, n, number=0, source=None):
    clients = [router.connect(number, send=HALF, source=source) for _ in range(n)]
    return clients


def close_all(clients):
    for client in clients:
        client.close()


@pytest.mark.parametrize("prefix, others", [("", ["127.0.0.2", "127.1.0.1"]), ("\nSourcePrefixIPv4=16", ["127.1.0.1"])])
def test_one_source_has_so_many_pending_and_no_more(prefix, others):
    with Router(HOSTS, "PendingMaxPerSource=3" + prefix) as router:
        clients = pend(router, 3, source="127.0.0.1")
        router.wait_for(pending=3)
        # In both protocols' words, as far as the protocol is known when the router looks.
        with router.paused():
            late = router.connect(send=HALF, source="127.0.0.1")
            late_tls = router.connect(send=hello("alice.example")[:20], source="127.0.0.1")
        assert parse_reply(read_to_end(late))[0] == 429
        assert read_to_end(late_tls) == alert(ALERT_INTERNAL_ERROR)
        # What need not wait is not pending, and others have limits of their own.
        with router.paused():
            quick = router.connect(send=http("alice.example"))
        router.deliver(A, http("alice.example"), quick)
        for number, other in enumerate(others, 1):
            clients += pend(router, 1, source=other)
            router.wait_for(pending=3 + number)
        # A client that leaves makes room.
        clients.pop(0).close()
        router.wait_for(pending=2 + len(others))
        clients += pend(router, 1, source="127.0.0.1")
        router.wait_for(pending=3 + len(others))
        close_all([*clients, late, late_tls])


def test_one_instance_has_so_many_waiting_and_no_more():
    with Router(HOSTS, "PendingMaxPerInstance=2") as router:
        with router.paused():
            clients = [router.connect(send=http("alice.example")) for _ in range(QUEUE + 2)]
        router.wait_for(pending=2)
        late = router.connect(send=http("alice.example"))
        status, fields, _ = parse_reply(read_to_end(late))
        assert status == 503 and "Retry-After" in fields
        router.expect(B, http("bob.example"))
        for _ in range(QUEUE + 2):
            router.instances[A].receive().socket.close()
        assert router.wait_for(pending=0).refused == 1
        close_all([*clients, late])


def test_one_instance_has_so_many_under_way_and_no_more():
    """Below the length of its queue, so that the limit is what stops it."""
    most = QUEUE - 4
    with Router(HOSTS, f"InFlightMaxPerInstance={most}") as router:
        with router.paused():
            clients = [router.connect(send=http("alice.example")) for _ in range(QUEUE)]
        counts = router.wait_for(accepted=QUEUE, pending=QUEUE - most)
        assert counts.handed_off == most
        router.expect(B, http("bob.example"))
        for _ in range(QUEUE):
            router.instances[A].receive().socket.close()
        router.wait_for(pending=0)
        close_all(clients)


def test_stuck_instances_leave_descriptors_for_others():
    """Each has a share: together they can't use up what may be under way (ETOOMANYREFS)."""
    with Router(HOSTS, "InFlightMaxPerInstance=6", nofile=64) as router:
        with router.paused():
            clients = [router.connect(send=http("alice.example")) for _ in range(16)]
        router.wait_for(accepted=16, pending=10)
        for _ in range(3):
            router.expect(B, http("bob.example"))
        for _ in range(16):
            router.instances[A].receive().socket.close()
        router.wait_for(pending=0)
        close_all(clients)


def test_trickled_bytes_are_looked_at_a_few_times():
    """Each look parses the whole head again; many such clients would take all of the router's time."""
    request = http("alice.example", "/" + "x" * 300)
    with Router(HOSTS, "SniffTimeoutSec=1h") as router:
        client = router.connect(send=request[:1])
        router.wait_for(pending=1)
        before, start = router.n_wakes(), time.monotonic()
        for i in range(1, len(request)):
            client.sendall(request[i:i + 1])
            time.sleep(0.003)  # the pace of the client
        # Of 300 bytes; a status line wakes it as well. On a slow machine the client takes longer, and gets more looks.
        assert router.n_wakes() - before < 40 + 20 * (time.monotonic() - start)
        router.deliver(A, request, client)
        client.close()
