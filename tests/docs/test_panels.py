# SPDX-License-Identifier: MIT
"""doc/panels.md: its commands, and its plugin as it is written there."""

import json
import re

import pytest
from markdown import Document
from showcase import ALICE, BOB
from test_life import main_pid, status_of, steady

PLUGIN = "/root/plugin"
HOST, SECOND = "dora.example", "www.dora.example"


@pytest.fixture(name="panels", scope="module")
def _panels():
    return Document("panels.md")


@pytest.fixture(name="plugin")
def _plugin(box, panels):
    script, = panels.scripts
    box.write(PLUGIN, script, 0o755)
    box.shell(f"""
        cd /root
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 90 -subj /CN={HOST} \\
                -addext subjectAltName=DNS:{HOST},DNS:{SECOND} -keyout dora.key -out dora.pem 2>/dev/null
    """)
    row = {"name": "dora", "state": "active", "hosts": [HOST], "https_only": True, "certificate": "/root/dora.pem",
           "key": "/root/dora.key", "memory": "1G", "tasks": 200}

    def run(**changed):
        row.update(changed)
        box.write("/root/row.json", json.dumps(row))
        return json.loads(box.shell(f"{PLUGIN} </root/row.json"))

    yield run
    box.try_run("bellhopctl", "remove", "--purge", "--yes", "dora")
    box.shell(f"rm {PLUGIN} /root/dora.* /root/row.json")


def statuses(box, host):
    return [status_of(box, f"{scheme}://{host}/") for scheme in ("http", "https")]


def test_plugin(box, plugin):
    box.curl(f"http://{ALICE}/")
    pid = main_pid(box, "alice")
    with steady(box, ALICE, BOB):
        shown = plugin()
        assert (shown["state"], shown["hosts"], shown["memory_max_bytes"]) == ("idle", [HOST], 2**30)
        assert statuses(box, HOST) == ["301", "200"] and statuses(box, SECOND)[0] == "421"
        assert box.show("bellhop@dora.service", "TasksMax") == "200"
        server = main_pid(box, "dora")
        before = box.path("/etc/bellhop/instances/dora.conf").stat().st_ctime_ns
        plugin()
        assert box.path("/etc/bellhop/instances/dora.conf").stat().st_ctime_ns == before
        plugin(hosts=[HOST, SECOND], https_only=False, memory="512M")
        assert statuses(box, HOST) == statuses(box, SECOND) == ["200", "200"]
        assert main_pid(box, "dora") == server
        assert plugin(state="suspended")["state"] == "suspended"
        assert statuses(box, HOST) == ["503", "503"]
        plugin(state="active", memory="")
        assert statuses(box, HOST) == ["200", "200"]
        assert box.show("bellhop@dora.service", "MemoryMax") == "infinity"
        for _ in range(2):
            assert plugin(state="deleted") is None
        assert statuses(box, HOST)[0] == "421" and box.try_run("id", "dora").returncode != 0
    assert main_pid(box, "alice") == pid


def test_plugin_says_why(box, plugin):
    plugin()
    box.write("/root/row.json", json.dumps({"name": "dora", "state": "active", "hosts": [ALICE]}))
    done = box.try_run("bash", "-c", f"{PLUGIN} </root/row.json")
    assert done.returncode == 1 and f"set: bellhopctl: {ALICE} already leads to alice" in done.stderr


def test_commands(box, panels):
    before = box.path("/etc/bellhop/instances/alice.conf").read_text()
    said = box.shell(panels.commands("Try it"))
    assert "This is what would be done.\n" in said and re.search(r'"changes": *\[\s*\]', said)
    assert '"idle_seconds": 1800' in said and '"memory_max_bytes": 1073741824' in said
    assert box.path("/etc/bellhop/instances/alice.conf").read_text() == before
    assert panels.not_run() == set()
