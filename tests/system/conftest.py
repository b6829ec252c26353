# SPDX-License-Identifier: MIT
import pytest
import showcase
from box import Box


@pytest.fixture(scope="session")
def box():
    """One booted machine with alice and bob for all tests that leave it as they found it."""
    machine = Box("bellhop-check")
    machine.up()
    try:
        showcase.set_up(machine)
        yield machine
        print(machine.journal("-u", "bellhop-router", "-p", "warning"))
    finally:
        machine.down()


def pytest_collection_modifyitems(items):
    """The showcase needs a machine that nobody has visited; a reboot ends what the others may still look at."""
    items.sort(key=lambda item: (item.path.name != "test_showcase.py", item.name == "test_reboot"))
