# SPDX-License-Identifier: MIT
"""The router when it can't go on at once: full queues, hand-off sockets that change, too many clients."""

import os
import select
import signal
import threading
import time

import pytest
from handoff import AS_ROOT
from router import (A, ALERT_INTERNAL_ERROR, B, C, D, E, QUEUE, UID, Router, alert, hello, http, parse_reply,
                    read_to_end)

HOSTS = {A: "Host=alice.example", B: "Host=bob.example"}
SHORT = "SniffTimeoutSec=300ms"


def clients_of(router, host, numbers):
    """Clients in this order, as their bytes are there when they are accepted; each request has its number."""
    with router.paused():
        return [router.connect(send=http(host, f"/{i}")) for i in numbers]


def receive_all(instance, numbers, host="alice.example"):
    """These clients and no others, in this order."""
    for i in numbers:
        got = instance.receive()
        assert got.read(len(http(host, f"/{i}"))) == http(host, f"/{i}")
        got.socket.sendall(b"%d" % i)
        got.close()


def check_answers(clients):
    for i, client in enumerate(clients):
        assert read_to_end(client) == b"%d" % i
        client.close()


def replace_socket(router, name):
    """Restarts the socket unit: the same path, another socket. Returns the old one, still open."""
    old = router.instances[name]
    inode = os.stat(old.path).st_ino
    os.rename(old.path, old.path + ".old")
    new = router.add_socket(name)
    assert os.stat(new.path).st_ino != inode
    old.path += ".old"
    return old


# --- full queue ---


def test_full_queue_makes_clients_wait_in_order():
    n = QUEUE + 15
    with Router(HOSTS) as router:
        clients = clients_of(router, "alice.example", range(n))
        router.wait_for(accepted=n, handed_off=QUEUE, pending=15)
        # Others are served meanwhile.
        router.expect(B, http("bob.example"))
        # A free place is for the first that waits, even if the router hears of a new one before.
        with router.paused():
            clients.append(router.connect(send=http("alice.example", f"/{n}")))
            receive_all(router.instances[A], [0])
        receive_all(router.instances[A], range(1, n + 1))
        check_answers(clients)
        counts = router.wait_for(pending=0)
        assert counts.refused == 0 and counts.handed_off == n + 2
        router.expect(A, http("alice.example"))


def test_waiting_for_room_costs_nothing():
    with Router(HOSTS) as router:
        clients = clients_of(router, "alice.example", range(QUEUE + 5))
        router.wait_for(pending=5)
        assert router.busy(0.3) < 0.05
        receive_all(router.instances[A], range(QUEUE + 5))
        check_answers(clients)


def test_full_queue_until_the_deadline():
    with Router(HOSTS, "HandoffTimeoutSec=300ms") as router:
        clients = clients_of(router, "alice.example", range(QUEUE))
        late = router.connect(send=http("alice.example"))
        late_tls = router.connect(send=hello("alice.example"))
        status, fields, _ = parse_reply(read_to_end(late))
        assert status == 503 and "Retry-After" in fields
        assert read_to_end(late_tls) == alert(ALERT_INTERNAL_ERROR)
        assert router.counts() == (2, QUEUE + 2, QUEUE, 2, 0, 0)
        receive_all(router.instances[A], range(QUEUE))
        check_answers(clients)
        # None of the refused is handed off all the same.
        assert router.instances[A].is_empty()
        router.expect(A, http("alice.example"))
        late.close()
        late_tls.close()


def test_client_that_leaves_while_waiting():
    with Router(HOSTS) as router:
        clients = clients_of(router, "alice.example", range(QUEUE + 3))
        router.wait_for(pending=3)
        for client in clients[QUEUE:]:
            client.close()
        receive_all(router.instances[A], range(QUEUE))
        for _ in range(router.wait_for(pending=0).handed_off - QUEUE):
            router.instances[A].receive().close()
        check_answers(clients[:QUEUE])
        router.expect(A, http("alice.example"))


# --- hand-off sockets come and go ---


def test_recreated_socket_is_found():
    with Router(HOSTS) as router:
        router.expect(A, http("alice.example"))
        replace_socket(router, A).close()
        router.expect(A, http("alice.example"))
        assert router.counts().refused == 0


def test_recreated_socket_is_found_although_the_old_one_is_held():
    """A process of the site keeps the old socket open, and receives nothing by it any more."""
    with Router(HOSTS) as router:
        router.expect(A, http("alice.example"))
        old = replace_socket(router, A)
        # The first visitors may still go to the old one, those of a moment later do not.
        while not old_is_left(router):
            pass
        router.expect(A, http("alice.example"))
        router.expect(B, http("bob.example"))
        old.close()
        assert router.counts().refused == 0


def old_is_left(router):
    """Whether a visitor has come by the new socket."""
    before = router.counts().handed_off
    with router.connect(send=http("alice.example")):
        router.wait_for(handed_off=before + 1)
        if router.instances[A].is_empty():
            return False
        router.instances[A].receive().close()
        return True


@pytest.mark.parametrize("arrival", [False, True], ids=["waiting", "arriving"])
def test_full_old_socket_that_is_held_keeps_nobody(arrival):
    with Router(HOSTS) as router:
        clients = clients_of(router, "alice.example", range(QUEUE + 5))
        router.wait_for(handed_off=QUEUE, pending=5)
        old = replace_socket(router, A)
        if arrival:
            clients += clients_of(router, "alice.example", [QUEUE + 5])
        receive_all(router.instances[A], range(QUEUE, len(clients)))
        for i, client in enumerate(clients[QUEUE:], QUEUE):
            assert read_to_end(client) == b"%d" % i
        old.close()
        for client in clients:
            client.close()
        assert router.wait_for(pending=0).refused == 0


def test_socket_that_is_gone_is_used_until_another_one_is_there():
    """The service that still has it receives all of it while its socket unit is stopped."""
    with Router(HOSTS) as router:
        router.expect(A, http("alice.example"))
        os.unlink(router.instances[A].path)
        time.sleep(0.2)  # so that the router has looked
        router.expect(A, http("alice.example"))
        assert router.counts().refused == 0


def test_socket_that_comes_back():
    with Router(HOSTS) as router:
        router.expect(A, http("alice.example"))
        router.instances[A].close()
        assert parse_reply(router.ask(http("alice.example")))[0] == 503
        router.add_socket(A)
        router.expect(A, http("alice.example"))
        assert router.counts().refused == 1


def test_recreated_socket_gets_all_that_wait():
    """More wait than the new queue holds: the rest follows when there is room."""
    n_waiting = 2 * QUEUE + 5
    with Router(HOSTS) as router:
        clients = clients_of(router, "alice.example", range(QUEUE + n_waiting))
        router.wait_for(pending=n_waiting)
        old = replace_socket(router, A)
        old.close()  # with what is in its queue
        for client in clients[:QUEUE]:
            with pytest.raises(ConnectionResetError):
                read_to_end(client)
            client.close()
        # As many as fit.
        router.wait_for(pending=n_waiting - QUEUE)
        receive_all(router.instances[A], range(QUEUE, QUEUE + n_waiting))
        for i, client in enumerate(clients[QUEUE:], QUEUE):
            assert read_to_end(client) == b"%d" % i
            client.close()
        assert router.counts() == (2, QUEUE + n_waiting, QUEUE + n_waiting, 0, 0, 0)


def test_socket_that_ends_while_clients_wait():
    with Router(HOSTS) as router:
        clients = clients_of(router, "alice.example", range(QUEUE + 4))
        router.wait_for(pending=4)
        router.instances[A].close()
        for client in clients[QUEUE:]:
            assert parse_reply(read_to_end(client))[0] == 503
        for client in clients:
            client.close()
        assert router.counts().refused == 4
        router.expect(B, http("bob.example"))


# --- limits ---


@pytest.mark.parametrize("begin,check", [
    (b"", lambda reply: parse_reply(reply)[0] == 503),
    (b"GET /", lambda reply: parse_reply(reply)[0] == 503),
    (hello("alice.example")[:50], lambda reply: reply == alert(ALERT_INTERNAL_ERROR)),
], ids=["silence", "HTTP", "TLS"])
def test_pending_max_refuses_the_oldest(begin, check):
    with Router(HOSTS, "PendingMax=4") as router:
        clients = []
        for i in range(7):
            clients.append(router.connect(send=begin))
            router.wait_for(pending=min(4, i + 1), refused=max(0, i - 3))
        for client in clients[:3]:
            assert check(read_to_end(client))
        # The others are still welcome.
        rest = hello("alice.example")[len(begin):] if begin[:1] == b"\x16" else http("alice.example")[len(begin):]
        for client in clients[3:]:
            client.sendall(rest)
            router.deliver(A, begin + rest, client)
        # A client that sends its request at once doesn't count.
        held = [router.connect(send=begin) for _ in range(4)]
        router.wait_for(pending=4)
        with router.paused():
            client = router.connect(send=http("bob.example"))
        router.deliver(B, http("bob.example"), client)
        assert router.counts().refused == 3
        for client in (*clients, *held):
            client.close()


class Drain(threading.Thread):
    """An instance that answers "ok" to everybody."""

    def __init__(self, instance):
        super().__init__(daemon=True)
        self.instance, self.stopped = instance, threading.Event()

    def run(self):
        while not self.stopped.is_set():
            if select.select([self.instance.socket], [], [], 0.05)[0]:
                got = self.instance.receive()
                got.read(len(http("alice.example")))
                got.socket.sendall(b"ok")
                got.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()


def run_out(router, n, begin=b"GET /"):
    """Opens so many connections, more than the router can have; returns them when it notices."""
    clients = [router.connect(send=begin) for _ in range(n)]
    router.wait_until(lambda: "can't accept" in router.errors() or "overload" in router.errors(), "a line in the log")
    return clients


def finish(clients):
    """Sends the rest of the head and returns the number of served ones; the others are refused as too many."""
    n_served = 0
    for client in clients:
        if not select.select([client], [], [], 0)[0]:
            client.sendall(http("alice.example")[5:])
    for client in clients:
        reply = read_to_end(client)
        n_served += reply == b"ok"
        assert reply == b"ok" or parse_reply(reply)[0] == 503
        client.close()
    return n_served


def test_descriptors_run_out():
    """It neither spins nor ends, and goes on as soon as some are free."""
    with Router(HOSTS, nofile=40) as router:
        for name, host in ((A, "alice.example"), (B, "bob.example")):
            router.expect(name, http(host))
        clients = run_out(router, 80)
        assert router.busy(0.5) < 0.05
        with Drain(router.instances[A]):
            n_served = finish(clients)
        router.expect(B, http("bob.example"))
        counts = router.wait_for(pending=0)
        assert counts.handed_off == 3 + n_served and counts.refused == 80 - n_served
        assert n_served > 0


def test_descriptors_run_out_by_clients_that_leave():
    with Router(HOSTS, nofile=40) as router:
        for client in run_out(router, 200, b""):
            client.close()
        router.wait_until(lambda: router.n_fds() < 20, "descriptors are free again")
        router.expect(A, http("alice.example"))
        counts = router.wait_for(pending=0)
        assert counts.refused + counts.gone == 200


def test_no_descriptor_for_the_first_hand_off():
    """Descriptors run out before the first connection to an instance: this is not an error of the instance."""
    with Router(HOSTS, nofile=40) as router:
        clients = run_out(router, 80)
        with Drain(router.instances[A]):
            assert finish(clients) > 0
        assert "no process receives hand-offs" not in router.errors()


def test_systemd_hears_of_us_although_descriptors_run_out():
    """Otherwise its watchdog would end the router, and a reload would never be over."""
    router = Router(HOSTS, "SniffTimeoutSec=1h", nofile=40)  # otherwise descriptors are free again after ten seconds
    try:
        router.start(WATCHDOG_USEC="400000")
        router.notify.wait("^WATCHDOG=1")
        clients = run_out(router, 80)
        for _ in range(3):
            router.notify.wait("^WATCHDOG=1")
        router.process.send_signal(signal.SIGHUP)
        router.notify.wait("^READY=1")
        router.expect(A, http("alice.example"))
        for client in clients:
            client.close()
        router.stop()
    finally:
        router.close()


def test_too_many_in_flight():
    """More under way in all than RLIMIT_NOFILE, though no single queue is full: they wait, and nothing spins."""
    names, limit = (A, B, C, D, E), 44
    each = min(QUEUE - 1, 10)
    # The kernel counts by user, so other tests at the same time would matter.
    uid = 200000 + os.getpid() if AS_ROOT else UID
    assert len(names) * each >= limit + 5
    with Router({name: f"Host={name}.example" for name in names}, nofile=limit, uid=uid) as router:
        clients = []
        with router.paused():
            for i in range(limit + 5):
                name = names[i // each]
                clients.append((name, router.connect(send=http(f"{name}.example"))))
        counts = router.wait_for(accepted=limit + 5)
        assert limit <= counts.handed_off <= limit + 2 and counts.refused == 0, counts
        busy = router.busy(0.5)
        for name, client in clients:
            got = router.instances[name].receive()
            assert got.socket.getpeername() == client.getsockname()
            got.close()
            client.close()
        router.wait_for(pending=0, handed_off=limit + 5)
        assert busy < 0.1, f"{busy:.0%} of a processor for nothing"


def test_stop_while_clients_wait_in_all_places():
    """Nothing is held on to, nothing is lost on the way out."""
    with Router(HOSTS) as router:
        clients = clients_of(router, "alice.example", range(QUEUE + 2))
        clients += [router.connect(send=data) for data in (b"", b"GET /", hello("bob.example")[:70])]
        clients += [router.connect(send=http("unknown.test"))]
        router.wait_for(accepted=QUEUE + 6, pending=5)
        counts = router.stop()
        assert counts == (2, QUEUE + 6, QUEUE, 1, 0, 5)
        # What was handed off is the instance's, router or not.
        receive_all(router.instances[A], range(QUEUE))
        check_answers(clients[:QUEUE])
        for client in clients[QUEUE:]:
            client.settimeout(5)
            try:
                read_to_end(client)
            except ConnectionResetError:
                pass
            client.close()
        # The listening sockets are systemd's: the next router goes on with them.
        router.start()
        router.expect(B, http("bob.example"))
