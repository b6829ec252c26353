# SPDX-License-Identifier: MIT
"""bellhop-seal before the router: what comes through is sealed, and the first visitors are served.

Without root, or before 2026 as anybody, the router seals for itself or says that it can't.
"""

import os
import select
import socket
import struct

import pytest
from handoff import AS_ROOT, BUILD, TIMEOUT
from router import A, Router

SO_LOCK_FILTER = 44
REQUEST = b"GET / HTTP/1.1\r\nHost: alice.example\r\n\r\n"


class SealedRouter(Router):
    """Started by bellhop-seal, which has the privilege that the router must not have."""

    def command(self, *arguments):
        command = super().command(*arguments)
        at = command.index(f"{self.folder}/bellhop-router")
        if AS_ROOT:
            command[at - 1:at] = ["--no-new-privs", "--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
            at += 2
        seal = f"{self.folder}/bellhop-seal"
        if not os.path.exists(seal):
            with open(f"{BUILD}/bellhop-seal", "rb") as source, open(seal, "wb") as copy:
                copy.write(source.read())
            os.chmod(seal, 0o755)
        return [*command[:at], seal, *command[at:]]


def connect(router, number):
    client = socket.create_connection(router.addresses[number])
    client.sendall(REQUEST)
    return client


def is_sealed(connection):
    return connection.getsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER) == 1


@pytest.mark.parametrize("log", ["stderr", "journal"])
def test_first_visitors_are_served_and_sealed(log, monkeypatch):
    """They wait in the listening sockets, which are sealed only when the router starts."""
    router = SealedRouter({A: "Host=alice.example"})
    if log == "journal":
        with open(f"{router.folder}/stderr", "ab") as file:
            stream = os.fstat(file.fileno())
        environment = router.environment(JOURNAL_STREAM=f"{stream.st_dev}:{stream.st_ino}")
        monkeypatch.setattr(router, "environment", lambda **more: {**environment, **more})
    early = [connect(router, number) for number in (0, 1, 0, 0)]
    with router:
        late = [connect(router, number) for number in (0, 1)]
        for client in early + late:
            handed = router.instances[A].receive()
            assert is_sealed(handed.socket) == is_sealed(router.listeners[0]) >= AS_ROOT
            assert handed.read(len(REQUEST)) == REQUEST
            handed.close()
        for client in early + late:
            assert client.recv(1) == b""
            client.close()


def test_what_can_not_be_sealed_is_refused():
    """Its listener has a seal (as the router sees it) and it has none: the router seals it, or passes it to nobody."""
    router = Router({A: "Host=alice.example"})
    client = connect(router, 0)
    for listener in router.listeners:
        listener.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
    with router:
        select.select([client, router.instances[A].socket], [], [], TIMEOUT)
        if router.instances[A].is_empty():
            assert client.recv(12) == b"HTTP/1.1 503"
        else:
            assert is_sealed(router.instances[A].receive().socket)
    client.close()


def accept():
    """(client, the accepted connection), which nobody has sealed."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    connection, _ = listener.accept()
    listener.close()
    client.sendall(REQUEST)
    return client, connection


def stored(connection):
    """What a former router stores: one connection in the queue of a socket."""
    read, write = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    socket.send_fds(write, [b"BHP1" + struct.pack("=I3Q", 1, 1, 0, 0)], [connection.fileno()])
    write.close()
    return read


@pytest.mark.parametrize("name", ["pending-0", "early"])
def test_what_was_accepted_before_is_sealed_or_refused(name):
    """The router takes it up before it listens, and must know by then whether its listeners have a seal."""
    router = Router({A: "Host=alice.example"})
    for listener in router.listeners:
        listener.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
    client, connection = accept()
    inherited = stored(connection) if name == "pending-0" else connection
    with router.start(stored=[(name, inherited.fileno())]):
        select.select([client, router.instances[A].socket], [], [], TIMEOUT)
        if router.instances[A].is_empty():
            connection.close()
            assert client.recv(12) == b"HTTP/1.1 503"
        else:
            assert is_sealed(router.instances[A].receive().socket)
    client.close()


def test_unsealed_listeners_are_told():
    """And what they accept is passed all the same."""
    router = Router({A: "Host=alice.example"})
    with router:
        client = connect(router, 0)
        handed = router.instances[A].receive()
        assert is_sealed(handed.socket) or "can't seal the public sockets" in router.errors()
        handed.close()
        client.close()
