# SPDX-License-Identifier: MIT
"""How many children an instance has: more when a burst needs them, one again when it is over, and room for a reload."""

import contextlib
import signal

import pytest
from handoff import Instance

THREADS = 64  # ThreadsPerChild


@pytest.fixture(params=("event", "worker"), name="instance")
def _instance(request):
    # Clients that have begun to ask hold a thread each, for as long as the test likes.
    with Instance(request.param, settings="Host=alice.example\nIdleSec=0", tls=False,
                  snippet="RequestReadTimeout header=0") as instance:
        yield instance.start()


class Burst(contextlib.ExitStack):
    """Clients that have sent half a request."""

    def __init__(self, instance, n_clients):
        super().__init__()
        self.connections = []
        for _ in range(n_clients):
            connection = self.enter_context(instance.connect())
            connection.sendall(b"GET / HTTP/1.1\r\nHost: alice.example\r\n")
            self.connections.append(connection)

    def finish(self, connections):
        """The status lines of the answers."""
        for connection in connections:
            connection.sendall(b"Connection: close\r\n\r\n")
        return {connection.makefile("rb").readline() for connection in connections}


OK = {b"HTTP/1.1 200 OK\r\n"}


def test_children_of_a_burst_end_with_it(instance):
    with Burst(instance, THREADS + THREADS // 2) as burst:
        instance.wait_until(lambda: len(instance.children()) == 2, "another child")
        assert instance.curl("/") == (0, "hello\n")
        last, others = burst.connections[-1:], burst.connections[:-1]
        assert burst.finish(others) == OK
        # Any child may be told to end: the one with the last client stays until the client has been served.
        assert instance.curl("/") == (0, "hello\n")
        assert burst.finish(last) == OK
    instance.wait_until(lambda: instance.curl("/") == (0, "hello\n") and len(instance.children()) == 1, "one child")
    assert "scoreboard is full" not in instance.errors()


def test_reload_while_all_children_are_at_work(instance):
    with Burst(instance, THREADS + 8) as burst:
        instance.wait_until(lambda: len(instance.children()) == 2, "all children")
        instance.process.send_signal(signal.SIGHUP)
        instance.notify.wait("^READY=1")
        assert instance.curl("/") == (0, "hello\n")
        assert burst.finish(burst.connections) == OK
