# SPDX-License-Identifier: MIT
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "loss"), str(TESTS / "isolation")]

from authority import Authority, Dns, make_trust  # noqa: E402
from box import Box  # noqa: E402
from fixtures import unpack  # noqa: E402


@pytest.fixture(name="box", scope="session")
def box_fixture():
    """A machine with bellhop, and with programs of authorities that do not run yet."""
    machine = Box("bellhop-certificates")
    machine.up()
    try:
        machine.install()
        unpack(machine, "authority")
        make_trust(machine)
        yield machine
        print(machine.journal("-u", "bellhop-acme", "-u", "bellhop-cert@*", "-p", "warning"))
    finally:
        machine.down()


@pytest.fixture(name="dns", scope="session")
def dns_fixture(box):
    return Dns(box)


@pytest.fixture(name="authority", scope="session")
def authority_fixture(box, dns):  # pylint: disable=unused-argument
    """The default one, which does not let anybody wait."""
    return Authority(box, "default", 14000, prompt=True)


@pytest.fixture(name="slow", scope="session")
def slow_fixture(box, dns):  # pylint: disable=unused-argument
    """Acme=slow: with seconds of delay before each proof."""
    return Authority(box, "slow", 14100)
