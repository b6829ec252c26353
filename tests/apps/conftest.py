# SPDX-License-Identifier: MIT
"""Applications of Debian's archive, as customers install them: copied to the document root, and set up by themselves."""

import json
import pathlib
import struct
import subprocess
import sys
import zlib

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "isolation")]

import world  # noqa: E402
from box import BUILD, Box  # noqa: E402
from mx import MailServer  # noqa: E402

# Services that the packages bring and nobody here needs.
OTHERS = "apache2 apache-htcacheclean mediawiki-jobrunner rsync"
# dpkg unpacks all before it configures any, in spite of Pre-Depends.
INSTALL = f"""
    export DEBIAN_FRONTEND=noninteractive
    rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update
    for unit in {OTHERS}; do ln -s /dev/null /etc/systemd/system/$unit.service; done
    dpkg --force-depends --force-unsafe-io --no-triggers --unpack /root/*.deb
    dpkg --force-unsafe-io --configure --pending
"""


@pytest.fixture(name="box", scope="session")
def box_fixture():
    folder = BUILD / "apps-packages"
    subprocess.run([TESTS / "download-packages", "apps", folder], check=True)
    box = Box("bellhop-apps")
    box.up()
    try:
        box.install()
        for deb in folder.glob("*.deb"):
            box.path(f"/root/{deb.name}").write_bytes(deb.read_bytes())
        box.shell(INSTALL, timeout=300)
        yield box
        print(box.journal("-p", "warning"))
    finally:
        box.down()


@pytest.fixture(name="mail", scope="session")
def mail_fixture(box):
    """The machine's mail server, which shows what it gets."""
    server = MailServer(box)
    yield server
    server.process.terminate()
    server.process.wait()


@pytest.fixture(name="internet", scope="session")
def internet_fixture(box):
    """Around the machine, which finds wordpress.org and itself there."""
    yield from world.surround(box, {"wordpress.org": world.PUBLIC, "blog.example": world.OWN, "wiki.example": world.OWN})


@pytest.fixture(name="picture", scope="session")
def picture_fixture(tmp_path_factory):
    """Large enough for smaller copies of it."""
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    width, height = 800, 600
    rows = b"".join(b"\0" + b"".join(bytes((x & 255, y & 255, x * y & 255)) for x in range(width)) for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture(name="findings", scope="session")
def findings_fixture(box):
    """What bellhopctl check has to say about an instance: {kind of finding: its text}."""
    def check(name):
        said = json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]
        return {each["kind"]: each["what"] for each in said if each["instance"] == name}
    return check
