# SPDX-License-Identifier: MIT
"""What a hostile customer does to the processes of others."""

import json
import pathlib
import subprocess

import pytest
from mallory import assert_neighbours_are_well

OUTSIDE = pathlib.Path(__file__).resolve().parent / "outside.py"


def test_sees_no_process_of_others(box, hostile):
    assert list(hostile.do("sees")) == [str(box.uid(hostile.name))]


def test_gets_into_no_nginx(box, mabel):
    """This runs no code of the customer, so no such code has the hand-off socket or a connection."""
    assert mabel.serves()
    pids = box.run("pgrep", "-u", "mabel", "nginx").split()
    assert len(pids) == 2
    for outcomes in mabel.do("gets_into", pids=[int(pid) for pid in pids]).values():
        assert set(outcomes.values()) <= {"EPERM", "EACCES", "ENOENT", "ESRCH"}, outcomes


@pytest.mark.parametrize("victim", ["bellhop-router.service", "bellhop@bob.service", "systemd-journald.service", "init"])
def test_touches_no_process_of_others(box, mallory, victim):
    box.curl("http://bob.example/load.txt")
    pid = 1 if victim == "init" else int(box.show(victim, "MainPID"))
    for way, outcome in mallory.do("reaches", pid=pid).items():
        assert outcome in ("EPERM", "EACCES", "ESRCH", "ENOENT"), (way, outcome)


def test_killing_all_ends_only_itself(box, hostile):
    box.curl("http://bob.example/load.txt")
    units = ["bellhop-router.service", "bellhop@bob.service", "systemd-journald.service"]
    before = [box.show(unit, "MainPID") for unit in units]
    hostile.do("kills_all")
    assert [box.show(unit, "MainPID") for unit in units] == before
    assert_neighbours_are_well(box)
    box.wait_for("the site again", hostile.serves)


def test_customers_other_programs_get_into_no_server(box, hostile):
    """Not from the moment when it is started; else they had the hand-off socket."""
    box.run("systemctl", "stop", hostile.unit)
    # No program of the site is running, which the customer could control.
    box.write(f"{hostile.folder}/still.txt", "still\n", 0o644)
    thief = box.popen_run("setpriv", f"--reuid={hostile.name}", f"--regid={hostile.name}", "--clear-groups",
                      "/usr/bin/python3", "-c", OUTSIDE.read_text(), "reach", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(5):
        assert box.curl(f"http://{hostile.host}/still.txt") == "still\n"
        # The thief may begin late, or be slow. Processes of the instance have higher numbers than its main process.
        main, tried = int(box.show(hostile.unit, "MainPID")), set()
        while main not in tried or max(tried) == main:
            tried.add(int(thief.stdout.readline()))
        box.run("systemctl", "stop", hostile.unit)
    seen = json.loads(thief.communicate("enough\n")[0].splitlines()[-1])
    assert sum("EPERM" in outcomes["getfd"] for outcomes in seen.values()) >= 5 * 2, seen
    for who, outcomes in seen.items():
        assert "hand-off socket" not in outcomes["getfd"]
        assert set(outcomes["getfd"] + outcomes["trace"]) <= {"EPERM", "ESRCH"}, seen
        assert set(outcomes["mem"]) <= {"EACCES", "EPERM", "ESRCH", "ENOENT"}, seen
