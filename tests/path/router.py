# SPDX-License-Identifier: MIT
"""Helpers of the router's path tests: the router as systemd would start it, instances in miniature, clients.

Nothing here sleeps to wait for something: the router answers SIGHUP with its counts, so these can be asked for.
"""

import collections
import contextlib
import fcntl
import os
import re
import resource
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

import handoff
from handoff import TIMEOUT

BINARY = f"{handoff.BUILD}/bellhop-router"
# Users that every Debian has; as instances they need only exist.
A, B, C, D, E = "daemon", "bin", "mail", "games", "news"
UID, GID = (65534, 65534) if handoff.AS_ROOT else (os.getuid(), os.getgid())
QUEUE = int(open("/proc/sys/net/unix/max_dgram_qlen", encoding="ascii").read()) + 1  # what a hand-off socket holds
SANITIZER = re.compile(r"Sanitizer|runtime error:", re.IGNORECASE)

ALERT_HANDSHAKE_FAILURE, ALERT_DECODE_ERROR, ALERT_INTERNAL_ERROR, ALERT_UNRECOGNIZED_NAME = 40, 50, 80, 112


class Counts(collections.namedtuple("Counts", "instances accepted handed_off refused gone pending")):
    redirected = challenges = 0  # apart, as few tests have any



# --- what clients say ---


def http(host, target="/", version="1.1", fields=(), method="GET"):
    """The head of a request. host None: no Host field."""
    lines = [f"{method} {target} HTTP/{version}", *([] if host is None else [f"Host: {host}"]), *fields, "", ""]
    return "\r\n".join(lines).encode()


def extension(number, data):
    return struct.pack("!HH", number, len(data)) + data


def server_name(name):
    name = name.encode() if isinstance(name, str) else name
    return extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name)


def records(message, size=16384):
    """The handshake message in records of that size."""
    parts = (message[i:i + size] for i in range(0, len(message), size))
    return b"".join(struct.pack("!BHH", 22, 0x0301, len(part)) + part for part in parts)


def alpn(*protocols):
    names = b"".join(bytes([len(protocol)]) + protocol.encode() for protocol in protocols)
    return extension(16, struct.pack("!H", len(names)) + names)


def hello_message(name=None, size=0, more=b""):
    """A ClientHello without records, filled up to size. The name comes last, where a lazy parser misses it."""
    extensions = (extension(0x2A2A, b"") + extension(43, b"\x04\x03\x04\x03\x03") +
                  extension(10, b"\x00\x02\x00\x1d") + extension(13, b"\x00\x02\x04\x03") + more)
    last = b"" if name is None else server_name(name)
    body = struct.pack("!H32sB32s", 0x0303, b"r" * 32, 32, b"s" * 32) + b"\x00\x04\x13\x01\xc0\x2b" + b"\x01\x00"
    fill = size - 4 - len(body) - 2 - len(extensions) - len(last)
    if size:
        extensions += extension(21, bytes(fill - 4))
    extensions += last
    body += struct.pack("!H", len(extensions)) + extensions
    return b"\x01" + struct.pack("!I", len(body))[1:] + body


def hello(name=None, size=0, record=16384, more=b""):
    return records(hello_message(name, size, more), record)


def openssl_hello(name):
    """What OpenSSL really sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    read, write = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(read, write, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return write.read()


def alert(number):
    return bytes((21, 3, 3, 0, 2, 2, number))


def read_to_end(connection):
    """Everything up to the end; a reset is an error."""
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, f"end after {len(data)} of {size} bytes"
        data += part
    return data


def parse_reply(data):
    """(status, fields, body) of the one HTTP reply in data; checks the rules for all our replies."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    assert re.fullmatch(r"HTTP/1\.1 \d{3} [A-Z][A-Za-z ]+", status), data
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines)
    assert int(fields["Content-Length"]) == len(body), data
    assert fields["Connection"] == "close" and fields["Cache-Control"] == "no-store"
    assert fields["Content-Type"].startswith("text/plain")
    text = body.decode("ascii")
    assert re.fullmatch(r"[A-Z][ -~]{10,}\.\n", text), text
    return int(status.split()[1]), fields, text


# --- an instance in miniature ---


class HandOff:
    """One received hand-off."""

    def __init__(self, data, controls, no_delay):
        self.reason, self.protocol, self.host, self.accepted_nsec = handoff.parse(data)
        by_type = {kind: value for _, kind, value in controls}
        assert len(controls) == 2 and {level for level, _, _ in controls} == {socket.SOL_SOCKET}, controls
        self.pid, self.uid, self.gid = struct.unpack("3i", by_type[socket.SCM_CREDENTIALS])
        fds = struct.unpack("%di" % (len(by_type[socket.SCM_RIGHTS]) // 4), by_type[socket.SCM_RIGHTS])
        assert len(fds) == 1, fds
        self.socket = socket.socket(fileno=fds[0])
        self._check_untouched(no_delay)
        self.socket.settimeout(TIMEOUT)

    def _check_untouched(self, no_delay):
        """The socket is as accept gave it to the router."""
        flags = fcntl.fcntl(self.socket.fileno(), fcntl.F_GETFL)
        assert not flags & os.O_NONBLOCK

        def option(number, size=4):
            return self.socket.getsockopt(socket.SOL_SOCKET, number, size)

        assert struct.unpack("i", option(socket.SO_RCVLOWAT)) == (1,)
        assert option(socket.SO_LINGER, 8) == bytes(8)
        assert option(socket.SO_RCVTIMEO, 16) == option(socket.SO_SNDTIMEO, 16) == bytes(16)
        assert option(socket.SO_ACCEPTCONN) == bytes(4)
        assert bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) == no_delay

    def read(self, size):
        return read_exactly(self.socket, size)

    def close(self):
        self.socket.close()


class FakeInstance(handoff.HandoffSocket):
    """The hand-off socket of an instance; as with systemd, only the router's user may send to it."""

    def __init__(self, path, uid=UID):
        super().__init__(path)
        self.no_delay = True  # the public sockets have TCP_NODELAY, which is inherited
        os.chmod(path, 0o600)
        os.chown(path, uid, GID)
        self.socket.settimeout(TIMEOUT)

    def receive(self):
        size = socket.CMSG_SPACE(12) + socket.CMSG_SPACE(4 * 8)
        data, controls, flags, _ = self.socket.recvmsg(1024, size, socket.MSG_CMSG_CLOEXEC)
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        return HandOff(data, controls, self.no_delay)

    def is_empty(self):
        return not select.select([self.socket], [], [], 0)[0]

    def close(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        super().close()


# --- the router ---


def listen(address, port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((address, port))
    listener.listen(512)
    return listener


class Router:
    """A router in a folder of its own, not as root, with a hand-off socket for each instance.

    instances: name -> the lines below [Instance]. settings: the lines below [Router].
    absent: names without hand-off socket. listen_on: addresses or (address, port). nofile: its RLIMIT_NOFILE.
    """

    def __init__(self, instances=None, settings="", absent=(), listen_on=("127.0.0.1", "::1"), nofile=None,
                 uid=UID):
        # What a client opens here must not run out before the router's does.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
        self.process, self.nofile, self.uid, self.instances = None, nofile, uid, {}
        self.folder = tempfile.mkdtemp(prefix="bellhop-")
        for name in ("config/instances", "config/router.conf.d", "run", "run-instance", "challenges/http-01",
                     "challenges/tls-alpn-01"):
            os.makedirs(f"{self.folder}/{name}")
        os.chmod(self.folder, 0o755)
        # A copy: the build folder need not be readable for the router's user.
        shutil.copy(BINARY, f"{self.folder}/bellhop-router")
        self.write("router.conf", f"[Router]\n{settings}\n")
        for name, text in (instances or {}).items():
            self.write(f"instances/{name}.conf", f"[Instance]\n{text}\n")
            if name not in absent:
                self.add_socket(name)
        self.notify = handoff.Notify(f"{self.folder}/notify")
        self.listeners = [listen(*((place,) if isinstance(place, str) else place)) for place in listen_on]
        self.addresses = [listener.getsockname()[:2] for listener in self.listeners]

    def write(self, name, text, mode=0o644):
        """Writes a configuration file and returns its path."""
        path = f"{self.folder}/config/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def add_socket(self, name):
        self.instances[name] = FakeInstance(f"{self.folder}/run/{name}.handoff", self.uid)
        self.set_running(name, True)
        return self.instances[name]

    def pend(self, path, text):
        """Writes the file of a challenge, as bellhop-acme does: http-01/HOST/TOKEN or tls-alpn-01/HOST."""
        path = f"{self.folder}/challenges/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def set_running(self, name, running):
        """Its service has a runtime directory while it runs. All run, but where tests say otherwise."""
        folder = f"{self.folder}/run/{name}.running"
        if os.path.exists(folder) != running:
            (os.mkdir if running else os.rmdir)(folder)

    def command(self, *arguments):
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={GID}", "--clear-groups",
                  "--no-new-privs"] if handoff.AS_ROOT else []
        limit = ["prlimit", f"--nofile={self.nofile}:{self.nofile}"] if self.nofile else []
        return [*limit, *become, f"{self.folder}/bellhop-router", f"--config={self.folder}/config",
                f"--runtime={self.folder}/run", f"--challenges={self.folder}/challenges", *arguments]

    def environment(self, **more):
        sanitizers = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
        whole = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": self.notify.path, **sanitizers, **more}
        return {name: value for name, value in whole.items() if value is not None}

    def run(self, *arguments, **environment):
        """Runs it to its end, without inherited sockets."""
        return subprocess.run(self.command(*arguments), env=self.environment(**environment), cwd="/", text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)

    def start(self, names=None, wait=True, stored=(), **environment):
        """Starts it as systemd would, and waits until it is ready. stored: (name, descriptor) of its store."""
        # First out of the way, as the numbers from 3 on may be taken by each other.
        fds = [listener.fileno() for listener in self.listeners] + [fd for _, fd in stored]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in fds]
        low = tuple(range(3, 3 + len(high)))

        def give_descriptors():
            for number, fd in zip(low, high):
                os.dup2(fd, number)

        names = names or ":".join(["public"] * len(self.listeners) + [name for name, _ in stored])
        with open(f"{self.folder}/stderr", "ab") as log:
            self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                ["sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", *self.command()],
                env=self.environment(LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=names, **environment), cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=give_descriptors, pass_fds=low)
        for fd in high:
            os.close(fd)
        if wait:
            try:
                self.notify.wait("^READY=1")
            except AssertionError as error:
                raise AssertionError(f"{error}; {self.errors()}") from None
        return self

    def __enter__(self):
        try:
            return self if self.process else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
            elif self.process:
                print(f"stderr of the router:\n{self.errors()}", file=sys.stderr)
        finally:
            self.close()

    def stop(self, number=signal.SIGTERM):
        """Ends it and checks that it ends well: status, sanitizers' reports, and that no connection was lost."""
        self.process.send_signal(number)
        text = self.notify.wait("^STOPPING=1")
        assert self.process.wait(TIMEOUT) == 0, self.errors()
        assert not SANITIZER.search(self.errors()), self.errors()
        counts = self._parse(text)
        assert counts.accepted == counts.handed_off + counts.refused + counts.gone + counts.pending + counts.redirected + counts.challenges, counts
        return counts

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thing in (self.notify, *self.listeners, *self.instances.values()):
            thing.close()
        shutil.rmtree(self.folder)

    def errors(self):
        with open(f"{self.folder}/stderr", encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_until(self, condition, what):
        """For what no notification tells: looks again until it is so."""
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}; {self.errors()}"
            time.sleep(0.005)

    # counts

    @staticmethod
    def _parse(text):
        found = re.search(r"STATUS=(\d+) instances(?: \(.*\))?; accepted (\d+), handed off (\d+), refused (\d+), "
                          r"gone (\d+), pending (\d+), redirected (\d+), challenges (\d+)$", text, re.MULTILINE)
        assert found, text
        *six, redirected, challenges = map(int, found.groups())
        counts = Counts(*six)
        counts.redirected, counts.challenges = redirected, challenges
        return counts

    def reload(self):
        """Reloads the configuration and returns the counts after it."""
        self.process.send_signal(signal.SIGHUP)
        return self._parse(self.notify.wait("^READY=1"))

    counts = reload

    def wait_for(self, **wanted):
        """The counts, once these are so."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            counts = self.counts()
            if all(getattr(counts, name) == value for name, value in wanted.items()):
                return counts
            assert time.monotonic() < deadline, f"never {wanted}, but {counts}; {self.errors()}"

    # what the process uses

    def sleeps(self):
        """It has nothing to do right now."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "S"

    def n_fds(self):
        """Of its descriptors, once it has nothing to do: a notification takes one for a moment."""
        self.wait_until(self.sleeps, "sleep")
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_sec(self):
        """Of all time on a processor; finer than the ticks in stat."""
        with open(f"/proc/{self.process.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9

    def n_wakes(self):
        """How often it went to sleep until now, and so was woken."""
        self.wait_until(self.sleeps, "sleep")
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", file.read(), re.MULTILINE)[1])

    def busy(self, sec):
        """Which part of that time it is on a processor. To see that nothing happens, one has to wait."""
        before = self.cpu_sec()
        time.sleep(sec)
        return (self.cpu_sec() - before) / sec

    # clients

    @contextlib.contextmanager
    def paused(self):
        """Whatever clients do within is all there when the router looks."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def connect(self, number=0, source=None, send=b""):
        """A client's connection to the listener of that number; each send is a segment."""
        client = socket.create_connection(self.addresses[number], TIMEOUT, source and (source, 0))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send:
            client.sendall(send)
        return client

    def ask(self, data, number=0):
        """What a client gets that sends this, up to the end."""
        with self.connect(number, send=data) as client:
            return read_to_end(client)

    def deliver(self, name, sent, client):
        """The next hand-off to the instance is this client's: byte for byte, both ways, and to the end."""
        got = self.instances[name].receive()
        assert got.socket.getpeername() == client.getsockname()
        assert got.read(len(sent)) == sent
        client.sendall(b"more")
        assert got.read(4) == b"more"
        got.socket.sendall(b"answer")
        got.close()
        # An end, and no reset: nobody else holds the socket, and nothing is left unread in it.
        assert read_to_end(client) == b"answer"
        client.close()
        return got

    def expect(self, name, data, number=0):
        """A client that sends this comes to that instance."""
        return self.deliver(name, data, self.connect(number, send=data))
