# SPDX-License-Identifier: MIT
import pytest
from fixtures import carol_fixture, machine_with_customers, router_settings_fixture

__all__ = ["box_fixture", "carol_fixture", "router_settings_fixture"]


@pytest.fixture(name="box", scope="session")
def box_fixture():
    yield from machine_with_customers("bellhop-check")


def pytest_collection_modifyitems(items):
    """The showcase needs a machine that nobody has visited; a reboot ends what the others may still look at."""
    items.sort(key=lambda item: (item.path.name != "test_showcase.py", item.name == "test_reboot"))
