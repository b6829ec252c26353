# SPDX-License-Identifier: MIT
"""A neighbour writes lines into the journal with the identifiers, the message ids and the fields of alice's lines. No
documented command shows them as lines of alice."""

import json
import re

import pytest
from box import SOURCE
from showcase import ALICE, BOB
from test_root_commands import texts

MARK = "forged-by-a-neighbour"
IDS = re.findall(r'"([0-9a-f]{32})"', (SOURCE / "src/util/log-ids.h").read_text())
# It lives on until the journal has seen whose it is.
FORGER = f"""/usr/bin/python3 -c '
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
    log.connect("/dev/log")
    log.send(b"<11>bellhop-alice: {MARK}")
for identifier in ("bellhop-alice", "bellhop-php-alice", "bellhop-access", "bellhop-router", "bellhop-standin", "systemd"):
    for number in {json.dumps(IDS)}:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.connect("/run/systemd/journal/socket")
            log.send(("PRIORITY=3\\nMESSAGE={MARK}\\nMESSAGE_ID=%s\\nSYSLOG_IDENTIFIER=%s\\nBELLHOP_INSTANCE=alice\\n"
                      "UNIT=bellhop@alice.service\\nOBJECT_SYSTEMD_UNIT=bellhop@alice.service\\nBELLHOP_HOST={ALICE}\\n"
                      "COREDUMP_UNIT=bellhop@alice.service\\nBELLHOP_REASON=unknown-host\\nBELLHOP_PEER=192.0.2.1\\n"
                      "_SYSTEMD_UNIT=bellhop@alice.service\\n" % (number, identifier)).encode())
sys.stdin.read()'"""


def commands():
    """Every command for the lines of alice, or for lines of the router or the stand-in about alice."""
    word = r"-\w+|--since=\S+|'[^' ]+'|[A-Z_]+=[\w.-]*\w|bellhop[\w@{}%.-]*\w|\d+|warning|with-unit"
    found = {re.sub(r"%s|\{name\}|@BELLHOP_INSTANCE@|(?<=@|-)NAME|(?<==)NAME", "alice", command) for _, text in texts()
             for command in re.findall(rf"journalctl(?:\s+(?:{word})(?![\w@]))+", text.replace("\\\n", " "))}
    return sorted({" ".join(command.split()) for command in found if re.search(r"-\w*u bellhop|-\w*u '", command)})


@pytest.fixture(name="forged", scope="module")
def _forged(box):
    box.write_page("bob", "forge.cgi", FORGER)
    client = box.popen_client("curl", "-s", "--max-time", "60", "--resolve", f"{BOB}:80:127.0.0.1", "-X", "POST", "-H",
                              "Content-Length: 1", f"http://{BOB}/forge.cgi")
    # Also from a shell, without a unit of bob's site.
    box.shell(f"runuser -u bob -- logger --id=$$ -t bellhop-alice {MARK}")
    try:
        box.wait_for("all are written", lambda: box.journal("SYSLOG_IDENTIFIER=systemd", f"MESSAGE_ID={IDS[-1]}",
                                                            "_SYSTEMD_UNIT=bellhop@bob.service").count(MARK))
        yield
    finally:
        client.kill()
        client.wait()
        box.path("/srv/www/bob/forge.cgi").unlink()


@pytest.mark.usefixtures("forged")
def test_forged_lines_are_there(box):
    """Without the unit they would be shown."""
    for words in (["-t", "bellhop-alice"], ["BELLHOP_INSTANCE=alice"], [f"MESSAGE_ID={IDS[0]}", "BELLHOP_INSTANCE=alice"]):
        assert MARK in box.journal(*words)


@pytest.mark.usefixtures("forged")
@pytest.mark.parametrize("command", commands())
def test_documented_answers(box, command):
    lines = [line for line in box.run("bash", "-c", f"{command} -q --no-pager").splitlines() if MARK in line]
    if "with-unit" not in command:
        assert lines == []
    for line in lines:
        assert " bellhop@bob.service[" in line, line


@pytest.mark.usefixtures("forged")
def test_status(box):
    assert MARK not in box.run("bellhopctl", "status", "alice")
    alice = json.loads(box.run("bellhopctl", "status", "alice", "--json"))["instances"][0]
    assert not [line for line in alice["journal"] + alice["refusals"] if MARK in line]
    assert MARK in box.run("bellhopctl", "status", "bob")
