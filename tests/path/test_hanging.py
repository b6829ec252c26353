# SPDX-License-Identifier: MIT
"""systemd or the reader of the log hangs: router and instance go on, and say later what they could not."""

import os
import re
import select
import signal
import socket
import subprocess

import handoff
import pytest
from handoff import TIMEOUT, HandoffSocket, Instance
from router import A, Router, http

HOSTS = {A: "Host=alice.example"}


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(TIMEOUT)


# --- notifications ---


def test_router_goes_on_although_systemd_reads_nothing():
    """The order of what systemd acts upon is kept: a reload and its end."""
    with Router(HOSTS) as router:
        router.notify.fill()
        router.process.send_signal(signal.SIGHUP)
        router.expect(A, http("alice.example"))
        router.write("instances/" + A + ".conf", "[Instage]\n")
        router.process.send_signal(signal.SIGHUP)
        router.wait_until(lambda: "Instage" in router.errors(), "reads its configuration again")
        router.expect(A, http("alice.example"))
        text = router.notify.wait("^RELOADING=1")
        assert re.search(r"^MONOTONIC_USEC=\d+$", text, re.MULTILINE)
        router.notify.wait("^READY=1")
        # Now there is room again.
        router.reload()


def test_router_starts_and_ends_although_systemd_reads_nothing():
    router = Router(HOSTS)
    try:
        router.notify.fill()
        router.start(wait=False)
        router.expect(A, http("alice.example"))
        router.notify.wait("^READY=1")
        router.notify.fill()
        router.expect(A, http("alice.example"))
        assert end(router.process) == 0
    finally:
        router.close()


def test_watchdog_is_answered_as_soon_as_systemd_reads_again():
    router = Router(HOSTS)
    try:
        router.start(WATCHDOG_USEC="400000")
        for _ in range(3):
            router.notify.wait("^WATCHDOG=1")
        router.notify.fill()
        router.expect(A, http("alice.example"))
        for _ in range(3):
            router.notify.wait("^WATCHDOG=1")
        assert end(router.process) == 0
    finally:
        router.close()


def test_watchdog_of_another_process_is_not_answered():
    router = Router(HOSTS)
    try:
        router.start(WATCHDOG_USEC="20000", WATCHDOG_PID="1")
        for _ in range(3):
            router.reload()
        assert not any("WATCHDOG=1" in text for text in router.notify.messages)
        assert end(router.process) == 0
    finally:
        router.close()


def test_instance_goes_on_although_systemd_reads_nothing():
    with Instance(settings="Host=alice.example\nIdleSec=0", tls=False) as instance:
        instance.notify.fill()
        instance.start(wait=False)
        assert instance.curl("/") == (0, "hello\n")
        instance.notify.wait("^READY=1")
        instance.notify.fill()
        servers = instance.servers()
        instance.process.send_signal(signal.SIGHUP)
        instance.wait_until(lambda: not set(servers) & set(instance.servers()), "a new server alone")
        assert instance.curl("/") == (0, "hello\n")
        instance.notify.wait("^RELOADING=1")
        instance.notify.wait("^READY=1")
        instance.notify.fill()
        assert instance.stop() == 0


# --- D-Bus ---


def test_stand_in_refuses_although_bus_and_systemd_hang(tmp_path):
    """It waits a while for the answers of systemd, in all."""
    queue = HandoffSocket(f"{tmp_path}/handoff")
    notify = handoff.Notify(f"{tmp_path}/notify")
    notify.fill()
    with socket.socket(socket.AF_UNIX) as bus, socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname(), TIMEOUT) as client:
        bus.bind(f"{tmp_path}/bus")
        bus.listen()
        visitor, _ = server.accept()
        handoff.send(queue.connect(), handoff.message(host="alice.example"), [visitor])
        visitor.close()
        client.sendall(http("alice.example"))
        client.settimeout(TIMEOUT)
        with subprocess.Popen(
                ["bash", "-c", f'exec 3<&{queue.socket.fileno()}; export LISTEN_PID=$$; exec "$@"', "bash",
                 f"{handoff.BUILD}/bellhop-standin", "alice"], pass_fds=[queue.socket.fileno()],
                env={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "handoff", "NOTIFY_SOCKET": notify.path,
                     "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/bus", "PATH": os.environ["PATH"]}) as process:
            try:
                assert client.recv(4096).startswith(b"HTTP/1.1 503 ")
            finally:
                assert end(process) == 0
    notify.close()
    queue.close()


# --- the log ---


class Pipe:
    """A pipe that is full."""

    def __enter__(self):
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.write_end, False)
        try:
            while True:
                os.write(self.write_end, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(self.write_end, True)
        return self

    def read(self):
        text = b""
        while select.select([self.read_end], [], [], 0)[0]:
            text += os.read(self.read_end, 65536)
        return text.decode().lstrip("x")

    def __exit__(self, *_):
        os.close(self.read_end)
        os.close(self.write_end)


def start_with_log(router, log):
    """Its standard error is that pipe."""
    real = subprocess.Popen

    def popen(*args, **kwargs):
        return real(*args, **{**kwargs, "stderr": log.write_end})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", popen)
        router.start()



def test_router_goes_on_although_nobody_reads_its_log():
    """Each reload is a line of it. The first that goes out is preceded by the number of those that are lost."""
    router = Router(HOSTS)
    try:
        with Pipe() as log:
            start_with_log(router, log)
            for _ in range(3):
                router.reload()
                router.expect(A, http("alice.example"))
            assert log.read() == ""
            router.reload()
            router.expect(A, http("alice.example"))
            lines = log.read().splitlines()
            found = re.fullmatch("<4>([0-9]+) lines of this log were lost: no process read them in time", lines[0])
            assert found and int(found[1]) >= 4, lines  # one of the start, at least, and one of each reload
            assert len(lines) == 2 and "serving 1 instances" in lines[1]
            assert end(router.process) == 0
    finally:
        router.close()
