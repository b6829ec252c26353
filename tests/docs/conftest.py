# SPDX-License-Identifier: MIT
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / folder) for folder in ("system", "loss", "path", "isolation")]

from box import Box  # noqa: E402
from fixtures import machine_with_customers, packages, unpack  # noqa: E402
from markdown import Document  # noqa: E402


@pytest.fixture(name="box", scope="session")
def box_fixture():
    yield from machine_with_customers("bellhop-docs")


@pytest.fixture(name="migrating", scope="module")
def migrating_fixture():
    return Document("migrating.md")


@pytest.fixture(name="old", scope="module")
def old_fixture(migrating):
    """Another machine, with Debian's Apache and mpm-itk, and bellhop installed but not started."""
    debs = packages("box")
    machine = Box("bellhop-old")
    machine.up()
    try:
        for path, text in migrating.files.items():
            machine.write(path, text)
        for file in [*debs, TESTS / "docs/old-server"]:
            machine.path(f"/root/{file.name}").write_bytes(file.read_bytes())
        machine.run("bash", "-c", "bash /root/old-server /root/*.deb")
        machine.prepare()
        yield machine
    finally:
        machine.down()


@pytest.fixture(name="ten", scope="module")
def ten_fixture():
    """A third machine: Debian's Apache with ten customers, and bellhop installed but not started."""
    machine = Box("bellhop-ten")
    machine.up()
    try:
        if machine.repository:
            machine.use_repository()
            machine.apt_get("install", "apache2", "libapache2-mpm-itk", "curl", "openssl")
        else:
            for deb in packages("box"):
                machine.path(f"/root/{deb.name}").write_bytes(deb.read_bytes())
            machine.shell("dpkg --install --no-triggers /root/*.deb")
        machine.path("/root/ten-sites").write_bytes((TESTS / "docs/ten-sites").read_bytes())
        machine.run("bash", "/root/ten-sites", timeout=300)
        if machine.repository:
            machine.apt_get("install", "bellhop", "libapache2-mod-bellhop")
        else:
            machine.prepare()
        yield machine
    finally:
        machine.down()


@pytest.fixture(name="authority", scope="module")
def authority_fixture(box):
    """An ACME authority in the container, which certbot there asks and believes."""
    unpack(box, "acme")
    box.write("/root/Caddyfile", """
        {
            admin off
            storage file_system /root/caddy
            http_port 14001
            skip_install_trust
            auto_https disable_redirects
        }
        acme.example:14000 {
            tls internal
            acme_server
        }
    """)
    box.write("/etc/letsencrypt/cli.ini", "server = https://acme.example:14000/acme/local/directory\n"
              "email = root@acme.example\nagree-tos = true\nnon-interactive = true\n")
    box.shell("""
        echo '127.0.0.1 acme.example alice.example www.alice.example' >>/etc/hosts
        systemd-run --quiet --unit=authority --setenv=HOME=/root caddy run --config /root/Caddyfile
    """)
    root = "/root/caddy/pki/authorities/local/root.crt"
    box.wait_for("the authority", lambda: box.path(root).exists() and box.try_run(
        "curl", "-s", "--cacert", root, "https://acme.example:14000/acme/local/directory").returncode == 0)
    yield root
    box.run("systemctl", "stop", "authority")
