# SPDX-License-Identifier: MIT
"""The limit of instances that start at the same time: which ones have the slots, which ones wait, and the next
turn."""

import os
import select
import time

import pytest
from router import A, B, C, D, E, QUEUE, http, parse_reply, read_to_end
from test_router_metrics import Scraped
from test_router_store import StoredRouter

HOSTS = {name: f"Host={name}.example" for name in (A, B, C, D, E)}
SLOT_SEC = 5  # as in starts.c


class Sleepy(Scraped):
    """All instances sleep, until a test says otherwise."""

    def __init__(self, settings, instances=None, **kwargs):
        super().__init__(instances or HOSTS, settings, **kwargs)
        for name in self.instances:
            self.set_running(name, False)

    def visit(self, *names, source=None):
        """Clients in this order; each is seen by the router before the next comes."""
        clients = []
        for name in names:
            accepted = self.counts().accepted
            clients.append(self.connect(source=source, send=http(f"{name}.example")))
            self.wait_for(accepted=accepted + 1)
        return clients

    def wake(self, name, client=None):
        """The instance receives one, which is that client's."""
        got = self.instances[name].receive()
        assert client is None or got.socket.getpeername() == client.getsockname()
        got.close()

    def handed(self):
        """The instances that have something to receive."""
        return {name for name, instance in self.instances.items() if not instance.is_empty()}

    def wait_handed(self, *names):
        self.wait_until(lambda: self.handed() == set(names), f"handed off to {names}, but {self.handed()}")

    def value(self, name, instance=None):
        return self.values()[f"bellhop_{name}", (("instance", instance),) if instance else ()]


def close(clients):
    for client in clients:
        client.close()


def test_bound_holds_and_turns_are_in_order():
    with Sleepy("StartingMax=2") as router:
        clients = router.visit(C, A, E, B, D)
        router.wait_for(pending=3)
        assert router.handed() == {A, C}
        assert router.value("starting_instances") == router.value("starting_instances_max") == 2
        for woken, turn in ((C, E), (E, B), (A, D)):
            router.wake(woken)
            router.wait_until(lambda: not router.instances[turn].is_empty(), f"it is the turn of {turn}")  # pylint: disable=cell-var-from-loop
            assert len(router.handed()) == 2
        router.wake(B)
        router.wake(D)
        router.wait_until(lambda: router.value("starting_instances") == 0, "all have started")
        values = router.values()
        assert values["bellhop_start_waits_total", ()] == 3 and values["bellhop_starts_total", ()] == 5
        assert [router.value("instance_start_waits_total", name) for name in (A, B, C, D, E)] == [0, 1, 0, 1, 1]
        assert [router.value("instance_starts_total", name) for name in (A, B, C, D, E)] == [1] * 5
        assert router.counts().handed_off == 5 and router.counts().refused == 0
        close(clients)


def test_who_runs_is_never_delayed():
    with Sleepy("StartingMax=1") as router:
        router.set_running(C, True)
        clients = router.visit(A, B)
        router.wait_for(pending=1)
        for _ in range(3):
            router.expect(C, http(f"{C}.example"))
        assert router.handed() == {A} and router.value("starts_total") == 1
        router.wake(A)
        router.wait_handed(B)
        router.wake(B)
        close(clients)


def test_one_that_starts_gets_all_its_visitors():
    """Until its queue is full, and beyond: all in their order, the slot is given back once."""
    with Sleepy("StartingMax=1") as router:
        clients = router.visit(*[A] * (QUEUE + 3), B)
        router.wait_for(pending=4, handed_off=QUEUE)
        for client in clients[:-1]:
            router.wake(A, client)
        router.wake(B, clients[-1])
        assert router.wait_for(pending=0).handed_off == QUEUE + 4
        router.wait_until(lambda: router.value("starting_instances") == 0, "both have started")
        assert router.value("queue_full_waits_total") == 3 and router.value("starts_total") == 2
        close(clients)


def test_first_that_is_received_frees_the_slot():
    """A busy instance may never empty its queue."""
    with Sleepy("StartingMax=1") as router:
        clients = router.visit(A, A, A, A, B)
        router.wait_for(pending=1)
        router.wake(A, clients[0])
        router.wait_handed(A, B)
        for name, client in zip((A, A, A, B), clients[1:]):
            router.wake(name, client)
        close(clients)


def test_one_that_does_not_start_gives_way():
    with Sleepy("StartingMax=1") as router:
        begin = time.monotonic()
        clients = router.visit(A, B, B)
        router.wait_for(pending=2)
        # The last that were asked for, as they have not received: behind B, and behind C.
        router.wait_handed(A, B)
        assert SLOT_SEC - 0.1 < time.monotonic() - begin
        clients += router.visit(A, C)
        router.wait_for(pending=2)
        assert f"{A} was started by a connection, but received none for {SLOT_SEC} s" in router.errors()
        assert router.errors().count("received none") == 1
        assert f"clients of {B} waited" in router.errors()
        assert router.value("late_starts_total") == router.value("instance_late_starts_total", A) == 1
        router.wake(B, clients[1])
        router.wait_handed(A, B, C)
        assert router.counts().pending == 1
        router.wake(C, clients[4])
        assert router.wait_for(pending=0).handed_off == 5
        router.wake(A, clients[0])
        router.wake(A, clients[3])
        # It has received, so it is one like all others again.
        router.wait_until(lambda: router.value("starting_instances") == 0, "all have started")
        router.wake(B, clients[2])
        close(clients)


def test_those_that_do_not_start_leave_half_of_the_slots():
    with Sleepy("StartingMax=2") as router:
        clients = router.visit(A, B)
        router.wait_until(lambda: router.value("late_starts_total") == 2, "two are late")
        clients += router.visit(A, B)
        assert router.wait_for(pending=1).handed_off == 3 and router.value("starting_instances") == 1
        clients += router.visit(C)
        router.wake(C, clients[4])
        assert router.counts().pending == 1
        for name, client in ((A, 0), (A, 2), (B, 1), (B, 3)):
            router.wake(name, clients[client])
        close(clients)


def test_time_limit_of_who_waits_for_a_slot():
    with Sleepy("StartingMax=1\nHandoffTimeoutSec=300ms") as router:
        clients = router.visit(A, B)
        status, fields, _ = parse_reply(read_to_end(clients[1]))
        assert status == 503 and "Retry-After" in fields
        router.write("router.conf", "[Router]\nStartingMax=1\n")  # C has more time
        router.reload()
        clients += router.visit(C)
        router.wake(A, clients[0])
        # B waits no more, so it is C's turn.
        router.wake(C, clients[2])
        assert router.instances[B].is_empty()
        assert router.wait_for(pending=0) == (5, 3, 2, 1, 0, 0)
        close(clients)


def test_most_that_may_wait_for_a_slot():
    with Sleepy("StartingMax=1\nPendingMaxPerInstance=2") as router:
        clients = router.visit(A, B, B, B)
        assert parse_reply(read_to_end(clients[3]))[0] == 503
        assert router.values()["bellhop_refused_total", (("reason", "instance-limit"),)] == 1
        router.wake(A, clients[0])
        router.wake(B, clients[1])
        router.wake(B, clients[2])
        close(clients)


def test_place_without_visitors_is_passed_over():
    """C is in the queue although its only client was refused, because the client's network already has one
    pending."""
    with Sleepy("StartingMax=1\nPendingMaxPerSource=1") as router:
        clients = router.visit(A, B, C)
        assert parse_reply(read_to_end(clients[2]))[0] == 429
        clients += router.visit(D, source="127.0.0.2")
        router.wait_for(pending=2)
        for name, client in ((A, 0), (B, 1), (D, 3)):
            router.wake(name, clients[client])
        assert router.handed() == set() and router.value("starting_instances") == 0
        close(clients)


def test_absent_socket_takes_no_slot():
    with Sleepy("StartingMax=1") as router:
        router.instances[A].close()
        assert parse_reply(router.ask(http(f"{A}.example")))[0] == 503
        clients = router.visit(B, C)
        router.instances[C].close()
        clients += router.visit(D)
        router.wait_for(pending=2)
        router.wake(B, clients[0])
        # C's turn comes, its visitor is refused, and D is next.
        assert parse_reply(read_to_end(clients[1]))[0] == 503
        router.wake(D, clients[2])
        assert router.value("starts_total") == 2
        close(clients)


def test_socket_that_is_replaced_while_the_instance_starts():
    """What was in it is gone, and nobody waits for that."""
    with Sleepy("StartingMax=1") as router:
        clients = router.visit(A)
        router.instances[A].close()
        router.add_socket(A)
        router.set_running(A, False)
        clients += router.visit(A, B)
        router.wake(A, clients[1])
        router.wake(B, clients[2])
        assert router.wait_for(pending=0).refused == 0
        close(clients)


def test_reload():
    with Sleepy("StartingMax=1") as router:
        clients = router.visit(A, B, C, D)
        router.wait_for(pending=3)
        # The instance with the slot keeps it, and waiting ones keep their places.
        router.reload()
        assert router.handed() == {A} and router.value("starting_instances") == 1
        # Removal of a waiting instance, and of one with a slot.
        os.unlink(f"{router.folder}/config/instances/{B}.conf")
        router.reload()
        assert parse_reply(read_to_end(clients[1]))[0] == 503
        os.unlink(f"{router.folder}/config/instances/{A}.conf")
        router.reload()
        router.wait_handed(A, C)
        assert router.value("starting_instances") == 1
        # More may start.
        router.write("router.conf", "[Router]\nStartingMax=2\n")
        router.reload()
        router.wait_handed(A, C, D)
        # Fewer may.
        router.write("router.conf", "[Router]\nStartingMax=1\n")
        router.reload()
        clients += router.visit(E)
        router.wake(C, clients[2])
        router.wait_until(lambda: router.value("starting_instances") == 1, "one is left")
        assert router.instances[E].is_empty()
        router.wake(D, clients[3])
        router.wake(E, clients[4])
        close(clients)


def test_default(processors=len(os.sched_getaffinity(0))):
    with Sleepy("") as router:
        assert router.value("starting_instances_max") >= max(4, 2 * processors)


def test_waiting_for_a_slot_costs_nothing():
    with Sleepy("StartingMax=1") as router:
        clients = router.visit(A, A, B, B)
        assert router.busy(0.3) < 0.05
        router.wake(A)
        router.wake(B)
        close(clients)


def test_who_waits_for_a_slot_survives_a_restart():
    with StoredRouter(HOSTS, "StartingMax=1") as router:
        for name in HOSTS:
            router.set_running(name, False)
        clients = [router.connect(send=http(f"{name}.example")) for name in (A, B)]
        router.wait_for(pending=1)
        assert router.restart().pending == 1
        for name, client in zip((A, B), clients):
            router.deliver(name, http(f"{name}.example"), client)
        close(clients)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_end_while_some_wait(end):
    with Sleepy("StartingMax=1") as router:
        clients = router.visit(A, A, B, C)
        router.wait_for(pending=2)
        if end == "stop":
            router.stop()
        else:
            router.process.kill()
            router.process.wait()
        router.start()
        router.wake(A, clients[0])
        assert select.select([clients[2]], [], [], 5)[0]
        close(clients)
