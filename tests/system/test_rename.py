# SPDX-License-Identifier: MIT
"""bellhopctl rename: a customer gets another name, and no visitor notices, wherever the command is killed."""

import json
import signal

import pytest
from showcase import ALICE, BOB
from test_ctl import _strike, ctl, ctl_json
from test_life import main_pid, status_of, steady

__all__ = ["_strike"]

HOST = "dora.example"
NAMES = ["dora", "erna", "fred"]
RECORD = "/etc/systemd/system/bellhop@erna.service.d/renamed-dora.conf"
SPOOL = "/var/spool/cron/crontabs"
# Everything that is kept by the name of an instance or its user.
FOLDERS = ["/home/{}", "/srv/www/{}", "/etc/bellhop/tls/{}", "/etc/bellhop/sites/{}", "/var/lib/bellhop/{}",
           "/var/cache/bellhop/{}"]
FILES = ["/etc/bellhop/instances/{}.conf", SPOOL + "/{}", "/var/mail/{}", "/var/lib/systemd/linger/{}",
         "/etc/systemd/system/bellhop@{}.service.d/limits.conf"]


def forget(box):
    for name in NAMES:
        box.try_run("bellhopctl", "remove", "--purge", "--yes", name)
        box.try_run("bash", "-c", f"userdel -f {name}; groupdel {name}; rm -rf /srv/www/{name} /home/{name} "
                    f"/etc/bellhop/*/{name} /var/lib/bellhop/{name} /var/cache/bellhop/{name} {SPOOL}/{name} "
                    f"/var/mail/{name} /var/lib/systemd/linger/{name} /etc/systemd/system/bellhop*@{name}.*")
    box.run("systemctl", "daemon-reload")


def make(box, *options):
    ctl(box, "add", "dora", f"--host={HOST}", "--create-user", "--self-signed", *options)
    box.run("cp", "/srv/www/alice/index.cgi", "/srv/www/dora/index.cgi")
    box.shell("cd /srv/www/dora; rm index.html; chown dora: index.cgi; chmod 755 index.cgi")


@pytest.fixture(name="dora")
def _dora(box):
    """Her page says who serves it."""
    forget(box)
    make(box)
    yield "dora"
    forget(box)


@pytest.fixture(name="rich")
def _rich(box, dora):
    """Files wherever there may be some."""
    box.shell(f"""
        mkdir -p {SPOOL} /var/lib/systemd/linger
        echo '# ours' > {SPOOL}/dora; chown dora: {SPOOL}/dora
        echo mail > /var/mail/dora; chown dora: /var/mail/dora
        touch /var/lib/systemd/linger/dora
        gpasswd -a dora games
        usermod --add-subuids 300000-365535 --add-subgids 400000-465535 dora
        passwd -d dora; usermod -p SECRET dora; chage -M 300 dora
    """)
    box.write("/etc/systemd/system/bellhop@dora.service.d/limits.conf", "[Service]\nTasksMax=77\n")
    box.write("/etc/bellhop/sites/dora/ours.conf", "Header set X-Ours yes\n")
    box.write("/srv/www/dora/count.php", "<?php session_start(); echo $_SESSION['n'] = 1 + ($_SESSION['n'] ?? 0);")
    box.run("systemctl", "daemon-reload")
    assert served_by(box) == "dora"
    return dora


def served_by(box, scheme="https"):
    said = box.curl(f"{scheme}://{HOST}/", check=False).stdout
    return said.rstrip(")\n").rpartition("(")[2]


def assert_renamed(box, uid, old="dora", new="erna"):
    assert box.uid(new) == uid
    assert box.try_run("getent", "passwd", old).returncode == 2
    assert box.try_run("getent", "group", old).returncode == 2
    for path in FOLDERS + FILES:
        assert box.try_run("test", "-e", path.format(old)).returncode == 1, path
        assert box.try_run("test", "-L", path.format(old)).returncode == 1, path
    assert box.run("systemctl", "list-units", "--all", "--plain", "--no-legend", f"bellhop*@{old}.*") == ""
    assert box.show(f"bellhop@{new}.socket", "ActiveState") == "active"
    assert served_by(box) == new and served_by(box, "http") == new
    assert "Everything in the configuration is in force" in ctl(box, "apply", "--dry-run")
    found = json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]
    assert [entry for entry in found if entry["instance"] in NAMES and entry["severity"] != "note"] == []


def test_renamed_while_visited(box, rich):
    uid, before = box.uid(rich), box.run("getent", "shadow", "dora").split(":")
    subids = box.run("grep", "^dora:", "/etc/subuid").split(":")[1:]
    cookies = "/tmp/rename-cookies"
    count = [box.curl(f"https://{HOST}/count.php", "-b", cookies, "-c", cookies) for _ in range(2)]
    for host in (ALICE, BOB):
        box.curl(f"http://{host}/")
    pids = [main_pid(box, name) for name in ("alice", "bob")]
    with steady(box, HOST, ALICE, BOB):
        said = ctl(box, "rename", "dora", "erna")
    assert "dora is now erna." in said
    assert_renamed(box, uid)
    for path in FOLDERS + FILES:
        assert box.try_run("test", "-e", path.format("erna")).returncode == 0, path
    assert box.run("getent", "passwd", "erna").split(":")[2:6:3] == [str(uid), "/home/erna"]
    assert box.run("getent", "shadow", "erna").split(":")[1:] == before[1:]
    assert box.run("getent", "group", str(uid)).split(":")[0] == "erna"
    assert "games" in box.run("id", "-nG", "erna")
    assert box.run("grep", "^erna:", "/etc/subuid").split(":")[1:] == subids
    assert box.try_run("grep", "^dora:", "/etc/subuid", "/etc/subgid").returncode == 1
    assert box.show("bellhop@erna.service", "TasksMax") == "77"
    assert "x-ours: yes" in box.curl(f"https://{HOST}/", "-i").lower()
    count.append(box.curl(f"https://{HOST}/count.php", "-b", cookies, "-c", cookies))
    assert count == ["1", "2", "3"]
    assert [main_pid(box, name) for name in ("alice", "bob")] == pids


def test_twice_is_as_once(box, dora):
    uid = box.uid(dora)
    steps = ctl_json(box, "rename", "dora", "erna", "--dry-run")["changes"]
    assert served_by(box) == "dora" and box.uid("dora") == uid
    done = ctl_json(box, "rename", "dora", "erna")["changes"]
    # What the instance makes and uses when it starts can't be known before.
    assert {step["change"] for step in done} - {"state", "cache", "usage"} <= {step["change"] for step in steps}
    assert_renamed(box, uid)
    assert ctl(box, "rename", "dora", "erna") == "This rename is already done.\n"
    assert ctl_json(box, "rename", "dora", "erna") == {"changes": []}
    assert "There is no instance 'fred'" in ctl(box, "rename", "fred", "erna", status=1)
    # And back, with nothing left of the way.
    ctl(box, "rename", "erna", "dora")
    assert_renamed(box, uid, "erna", "dora")
    ctl(box, "remove", "--purge", "--yes", "dora")
    assert box.run("bash", "-c", "getent passwd dora erna; ls -d /etc/systemd/system/bellhop@* /srv/www/[de]*; true") == ""


def accounts(box):
    return [(entry["instance"], entry["removed"] is None) for entry in ctl_json(box, "usage")["usage"]]


def test_figures(box, dora):
    """Usage under the old name does not count for a later customer with that name, and usage of an earlier one does
    not count for the new one."""
    ctl(box, "add", "erna", "--host=erna.example", "--create-user")
    for host in (HOST, "erna.example"):
        box.curl(f"http://{host}/")
    box.wait_for("both are counted", lambda: {("dora", True), ("erna", True)} <= set(accounts(box)))
    ctl(box, "remove", "erna")
    box.shell("userdel -r erna 2>/dev/null; rm -rf /srv/www/erna /etc/bellhop/*/erna /var/{lib,cache,log}/bellhop/erna")
    assert served_by(box) == dora
    ctl(box, "rename", "dora", "erna")
    figures = accounts(box)
    assert ("dora", False) in figures and ("dora", True) not in figures and ("erna", False) in figures
    served_by(box)
    box.wait_for("erna is counted", lambda: ("erna", True) in accounts(box))


def test_link_for_sftp(box, dora):
    """It leads to the document root, by the new name too; a link of the customer's own leads where it did."""
    box.shell("rm -f /home/dora/www; ln -s /srv/www/dora /home/dora/www")
    ctl(box, "rename", "dora", "erna")
    assert box.run("readlink", "/home/erna/www") == "/srv/www/erna\n"
    box.run("runuser", "-u", "erna", "--", "ln", "-sfn", "/srv/www/erna/sub", "/home/erna/www")
    ctl(box, "rename", "erna", "dora")
    assert box.run("readlink", "/home/dora/www") == "/srv/www/erna/sub\n"


def test_old_folders_in_settings_of_applications(box, dora):
    """Absolute paths, which a customer has everywhere, are as right as before."""
    box.run("runuser", "-u", dora, "--", "bash", "-c", "echo 'eve:$apr1$x$NxcyfpmaJdZNm5GAXN/tT0' > ~/passwords")
    box.write("/srv/www/dora/.htaccess", "AuthType Basic\nAuthName x\nAuthUserFile /home/dora/passwords\nRequire valid-user\n")
    box.write("/srv/www/dora/.user.ini", "auto_prepend_file=/srv/www/dora/first.inc\n")
    box.write("/srv/www/dora/first.inc", "<?php echo 'first ';")
    box.write("/srv/www/dora/page.php", "<?php echo __DIR__;")
    assert status_of(box, f"https://{HOST}/page.php") == "401"
    ctl(box, "rename", "dora", "erna")
    assert status_of(box, f"https://{HOST}/page.php") == "401"
    box.path("/srv/www/erna/.htaccess").unlink()
    assert box.curl(f"https://{HOST}/page.php") == "first /srv/www/erna"
    assert not box.path("/srv/www/dora").exists()


def test_killed_anywhere_and_given_again(box, dora, strike):
    """Visitors are served all the time, also between the kill and the next command."""
    uid, old, new = box.uid(dora), "dora", "erna"
    with steady(box, HOST):
        for at in range(1, 200, 9):
            killed = strike(at, signal.SIGKILL, "rename", old, new)
            if killed.returncode == 0:
                break
            assert killed.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), killed
            # What is asleep can start again, by either name.
            box.try_run("systemctl", "stop", f"bellhop@{old}.service", f"bellhop@{new}.service")
            ctl(box, "rename", old, new)
            assert box.uid(new) == uid
            old, new = new, old
    assert at > 50
    assert_renamed(box, uid, old, new)


def test_start_that_has_begun_is_waited_for(box, dora):
    """For a moment, the user has the new name only. No start may fail by that, not one before it and not one in it."""
    drop_in, slow = f"/run/systemd/system/bellhop@{dora}.service.d/slow.conf", "/usr/local/sbin/useradd"
    go = "/run/go"
    box.write(drop_in, "[Service]\nExecStartPre=/bin/sleep 0.5\n")
    box.write(slow, f'#!/bin/sh\nfor _ in $(seq 300); do [ ! -e {go} ] || break; sleep 0.05; done\nexec /usr/sbin/useradd "$@"\n', 0o755)
    box.run("systemctl", "daemon-reload")
    try:
        with steady(box, HOST):
            box.run("systemctl", "stop", f"bellhop@{dora}.service")
            box.run("systemctl", "start", "--no-block", f"bellhop@{dora}.service")
            with box.popen_run("bellhopctl", "rename", dora, "erna", stdout=-1) as rename:
                box.wait_for("the user has the new name", lambda: box.try_run("id", "erna").returncode == 0)
                assert box.try_run("id", dora).returncode == 1
                box.wait_for("the start is over", lambda: box.show(f"bellhop@{dora}.service", "ActiveState") != "activating")
                box.run("systemctl", "stop", f"bellhop@{dora}.service")
                box.wait_for("a visitor starts it again", lambda: f"bellhop@{dora}.service" in box.run("systemctl", "list-jobs"))
                box.write(go, "")
                rename.stdout.read()
                assert rename.wait(60) == 0
    finally:
        box.shell(f"rm -rf {slow} {go} /run/systemd/system/bellhop@{{dora,erna}}.service.d; systemctl daemon-reload")
    assert served_by(box) == "erna"


@pytest.mark.usefixtures("dora")
def test_other_commands_meanwhile(box, strike):
    """A rename that was begun is not mistaken for anything else."""
    strike(30, signal.SIGKILL, "rename", "dora", "erna")
    box.wait_for("two names", lambda: box.try_run("getent", "passwd", "erna", "dora").returncode == 0)
    assert "First run: bellhopctl rename dora erna" in ctl(box, "rename", "dora", "fred", status=1)
    assert "User dora has the same uid as erna" in ctl(box, "rename", "erna", "fred", status=1)
    ctl(box, "rename", "dora", "erna")
    assert_renamed(box, box.uid("erna"))


# What is there, what the refusal says, and how it is undone.
REFUSED = [
    ("useradd erna", "User erna already exists. Choose", "userdel -r erna"),
    ("useradd -o -u $(id -u dora) erna", "with the same uid", "userdel -f erna"),
    ("useradd -o -u $(id -u dora) fred", "User fred has the same uid as dora", "userdel -f fred"),
    ("groupadd erna", "Group erna already exists", "groupdel erna"),
    ("mkdir /srv/www/erna", "/srv/www/erna already exists", "rmdir /srv/www/erna"),
    ("ln -s nowhere /etc/bellhop/sites/erna", "/sites/erna already exists", "rm /etc/bellhop/sites/erna"),
    ("mkdir -p /var/lib/bellhop/erna", "/var/lib/bellhop/erna already exists", "rmdir /var/lib/bellhop/erna"),
    ("mkdir /home/erna", "/home/erna already exists", "rmdir /home/erna"),
    ("echo x > /var/mail/erna", "/var/mail/erna already exists", "rm /var/mail/erna"),
    (f"mkdir -p {SPOOL}; echo x > {SPOOL}/erna", f"{SPOOL}/erna already exists", f"rm {SPOOL}/erna"),
    ("mkdir /etc/systemd/system/bellhop@erna.service.d", "bellhop@erna.service.d already exists",
     "rmdir /etc/systemd/system/bellhop@erna.service.d"),
    ("sed -i.bak s/Host=/Hots=/ /etc/bellhop/instances/dora.conf", "unknown key Hots=",
     "mv /etc/bellhop/instances/dora.conf{.bak,}"),
    ("mv /etc/bellhop/instances/dora.conf /root", "There is no instance 'dora'",
     "mv /root/dora.conf /etc/bellhop/instances"),
    ("usermod -c '' dora", "bellhopctl did not create user dora", "usermod -c 'bellhop customer' dora"),
    ("echo 'Alias /x /srv/www/dora/y' > /etc/bellhop/sites/dora/a.conf", "/etc/bellhop/sites/dora/a.conf:1 contains the old name dora.",
     "rm /etc/bellhop/sites/dora/a.conf"),
    ("mount -t tmpfs tmpfs /srv/www/dora", "A file system is mounted in /srv/www/dora", "umount /srv/www/dora")]


def everything(box):
    """Leaves out the substate of sockets, because it changes when an idle instance ends."""
    return box.run("bash", "-c", "cat /etc/passwd /etc/group /etc/shadow /etc/bellhop/instances/*; find /srv/www /home "
                   "/etc/bellhop /var/lib/bellhop /var/mail /etc/systemd/system -printf '%p %u %l\\n' | sort; "
                   "systemctl list-units --all --plain --no-legend 'bellhop*@*.socket' | awk '{print $1, $3}'")


@pytest.mark.usefixtures("dora")
def test_what_is_refused(box):
    box.run("systemctl", "stop", "bellhop@dora.service")
    for script, says, undo in REFUSED:
        box.shell(script)
        before = everything(box)
        try:
            assert says in ctl(box, "rename", "dora", "erna", status=1)
            assert everything(box) == before
        finally:
            box.try_run("bash", "-c", undo)
    ctl(box, "rename", "dora", "erna")
    assert served_by(box) == "erna"


@pytest.mark.parametrize("words", [["dora", "../erna"], ["dora", "1erna"], ["dora", "dora"], ["dora"]])
def test_wrong_words(box, words):
    assert ctl(box, "rename", *words, status=2)


def test_yes(box, dora):
    """A user of somebody else's, and lines that need a hand, which are said."""
    uid = box.uid(dora)
    box.run("usermod", "-c", "Dora", "dora")
    box.write("/etc/bellhop/sites/dora/a.conf", "# dora\nServerAdmin x@dora.example\nAlias /x /srv/www/dora/y\n")
    said = ctl(box, "rename", "dora", "erna", "--yes")
    assert "correct by hand: /etc/bellhop/sites/erna/a.conf:3 contains the old name dora\n" in said and "a.conf:2" not in said
    assert_renamed(box, uid)


def test_settings_that_are_right_before_and_after(box, dora):
    """As the refusal advises."""
    box.write("/etc/bellhop/sites/dora/a.conf", "Alias /x ${BELLHOP_WWW}/y\nHeader set X-Name ${BELLHOP_INSTANCE}\n")
    box.write("/etc/bellhop/sites/dora/php.fpm", "include = /etc/bellhop/php/fpm.conf\n[site]\n"
              "php_admin_value[open_basedir] = /srv/www/${USER}\n")
    box.write("/srv/www/dora/y/page.php", "<?php echo ini_get('open_basedir');")
    for name in (dora, "erna"):
        if name != dora:
            ctl(box, "rename", dora, name)
        said = box.curl(f"https://{HOST}/x/page.php", "-i").lower()
        assert f"x-name: {name}" in said and said.endswith(f"/srv/www/{name}"), said


@pytest.mark.parametrize("options", [["--default"], ["--address=127.0.0.9"], ["--network"], ["--idle=10s"]])
def test_kinds_of_instances(box, options):
    forget(box)
    make(box, *options)
    uid = box.uid("dora")
    try:
        with steady(box, HOST, ALICE):
            ctl(box, "rename", "dora", "erna")
        assert_renamed(box, uid)
        if options == ["--address=127.0.0.9"]:
            assert "(erna)" in box.curl(f"http://{HOST}/", address="127.0.0.9")
        assert (box.show("bellhop@erna.service", "PrivateNetwork") == "no") == (options == ["--network"])
    finally:
        forget(box)


def test_suspended(box, dora):
    ctl(box, "suspend", dora)
    ctl(box, "rename", "dora", "erna")
    assert status_of(box, f"http://{HOST}/") == "503" and "This website is suspended" in box.curl(f"https://{HOST}/")
    ctl(box, "resume", "erna")
    assert served_by(box) == "erna"


def test_asleep_with_processes_of_the_customers(box, dora):
    """Of cron or SSH: they go on, by the uid."""
    uid = box.uid(dora)
    box.run("systemctl", "stop", "bellhop@dora.service")
    box.run("systemd-run", "--unit=dora-works", "--uid=dora", "sleep", "infinity")
    try:
        ctl(box, "rename", "dora", "erna")
        assert box.show("dora-works.service", "ActiveState") == "active"
    finally:
        box.run("systemctl", "stop", "dora-works")
    assert_renamed(box, uid)


def test_home_elsewhere(box):
    """One of root's is renamed, too; another one stays."""
    for parent, moves in (("/data/root", True), ("/data/bob", False)):
        forget(box)
        make(box)
        box.shell(f"mkdir -p {parent}; mv /home/dora {parent}; usermod -d {parent}/dora dora")
        if not moves:
            box.run("chown", "bob", parent)
        ctl(box, "rename", "dora", "erna")
        home = f"{parent}/{'erna' if moves else 'dora'}"
        assert box.run("getent", "passwd", "erna").split(":")[5] == home
        assert box.path(home).is_dir() and served_by(box) == "erna"
    forget(box)
    box.run("rm", "-r", "/data")
