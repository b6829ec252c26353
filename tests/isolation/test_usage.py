# SPDX-License-Identifier: MIT
"""A customer who wants to have used less, or a neighbour to have used more."""

import json
import subprocess

import pytest
from fixtures import begin_usage_anew
from mallory import assert_neighbours_are_well

SOCKETS = ["/run/bellhop/usage", "/run/bellhop-private/sockets/reports"]

# As root in place of a customer who has got there all the same: connects, becomes the customer, and sends.
FORGE = """import os, select, socket, struct, sys
path, user, group, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.connect(path)
os.setgroups([group]); os.setgid(group); os.setuid(user)
own.setblocking(False)
sent = 0
for i in range(times):
    if times > 1000 and select.select([sys.stdin], [], [], 0)[0]:
        break
    for name in (b"bob", b"mallory"):
        for kind, number in ((1, 77 + i), (2, 1 << 40), (3, 0)):
            message = struct.pack("=4sBBBBQ", b"BHU1", kind, 1, 0, 0, 1) + struct.pack("=Q32sQ", number, name, 1)
            for part in (message, message[:-1], b"x"):
                try:
                    own.send(part)
                    sent += 1
                except BlockingIOError:
                    pass
print(sent)
"""


def used(box, name):
    entries = json.loads(box.run("bellhopctl", "usage", name, "--month", "--json"))["usage"]
    assert [entry["removed"] for entry in entries] == [None], entries
    return entries[0]


def figures(box):
    return {name: {key: value for key, value in used(box, name).items() if key != "cpu_seconds"}
            for name in ("bob", "mallory")}


@pytest.fixture(name="settled")
def settled_fixture(box, mallory):
    """Both have been visited, and their requests have been reported."""
    begin_usage_anew(box)
    assert mallory.serves()
    assert_neighbours_are_well(box)
    box.run("systemctl", "stop", mallory.unit, "bellhop@bob.service")
    box.wait_for("both have told", lambda: all(used(box, name)["requests"] for name in ("bob", "mallory")))
    return figures(box)


def test_sockets_are_out_of_reach(box, mallory):
    assert set(mallory.do("knocks", path=SOCKETS).values()) <= {"EACCES", "ENOENT"}
    knock = "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect(sys.argv[1])"
    for path in SOCKETS:
        done = box.try_run("setpriv", "--reuid=mallory", "--regid=mallory", "--clear-groups", "/usr/bin/python3", "-c",
                           knock, path)
        assert "PermissionError" in done.stderr, done


@pytest.mark.parametrize("path", SOCKETS)
def test_forged_messages(box, settled, path):
    uid = str(box.uid("mallory"))
    assert int(box.run("/usr/bin/python3", "-c", FORGE, path, uid, uid, "20")) > 100
    assert figures(box) == settled


def test_figures_that_were_set_back_are_noticed(box, mallory, settled):
    """Code in the server disconnects a socket, whose figures begin at 0 again: those of its customer are incomplete."""
    assert settled["mallory"]["complete"] and settled["bob"]["complete"]
    mallory.do("sets_figures_back")
    box.wait_for("it is noticed", lambda: not used(box, "mallory")["complete"])
    assert used(box, "bob")["complete"]


@pytest.mark.parametrize("path", SOCKETS)
def test_flood(box, settled, path):
    """While somebody fills the queues, the neighbours' figures are counted as ever, or said not to be complete."""
    uid = str(box.uid("mallory"))
    with box.popen_run("/usr/bin/python3", "-c", FORGE, path, uid, uid, "100000000", stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE) as flood:
        for _ in range(20):
            assert_neighbours_are_well(box)
        now = used(box, "bob")
        assert now["bytes_sent"] > settled["bob"]["bytes_sent"] or not now["complete"]
        assert int(flood.communicate()[0]) > 1000
    # What one report lacked is in the next one, ten seconds later.
    box.wait_for("bob's requests", lambda: used(box, "bob")["requests"] == settled["bob"]["requests"] + 20, seconds=40)
    assert used(box, "mallory")["requests"] == settled["mallory"]["requests"]
