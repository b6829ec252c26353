# SPDX-License-Identifier: MIT
"""A host below a neighbour's wildcard, or one that the default instance or the instance of an address had: the instance
that answers for it, also on open connections."""

import contextlib
import json
import pathlib
import subprocess

import pytest
from showcase import ALICE

AGAIN = pathlib.Path(__file__).parent / "again.py"
NEW = f"new.{ALICE}"
OTHER = f"other.{ALICE}"
ANYONES = "anyones.example"
RELOAD = "reload the server of alice, as hosts of other instances have changed"
PROTOCOLS = ["http/1.1", "h2"]


def ctl(box, *arguments, status=0):
    done = box.try_run("bellhopctl", *arguments)
    assert done.returncode == status, done
    return done.stdout + done.stderr


def add(box, host, *options):
    return ctl(box, "add", "dora", f"--host={host}", "--create-user", "--self-signed", *options)


class Client:
    """A connection on which host has been asked for, and was answered."""

    def __init__(self, box, *arguments):
        self.process = box.popen_client("/usr/bin/python3", AGAIN, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "200\n"

    def ask(self, host):
        self.process.stdin.write(f"{host}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.communicate("", timeout=30)


def answers(box, host):
    return box.curl(f"https://{host}/load.txt").strip()


def findings(box):
    return [(finding["kind"], finding["instance"])
            for finding in json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]]


@pytest.fixture(name="client", params=[("apache", "Default=yes"), ("apache", "Address="), ("nginx", "Default=yes"),
                                       ("nginx", "Address=")], ids=" ".join)
def client_fixture(box, request):
    """alice has all hosts below its own, and all unknown hosts (Address=: of its address); there is no other instance.
    client(PROTOCOL, HOST) connects to alice."""
    path = box.path("/etc/bellhop/instances/alice.conf")
    before = path.read_text()
    server, unknown = request.param
    address = "127.0.0.1"
    if unknown == "Address=":
        address, unknown = "127.0.0.2", "Address=127.0.0.2"
    box.write_instance("alice", f"Host={ALICE} *.{ALICE}\n{unknown}\nServer={server}\n")
    ctl(box, "apply")
    box.curl(f"https://{ALICE}/load.txt")

    @contextlib.contextmanager
    def client(protocol, host):
        asking = Client(box, protocol, address, host)
        try:
            yield asking
        finally:
            asking.close()

    yield client
    box.try_run("bellhopctl", "remove", "--purge", "--yes", "dora")
    path.write_text(before)
    ctl(box, "apply")
    box.run("systemctl", "try-reload-or-restart", "bellhop@alice.service")


@pytest.mark.parametrize("host", [NEW, ANYONES])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_added_host_is_no_longer_the_neighbours(box, client, protocol, host):
    with client(protocol, host) as same, client(protocol, ALICE) as shared:
        assert shared.ask(host) == same.ask(host) == "200"
        for options in (["--dry-run"], []):
            assert f"\n{RELOAD}\n" in add(box, host, *options)
        assert same.ask(host) != "200" and shared.ask(host) != "200"
        box.write("/srv/www/dora/load.txt", "dora\n", mode=0o644)
        assert answers(box, host) == "dora"
    with client(protocol, ALICE) as later:
        assert later.ask(host) == "other" if protocol == "h2" else later.ask(host) == "421"
        assert later.ask(ALICE) == "200" or protocol == "http/1.1"
    # A removed host belongs to the first instance again.
    assert RELOAD in ctl(box, "remove", "dora", "--dry-run")
    with client(protocol, ALICE) as shared:
        assert RELOAD in ctl(box, "remove", "dora")
    with client(protocol, ALICE) as later:
        assert later.ask(host) == "200"


@pytest.mark.parametrize("written", ["", "*."])
def test_host_of_a_file_that_was_edited(box, client, written):
    add(box, "dora.example")
    box.write("/srv/www/dora/load.txt", "dora\n", mode=0o644)
    ctl(box, "apply")
    assert ("site-not-reloaded", "alice") not in findings(box)
    host = NEW if not written else f"x.{NEW}"
    with client("http/1.1", ALICE) as shared:
        box.write_instance("dora", f"Host=dora.example {written}{NEW}\n")
        box.reload_router()
        assert ("site-not-reloaded", "alice") in findings(box)
        assert [line for line in ctl(box, "apply").splitlines() if "alice" in line] == ["reload the server of alice"]
        assert shared.ask(host) != "200"
    assert answers(box, host) == "dora"
    assert ("site-not-reloaded", "alice") not in findings(box)
    # None of this concerns alice.
    box.write_instance("dora", f"Host=dora.example {written}{NEW}\nIdleSec=1h\n")
    assert "alice" not in ctl(box, "apply")


def test_host_of_a_file_with_a_mistake_is_nobodys(box, client):
    """Not even after a restart of everything, when nothing is kept."""
    add(box, f"{NEW} {OTHER}")
    box.write_instance("dora", f"Host={NEW}\nHost={OTHER}\nIdleSec=soon\n")
    box.run("systemctl", "restart", "bellhop-router.service", "bellhop@alice.service")
    for scheme in ("http", "https"):
        done = box.curl(f"{scheme}://{NEW}/load.txt", "-w", "%{http_code}", check=False)
        assert done.stdout.endswith("421") or done.returncode == 35, done
    with client("http/1.1", ALICE) as shared:
        assert shared.ask(OTHER) == "421"
    said = ctl(box, "route", NEW, status=1)
    assert f"Host={NEW} is in a file with a mistake" in said and "instances/dora.conf:2" in said
    said = box.try_run("bellhopctl", "add", "emil", f"--host={OTHER}", "--create-user")
    assert said.returncode != 0 and "dora.conf:3, a file with a mistake" in said.stderr, said
    assert not box.path("/etc/bellhop/instances/emil.conf").exists()
    box.write_instance("dora", f"Host={NEW}\n")
    ctl(box, "apply")
    assert box.curl(f"https://{NEW}/", "-o", "/dev/null", "-w", "%{http_code}") == "200"
    with client("http/1.1", ALICE) as shared:
        assert shared.ask(OTHER) == "200"
