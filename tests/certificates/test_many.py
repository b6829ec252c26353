# SPDX-License-Identifier: MIT
"""Two hundred customers get certificates. Half of them are asleep, and some have common mistakes."""

import collections
import json
import os

import many
import pytest
from authority import certificate, issued_too_often, names_of, read_acme_files, state
from watch import owner_of, started, watched

N, N_ASLEEP, N_BROKEN = 200, 100, 20
HTTP = ("serve", "redirect", "refuse")
DENIED = "<RequireAll>\nRequire all denied\n</RequireAll>\n"
ELSEWHERE = "192.0.2.9"
SECONDS = 300
# Customers by bellhopctl add, and the option for their certificate.
OTHERS = {"zoe": "--self-signed", "zita": "--acme=slow"}


class World:
    """Http= and Server= alternate. The DNS of the last 20 leads elsewhere or nowhere. The first half is never visited."""

    def __init__(self, box, dns):
        self.box = box
        self.names = many.names(N)
        self.untried = list(self.names)
        self.asleep, self.visited = self.names[:N_ASLEEP], self.names[N_ASLEEP:]
        self.broken = self.names[-N_BROKEN:]
        self.good = self.names[:-N_BROKEN]
        # The DNS of their www host leads elsewhere.
        self.half = self.visited[20:30]
        self.settings = {name: {"Http": HTTP[i % 3], "Server": ("apache", "nginx")[i // 3 % 2]}
                         for i, name in enumerate(self.names)}
        # nginx has no .htaccess.
        self.denied = [name for name in self.visited[:20] if self.settings[name]["Server"] == "apache"][:5]
        dns.has("zita.example", *map(many.host, self.good))
        dns.has(*map(many.host, self.broken[::2]), *(f"www.{many.host(name)}" for name in self.half), address=ELSEWHERE)
        many.create(box, self.names)
        for name in self.names:
            lines = [f"Host={many.host(name)} www.{many.host(name)}" if name in self.half else f"Host={many.host(name)}",
                     "Tls=acme", "Acme=slow", *(f"{key}={value}" for key, value in self.settings[name].items())]
            box.write_instance(name, "\n".join(lines) + "\n")
        for name in self.denied:
            path = f"/srv/www/{name}/.htaccess"
            box.write(path, DENIED)
            os.chown(box.path(path), self.uid(name), self.uid(name))

    def uid(self, name):
        return many.FIRST_UID + self.names.index(name)

    def uid_of(self, path):
        name = owner_of(path)
        return self.box.uid(name) if name in OTHERS else self.uid(name)

    def states(self):
        return {name: state(self.box, name) for name in self.names}

    def has_tried_all(self):
        while self.untried and state(self.box, self.untried[-1]).get("Tried"):
            self.untried.pop()
        return not self.untried


@pytest.fixture(name="world", scope="module")
def _world(box, dns, slow):
    """All customers are new at once, and their keys are watched from the beginning."""
    slow.configure(OrdersMax=50)
    world = World(box, dns)
    cursor = many.journal_cursor(box)
    with watched(box) as openings:
        box.run("bellhopctl", "apply", timeout=120)
        for name, option in OTHERS.items():
            box.run("bellhopctl", "add", name, "--create-user", f"--host={name}.example", option)
        many.visit(box, [name for name in world.visited if world.settings[name]["Http"] == "serve"])
        box.wait_for("a try for each", world.has_tried_all, seconds=SECONDS)
    world.openings, world.started = openings, started(box, cursor)
    yield world
    for name in OTHERS:
        box.run("bellhopctl", "remove", name, "--purge", "--yes")
    many.remove(box, world.names)
    box.shell(f"rm -rf {' '.join(f'/etc/bellhop/tls/{name}' for name in world.names)}")
    read_acme_files(box)
    slow.configure()


def test_all_that_can_have_one_do(box, world, slow):
    states = world.states()
    missing = {name: states[name] for name in world.good if not states[name].get("Certificate") or "Error" in states[name]}
    assert missing == {}
    for name in world.good:
        assert names_of(certificate(box, name)) == (many.host(name),), name
    # The instances use them.
    for name in {*world.denied, *world.half, *world.visited[:10]}:
        assert slow.has_signed(many.host(name)), name
    for name in world.denied:
        assert box.curl(f"https://{many.host(name)}/", "-o", "/dev/null", "-w", "%{http_code}") == "403", name
    assert issued_too_often(box, slow, world.good) == {}


def test_the_others_have_a_reason(box, world):
    states = world.states()
    findings = json.loads(box.try_run("bellhopctl", "check", "--json", timeout=120).stdout)["findings"]
    texts = collections.defaultdict(str)
    for finding in findings:
        texts[finding["instance"]] += json.dumps(finding)
    for name in (*world.broken, *world.half):
        host = many.host(name) if name in world.broken else f"www.{many.host(name)}"
        reason = states[name]["Failed"][host]
        assert ELSEWHERE in reason or reason.startswith(f"DNS has no address of {host}"), reason
        assert reason.partition(";")[0] in texts[name], texts[name]
        assert bool(states[name].get("Certificate")) == (name in world.half)
    # The authority was not asked.
    assert [name for name in world.broken if states[name]["Order"]] == []


def test_nobody_was_woken(box, world):
    assert world.started & set(world.asleep) == set()
    assert set(world.visited) & world.started
    for name in world.asleep:
        assert not box.path(f"/sys/fs/cgroup/bellhop.slice/bellhop@{name}.service").exists()


def test_keys_were_opened_by_their_owners_only(world):
    assert {owner_of(path) for _, _, path in world.openings.found} >= {*world.good, *OTHERS}
    assert world.openings.by_others(world.uid_of) == []


def test_the_watch_sees_others(box, world):
    """Without this, the test above would prove nothing: also from a service with a mount namespace of its own."""
    path = f"/etc/bellhop/tls/{world.good[0]}/privkey.pem"
    with watched(box) as openings:
        box.run("head", "-c", "1", path)
        box.run("systemd-run", "--quiet", "--wait", "--property=ProtectSystem=strict", "--property=PrivateTmp=yes",
                "--property=ReadWritePaths=/etc/bellhop/tls", "tail", "-c", "1", path)
    assert openings.by_others(world.uid_of) == [({0}, program, path) for program in ("head", "tail")]
