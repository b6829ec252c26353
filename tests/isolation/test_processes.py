# SPDX-License-Identifier: MIT
"""What a hostile customer does to the processes of others."""

import pytest
from mallory import assert_neighbours_are_well


def test_sees_no_process_of_others(box, mallory):
    assert list(mallory.do("sees")) == [str(box.uid("mallory"))]


@pytest.mark.parametrize("victim", ["bellhop-router.service", "bellhop@bob.service", "systemd-journald.service", "init"])
def test_touches_no_process_of_others(box, mallory, victim):
    box.curl("http://bob.example/load.txt")
    pid = 1 if victim == "init" else int(box.show(victim, "MainPID"))
    for way, outcome in mallory.do("reaches", pid=pid).items():
        assert outcome in ("EPERM", "EACCES", "ESRCH", "ENOENT"), (way, outcome)


def test_killing_all_ends_only_itself(box, mallory):
    box.curl("http://bob.example/load.txt")
    units = ["bellhop-router.service", "bellhop@bob.service", "systemd-journald.service"]
    before = [box.show(unit, "MainPID") for unit in units]
    mallory.do("kills_all")
    assert [box.show(unit, "MainPID") for unit in units] == before
    assert_neighbours_are_well(box)
    box.wait_for("mallory's site again", mallory.serves)
