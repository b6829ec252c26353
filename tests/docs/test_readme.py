# SPDX-License-Identifier: MIT
"""README.md: what it shows is what the commands print."""

import re

import pytest
from box import SOURCE, Box

README = (SOURCE / "README.md").read_text(encoding="utf-8")


@pytest.fixture(name="fresh", scope="module")
def fresh_fixture():
    machine = Box("bellhop-readme")
    machine.up()
    try:
        machine.install()
        yield machine
    finally:
        machine.down()


def shown():
    """{command: its output}, of the block with prompts."""
    block, = re.findall(r"^```\n(# apt install .*?)^```$", README, re.MULTILINE | re.DOTALL)
    return {command: output for command, output in re.findall(r"^# (.*)\n((?:(?!# ).*\n)*)", block, re.MULTILINE)}


def test_first_commands(fresh):
    install, add, show = shown()
    assert install.startswith("apt install") and not shown()[install]
    assert fresh.shell(add).strip() == shown()[add].strip()
    fresh.run("bellhopctl", "add", "bob", "--create-user", "--acme", "--host=bob.example", "--host=www.bob.example")
    assert fresh.curl("https://alice.example/", "-k", "-o", "/dev/null", "-w", "%{http_code}") == "200"
    # Without an authority, certificates have other dates.
    said, expected = (output.strip().splitlines() for output in (fresh.shell(show), shown()[show]))
    assert said[0].split() == expected[0].split()
    assert [(row.split()[0], row.split()[-1]) for row in said[1:3]] == [(row.split()[0], row.split()[-1]) for row in expected[1:3]]
