# SPDX-License-Identifier: MIT
"""bellhopctl on a machine with customers: it adds, changes, removes and shows them, and nobody else notices."""

import contextlib
import json
import re
import signal
import stat
import subprocess
import time

import pytest
from box import HERE, SOURCE
from showcase import ALICE, BOB
from test_life import daemon_reloads, main_pid, status_of, steady

STRIKE = "/root/strike.so"
NEW = {"dora": "dora.example", "emil": "emil.example"}
# All that is a customer's, and what may be left of one half made.
PLACES = ["/etc/bellhop/instances", "/etc/bellhop/tls", "/etc/bellhop/sites", "/srv/www", "/run/bellhop",
          "/run/systemd/generator", "/home", "/etc/passwd", "/etc/group", "/etc/shadow"]


def ctl(box, *arguments, status=0, **environment):
    """Its output; on an expected failure, its errors."""
    done = box.try_run("env", *(f"{key}={value}" for key, value in environment.items()), "bellhopctl", *arguments)
    assert done.returncode == status, done
    assert (done.stderr == "") == (status == 0), done
    return done.stderr if status else done.stdout


def ctl_json(box, *arguments, **kwargs):
    return json.loads(ctl(box, *arguments, "--json", **kwargs))


def add(box, name, *options, **kwargs):
    return ctl(box, "add", name, f"--host={NEW[name]}", "--create-user", "--self-signed", *options, **kwargs)


def snapshot(box):
    """Every file there, its owner, mode and last change; and which units systemd has."""
    files = box.run("find", *PLACES, "-printf", "%p %u %m %C@ %l\\n")
    return sorted(files.splitlines()), box.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "bellhop*")


def left_of(box, name):
    """What tells of a customer of that name."""
    found = box.run("find", *PLACES[:-3], "-path", f"*{name}*").split()
    script = (f"getent passwd {name}; getent group {name}; "
              f"systemctl list-units --all --plain --no-legend 'bellhop*@{name}.*'; true")
    return found + box.run("bash", "-c", script).splitlines()


def is_served(box, name, scheme="https"):
    return f"The site of {name} is served." in box.curl(f"{scheme}://{NEW[name]}/", check=False).stdout


@pytest.fixture(name="clean")
def _clean(box):
    """dora and emil are gone afterwards, whatever became of them."""
    yield
    for name in NEW:
        box.try_run("rmdir", f"/run/bellhop/{name}.handoff")
        box.try_run("bellhopctl", "remove", "--purge", "--yes", name)
        box.try_run("userdel", "-rf", name)
        assert left_of(box, name) == []


@pytest.fixture(name="quiet")
def _quiet(box):
    """The neighbours are served all the time, by the same servers, and systemd reads no unit file again."""
    for host in (ALICE, BOB):
        box.curl(f"http://{host}/")
    pids, reloads = [main_pid(box, name) for name in ("alice", "bob")], daemon_reloads(box)
    with steady(box, ALICE, BOB):
        yield
    assert [main_pid(box, name) for name in ("alice", "bob")] == pids
    assert daemon_reloads(box) == reloads


# --- add ---


@pytest.mark.usefixtures("clean", "quiet")
def test_one_command_for_each_customer(box):
    for name in NEW:
        said = add(box, name, *(["--network"] if name == "emil" else []))
        assert said.startswith(f"create user {name}\n") and f"it serves {name}\nSee https://{NEW[name]}/" in said
        assert box.show(f"bellhop@{name}.service", "ActiveState") == "inactive"
    for name in NEW:
        assert is_served(box, name) and is_served(box, name, "http")
    networks = [box.run("readlink", f"/proc/{main_pid(box, name)}/ns/net") for name in NEW]
    assert box.run("readlink", "/proc/1/ns/net") == networks[1] != networks[0]
    for path, mode in (("/srv/www/dora", 0o750), ("/srv/www/dora/index.html", 0o640), ("/etc/bellhop/tls/dora", 0o750),
                       ("/etc/bellhop/tls/dora/privkey.pem", 0o400), ("/etc/bellhop/sites/dora", 0o750)):
        status = box.path(path).stat()
        owner = 0 if "sites" in path else box.uid("dora")
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, owner, box.uid("dora")), path
    assert stat.S_IMODE(box.path("/etc/bellhop/instances/dora.conf").stat().st_mode) == 0o644
    assert ctl(box, "apply") == "Everything in the configuration is in force.\n"
    found = ctl_json(box, "check")["findings"]
    assert [entry for entry in found if entry["severity"] == "error" and entry["instance"] in NEW] == []
    # And they come back.
    assert "bellhop@dora.socket" in box.run("bash", "-c", "mkdir /tmp/units; /usr/lib/systemd/system-generators/"
                                            "bellhop-generator /tmp/units{,,}; ls /tmp/units/*; rm -r /tmp/units")


@pytest.mark.usefixtures("clean")
def test_twice_is_as_once(box):
    add(box, "dora", "--http=redirect", "--idle=5min")
    before = snapshot(box)
    assert add(box, "dora", "--http=redirect", "--idle=5min") == "dora already exists with these settings.\n"
    assert ctl_json(box, "add", "dora", "--host=dora.example", "--http=redirect", "--idle=5min") == {"changes": []}
    assert "with other settings" in add(box, "dora", status=1)
    assert snapshot(box) == before
    # What is missing is made, and nothing else.
    box.run("systemctl", "stop", "bellhop@dora.socket")
    box.run("rm", "-r", "/etc/bellhop/tls/dora")
    steps = ctl_json(box, "add", "dora", "--host=dora.example", "--http=redirect", "--idle=5min", "--self-signed")
    assert [step["change"] for step in steps["changes"]] == ["certificate", "socket"]


@pytest.mark.usefixtures("clean")
def test_users_by_sftp_find_their_pages(box):
    """What root puts into a home follows no link, and replaces nothing."""
    add(box, "dora")
    assert "The site of dora" in box.run("runuser", "-u", "dora", "--", "sh", "-c", "cat ~/www/index.html")
    box.run("runuser", "-u", "dora", "--", "rm", "/home/dora/www")
    box.shell("bellhopctl remove --yes dora; rm -r /srv/www/dora")
    box.run("runuser", "-u", "dora", "--", "ln", "-s", "/etc", "/home/dora/www")
    add(box, "dora")
    assert box.run("readlink", "/home/dora/www") == "/etc\n" and box.path("/srv/www/dora/index.html").exists()
    assert not box.path("/etc/dora").exists() and not box.path("/etc/www").exists()


@pytest.mark.usefixtures("clean")
def test_certificate_for_a_site_that_runs(box, clean):  # pylint: disable=unused-argument
    """A server does not see a folder that has come since its start."""
    ctl(box, "add", "dora", f"--host={NEW['dora']}", "--create-user")
    assert is_served(box, "dora", "http") and not is_served(box, "dora")
    for options in (["--dry-run"], []):
        assert "restart the server of dora\n" in add(box, "dora", *options)
    assert is_served(box, "dora")


@pytest.mark.usefixtures("clean")
def test_certificate_for_a_site_that_starts(box):
    """The server has read the old certificate, but its unit is still activating."""
    unit, pem = "bellhop@dora.service", box.path("/etc/bellhop/tls/dora/fullchain.pem")
    box.write(f"/run/systemd/system/{unit}.d/late.conf", "[Service]\nExecStartPost=+sh -c 'until [ -e /run/go ]; do sleep 0.1; done'\n")
    box.run("systemctl", "daemon-reload")
    add(box, "dora")
    box.shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 9 -subj /CN=dora -keyout /root/dora.key "
              f"-out /root/dora.pem -addext subjectAltName=DNS:{NEW['dora']} 2>&1")
    new = box.path("/root/dora.pem").read_text()
    box.run("systemctl", "start", "--no-block", unit)
    box.wait_for("the server", lambda: box.show(unit, "SubState") == "start-post")
    with box.popen_run("bellhopctl", "cert", "dora", "--install", "/root/dora.pem", "/root/dora.key") as change:
        box.wait_for("the certificate", lambda: pem.read_text() == new)
        box.wait_for("the wait for the start", lambda: change.poll() is not None or box.try_run("pgrep", "-x", "systemctl").stdout)
        box.write("/run/go", "")
        assert change.wait() == 0
    served = box.client("bash", "-c", f"openssl s_client -connect 127.0.0.1:443 -servername {NEW['dora']} </dev/null 2>&1 | openssl x509")
    assert served == new
    box.shell(f"bellhopctl remove --purge --yes dora; rm -rf /root/dora.* /run/go /run/systemd/system/{unit}.d; systemctl daemon-reload")


@pytest.mark.parametrize("arguments, says", [
    (["--host=dora.example"], "User dora does not exist, but the instance would run as dora. Add --create-user"),
    ([f"--host=dora.example {ALICE}"], f"{ALICE} already leads to alice (/etc/bellhop/instances/alice.conf:2)"),
    (["--host=dora example", f"--host=www.{ALICE}"], f"www.{ALICE} already leads to alice"),
    (["--host=dora..example"], "Host=dora..example is not a host name"),
    (["--host=dora.example", "--address=192.0.2.300"], "Address=192.0.2.300 is "),
    (["--host=dora.example", "--http=never"], "Http=never is none of serve, redirect, refuse"),
    (["--host=dora.example", "--idle=soon"], "IdleSec=soon is not a time span"),
    # As a redirect that leads nowhere serves nothing.
    (["--create-user", "--host=dora.example", "--http=redirect"], "need HTTPS, but dora has no certificate. Add --self-s"),
    (["--create-user", "--host=dora.example", "--http=refuse"], "the user with useradd(8) and install one first: bellhopctl c"),
    (["--create-user", "--default", "--http=redirect"], "dora has no certificate")])
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["done", "dry"])
def test_what_can_not_be_added(box, arguments, says, dry):
    before = snapshot(box)
    assert says in ctl(box, "add", "dora", *arguments, *dry, status=1)
    assert snapshot(box) == before


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("files, says", [
    ([], "Add --self-signed, or remove the folder"), (["privkey.pem"], "Restore the missing file"),
    (["fullchain.pem"], "Restore the missing file")])
def test_half_a_certificate_can_not_be_added(box, files, says):
    """With it the instance does not start."""
    tls = "/etc/bellhop/tls/dora"
    box.shell("useradd --create-home dora")
    box.shell(f"install -d -o dora -m 0750 {tls}")
    for file in files:
        box.shell(f"install -o dora -m 0400 /etc/bellhop/tls/alice/{file} {tls}")
    before = snapshot(box)
    assert says in ctl(box, "add", "dora", "--host=dora.example", status=1)
    assert says in add(box, "dora", status=1) if files else "certificate" in add(box, "dora", "--dry-run")
    assert snapshot(box) == before
    if not files:
        add(box, "dora", "--http=redirect")
        assert is_served(box, "dora")


@pytest.mark.usefixtures("clean")
def test_redirect_with_a_certificate_that_is_there_first(box):
    add(box, "dora")
    ctl(box, "remove", "--yes", "dora")
    assert "write the settings file of dora" in ctl(box, "add", "dora", "--host=dora.example", "--http=redirect")
    assert is_served(box, "dora")


@pytest.mark.parametrize("arguments, says", [
    (["dora"], "Add a route to dora: --host=HOST"), (["1dora", "--host=a.example"], "'1dora' is not a valid name"),
    (["../dora", "--host=a.example"], "is not a valid name"), (["dora", "--host=a.example\nNetwork=yes"], "line break"),
    (["dora", "--host=a.example", "--http"], "requires an argument"),
    (["dora", "--default", "--self-signed", "--create-user"], "needs a --host or --address"),
    (["dora", "--default", "--self-signed", "--create-user", "--dry-run"], "needs a --host or --address")])
def test_wrong_words(box, arguments, says):
    before = snapshot(box)
    assert says in ctl(box, "add", *arguments, status=2)
    assert snapshot(box) == before


def test_root_and_the_router_are_no_customers(box):
    for name in ("root", "bellhop"):
        assert "Choose another name" in ctl(box, "add", name, "--host=r.example", status=1)


def test_without_root(box):
    become = ["setpriv", "--reuid=alice", "--regid=alice", "--clear-groups", "bellhopctl"]
    for arguments in (["add", "dora", "--host=dora.example"], ["remove", "alice"], ["apply"]):
        done = box.try_run(*become, *arguments)
        assert done.returncode == 1 and "Only root can change instances. Use sudo" in done.stderr, done
    done = box.try_run(*become, "list", "--no-legend")
    assert done.returncode == 0 and re.search(r"^bob +(active|idle) ", done.stdout, re.MULTILINE), done


@pytest.mark.usefixtures("clean")
def test_what_fails_is_undone(box):
    before = snapshot(box)
    box.path("/run/bellhop/dora.handoff").mkdir()
    said = add(box, "dora", "--network", status=1)
    assert "systemctl start failed: Job failed." in said and "To see why, run: systemctl status bellhop@dora.socket" in said
    box.path("/run/bellhop/dora.handoff").rmdir()
    box.run("systemctl", "reset-failed", "bellhop@dora.socket")
    assert left_of(box, "dora") == []
    assert [line.split()[0] for line in snapshot(box)[0]] == [line.split()[0] for line in before[0]]
    add(box, "dora", "--network")
    assert is_served(box, "dora")


@pytest.fixture(name="strike", scope="module")
def _strike(box):
    """Runs bellhopctl, and sends it a signal at a point of its work."""
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", box.path(STRIKE), HERE / "strike.c", "-ldl", "-lsystemd"], check=True)

    def strike(at, number, *arguments):
        return box.try_run("env", f"STRIKE_AT={at}", f"STRIKE_SIGNAL={int(number)}", f"LD_PRELOAD={STRIKE}",
                           "bellhopctl", *arguments)

    yield strike
    box.path(STRIKE).unlink()


ADD_DORA = ("add", "dora", "--host=dora.example", "--create-user", "--self-signed", "--network")


@pytest.mark.usefixtures("clean", "quiet")
def test_killed_anywhere_and_given_again(box, strike):
    """No matter where it ends: what can be seen is all or nothing, and the same command completes it."""
    for at in range(1, 100, 3):
        killed = strike(at, signal.SIGKILL, *ADD_DORA)
        if killed.returncode == 0:
            break
        assert killed.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), killed
        if box.path("/etc/bellhop/tls/dora").exists():
            assert len(list(box.path("/etc/bellhop/tls/dora").iterdir())) == 2
        if box.path("/etc/bellhop/instances/dora.conf").exists():
            assert box.path("/etc/bellhop/instances/dora.conf").read_text().endswith("Network=yes\n")
        box.wait_for("useradd has ended", lambda: not box.path("/etc/passwd.lock").exists())
        ctl(box, *ADD_DORA)
        assert routes(box, "dora.example")["tls"]["instance"] == "dora"
        assert box.show("bellhop@dora.socket", "ActiveState") == "active"
        ctl(box, "remove", "--purge", "--yes", "dora")
    assert at > 15
    assert is_served(box, "dora")
    assert not list(box.path("/etc/bellhop/instances").glob(".*"))


@pytest.mark.usefixtures("clean")
def test_interrupted_is_undone(box, strike):
    before = [line.split()[0] for line in snapshot(box)[0]]
    for at in range(1, 100, 4):
        ended = strike(at, signal.SIGTERM, *ADD_DORA)
        if ended.returncode == 0:
            break
        assert ended.returncode == 1 and "Interrupted." in ended.stderr, ended
        assert left_of(box, "dora") == []
        assert [line.split()[0] for line in snapshot(box)[0]] == before
    assert at > 15


def test_dry_run_changes_nothing(box):
    before = snapshot(box)
    says = ctl(box, *ADD_DORA, "--dry-run")
    assert says.startswith("create user dora\n") and says.endswith("This is what would be done.\n")
    assert "remove /etc/bellhop/instances/alice.conf\n" in ctl(box, "remove", "alice", "--purge", "--dry-run")
    assert [step["change"] for step in ctl_json(box, "remove", "bob", "--purge", "--dry-run")["changes"]][:2] == [
        "file", "router"]
    box.path("/etc/bellhop/instances/bob.conf").rename(box.path("/root/bob.conf"))
    try:
        assert "because the instance's file was removed, stop bob\n" in ctl(box, "apply", "--dry-run")
    finally:
        box.path("/root/bob.conf").rename(box.path("/etc/bellhop/instances/bob.conf"))
    ctl(box, "apply")
    after = snapshot(box)
    assert [line for line in after[0] if "bob.conf" not in line and not re.match(r"/etc/bellhop/instances ", line)] == [
        line for line in before[0] if "bob.conf" not in line and not re.match(r"/etc/bellhop/instances ", line)]
    assert after[1] == before[1]


# --- remove ---


@pytest.mark.usefixtures("clean", "quiet")
def test_remove(box):
    add(box, "dora")
    assert is_served(box, "dora")
    assert "Add --purge to remove them, too" in ctl(box, "remove", "dora")
    assert not is_served(box, "dora", "http")
    assert sorted(left_of(box, "dora"))[:3] == ["/etc/bellhop/sites/dora", "/etc/bellhop/tls/dora",
                                                "/etc/bellhop/tls/dora/fullchain.pem"]
    assert ctl(box, "remove", "dora").startswith("Nothing of dora remains to be removed.\n")
    # All that is a customer's own is found again.
    before = box.path("/etc/bellhop/tls/dora/privkey.pem").read_text()
    add(box, "dora")
    assert box.path("/etc/bellhop/tls/dora/privkey.pem").read_text() == before
    assert is_served(box, "dora")


@pytest.mark.usefixtures("clean")
def test_purge(box):
    add(box, "dora")
    assert is_served(box, "dora")
    refused = ctl(box, "remove", "dora", "--purge", status=2)
    assert "Add --yes to do this" in refused and is_served(box, "dora")
    ctl(box, "remove", "dora", "--purge", "--yes")
    assert left_of(box, "dora") == []
    # A user that somebody else has made stays, and so does the home.
    box.run("useradd", "--create-home", "emil")
    add(box, "emil")
    said = ctl(box, "remove", "emil", "--purge", "--yes")
    assert said.endswith("Kept: user emil. bellhopctl did not create the user.\n")
    assert box.path("/home/emil").exists() and not box.path("/srv/www/emil").exists()


KEPT = {"MemoryMax": "infinity", "CPUQuotaPerSecUSec": "infinity", "TasksMax": "512"}


@pytest.mark.usefixtures("clean")
def test_purge_leaves_nothing(box):
    """For the next customer of the name, who is another user."""
    add(box, "dora")
    assert is_served(box, "dora")
    box.shell("""
        runuser -u dora -- sh -c 'echo old >/var/lib/bellhop/dora/session'
        mkdir -p /etc/systemd/system/bellhop@dora.service.d /etc/systemd/system/bellhop@dora.socket.d \
                /var/spool/cron/crontabs /var/lib/systemd/linger /srv/www/.dora.new
        printf '[Service]\nMemoryMax=1G\nEnvironment=OLD=yes\n' >/etc/systemd/system/bellhop@dora.service.d/old.conf
        printf '[Socket]\nReceiveBuffer=9K\n' >/etc/systemd/system/bellhop@dora.socket.d/old.conf
        systemctl daemon-reload
        systemctl set-property bellhop@dora.service CPUQuota=50%
        systemctl set-property --runtime bellhop@dora.service TasksMax=33
        systemctl set-property bellhop-standin@dora.service TasksMax=44
        echo '* * * * * true' >/var/spool/cron/crontabs/dora
        touch /var/lib/systemd/linger/dora
        mkdir -p /var/spool/cron/atjobs /var/spool/at
        for job in cron/atjobs/a0000101c8a5f0 at/a0000201c8a5f0; do
            install -o dora -m 0700 /dev/null /var/spool/$job
            install -o alice -m 0700 /dev/null /var/spool/$job.alice
        done
    """)
    uid = box.uid("dora")
    assert box.run("readlink", f"/var/log/bellhop/.uid/{uid}") == "../dora\n"
    said = ctl(box, "remove", "dora", "--purge", "--dry-run")
    assert "remove /var/lib/bellhop/dora" in said and "remove /var/cache/bellhop/dora" in said
    assert "remove the settings of the units of dora from systemd" in said
    ctl(box, "remove", "dora", "--purge", "--yes")
    assert left_of(box, "dora") == []
    places = ("/etc", "/srv", "/var/lib", "/var/spool", "/run")
    assert box.run("find", *places, "-xdev", "-name", "*dora*", "-not", "-path", "/run/sdbox/*") == ""
    assert box.run("find", "/var/log/bellhop", "-lname", "*dora*") == ""
    assert box.run("find", *places, "/var/log", "-xdev", "-uid", str(uid)) == ""
    assert box.shell("cd /var/spool; ls cron/atjobs at; rm -r cron/atjobs at").split() == [
        "at:", "a0000201c8a5f0.alice", "cron/atjobs:", "a0000101c8a5f0.alice"]
    box.shell(f"id -un {uid} >/dev/null 2>&1 || useradd --uid {uid} stranger")
    try:
        add(box, "dora")
        assert is_served(box, "dora") and box.uid("dora") != uid
        assert {name: box.show("bellhop@dora.service", name) for name in KEPT} == KEPT
        assert box.show("bellhop-standin@dora.service", "TasksMax") != "44"
        assert box.run("ls", "-A", "/var/lib/bellhop/dora") == ""
    finally:
        box.run("userdel", "stranger")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("options", [[], ["--purge", "--yes"]])
def test_network_is_not_inherited(box, options):
    """From an instance whose units systemd has kept since the boot, or since it has read all of them."""
    add(box, "dora", "--network")
    box.run("systemctl", "daemon-reload")
    assert is_served(box, "dora")
    ctl(box, "remove", "dora", *options)
    add(box, "dora")
    assert is_served(box, "dora") and box.show("bellhop@dora.service", "PrivateNetwork") == "yes"


@pytest.mark.usefixtures("clean")
def test_add_proposes_the_internet_to_a_cms(box):
    box.shell("useradd --create-home dora; install -D -o dora /dev/null /srv/www/dora/wp-includes/version.php")
    try:
        said = add(box, "dora")
        assert "WordPress can't connect to other servers" in said and "bellhopctl set dora --network=internet\n" in said
        ctl(box, "set", "dora", "--network=internet")
        assert "other servers" not in add(box, "dora", "--network=internet")
    finally:
        ctl(box, "remove", "dora", "--purge", "--yes")


@pytest.mark.parametrize("www", ["/srv/www", "/data/www"])
def test_purge_crosses_no_mount(box, www):
    """Nor where root has a link to another place; and a name that the customer chose is in no command."""
    box.shell(f"[ {www} = /srv/www ] || {{ mkdir /data; mv /srv/www /data; ln -s {www} /srv/www; }}")
    add(box, "dora")
    bound = f"{www}/dora/bound;reboot"
    box.shell(f"mkdir -p /root/bound '{bound}'; echo precious >/root/bound/file; mount --bind /root/bound '{bound}'")
    try:
        said = ctl(box, "remove", "dora", "--purge", "--yes", status=1)
        assert f"Unmount it first: {bound}" in said and "umount" not in said
        assert box.path("/root/bound/file").read_text() == "precious\n"
    finally:
        box.run("umount", bound)
        ctl(box, "remove", "dora", "--purge", "--yes")
        box.shell("[ ! -L /srv/www ] || { rm /srv/www; mv /data/www /srv; rmdir /data; }")
    assert left_of(box, "dora") == []


# userdel(8) has a folder open for each level, and would remove the user but not the home.
DEEP = """
import os
os.chdir("/home/dora")
for _ in range(3000):
    os.mkdir("deep")
    os.chdir("deep")
"""


@pytest.mark.usefixtures("clean")
def test_purge_of_a_deep_home(box):
    add(box, "dora")
    box.run("runuser", "-u", "dora", "--", "/usr/bin/python3", "-c", DEEP)
    box.shell("echo old >/var/mail/dora; chown dora: /var/mail/dora")
    box.run("prlimit", "--nofile=1024", "bellhopctl", "remove", "dora", "--purge", "--yes")  # as in a shell of root
    assert left_of(box, "dora") == [] and not box.path("/home/dora").exists() and not box.path("/var/mail/dora").exists()


# A file system of the user's, whose server has died: fusermount(1) makes the same call. Root may not look into it.
FUSE = """
import ctypes, os, pwd, sys
user = pwd.getpwnam("dora")
server = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={server},rootmode=40000,user_id={user.pw_uid},group_id={user.pw_gid}".encode()
sys.exit(ctypes.CDLL(None).mount(b"old", sys.argv[1].encode(), b"fuse", 6, options) and "no FUSE")
"""


@pytest.fixture(name="fuse")
def _fuse(box):
    """Mounts one in a folder."""
    box.shell("[ -e /dev/fuse ] || mknod /dev/fuse c 10 229")
    folders = []

    def mount(folder):
        folders.append(folder)
        box.run("/usr/bin/python3", "-c", FUSE, folder)

    yield mount
    for folder in folders:
        box.try_run("umount", folder)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("folder", ["/home/dora", "/srv/www/dora", "/etc/bellhop/tls/dora", "/home/dora/deeper"])
def test_rename_and_purge_of_a_folder_that_root_can_not_enter(box, fuse, folder):
    """As long as there is a home, nobody else gets its user's uid."""
    add(box, "dora")
    uid = box.uid("dora")
    box.shell(f"[ -e {folder} ] || install -d -o dora {folder}")
    fuse(folder)
    assert "A file system is mounted in /" in ctl(box, "rename", "dora", "emil", status=1)
    assert f"Unmount it first: {folder}" in ctl(box, "remove", "dora", "--purge", "--yes", status=1)
    assert not folder.startswith("/home") or box.uid("dora") == uid
    box.run("umount", folder)
    ctl(box, "remove", "dora", "--purge", "--yes")
    assert left_of(box, "dora") == [] and not box.path("/home/dora").exists()


@pytest.mark.usefixtures("clean")
def test_uid_of_a_removed_customer_is_not_given_again(box):
    """Nor the gid, by add or import: a set-user-ID or set-group-ID program of the removed one, wherever it is, would have the
    rights of the new one. A group of the machine has the gid that is the first uid, so uids and gids differ."""
    add(box, "dora")
    box.run("groupadd", "--gid", str(box.uid("dora") + 1), "shifted")
    ctl(box, "remove", "dora", "--purge", "--yes")
    uids, gids = [], []

    def purge():
        uids.append(box.uid("dora"))
        gids.append(int(box.run("id", "-g", "dora")))
        ctl(box, "remove", "dora", "--purge", "--yes")

    try:
        for _ in range(2):
            add(box, "dora")
            purge()
        box.write("/root/plan.json", json.dumps({"instances": [{"instance": "dora", "hosts": [NEW["dora"]], "create_user": True}]}))
        ctl(box, "import", "/root/plan.json")
        purge()
    finally:
        box.run("groupdel", "shifted")
    assert uids[0] < uids[1] < uids[2]
    assert gids[0] < gids[1] < gids[2] and uids[0] != gids[0]


# One sleeps and ignores what it can, one is stopped, and the others fork for ever, at most ten at a time.
RUNNING = """
(trap '' HUP TERM INT; exec sleep infinity) &
sleep infinity & kill -STOP $!
(while :; do (sleep 0.1 & wait) & sleep 0.01; done) &
echo started
"""


@pytest.mark.usefixtures("clean")
def test_purge_of_a_user_whose_programs_run(box):
    add(box, "dora")
    uid = box.uid("dora")
    other = box.popen_run("runuser", "-u", "bob", "--", "sleep", "infinity")
    with box.popen_run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "setsid", "--fork", "bash", "-c", RUNNING,
                       stdout=subprocess.PIPE) as started:
        assert started.stdout.readline() == "started\n"
        assert "end all programs of user dora" in ctl(box, "remove", "dora", "--purge", "--dry-run")
        assert box.try_run("pgrep", "-U", str(uid)).returncode == 0
        ctl(box, "remove", "dora", "--purge", "--yes")
    assert box.try_run("pgrep", "-U", str(uid)).returncode == 1
    assert left_of(box, "dora") == [] and not box.path("/home/dora").exists()
    assert other.poll() is None and box.try_run("pgrep", "-u", "bob", "-x", "sleep").returncode == 0
    box.run("pkill", "-u", "bob", "-x", "sleep")
    other.wait(timeout=20)


# A program of the customer against the purge: it stops or kills all other programs of the user, also one of root's that
# runs as the user, or makes folders faster than rm(1) removes them.
AGAINST_PURGE = """
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
static void *fight(void *unused)
{
        while (%s)
                ;
        return unused;
}
int main(void)
{
        pthread_t thread;
        if (chdir("/srv/www/dora") < 0)
                return 1;
        while (getppid() != 1) /* nsenter(1) stops itself if its child is stopped */
                ;
        for (int i = 0; i < 8; i++)
                pthread_create(&thread, NULL, fight, NULL);
        if (write(1, "started\\n", 8) == 8)
                fight(NULL);
        return 1;
}
"""


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("action", ["kill(-1, SIGSTOP) | 1", "kill(-1, SIGKILL) | 1", 'mkdir("d", 0700) | chdir("d") | 1'])
def test_purge_of_a_user_whose_programs_fight_it(box, action):
    add(box, "dora")
    uid = box.uid("dora")
    subprocess.run(["gcc", "-O2", "-pthread", "-o", box.path("/usr/local/bin/fights"), "-x", "c", "-"], input=AGAINST_PURGE % action,
                   text=True, check=True)
    with box.popen_run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "setsid", "--fork", "fights",
                       stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout.readline() == "started\n"
            ctl(box, "remove", "dora", "--purge", "--yes")
        finally:
            box.try_run("pkill", "-KILL", "-x", "fights")
    assert left_of(box, "dora") == [] and not box.path("/home/dora").exists()


@pytest.mark.usefixtures("clean")
def test_no_subordinate_uids(box):
    """A purge frees a range, but a set-user-ID program and its processes keep a uid of it, so the next one must not get it."""
    box.write("/root/plan.json", json.dumps({"instances": [{"instance": "emil", "hosts": [NEW["emil"]], "create_user": True}]}))
    add(box, "dora")
    ctl(box, "import", "/root/plan.json")
    ranges = box.run("cat", "/etc/subuid", "/etc/subgid")
    assert "alice:" in ranges and "dora:" not in ranges and "emil:" not in ranges


# newuidmap(1) lets a user do this.
SUBORDINATE = """
usermod --add-subuids 300000-365535 --add-subgids 300000-365535 dora
first=$(sed -n 's/^dora:\\([0-9]*\\):.*/\\1/p' /etc/subuid)
setpriv --reuid=dora --regid=dora --clear-groups setsid --fork unshare --user sleep infinity
while ! outer=$(pgrep -u dora -x sleep); do :; done
for kind in uid gid; do echo "0 $first 1000" >/proc/$outer/${kind}_map; done
setsid --fork nsenter --user --target $outer --setuid 0 --setgid 0 sleep infinity </dev/null >/dev/null 2>&1
while ! pgrep -U $first -x sleep; do :; done
kill $outer
while pgrep -u dora; do :; done
echo $first
"""


@pytest.mark.usefixtures("clean")
def test_purge_of_a_user_with_programs_of_subordinate_uids(box):
    add(box, "dora")
    first = box.shell(SUBORDINATE).split()[-1]
    try:
        ctl(box, "remove", "dora", "--purge", "--yes")
        assert box.try_run("pgrep", "-U", first).returncode == 1
    finally:
        box.try_run("pkill", "-KILL", "-U", first)
    assert left_of(box, "dora") == []


@pytest.mark.usefixtures("clean")
def test_purge_of_a_user_who_logs_in_all_the_time(box):
    """The purge takes a while, because the home has many files."""
    add(box, "dora")
    box.shell("cd /home/dora; mkdir {1..300}; for folder in *; do touch $folder/{1..200}; done; chown -R dora: .")
    with box.popen_run("bash", "-c", "echo started; while id dora; do setsid su dora -s /bin/sh -c 'exec sleep 60' & sleep 0.02; done",
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as logins:
        assert logins.stdout.readline() == "started\n"
        ctl(box, "remove", "dora", "--purge", "--yes")
        logins.communicate(timeout=20)
    assert left_of(box, "dora") == []


@pytest.mark.usefixtures("clean")
def test_purge_of_jobs_that_come_back(box):
    """Made by programs of the user that wait until they are removed. The user can write to the folders, as crontab(1) and
    at(1) could for the user."""
    add(box, "dora")
    jobs = ["/var/spool/cron/crontabs/dora", "/var/spool/cron/atjobs/a0000101c8a5f0"]
    box.shell("mkdir -p /var/spool/cron/crontabs /var/spool/cron/atjobs; chmod 1777 /var/spool/cron/crontabs /var/spool/cron/atjobs")
    again = [box.popen_run("runuser", "-u", "dora", "--", "bash", "-c",
                           f"touch {job}; echo; while [ -e {job} ]; do :; done; touch {job}", stdout=-1) for job in jobs]
    for one in again:
        one.stdout.readline()
    ctl(box, "remove", "dora", "--purge", "--yes")
    for one in again:
        one.communicate(timeout=20)
    assert [job for job in jobs if box.path(job).exists()] == []


@pytest.mark.usefixtures("clean")
def test_add_on_a_full_disk(box):
    """Two inodes: one for the mounted folder, and one for the document root, but none for the page."""
    done = box.try_run("unshare", "--mount", "bash", "-c", "mount -t tmpfs -o nr_inodes=2,mode=0755 none /srv/www; "
                       "bellhopctl add dora --create-user --host=dora.example; echo $?; ls -A /srv/www")
    assert "/srv/www/dora: No space left on device." in done.stderr, done
    assert done.stdout.endswith("undo: create user dora\n1\n"), done


@pytest.mark.usefixtures("clean")
def test_purge_of_what_may_hold_mounts(box):
    """Unknown is not no."""
    add(box, "dora")
    done = box.try_run("unshare", "--mount", "bash", "-c",
                       "mount -t tmpfs none /proc && bellhopctl remove dora --purge --yes")
    assert done.returncode == 1 and "The list of mounts can't be read" in done.stderr, done
    assert box.path("/srv/www/dora/index.html").exists()
    ctl(box, "remove", "dora", "--purge", "--yes")


def test_purge_of_the_package_crosses_no_mount(box):
    """In folders of its own, so that the machine's stay."""
    box.write("/root/postrm", (SOURCE / "debian/bellhop.postrm").read_text())
    done = box.try_run("unshare", "--mount", "bash", "-euc", """
        for folder in /etc /var /run /srv; do mount -t tmpfs none $folder; done
        mkdir -p /etc/bellhop/tls /var/lib/bellhop/alice/bound /var/cache/bellhop/alice /root/bound
        echo precious >/root/bound/file
        mount --bind /root/bound /var/lib/bellhop/alice/bound
        sh /root/postrm purge
        ls -d /etc/bellhop /var/lib/bellhop/* /var/cache/bellhop /root/bound/file 2>/dev/null || true
    """)
    assert done.stdout == "/root/bound/file\n/var/lib/bellhop/alice\n", done
    assert done.stderr == "/var/lib/bellhop is kept, because a file system is mounted there or mounts can't be listed.\n", done


def test_remove_of_a_name_that_nobody_has(box):
    for options in ([], ["--dry-run"], ["--purge", "--yes"]):
        assert "There is no instance 'nobody-there'" in ctl(box, "remove", "nobody-there", *options, status=1)


@pytest.mark.usefixtures("clean")
def test_killed_while_removing(box, strike):
    for at in range(1, 40, 3):
        add(box, "dora", "--network")
        ended = strike(at, signal.SIGKILL, "remove", "--purge", "--yes", "dora")
        if ended.returncode == 0:
            break
        box.try_run("bellhopctl", "remove", "--purge", "--yes", "dora")
        assert left_of(box, "dora") == []
    assert at > 4


@pytest.mark.usefixtures("clean")
def test_public_html_and_foreign_folder(box):
    box.run("useradd", "--create-home", "emil")
    box.shell("install -d -o emil /home/emil/public_html")
    assert "document root" not in add(box, "emil") and not box.path("/srv/www/emil").exists()


# --- apply ---


@contextlib.contextmanager
def edited(box, name, text):
    path = box.path(f"/etc/bellhop/instances/{name}.conf")
    before = path.read_text()
    box.write_instance(name, text)
    try:
        yield
    finally:
        path.write_text(before)
        ctl(box, "apply")


def changes(box, *options, **kwargs):
    return [step["what"] for step in ctl_json(box, "apply", *options, **kwargs)["changes"]]


ROUTER = "have the router read the configuration"


def test_apply_does_what_has_changed(box):
    box.curl(f"http://{ALICE}/")
    box.curl(f"http://{BOB}/")
    ctl(box, "apply")
    pids = [main_pid(box, name) for name in ("alice", "bob")]
    assert changes(box) == []
    with edited(box, "alice", f"Host={ALICE} www.{ALICE} new.{ALICE}\n"), steady(box, ALICE, BOB):
        assert changes(box, "--dry-run") == [ROUTER, "reload the server of alice"] == changes(box)
        assert changes(box) == []
        assert "uid" in box.curl(f"http://new.{ALICE}/")
    assert [main_pid(box, name) for name in ("alice", "bob")] == pids


def test_apply_sees_snippets_and_certificates(box):
    """Also the first certificate of a site that runs, whose server does not see the new folder."""
    snippet, tls = "/etc/bellhop/sites/alice/greeting.conf", "/etc/bellhop/tls/alice"
    box.curl(f"http://{ALICE}/")
    ctl(box, "apply")
    pid = main_pid(box, "alice")
    box.write(snippet, "Header set Greeting hello\n")
    assert changes(box) == ["reload the server of alice"]
    box.wait_for("the header", lambda: "Greeting: hello" in box.curl(f"http://{ALICE}/", "-I"))
    box.write(snippet, "Nonsense\n")
    said = ctl(box, "apply", status=1)
    assert "bellhop@alice.service failed. See " in said and "Find the cause with 'bellhopctl check'" in said, said
    box.path(snippet).unlink()
    assert changes(box) == ["reload the server of alice"]
    box.run("touch", f"{tls}/privkey.pem")
    assert changes(box) == ["reload the server of alice"]
    assert main_pid(box, "alice") == pid
    box.shell(f"mv {tls} /root/tls; systemctl restart bellhop@alice.service")
    box.shell(f"cp -a /root/tls {tls}; rm -r /root/tls")
    assert changes(box) == ["to show a new folder to the instance, restart alice"]
    assert status_of(box, f"https://{ALICE}/") == "200"


def test_folder_of_snippets_that_comes_late(box):
    """systemd makes none, and a server that runs sees none; an empty one changes nothing for it."""
    folder = box.path("/etc/bellhop/sites/alice")
    box.run("mv", "/etc/bellhop/sites/alice", "/root/alice-sites")
    try:
        box.run("systemctl", "restart", "bellhop@alice.service")
        assert not folder.exists()
        assert changes(box) == ["make the folder of snippets for alice"]
        assert changes(box) == []
        box.write("/etc/bellhop/sites/alice/greeting.conf", "Header set Greeting hello\n")
        assert changes(box) == ["to show a new folder to the instance, restart alice"]
        assert "Greeting: hello" in box.curl(f"http://{ALICE}/", "-I")
    finally:
        box.shell("rm -rf /etc/bellhop/sites/alice; mv /root/alice-sites /etc/bellhop/sites/alice; "
                  "systemctl restart bellhop@alice.service")


def test_apply_leaves_alone_what_it_does_not_know(box):
    """When the instance has read its files is its own word; without it, nothing is reloaded or restarted."""
    snippet = "/etc/bellhop/sites/alice/greeting.conf"
    box.curl(f"http://{ALICE}/")
    box.run("systemctl", "reload", "bellhop@alice.service")
    state = box.runtime("alice", "state")
    box.write(snippet, "Header set Greeting hello\n")
    pid = main_pid(box, "alice")
    box.run("kill", "-STOP", str(pid))  # else it may write the file anew meanwhile
    try:
        for say in (f"rm -f {state}", f"echo VERSION=0 > {state}", f"rm {state}; mkfifo {state}",
                    f"rm {state}; ln -s /etc/passwd {state}", f"rm {state}; head -c 1M /dev/zero > {state}"):
            box.shell(say)
            assert changes(box, "--dry-run") == [] == changes(box)
            said = ctl(box, "apply")
            assert re.search("^It is not known whether these instances have read their files:.* alice", said) and "Everything else" in said
    finally:
        box.path(snippet).unlink()
        box.shell(f"rm -f {state}; kill -CONT {pid}; systemctl restart bellhop@alice.service")


@pytest.mark.usefixtures("clean", "quiet")
def test_apply_after_files_came_and_went(box):
    box.shell("useradd --create-home dora; install -d -o dora /srv/www/dora")
    box.write_instance("dora", "Host=dora.example\n")
    folder = box.path("/etc/bellhop/sites/dora")
    assert changes(box) == ["make the folder of snippets for dora", "make the folder of the logs of dora",
                            "start the hand-off socket of dora", ROUTER]
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (0, 0o750)
    box.curl("http://dora.example/", "-o", "/dev/null")
    assert box.show("bellhop@dora.service", "ActiveState") == "active"
    box.path("/etc/bellhop/instances/dora.conf").unlink()
    assert changes(box) == [ROUTER, "because the instance's file was removed, stop dora"]
    for kind in ("service", "socket"):
        assert box.show(f"bellhop@dora.{kind}", "ActiveState") == "inactive"


@pytest.mark.usefixtures("quiet")
def test_apply_with_a_mistake_does_the_rest(box, clean):  # pylint: disable=unused-argument
    add(box, "dora")
    assert is_served(box, "dora")
    box.write_instance("dora", "Host=dora.example\nHosts=x\n")
    box.run("useradd", "--create-home", "emil")
    box.write_instance("emil", "Host=emil.example\n")
    said = ctl(box, "apply", status=1)
    assert "dora.conf:3: unknown key Hosts=" in said and "everything else is" in said
    assert is_served(box, "dora", "http")
    assert box.path("/run/bellhop/emil.handoff").exists()


@pytest.mark.usefixtures("clean", "quiet")
def test_apply_changes_the_network_of_one_who_came_since_the_boot(box):
    add(box, "dora")
    assert is_served(box, "dora")
    box.write_instance("dora", "Host=dora.example\nNetwork=yes\n")
    assert changes(box) == ["set up the network of dora", "to change the network, stop dora",
                            "with the new network, start dora", ROUTER]
    assert is_served(box, "dora")
    assert box.run("readlink", f"/proc/{main_pid(box, 'dora')}/ns/net") == box.run("readlink", "/proc/1/ns/net")
    assert changes(box) == []


def test_apply_changes_the_network_of_one_who_was_there(box):
    """bellhop.target wants these units, so systemd never forgets them: here the files have to be read again."""
    box.run("systemctl", "daemon-reload")
    box.curl(f"http://{BOB}/")
    with edited(box, "bob", f"Host={BOB}\nNetwork=yes\n"):
        reloads = daemon_reloads(box)
        said = changes(box)
        assert "to change the network, restart bob" in said
        assert daemon_reloads(box) == reloads + 1
        assert box.run("readlink", f"/proc/{main_pid(box, 'bob')}/ns/net") == box.run("readlink", "/proc/1/ns/net")
        assert changes(box) == []


@pytest.mark.usefixtures("clean", "quiet")
def test_apply_goes_on_after_a_drop_in_that_can_not_be_written(box):
    """What is not changed is not restarted, either."""
    for name in NEW:
        add(box, name)
        assert is_served(box, name)
        box.write_instance(name, f"Host={NEW[name]}\nNetwork=yes\n")
    pid = main_pid(box, "dora")
    obstacle = box.path("/run/systemd/generator/bellhop@dora.service.d")
    obstacle.write_text("")
    assert "dora: Not a directory" in ctl(box, "apply", status=1)
    for name in NEW:
        assert is_served(box, name)
    assert main_pid(box, "dora") == pid
    assert box.run("readlink", f"/proc/{main_pid(box, 'emil')}/ns/net") == box.run("readlink", "/proc/1/ns/net")
    obstacle.unlink()
    assert "with the new network, start dora" in changes(box) and changes(box) == []


@pytest.mark.usefixtures("clean")
def test_nothing_is_to_be_done_after_systemd_has_read_its_files(box):
    """Any package does that at its upgrade: whatever has come, was changed and was reloaded before is in force still."""
    add(box, "dora", "--network")
    snippet = "/etc/bellhop/sites/dora/greeting.conf"
    assert is_served(box, "dora")
    box.curl(f"http://{ALICE}/")
    box.write(snippet, "Header set Greeting hello\n")
    box.run("touch", "/etc/bellhop/instances/alice.conf")
    assert set(changes(box)) == {ROUTER, "reload the server of alice", "reload the server of dora"}
    ctl(box, "cert", "dora", "--self-signed", "--force")
    box.run("systemctl", "reload", "bellhop@dora.service")
    pids = [main_pid(box, name) for name in ("alice", "dora")]
    for again in ("daemon-reload", "daemon-reexec", "daemon-reload"):
        before = ctl(box, "check", "--strict", "--no-legend")
        box.run("systemctl", again)
        assert changes(box, "--dry-run") == [] == changes(box), again
        assert ctl(box, "check", "--strict", "--no-legend") == before, again
    assert [main_pid(box, name) for name in ("alice", "dora")] == pids


# --- route, list, status, top ---


def routes(box, *arguments, **kwargs):
    return {entry["protocol"]: entry for entry in ctl_json(box, "route", *arguments, **kwargs)["routes"]}


def test_route(box):
    tls = routes(box, ALICE, "--tls")
    assert list(tls) == ["tls"] and (tls["tls"]["outcome"], tls["tls"]["instance"]) == ("hand-off", "alice")
    box.write_instance("bob", f"Host={BOB} moved.{BOB}\n")
    try:
        assert f"hand-off bob, exact: Host=moved.{BOB}. 'bellhopctl apply'" in box.try_run(
            "bellhopctl", "route", f"moved.{BOB}").stdout
        assert routes(box, f"moved.{BOB}", "--offline")["http"]["instance"] == "bob"
    finally:
        box.write_instance("bob", f"Host={BOB}\n")
    ctl(box, "apply")
    box.run("systemctl", "stop", "bellhop@bob.socket")
    try:
        assert "hand-off socket of bob does not exist" in ctl(box, "route", BOB)
    finally:
        ctl(box, "apply")


def entry_of(box, name):
    return next(entry for entry in ctl_json(box, "list")["instances"] if entry["instance"] == name)


def test_list(box):
    box.curl(f"https://{ALICE}/")
    box.run("systemctl", "stop", "bellhop@bob.service")
    box.wait_for("the server says how many are open", lambda: entry_of(box, "alice")["connections"] is not None)
    alice, bob = entry_of(box, "alice"), entry_of(box, "bob")
    assert (alice["user"], alice["state"], bob["state"]) == ("alice", "active", "idle")
    assert alice["handoffs"] > 0 and bob["connections"] == 0
    ago = time.time() - time.mktime(time.strptime(alice["last_used"] + "UTC", "%Y-%m-%dT%H:%M:%SZ%Z")) + time.timezone
    assert -2 < ago < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", alice["certificate_expires"])
    lines = ctl(box, "list").splitlines()
    assert lines[0].split()[:2] == ["INSTANCE", "STATE"] and lines[-1] == "2 instances: 1 idle, 1 active"
    assert ctl(box, "list", "--no-legend").count("\n") == 2


@pytest.mark.usefixtures("clean")
def test_certificate_that_is_a_credential(box):
    drop_in = "/etc/systemd/system/bellhop@dora.service.d/credentials.conf"
    box.write(drop_in, "[Service]\n" + "".join(f"LoadCredential={name}:/etc/bellhop/tls/alice/{name}\n"
                                               for name in ("fullchain.pem", "privkey.pem")))
    try:
        ctl(box, "add", "dora", "--create-user", "--host=dora.example")
        expected = entry_of(box, "alice")["certificate_expires"]
        assert entry_of(box, "dora")["certificate_expires"] == expected
        assert ctl_json(box, "status", "dora")["instances"][0]["certificate_expires"] == expected
    finally:
        box.path(drop_in).unlink()
        box.path(drop_in).parent.rmdir()


@contextlib.contextmanager
def broken(box, name):
    """Its server can't start."""
    box.run("systemctl", "stop", f"bellhop@{name}.service")
    box.write(f"/etc/bellhop/sites/{name}/broken.conf", "NoSuchDirective\n")
    try:
        box.try_client("curl", "-s", "--max-time", "1", "--resolve", f"{BOB}:80:127.0.0.1", f"http://{BOB}/")
        box.wait_for("it has failed", lambda: entry_of(box, name)["state"] == "failed")
        yield
    finally:
        box.path(f"/etc/bellhop/sites/{name}/broken.conf").unlink()
        box.wait_for("it starts", lambda: "uid" in box.curl(f"http://{BOB}/", check=False).stdout)


def test_status(box):
    box.curl(f"https://{ALICE}/")
    text = ctl(box, "status", "alice")
    for part in (f"Hosts: {ALICE} www.{ALICE}\n", "File: /etc/bellhop/instances/alice.conf\n",
                 "/run/bellhop/alice.handoff", "Certificate: self-signed, ends in ", "systemd: "):
        assert part in text
    assert "bellhop-access" not in text and "To do:" not in text and "Status:" not in text
    alice = ctl_json(box, "status", "alice")["instances"][0]
    assert (alice["hosts"], alice["addresses"], alice["to_do"]) == ([ALICE, f"www.{ALICE}"], [], [])
    assert (alice["state"], alice["network"], alice["socket_exists"], alice["pid"]) == (
        "active", "no", True, main_pid(box, "alice"))
    assert "There is no instance 'nobody'" in ctl(box, "status", "nobody", status=1)


def test_status_shows_text_only(box):
    """Whatever a customer's program writes to the log. It lives on until the journal has seen whose it is."""
    box.write_page("alice", "log.cgi", """/usr/bin/python3 -c 'import socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect("/dev/log")
log.send(b"<13>evil: so\\x1b[31mred")
sys.stdin.read()'""")
    client = box.popen_client("curl", "-s", "--max-time", "20", "--resolve", f"{ALICE}:80:127.0.0.1", "-X", "POST",
                              "-H", "Content-Length: 1", f"http://{ALICE}/log.cgi")
    try:
        box.wait_for("it is there", lambda: "evil: so?[31mred\n" in ctl(box, "status", "alice"))
    finally:
        client.kill()
        client.wait()
        box.path("/srv/www/alice/log.cgi").unlink()


# The third argument of sendmsg(2) is a memfd, because so much does not fit into a datagram.
LONG_LINE = """/usr/bin/python3 -c '
import fcntl, os, socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect("/run/systemd/journal/socket")
memory = os.memfd_create("line", os.MFD_ALLOW_SEALING)
os.write(memory, b"SYSLOG_IDENTIFIER=bellhop-alice\\nMESSAGE=long:" + b"x" * 20000000 + b"\\n")
fcntl.fcntl(memory, fcntl.F_ADD_SEALS, 15)
socket.send_fds(log, [b""], [memory])
sys.stdin.read()'"""


def test_status_cuts_long_lines(box):
    """Otherwise, ten of these lines would be 200 MB on root's terminal."""
    box.write_page("alice", "log.cgi", LONG_LINE)
    client = box.popen_client("curl", "-s", "--max-time", "20", "--resolve", f"{ALICE}:80:127.0.0.1", "-X", "POST",
                              "-H", "Content-Length: 1", f"http://{ALICE}/log.cgi")
    try:
        box.wait_for("it is there", lambda: "long:xxx" in ctl(box, "status", "alice"))
        assert len(ctl(box, "status", "alice")) < 100000
    finally:
        client.kill()
        client.wait()
        box.path("/srv/www/alice/log.cgi").unlink()


@pytest.fixture(name="journal_on_disk")
def _journal_on_disk(box):
    """Where journald keeps the lines of each user in a file of their own."""
    box.shell("mkdir -p /var/log/journal; systemctl restart systemd-journald; journalctl --flush")
    yield
    box.shell("rm -rf /var/log/journal; systemctl restart systemd-journald")


@pytest.mark.usefixtures("journal_on_disk")
def test_status_of_what_fails_with_a_journal_on_disk(box):
    with broken(box, "bob"):
        box.run("journalctl", "--sync")
        assert list(box.path("/var/log/journal").glob(f"*/user-{box.uid('bob')}.journal"))
        assert "NoSuchDirective" in box.try_run("bellhopctl", "status", "bob").stdout


def test_status_of_refusals(box):
    with edited(box, "bob", f"Host={BOB}\nHttp=refuse\n"):
        ctl(box, "apply")
        box.curl(f"http://{BOB}/", "-o", "/dev/null")
        box.run("journalctl", "--sync")
        assert f"plain-http: {BOB} from 127.0.0.1:" in ctl_json(box, "status", "bob")["instances"][0]["refusals"][-1]


def test_status_of_what_fails(box):
    with broken(box, "bob"):
        box.run("journalctl", "--sync")
        status = box.wait_for("it is seen to have failed", lambda: [
            entry for entry in json.loads(box.try_run("bellhopctl", "status", "bob", "--json").stdout)["instances"]
            if entry["state"] == "failed"])[0]
        assert any("NoSuchDirective" in line for line in status["journal"])
        assert "journalctl -xeu bellhop@bob.service" in status["to_do"][0]
    box.run("systemctl", "stop", "bellhop@bob.socket")
    try:
        done = box.try_run("bellhopctl", "status", "bob")
        assert done.returncode == 1 and "'bellhopctl apply'" in done.stdout
    finally:
        ctl(box, "apply")


@pytest.mark.parametrize("arguments, status, says", [
    (["list"], 0, "Hand-offs are unknown: the router is not running"), (["status", "bob"], 0, "the router is not running"),
    (["top", "-n1", "-d0.1"], 0, "no numbers: the router is not running"), (["metrics"], 1, "the router is not running"),
    (["route", BOB], 1, "the router is not running; run systemctl start bellhop.target"), (["cert", "bob"], 0, "bob.example"), (["check"], 0, ""),
    (["apply", "--dry-run"], 0, "Everything in the configuration is in force"), (["apply"], 0, "Everything in the configuration is in force")])
def test_who_only_looks_starts_no_router(box, arguments, status, says):
    box.run("systemctl", "stop", "bellhop-router.service")
    try:
        done = box.try_run("bellhopctl", *arguments)
        assert (done.returncode, box.show("bellhop-router.service", "ActiveState")) == (status, "inactive"), done
        assert says in done.stdout + done.stderr, done
    finally:
        box.run("systemctl", "start", "bellhop-router.service")


def test_nobody_is_served(box):
    """Nothing is in force then, whatever the files say."""
    box.run("systemctl", "stop", "bellhop-router.socket", "bellhop-router.service")
    try:
        for arguments in (["apply"], ["add", "dora", "--host=dora.example", "--create-user"]):
            assert "First run: systemctl enable --now bellhop.target" in ctl(box, *arguments, status=1)
    finally:
        box.run("systemctl", "start", "bellhop.target")
    box.curl(f"http://{ALICE}/")


def test_add_starts_a_router_that_was_stopped(box, clean):  # pylint: disable=unused-argument
    box.run("systemctl", "stop", "bellhop-router.service")
    add(box, "dora")
    assert box.show("bellhop-router.service", "ActiveState") == "active" and is_served(box, "dora")


# What answers in the router's place: nothing, half an answer, or the router's own after a while.
MUTE = """
import os, socket, sys, threading, time
os.rename("/run/bellhop/control", "/run/bellhop/control.away")
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("/run/bellhop/control")
listener.listen(64)
print("here", flush=True)
kept = []
def answer(client):
    if sys.argv[1] == "half":
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n4\\r\\nabc\\n\\r\\n")
        client.close()
    elif sys.argv[1] == "late":
        request = client.recv(4096)
        time.sleep(2)
        router = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        router.connect("/run/bellhop/control.away")
        router.sendall(request)
        while part := router.recv(65536):
            client.sendall(part)
        client.close()
def accept():
    while True:
        kept.append(listener.accept()[0])
        threading.Thread(target=answer, args=(kept[-1],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
sys.stdin.readline()
os.rename("/run/bellhop/control.away", "/run/bellhop/control")
"""


@contextlib.contextmanager
def mute(box, how):
    process = box.popen_run("/usr/bin/python3", "-c", MUTE, how, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "here\n"
    try:
        yield
    finally:
        process.communicate("\n")
        assert process.returncode == 0


@pytest.mark.parametrize("how", ["never", "half"])
def test_nothing_is_undone_because_nobody_answers(box, clean, how):  # pylint: disable=unused-argument
    with mute(box, how):
        done = box.try_run("bellhopctl", "add", "dora", "--host=dora.example", "--create-user")
        assert done.returncode == 1 and "It is not known whether the router serves dora" in done.stderr, done
        assert "so nothing was undone" in done.stderr and "undo: " not in done.stdout, done
        # The reload itself has been heard of, so others see it.
        assert box.curl("http://dora.example/", "-o", "/dev/null", "-w", "%{http_code}") == "200"
        done = box.try_run("bellhopctl", "check")
        assert done.returncode == 1 and "it is not known whether the router has read the present configuration: the router" in done.stdout, done
        # An answer to a reload is one.
        done = box.try_run("bellhopctl", "apply")
        assert done.returncode == 0 and "It is not known whether the router has read the present configuration" in done.stderr, done
        assert is_served(box, "dora", "http")
    assert "already exists" in ctl(box, "add", "dora", "--host=dora.example", "--create-user")


def test_certificate_stays_although_systemd_does_not_answer(box, clean):  # pylint: disable=unused-argument
    """The server may have read it by then."""
    ctl(box, "add", "dora", f"--host={NEW['dora']}", "--create-user")
    assert is_served(box, "dora", "http")
    box.write("/root/shim/systemctl", """#!/bin/sh
/usr/bin/systemctl "$@"
[ "$1" != try-restart ] || { echo "Failed to restart: Connection timed out" >&2; exit 1; }
""", 0o755)
    done = box.try_run("env", "PATH=/root/shim:/usr/sbin:/usr/bin", "bellhopctl", "add", "dora", f"--host={NEW['dora']}",
                       "--create-user", "--self-signed")
    assert done.returncode == 1 and "so nothing was undone" in done.stderr and "undo: " not in done.stdout, done
    box.run("systemctl", "reload", "bellhop@dora.service")
    assert is_served(box, "dora")


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("reads", [True, False])
def test_reload_that_systemctl_does_not_see_end(box, reads):
    """As with a full /run, where the router can't write the result of a reload. What it has read is in force."""
    box.write("/root/shim/systemctl", f"""#!/bin/sh
case "$1 $3" in
    "start bellhop@dora.socket") /usr/bin/systemctl "$@";;
    "try-reload-or-restart bellhop-router.service") {'/usr/bin/systemctl "$@"' if reads else ':'};;
    *) exec /usr/bin/systemctl "$@";;
esac
echo "Job for bellhop-router.service failed." >&2
exit 1
""", 0o755)
    for command in (["add", "dora", "--host=dora.example", "--create-user"], ["set", "dora", "--idle=1h"],
                    ["suspend", "dora"], ["resume", "dora"]):
        done = box.try_run("env", "PATH=/root/shim:/usr/sbin:/usr/bin", "bellhopctl", *command)
        if reads:
            assert (done.returncode, done.stderr) == (0, ""), done
        else:
            assert done.returncode == 1 and "Job for bellhop-router.service failed" in done.stderr, done
    assert not reads or is_served(box, "dora", "http")
    box.run("systemctl", "reload", "bellhop-router.service")


def test_answer_that_is_late(box, clean):  # pylint: disable=unused-argument
    with mute(box, "late"):
        add(box, "dora")
    assert is_served(box, "dora")


def test_router_that_did_not_answer_is_asked_to_forget(box, clean):  # pylint: disable=unused-argument
    """Its file has gone already, and a router that does not say whether it has the instance may have it."""
    add(box, "dora")
    box.path("/etc/bellhop/instances/dora.conf").unlink()
    with mute(box, "half"):
        assert "have the router read the configuration" in ctl(box, "remove", "dora")
        assert not box.path("/run/bellhop/dora.handoff").exists()
    assert box.curl("http://dora.example/", "-o", "/dev/null", "-w", "%{http_code}", check=False).stdout == "421"


def looks_of_top(box):
    output = ctl(box, "top", "--count=2", "--delay=0.5", "--json")
    decoder, looks = json.JSONDecoder(), []
    while output.strip():
        look, end = decoder.raw_decode(output.lstrip())
        looks.append({entry["instance"]: entry for entry in look["rates"]})
        output = output.lstrip()[end:]
    assert len(looks) == 2 and set(looks[0]) == {None, "alice", "bob"}
    return looks


def are_used(looks):
    return all(max(look[name][key] for look in looks) > 0
               for name in (None, "alice", "bob") for key in ("handoffs_per_second", "cpu_percent"))


def test_top(box):
    box.curl(f"https://{ALICE}/")
    with steady(box, ALICE, BOB):
        # On a busy machine, a second can pass without a request.
        looks = box.wait_for("all are used", lambda: next(filter(are_used, [looks_of_top(box)]), None))
    assert looks[1]["alice"]["state"] == "active"
    assert ctl(box, "top", "-n1", "-d0.1").splitlines()[1].split()[:3] == ["INSTANCE", "STATE", "ACCEPTED/S"]
