# SPDX-License-Identifier: MIT
"""Limits of a customer: set, shown, in force, removed; and programs that are killed as memory runs out.

Memory is bounded in a container with the first version of cgroups only, in which now and then a unit hangs when it ends.
Quotas of disks need a file system and a kernel that have them, so the kernel's answers are made up here.
"""

import json
import subprocess

import pytest
from box import HERE, Box
from showcase import ALICE, BOB
from test_ctl import NEW, add, ctl, ctl_json, left_of
from test_life import daemon_reloads, main_pid, steady

UNIT = "bellhop@alice.service"
CONTROL = f"/etc/systemd/system.control/{UNIT}.d"
KEYS = ["memory_max_bytes", "cpu_max_percent", "tasks_max", "disk_max_bytes"]
SET = ("set", "alice", "--memory-max=1G", "--cpu-max=150%", "--tasks-max=200")


@pytest.fixture(name="alice")
def _alice(box):
    box.curl(f"http://{ALICE}/")
    yield
    box.run("systemctl", "revert", UNIT)


def own(box, name="alice", **environment):
    entry, = json.loads(ctl(box, "export", name, **environment))["instances"]
    return [entry[key] for key in KEYS]


def status(box, name="alice", **environment):
    entry, = ctl_json(box, "status", name, **environment)["instances"]
    return entry


@pytest.mark.usefixtures("alice")
def test_set_show_and_remove(box):
    pid, reloads = main_pid(box, "alice"), daemon_reloads(box)
    assert own(box) == [None] * 4
    with steady(box, ALICE, BOB):
        for options in (["--dry-run"], []):
            said = ctl(box, *SET, *options)
            assert said.startswith("limit the memory of alice to 1.0G\nlimit the processor time of alice to 150%\n"
                                   "limit the tasks of alice to 200\n")
        shown = [box.show(UNIT, name) for name in ("MemoryMax", "CPUQuotaPerSecUSec", "TasksMax")]
        assert shown == [str(2**30), "1.500000s" if "." in box.show(UNIT, "CPUQuotaPerSecUSec") else "1.5s", "200"]
        assert own(box) == [2**30, 150, 200, None]
        entry = status(box)
        assert [entry[key] for key in KEYS] == [2**30, 150, 200, None]
        assert entry["last_oom_kill"] is None
        said = ctl(box, "status", "alice")
        assert " of 200\n" in said and "of 1.0G\n" in said and "CPU limit: 150%\n" in said
        assert ctl(box, *SET) == "alice already has these settings.\n"
        assert ctl_json(box, *SET) == {"changes": []}
        assert daemon_reloads(box) == reloads
        # They are systemd's, and survive it.
        box.run("systemctl", "daemon-reload")
        assert own(box) == [2**30, 150, 200, None]
        # Of a fraction, systemd would keep less than it was told.
        assert "only whole percentages" in ctl(box, "set", "alice", "--cpu-max=12.5%", status=1)
        changes = ctl_json(box, "set", "alice", "--memory-max=", "--cpu-max=none")["changes"]
        assert [step["change"] for step in changes] == ["limit", "limit", "daemon-reload"]
        assert own(box) == [None, None, 200, None] and box.show(UNIT, "MemoryMax") == "infinity"
        ctl(box, "set", "alice", "--tasks-max=")
        assert own(box) == [None] * 4 and status(box)["tasks_max"] == int(box.show("bellhop@bob.service", "TasksMax")) > 200
        assert ctl_json(box, "set", "alice", "--tasks-max=", "--memory-max=none") == {"changes": []}
    assert main_pid(box, "alice") == pid
    assert not box.path(CONTROL).exists() or not list(box.path(CONTROL).iterdir())


@pytest.mark.usefixtures("alice")
def test_limits_and_settings_at_once(box):
    """All of it is checked before anything is changed."""
    for options in (["--memory-max=1G", "--http=never"], ["--memory-max=1G", "--disk-max=1G"]):
        ctl(box, "set", "alice", *options, status=1)
        assert own(box) == [None] * 4
    before = box.path("/etc/bellhop/instances/alice.conf").read_text()
    steps = ctl_json(box, "set", "alice", "--memory-max=1G", "--idle=1h")["changes"]
    assert [step["change"] for step in steps] == ["limit", "file", "router", "server"]
    assert own(box)[0] == 2**30
    ctl(box, "set", "alice", "--idle=", "--memory-max=")
    assert box.path("/etc/bellhop/instances/alice.conf").read_text() == before


@pytest.mark.usefixtures("alice")
def test_limits_from_elsewhere(box):
    """What all have is nobody's own; what an administrator has written is taken away by nobody else."""
    box.write("/etc/systemd/system/bellhop@.service.d/10-limits.conf", "[Service]\nMemoryMax=512M\n")
    box.write(f"/etc/systemd/system/{UNIT}.d/override.conf", "[Service]\nTasksMax=300\nCPUQuota=12.5%\n")
    box.run("systemctl", "daemon-reload")
    assert ctl_json(box, "set", "alice", "--cpu-max=12.5") == {"changes": []}
    assert own(box) == [None, 12.5, 300, None] and status(box)["memory_max_bytes"] == 2**29
    assert "TasksMax= of alice is in a drop-in that bellhopctl did not make" in ctl(box, "set", "alice", "--tasks-max=", status=1)
    # The same as for all is still one's own, once it was asked for.
    ctl(box, "set", "alice", "--memory-max=512M")
    assert own(box) == [2**29, 12.5, 300, None]
    assert ctl_json(box, "set", "alice", "--memory-max=512M", "--tasks-max=300") == {"changes": []}
    box.shell(f"rm -r /etc/systemd/system/bellhop@.service.d /etc/systemd/system/{UNIT}.d; systemctl daemon-reload")


@pytest.fixture(name="clean")
def _clean(box):
    yield
    for name in NEW:
        box.try_run("bellhopctl", "remove", "--purge", "--yes", name)
        assert left_of(box, name) == []


@pytest.mark.usefixtures("clean")
def test_add_and_remove(box):
    options = ["--memory-max=256M", "--tasks-max=100"]
    add(box, "dora", *options)
    assert own(box, "dora") == [2**28, None, 100, None]
    assert add(box, "dora", *options) == "dora already exists with these settings.\n"
    ctl(box, "remove", "dora", "--purge", "--yes")
    add(box, "dora")
    assert own(box, "dora") == [None] * 4
    # Undone with the rest.
    box.path("/run/bellhop/emil.handoff").mkdir()
    box.path("/run/bellhop/emil.handoff/x").mkdir()
    assert "undo: set the limits of emil" in box.try_run(
        "bellhopctl", "add", "emil", "--create-user", "--host=emil.example", *options).stdout
    box.shell("rm -r /run/bellhop/emil.handoff; ! ls -d /etc/systemd/system.control/bellhop@emil*")


def test_disk_without_quotas(box):
    said = ctl(box, "set", "alice", "--disk-max=10G", status=1)
    assert "Disk quotas of users are off on the file system of /srv/www/alice" in said and "tune2fs -O quota" in said
    entry = status(box)
    assert entry["disk_bytes"] is None and entry["disk_max_bytes"] is None
    # There is nothing to remove.
    assert ctl_json(box, "set", "alice", "--disk-max=") == {"changes": []}


@pytest.fixture(name="quota")
def _quota(box):
    """{uid: KiB}, and the environment in which bellhopctl sees such a kernel."""
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", box.path("/root/quota.so"), HERE / "quota.c", "-ldl"], check=True)
    box.path("/root/quota").mkdir()
    yield {"LD_PRELOAD": "/root/quota.so"}
    box.shell("rm -r /root/quota /root/quota.so")


@pytest.mark.usefixtures("clean")
def test_disk(box, quota):
    def kept(name):
        return box.path(f"/root/quota/{box.uid(name)}").read_text()

    ctl(box, "set", "alice", "--disk-max=10G", **quota)
    assert kept("alice") == str(10 << 20) and own(box, **quota)[3] == 10 << 30
    assert ctl_json(box, "set", "alice", "--disk-max=10240M", **quota) == {"changes": []}
    assert status(box, **quota)["disk_bytes"] == 12345678
    assert "Disk: 11.8M of 10.0G\n" in ctl(box, "status", "alice", **quota)
    ctl(box, "set", "alice", "--disk-max=", **quota)
    assert kept("alice") == "0" and own(box, **quota)[3] is None
    # A uid may come again.
    add(box, "dora", "--disk-max=1G", **quota)
    uid = box.uid("dora")
    assert kept("dora") == str(1 << 20)
    said = ctl(box, "remove", "dora", "--purge", "--yes", **quota)
    assert "remove the limit of the disk space of dora\n" in said
    assert box.path(f"/root/quota/{uid}").read_text() == "0"


# --- memory that runs out ---


def findings(box, name):
    checked = json.loads(box.try_run("bellhopctl", "check", "--json", "--instance", name).stdout)["findings"]
    return {finding["kind"]: finding for finding in checked}


def test_kill_in_the_journal(box):
    """As systemd writes it; nobody but root can, and the service goes on or has ended since."""
    assert "oom-kill" not in findings(box, "alice")
    message = f"MESSAGE_ID=fe6faa94e7774663a0da52717891d8ef\\nUNIT={UNIT}\\nMESSAGE=killed\\n"
    box.shell(f"printf '{message.replace('alice', 'bob')}' | runuser -u bob -- logger --journald; journalctl --sync")
    assert "oom-kill" not in findings(box, "bob")
    box.shell(f"printf '{message}' | logger --journald; journalctl --sync")
    found = findings(box, "alice")["oom-kill"]
    assert found["severity"] == "warning" and "bellhopctl set alice --memory-max=SIZE" in found["advice"]
    assert status(box)["last_oom_kill"] is not None
    said = ctl(box, "status", "alice")
    assert "OOM kills: " in said and "because memory ran out" in said
    assert "oom-kill" not in findings(box, "bob")


@pytest.fixture(name="small", scope="module")
def _small():
    """A machine that can count memory."""
    machine = Box("bellhop-memory", cgroup="v1")
    machine.up()
    try:
        machine.install()
        machine.create_customer("carol", ["carol.example"])
        machine.write("/srv/www/carol/eat.php", "<?php ini_set('memory_limit', -1); "
                      "echo strlen(str_repeat('x', 300 << 20)), ' eaten';")
        machine.start_customer("carol")
        yield machine
    finally:
        machine.down()


def test_program_that_is_killed(small):
    """A child of PHP-FPM: the service goes on, and all the same it is seen."""
    url = "http://carol.example/eat.php"
    assert small.curl(url).endswith(" eaten")
    entry = status(small, "carol")
    assert entry["oom_kills"] == 0 and 0 < entry["tasks"] < entry["tasks_max"] and entry["memory_bytes"] > 1 << 20
    assert "oom-kill" not in findings(small, "carol")
    assert f"Tasks: {entry['tasks']} of " in ctl(small, "status", "carol")
    small.run("timeout", "30", "bellhopctl", "set", "carol", "--memory-max=96M")
    pid = small.show("bellhop@carol.service", "MainPID")
    assert "eaten" not in small.curl(url)
    assert small.show("bellhop@carol.service", "MainPID") == pid
    entry = status(small, "carol")
    assert entry["oom_kills"] > 0 and entry["memory_max_bytes"] == 96 << 20
    assert "killed, because memory ran out" in findings(small, "carol")["oom-kill"]["what"]
    assert f"OOM kills: {entry['oom_kills']} since it was started" in ctl(small, "status", "carol")


def test_program_that_does_not_start(small):
    """The site is served on; what does not start is seen, until the next restart of the service."""
    small.write("/srv/www/carol/fork.php", "<?php exec('for i in $(seq 40); do sleep 60 >/dev/null 2>&1 & done'); echo 'forked';")
    url = "http://carol.example/fork.php"
    ctl(small, "set", "carol", "--memory-max=")
    small.run("systemctl", "restart", "bellhop@carol.service")
    assert small.curl(url) == "forked"
    assert status(small, "carol")["tasks_max_reached"] == 0 and "tasks-limit" not in findings(small, "carol")
    assert "Task limit:" not in ctl(small, "status", "carol")
    ctl(small, "set", "carol", "--tasks-max=100")
    small.curl(url, check=False)
    n = status(small, "carol")["tasks_max_reached"]
    assert n > 0 and f"Task limit: reached {n} time{'s' * (n > 1)} since it was started" in ctl(small, "status", "carol")
    found = findings(small, "carol")["tasks-limit"]
    assert found["severity"] == "warning" and "bellhopctl set carol --tasks-max=N" in found["advice"]
    small.run("pkill", "-KILL", "-u", "carol", "-x", "sleep")
    ctl(small, "set", "carol", "--tasks-max=")
    small.run("systemctl", "restart", "bellhop@carol.service")
    assert "tasks-limit" not in findings(small, "carol")
    small.run("systemctl", "stop", "bellhop@carol.service")
    assert status(small, "carol")["tasks_max_reached"] is None


def test_too_few_tasks_for_the_server(small):
    """Apache ends with status 0 if it can't start its threads. Its clients must not wait for this again and again."""
    unit = "bellhop@carol.service"
    ctl(small, "set", "carol", "--tasks-max=16", "--memory-max=")
    small.try_run("systemctl", "stop", unit)
    assert small.run("curl", "-s", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", "--connect-to", "::127.0.0.1:",
                     "http://carol.example/") == "503"
    assert small.show(unit, "Result") == "exit-code"
    assert "site-failed" in findings(small, "carol")
    ctl(small, "set", "carol", "--tasks-max=")
    small.run("systemctl", "restart", unit)
    assert "carol" in small.curl("http://carol.example/")
