# SPDX-License-Identifier: MIT
"""A pristine Debian 12 in which bellhop has just been installed, and what a new user then types."""

import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from box import SOURCE, Box  # noqa: E402

FOLDER = SOURCE / "build-fresh"


@pytest.fixture(name="box", scope="session")
def box_fixture():
    subprocess.run([HERE / "root", FOLDER], check=True)
    machine = Box("bellhop-fresh", root=FOLDER / "root")
    machine.up()
    try:
        machine.prepare()
        yield machine
    finally:
        machine.down()


def example(page, before):
    """The block of a man page that comes first after these words."""
    text = (SOURCE / "man" / page).read_text()
    return re.search("^```\n(.*?)^```$", text[text.index(before):], re.MULTILINE | re.DOTALL).group(1)


@pytest.fixture(name="sites", scope="session")
def sites_fixture(box):
    """customer -> host, after the three commands of the man page."""
    commands = example("bellhopctl.1.scd", "Three commands make two sites with HTTPS:\n").splitlines()
    assert len(commands) == 3
    for command in commands:
        box.shell(command)
    return {"alice": "alice.example", "bob": "bob.example"}
