# SPDX-License-Identifier: MIT
"""A restart of the router loses no pending connection: what the descriptor store gets, the next router takes up."""

import os
import re
import resource
import socket
import struct
import time

import pytest
from handoff import Notify
from router import (A, ALERT_HANDSHAKE_FAILURE, B, QUEUE, Router, alert, hello, http, parse_reply, read_to_end)

HOSTS = {A: "Host=alice.example", B: "Host=bob.example"}
NAME_MAX = 255  # of a stored descriptor, as systemd has it


class Store(Notify):
    """A notification socket with the descriptor store behind it, as systemd has it for a service."""

    def __init__(self, path):
        super().__init__(path)
        self.stored = []  # (name, descriptor)

    def _next(self, deadline):
        self.socket.settimeout(max(0.001, deadline - time.monotonic()))
        data, fds, _, _ = socket.recv_fds(self.socket, 4096, 16)
        text = data.decode()
        self.messages.append(text)
        name = re.search("^FDNAME=(.*)$", text, re.MULTILINE)
        if re.search("^FDSTORE=1$", text, re.MULTILINE):
            assert len(fds) == 1 and 0 < len(name[1]) <= NAME_MAX and re.fullmatch("[!-9;-~]+", name[1]), text
            # Else systemd would drop what hangs up, as the queue does: its writing end is closed.
            assert re.search("^FDPOLL=0$", text, re.MULTILINE)
            self.stored += [(name[1], fd) for fd in fds]
        else:  # a barrier, which is lifted by closing
            for fd in fds:
                os.close(fd)
        if re.search("^FDSTOREREMOVE=1$", text, re.MULTILINE):
            self.drop(name[1])
        return text

    def drop(self, name):
        for fd in [fd for stored, fd in self.stored if stored == name]:
            os.close(fd)
        self.stored = [(stored, fd) for stored, fd in self.stored if stored != name]

    def close(self):
        for name in {name for name, _ in self.stored}:
            self.drop(name)
        super().close()


class StoredRouter(Router):
    """A router whose descriptors are stored."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.notify.close()
        self.notify = Store(f"{self.folder}/store")

    def restart(self):
        counts = self.stop()
        self.start(stored=self.notify.stored)
        return counts


def set_settings(router, settings):
    router.write("router.conf", f"[Router]\n{settings}\n")


def test_pending_wait_for_a_systemd_that_is_busy():
    with StoredRouter(HOSTS, "SniffTimeoutSec=1h") as router:
        data = http("alice.example")
        client = router.connect(send=data[:8])
        router.wait_for(pending=1)
        router.notify.fill()
        router.restart()
        client.sendall(data[8:])
        router.deliver(A, data, client)


def test_pending_survive_a_restart():
    with StoredRouter(HOSTS, "SniffTimeoutSec=1h") as router:
        begun = [(A, http("alice.example"), 8), (B, hello("bob.example"), 5), (B, hello("bob.example", 9000), 4000),
                 (A, hello("alice.example", record=3), 40), (A, http("alice.example"), 0)]
        clients = [(name, data, size, router.connect(number=i % 2, send=data[:size]))
                   for i, (name, data, size) in enumerate(begun)]
        router.wait_for(pending=len(clients))
        for _ in range(3):
            assert router.restart().pending == len(clients)
        restarted = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        assert router.counts().pending == len(clients)
        assert router.notify.stored == []
        for name, data, size, client in clients:
            client.sendall(data[size:])
            assert router.deliver(name, data, client).accepted_nsec < restarted
        assert router.wait_for(pending=0).handed_off == len(clients)
        router.expect(A, http("alice.example"))


def test_two_thousand_pending():
    """Byte for byte, in few descriptors, and fast enough for any TimeoutStopSec=."""
    n, data = 2000, http("alice.example")
    with StoredRouter(HOSTS, "SniffTimeoutSec=1h\nPendingMaxPerSource=0") as router:
        clients = [router.connect(send=data[:10 + i % 20]) for i in range(n)]
        router.wait_for(pending=n)
        begin = time.monotonic()
        router.stop()
        assert time.monotonic() - begin < 5
        assert 1 <= len(router.notify.stored) <= 4
        # execve(2) takes no environment variable of more than 128 KiB: LISTEN_FDNAMES.
        assert sum(len(name) + 1 for name, _ in router.notify.stored) < 4096
        router.start(stored=router.notify.stored)
        assert router.wait_for(pending=n).refused == 0
        for i, client in enumerate(clients):
            client.sendall(data[10 + i % 20:])
            router.deliver(A, data, client)
        assert router.wait_for(pending=0).handed_off == n
        assert router.notify.stored == []


def test_more_than_one_queue():
    """So many that one socket's queue can't hold them: no message of the store has more than 253."""
    n, limit = 7500, 16384
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < limit:
        pytest.skip(f"needs a hard limit of {limit} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        with StoredRouter(HOSTS, "SniffTimeoutSec=1h\nPendingMaxPerSource=0", nofile=limit) as router:
            clients = [router.connect(send=b"GET / ") for _ in range(n)]
            router.wait_for(pending=n)
            router.stop()
            assert 2 <= len(router.notify.stored) <= 16
            router.start(stored=list(reversed(router.notify.stored)))  # as systemd does
            assert router.wait_for(pending=n).refused == 0
            assert router.notify.stored == []
            for client in (clients[0], clients[n // 2], clients[-1]):
                client.sendall(http("alice.example")[6:])
                router.deliver(A, http("alice.example"), client)
            for client in clients:
                client.close()
            router.wait_for(pending=0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_deadline_of_sniffing_goes_along():
    """It is that of the accept, whatever the next router's settings say."""
    with StoredRouter(HOSTS, "SniffTimeoutSec=2s") as router:
        begin = time.monotonic()
        with router.connect(send=hello("alice.example")[:50]) as client:
            router.wait_for(pending=1)
            set_settings(router, "SniffTimeoutSec=1h")
            router.restart()
            assert read_to_end(client) == alert(ALERT_HANDSHAKE_FAILURE)
            assert 1.9 < time.monotonic() - begin
        with router.connect(send=b"GET") as client:
            router.wait_for(pending=1)
            client.sendall(http("alice.example")[3:])
            router.deliver(A, http("alice.example"), client)


def test_deadline_that_passes_meanwhile():
    with StoredRouter(HOSTS, "SniffTimeoutSec=1s") as router:
        begin = time.monotonic()
        with router.connect(send=b"GET / HTTP/1.1\r\n") as client:
            router.wait_for(pending=1)
            router.stop()
            time.sleep(max(0, begin + 1.1 - time.monotonic()))
            router.start(stored=router.notify.stored)
            assert parse_reply(read_to_end(client))[0] == 408


def test_waiting_keep_order_and_deadline():
    with StoredRouter(HOSTS, "HandoffTimeoutSec=1h") as router:
        with router.paused():
            clients = [router.connect(send=http("alice.example")) for _ in range(QUEUE + 5)]
        router.wait_for(pending=5)
        assert router.restart().pending == 5
        assert router.counts().pending == 5
        for client in clients[:QUEUE + 2]:
            router.deliver(A, http("alice.example"), client)
        router.wait_for(pending=0)
        for client in clients[QUEUE + 2:]:
            router.deliver(A, http("alice.example"), client)
        # Again, with clients that no instance takes. The deadline is that of the router that accepted them, whatever
        # settings the next router has.
        set_settings(router, "HandoffTimeoutSec=2s")
        router.reload()
        begin = time.monotonic()
        with router.paused():
            clients = [router.connect(send=http("alice.example")) for _ in range(QUEUE + 2)]
        router.wait_for(pending=2)
        set_settings(router, "HandoffTimeoutSec=1h")
        router.restart()
        for client in clients[QUEUE:]:
            assert parse_reply(read_to_end(client))[0] == 503
        assert 1.9 < time.monotonic() - begin
        for client in clients[:QUEUE]:
            router.deliver(A, http("alice.example"), client)


def test_stored_sockets_are_as_accept_gave_them():
    """Should another program take them up, or an older router: no low-water mark, and no copy with the old one."""
    with StoredRouter(HOSTS, "SniffTimeoutSec=1h") as router:
        client = router.connect(send=hello("alice.example", 9000)[:100])
        router.wait_for(pending=1)
        router.stop()
        (_, queue), = router.notify.stored
        with socket.socket(fileno=os.dup(queue)) as reader:
            data, fds, flags, _ = socket.recv_fds(reader, 65536, 253)
        assert len(fds) == 1 and not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        assert struct.unpack_from("=4sI", data) == (b"BHP1", 1)
        with socket.socket(fileno=fds[0]) as stored:
            assert stored.getpeername() == client.getsockname()
            assert stored.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1
        # That was the last one who held it.
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        client.close()
        router.start(stored=router.notify.stored)  # an empty queue
        assert router.counts().pending == 0


def test_clients_that_leave_meanwhile():
    with StoredRouter(HOSTS, "SniffTimeoutSec=1h") as router:
        clients = [router.connect(send=b"GET / HTTP/1.1\r\n") for _ in range(4)]
        router.wait_for(pending=4)
        router.stop()
        clients[0].close()
        clients[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        clients[1].close()
        clients[2].sendall(b"Host: bob.example\r\n\r\n")
        router.start(stored=router.notify.stored)
        router.deliver(B, b"GET / HTTP/1.1\r\nHost: bob.example\r\n\r\n", clients[2])
        router.wait_for(pending=1, handed_off=1)
        clients[3].close()


def test_refused_ones_are_not_stored():
    with StoredRouter(HOSTS) as router:
        client = router.connect(send=http("unknown.example"))
        assert parse_reply(client.recv(65536))[0] == 421
        router.stop()
        assert router.notify.stored == []
        client.close()
        router.start()


def test_nothing_pending_stores_nothing():
    with StoredRouter(HOSTS) as router:
        router.expect(A, http("alice.example"))
        router.restart()
        assert not [text for text in router.notify.messages if "FDSTORE" in text or "BARRIER" in text]


def queue_of(*batches):
    """(what the store holds, for each batch the other end of the connection in it)."""
    read, write = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ends = []
    for data, n in batches:
        pairs = [socket.socketpair() for _ in range(n)]
        socket.send_fds(write, [data], [ours.fileno() for ours, _ in pairs])
        for ours, theirs in pairs:
            ours.close()
            theirs.settimeout(20)
            ends.append(theirs)
    write.close()
    return read, ends


PAST = struct.pack("=3Q", 1, 2, 0)


@pytest.mark.parametrize("name,batches", [
    ("pending-0", [(b"x", 1)]), ("pending-0", [(b"BHP1\1\0\0\0", 1)]), ("pending-0", [(b"BHP1\1\0\0\0" + PAST, 2)]),
    ("pending-0", [(b"BHP1\2\0\0\0" + 2 * PAST, 1)]), ("pending-0", [(b"BHP2\1\0\0\0" + PAST, 1)]),
    ("pending-0", [(b"BHP1\1\0\0\0" + PAST + b"x", 1)]), ("pending-0", [(b"BHP1\xfd\0\0\0" + 253 * PAST, 0)]),
    ("pending-0", [(bytes(20000), 1)]), ("pending-0", [(b"BHP1\0\0\0\0", 0)]),
    ("pending-0", [(b"BHP1\1\0\0\0" + PAST, 1)]),  # well-formed, but no TCP socket
    ("pending-7", [(b"BHP1\1\0\0\0" + PAST, 1)]), ("pending-00", [(b"BHP1\1\0\0\0" + PAST, 1)]),
    ("something-else", [(b"BHP1\1\0\0\0" + PAST, 1)]),
])
def test_what_is_none_of_ours_is_closed_and_removed(name, batches):
    router = StoredRouter(HOSTS)
    read, ends = queue_of(*batches)
    router.notify.stored.append((name, read.detach()))
    with router.start(stored=router.notify.stored):
        router.expect(A, http("alice.example"))
        router.counts()
        assert router.notify.stored == []
        for end in ends:
            with end:
                assert read_to_end(end) == b""
        router.expect(B, http("bob.example"))


def test_without_systemd_they_are_closed():
    router = Router(HOSTS)
    try:
        router.start(wait=False, NOTIFY_SOCKET=None)
        router.expect(A, http("alice.example"))
        client = router.connect(send=b"GET / HTTP/1.1\r\n")
        router.expect(A, http("alice.example"))
        router.process.terminate()
        assert router.process.wait(20) == 0, router.errors()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        client.close()
        assert "stor" not in router.errors()
    finally:
        router.close()
