# SPDX-License-Identifier: MIT
"""The router reads its configuration: mistakes leave out what they concern and nothing else, and reloading works."""

import os
import re
import signal
import socket
import subprocess

import pytest
from handoff import AS_ROOT, BUILD, REASON_DEFAULT, TIMEOUT
from router import A, ALERT_HANDSHAKE_FAILURE, B, C, D, QUEUE, Router, alert, hello, http, parse_reply, read_to_end

ALICE = {A: "Host=alice.example"}


def status_of(router, host):
    return parse_reply(router.ask(http(host)))[0]


# --- options ---


@pytest.fixture(name="idle")
def _idle():
    """Not started."""
    router = Router()
    yield router
    router.close()


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(idle, option):
    done = idle.run(option)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith("Usage: bellhop-router [OPTIONS...]\n")
    assert all(word in done.stdout for word in ("--config=", "--runtime=", "--version", "public", "bellhop-router(8)"))
    assert re.search(r"--config=DIR .*\(default: /.*bellhop\)", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_version(idle):
    done = idle.run("--version")
    assert done.returncode == 0 and re.fullmatch(r"bellhop-router \d+\.\d+\.\d+\n", done.stdout) and not done.stderr


@pytest.mark.parametrize("option,shown", [("--nonsense", "--nonsense"), ("-x", "'x'"), ("word", "'word'"),
                                          ("--config", "--config")])
def test_wrong_usage(idle, option, shown):
    done = idle.run(option)
    assert done.returncode == 2 and not done.stdout
    assert shown in done.stderr and "--help" in done.stderr


@pytest.mark.parametrize("program", ["bellhop-instance", "bellhop-standin"])
@pytest.mark.parametrize("words,shown", [([], "missing"), (["alice", "bob"], "'bob'"), (["-x", "alice"], "'x'")])
def test_wrong_usage_of_other_programs(program, words, shown):
    done = subprocess.run([f"{BUILD}/{program}", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=TIMEOUT, check=False)
    assert done.returncode == 2 and not done.stdout
    assert shown in done.stderr and done.stderr.endswith(f"Try '{program} --help'.\n")


# --- inherited sockets ---


def test_no_socket_at_all(idle):
    done = idle.run()
    assert done.returncode == 1
    assert "no listening socket was passed" in done.stderr and "bellhop-router.socket" in done.stderr


def test_no_socket_named_public():
    router = Router(ALICE)
    try:
        router.start("http:control", wait=False)
        assert router.process.wait(20) == 1
        assert "'http'" in router.errors() and "'control'" in router.errors()
        assert "no listening socket was passed" in router.errors() and "FileDescriptorName=public" in router.errors()
    finally:
        router.close()


def test_other_sockets_are_closed_with_a_warning():
    router = Router(ALICE)
    try:
        # As number three, one that does not listen.
        plain = socket.socket()
        router.listeners.append(plain)
        router.start("public:other:public")
        assert "'other'" in router.errors() and router.errors().count("is neither a listening TCP socket") == 2
        assert router.expect(A, http("alice.example")).host == "alice.example"
        sockets = [os.readlink(f"/proc/{router.process.pid}/fd/{fd}")
                   for fd in os.listdir(f"/proc/{router.process.pid}/fd")]
        for listener in router.listeners[1:]:
            assert f"socket:[{os.fstat(listener.fileno()).st_ino}]" not in sockets
        router.stop()
    finally:
        router.close()


def test_inherited_descriptors_are_not_passed_on(idle):
    """They are close-on-exec, and the listening sockets non-blocking."""
    idle.start()
    for fd in range(3, 3 + len(idle.listeners)):
        with open(f"/proc/{idle.process.pid}/fdinfo/{fd}", encoding="ascii") as file:
            flags = int(re.search(r"flags:\s+(\d+)", file.read())[1], 8)
        assert flags & os.O_CLOEXEC and flags & os.O_NONBLOCK
    idle.stop()


# --- mistakes ---


MISTAKES = {
    "unknown key": ("\n\n[Instance]\nHost=bad.example\nHosts=x.example\n", 5, "Hosts"),
    "unknown section": ("[Instances]\nHost=bad.example\n", 1, "Instances"),
    "key before section": ("Host=bad.example\n", 1, "[Instance]"),
    "no key": ("[Instance]\nHost=bad.example\nwords\n", 3, "Key=Value"),
    "bad host": ("[Instance]\nHost=bad.example b@d.example\n", 2, "b@d.example"),
    "host with port": ("[Instance]\nHost=bad.example:80\n", 2, "bad.example:80"),
    "star alone": ("[Instance]\nHost=bad.example\nHost=*\n", 3, "Default=yes"),
    "star within": ("[Instance]\nHost=bad.*.example\n", 2, "bad.*.example"),
    "address as host": ("[Instance]\nHost=bad.example 192.0.2.1\n", 2, "Address="),
    "bad address": ("[Instance]\nHost=bad.example\nAddress=192.0.2.300\n", 3, "192.0.2.300"),
    "bad time": ("[Instance]\nHost=bad.example\nIdleSec=soon\n", 3, "soon"),
    "bad switch": ("[Instance]\nHost=bad.example\nDefault=perhaps\n", 3, "perhaps"),
    "CR LF": ("[Instance]\r\nHost=bad.example\r\n", 1, "CR LF"),
    "escape character": ("[Instance]\nHost=bad.example\n# \x1b[31m\n", 3, "control character"),
    "twice in one file": ("[Instance]\nHost=bad.example\nHost=BAD.example.\n", 3, "line 2"),
    "empty": ("", None, "no route leads to this instance"),
}


@pytest.mark.parametrize("text,line,shown", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_leaves_out_that_instance(text, line, shown):
    router = Router(ALICE)
    path = router.write(f"instances/{B}.conf", text)
    with router:
        place = f"{path}:{line}: " if line else f"{path}: "
        found = [words for words in router.errors().splitlines() if words.startswith(f"<4>{place}")]
        assert len(found) == 1 and shown in found[0] and "\x1b" not in found[0], router.errors()
        assert router.counts().instances == 1
        assert status_of(router, "bad.example") == 421
        router.expect(A, http("alice.example"))


@pytest.mark.parametrize("mine,theirs,what", [
    ("Host=x.example\nHost=same.example", "Host=y.example SAME.example.", "same.example"),
    ("Host=x.example\nHost=*.same.example", "Host=y.example *.same.example", "*.same.example"),
    ("Host=x.example\nAddress=192.0.2.1:80", "Host=y.example\nAddress=192.0.2.1:80", "192.0.2.1:80"),
    ("Host=x.example\nAddress=2001:db8::1", "Host=y.example\nAddress=2001:DB8:0::1", "2001:db8::1"),
    ("Host=x.example\nDefault=yes", "Host=y.example\nDefault=yes", "Default=yes"),
], ids=["host", "wildcard", "address", "IPv6 address", "default"])
def test_conflict_names_both_places(mine, theirs, what):
    """The first by name has it: adding a customer can't take it away from one who sorts before."""
    first, second = sorted((A, B))
    with Router({first: mine, second: theirs, C: "Host=charlie.example"}) as router:
        config = f"{router.folder}/config/instances"
        line = 3 if theirs.count("\n") else 2
        found = [words for words in router.errors().splitlines() if f"{config}/{second}.conf:{line}: " in words]
        assert len(found) == 1 and what in found[0] and f"{config}/{first}.conf:3" in found[0], router.errors()
        assert router.counts().instances == 2
        assert router.expect(first, http("x.example")).host == "x.example"
        assert router.expect(C, http("charlie.example")).host == "charlie.example"
        assert status_of(router, "y.example") == 421
        if "Default" in what:
            assert router.expect(first, http("z.example")).reason == REASON_DEFAULT


@pytest.mark.parametrize("name,shown", [
    ("no-such-user-here", "useradd"), ("root", "uid 0"), ("9lives", "not a valid name of an instance"),
    ("a.b", "not a valid name of an instance"), ("a" * 32, "not a valid name of an instance"), ("-a", "not a valid name of an instance"),
    ("b@d", "not a valid name of an instance"),
])
def test_name_that_can_be_no_instance(name, shown):
    router = Router(ALICE)
    path = router.write(f"instances/{name}.conf", "[Instance]\nHost=bad.example\n")
    with router:
        found = [line for line in router.errors().splitlines() if line.startswith(f"<4>{path}: ")]
        assert len(found) == 1 and shown in found[0], router.errors()
        assert status_of(router, "bad.example") == 421
        router.expect(A, http("alice.example"))


@pytest.mark.parametrize("mode,shown", [(0o666, "chmod go-w"), (0o664, "chmod go-w")], ids=["world", "group"])
def test_file_that_others_may_write(mode, shown):
    router = Router(ALICE)
    path = router.write(f"instances/{B}.conf", "[Instance]\nHost=bad.example\n", mode)
    with router:
        assert f"<4>{path}: " in router.errors() and shown in router.errors()
        assert status_of(router, "bad.example") == 421
        router.expect(A, http("alice.example"))
        # Mended, it is taken.
        os.chmod(path, 0o644)
        router.add_socket(B)
        assert router.reload().instances == 2
        router.expect(B, http("bad.example"))


@pytest.mark.skipif(not AS_ROOT, reason="only root can give files away")
def test_file_of_somebody_else():
    router = Router(ALICE)
    path = router.write(f"instances/{B}.conf", "[Instance]\nHost=bad.example\n")
    os.chown(path, 2, -1)
    with router:
        assert f"<4>{path}: must be owned by root" in router.errors()
        assert status_of(router, "bad.example") == 421


def test_things_that_are_no_files():
    router = Router(ALICE)
    folder = f"{router.folder}/config/instances"
    os.mkdir(f"{folder}/{B}.conf")
    os.mkfifo(f"{folder}/{C}.conf", 0o644)
    os.symlink("/dev/zero", f"{folder}/{D}.conf")
    router.write(f"instances/.{B}.conf", "[Instance]\nHost=hidden.example\n")
    router.write(f"instances/{B}.conf~", "[Instance]\nHost=backup.example\n")
    with router:
        assert router.errors().count("not a regular file") == 3
        assert router.counts().instances == 1
        assert status_of(router, "hidden.example") == status_of(router, "backup.example") == 421
        router.expect(A, http("alice.example"))


@pytest.mark.skipif(not AS_ROOT, reason="as the owner we could read it")
def test_unreadable_file():
    router = Router(ALICE)
    path = router.write(f"instances/{B}.conf", "[Instance]\nHost=bad.example\n", 0o600)
    with router:
        assert f"<4>{path}: can't be read: Permission denied" in router.errors()
        router.expect(A, http("alice.example"))


def test_status_tells_of_mistakes():
    router = Router(ALICE)
    router.write(f"instances/{B}.conf", "[Instance]\nHost=b@d\n")
    with router:
        assert "configuration has errors" in router.notify.messages[0]
        os.unlink(f"{router.folder}/config/instances/{B}.conf")
        router.reload()
        assert "configuration has errors" not in router.notify.messages[-1]


def test_no_configuration_at_all():
    router = Router()
    for name in ("router.conf", "router.conf.d", "instances"):
        path = f"{router.folder}/config/{name}"
        if os.path.isdir(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    with router:
        assert router.counts().instances == 0
        assert status_of(router, "alice.example") == 421


@pytest.mark.parametrize("setting", [
    "SniffTimeoutSec=0", "SniffMaxBytes=1K", "SniffMaxBytes=2M", "PendingMax=0", "PendingMax=-1",
    "PendingMax=99999999999999999999", "SniffTimeoutSec=10 parsecs", "Nonsense=1",
])
def test_bad_router_setting_keeps_serving(setting):
    with Router(ALICE, setting) as router:
        assert f"<4>{router.folder}/config/router.conf:2: " in router.errors()
        assert setting.split("=")[0] in router.errors()
        router.expect(A, http("alice.example"))


def test_drop_ins_override_in_order():
    router = Router(ALICE, "SniffTimeoutSec=1h\nPendingMax=3")
    router.write("router.conf.d/20-b.conf", "[Router]\nSniffTimeoutSec=200ms\n")
    router.write("router.conf.d/10-a.conf", "[Router]\nSniffTimeoutSec=1h\n")
    router.write("router.conf.d/30-c.conf", "[Router]\nSniffTimeoutSec=1h\nWrong=1\n")
    with router:
        assert router.ask(hello("alice.example")[:50]) == alert(ALERT_HANDSHAKE_FAILURE)
        # What no drop-in sets stays as it was.
        with router.paused():
            clients = [router.connect(send=b"G") for _ in range(4)]
        assert parse_reply(read_to_end(clients[0]))[0] == 503
        for client in clients:
            client.close()


# --- reload ---


def test_reload_adds_and_removes():
    with Router({A: "Host=alice.example", B: "Host=bob.example"}) as router:
        half = {name: router.connect(send=http(host)[:-2]) for name, host in ((A, "alice.example"), (B, "bob.example"))}
        router.wait_for(pending=2)
        router.expect(A, http("alice.example"))
        pid, outlets = router.process.pid, router.n_fds()
        os.unlink(f"{router.folder}/config/instances/{B}.conf")
        # Before and after the one that stays, in the order of names.
        for name, host in ((C, "charlie.example"), (D, "dora.example")):
            router.write(f"instances/{name}.conf", f"[Instance]\nHost={host}\n")
            router.add_socket(name)
        assert router.reload().instances == 3
        assert router.process.pid == pid and router.n_fds() == outlets
        for name, host in ((A, "alice.example"), (C, "charlie.example"), (D, "dora.example")):
            router.expect(name, http(host))
            router.expect(name, hello(host))
        assert status_of(router, "bob.example") == 421
        # What was pending goes by the new configuration.
        for client in half.values():
            client.sendall(b"\r\n")
        router.deliver(A, http("alice.example"), half[A])
        assert parse_reply(read_to_end(half[B]))[0] == 421
        half[B].close()
        assert "serving 3 instances" in router.errors()


def test_reload_moves_a_host():
    with Router({A: "Host=alice.example site.example", B: "Host=bob.example"}) as router:
        router.expect(A, http("site.example"))
        router.write(f"instances/{A}.conf", "[Instance]\nHost=alice.example\n")
        router.write(f"instances/{B}.conf", "[Instance]\nHost=bob.example site.example\n")
        router.reload()
        router.expect(B, http("site.example"))
        router.expect(A, http("alice.example"))


def test_reload_keeps_what_waits():
    """And refuses what waits for an instance that is no more."""
    with Router({A: "Host=alice.example", B: "Host=bob.example"}) as router:
        with router.paused():
            clients = {name: [router.connect(send=http(host)) for _ in range(QUEUE + 2)]
                       for name, host in ((A, "alice.example"), (B, "bob.example"))}
        router.wait_for(pending=4)
        os.unlink(f"{router.folder}/config/instances/{B}.conf")
        assert router.reload().pending == 2
        for client in clients[B][QUEUE:]:
            assert parse_reply(read_to_end(client))[0] == 503
        for client in clients[A]:
            router.deliver(A, http("alice.example"), client)
        for client in clients[B]:
            client.close()
        assert router.counts().refused == 2


def test_reload_changes_settings():
    with Router(ALICE, "SniffTimeoutSec=1h") as router:
        patient = router.connect(send=b"GET /")
        router.wait_for(pending=1)
        router.write("router.conf", "[Router]\nSniffTimeoutSec=200ms\nSniffMaxBytes=4K\n")
        router.reload()
        # The later one has the earlier deadline.
        assert router.ask(hello("alice.example")[:50]) == alert(ALERT_HANDSHAKE_FAILURE)
        assert status_of(router, "alice.example" + "x" * 4096) in (400, 431)
        # An earlier client keeps its place.
        assert router.counts().pending == 1
        patient.sendall(http("alice.example")[5:])
        router.deliver(A, http("alice.example"), patient)


def test_many_reloads_lose_nothing():
    with Router(ALICE) as router:
        router.expect(A, http("alice.example"))
        before = router.n_fds()
        for i in range(30):
            router.process.send_signal(signal.SIGHUP)
            router.expect(A, http("alice.example") if i % 2 else hello("alice.example"))
            router.notify.wait("^READY=1")
        assert router.n_fds() == before
        assert router.stop(signal.SIGINT).handed_off == 31  # it ends as by SIGTERM
        router.start()
