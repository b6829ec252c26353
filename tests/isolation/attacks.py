#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What hostile code of a customer's tries, as a CGI program in the customer's own instance.

attacks.cgi?NAME&KEY=VALUE... runs the function NAME and writes what came of it to result.json beside it, as the
connection may not survive: for each thing tried "done", the name of the error, or what was found. Whether that is right
is for the tests to say.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.parse

LIBC = ctypes.CDLL(None, use_errno=True)
MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN_CONNECT, TCP_ULP, TCP_FASTOPEN_NO_COOKIE, TCP_ESTABLISHED = 30, 31, 34, 1
CALLS = {"process_vm_readv": 310, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
         "pidfd_open": 434, "pidfd_getfd": 438, "sendmmsg": 307, "ptrace": 101, "bpf": 321, "keyctl": 250,
         "perf_event_open": 298, "userfaultfd": 323, "add_key": 248, "io_setup": 206}


def attempt(function, *args):
    """What came of it, in a word."""
    try:
        result = function(*args)
    except socket.gaierror as error:
        return str(error)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done" if result is None else result


def call(name, *args):
    """A system call for which Python has no name."""
    result = LIBC.syscall(CALLS[name], *(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    if result < 0:
        raise OSError(ctypes.get_errno(), name)


def read(path):
    with open(path, "rb") as file:
        file.read(100)


def write(path):
    with open(path, "ab"):
        pass


def make_file(folder):
    path = f"{folder}/made-by-{os.getuid()}"
    with open(path, "x", encoding="ascii"):
        pass
    os.unlink(path)


def leave(name, value):
    """For the tests, whole or not at all."""
    path = f"{os.path.dirname(os.environ['SCRIPT_FILENAME'])}/{name}"
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.rename(path + ".new", path)


# --- files ---


def reads(path):
    return {each: attempt(read, each) for each in path}


def lists(path):
    return {each: attempt(lambda each=each: sorted(os.listdir(each))) for each in path}


def writes(path):
    return {each: attempt(make_file if os.path.isdir(each) else write, each) for each in path}


def writable_places():
    """The folders in which a file can be made, outside of /proc and /sys, and not too deep."""
    found = []
    for folder, folders, _ in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("proc", "sys")]
        if folder.count("/") == 4:
            folders.clear()
        if attempt(make_file, folder) == "done":
            found.append(folder)
            folders.clear()
    return found


def runs(command):
    """What a program prints, wherever it goes."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=10, check=False)
    except OSError as error:
        return {"status": 127, "text": str(error)}
    return {"status": done.returncode, "text": done.stdout[-2000:]}


def journal(words):
    return runs(["journalctl", "-q", "--no-pager", "-n", "1000", *words])


# --- processes ---


def sees():
    """The processes that it sees, by uid."""
    seen = {}
    for path in pathlib.Path("/proc").iterdir():
        if path.name.isdigit():
            uid = attempt(lambda path=path: path.stat().st_uid)
            seen[uid] = seen.get(uid, 0) + 1
    return seen


def reaches(pid):
    """Each way to touch a process, by its number, which it might guess."""
    pid = int(pid)
    size = ctypes.create_string_buffer(16)
    vector = struct.pack("PN", ctypes.addressof(size), 16)
    return {
        "signal": attempt(os.kill, pid, 0),
        "kill": attempt(os.kill, pid, signal.SIGKILL),
        "stop": attempt(os.kill, pid, signal.SIGSTOP),
        "ptrace": attempt(call, "ptrace", 16, pid, 0, 0),
        "process_vm_readv": attempt(call, "process_vm_readv", pid, vector, 1, vector, 1, 0),
        "pidfd_getfd": attempt(call, "pidfd_getfd", pid, 0, 0),
        "mem": attempt(read, f"/proc/{pid}/mem"),
        "environ": attempt(read, f"/proc/{pid}/environ"),
        "cmdline": attempt(read, f"/proc/{pid}/cmdline"),
        "maps": attempt(read, f"/proc/{pid}/maps"),
        "fd": attempt(os.listdir, f"/proc/{pid}/fd"),
        "root": attempt(os.listdir, f"/proc/{pid}/root"),
        "setpriority": attempt(os.setpriority, os.PRIO_PROCESS, pid, 19),
        "sched_setaffinity": attempt(os.sched_setaffinity, pid, {0}),
        "sched_setscheduler": attempt(os.sched_setscheduler, pid, os.SCHED_IDLE, os.sched_param(0)),
        "setpgid": attempt(os.setpgid, pid, pid),
    }


def gets_into(pids):
    """Processes of its own user's, without harm to them."""
    vector = struct.pack("PN", ctypes.addressof(ctypes.create_string_buffer(16)), 16)
    return {pid: {
        "ptrace": attempt(call, "ptrace", 0x4206, pid, 0, 0),
        "process_vm_readv": attempt(call, "process_vm_readv", pid, vector, 1, vector, 1, 0),
        "pidfd_getfd": attempt(lambda pid=pid: call("pidfd_getfd", os.pidfd_open(pid), 3, 0)),
        "mem": attempt(read, f"/proc/{pid}/mem"),
        "environ": attempt(read, f"/proc/{pid}/environ"),
        "maps": attempt(read, f"/proc/{pid}/maps"),
        "fd": attempt(os.listdir, f"/proc/{pid}/fd"),
        "configuration": attempt(read, f"/proc/{pid}/fd/7"),
    } for pid in pids}


def kills_all():
    """Everybody whom it may signal; that takes its own server as well."""
    leave("result.json", "begun")
    os.kill(-1, signal.SIGKILL)


# --- privileges ---


def rises():
    """Tries to become root, and to leave behind what would make others so."""
    result = {
        "setuid": attempt(os.setuid, 0),
        "setgid": attempt(os.setgid, 0),
        "setgroups": attempt(os.setgroups, [0]),
        "user namespace": attempt(LIBC_unshare, 0x10000000),
        "mount namespace": attempt(LIBC_unshare, 0x00020000),
        "network namespace": attempt(LIBC_unshare, 0x40000000),
        "chroot": attempt(os.chroot, "/"),
        "device": attempt(os.mknod, "/tmp/device", 0o020666, os.makedev(1, 1)),
        "status": {line.split(":")[0]: line.split()[1] for line in open("/proc/self/status", encoding="ascii")
                   if line.startswith(("Cap", "NoNewPrivs", "Seccomp:"))},
    }
    own = f"{os.path.dirname(os.environ['SCRIPT_FILENAME'])}/own"
    write(own)
    result["file capabilities"] = attempt(os.setxattr, own, "security.capability",
                                          struct.pack("<IIIII", 0x02000000, 0xffffffff, 0, 0, 0))
    os.unlink(own)
    return result


def LIBC_unshare(flags):
    if LIBC.unshare(flags) < 0:
        raise OSError(ctypes.get_errno(), "unshare")


def calls():
    """System calls that lead to the kernel's less tested sides, or to what belongs to all."""
    return {name: attempt(call, name, *args) for name, args in {
        "io_setup": (60000, ctypes.create_string_buffer(8)),
        "io_uring_setup": (1, ctypes.create_string_buffer(120)),
        "io_uring_enter": (0, 0, 0, 0, 0, 0),
        "io_uring_register": (0, 0, 0, 0),
        "bpf": (0, 0, 0),
        "perf_event_open": (0, 0, -1, -1, 0),
        "ptrace": (0, 0, 0, 0),
        "pidfd_getfd": (0, 0, 0),
    }.items()}


# --- network ---


def address_of(family, port):
    return ("::1" if family == socket.AF_INET6 else "127.0.0.1", int(port))


def connects(to):
    """With sockets of its own; each is HOST/PORT."""
    def one(each):
        host, port = each.split("/")
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as own:
            own.settimeout(5)
            own.connect((host, int(port)))
    return {each: attempt(one, each) for each in to}


def sends(to, way):
    """Datagrams, to HOST/PORT, by each call that can send one; what comes back."""
    def one(each):
        host, port = each.split("/")
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.settimeout(2)
            if way == "connect":
                own.connect((host, int(port)))
                own.send(b"hello")
            elif way == "sendmsg":
                own.sendmsg([b"hello"], [], 0, (host, int(port)))
            else:
                own.sendto(b"hello", (host, int(port)))
            return own.recv(100).decode()
    return {each: attempt(one, each) for each in to}


def connects_by(to, way):
    """With own sockets, in other ways than connect(2) on a plain one."""
    def one(each):
        host, port = each.split("/")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, proto=262 if way == "mptcp" else 0) as own:
            own.settimeout(0.05 if way.startswith("device") else 5)
            if way.startswith("device "):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, way.split()[1].encode() + b"\0")
            elif way == "source":
                own.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
            elif way == "freebind":
                own.setsockopt(socket.SOL_IP, 15, 1)
            if way == "fast_open":
                own.sendto(b"x", MSG_FASTOPEN, (host, int(port)))
            else:
                own.connect((host, int(port)))
    return {each: attempt(one, each) for each in to}


def pings(to):
    """Sockets of other kinds than TCP and UDP."""
    def one(host, kind, protocol):
        with socket.socket(socket.AF_INET, kind, protocol) as own:
            own.sendto(b"\x08\0\0\0\0\1\0\1", (host, 0))
    return {f"{host} {name}": attempt(one, host, kind, protocol) for host in to for name, kind, protocol in (
        ("ping", socket.SOCK_DGRAM, 1), ("raw", socket.SOCK_RAW, 255), ("UDP-Lite", socket.SOCK_DGRAM, 136))}


def sends_by_way_of(hop, to):
    """A datagram that the first host passes on to the second one: segment routing, RFC 8754."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as own:
        header = struct.pack("!BBBBBBH16x", 0, 4, 4, 1, 1, 0, 0) + socket.inet_pton(socket.AF_INET6, hop)
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RTHDR, header)
        return attempt(lambda: own.sendto(b"passed on", (to, 9990)) and None)


def resolves(name):
    return attempt(lambda: sorted({found[4][0] for found in socket.getaddrinfo(name, 80)}))


def takes_datagrams(port, seconds=2, shares=False):
    """Binds the UDP port, and returns what arrives in this time. shares: another program may use the port, too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, shares)
        bound = attempt(own.bind, ("0.0.0.0", port))
        leave("port.json", bound)
        own.settimeout(seconds)
        return attempt(lambda: own.recv(100).decode()) if bound == "done" else bound


def takes_all_ports(way):
    """As many as its processes get, and why no more; each has one for as long as the test wants."""
    def take():
        family, kind = (socket.AF_INET, socket.SOCK_DGRAM) if way == "connect" else (socket.AF_INET6, socket.SOCK_STREAM)
        own = socket.socket(family, kind)
        taken.append(own)
        if way == "connect":
            own.connect(("203.0.113.5", 9999))
        else:
            own.listen(1)

    taken, outcome, parts = [], "done", []
    for _ in range(5):
        receiver, sender = os.pipe()
        if os.fork() == 0:
            while outcome == "done" and len(taken) < 8000:
                outcome = attempt(take)
            os.write(sender, f"{len(taken)} {outcome}".encode())
            time.sleep(60)
            os._exit(0)
        parts.append(os.read(receiver, 100).decode().split())
    leave("result.json", [sum(int(n) for n, _ in parts), parts[-1][1]])
    time.sleep(60)


def keeps_locks(below):
    """Of both kinds, on each file and folder that it can open there; says of how many, and keeps them."""
    kept = []
    for start in below:
        for folder, _, files in os.walk(start):
            for path in (folder, *(f"{folder}/{name}" for name in files)):
                if os.path.islink(path) or not (os.path.isdir(path) or os.path.isfile(path)):
                    continue
                with contextlib.suppress(OSError):
                    fd = os.open(path, os.O_RDONLY)
                    kept.append(fd)
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    leave("result.json", len(kept))
    time.sleep(60)


def floods(to, datagrams):
    """How many could be sent, and why no more."""
    host, port = to.split("/")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.connect((host, int(port)))
        for n in range(datagrams):
            outcome = attempt(lambda: own.send(b"x") and None)
            if outcome == "EPERM":
                return n, outcome
    return datagrams, "done"


def listens(port):
    def one(each, family):
        with socket.socket(family) as own:
            own.bind((address_of(family, 0)[0], int(each)))
            own.listen()
    return {f"{each} {family.name}": attempt(one, each, family)
            for each in port for family in (socket.AF_INET, socket.AF_INET6)}


def families():
    kinds = [(name, getattr(socket, name), kind) for name in sorted(dir(socket)) if name.startswith("AF_")
             for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW)]
    return sorted({name for name, family, kind in kinds
                   if attempt(lambda f=family, k=kind: socket.socket(f, k).close()) == "done"})


def state_of(connection):
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


class Passed:
    """The connection that this program answers, taken from the server and disconnected from its client."""

    def __init__(self):
        self.socket = socket.socket(fileno=os.dup(int(os.environ["PASSED_FD"])))
        self.family = self.socket.family
        self.socket.setblocking(False)
        nowhere = struct.pack("H26x", socket.AF_UNSPEC)
        if LIBC.connect(self.socket.fileno(), nowhere, len(nowhere)) < 0:
            raise OSError(ctypes.get_errno(), "disconnect")

    def outcome(self, function, *args):
        """The state tells at once: loopback answers within the call."""
        what = attempt(function, *args)
        return "connected" if state_of(self.socket) == TCP_ESTABLISHED else what


def out_connect(passed, port):
    return passed.outcome(passed.socket.connect, address_of(passed.family, port))


def out_fast_open(passed, port):
    return passed.outcome(passed.socket.sendto, b"x", MSG_FASTOPEN, address_of(passed.family, port))


def out_fast_open_sendmsg(passed, port):
    return passed.outcome(passed.socket.sendmsg, [b"x"], [], MSG_FASTOPEN, address_of(passed.family, port))


def out_fast_open_sendmmsg(passed, port):
    where = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(int(port)), b"\x7f\0\0\1")
    if passed.family == socket.AF_INET6:
        where = struct.pack("=HHI16sI", socket.AF_INET6, socket.htons(int(port)), 0, bytes(15) + b"\1", 0)
    data = ctypes.create_string_buffer(b"x", 1)
    name = ctypes.create_string_buffer(where, len(where))
    vector = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(data), 1), 16)
    message = ctypes.create_string_buffer(
        struct.pack("PIxxxxPNPNixxxxIxxxx", ctypes.addressof(name), len(where), ctypes.addressof(vector), 1, 0, 0, 0, 0),
        64)
    return passed.outcome(call, "sendmmsg", passed.socket.fileno(), message, 1, MSG_FASTOPEN)


def out_fast_open_connect(passed, port):
    option = attempt(passed.socket.setsockopt, socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    return option if option != "done" else out_connect(passed, port)


def out_without_cookie(passed, port):
    option = attempt(passed.socket.setsockopt, socket.IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)
    return option if option != "done" else out_fast_open(passed, port)


def out_other_protocol(passed, port):
    option = attempt(passed.socket.setsockopt, socket.IPPROTO_TCP, TCP_ULP, b"smc")
    return option if option != "done" else out_connect(passed, port)


def out_io_uring(_passed, _port):
    return attempt(call, "io_uring_setup", 1, ctypes.create_string_buffer(120))


def out_namespace(passed, _port):
    """SIOCGSKNS: a descriptor of the network that the socket belongs to."""
    if LIBC.ioctl(passed.socket.fileno(), 0x894c, 0) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return "connected"


def out_bind(passed, _port):
    return attempt(passed.socket.bind, (address_of(passed.family, 0)[0], 0))


def out_bind_public(passed, _port):
    return attempt(passed.socket.bind, (address_of(passed.family, 0)[0], 443))


def escapes(way, port):
    """One way out by the passed socket; port: of a service of the host's that listens."""
    return globals()["out_" + way](Passed(), port)


def opens_shop(seconds):
    """Listens with the passed socket, until its client has seen whether anybody can connect, or until this time is
    over."""
    passed = Passed()
    passed.socket.listen(5)
    leave("port.json", passed.socket.getsockname()[1])
    passed.socket.settimeout(seconds)
    return attempt(lambda: passed.socket.accept()[1][0])


def breaks_seal():
    with socket.socket(fileno=os.dup(int(os.environ["PASSED_FD"]))) as passed:
        return {
            "locked": bool(passed.getsockopt(socket.SOL_SOCKET, 44)),
            "unlock": attempt(passed.setsockopt, socket.SOL_SOCKET, 44, 0),
            "detach": attempt(passed.setsockopt, socket.SOL_SOCKET, 27, 0),
        }


# --- unix sockets ---


def is_socket(path):
    try:
        return pathlib.Path(path).is_socket()
    except PermissionError:
        # A link to a place that it can't enter.
        return False


def unix_sockets(also):
    """Connects to every socket that has a name: those it finds, and those it is told."""
    found = set(also)
    for folder in ("/run", "/var", "/tmp", "/dev", "/srv", "/home", "/etc"):
        for parent, _, names in os.walk(folder):
            found.update(path for name in names if is_socket(path := f"{parent}/{name}"))
    return {path: attempt(knock, path) for path in sorted(found)}


def knocks(path):
    return {each: attempt(knock, each) for each in path}


def knock(path):
    """Whether the socket takes a connection, of whatever kind it is."""
    if path.startswith("@"):
        path = "\0" + path[1:]
    outcomes = set()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as own:
            own.setblocking(False)
            outcomes.add(attempt(own.connect, path))
    outcomes.discard("EPROTOTYPE")
    return "done" if "done" in outcomes else " ".join(sorted(outcomes))


def tells_systemd(pid):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        outcome = attempt(own.connect, "/run/systemd/notify")
        if outcome == "done":
            socket.send_fds(own, [f"MAINPID={pid}\nSTATUS=all is well\nFDSTORE=1\nREADY=1".encode()], [0])
    return outcome


def handoff():
    return socket.socket(fileno=os.dup(int(os.environ["HANDOFF_FD"])))


def makes_systemd_wait():
    """Whether reading from the hand-off socket waits, for systemd as well."""
    with handoff() as own:
        return os.get_blocking(own.fileno())


def handoff_shut(own):
    own.shutdown(socket.SHUT_RD)


def handoff_shut_all(own):
    own.shutdown(socket.SHUT_RDWR)


def handoff_anonymous(own):
    own.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)


def handoff_without_rights(own):
    own.setsockopt(socket.SOL_SOCKET, 83, 0)  # SO_PASSRIGHTS, Linux 6.16


def handoff_connected(own):
    """To a socket of its own, so that nobody else may send to it."""
    path = f"{os.path.dirname(os.environ['SCRIPT_FILENAME'])}/other.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        own.connect(path)
    os.unlink(path)


def handoff_deaf(own):
    """A filter that drops all, and nobody is told."""
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0), 8)
    own.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", 1, ctypes.addressof(drop)))


def handoff_blocking(own):
    own.setblocking(True)


def handoff_small(own):
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)


def handoff_with_extras(own):
    """More control messages with each hand-off than a receiver expects."""
    for option in (34, 29, 76):  # SO_PASSSEC, SO_TIMESTAMP, SO_PASSPIDFD
        attempt(own.setsockopt, socket.SOL_SOCKET, option, 1)


def handoff_peek_offset(own):
    own.setsockopt(socket.SOL_SOCKET, 42, 4096)


def handoff_taken(own):
    """Receives what is for the server, and keeps it for a while."""
    leave("port.json", "waits")
    end = time.monotonic() + 1.5
    own.setblocking(False)
    kept = []
    while time.monotonic() < end:
        try:
            kept.append(socket.recv_fds(own, 1024, 8))
        except BlockingIOError:
            pass


def spoils(way):
    """Something with the hand-off socket, which it shares with systemd and with its next life."""
    with handoff() as own:
        return attempt(globals()["handoff_" + way], own)


def goes_back(neighbour):
    """Sending by the hand-off socket: to itself, to the router's end, to the neighbours' names."""
    with handoff() as own:
        path = own.getsockname()
        result = {name: attempt(own.sendto, b"x", name) for name in (
            path, neighbour, f"/proc/self/fd/{own.fileno()}", "/run/bellhop/control",
            "/run/systemd/private")}
        result["send"] = attempt(own.send, b"x")
        result["bind"] = attempt(own.bind, "\0elsewhere")
        result["listen"] = attempt(own.listen)
        return result


def abuses_connection():
    """Options of the shared description; the router has no copy left that could feel them."""
    passed = socket.socket(fileno=os.dup(int(os.environ["PASSED_FD"])))
    for level, option, value in ((socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
                                 (socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1 << 20),
                                 (socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30),
                                 (socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 30),
                                 (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)):
        passed.setsockopt(level, option, value)
    os.set_blocking(passed.fileno(), False)
    passed.shutdown(socket.SHUT_RDWR)


def sets_figures_back():
    """What the kernel has counted of a connection begins at 0 again."""
    own = Passed()
    return struct.unpack_from("=QQ", own.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 120)


# --- what is limited ---


def eats_memory(megabytes):
    kept = []
    for _ in range(int(megabytes)):
        kept.append(bytearray(os.urandom(4096) * 256))
    return len(kept)


def eats_tasks(most):
    end = threading.Event()
    n = 0
    try:
        while n < int(most):
            threading.Thread(target=end.wait, daemon=True).start()
            n += 1
    except RuntimeError:
        pass
    end.set()
    return n


def eats_cpu(seconds):
    start, used = time.monotonic(), time.process_time()
    while time.monotonic() - start < float(seconds):
        pass
    return (time.process_time() - used) / (time.monotonic() - start)


def spins(tasks, seconds):
    """All tasks begin at the same time, and continue until the time is over, or somebody removes port.json."""
    end, pids = time.monotonic() + seconds, []
    wait, begin = os.pipe()
    for _ in range(tasks):
        pids.append(os.fork())
        if pids[-1] == 0:
            os.close(begin)
            os.read(wait, 1)
            while time.monotonic() < end:
                pass
            os._exit(0)
    leave("port.json", "begun")
    os.close(begin)
    while time.monotonic() < end and os.path.exists("port.json"):
        time.sleep(0.1)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)


def eats_descriptors():
    fds = []
    try:
        while True:
            fds.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        result = [len(fds), errno.errorcode[error.errno]]
    for fd in fds:
        os.close(fd)
    return result


def folders_by_descriptor():
    """Of its own processes, the server among them: what a folder leads to is not bound by the sandbox."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if path.is_dir():
                found[str(path)] = os.readlink(path)
    return found


def file_systems(of):
    """Each by the number of its device, which is one for the whole machine."""
    return {path: os.stat(path).st_dev for path in of}


def fills(folder, files, size):
    """Makes files until there is no room; how many, and why no more."""
    for n in range(files):
        try:
            with open(f"{folder}/fill-{n}", "wb") as file:
                file.write(b"x" * size)
        except OSError as error:
            return n, errno.errorcode[error.errno]
    return files, "done"


def empties(folder):
    for path in pathlib.Path(folder).glob("fill-*"):
        path.unlink()


def opens_terminals(most):
    """Pseudo-terminals, of which the machine has a number for all."""
    for n in range(most):
        try:
            os.openpty()
        except OSError as error:
            return n, errno.errorcode[error.errno]
    return most, "done"


def talks_over_unix():
    """What must go on working behind the fence: unix sockets of its own, and moving files between folders."""
    here = os.path.dirname(os.environ["SCRIPT_FILENAME"])
    path = f"{here}/own.socket"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        client.sendall(b"x")
        received = server.accept()[0].recv(1).decode()
    os.unlink(path)
    os.makedirs(f"{here}/folder", exist_ok=True)
    write(f"{here}/moved")
    os.rename(f"{here}/moved", f"{here}/folder/moved")
    return received


def leaves(path):
    """Something for others to find."""
    with open(path, "w", encoding="ascii") as file:
        file.write("found")
    os.chmod(path, 0o644)
    return "done"


def keeps_in_flight(most, seconds):
    """Descriptors under way between sockets of its own: the kernel looks through those of all users at once."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    pairs, n = [], 0
    try:
        while n < int(most):
            pairs.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
            for _ in range(100):
                pairs[-1][0].setblocking(False)
                socket.send_fds(pairs[-1][0], [b"x"], [pairs[-1][0].fileno(), pairs[-1][1].fileno()] * 100)
                n += 200
    except OSError as error:
        leave("port.json", [n, errno.errorcode[error.errno]])
    else:
        leave("port.json", [n, "enough"])
    time.sleep(seconds)
    return n


def reaches_through(path):
    """By a descriptor of /run that a program of the customer's outside of the sandbox passes. It listens on hole.sock."""
    with socket.socket(socket.AF_UNIX) as hole:
        hole.connect("hole.sock")
        _, (run,), _, _ = socket.recv_fds(hole, 1, 1)
    assert os.listdir(run)
    return {each: attempt(knock, f"/proc/self/fd/{run}/{each}") for each in path}


def floods_journal(lines):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.connect("/run/systemd/journal/socket")
        for number in range(int(lines)):
            log.send(b"PRIORITY=6\nSYSLOG_IDENTIFIER=flood\nMESSAGE=flood %d\n" % number)


def forges_journal():
    """Fields that say it is somebody else."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.connect("/run/systemd/journal/socket")
        log.send(b"PRIORITY=3\nSYSLOG_IDENTIFIER=bellhop-access\nBELLHOP_INSTANCE=bob\n_UID=0\n"
                 b"_SYSTEMD_UNIT=bellhop@bob.service\nMESSAGE=forged by a neighbour\n")
        # When journald has received the next line, it has looked up who sent this one.
        log.send(b"MESSAGE=another\n")
        while struct.unpack("i", fcntl.ioctl(log, termios.TIOCOUTQ, bytes(4)))[0] > 0:
            time.sleep(0.001)


def main():
    name, *pairs = os.environ["QUERY_STRING"].split("&")
    arguments = {}
    for pair in pairs:
        key, _, value = urllib.parse.unquote_plus(pair).partition("=")
        arguments[key] = json.loads(value)
    print("Content-Type: text/plain\r\n\r", flush=True)
    leave("result.json", globals()[name](**arguments))


if __name__ == "__main__":
    sys.exit(main())
