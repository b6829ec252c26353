# SPDX-License-Identifier: MIT
import pathlib
import sys

import pytest
import world

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "loss")]

from fixtures import carol_fixture, machine_with_customers, router_settings_fixture  # noqa: E402
from mallory import Hostile  # noqa: E402

__all__ = ["box_fixture", "carol_fixture", "mallory_fixture", "oscar_fixture", "router_settings_fixture", "trudy_fixture",
           "world_fixture", "mabel_fixture", "hostile_fixture"]


@pytest.fixture(name="box", scope="session")
def box_fixture():
    yield from machine_with_customers("bellhop-isolation")


@pytest.fixture(name="mallory", scope="session")
def mallory_fixture(box):
    """Hostile, without a network."""
    return Hostile(box, "mallory", network="no")


@pytest.fixture(name="mabel", scope="session")
def mabel_fixture(box):
    """Hostile, with nginx, without a network."""
    return Hostile(box, "mabel", network="no", server="nginx")


@pytest.fixture(name="hostile", params=["mallory", "mabel"])
def hostile_fixture(request):
    """Where the server makes a difference."""
    return request.getfixturevalue(request.param)


@pytest.fixture(name="world", scope="session")
def world_fixture(box):
    yield from world.surround(box)


@pytest.fixture(name="oscar", scope="session")
def oscar_fixture(box, world):  # pylint: disable=unused-argument
    """Hostile, with the internet."""
    return Hostile(box, "oscar", network="internet")


@pytest.fixture(name="trudy", scope="session")
def trudy_fixture(box):
    """Hostile, with the network."""
    return Hostile(box, "trudy", network="yes")
