# SPDX-License-Identifier: MIT
"""Network= of customers that come, change and go while the machine runs, without a daemon-reload."""

import os
import re

import pytest

GENERATOR = "/usr/lib/systemd/system-generators/bellhop-generator"
DROP_IN = "/run/systemd/generator/bellhop@carol.service.d/50-network.conf"


def apply(box, network):
    box.write_instance("carol", f"Host=carol.example\nNetwork={network}\n")
    box.run(GENERATOR, "--instance=carol")


def stop(box):
    box.run("systemctl", "stop", "bellhop@carol.socket", "bellhop@carol.service")


def has_network(box):
    """What an instance that is started by a visitor now really has."""
    box.start_customer("carol")
    assert "(carol)" in box.curl("http://carol.example/")
    pid = box.show("bellhop@carol.service", "MainPID")
    own, machine = (os.stat(box.path(f"/proc/{which}/ns/net")).st_ino for which in (pid, 1))
    return own == machine


@pytest.fixture(name="no_reload")
def _no_reload(box, carol):  # pylint: disable=unused-argument
    """Before the fixture of carol cleans up, by one."""
    def count():
        return len(re.findall(r"^Reloading(\.| requested)", box.journal("_PID=1"), re.MULTILINE))

    before = count()
    yield
    assert count() == before


@pytest.mark.usefixtures("no_reload")
def test_new_customer_with_network(box, carol):
    apply(box, "yes")
    assert has_network(box)
    # He goes, and somebody else gets the name.
    stop(box)
    box.path(f"/etc/bellhop/instances/{carol}.conf").unlink()
    box.run(GENERATOR, "--instance=carol")
    assert not box.path(DROP_IN).parent.exists()
    box.write_instance(carol, "Host=carol.example\n")
    assert not has_network(box)


@pytest.mark.usefixtures("no_reload")
def test_change_for_one_who_came_since_the_boot(box):
    for network, has in (("no", False), ("yes", True), ("no", False)):
        apply(box, network)
        # What is loaded stays as it is, so it must go first.
        stop(box)
        assert has_network(box) == has


@pytest.mark.usefixtures("carol")
def test_change_for_one_who_was_there_at_boot(box):
    """bellhop.target has wanted this socket since then, so systemd never forgets the units."""
    box.write_instance("carol", "Host=carol.example\n")
    box.run("systemctl", "daemon-reload")
    assert not has_network(box)
    apply(box, "yes")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "bellhop@carol.service")
    assert has_network(box)
    # The generator has written the same as the program did.
    target = box.path(DROP_IN).readlink()
    apply(box, "yes")
    assert box.path(DROP_IN).readlink() == target
    assert DROP_IN in box.show("bellhop@carol.service", "DropInPaths").split()


@pytest.mark.usefixtures("carol")
def test_mistake_changes_nothing(box):
    apply(box, "yes")
    box.write_instance("carol", "Host=carol.example\nNetwork=perhaps\n")
    done = box.try_run(GENERATOR, "--instance=carol")
    assert done.returncode == 1 and "carol.conf:3: Network=perhaps is none of no, internet, yes" in done.stderr
    assert box.path(DROP_IN).is_symlink()
    assert box.try_run(GENERATOR, "--instance=../carol").returncode == 1
    box.path("/etc/bellhop/instances/carol.conf").unlink()
    box.run(GENERATOR, "--instance=carol")
    assert not box.path(DROP_IN).is_symlink()
