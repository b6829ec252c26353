# SPDX-License-Identifier: MIT
"""A hostile customer tries to get more rights."""

import re

import pytest

NOTHING = "0" * 16
CAP_NET_BROADCAST = 1 << 11  # capabilities(7): unused


def test_gains_no_privilege(hostile):
    seen = hostile.do("rises")
    status = seen.pop("status")
    assert {status[name] for name in ("CapPrm", "CapEff", "CapAmb")} == {NOTHING}
    assert {int(status[name], 16) for name in ("CapInh", "CapBnd")} <= {0, CAP_NET_BROADCAST}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert set(seen.values()) == {"EPERM"}, seen


def test_all_processes_are_behind_the_fence(box, hostile):
    """That of the server as well, which a visitor may find a hole in."""
    assert hostile.do("sees")
    assert hostile.serves()
    names = set()
    for pid in hostile.processes():
        status = dict(line.split(":\t") for line in box.run("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line)
        names.add(status["Name"])
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status
        assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} <= {0, CAP_NET_BROADCAST}, status
        assert set(status["Uid"].split()) == {str(box.uid(hostile.name))}
        assert "php" in status["Name"] or int(status["CapPrm"], 16) == CAP_NET_BROADCAST, status
    assert {"mallory": "apache2", "mabel": "nginx"}[hostile.name] in names, names


@pytest.mark.parametrize("mode, gained", [("4755", "euid=0"), ("2755", "egid=0")])
def test_set_user_id_programs_give_nothing(box, mallory, mode, gained):
    """Its like is on every machine; this one tells."""
    box.shell(f"cp /usr/bin/id /usr/local/bin/teller; chmod {mode} /usr/local/bin/teller")
    assert gained in box.run("setpriv", "--reuid=mallory", "--regid=mallory", "--clear-groups", "/usr/local/bin/teller")
    seen = mallory.do("runs", command=["/usr/local/bin/teller"])["text"]
    assert re.match(rf"uid={box.uid('mallory')}\(mallory\)", seen) and "=0" not in seen, seen


@pytest.mark.parametrize("command", [["su", "-c", "id"], ["newgrp", "root"], ["mount", "-t", "tmpfs", "none", "/tmp"],
                                     ["newuidmap", "1", "0", "0", "1"]])
def test_the_machines_own_set_user_id_programs_fail(mallory, command):
    assert mallory.do("runs", command=command)["status"] != 0


def test_file_capabilities_give_nothing(box, mallory):
    box.shell("cp /usr/bin/cat /usr/local/bin/reader; setcap cap_dac_read_search+ep /usr/local/bin/reader")
    as_mallory = ("setpriv", "--reuid=mallory", "--regid=mallory", "--clear-groups")
    assert "root:" in box.run(*as_mallory, "/usr/local/bin/reader", "/etc/shadow")
    seen = mallory.do("runs", command=["/usr/local/bin/reader", "/etc/shadow"])
    assert "root:" not in seen["text"] and seen["status"] != 0


def test_kernels_less_tested_sides_are_closed(mallory):
    assert set(mallory.do("calls").values()) == {"EPERM"}
