# SPDX-License-Identifier: MIT
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "loss"), str(TESTS / "isolation")]

from authority import Authority, Dns, make_trust  # noqa: E402
from box import Box, listed  # noqa: E402
from fixtures import unpack  # noqa: E402


@pytest.fixture(name="box", scope="session")
def box_fixture():
    """A machine with bellhop and the programs of authorities; none of these runs yet."""
    machine = Box("bellhop-certificates")
    machine.up()
    try:
        machine.install()
        if machine.repository:
            # The tests start their own name servers.
            machine.run("systemctl", "mask", "named.service")
            machine.apt_get("install", "--no-install-recommends", *listed("authority"))
        else:
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
    """Acme=default, without delays and refused nonces."""
    return Authority(box, "default", 14000, prompt=True, refused_percent=0)


@pytest.fixture(name="slow", scope="session")
def slow_fixture(box, dns):  # pylint: disable=unused-argument
    """Acme=slow: it waits some seconds before each validation."""
    return Authority(box, "slow", 14100)
