# SPDX-License-Identifier: MIT
"""Unix sockets of the machine, the hand-off socket that an instance inherits, and the connections that it is passed."""

import os
import pathlib
import subprocess

import pytest
from mallory import assert_neighbours_are_well

OUTSIDE = pathlib.Path(__file__).resolve().parent / "outside.py"

# What a program needs to log. The kernel says who speaks there, so nobody can pretend to be somebody else
# (test_forged_journal_lines_bear_their_maker).
OPEN = {"/dev/log", "/run/systemd/journal/dev-log", "/run/systemd/journal/socket",
        # Its own PHP.
        "/run/bellhop-instance/php.sock",
        # Mail, in the customer's own name alone (test_mail.py).
        "/run/bellhop-mail/socket"}
CLOSED = ["/run/systemd/notify", "/run/systemd/userdb/io.systemd.DynamicUser", "/run/systemd/io.system.ManagedOOM",
          "/run/bellhop/bob.handoff", "/run/bellhop/mallory.handoff", "/run/bellhop/control", "/run/bellhop/acme-tls", "/run/systemd/private",
          "/run/dbus/system_bus_socket", "/run/udev/control", "/run/systemd/journal/io.systemd.journal",
          "/run/systemd/journal/stdout"]
# Of services that a machine may have: both ask the network for anybody.
RESOLVERS = ["/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket"]
# They do not listen, as the C library waits for an nscd that does not answer: a process that sees one is refused.
BIND = """import os, pathlib, signal, socket, sys
sockets = []
for path in map(pathlib.Path, sys.argv[1:]):
    path.parent.mkdir()
    (path.parent / "resolv.conf").write_text("nameserver 127.0.0.53\\n")
    sockets.append(socket.socket(socket.AF_UNIX))
    sockets[-1].bind(str(path))
    path.chmod(0o666)
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture(name="resolvers")
def resolvers_fixture(box):
    listener = box.popen_run("/usr/bin/python3", "-c", BIND, *RESOLVERS, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert listener.stdout.readline() == "there\n"
    yield
    listener.communicate()
    box.run("rm", "-r", *(os.path.dirname(path) for path in RESOLVERS))


@pytest.mark.usefixtures("resolvers")
def test_asks_no_resolver_of_the_machines(mallory):
    """Without a network, names that it looks up would be its way out."""
    mallory.restart_socket()
    assert set(mallory.do("knocks", path=RESOLVERS).values()) <= {"EACCES", "ENOENT"}
    assert mallory.do("reads", path=["/run/systemd/resolve/resolv.conf"]) == {"/run/systemd/resolve/resolv.conf": "done"}


def test_which_unix_sockets_it_reaches(hostile):
    outcomes = hostile.do("unix_sockets", also=CLOSED)
    assert {path for path, outcome in outcomes.items() if outcome == "done"} <= OPEN, outcomes
    assert {outcomes[path] for path in CLOSED} <= {"EACCES", "ENOENT"}


def test_speaks_to_no_bus(mallory):
    for command in (["systemctl", "stop", "bellhop@bob.service"], ["systemctl", "status"],
                    ["busctl", "list"], ["loginctl"], ["machinectl"], ["systemd-run", "id"]):
        assert mallory.do("runs", command=command)["status"] != 0, command


def test_no_descriptor_leads_out_of_the_sandbox(box, hostile):
    """bellhop-instance gets one, for systemd's notification socket, which only it may use."""
    assert hostile.do("folders_by_descriptor") == {}
    main = box.path(f"/proc/{box.show(hostile.unit, 'MainPID')}/fd")
    assert {os.readlink(main / "0")} == {"/dev/null"}
    for pid in hostile.processes():
        fds = box.path(f"/proc/{pid}/fd")
        assert not [number for number in os.listdir(fds) if (fds / number).is_dir()]
    box.wait_for("its status", lambda: box.show(hostile.unit, "StatusText").endswith("GMT"))


def test_what_it_tells_systemd_does_not_arrive(box, mallory):
    """A program that floods that socket would keep PID 1 busy."""
    assert mallory.serves()
    assert mallory.do("tells_systemd", pid=int(box.show("bellhop-router.service", "MainPID"))) in ("EACCES", "ENOENT")


def test_handoff_socket_leads_nowhere(mallory):
    outcomes = mallory.do("goes_back", neighbour="/run/bellhop/bob.handoff")
    assert set(outcomes.values()) <= {"EACCES", "ENOENT", "ECONNREFUSED", "ENOTCONN", "EINVAL", "ENOTSUP"}, outcomes


# What it does to its own hand-off socket, and whether its visitors are served in spite of that.
# With a socket that is shut for reading alone, systemd 252 hangs for ever when it is to stop it while the instance does
# not run, and starts no other unit either; and a filter that drops all survives the socket.
DENIED = ["shut", "deaf"]
SPOILT = {"shut": True, "shut_all": False, "connected": False, "without_rights": None, "anonymous": False,
          "deaf": True, "blocking": True, "small": True, "with_extras": True, "peek_offset": True}


@pytest.mark.parametrize("way", SPOILT)
def test_spoilt_handoff_socket_harms_only_its_own_site(box, mallory, way):
    router = box.show("bellhop-router.service", "MainPID")
    assert mallory.serves()
    outcome = mallory.do("spoils", way=way)
    assert outcome == ("EPERM" if way in DENIED else "done") or (way == "without_rights" and outcome == "ENOPROTOOPT")
    if SPOILT[way] is not None:
        assert mallory.serves() == SPOILT[way]
    assert_neighbours_are_well(box)
    assert box.show("bellhop-router.service", "MainPID") == router
    # An administrator's hand makes it whole, and no other hand is needed.
    mallory.restart_socket()
    assert mallory.serves()


@pytest.mark.parametrize("when", ["while it runs", "while it sleeps"])
def test_handoff_socket_shut_from_outside_hangs_nobody(box, hostile, when):
    """Where no fence is. What systemd hangs with is made what it fails with, before anybody stops that socket."""
    socket = f"bellhop@{hostile.name}.socket"
    assert hostile.serves()
    thief = box.popen_run("/usr/bin/python3", "-c", OUTSIDE.read_text(), "shut", box.show(hostile.unit, "MainPID"),
                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert thief.stdout.readline() == "taken\n"
    if when == "while it sleeps":
        box.run("systemctl", "stop", hostile.unit)
    print("now", file=thief.stdin, flush=True)
    assert thief.stdout.readline() == "shut\n"
    box.wait_for("the socket has failed", lambda: box.show(socket, "ActiveState") == "failed")
    box.wait_for("the instance has ended", lambda: box.show(hostile.unit, "ActiveState") in ("inactive", "failed"))
    assert_neighbours_are_well(box)
    hostile.restart_socket()
    assert hostile.serves()
    box.run("systemctl", "restart", "bellhop@bob.socket")
    assert_neighbours_are_well(box)
    thief.communicate()


def test_old_handoff_socket_that_is_held_keeps_nobody(box, hostile):
    """By a program outside of the unit, which no stop of the unit ends."""
    assert hostile.serves()
    holder = box.popen_run("/usr/bin/python3", "-c", OUTSIDE.read_text(), "shut", box.show(hostile.unit, "MainPID"),
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "taken\n"
    hostile.restart_socket()
    box.wait_for("the site again", hostile.serves)
    assert holder.poll() is None
    assert_neighbours_are_well(box)
    holder.communicate()


def test_handoff_socket_makes_nobody_wait(mallory):
    """systemd empties its queue in PID 1 before it stops it: it must not wait for what another has just received."""
    assert mallory.do("makes_systemd_wait") is False


def test_hand_offs_received_and_held(box, mallory):
    """By another program than the server, which keeps them: they are its own visitors."""
    assert mallory.serves()
    mallory.forget()
    thief = box.popen_client("curl", "-s", "--max-time", "10", "--resolve", f"{mallory.host}:80:127.0.0.1",
                             mallory.url("spoils", way="taken"))
    assert mallory.left("port.json") == "waits"
    visitors = [box.popen_client("curl", "-s", "--max-time", "1", "-o", "/dev/null", "--resolve",
                                 f"{mallory.host}:80:127.0.0.1", f"http://{mallory.host}/") for _ in range(8)]
    assert_neighbours_are_well(box)
    for process in [*visitors, thief]:
        process.wait()
    assert_neighbours_are_well(box)
    box.wait_for("mallory's site again", mallory.serves)


def test_abused_connection_is_its_own(box, mallory):
    """Options of a passed socket, shutdown, silence: the router has no copy that could feel it."""
    router = box.show("bellhop-router.service", "MainPID")
    mallory.do("abuses_connection")
    assert box.show("bellhop-router.service", "MainPID") == router
    assert_neighbours_are_well(box)
    assert mallory.serves()
