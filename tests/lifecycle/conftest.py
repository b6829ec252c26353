# SPDX-License-Identifier: MIT
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "loss")]

from fixtures import carol_fixture, machine_with_customers, publish, router_settings_fixture  # noqa: E402

__all__ = ["box_fixture", "carol_fixture", "router_settings_fixture"]

# One customer for each MPM, so that a test can do with all three at once what takes time.
MPMS = {"evan": "event", "wanda": "worker", "peter": "prefork"}


@pytest.fixture(name="box", scope="session")
def box_fixture():
    yield from machine_with_customers("bellhop-lifecycle")


@pytest.fixture(name="trio", scope="session")
def trio_fixture(box):
    """Their names; they idle for a second."""
    for name, mpm in MPMS.items():
        box.create_customer(name, [f"{name}.example"], instance="IdleSec=1s\n")
        publish(box, name, f"{name}.example")
        box.write(f"/etc/systemd/system/bellhop@{name}.service.d/mpm.conf", f"[Service]\nEnvironment=BELLHOP_MPM={mpm}\n")
        box.write(f"/etc/bellhop/sites/{name}/own.conf", "KeepAliveTimeout 60\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", *(f"bellhop@{name}.socket" for name in MPMS))
    box.reload_router()
    return list(MPMS)
