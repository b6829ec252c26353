# SPDX-License-Identifier: MIT
"""What a hostile customer reads and writes."""

import json

SECRET = "bob's secret"
OF_BOB = ["/home/bob/secret", "/srv/www/bob/secret", "/srv/www/bob/index.cgi", "/etc/bellhop/sites/bob/secret.conf",
          "/etc/bellhop/tls/bob/privkey.pem", "/etc/bellhop/tls/bob/fullchain.pem", "/run/bellhop-instance/bob/pid"]
OF_THE_MACHINE = ["/etc/shadow", "/etc/ssl/private/ssl-cert-snakeoil.key", "/proc/1/environ", "/proc/kmsg", "/dev/kmsg",
                  "/dev/mem", "/proc/kcore", "/proc/locks", "/proc/key-users", "/run/systemd/transient",
                  "/run/credentials/secret", "/root/secret"]
FOLDERS = {
    "/home": ["mallory"],
    "/srv/www": ["mallory"],
    "/etc/bellhop/tls": ["mallory"],
    "/etc/bellhop/sites": ["mallory"],
    "/run/bellhop-instance": ["php.sock", "pid-1", "state"],
    "/var/lib/bellhop": ["mallory"],
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
    """Without any sandbox, as from a shell of the customer's."""
    keep_secrets(box)
    for path in OF_BOB:
        tried = box.try_run("setpriv", "--reuid=mallory", "--regid=mallory", "--clear-groups", "cat", path)
        assert tried.returncode != 0 and SECRET not in tried.stdout, path


def test_sees_no_neighbour(box, mallory):
    seen = mallory.do("lists", path=list(FOLDERS))
    # Closed by systemd of Debian 13, empty by that of Debian 12.
    seen["/root"] = [] if seen["/root"] == "EACCES" else seen["/root"]
    assert seen == FOLDERS


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
    """Shared folders are no place to meet, nor to lay traps in."""
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
