# SPDX-License-Identifier: MIT
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "loss")]

from fixtures import machine_with_customers  # noqa: E402

HOSTS = ["carol.example", "www.carol.example"]
PAGE = 'echo "served by $(id -un)"'

# All that mistakes are made in.
SAVE = """
    mkdir /root/saved
    cp -a --parents /etc/bellhop /srv/www/carol /root/saved
"""
RESTORE = """
    # Nobody is being served, so that nothing has to be waited for.
    systemctl kill --signal=KILL bellhop@carol.service 2>/dev/null || true
    systemctl stop bellhop@carol.socket bellhop@carol.service
    rm -rf /etc/bellhop /srv/www/carol /etc/letsencrypt
    cp -a /root/saved/. /
    userdel -f karol 2>/dev/null || true
    id carol >/dev/null 2>&1 || useradd --create-home --uid "$(stat -c %u /srv/www/carol)" carol
    systemctl is-enabled --quiet bellhop.target || systemctl enable --quiet bellhop.target
    systemctl reset-failed
    systemctl start bellhop-router.socket bellhop-router.service bellhop@carol.socket bellhop-usage.service
    systemctl reload bellhop-router.service
"""


@pytest.fixture(name="machine", scope="session")
def machine_fixture():
    for box in machine_with_customers("bellhop-mistakes"):
        box.create_customer("carol", HOSTS)
        box.write_page("carol", "index.cgi", PAGE)
        box.shell(SAVE)
        yield box


@pytest.fixture(name="box")
def box_fixture(machine):
    """A machine without mistakes, on which carol's site is served."""
    machine.shell(RESTORE)
    return machine
