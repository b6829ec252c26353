# SPDX-License-Identifier: MIT
"""bellhopctl set and export: what is asked for comes into force, all else stays, and no visitor notices."""

import json
import re
import signal

import pytest
from showcase import ALICE, BOB
from test_ctl import _strike, ctl, ctl_json, edited
from test_life import daemon_reloads, main_pid, status_of, steady

__all__ = ["_strike"]

HOST, OLD, NEW = "carol.example", "old.example", "new.example"
FILE = "/etc/bellhop/instances/carol.conf"
SITE = "bellhop@carol.service"
# Comments, blanks, an order of their own, and no line break at the end.
TEXT = f"# carol's\n\n[Instance]\n  Host = {HOST}  # the host\nAddress=127.0.0.99\n\tHost={OLD} # until May\nIdleSec=10min\n;end"
CHANGED = (f"# carol's\n\n[Instance]\n  Host = {HOST} {NEW} *.wild.example  # the host\nAddress=127.0.0.99\n\t# until May\n"
           "IdleSec=10min\n;end\nHttp=refuse\n")
CHANGE = ("carol", f"--host={HOST}", f"--host={NEW} *.wild.example", "--http=refuse")


@pytest.fixture(name="site")
def _site(box, carol):
    """carol, whose server runs."""
    box.write(FILE, TEXT)
    box.start_customer(carol)
    assert status_of(box, f"https://{OLD}/load.txt") == "200"
    return carol


def steps(box, *options, verb="set", **kwargs):
    return [step["change"] for step in ctl_json(box, verb, *options, **kwargs)["changes"]]


def settings(box, name="carol"):
    entry, = ctl_json(box, "export", name)["instances"]
    return entry


@pytest.mark.usefixtures("site")
def test_set(box):
    for host in (ALICE, BOB):
        box.curl(f"http://{host}/")
    pids = [main_pid(box, name) for name in ("alice", "bob", "carol")]
    with steady(box, ALICE, BOB):
        assert steps(box, *CHANGE, "--dry-run") == ["file", "router", "server"]
        assert box.path(FILE).read_text() == TEXT
        assert steps(box, *CHANGE) == ["file", "router", "server"]
        assert box.path(FILE).read_text() == CHANGED
        for host in (HOST, NEW, "a.wild.example"):
            assert status_of(box, f"https://{host}/load.txt") == "200"
            assert status_of(box, f"http://{host}/load.txt") == "403"
        assert status_of(box, f"http://{OLD}/") == "421"
    assert [main_pid(box, name) for name in ("alice", "bob", "carol")] == pids
    assert ctl(box, "apply") == "Everything in the configuration is in force.\n"


@pytest.mark.usefixtures("site")
def test_twice_is_as_once(box):
    ctl(box, "set", *CHANGE)
    before = box.path(FILE).stat().st_ctime_ns, main_pid(box, "carol")
    # The same in other words, too.
    for options in (CHANGE, ["carol", f"--host=*.WILD.example {NEW}", f"--host={HOST}."], ["carol", "--idle=600"],
                    ["carol", "--idle="], ["carol", "--default=no", "--network=off", "--http=refuse"],
                    ["carol", "--host=x.example", "--host=", f"--host={HOST} {NEW}", "--host=*.wild.example"]):
        assert ctl(box, "set", *options) == "carol already has these settings.\n", options
        assert steps(box, *options) == []
    assert (box.path(FILE).stat().st_ctime_ns, main_pid(box, "carol")) == before


@pytest.mark.usefixtures("site")
def test_empty_value_removes(box):
    ctl(box, "set", *CHANGE)
    ctl(box, "set", "carol", "--http=", "--address=", "--idle=5min")
    assert box.path(FILE).read_text() == CHANGED.replace("Address=127.0.0.99\n", "").replace("Http=refuse\n", "").replace(
        "10min", "5min")
    assert status_of(box, f"http://{NEW}/load.txt") == "200"
    assert status_of(box, "http://whoever.example/", address="127.0.0.99") == "421"
    # The last host goes with what comes in its place.
    ctl(box, "set", "carol", "--host=", "--default")
    assert status_of(box, "http://whoever.example/load.txt") == "200"
    ctl(box, "set", "carol", "--default=no", f"--host={HOST}")
    assert status_of(box, "http://whoever.example/") == "421" and status_of(box, f"http://{HOST}/load.txt") == "200"


@pytest.mark.parametrize("options, says", [
    ([f"--host={HOST} www.{ALICE}"], f"www.{ALICE} already leads to alice (/etc/bellhop/instances/alice.conf:2)"),
    (["--host=", "--address="], "no route leads to this instance"), (["--host=carol..example"], "carol..example is not a host name"),
    ([f"--host={HOST} {HOST}"], "appears twice"), (["--http=never"], "Http=never is none of"),
    (["--idle=soon"], "IdleSec=soon is not a time span"), (["--server=iis"], "is neither apache nor nginx"), (["--network=perhaps"], "is none of no, internet, yes"),
    (["--address=192.0.2.300"], "is not an address")])
def test_wrong_result(box, site, options, says):  # pylint: disable=unused-argument
    for more in ([], ["--dry-run"]):
        assert says in ctl(box, "set", "carol", "--idle=1h", *options, *more, status=1)
    assert box.path(FILE).read_text() == TEXT


@pytest.mark.usefixtures("site")
def test_what_can_not_be_done(box):
    assert "There is no instance 'nobody'" in ctl(box, "set", "nobody", "--idle=1h", status=1)
    box.shell("mv /etc/bellhop/tls/carol /root/carol.tls")
    assert "need HTTPS, but carol has no certificate. Install one first: bellhopctl cert carol" in ctl(
        box, "set", "carol", "--http=redirect", status=1)
    box.shell("mv /root/carol.tls /etc/bellhop/tls/carol")
    with edited(box, "bob", f"Host={BOB}\nDefault=yes\n"):
        assert "Default=yes already leads to bob" in ctl(box, "set", "carol", "--default", status=1)
    assert box.path(FILE).read_text() == TEXT
    box.write(FILE, TEXT + "\nNonsense=1\n")
    assert "unknown key Nonsense=" in ctl(box, "set", "carol", "--idle=1h", status=1)
    box.write("/root/carol.conf", TEXT)
    box.shell(f"ln -sf /root/carol.conf {FILE}; chmod 0711 /root")
    assert "is a symbolic link" in ctl(box, "set", "carol", "--idle=1h", status=1)
    assert box.path("/root/carol.conf").read_text() == TEXT
    box.shell(f"rm {FILE} /root/carol.conf; chmod 0700 /root")
    box.write(FILE, TEXT)


@pytest.mark.usefixtures("site")
def test_wildcards_of_neighbours(box):
    """They read anew what is not theirs, before and after."""
    with edited(box, "bob", f"Host={BOB} *.new.example\n"):
        ctl(box, "apply")
        box.curl(f"http://{BOB}/")
        pid = main_pid(box, "bob")
        for hosts in (f"{HOST} a.new.example", HOST):
            for options in (["--dry-run"], []):
                said = ctl(box, "set", "carol", f"--host={hosts}", *options)
                assert "reload the server of bob, as hosts of other instances have changed\n" in said
            assert ctl(box, "apply") == "Everything in the configuration is in force.\n"
        assert "(bob)" in box.curl("https://a.new.example/")
        assert main_pid(box, "bob") == pid


@pytest.mark.usefixtures("site")
def test_network(box):
    """Visitors of the instance itself notice nothing, although it is restarted."""
    namespaces = {}
    with steady(box, ALICE, HOST):
        for value in ("yes", "internet", "no", "internet", "yes", "no"):
            reloads = daemon_reloads(box)
            assert steps(box, "carol", f"--network={value}") == [
                "file", "drop-in", "daemon-reload", "router", "network"]
            assert daemon_reloads(box) == reloads + 1
            assert box.path(FILE).read_text() == TEXT + f"\nNetwork={value}\n"
            box.curl(f"http://{HOST}/")
            namespaces[value] = box.run("readlink", f"/proc/{main_pid(box, 'carol')}/ns/net")
            assert ("bellhop-firewall.service" in box.show(SITE, "BindsTo")) == (value == "internet")
            assert box.show(SITE, "Slice") == ("bellhop-network.slice" if value == "yes" else "bellhop.slice")
            assert ctl(box, "set", "carol", f"--network={value}") == "carol already has these settings.\n"
            assert ctl(box, "apply") == "Everything in the configuration is in force.\n"
    assert namespaces["yes"] == namespaces["internet"] == box.run("readlink", "/proc/1/ns/net") != namespaces["no"]


def server_of(box):
    head = box.curl(f"https://{HOST}/load.txt", "-I")
    return re.search("^server: *([a-z]+)", head, re.IGNORECASE | re.MULTILINE)[1].lower()


@pytest.mark.usefixtures("site")
def test_server(box):
    """The new one starts beside the old one, so no visitor notices."""
    box.shell(f"echo {HOST} > /srv/www/carol/index.html; chown carol: /srv/www/carol/index.html")
    pid = main_pid(box, "carol")
    with steady(box, ALICE, HOST):
        for value in ("nginx", "apache") * 2:
            assert steps(box, "carol", f"--server={value}", "--dry-run") == ["file", "router", "server"]
            assert steps(box, "carol", f"--server={value}") == ["file", "router", "server"]
            assert box.path(FILE).read_text() == TEXT + f"\nServer={value}\n"
            assert server_of(box) == settings(box)["server"] == value
            assert ctl(box, "set", "carol", f"--server={value}") == "carol already has these settings.\n"
            assert ctl(box, "apply") == "Everything in the configuration is in force.\n"
        # By the file, too.
        box.write(FILE, TEXT + "\nServer=nginx\n")
        assert steps(box, verb="apply") == ["router", "server"]
        assert server_of(box) == "nginx"
    assert main_pid(box, "carol") == pid


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("missing", ["/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_bellhop_module.so"])
def test_server_that_is_not_installed(box, missing):
    """The instance would go on until it is idle, and then not start again."""
    box.run("mv", missing, "/root/away")
    try:
        for verb in (["set", "carol"], ["add", "dora", "--create-user", "--host=dora.example"]):
            said = ctl(box, *verb, "--server=nginx", status=1)
            assert f"{missing} does not exist" in said and "libnginx-mod-bellhop" in said
        assert box.path(FILE).read_text() == TEXT and not box.path("/etc/bellhop/instances/dora.conf").exists()
        # What is already so can be changed, and left.
        box.write(FILE, TEXT + "\nServer=nginx\n")
        ctl(box, "set", "carol", "--server=apache")
    finally:
        box.run("mv", "/root/away", missing)


@pytest.mark.usefixtures("site")
def test_instance_that_starts_meanwhile(box):
    """It may have read the file before it was written."""
    box.run("systemctl", "stop", SITE)
    box.write("/etc/systemd/system/bellhop@carol.service.d/slow.conf",
              "[Service]\nExecStartPost=+/bin/sh -c 'until [ -e /root/go ]; do sleep 0.1; done'\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "--no-block", SITE)
    box.wait_for("the server", lambda: box.show(SITE, "SubState") == "start-post")
    pid = main_pid(box, "carol")
    setting = box.popen_run("bellhopctl", "set", "carol", f"--host={HOST} {NEW}")
    box.wait_for("another server", lambda: main_pid(box, "carol") not in (0, pid))
    box.write("/root/go", "")
    assert setting.wait(60) == 0
    assert status_of(box, f"https://{NEW}/load.txt") == "200"
    assert ctl(box, "apply") == "Everything in the configuration is in force.\n"
    box.shell("rm -r /root/go /etc/systemd/system/bellhop@carol.service.d; systemctl daemon-reload")


@pytest.mark.usefixtures("site")
def test_killed_anywhere_and_given_again(box, strike):
    """Whole or not at all, and the same command completes it."""
    box.write(FILE, CHANGED)
    ctl(box, "apply")
    for at in range(1, 60, 2):
        back = ["carol", f"--host={HOST} {OLD}", "--http=serve"]
        completed = []
        for options, host in ((back, OLD), (CHANGE, NEW)):
            completed.append(strike(at, signal.SIGKILL, "set", *options).returncode == 0)
            ctl(box, "set", *options)
            assert ctl(box, "set", *options) == "carol already has these settings.\n"
            assert status_of(box, f"https://{host}/load.txt") == "200"
        if all(completed):
            break
    assert at > 3
    assert not list(box.path("/etc/bellhop/instances").glob(".*"))


@pytest.mark.usefixtures("site")
def test_export_says_what_add_and_set_have_made(box):
    ctl(box, "set", *CHANGE, "--network")
    entry = settings(box)
    assert [entry[key] for key in ("hosts", "addresses", "default", "http", "network", "server", "idle_seconds",
                                 "suspended", "canonical")] == [
        [HOST, NEW, "*.wild.example"], ["127.0.0.99"], False, "refuse", "yes", "apache", 600, False, None]
    ctl(box, "set", "carol", f"--canonical={NEW}")
    assert settings(box)["canonical"] == NEW
    assert f"https://{NEW}/" in box.curl(f"https://{HOST}/", "-i")
    assert "not one of the exact hosts" in box.try_run("bellhopctl", "set", "carol", f"--host={HOST}").stderr
    ctl(box, "set", "carol", f"--host={HOST}", f"--canonical={HOST}")
    ctl(box, "set", "carol", f"--host={HOST} {NEW} *.wild.example", "--canonical=", "--mail-per-hour=7")
    assert (settings(box)["mail_per_hour"], settings(box)["mail_per_day"]) == (7, None)
    ctl(box, "set", "carol", "--mail-per-hour=")
    status, = ctl_json(box, "status", "carol")["instances"]
    assert {key: status[key] for key in entry if not key.startswith("tasks")} == {
        key: value for key, value in entry.items() if not key.startswith("tasks")}
    whole = json.loads(box.run("bellhopctl", "export"))["instances"]
    assert [one["instance"] for one in whole] == ["alice", "bob", "carol"] and whole[2] == entry
    # Given back to set, it changes nothing.
    assert steps(box, "carol", f"--host={' '.join(entry['hosts'])}", f"--address={' '.join(entry['addresses'])}",
                 f"--http={entry['http']}", f"--idle={entry['idle_seconds']}", "--network=yes", "--default=no") == []
