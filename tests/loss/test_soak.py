# SPDX-License-Identifier: MIT
"""Everything at once and at random: what fails was in progress within something that was killed at that moment.

For 30 seconds; for as long as you like, and with the figures:
BELLHOP_SOAK_SEC=1800 /usr/bin/python3 -m pytest -s tests/loss/test_soak.py
"""

import collections
import os
import random
import time

import pytest
from clients import HERE, PROMPT_KINDS, load, reporting, still_serving
from showcase import ALICE, BOB
from test_change import SEEN_SEC, kill_and_wait, pause

SECONDS = float(os.environ.get("BELLHOP_SOAK_SEC", "30"))
CAROL = "carol.example"
EVERYBODY = (ALICE, BOB, CAROL)
IDLE_SEC = 0.3
ROUTER = "bellhop-router.service"
JOURNALD = "systemd-journald.service"
WATCHDOG = f"/run/systemd/system/{JOURNALD}.d/soak.conf"
# All of /run that a site may write to, by bytes and by files, for a moment.
FILL = """
for dir in $(find /run -type d -writable 2>/dev/null); do
    head -c 100M /dev/zero >"$dir/fill" 2>/dev/null
    for n in $(seq 5000); do { : >"$dir/fill-$n"; } 2>/dev/null || break; done
    sleep 0.5
    rm -f "$dir/fill" "$dir"/fill-*
done
"""


class Soak:
    def __init__(self, box):
        self.box, self.done, self.kills, self.log = box, collections.Counter(), [], []

    def kills_instance(self):
        """alice's, or a part of it."""
        who = random.choice(["all", "parent", "server", "children"])
        self._kill((ALICE,), False, lambda: kill_and_wait(self.box, "alice", who, "apache2"))

    def kills_router(self):
        """It loses what it has not handed off, so nothing that was partly answered."""
        self._kill(EVERYBODY, True, self._kill_router)

    def _kill_router(self):
        """Returns when it is dead: on a busy machine its connections end half a second after the signal."""
        pid = self.box.show(ROUTER, "MainPID")
        self.box.try_run("systemctl", "kill", "--signal=KILL", ROUTER)
        self.box.wait_for("its end", lambda: pid == "0" or self.box.show(ROUTER, "MainPID") != pid)

    def _kill(self, hosts, is_router, action):
        began = time.monotonic()
        action()
        self.kills.append((hosts, is_router, began, time.monotonic()))

    def changes_router(self):
        """A reload fails where nothing runs yet after a kill."""
        self.box.try_run("systemctl", random.choice(["reload", "restart"]), ROUTER)

    def changes_instance(self):
        """A reload fails where nothing runs."""
        self.box.try_run("systemctl", random.choice(["stop", "restart", "reload"]),
                         f"bellhop@{random.choice(['alice', 'bob', 'carol'])}.service")

    def reads_units_again(self):
        self.box.run("systemctl", "daemon-reload")

    def stops_journald(self):
        self.box.run("systemctl", "kill", "--signal=STOP", JOURNALD)
        pause(3)
        self.box.run("systemctl", "kill", "--signal=CONT", JOURNALD)

    def fills_run(self):
        self.box.curl(f"http://{BOB}/fill.cgi", check=False)

    def unexplained(self, failures):
        return [failure for failure in failures if not any(
            failure["host"] in hosts and failure["began"] < done and began < failure["ended"] < done + SEEN_SEC and
            not (is_router and failure.get("n_received")) for hosts, is_router, began, done in self.kills)]

    def around(self, failure):
        """(seconds from the beginning of the failed request to begin and end of an action, its name), the nearest ones."""
        return [(round(began - failure["began"], 3), round(done - failure["began"], 3), name) for began, done, name in self.log
                if done > failure["began"] - 5 and began < failure["ended"]]

    def actions(self):
        return 2 * [self.kills_instance, self.changes_router, self.changes_instance] + [
            self.kills_router, self.reads_units_again, self.stops_journald, self.fills_run]

    def run(self, seconds):
        """Each action once at least, in any order."""
        end, actions = time.monotonic() + seconds, self.actions()
        random.shuffle(actions)
        while actions or time.monotonic() < end:
            action = actions.pop() if actions else random.choice(self.actions())
            began = time.monotonic()
            action()
            self.log.append((began, time.monotonic(), action.__name__))
            self.done[action.__name__] += 1
            pause(0.5)


@pytest.fixture(name="soak")
def soak_fixture(box):
    box.write_page("bob", "fill.cgi", FILL)
    # Else systemd kills it when it has been stopped for long, and what it had not read is lost.
    box.write(WATCHDOG, "[Service]\nWatchdogSec=0\n")
    box.run("systemctl", "daemon-reload")
    yield Soak(box)
    box.try_run("systemctl", "kill", "--signal=CONT", JOURNALD)
    box.path(WATCHDOG).unlink()
    box.path("/srv/www/bob/fill.cgi").unlink()
    box.run("systemctl", "daemon-reload")


def units(box):
    text = box.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "bellhop*")
    return {name: active for name, _, active, _ in (line.split(None, 4)[:4] for line in text.splitlines())}


def assert_all_is_well(box):
    """Nothing is left over: no unit that failed, or hangs in a change."""
    for host in EVERYBODY:
        assert still_serving(box, host)
    box.wait_for("no unit is changing", lambda: set(units(box).values()) <= {"active", "inactive"}, 40)
    assert {box.show(name, "Result") for name in units(box) if name.endswith(".socket")} == {"success"}


def test_everything_at_once(box, carol, soak):
    since = time.time()
    box.write_instance(carol, f"Host={CAROL}\nIdleSec=300ms\n")
    box.start_customer(carol)
    with load(box, ALICE, BOB, kinds=PROMPT_KINDS) as report, \
            reporting(box, HERE.parent / "lifecycle/visits.py", IDLE_SEC, CAROL) as visits:
        soak.run(SECONDS)
    assert_all_is_well(box)
    exits = box.journal("_PID=1", "-u", f"bellhop@{carol}.service", f"--since=@{since:.3f}").count("Deactivated")
    failures = report.failures + visits.failures
    print(dict(soak.done), f"{len(soak.kills)} kills, {exits} idle exits, {len(failures)} failures")
    assert [(failure, soak.around(failure)) for failure in soak.unexplained(failures)] == []
    assert exits > 0
    assert all(report.counts[kind] > 4 for kind in PROMPT_KINDS), report.counts
