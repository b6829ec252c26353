# SPDX-License-Identifier: MIT
"""What a hostile customer reads and writes."""

import json

import pytest
from mallory import assert_neighbours_are_well

SECRET = "bob's secret"
OF_BOB = ["/home/bob/secret", "/srv/www/bob/secret", "/srv/www/bob/index.cgi", "/etc/bellhop/sites/bob/secret.conf",
          "/etc/bellhop/tls/bob/privkey.pem", "/etc/bellhop/tls/bob/fullchain.pem", "/run/bellhop-instance/bob/pid"]
OF_THE_MACHINE = ["/etc/shadow", "/etc/ssl/private/ssl-cert-snakeoil.key", "/proc/1/environ", "/proc/kmsg", "/dev/kmsg",
                  "/dev/mem", "/proc/kcore", "/proc/locks", "/proc/key-users", "/run/systemd/transient",
                  "/run/credentials/secret", "/root/secret"]
FOLDERS = {
    "/home": ["NAME"],
    "/srv/www": ["NAME"],
    "/etc/bellhop/tls": ["NAME"],
    "/etc/bellhop/sites": ["NAME"],
    "/run/bellhop-instance": [],
    "/var/lib/bellhop": ["NAME"],
    "/run/bellhop": "EACCES",
    "/run/dbus": "EACCES",
    "/run/credentials": "EACCES",
    "/root": [],
    "/dev/shm": [],
    "/dev/mqueue": [],
    "/tmp": [],
    "/var/tmp": [],
}


def keep_secrets(box):
    for path in OF_BOB[:2] + OF_BOB[3:4]:
        text = f"# {SECRET}\n"
        box.write(path, text, 0o600)
        box.run("chown", "bob:", path)
    box.curl("http://bob.example/load.txt")  # it runs, so there is a runtime directory


def test_reads_nothing_of_others(box, mallory):
    keep_secrets(box)
    for path, outcome in mallory.do("reads", path=OF_BOB + OF_THE_MACHINE).items():
        assert outcome in ("ENOENT", "EACCES", "EPERM"), (path, outcome)


def test_reads_nothing_of_others_by_modes_alone(box, mallory):
    """Without any sandbox, as from a shell of the customer."""
    keep_secrets(box)
    for path in OF_BOB:
        tried = box.try_run("setpriv", "--reuid=mallory", "--regid=mallory", "--clear-groups", "cat", path)
        assert tried.returncode != 0 and SECRET not in tried.stdout, path


# What each server has there for itself.
OWN = {
    "mallory": {"/run/bellhop-instance": ["php.sock", "pid-1", "state"]},
    "mabel": {"/run/bellhop-instance": ["nginx-1.pid", "php.sock", "state"],
              "/var/tmp": ["nginx-client_body", "nginx-fastcgi", "nginx-proxy", "nginx-scgi", "nginx-uwsgi"]},
}


def test_sees_no_neighbour(hostile):
    hostile.restart_socket()
    seen = hostile.do("lists", path=list(FOLDERS))
    # Closed by systemd of Debian 13, empty by that of Debian 12.
    seen["/root"] = [] if seen["/root"] == "EACCES" else seen["/root"]
    expected = {path: [hostile.name] if found == ["NAME"] else found for path, found in FOLDERS.items()}
    assert seen == {**expected, **OWN[hostile.name]}


def test_server_sends_nothing_of_others(box, hostile):
    """By links, by folders that links lead to, by paths, and by what a page in PHP asks of nginx."""
    keep_secrets(box)
    targets = [*OF_BOB, *OF_THE_MACHINE, "/etc/passwd", "/etc/bellhop/instances/bob.conf", "/etc/hostname"]
    links = "\n".join(f"ln -sfn {target} {hostile.folder}/link-{number}.txt" for number, target in enumerate(targets))
    box.run("runuser", "-u", hostile.name, "--", "sh", "-ec", f"{links}\nln -sfn / {hostile.folder}/top\n"
            f"ln -sfn ../bob {hostile.folder}/neighbour; ln -sfn /srv {hostile.folder}/srv")
    box.write(f"{hostile.folder}/accel.php",
              "<?php header('X-Accel-Redirect: ' . $_GET['to']); header('X-Sendfile: ' . $_GET['to']);")
    paths = [f"link-{number}.txt" for number in range(len(targets))]
    paths += [f"top{target}" for target in targets]
    paths += ["neighbour/load.txt", "neighbour/index.cgi", "srv/www/bob/load.txt", "top/"]
    paths += [f"{up}bob/load.txt" for up in ("../", "%2e%2e/", "..%2f", "x/../../", "x/..%2f..%2f", "//../", "..%5c")]
    paths += [f"accel.php?to={to}"
              for to in ("/top/etc/passwd", "/../bob/load.txt", "/srv/www/bob/load.txt", "/neighbour/load.txt")]
    for path in paths:
        body, _, status = box.curl(f"http://{hostile.host}/{path}", "--path-as-is", "-w", "\n%{http_code}").rpartition("\n")
        # To Apache, these headers say nothing.
        assert status in ("400", "403", "404") or (path.startswith("accel") and hostile.name == "mallory"), (path, status)
        assert not any(word in body for word in ("root:", "bob.example", SECRET, "BEGIN", "Host=")), (path, body)
    box.shell(f"rm -f {hostile.folder}/link-* {hostile.folder}/top {hostile.folder}/neighbour {hostile.folder}/srv")


def test_writes_only_to_its_own_places(mallory):
    places = set(mallory.do("writable_places"))
    # Its own, in memory, nobody else has the same; for systemd of Debian 13 they are root's all the same.
    in_memory = {"/home", "/root", "/run/user"}
    assert places & in_memory in (in_memory, set())
    assert places - in_memory - {"/home/mallory"} == {
        "/srv/www/mallory", "/run/bellhop-instance", "/var/lib/bellhop/mallory", "/var/cache/bellhop/mallory", "/tmp",
        "/var/tmp", "/dev/shm", "/dev/mqueue"}


def test_changes_nothing_of_the_machine(mallory):
    places = ["/etc/passwd", "/etc/bellhop/instances", "/etc/bellhop/instances/mallory.conf", "/usr/local/bin", "/var/log",
              "/etc/bellhop/tls/mallory", "/etc/bellhop/tls/mallory/privkey.pem", "/etc/bellhop/sites/mallory",
              "/etc/bellhop/sites/mallory/hostile.conf", "/run", "/run/lock", "/run/bellhop-router", "/var/spool/cron",
              "/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
              "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.procs", "/sys/kernel/mm/ksm/run", "/sys/kernel/uevent_helper",
              "/dev", "/dev/pts/0", "/dev/tty0", "/dev/console", "/dev/sda", "/dev/loop-control", "/dev/net/tun", "/dev/fuse"]
    for place, outcome in mallory.do("writes", path=places).items():
        assert outcome in ("EACCES", "EROFS", "ENOENT", "EPERM"), (place, outcome)


def test_leaves_nothing_for_others(box, mallory, trudy):
    """Customers can't meet in shared folders, or lay traps there."""
    shared = {"/tmp", "/var/tmp", "/dev/shm", "/home", "/run/user"} & set(mallory.do("writable_places"))
    assert len(shared) >= 3
    for folder in sorted(shared):
        path = f"{folder}/trap"
        assert mallory.do("leaves", path=path) == "done"
        assert trudy.do("reads", path=[path]) == {path: "ENOENT"}
        assert not box.path(path).exists()


def test_journal_of_others_is_closed(box, mallory):
    box.run("systemd-cat", "-t", "bob-says", "echo", SECRET)
    box.curl("http://bob.example/visited-by-secret-client")
    for words in (["-u", "bellhop@bob"], ["-t", "bob-says"], ["SYSLOG_IDENTIFIER=bellhop-access"], ["-k"], []):
        seen = mallory.do("journal", words=words)["text"]
        assert SECRET not in seen and "visited-by-secret-client" not in seen, words


def test_forged_journal_lines_bear_their_maker(box, mallory):
    """Fields that a process writes are its own word; those with an underscore are the kernel's."""
    mallory.do("forges_journal")
    box.run("journalctl", "--sync")
    lines = box.run("journalctl", "-q", "--no-pager", "-o", "json", "--grep=forged by a neighbour").splitlines()
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert (line["_SYSTEMD_UNIT"], line["_UID"]) == ("bellhop@mallory.service", str(box.uid("mallory")))
    assert "forged" not in box.journal("-u", "bellhop@bob")


# What bellhop's programs have, and customers see at least a part of.
OF_BELLHOP = ["/etc/bellhop", "/var/lib/bellhop", "/var/lib/bellhop-acme", "/var/log/bellhop", "/run"]


@pytest.mark.parametrize("where", ["site", "shell"])
def test_keeps_no_lock_that_root_waits_for(box, mallory, where):
    """A file or folder need only be readable for that."""
    unit, program = "shell-of-mallory.service", f"{mallory.folder}/attacks.cgi"
    mallory.forget()
    if where == "site":
        unit = mallory.unit
        holder = box.popen_client("curl", "-s", "--resolve", f"{mallory.host}:80:127.0.0.1",
                                  mallory.url("keeps_locks", below=OF_BELLHOP))
    else:
        holder = box.popen_run("systemd-run", "--quiet", "--wait", "--collect", f"--unit={unit}", "--uid=mallory",
                               f"--setenv=QUERY_STRING=keeps_locks&below={json.dumps(OF_BELLHOP)}",
                               f"--setenv=SCRIPT_FILENAME={program}", program)
    try:
        assert mallory.left("result.json") > 0
        box.shell("bellhopctl export bob >/root/bob.json")
        for words in (["apply"], ["suspend", "bob"], ["resume", "bob"], ["import", "/root/bob.json"]):
            box.run("timeout", "30", "bellhopctl", *words)
        assert_neighbours_are_well(box)
        assert holder.poll() is None
    finally:
        box.try_run("systemctl", "kill", "--signal=KILL", unit)
        holder.wait()
