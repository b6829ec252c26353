# SPDX-License-Identifier: MIT
"""Sites that come, go, break and are changed while their neighbours keep serving."""

import contextlib
import json
import re
import subprocess

import pytest
from box import HERE
from fixtures import remove
from showcase import ALICE, BOB, assert_served_by_owner


@contextlib.contextmanager
def steady(box, *hosts):
    """Constant requests meanwhile; none of them may fail."""
    client = box.popen_client("/usr/bin/python3", HERE / "steady.py", *hosts, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        assert client.stdout.readline() == "running\n"
        yield
    finally:
        result = json.loads(client.communicate("\n", timeout=60)[0])
    assert not result["failures"], (result["failures"][:5], box.journal("-n", "100"))
    assert result["n"] > 2 * len(hosts)


def main_pid(box, name):
    return int(box.show(f"bellhop@{name}.service", "MainPID"))


def status_of(box, url, *args, **kwargs):
    return box.curl(url, "-o", "/dev/null", "-w", "%{http_code}", *args, check=False, **kwargs).stdout


def daemon_reloads(box):
    return len(re.findall(r"^Reloading(\.| requested)", box.journal("_PID=1"), re.MULTILINE))


def test_customer_comes_and_goes_while_the_others_serve(box, carol):
    box.curl(f"http://{ALICE}/")
    box.curl(f"http://{BOB}/")
    pids, reloads = [main_pid(box, name) for name in ("alice", "bob")], daemon_reloads(box)
    with steady(box, ALICE, BOB):
        box.start_customer(carol)
        answer = box.curl("https://carol.example/")
        assert "(carol)" in answer
        remove(box, carol)
        assert status_of(box, "http://carol.example/") == "421"
        assert not box.path("/run/bellhop/carol.handoff").exists()
    assert [main_pid(box, name) for name in ("alice", "bob")] == pids
    assert daemon_reloads(box) == reloads


@pytest.mark.parametrize("who", ["parent", "children", "all"])
def test_killed_while_idle(box, who):
    box.curl(f"http://{ALICE}/")
    pid = main_pid(box, "alice")
    box.run("systemctl", "kill", "--signal=KILL", *{"parent": ["--kill-who=main"], "all": []}.get(who, []),
            "bellhop@alice.service") if who != "children" else box.run("pkill", "-KILL", "-P", pid)
    assert_served_by_owner(box, ALICE, box.curl(f"https://{ALICE}/"))
    assert_served_by_owner(box, ALICE, box.curl(f"http://{ALICE}/"))


def test_stopped_and_started_by_the_next_visitor(box):
    box.curl(f"http://{ALICE}/")
    box.run("systemctl", "stop", "bellhop@alice.service")
    assert box.show("bellhop@alice.service", "Result") == "success"
    assert_served_by_owner(box, ALICE, box.curl(f"https://{ALICE}/"))


def test_reload_and_restart_lose_nothing(box):
    with steady(box, ALICE, BOB):
        for _ in range(3):
            box.run("systemctl", "reload", "bellhop@alice.service")
            box.run("systemctl", "restart", "bellhop@bob.service")


def test_broken_snippet_does_not_end_a_site_that_runs(box):
    box.curl(f"http://{ALICE}/")
    pid = main_pid(box, "alice")
    box.write("/etc/bellhop/sites/alice/own.conf", "NoSuchDirective on\n")
    try:
        reload = box.try_run("systemctl", "reload", "bellhop@alice.service")
        assert reload.returncode != 0
        assert "NoSuchDirective" in box.journal("-u", "bellhop@alice.service", "-n", "20")
        assert_served_by_owner(box, ALICE, box.curl(f"http://{ALICE}/"))
        assert main_pid(box, "alice") == pid
    finally:
        box.path("/etc/bellhop/sites/alice/own.conf").unlink()


def test_snippet_takes_effect_on_reload(box):
    box.curl(f"http://{ALICE}/")
    box.write("/etc/bellhop/sites/alice/own.conf", "Redirect 302 /old https://alice.example/new\n")
    try:
        box.run("systemctl", "reload", "bellhop@alice.service")
        box.wait_for("the snippet is in force", lambda: status_of(box, f"http://{ALICE}/old") == "302")
    finally:
        box.path("/etc/bellhop/sites/alice/own.conf").unlink()
        box.run("systemctl", "reload", "bellhop@alice.service")


def test_router_restarts_under_an_established_connection(box):
    """A keep-alive connection made before the restart answers after it: the router is not in its path."""
    program = f"""
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 80)
for _ in range(2):
    connection.request("GET", "/", headers={{"Host": "{ALICE}"}})
    print(connection.getresponse().read().decode(), end="", flush=True)
    local = connection.sock.getsockname()
    sys.stdin.readline()
assert connection.sock.getsockname() == local
"""
    # Otherwise, Apache closes the connection after 5 s.
    box.write("/etc/bellhop/sites/alice/own.conf", "KeepAliveTimeout 60\n")
    box.run("systemctl", "try-reload-or-restart", "bellhop@alice.service")
    client = box.popen_client("/usr/bin/python3", "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert_served_by_owner(box, ALICE, client.stdout.readline())
    for action in (["restart"], ["kill", "--signal=KILL"]):
        box.run("systemctl", *action, "bellhop-router.service")
    client.stdin.write("\n\n")
    client.stdin.close()
    assert_served_by_owner(box, ALICE, client.stdout.read())
    assert client.wait(timeout=20) == 0
    box.path("/etc/bellhop/sites/alice/own.conf").unlink()
    box.run("systemctl", "reload", "bellhop@alice.service")
    assert_served_by_owner(box, BOB, box.curl(f"https://{BOB}/"))


def test_one_bad_file_leaves_the_others(box, carol):
    box.write_instance(carol, f"Host=carol.example {BOB}\n")
    box.start_customer(carol)
    said = box.journal("-u", "bellhop-router", "-n", "10")
    assert f"/etc/bellhop/instances/carol.conf:2: {BOB} already leads to bob (/etc/bellhop/instances/bob.conf:2)" in said
    assert "configuration has errors" in box.show("bellhop-router.service", "StatusText")
    assert_served_by_owner(box, BOB, box.curl(f"https://{BOB}/"))
    assert status_of(box, "http://carol.example/") == "421"


def test_default_and_address(box, carol):
    box.write_instance(carol, "Default=yes\nAddress=127.0.0.99\n")
    box.start_customer(carol)
    assert "(carol)" in box.curl("http://whoever.example/")
    assert "(carol)" in box.curl("http://127.0.0.99/", address="127.0.0.99")
    assert_served_by_owner(box, BOB, box.curl(f"https://{BOB}/"))
    assert status_of(box, f"https://{BOB}/", address="127.0.0.99") == "421"


def test_customer_without_certificate(box, carol):
    box.shell("rm -r /etc/bellhop/tls/carol")
    box.start_customer(carol)
    assert "(carol)" in box.curl("http://carol.example/")
    tls = box.try_client("bash", "-c", "openssl s_client -connect 127.0.0.1:443 -servername carol.example </dev/null 2>&1")
    assert "unrecognized name" in tls.stdout, tls.stdout


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_other_mpms(box, carol, mpm):
    box.write("/etc/systemd/system/bellhop@carol.service.d/mpm.conf", f"[Service]\nEnvironment=BELLHOP_MPM={mpm}\n")
    box.run("systemctl", "daemon-reload")
    box.start_customer(carol)
    for scheme in ("http", "https"):
        assert "(carol)" in box.curl(f"{scheme}://carol.example/")
    box.run("systemctl", "stop", "bellhop@carol.service")
    assert "(carol)" in box.curl("https://carol.example/")


def test_reboot(box):
    box.reboot()
    assert box.show("bellhop@alice.service", "ActiveState") == "inactive"
    for host in (ALICE, BOB):
        for scheme in ("http", "https"):
            assert_served_by_owner(box, host, box.curl(f"{scheme}://{host}/"))
