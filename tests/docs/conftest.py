# SPDX-License-Identifier: MIT
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "loss")]

from box import BUILD, Box  # noqa: E402
from fixtures import machine_with_customers  # noqa: E402
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
    debs = BUILD / "box-packages"
    subprocess.run([TESTS / "download-packages", "box", debs], check=True)
    machine = Box("bellhop-old")
    machine.up()
    try:
        for path, text in migrating.files.items():
            machine.write(path, text)
        for deb in debs.glob("*.deb"):
            machine.path(f"/root/{deb.name}").write_bytes(deb.read_bytes())
        machine.path("/root/old-server").write_bytes((TESTS / "docs/old-server").read_bytes())
        machine.run("bash", "-c", "bash /root/old-server /root/*.deb")
        machine.install(start=False)
        yield machine
    finally:
        machine.down()
