# SPDX-License-Identifier: MIT
"""Mistakes in what administrators set for units: systemd ignores the line, and says so in its journal only."""

import os

import pytest
from test_mistakes import assert_served, find, findings

UNITS = "/etc/systemd/system"
SERVICE = f"{UNITS}/bellhop@carol.service.d/test.conf"
RELOAD = "systemctl daemon-reload"

# What is wrong -> the file, its text, the line, words of what is found, and the instance.
IGNORED = {
    "unit of a value": (SERVICE, "[Service]\nMemoryMax=1GB\n", 2, "1GB", "carol"),
    "unknown key": (SERVICE, "[Service]\nTasksMax=100\nMemoryLimitMax=1G\n", 3, "MemoryLimitMax", "carol"),
    "wrong section": (SERVICE, "[Unit]\nMemoryMax=1G\n", 2, "MemoryMax", "carol"),
    "unknown section": (SERVICE, "[Servce]\nMemoryMax=1G\n", 1, "Servce", "carol"),
    "no section": (SERVICE, "MemoryMax=1G\n", 1, "outside of section", "carol"),
    "no assignment": (SERVICE, "[Service]\nMemoryMax 1G\n", 2, "Missing '='", "carol"),
    "of all instances": (f"{UNITS}/bellhop@.service.d/test.conf", "[Service]\nCPUQuota=50\n", 2, "50", None),
    "of the hand-off socket": (f"{UNITS}/bellhop@carol.socket.d/test.conf", "[Socket]\nBacklog=many\n", 2, "many",
                               "carol"),
    "of the router": (f"{UNITS}/bellhop-router.service.d/test.conf", "[Service]\nLimitNOFILE=lots\n", 2, "lots", None),
    "of the slice": (f"{UNITS}/bellhop.slice.d/test.conf", "[Slice]\nMemoryMax=2 GB\n", 2, "2 GB", None),
    "until the next boot": ("/run/systemd/system/bellhop@carol.service.d/test.conf", "[Service]\nCPUWeight=high\n", 2,
                            "high", "carol"),
}


@pytest.fixture(name="write")
def write_fixture(box):
    written = []

    def write(path, text):
        box.write(path, text)
        written.append(path)
        box.shell(RELOAD)

    yield write
    for path in written:
        box.shell(f"rm -f {path}; rmdir {path.rpartition('/')[0]} || true")
    box.shell(RELOAD)


@pytest.mark.parametrize("ignored", IGNORED)
def test_line_that_systemd_ignores(box, write, ignored):
    path, text, line, words, instance = IGNORED[ignored]
    write(path, text)
    found = find(box, "drop-in-ignored")
    assert (found["file"], found["line"], found["instance"], found["severity"]) == (path, line, instance, "warning")
    assert words in found["what"]
    assert len(findings(box)) == 1
    box.path(path).unlink()
    box.shell(RELOAD)
    assert findings(box) == []
    assert_served(box)


def test_lines_that_systemd_takes(box, write):
    write(SERVICE, "# limits\n[Service]\nMemoryMax=1G\nCPUQuota=50%\nEnvironment=\"A=b c\"\n\n[Unit]\nAfter=x.service\n")
    write(f"{UNITS}/bellhop-backup.service", "[Service]\nExecStart=/bin/true\n")
    write(f"{UNITS}/bellhop-backup.service.d/x.conf", "[Service]\nNice=5\n")
    assert findings(box) == []


def test_file_without_the_ending(box, write):
    write(SERVICE.replace(".conf", ".cnf"), "[Service]\nMemoryMax=1G\n")
    assert find(box, "file-not-read")["file"] == SERVICE.replace(".conf", ".cnf")


@pytest.mark.parametrize("unit", ["bellhop@carrol.service", "bellhop@carol", "bellhop.carol.service", "bellhop-routr.socket",
                                  "bellhop@carol.services"])
def test_folder_of_no_unit(box, write, unit):
    write(f"{UNITS}/{unit}.d/x.conf", "[Service]\nMemoryMax=1G\n")
    found = find(box, "drop-in-unused")
    assert (found["file"], found["severity"]) == (f"{UNITS}/{unit}.d", "warning")


def test_drop_in_that_systemd_has_not_read(box):
    """All else goes on with what it has read before."""
    assert_served(box)
    box.write(SERVICE, "[Service]\nMemoryMax=1G\n")
    found = find(box, "unit-not-reloaded")
    assert (found["instance"], found["severity"]) == ("carol", "warning")
    box.shell(found["advice"])
    assert findings(box) == []
    assert box.show("bellhop@carol.service", "MemoryMax") == str(1 << 30)
    box.shell(f"rm -r {SERVICE.rpartition('/')[0]}; {RELOAD}")


def test_properties_are_no_files_that_systemd_has_not_read(box):
    """Though it says so, as it does not have them in the order of their names."""
    folder = "/etc/systemd/system.control/bellhop@carol.service.d"
    assert_served(box)
    box.run("systemctl", "set-property", "bellhop@carol.service", "MemoryMax=1G", "CPUQuota=100%")
    assert findings(box) == []
    for change in (f"mkdir -p {os.path.dirname(SERVICE)}; echo '[Service]\nTasksMax=300' >{SERVICE}",
                   f"echo TasksMax=301 >>{SERVICE}", f"rm -r {os.path.dirname(SERVICE)}"):
        box.shell(f"{RELOAD}; rm {folder}/*; {RELOAD}")
        box.run("systemctl", "set-property", "bellhop@carol.service", "MemoryMax=1G", "CPUQuota=100%")
        assert findings(box) == []
        box.shell(change)
        find(box, "unit-not-reloaded")
    box.shell(f"rm -r {folder}; {RELOAD}")
    assert findings(box) == []


def test_mistake_for_all_is_one_line(box, write):
    write(f"{UNITS}/bellhop@.service.d/test.conf", "[Service]\nMemoryMax=1GB\n")
    for name in ("alice", "bob", "carol"):
        write(f"{UNITS}/bellhop@{name}.service.d/own.conf", "[Service]\nTasksMax=10\n")
    said = box.try_run("bellhopctl", "check", "--no-pager").stdout
    assert said.count("1GB") == 1


# Lines of a drop-in, and the path and the folder in which a user other than root can put a link. None: nobody can.
BINDS = {
    "in a customer's folder": ("BindPaths=/srv/www/carol/shared", "/srv/www/carol/shared", "/srv/www/carol"),
    "onto a customer's folder": ("BindPaths=/data/x:/srv/www/carol/x", "/srv/www/carol/x", "/srv/www/carol"),
    "behind a link": ("BindReadOnlyPaths=/data/link/x", "/data/link/x", "/srv/www/carol"),
    "in a folder of all": ("BindReadOnlyPaths=-/tmp/nothing", "/tmp/nothing", "/tmp"),
    "of several": ("BindPaths=/data/x /data/carol/x", "/data/carol/x", "/data/carol"),
    "a customer's folder": ("BindPaths=/data/carol\nBindPaths=/data/carol:/opt/carol", None, None),
    "a folder of all": ("BindPaths=/data/all -/data/nothing", None, None),
    "one's own file": ("BindReadOnlyPaths=/data/x:/etc/x", None, None),
}


@pytest.mark.parametrize("bind", BINDS)
def test_path_that_a_customer_can_replace(box, write, bind):
    """At each start, systemd follows the path as root."""
    line, path, folder = BINDS[bind]
    box.shell("mkdir -p /data/x /data/carol /data/all; chown carol: /data/carol; chmod 0777 /data/all; "
              "ln -sfn /srv/www/carol /data/link")
    try:
        write(SERVICE, f"[Service]\n{line}\n")
        found = [(entry["kind"], entry["file"], entry["instance"], entry["what"]) for entry in findings(box)]
        assert set(found) == ({("bind-path-replaceable", path, "carol", f"users other than root can change {folder}")}
                              if path else set())
    finally:
        box.shell("rm -r /data")


def test_place_that_a_customer_has_replaced(box, write):
    """Why this is a mistake: with a link there, the customer chooses what the sandbox lacks, bellhop's programs included."""
    box.shell("systemctl stop bellhop@carol.service; mkdir -p /data/x; touch /data/x/carols; "
              "runuser -u carol -- ln -s /usr/share/perl /srv/www/carol/x")
    try:
        write(SERVICE, "[Service]\nBindPaths=/data/x:/srv/www/carol/x\n")
        assert_served(box)
        assert box.shell("ls /proc/$(systemctl show -P MainPID bellhop@carol.service)/root/usr/share/perl") == "carols\n"
        assert find(box, "bind-path-replaceable")["file"] == "/srv/www/carol/x"
    finally:
        box.shell("systemctl stop bellhop@carol.service; rm -r /data /srv/www/carol/x")
