# SPDX-License-Identifier: MIT
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "loss")]

from fixtures import carol_fixture, machine_with_customers, publish, router_settings_fixture  # noqa: E402

__all__ = ["box_fixture", "carol_fixture", "router_settings_fixture"]

# One customer for each MPM of Apache, and one with nginx, so that a test can do with all at once what takes time.
MPMS = {"evan": "event", "wanda": "worker", "peter": "prefork"}
NGINX = "nina"
INDEX = "<?php echo 'served by uid ', posix_getuid(), ' (', posix_getpwuid(posix_getuid())['name'], ')';"


def settings_of(name, text):
    return f"Host={name}.example\n{text}\n" + ("Server=nginx\n" if name == NGINX else "")


@pytest.fixture(name="box", scope="session")
def box_fixture():
    yield from machine_with_customers("bellhop-lifecycle")


@pytest.fixture(name="four", scope="session")
def four_fixture(box):
    """Their names; they idle for a second."""
    for name, mpm in MPMS.items():
        box.create_customer(name, [f"{name}.example"], instance="IdleSec=1s\n")
        publish(box, name, f"{name}.example")
        box.write(f"/etc/systemd/system/bellhop@{name}.service.d/mpm.conf", f"[Service]\nEnvironment=BELLHOP_MPM={mpm}\n")
        box.write(f"/etc/bellhop/sites/{name}/own.conf", "KeepAliveTimeout 60\n")
    box.create_customer(NGINX, [f"{NGINX}.example"], instance="IdleSec=1s\nServer=nginx\n")
    publish(box, NGINX, f"{NGINX}.example")
    # It runs no CGI program.
    box.write(f"/srv/www/{NGINX}/index.php", INDEX)
    box.shell(f"rm /srv/www/{NGINX}/index.cgi; chown {NGINX}: /srv/www/{NGINX}/index.php")
    box.write(f"/etc/bellhop/sites/{NGINX}/own.conf", "keepalive_timeout 60s;\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", *(f"bellhop@{name}.socket" for name in (*MPMS, NGINX)))
    box.reload_router()
    return [*MPMS, NGINX]
