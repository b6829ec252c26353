# SPDX-License-Identifier: MIT
"""What the suites that run in a container share: the machine, a third customer, settings of the router."""

import subprocess

import pytest
import showcase
from box import BUILD, SOURCE, Box

SETTINGS = "/etc/bellhop/router.conf.d/test.conf"
DROP_IN = "/etc/systemd/system/bellhop-router.service.d/test.conf"


def machine_with_customers(name, cgroup="v2"):
    """A booted machine with alice and bob; for a fixture of session scope: every test leaves it as it found it."""
    machine = Box(name, cgroup)
    machine.up()
    try:
        showcase.set_up(machine)
        for host, owner in showcase.OWNERS.items():
            publish(machine, owner, host)
        yield machine
        print(machine.journal("-u", "bellhop-router", "-p", "warning"))
    finally:
        machine.down()


def packages(kind):
    """The files of those that are not installed on this machine."""
    folder = BUILD / f"{kind}-packages"
    subprocess.run([SOURCE / "tests/download-packages", kind, folder], check=True)
    return sorted(folder.glob("*.deb"))


def unpack(box, kind):
    """Programs of other packages, in the container; nothing of them is set up or started."""
    for deb in packages(kind):
        box.path("/root/package.deb").write_bytes(deb.read_bytes())
        # Not by dpkg-deb -x, which would put a folder in the place of the link /lib.
        box.shell("dpkg-deb --fsys-tarfile /root/package.deb | tar -x --keep-directory-symlink -C /")


def publish(box, owner, host):
    """What load.py asks for: a file, so that the server and not a program of the customer's sets the pace."""
    box.write(f"/srv/www/{owner}/load.txt", host + "\n")
    box.run("chown", f"{owner}:", f"/srv/www/{owner}/load.txt")


@pytest.fixture(name="carol")
def carol_fixture(box):
    """A third customer, prepared but not started; gone without a trace afterwards."""
    box.create_customer("carol", ["carol.example"])
    publish(box, "carol", "carol.example")
    yield "carol"
    remove(box, "carol")
    box.shell("userdel -rf carol 2>/dev/null; rm -rf /srv/www/carol /etc/bellhop/*/carol /var/log/bellhop/carol "
              "/etc/systemd/system/bellhop@carol.service.d; systemctl daemon-reload")


def remove(box, name):
    box.path(f"/etc/bellhop/instances/{name}.conf").unlink(missing_ok=True)
    box.reload_router()
    box.run("systemctl", "stop", f"bellhop@{name}.socket", f"bellhop@{name}.service")


@pytest.fixture(name="router_settings")
def router_settings_fixture(box):
    """Writes settings of the router and drop-ins of its unit; they are gone afterwards."""
    def apply(text="", unit=""):
        box.write(SETTINGS, f"[Router]\n{text}\n")
        if unit:
            box.write(DROP_IN, f"[Service]\n{unit}\n")
            box.run("systemctl", "daemon-reload")
        box.run("systemctl", "restart", "bellhop-router.service")

    yield apply
    for path in (SETTINGS, DROP_IN):
        box.path(path).unlink(missing_ok=True)
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", "bellhop-router.service")


def begin_usage_anew(box):
    """Of a machine whose figures other tests have made incomplete for this month."""
    # Instances first: the last report of one would start bellhop-usage again.
    box.shell("systemctl stop 'bellhop@*.service';"
              "systemctl stop bellhop-usage.service bellhop-usage.socket;"
              "rm -rf /var/lib/private/bellhop-usage/*;"
              "systemctl start bellhop-usage.socket bellhop-usage.service;"
              "systemctl restart bellhop-router.service")
