# SPDX-License-Identifier: MIT
"""Helpers of the path tests: hand-off protocol, systemd's side of an instance, a router in miniature.

The protocol is written down here a second time, from bellhop-handoff(7) and not from our C, so that a
mistake in one of them is seen. Nothing here sleeps to wait for something: it waits for the event.
"""

import contextlib
import errno
import itertools
import os
import pwd
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

REASON_ADDRESS, REASON_SERVER_NAME, REASON_HOST, REASON_DEFAULT = 1, 2, 3, 4
PROTOCOL_UNKNOWN, PROTOCOL_TLS, PROTOCOL_HTTP = 0, 1, 2

TIMEOUT = float(os.environ.get("BELLHOP_TIMEOUT", "20"))  # of one wait; nothing takes that long unless it is broken
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BELLHOP_BUILD", os.path.join(ROOT, "build")))
# Apache does not carry the sanitizers, so with a sanitized build its module comes from a plain one.
MODULE = os.environ.get("BELLHOP_MODULE", f"{BUILD}/mod_bellhop.so")
AS_ROOT = os.getuid() == 0


# --- the protocol ---


def message(reason=REASON_HOST, protocol=PROTOCOL_HTTP, host="", accepted_nsec=None, version=1, magic=b"BHOP"):
    """The bytes of one hand-off: 16 bytes of header in the machine's byte order, then the host."""
    name = host.encode("ascii")
    if accepted_nsec is None:
        accepted_nsec = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return struct.pack("=4sBBBBQ", magic, version, reason, protocol, len(name), accepted_nsec) + name


def parse(data):
    """(reason, protocol, host, accepted_nsec) of one hand-off; for tests that play the instance."""
    magic, version, reason, protocol, length, accepted = struct.unpack_from("=4sBBBBQ", data)
    assert (magic, version) == (b"BHOP", 1) and len(data) == 16 + length, data
    return reason, protocol, data[16:].decode("ascii"), accepted


def send(handoff, data, fds):
    """Sends data and descriptors (sockets or numbers); the caller still owns those."""
    handoff.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"".join(
        struct.pack("i", fd if isinstance(fd, int) else fd.fileno()) for fd in fds))] if fds else [])


def receive(handoff):
    """(reason, protocol, host, accepted_nsec, socket) of the next hand-off."""
    data, fds, flags, _ = socket.recv_fds(handoff, 1024, 8)
    assert len(fds) == 1 and not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC), (fds, flags)
    return (*parse(data), socket.socket(fileno=fds[0]))


class HandoffSocket:
    """What bellhop@NAME.socket is: a datagram socket that outlives the instance."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(path)

    def connect(self):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        sender.settimeout(TIMEOUT)
        sender.connect(self.path)
        return sender

    def close(self):
        self.socket.close()


def fill(path):
    """Fills the queue of a datagram socket, which nobody reads meanwhile."""
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(path)
            for n in itertools.count():
                try:
                    sender.send(b"FULL=1")
                except BlockingIOError:
                    break
        if n == 0:
            return


# --- systemd's ear ---


class Notify:
    """A notification socket: collects what a service says by sd_notify(3)."""

    def __init__(self, path):
        self.path = path
        self.messages = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(path)
        os.chmod(path, 0o777)

    def _next(self, deadline):
        self.socket.settimeout(max(0.001, deadline - time.monotonic()))
        self.messages.append(self.socket.recv(4096).decode())
        return self.messages[-1]

    def fill(self):
        """Others fill its queue, so that nobody has room until wait() reads."""
        fill(self.path)

    def wait(self, pattern, timeout=TIMEOUT):
        """The next message, of those not yet looked at, in which the regular expression is found."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                text = self._next(deadline)
            except (TimeoutError, BlockingIOError):
                raise AssertionError(f"no notification {pattern!r}; so far: {self.messages}") from None
            if re.search(pattern, text, re.MULTILINE):
                return text

    def close(self):
        self.socket.close()


# --- a router in miniature ---


class LinesSocket:
    """As bellhop-log: the folder of sockets with the one that takes log lines, and that of systemd."""

    def __init__(self, path, notify):
        os.makedirs(path)
        os.link(notify, f"{path}/notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(f"{path}/lines")
        os.chmod(f"{path}/lines", 0o666)
        self.folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.lines, self.n_messages = [], 0

    def text(self, kind=None):
        """kind: 16 for access lines, 17 for error lines. 18 has several access lines, as rsyslog.conf says."""
        with contextlib.suppress(BlockingIOError):
            while True:
                priority, _, text = self.socket.recv(1 << 18, socket.MSG_DONTWAIT).decode().partition(">")
                facility = int(priority[1:]) // 8
                several = text.split("␤") if facility == 18 else [text]
                assert facility != 18 or len(several) > 1, text
                self.lines += [(16 if facility == 18 else facility, line) for line in several]
                self.n_messages += 1
        return "".join(f"{line}\n" for of, line in self.lines if kind in (None, of))

    def close(self):
        self.socket.close()
        os.close(self.folder)


class Router:
    """Accepts on 127.0.0.1 and ::1 and passes every connection on, as host and reason say."""

    def __init__(self, handoff_path, host="alice.example", reason=None):
        self.host, self.reason = host, reason
        self.path = handoff_path
        self.n_sent = 0
        self.listeners = {}
        self._stop_r, self._stop_w = os.pipe()
        self.port = self._listen("http")
        self.tls_port = self._listen("https")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _listen(self, kind):
        """On one port for both families; what is free in one may be taken in the other, by a client even."""
        for _ in range(100):
            pair, port = [], 0
            try:
                for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                    pair.append(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC))
                    pair[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    pair[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    pair[-1].bind((address, port))
                    pair[-1].listen(512)
                    port = pair[-1].getsockname()[1]
            except OSError as error:
                for listener in pair:
                    listener.close()
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                self.listeners.update(dict.fromkeys(pair, kind))
                return port
        raise AssertionError("no port is free for both families")

    def _run(self):
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        sender.connect(self.path)  # blocking: a full queue makes clients wait, as the real router does
        while True:
            ready, _, _ = select.select([self._stop_r, *self.listeners], [], [])
            if self._stop_r in ready:
                break
            for listener in ready:
                connection, _ = listener.accept()
                tls = self.listeners[listener] == "https"
                reason = self.reason or (REASON_SERVER_NAME if tls else REASON_HOST)
                protocol = PROTOCOL_TLS if tls else PROTOCOL_HTTP
                if reason == REASON_ADDRESS:
                    protocol = PROTOCOL_UNKNOWN
                    select.select([connection], [], [], 5)  # as DeferAcceptSec= does
                connection.setblocking(True)
                send(sender, message(reason, protocol, self.host), [connection])
                connection.close()
                self.n_sent += 1
        sender.close()

    def close(self):
        os.write(self._stop_w, b"x")
        self._thread.join(TIMEOUT)
        for fd in (self._stop_r, self._stop_w):
            os.close(fd)
        for listener in self.listeners:
            listener.close()


# --- an instance: the real Apache ---


def self_signed(folder, *hosts):
    """A certificate for these hosts: fullchain.pem and privkey.pem in folder."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", f"{folder}/privkey.pem", "-out", f"{folder}/fullchain.pem", "-subj", "/CN=bellhop test",
         "-addext", "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts)],
        check=True, capture_output=True)


class Instance:
    """One instance in a folder of its own: configuration, site, hand-off socket, server process.

    The instance is named by a user that exists; as root that is somebody unprivileged.
    """

    user = "nobody" if AS_ROOT else pwd.getpwuid(os.getuid()).pw_name
    router_user = pwd.getpwuid(os.getuid()).pw_name

    def __init__(self, mpm="event", settings="Host=alice.example *.shop.example", tls=True, snippet="", defines=()):
        assert os.path.exists(MODULE), f"build first, or set BELLHOP_BUILD: {BUILD} has no module"
        self.mpm, self.defines = mpm, defines
        self.folder = tempfile.mkdtemp(prefix="bellhop-test-")
        self.process = None
        for name in ("config/instances", "config/apache2", "config/nginx", "www", "run", "module"):
            os.makedirs(f"{self.folder}/{name}")
        os.makedirs(self.path("config/sites", self.user))
        if mpm == "nginx":
            settings += "\nServer=nginx"
            self._copy_nginx()
        else:
            # Where no journal is, we still want to read errors.
            snippet = f"ErrorLog {self.path('run/error')}\n{snippet}"
        self.path("config/instances", self.user + ".conf", text=f"[Instance]\n{settings}\n")
        self.path("config/sites", self.user, "test.conf", text=f"{snippet}\n")
        self.path("www/index.html", text="hello\n")
        # A copy: the build folder need not be readable for the instance's user.
        for path in (MODULE, f"{BUILD}/instance.conf", f"{BUILD}/bellhop-instance"):
            shutil.copy(path, f"{self.folder}/module")
        shutil.copy(f"{ROOT}/conf/apache2/defaults.conf", f"{self.folder}/config/apache2")
        if tls:
            os.makedirs(f"{self.folder}/config/tls/{self.user}")
            self_signed(f"{self.folder}/config/tls/{self.user}", "alice.example", "*.shop.example")
        self.handoff = HandoffSocket(f"{self.folder}/handoff")
        self.notify = Notify(f"{self.folder}/notify")
        self.lines = LinesSocket(f"{self.folder}/sockets", self.notify.path) if mpm == "nginx" else None
        self.router = Router(self.handoff.path)
        os.chmod(self.folder, 0o755)
        if AS_ROOT:
            uid = pwd.getpwnam(self.user).pw_uid
            for place in ("run", "config/tls", "www"):
                for top, _, files in os.walk(f"{self.folder}/{place}"):
                    for name in (top, *(f"{top}/{file}" for file in files)):
                        os.chown(name, uid, -1)

    def _copy_nginx(self):
        module = shutil.copy(f"{BUILD}/ngx_bellhop_module.so", f"{self.folder}/module")
        with open(f"{BUILD}/nginx-instance.conf", encoding="utf-8") as file:
            text = re.sub("^load_module .*$", f"load_module {module};\nbellhop_router_user {self.router_user};", file.read(),
                          flags=re.MULTILINE)
        self.path("config/nginx/instance.conf", text=text)
        shutil.copy(f"{BUILD}/nginx-http.conf", self.path("config/nginx/http.conf"))
        shutil.copy(f"{ROOT}/conf/nginx/php.conf", self.path("config/nginx"))

    def path(self, *parts, text=None, mode=0o644):
        name = os.path.join(self.folder, *parts)
        if text is not None:
            with open(name, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, mode)
        return name

    def command(self, *arguments):
        defines = {"BELLHOP_MODULE": self.path("module/mod_bellhop.so"), "BELLHOP_WWW": self.path("www"),
                   **dict(self.defines)}
        self.path("config/apache2/instance.conf", text="".join(
            [*("Define %s %s\n" % item for item in defines.items()), f"Include {self.path('module/instance.conf')}\n",
             f"BellhopRouterUser {self.router_user}\n"]))
        become = ["setpriv", "--reuid", self.user, "--regid", str(pwd.getpwnam(self.user).pw_gid),
                  "--clear-groups"] if AS_ROOT else []
        return [*become, self.path("module/bellhop-instance"), f"--config={self.path('config')}", *arguments, self.user]

    def environment(self, **more):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BELLHOP_MPM": self.mpm,
                "RUNTIME_DIRECTORY": self.path("run"), "NOTIFY_SOCKET": self.notify.path, "BELLHOP_WWW": self.path("www"),
                **more}

    def run(self, *arguments, **environment):
        """Runs the server to its end, without hand-off socket: syntax check and the like."""
        return subprocess.run(self.command(*arguments), env=self.environment(**environment), cwd="/",
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)

    def start(self, fd=None, name="handoff", wait=True, **environment):
        """Starts the server as systemd would, and waits until it is ready."""
        number = self.handoff.socket.fileno() if fd is None else fd

        def give_descriptor():
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test in the background of a shell ignores it
            os.dup2(number, 3)
            os.set_inheritable(3, True)

        self.log = open(self.path("stderr"), "ab")
        self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
            ["sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh", *self.command()],
            env=self.environment(LISTEN_FDS="1", LISTEN_FDNAMES=name, **environment), cwd="/",
            stdin=self.lines.folder if self.lines else subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, preexec_fn=give_descriptor, pass_fds=(3,),
            start_new_session=True)
        if wait:
            try:
                self.notify.wait("^READY=1")
            except AssertionError as error:
                raise AssertionError(f"{error}; {self.errors()}") from None
        return self

    def _children_of(self, pid):
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                return [int(child) for child in file.read().split()]
        except FileNotFoundError:
            return []  # it has ended

    def servers(self):
        """The Apaches of this instance: one, and those that finish what they have after a reload."""
        return self._children_of(self.process.pid)

    def children(self):
        """The processes of Apache that receive."""
        return [child for server in self.servers() for child in self._children_of(server)]

    def n_fds(self, pid=None):
        return len(os.listdir(f"/proc/{pid or self.process.pid}/fd"))

    def wait_until(self, condition, what):
        """For what no notification tells: looks again until it is so."""
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}; {self.errors()}"
            time.sleep(0.01)

    def stop(self, number=signal.SIGTERM, timeout=TIMEOUT):
        """Ends the instance and returns its exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout) if self.process else None

    def errors(self):
        text = ""
        for name in ("stderr", "run/error"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text + (self.lines.text() if self.lines else "")

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop()
        if self.process:
            self.log.close()
        self.router.close()
        self.handoff.close()
        self.notify.close()
        if self.lines:
            self.lines.close()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    # clients

    def curl(self, url, *arguments, host="alice.example"):
        """Runs curl for a path ("/x") or URL; {p} and {t} stand for the ports. Returns (exit status, output)."""
        if url.startswith("/"):
            url = f"http://{host}:{{p}}{url}"
        elif url.startswith("https:/") and not url.startswith("https://"):
            url = f"https://{host}:{{t}}{url[6:]}"
        url = url.format(p=self.router.port, t=self.router.tls_port)
        done = subprocess.run(
            ["curl", "-sk", "--max-time", str(int(TIMEOUT)), "--connect-to", "::127.0.0.1:", *arguments, url],
            capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    def connect(self, tls_port=False):
        """A TCP connection of a client, timeout set."""
        return socket.create_connection(("127.0.0.1", self.router.tls_port if tls_port else self.router.port), TIMEOUT)
